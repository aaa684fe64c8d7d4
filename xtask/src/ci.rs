//! `cargo xtask ci`: the jobs of continuous integration, in parts on several machines or all on one.
//!
//! Every part runs other commands as a user would; `ci/run.sh` and the workflow call this.

use crate::context::{this_program, waiting};
use anyhow::{Context as _, bail};
use bitstate_harness::runs::ci::{Shard, Step, exit_of, gaps, gather, meaning, summary};
use bitstate_harness::targets::{Clock, Target, targets};
use bitstate_harness::workspace::error::nearest;
use bitstate_harness::workspace::process::{self, ProcessError};
use bitstate_harness::workspace::{Workspace, environment, make_folder, write_atomic};
use bitstate_harness::{Error, Exit};
use clap::{Args, Subcommand};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Output limit of a command, in bytes.
const SAID_LIMIT: usize = 64 << 20;

/// Flags of `ci`.
#[derive(Debug, Args)]
#[command(after_help = "\
Without a part: all shards one after the other, then the merge, on this machine.

Exit code: the worst of all commands: 4 takes precedence over 2, 2 over 3, 3 over 1. A target without a shard, or a
shard without records or a verdict, gives 2. `time` is advice: its exit code does not affect that of the whole.

Examples:
  ci/run.sh                            everything, as on a continuous-integration machine
  ci/run.sh --base main                also the times against main, as advice
  ci/run.sh shard wasm && ci/run.sh merge
  ci/run.sh --dry-run                  print the commands")]
pub struct CiFlags {
    /// The part; all of them by default
    #[command(subcommand)]
    pub part: Option<CiPart>,
    /// Folder of shards, the merged report and the summary; target/bitstate/ci by default
    #[arg(long, value_name = "DIR", global = true)]
    pub out: Option<PathBuf>,
    /// Use as many samples as `bench` and `ab` do without --quick
    #[arg(long, global = true)]
    pub full: bool,
    /// Print the commands without running them
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// Without a part: also compare the times with this commit, as advice
    #[arg(long, value_name = "COMMIT")]
    pub base: Option<String>,
}

/// Parts of `ci`, for several machines.
#[derive(Debug, Subcommand)]
pub enum CiPart {
    /// Print the list of shards as JSON: the targets of ci/targets.toml
    Matrix,
    /// Measure and gate one target, into shards/TARGET/
    Shard {
        /// Name of the target.
        target: String,
    },
    /// Merge the folders in shards/ into one report and a summary; on GitHub, also write it to the job's page
    Merge,
    /// Compare the times of the working tree with a commit
    Time {
        /// The commit.
        base: String,
    },
}

pub fn run(flags: &CiFlags) -> anyhow::Result<Exit> {
    let workspace = Workspace::find()?;
    let out = flags.out.clone().unwrap_or_else(|| workspace.scratch().join("ci"));
    let out = std::path::absolute(&out).map_err(Error::io("find", &out))?;
    let ci = Ci { workspace, out, flags };
    match &flags.part {
        Some(CiPart::Matrix) => {
            println!("{}", serde_json::to_string(&names())?);
            Ok(Exit::Pass)
        }
        Some(CiPart::Shard { target }) => ci.shard(find(target)?),
        Some(CiPart::Merge) => ci.merge(),
        Some(CiPart::Time { base }) => ci.time(base),
        None => ci.whole(),
    }
}

/// The names of the shards: the targets of `ci/targets.toml` that are measured and counted.
fn names() -> Vec<&'static str> {
    targets().iter().filter(|target| target.counted).map(|target| target.name).collect()
}

fn find(name: &str) -> anyhow::Result<&'static Target> {
    let unknown = || Error::Unknown { kind: "target", name: name.into(), nearest: nearest(name, names()) };
    Ok(Target::named(name).ok_or_else(unknown)?)
}

struct Ci<'a> {
    workspace: Workspace,
    out: PathBuf,
    flags: &'a CiFlags,
}

