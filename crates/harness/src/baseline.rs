//! Accepted counters: `ci/baselines/<target>.json`, with who accepted what, when and why.

use crate::counters::{Counter, SIZE};
use crate::environment::command;
use crate::error::{Error, nearest};
use crate::git::is_leftover;
use crate::provenance::{self, Provenance};
use crate::records::COUNTERS;
use crate::target::targets;
use crate::tools::said;
use crate::workspace::{Workspace, read_text, write_atomic};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Version of the file's format.
pub const SCHEMA: u64 = 1;

/// The accepted counters of a target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// See [`SCHEMA`].
    pub schema: u64,
    /// Every acceptance, the newest last.
    pub history: Vec<Accepted>,
    /// The counters.
    pub rows: Vec<Counter>,
}

/// One acceptance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// By whom, as git knows them.
    pub who: String,
    /// When, UTC, ISO 8601.
    pub when: String,
    /// Commit that the counters are of, with a mark if the tree had changes beside it.
    pub commit: String,
    /// Why.
    pub reason: String,
    /// What changed.
    pub changes: Vec<Change>,
}

/// One changed counter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Which.
    pub row: String,
    /// Its value before; none for a new one.
    pub from: Option<u64>,
    /// Its value now; none for one that is gone.
    pub to: Option<u64>,
    /// What the value now depends on; none for one that is gone, and in acceptances before this was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<BTreeMap<String, String>>,
}

impl Baseline {
    fn empty() -> Self {
        Baseline { schema: SCHEMA, history: Vec::new(), rows: Vec::new() }
    }

    /// Reads a file's text; `target` is the one that its name says.
    ///
    /// # Errors
    /// As a sentence: a cut or altered file, another schema, a row twice or of another target.
    pub fn parse(target: &str, text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Head {
            schema: u64,
        }
        let head: Head = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if head.schema != SCHEMA {
            return Err(format!("schema {}, this build reads schema {SCHEMA}", head.schema));
        }
        let baseline: Baseline = serde_json::from_str(text).map_err(|error| error.to_string())?;
        for (i, row) in baseline.rows.iter().enumerate() {
            if row.target != target {
                return Err(format!("row `{row}` is of target `{}`, the file of `{target}`", row.target));
            }
            if let Some(message) = unknown_metric(&row.metric) {
                return Err(format!("row `{row}`: {message}"));
            }
            if baseline.rows[..i].iter().any(|other| other.name() == row.name()) {
                return Err(format!("row `{row}` is there twice"));
            }
        }
        Ok(baseline)
    }

    /// The file's text: a line for each row and acceptance, so that a change shows as those lines.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        let lines = |items: Vec<String>| items.iter().map(|item| format!("\n{item}")).collect::<Vec<_>>().join(",");
        let history = self.history.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
        let rows = self.rows.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
        Ok(format!("{{\"schema\":{},\n\"history\":[{}],\n\"rows\":[{}]}}\n", self.schema, lines(history), lines(rows)))
    }

    /// Puts counters in the place of the rows that `replaced` says, and tells what changed. The order is that of the
    /// names, so that it does not depend on the run.
    fn accept(&mut self, counters: &[Counter], replaced: impl Fn(&Counter) -> bool) -> Vec<Change> {
        let mut before: BTreeMap<String, (u64, BTreeMap<String, String>)> = BTreeMap::new();
        self.rows.retain(|row| {
            let goes = replaced(row) || counters.iter().any(|counter| counter.name() == row.name());
            if goes {
                before.insert(row.to_string(), (row.value, row.key.clone()));
            }
            !goes
        });
        let mut changes = Vec::new();
        for counter in counters {
            let (row, to) = (counter.to_string(), Some(counter.value));
            let (from, key) = before.remove(&row).unzip();
            if from != to || key.as_ref() != Some(&counter.key) {
                changes.push(Change { row, from, to, key: Some(counter.key.clone()) });
            }
            self.rows.push(counter.clone());
        }
        changes.extend(before.into_iter().map(|(row, (value, _))| Change {
            row,
            from: Some(value),
            to: None,
            key: None,
        }));
        self.rows.sort_by(|a, b| a.name().cmp(&b.name()));
        changes
    }
}

