//! The output of a continuous-integration run: shards, one per target, and a summary of all.
//!
//! A shard is a folder with the records of a bench, the verdict of the gate and `shard.json`, which lists the commands
//! and their exit codes. Shards may come from several machines.

use crate::records::{Row, read_parts};
use crate::workspace::error::Error;
use crate::workspace::exit::Exit;
use crate::workspace::{read_text, write_atomic};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Version of the format of `shard.json`.
const SCHEMA: u64 = 1;
/// Most changed counters that a summary shows of a shard; the others are in its verdict.
const MOST_SHOWN: usize = 40;

/// A command that ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The command.
    pub command: String,
    /// Its exit code.
    pub exit: u8,
}

/// The commands that ran for one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    schema: u64,
    /// The target.
    pub target: String,
    /// The commands, in order.
    pub steps: Vec<Step>,
}

impl Shard {
    /// A shard of these steps.
    pub fn new(target: &str, steps: Vec<Step>) -> Self {
        Shard { schema: SCHEMA, target: target.into(), steps }
    }

    /// The worst exit code of its steps. A shard without steps proves nothing.
    pub fn exit(&self) -> Exit {
        let steps = self.steps.iter().map(|step| exit_of(Some(i32::from(step.exit))));
        steps.reduce(Exit::worst).unwrap_or(Exit::Harness)
    }

    /// Writes it into its folder.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(self).map_err(|error| Error::Refused(error.to_string()))?;
        write_atomic(&folder.join("shard.json"), format!("{text}\n").as_bytes())
    }

    fn read(path: &Path) -> Result<Self, Error> {
        let malformed = |message: String| Error::Malformed { path: path.into(), message };
        let shard: Shard = serde_json::from_str(&read_text(path)?).map_err(|error| malformed(error.to_string()))?;
        if shard.schema != SCHEMA {
            return Err(malformed(format!("schema {}, this build reads {SCHEMA}", shard.schema)));
        }
        Ok(shard)
    }
}

/// What a shard's folder lacks, as messages: records with rows of the target, and a gate verdict with at least one
/// counter. A step that exits with 0 and leaves nothing has proved nothing.
pub fn gaps(folder: &Path, target: &str) -> Vec<String> {
    let of_target = |row: &Row| match row {
        Row::Sample { target: of, .. } | Row::Verified { target: of, .. } => of == target,
        Row::Skipped { target: of, .. } | Row::Failed { target: of, .. } => of == target,
        _ => false,
    };
    let records = match read_parts(&folder.join("records.jsonl")) {
        Ok(parts) if parts.iter().flat_map(|part| &part.rows).any(of_target) => None,
        Ok(_) => Some(format!("records.jsonl has nothing of `{target}`")),
        Err(error) => Some(error.to_string()),
    };
    let verdict = match read_verdict(&folder.join("verdict.json")) {
        Ok(verdict) if ["findings", "failed_and_skipped"].iter().any(|key| !rows(&verdict, key).is_empty()) => None,
        Ok(_) => Some("verdict.json has no counter".into()),
        Err(error) => Some(error.to_string()),
    };
    records.into_iter().chain(verdict).collect()
}

fn read_verdict(path: &Path) -> Result<Value, Error> {
    serde_json::from_str(&read_text(path)?)
        .map_err(|error| Error::Malformed { path: path.into(), message: error.to_string() })
}