impl Ci<'_> {
    /// Runs all shards and merges them; also compares times with a commit, which does not affect the exit code.
    fn whole(&self) -> anyhow::Result<Exit> {
        if !self.flags.dry_run && self.shards().exists() {
            // Shards of a removed target must not be merged.
            std::fs::remove_dir_all(self.shards()).map_err(Error::io("remove", &self.shards()))?;
        }
        for target in targets().iter().filter(|target| target.counted) {
            self.shard(target)?;
        }
        let exit = self.merge()?;
        if let Some(base) = &self.flags.base {
            let time = self.time(base)?;
            if !self.flags.dry_run {
                println!("times against {base}: {} ({}); advice, not counted", meaning(time), time.code());
            }
        }
        Ok(exit)
    }

    /// Measures and gates one target, with the results in its own folder.
    fn shard(&self, target: &Target) -> anyhow::Result<Exit> {
        let (name, pattern) = (format!("ci-{}", target.name), format!("^{}$", target.name));
        let reports = self.workspace.scratch().join("reports");
        let verdict = self.workspace.scratch().join("gate/verdict.json");
        let folder = self.shards().join(target.name);
        let mut bench = vec!["bench", "--target", &pattern, "--name", &name];
        if !self.flags.full {
            bench.push("--quick");
        }
        let gate = ["gate", "--target", &pattern];
        if self.flags.dry_run {
            say(&bench);
            say(&gate);
            return Ok(Exit::Pass);
        }
        // Results of an earlier run must not be taken for this one's.
        for old in runs_named(&reports, &name).into_iter().chain([folder.clone()]).filter(|old| old.exists()) {
            std::fs::remove_dir_all(&old).map_err(Error::io("remove", &old))?;
        }
        if verdict.exists() {
            std::fs::remove_file(&verdict).map_err(Error::io("remove", &verdict))?;
        }
        make_folder(&folder)?;
        let steps = [self.step(&bench)?.0, self.step(&gate)?.0];
        for run in runs_named(&reports, &name) {
            for file in ["records.jsonl", "report.json", "report.md", "report.html"] {
                copy(&run.join(file), &folder)?;
            }
        }
        copy(&verdict, &folder)?;
        let shard = Shard::new(target.name, steps.into());
        shard.write(&folder)?;
        let gaps = gaps(&folder, target.name);
        gaps.iter().for_each(|gap| println!("the shard of `{}` is incomplete: {gap}", target.name));
        let exit = shard.exit().worst(if gaps.is_empty() { Exit::Pass } else { Exit::Harness });
        println!("shard {}: {}", self.workspace.show(&folder), meaning(exit));
        Ok(exit)
    }

    /// Merges the shards into one report and prints the result of each.
    fn merge(&self) -> anyhow::Result<Exit> {
        let merged = self.out.join("merged");
        let merged_text = self.workspace.show(&merged);
        if self.flags.dry_run {
            let shards = format!("{}/*", self.workspace.show(&self.shards()));
            say(&["report", "--merge", &shards, "--out", &merged_text]);
            return Ok(Exit::Pass);
        }
        let gathered = gather(&self.shards(), &names())?;
        let with_records = |folder: &&PathBuf| folder.join("records.jsonl").is_file();
        let folders = gathered.shards.iter().map(|(folder, _)| folder).filter(with_records);
        let folders: Vec<String> = folders.map(|folder| self.workspace.show(folder)).collect();
        if folders.is_empty() {
            bail!("no shard in {} has records: there is nothing to merge", self.shards().display());
        }
        if merged.exists() {
            std::fs::remove_dir_all(&merged).map_err(Error::io("remove", &merged))?;
        }
        let mut arguments = vec!["report", "--merge"];
        arguments.extend(folders.iter().map(String::as_str));
        arguments.extend(["--out", &merged_text]);
        let (mut merge, _) = self.step(&arguments)?;
        let report = std::fs::read_to_string(merged.join("report.md")).ok();
        if merge.exit == 0 && (report.is_none() || folders.len() < gathered.shards.len()) {
            // An incomplete report is not a pass.
            merge.exit = Exit::Harness.code();
        }
        let text = summary(&gathered, &merge, report.as_deref());
        let path = self.out.join("summary.md");
        write_atomic(&path, text.as_bytes())?;
        publish(&text)?;
        gathered.wrong.iter().for_each(|sentence| println!("{sentence}"));
        let exit = gathered.exit().worst(exit_of(Some(i32::from(merge.exit))));
        for (_, shard) in &gathered.shards {
            println!("{:<12} {}", shard.target, meaning(shard.exit()));
        }
        println!("{}, exit {}; summary: {}", meaning(exit), exit.code(), self.workspace.show(&path));
        Ok(exit)
    }

    /// Compares the times of the targets with a wall clock with a commit.
    fn time(&self, base: &str) -> anyhow::Result<Exit> {
        let timed = targets().iter().filter(|target| target.counted && target.clock == Clock::Wall);
        let patterns: Vec<String> = timed.map(|target| format!("^{}$", target.name)).collect();
        let mut arguments = vec!["ab", base, "."];
        arguments.extend(patterns.iter().flat_map(|pattern| ["--target", pattern]));
        if !self.flags.full {
            arguments.push("--quick");
        }
        if self.flags.dry_run {
            say(&arguments);
            return Ok(Exit::Pass);
        }
        let (step, said) = self.step(&arguments)?;
        let exit = exit_of(Some(i32::from(step.exit)));
        let text =
            format!("# Times: {} (advice)\n\n`{}`\n\n```text\n{}\n```\n", meaning(exit), step.command, said.trim_end());
        write_atomic(&self.out.join("time.md"), text.as_bytes())?;
        publish(&text)?;
        Ok(exit)
    }

    /// Runs a command of this program in the workspace's root; its output is printed and returned.
    fn step(&self, arguments: &[&str]) -> anyhow::Result<(Step, String)> {
        println!("$ {}", command_line(arguments));
        let program = this_program()?;
        let mut verb = environment::this_program_again(program);
        verb.args(arguments).args((!waiting()).then_some("--no-wait")).current_dir(&self.workspace.root);
        // A relative path would be relative to the folder this was started in.
        verb.env("CARGO_TARGET_DIR", &self.workspace.target);
        let (status, said) = match process::run_verb(&mut verb, SAID_LIMIT) {
            Err(ProcessError::Interrupted) => return Err(Error::Interrupted.into()),
            ran => ran.with_context(|| format!("cannot run {}", command_line(arguments)))?,
        };
        let said = String::from_utf8_lossy(&said).into_owned();
        print!("{said}");
        Ok((Step { command: command_line(arguments), exit: exit_of(status.code()).code() }, said))
    }

    fn shards(&self) -> PathBuf {
        self.out.join("shards")
    }
}