/// Why a metric is none that is gated, naming the nearest that is.
fn unknown_metric(metric: &str) -> Option<String> {
    let known = || COUNTERS.into_iter().chain([SIZE]);
    if known().any(|name| name == metric) {
        return None;
    }
    let near = nearest(metric, known()).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Some(format!("there is no metric `{metric}`{near}"))
}

/// Where a target's file lies.
pub fn path(workspace: &Workspace, target: &str) -> PathBuf {
    workspace.root.join("ci/baselines").join(format!("{target}.json"))
}

/// Every committed baseline, by target: what lies in `<target>.json`. What an editor or a person put beside it, such as
/// `native.json~` or `native.bak`, is no baseline.
///
/// # Errors
/// For a file that cannot be read, or whose name ends with `.json` and is no target's.
pub fn load(workspace: &Workspace) -> Result<BTreeMap<String, Baseline>, Error> {
    load_folder(&workspace.root.join("ci/baselines"))
}

fn load_folder(folder: &Path) -> Result<BTreeMap<String, Baseline>, Error> {
    let mut all = BTreeMap::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(all) };
    for entry in entries {
        let path = entry.map_err(Error::io("list", folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some(target) = name.strip_suffix(".json").filter(|_| !is_leftover(&name)).map(str::to_string) else {
            continue;
        };
        let malformed = |message: String| Error::Malformed { path: path.clone(), message };
        if !targets().iter().any(|known| known.name == target) {
            return Err(malformed("no target has this name".into()));
        }
        let baseline = Baseline::parse(&target, &read_text(&path)?).map_err(malformed)?;
        all.insert(target, baseline);
    }
    Ok(all)
}

/// Writes counters into the baselines with who, when and why; returns what changed, by target.
///
/// `replaced` says which rows the counters stand for: one of those that is not counted any more goes.
///
/// # Errors
/// For a reason without a word, or a file that cannot be read or written.
pub fn accept(
    workspace: &Workspace,
    counters: &[Counter],
    replaced: impl Fn(&Counter) -> bool,
    reason: &str,
    provenance: &Provenance,
) -> Result<BTreeMap<String, Vec<Change>>, Error> {
    if !reason.chars().any(char::is_alphanumeric) {
        return Err(Error::Refused("--reason is empty: a later reader needs to know why this change is right".into()));
    }
    let mut baselines = load(workspace)?;
    let mut changed = BTreeMap::new();
    for target in targets().iter().map(|target| target.name) {
        let new: Vec<Counter> = counters.iter().filter(|counter| counter.target == target).cloned().collect();
        if new.is_empty() {
            continue;
        }
        let baseline = baselines.entry(target.to_string()).or_insert_with(Baseline::empty);
        let before = baseline.rows.clone();
        let changes = baseline.accept(&new, &replaced);
        if baseline.rows == before {
            continue;
        }
        let (when, commit) = (provenance::now(), provenance.short_commit());
        baseline.history.push(Accepted {
            who: who(workspace),
            when,
            commit,
            reason: reason.into(),
            changes: changes.clone(),
        });
        let path = path(workspace, target);
        let text =
            baseline.to_text().map_err(|error| Error::Malformed { path: path.clone(), message: error.to_string() })?;
        write_atomic(&path, text.as_bytes())?;
        changed.insert(target.to_string(), changes);
    }
    Ok(changed)
}

fn who(workspace: &Workspace) -> String {
    let ask = |key: &str| said(command("git").current_dir(&workspace.root).args(["config", key]));
    let name = ask("user.name").map(|name| name.trim().to_string()).filter(|name| !name.is_empty());
    let email = ask("user.email").map(|email| format!(" <{}>", email.trim())).unwrap_or_default();
    name.map_or("someone that git does not know".into(), |name| name + &email)
}

#[cfg(test)]
mod tests {
    use super::{Baseline, Change, accept, load, path};
    use crate::counters::Counter;
    use crate::provenance::Provenance;
    use crate::workspace::{Workspace, write_atomic};

    fn counter(workload: &str, value: u64) -> Counter {
        Counter {
            target: "native".into(),
            variant: "avx2".into(),
            workload: workload.into(),
            phase: "decode".into(),
            metric: "instructions".into(),
            unit: "instructions".into(),
            value,
            parts: Default::default(),
            key: [("rustc".to_string(), "1".to_string())].into(),
        }
    }

    fn workspace() -> (tempfile::TempDir, Workspace) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_path_buf();
        (folder, Workspace { target: root.join("target"), root })
    }

    #[test]
    fn accepting_writes_who_when_why_and_the_numbers() {
        let (_folder, workspace) = workspace();
        let take =
            |counters: &[Counter], reason: &str| accept(&workspace, counters, |_| true, reason, &Provenance::default());
        assert!(take(&[counter("a", 100)], " ").unwrap_err().to_string().contains("--reason is empty"));
        take(&[counter("a", 100), counter("gone", 7)], "first").unwrap();
        let changes = take(&[counter("a", 120), counter("new", 5)], "the head reads twice").unwrap();
        let key = [("rustc".to_string(), "1".to_string())];
        let change = |row: &str, from, to: Option<u64>| {
            let key = to.map(|_| key.clone().into());
            Change { row: format!("native/avx2 {row} decode instructions"), from, to, key }
        };
        let expected = [change("a", Some(100), Some(120)), change("new", None, Some(5)), change("gone", Some(7), None)];
        assert_eq!(changes["native"], expected);
        let baseline = &load(&workspace).unwrap()["native"];
        assert_eq!(baseline.rows, [counter("a", 120), counter("new", 5)]);
        let last = baseline.history.last().unwrap();
        assert_eq!((last.reason.as_str(), last.changes.as_slice()), ("the head reads twice", expected.as_slice()));
        assert!(!last.who.is_empty() && last.when.starts_with("20") && baseline.history.len() == 2);
        assert!(take(&[counter("a", 120), counter("new", 5)], "again").unwrap().is_empty(), "nothing changed");
        assert_eq!(load(&workspace).unwrap()["native"].history.len(), 2);
    }

    #[test]
    fn what_was_not_counted_stays() {
        let (_folder, workspace) = workspace();
        accept(&workspace, &[counter("a", 1), counter("b", 2)], |_| true, "both", &Provenance::default()).unwrap();
        accept(&workspace, &[counter("a", 3)], |row| row.workload == "a", "one", &Provenance::default()).unwrap();
        assert_eq!(load(&workspace).unwrap()["native"].rows, [counter("a", 3), counter("b", 2)]);
    }

    #[test]
    fn a_cut_altered_or_foreign_file_is_refused() {
        let rows = vec![counter("a", 1), counter("b", 2)];
        let text = Baseline { schema: 1, history: Vec::new(), rows }.to_text().unwrap();
        assert_eq!(Baseline::parse("native", &text).unwrap().rows.len(), 2);
        let refuse = |target: &str, text: &str| Baseline::parse(target, text).unwrap_err();
        assert!(refuse("native", &text[..text.len() / 2]).contains("EOF"));
        assert!(refuse("native", &text.replace("\"schema\":1", "\"schema\":9")).contains("schema 9, this build reads"));
        assert!(refuse("native", &text.replace("\"value\"", "\"valeu\"")).contains("valeu"));
        assert!(refuse("native", &text.replace("\"value\":1", "\"value\":-1")).contains("-1"));
        assert!(refuse("native", &text.replace("\"b\"", "\"a\"")).contains("is there twice"));
        let unknown = refuse("native", &text.replace("\"metric\":\"instructions\"", "\"metric\":\"instuctions\""));
        assert!(unknown.contains("no metric `instuctions`; did you mean `instructions`?"), "{unknown}");
        assert!(refuse("wasm", &text).contains("is of target `native`, the file of `wasm`"));
        let (_folder, workspace) = workspace();
        write_atomic(&path(&workspace, "natvie"), text.as_bytes()).unwrap();
        assert!(load(&workspace).unwrap_err().to_string().contains("no target has this name"));
    }

    #[test]
    fn only_the_file_of_a_target_is_its_baseline() {
        let (_folder, workspace) = workspace();
        let text =
            |value| Baseline { schema: 1, history: Vec::new(), rows: vec![counter("a", value)] }.to_text().unwrap();
        let beside =
            |name: &str, bytes: &[u8]| write_atomic(&path(&workspace, "x").with_file_name(name), bytes).unwrap();
        beside("native.json", text(1).as_bytes());
        for name in
            ["native.json~", "native.bak", "native.old", "native.orig", "native", "native.json.orig", "zzz.json.swp"]
        {
            beside(name, text(9).as_bytes());
        }
        // What vim and emacs keep while a file is edited.
        beside(".native.json.swp", b"b0VIM 9.0\0\xff");
        beside("#native.json#", b"{");
        std::os::unix::fs::symlink("me@here.1:2", path(&workspace, "x").with_file_name(".#native.json")).unwrap();
        let baselines = load(&workspace).unwrap();
        assert_eq!(baselines.keys().collect::<Vec<_>>(), ["native"]);
        assert_eq!(baselines["native"].rows, [counter("a", 1)]);
        beside("native (copy).json", text(9).as_bytes());
        let error = load(&workspace).unwrap_err().to_string();
        assert!(error.contains("native (copy).json: no target has this name"), "{error}");
    }

    #[test]
    fn a_bad_file_is_named_and_ends_with_2() {
        let text = Baseline { schema: 1, history: Vec::new(), rows: vec![counter("a", 1), counter("b", 2)] };
        let text = text.to_text().unwrap();
        for bad in [
            text[..text.len() / 2].to_string(),
            text.replace("\"b\"", "\"a\""),
            text.replace("\"value\":1", "\"value\":1e400"),
            text.replace("\"value\":1", "\"value\":\"many\""),
            text.replace("\"value\":1", "\"value\":-1"),
            text.replace("\"metric\":\"instructions\"", "\"metric\":\"time\""),
            text.replace("\"schema\":1", "\"schema\":2"),
            "[]".into(),
            String::new(),
        ] {
            let (_folder, workspace) = workspace();
            write_atomic(&path(&workspace, "native"), bad.as_bytes()).unwrap();
            let error = load(&workspace).unwrap_err();
            assert_eq!(error.exit().code(), 2, "{bad}");
            assert!(error.to_string().contains("ci/baselines/native.json: "), "{error}");
            // Nothing is written over a file that cannot be read.
            let taken = accept(&workspace, &[counter("a", 1)], |_| true, "why", &Provenance::default());
            assert_eq!(taken.unwrap_err().exit().code(), 2);
            assert_eq!(std::fs::read_to_string(path(&workspace, "native")).unwrap(), bad);
        }
    }

    #[test]
    fn the_steps_of_a_counter_are_kept_and_one_without_them_is_read() {
        let mut row = counter("a", 10);
        row.parts = [("head".to_string(), 4), ("ternary".to_string(), 6)].into();
        let text =
            Baseline { schema: 1, history: Vec::new(), rows: vec![row.clone(), counter("b", 2)] }.to_text().unwrap();
        assert!(text.contains(r#""parts":{"head":4,"ternary":6}"#) && text.matches("parts").count() == 1, "{text}");
        assert_eq!(Baseline::parse("native", &text).unwrap().rows, [row, counter("b", 2)]);
    }
}