/// The rows of a part of a verdict.
fn rows<'a>(verdict: &'a Value, key: &str) -> &'a [Value] {
    verdict[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The exit code of a process status: any status other than the five codes is a harness failure, and so is a signal.
pub fn exit_of(code: Option<i32>) -> Exit {
    let known = [Exit::Pass, Exit::Regression, Exit::NotMeasurable, Exit::WrongAnswer];
    known.into_iter().find(|exit| code == Some(i32::from(exit.code()))).unwrap_or(Exit::Harness)
}

/// The shards of a folder.
#[derive(Debug)]
pub struct Gathered {
    /// Each with its folder, in the order of the targets.
    pub shards: Vec<(PathBuf, Shard)>,
    /// The errors, as messages: a target without a shard, two shards of one target, a shard without records or without
    /// a verdict.
    pub wrong: Vec<String>,
}

impl Gathered {
    /// The worst exit code of the shards; a missing shard counts as a harness failure.
    pub fn exit(&self) -> Exit {
        let gaps = if self.wrong.is_empty() { Exit::Pass } else { Exit::Harness };
        self.shards.iter().map(|(_, shard)| shard.exit()).fold(gaps, Exit::worst)
    }
}

/// Reads the shards in the subfolders of a folder: one for each of these targets.
///
/// # Errors
/// If the folder or a shard in it cannot be read.
pub fn gather(folder: &Path, targets: &[&str]) -> Result<Gathered, Error> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let path = entry.map_err(Error::io("list", folder))?.path();
        let file = path.join("shard.json");
        if file.is_file() {
            found.push((path, Shard::read(&file)?));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let mut gathered = Gathered { shards: Vec::new(), wrong: Vec::new() };
    for target in targets {
        let of_target: Vec<_> = found.extract_if(.., |(_, shard)| shard.target == *target).collect();
        if of_target.len() != 1 {
            gathered.wrong.push(format!("target `{target}` has {} shards, and must have one", of_target.len()));
        }
        for (folder, _) in &of_target {
            let gaps = gaps(folder, target);
            gathered.wrong.extend(gaps.iter().map(|gap| format!("the shard of `{target}` is not whole: {gap}")));
        }
        gathered.shards.extend(of_target);
    }
    let strangers = found.iter().map(|(path, shard)| {
        format!("{} is of target `{}`, which ci/targets.toml does not have", path.display(), shard.target)
    });
    gathered.wrong.extend(strangers);
    Ok(gathered)
}

/// The summary as Markdown: the exit code of every step, the changed counters, then the merged report without its
/// pictures, which are files beside it.
pub fn summary(gathered: &Gathered, merge: &Step, report: Option<&str>) -> String {
    let exit = gathered.exit().worst(exit_of(Some(i32::from(merge.exit))));
    let mut out = format!("# {}\n\n| command | ended with |\n|---|---|\n", meaning(exit));
    let steps = gathered.shards.iter().flat_map(|(_, shard)| &shard.steps).chain([merge]);
    for step in steps {
        let exit = exit_of(Some(i32::from(step.exit)));
        let _ = writeln!(out, "| `{}` | {}: {} |", step.command.replace('|', "\\|"), step.exit, meaning(exit));
    }
    out += "\n";
    for sentence in &gathered.wrong {
        let _ = writeln!(out, "- {sentence}");
    }
    for (folder, shard) in &gathered.shards {
        out += &changed_counters(&shard.target, &folder.join("verdict.json"));
    }
    if let Some(report) = report {
        let text = report.lines().filter(|line| !line.starts_with("![")).collect::<Vec<_>>().join("\n");
        let _ = write!(out, "\n{}\n", text.trim_end());
    }
    out
}

/// A description of an exit code.
pub fn meaning(exit: Exit) -> &'static str {
    match exit {
        Exit::Pass => "passed",
        Exit::Regression => "a regression",
        Exit::Harness => "the harness or a measurement failed",
        Exit::NotMeasurable => "not measurable or not comparable",
        Exit::WrongAnswer => "a wrong answer",
    }
}