fn command_line(arguments: &[&str]) -> String {
    format!("cargo xtask {}", arguments.join(" "))
}

fn say(arguments: &[&str]) {
    println!("would run {}", command_line(arguments));
}

/// The folders of runs of this name, with any date.
fn runs_named(reports: &Path, name: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(reports).into_iter().flatten().flatten();
    let is = |path: &PathBuf| {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        // `2026-01-31-` and the name.
        file.is_char_boundary(11) && file.get(11..) == Some(name)
    };
    entries.map(|entry| entry.path()).filter(is).collect()
}

/// Copies a file into a folder, if it exists.
fn copy(file: &Path, folder: &Path) -> anyhow::Result<()> {
    let Some(name) = file.file_name().filter(|_| file.is_file()) else { return Ok(()) };
    let bytes = std::fs::read(file).map_err(Error::io("read", file))?;
    Ok(write_atomic(&folder.join(name), &bytes)?)
}

/// Appends a text to the job's page on GitHub.
fn publish(text: &str) -> anyhow::Result<()> {
    let Some(page) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|page| !page.is_empty()) else { return Ok(()) };
    let page = PathBuf::from(page);
    let file = std::fs::OpenOptions::new().create(true).append(true).open(&page);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    Ok(written.map_err(Error::io("write", &page))?)
}

#[cfg(test)]
mod tests {
    use super::{names, runs_named};
    use bitstate_harness::verdicts::baseline;
    use bitstate_harness::workspace::Workspace;

    const WORKFLOW: &str = include_str!("../../.github/workflows/ci.yml");

    fn values(key: &str) -> impl Iterator<Item = &str> {
        WORKFLOW.lines().filter_map(move |line| line.trim().trim_start_matches("- ").strip_prefix(key)).map(str::trim)
    }

    #[test]
    fn the_workflow_asks_for_its_matrix_and_has_no_list_of_its_own() {
        assert!(WORKFLOW.contains("ci/run.sh matrix"));
        let matrix: Vec<&str> = values("target:").collect();
        assert_eq!(matrix, ["${{ fromJSON(needs.targets.outputs.list) }}"]);
        for name in names() {
            assert!(!WORKFLOW.contains(name), "the workflow names the target `{name}`: ci/targets.toml does");
        }
    }

    #[test]
    fn the_workflow_pins_its_actions_and_the_compiler_of_the_accepted_counters() {
        let actions: Vec<&str> = values("uses:").collect();
        assert!(actions.len() > 4);
        for action in actions {
            let version = action.split_once("@v").map(|(_, version)| version).unwrap_or_default();
            let numbers = version.split('.').filter(|part| part.parse::<u32>().is_ok()).count();
            assert_eq!(numbers, 3, "`{action}` is not pinned to a full version");
        }
        let baselines = baseline::load(&Workspace::find().unwrap()).unwrap();
        let rustc = baselines["native"].rows.iter().find_map(|row| row.key.get("rustc")).unwrap();
        let version = rustc.split_whitespace().nth(1).unwrap();
        let images: Vec<&str> = values("image:").collect();
        assert!(images.len() > 2);
        for image in images {
            let expected = format!("rust:{version}-bookworm");
            assert_eq!(image, expected, "counters of another compiler are not comparable with ci/baselines");
        }
    }

    #[test]
    fn a_run_is_found_by_its_name_and_not_by_the_end_of_another() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["2026-01-31-ci-wasm", "2026-01-31-my-ci-wasm", "2026-01-31-ci-wasm-2", "x"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        assert_eq!(runs_named(folder.path(), "ci-wasm"), [folder.path().join("2026-01-31-ci-wasm")]);
    }
}