/// The counters of a verdict that differ from the baseline.
fn changed_counters(target: &str, verdict: &Path) -> String {
    let heading = format!("\n## Changed counters of {target}\n\n");
    let Ok(verdict) = read_verdict(verdict) else {
        return format!("{heading}The gate left no verdict.\n");
    };
    let findings = rows(&verdict, "findings");
    let changed: Vec<&Value> = findings.iter().filter(|finding| finding["status"] != "unchanged").collect();
    let failed = rows(&verdict, "failed_and_skipped")
        .iter()
        .filter_map(|row| Some((row, row["error"].as_str()?.lines().next()?)));
    let failed: String = failed
        .map(|(row, error)| {
            let [variant, workload] = ["variant", "workload"].map(|key| row[key].as_str().unwrap_or("everything"));
            format!("- not counted: {target}/{variant} {workload}: {error}\n")
        })
        .collect();
    if changed.is_empty() {
        return format!("{heading}{failed}\nNone of {}.\n", findings.len());
    }
    let mut out = format!("{heading}{failed}\n| status | counter | accepted | now | |\n|---|---|---|---|---|\n");
    for finding in changed.iter().take(MOST_SHOWN) {
        let word = |key: &str| match &finding[key] {
            Value::String(text) => text.replace('|', "\\|"),
            Value::Null => "–".into(),
            other => other.to_string(),
        };
        let counter = ["variant", "workload", "phase", "metric"].map(word).join(" ");
        let [status, accepted, now, sentence] = ["status", "baseline", "value", "sentence"].map(word);
        let _ = writeln!(out, "| {status} | {counter} | {accepted} | {now} | {sentence} |");
    }
    if changed.len() > MOST_SHOWN {
        let _ = writeln!(out, "\nand {} more in verdict.json", changed.len() - MOST_SHOWN);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Shard, Step, exit_of, gather, summary};
    use crate::records::{self, Row};
    use crate::workspace::exit::Exit;
    use crate::workspace::write_atomic;
    use std::path::Path;

    const VERDICT: &str = r#"{"findings": [{"status": "unchanged"}], "failed_and_skipped": []}"#;

    /// A complete shard whose steps have these exit codes.
    fn shard(folder: &Path, name: &str, target: &str, exits: &[u8]) {
        let step = |&exit: &u8| Step { command: format!("cargo xtask step {target}"), exit };
        let folder = folder.join(name);
        Shard::new(target, exits.iter().map(step).collect()).write(&folder).unwrap();
        let verified = Row::Verified { target: target.into(), variant: "lut".into(), workload: "w".into(), steps: 1 };
        records::write(&folder.join("records.jsonl"), &[Row::Run(Box::default()), verified]).unwrap();
        write_atomic(&folder.join("verdict.json"), VERDICT.as_bytes()).unwrap();
    }

    #[test]
    fn a_shard_without_records_or_verdict_is_no_pass_whatever_its_steps_ended_with() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a");
        let (records, verdict) = (place.join("records.jsonl"), place.join("verdict.json"));
        let wrong = || {
            let gathered = gather(folder.path(), &["xtensa"]).unwrap();
            assert_eq!(gathered.exit().code(), if gathered.wrong.is_empty() { 0 } else { 2 });
            gathered.wrong.join("; ")
        };
        shard(folder.path(), "a", "xtensa", &[0, 0]);
        assert_eq!(wrong(), "");
        std::fs::remove_file(&records).unwrap();
        assert!(
            wrong().contains("the shard of `xtensa` is not whole: cannot read") && wrong().contains("records.jsonl")
        );
        shard(folder.path(), "a", "xtensa", &[0, 0]);
        std::fs::remove_file(&verdict).unwrap();
        assert!(wrong().contains("verdict.json"), "{}", wrong());
        for nothing in ["", "{}", r#"{"findings": [], "failed_and_skipped": []}"#] {
            std::fs::write(&verdict, nothing).unwrap();
            assert!(wrong().contains("verdict.json"), "{nothing}");
        }
        shard(folder.path(), "a", "xtensa", &[0, 0]);
        records::write(&records, &[Row::Run(Box::default())]).unwrap();
        assert_eq!(wrong(), "the shard of `xtensa` is not whole: records.jsonl has nothing of `xtensa`");
    }

    #[test]
    fn the_worst_step_of_any_shard_is_what_counts_and_a_gap_is_no_pass() {
        let folder = tempfile::tempdir().unwrap();
        let exit = |targets: &[&str]| gather(folder.path(), targets).unwrap().exit().code();
        shard(folder.path(), "a", "native", &[0, 0]);
        shard(folder.path(), "b", "wasm", &[0, 1]);
        assert_eq!((exit(&["native", "wasm"]), exit(&["native", "wasm", "xtensa"]), exit(&["native"])), (1, 2, 2));
        shard(folder.path(), "b", "wasm", &[1, 3]);
        assert_eq!(exit(&["native", "wasm"]), 3);
        shard(folder.path(), "b", "wasm", &[4, 2]);
        assert_eq!(exit(&["native", "wasm"]), 4);
        shard(folder.path(), "b", "wasm", &[]);
        assert_eq!(exit(&["native", "wasm"]), 2);
        shard(folder.path(), "b", "wasm", &[0]);
        shard(folder.path(), "c", "wasm", &[0]);
        let twice = gather(folder.path(), &["native", "wasm"]).unwrap();
        assert_eq!(twice.wrong, ["target `wasm` has 2 shards, and must have one"]);
        assert_eq!(twice.exit().code(), 2);
    }

    #[test]
    fn a_shard_that_cannot_be_read_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        for (text, said) in [
            ("{\"schema\":1,\"target\":\"native\"", "EOF"),
            ("{\"schema\":9,\"target\":\"native\",\"steps\":[]}", "schema 9, this build reads 1"),
            ("{\"schema\":1,\"target\":\"native\",\"steps\":[],\"x\":1}", "unknown field `x`"),
        ] {
            write_atomic(&folder.path().join("a/shard.json"), text.as_bytes()).unwrap();
            let error = gather(folder.path(), &["native"]).unwrap_err().to_string();
            assert!(error.contains("shard.json") && error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_status_that_is_no_code_of_ours_is_a_failure_of_the_harness() {
        assert_eq!([0, 1, 2, 3, 4].map(|code| exit_of(Some(code)).code()), [0, 1, 2, 3, 4]);
        assert_eq!([Some(5), Some(101), Some(-1), None].map(exit_of), [Exit::Harness; 4]);
    }

    #[test]
    fn the_summary_reports_runs_changes_and_measurements() {
        let folder = tempfile::tempdir().unwrap();
        shard(folder.path(), "a", "native", &[0, 1]);
        let verdict = r#"{"findings": [
            {"status": "unchanged", "variant": "avx2", "workload": "w", "phase": "load", "metric": "fuel"},
            {"status": "regression", "variant": "avx2", "workload": "w", "phase": "decode", "metric": "instructions",
             "baseline": 100, "value": 120, "sentence": "rose by more than 0.5 %"}],
            "failed_and_skipped": [{"variant": "ssse3", "workload": null, "error": "cargo failed\nat length"},
                                   {"variant": "avx_vnni", "reason": "this CPU has no avx_vnni"}]}"#;
        write_atomic(&folder.path().join("a/verdict.json"), verdict.as_bytes()).unwrap();
        let gathered = gather(folder.path(), &["native", "wasm"]).unwrap();
        let merge = Step { command: "cargo xtask report --merge".into(), exit: 0 };
        let text = summary(&gathered, &merge, Some("# Benchmark: ci\n\n![a](charts/a.svg)\n\n## Speed\n"));
        assert!(text.starts_with("# the harness or a measurement failed\n"), "{text}");
        assert!(text.contains("| `cargo xtask step native` | 1: a regression |"), "{text}");
        assert!(text.contains("- target `wasm` has 0 shards"), "{text}");
        assert!(text.contains("| regression | avx2 w decode instructions | 100 | 120 | rose by more than 0.5 % |"));
        assert!(text.contains("- not counted: native/ssse3 everything: cargo failed\n\n|"), "{text}");
        assert!(!text.contains("avx_vnni") && !text.contains("unchanged") && !text.contains("!["), "{text}");
        assert!(text.contains("## Speed"), "{text}");
    }
}
