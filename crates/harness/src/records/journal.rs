//! The journal of a run: every finished task is written down at once, so an interrupted run loses only the task in
//! progress and can be resumed.
//!
//! ```text
//! {"line":"begun",   flags, inputs, tools and machine of the run}
//! {"line":"done",    "task": "native/avx2 bench byte128/greedy, sample 3", "rows": […]}      one per task
//! {"line":"resumed", when}
//! ```
//! A task's name does not depend on the order, so a resumed run looks each task up and skips those that are done. A
//! half line that a crash leaves at the end is dropped. The writer holds a lock on the file, so a run in progress
//! cannot be resumed.

use super::lines::{Lines, row, versioned};
use super::provenance::{self, Provenance, differences};
use super::rows::{Row, SCHEMA};
use crate::workspace::error::Error;
use crate::workspace::time::now;
use crate::workspace::{Workspace, make_folder};
use bitstate_protocol::Digest;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Names and values that must be the same for a run to be resumed.
pub type Key = BTreeMap<String, String>;

/// The flags, tools and inputs of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunStart {
    /// The flags, sorted.
    pub flags: Vec<String>,
    /// Source, tools and machine, known before the build.
    pub key: Key,
    /// Models and golden streams.
    pub inputs: Key,
    /// Where the numbers come from.
    pub provenance: Provenance,
}

/// A finished task.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Done {
    /// Its rows.
    pub rows: Vec<Row>,
    /// Digests of its kernels' results, by case, compared with those of other cells.
    pub checks: BTreeMap<String, Digest>,
    /// For a decision that is made once: the chosen number.
    pub decided: Option<u32>,
}

/// The journal of a run in progress.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Mutex<File>,
    begun: RunStart,
    done: BTreeMap<String, Done>,
    recorded: AtomicUsize,
    started: Instant,
    steal: u64,
    /// Seconds of the run, and hundredths of a second of stolen time, before this start.
    before: [u64; 2],
}

/// The folder of journals.
pub fn folder(workspace: &Workspace) -> PathBuf {
    workspace.scratch().join("unfinished")
}

/// The last journal of an unfinished run of a command.
///
/// # Errors
/// If there is none, or the folder cannot be read.
pub fn last(workspace: &Workspace, verb: &str) -> Result<PathBuf, Error> {
    let folder = folder(workspace);
    let names = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let of_verb = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&format!("{verb}-")) && name.ends_with(".jsonl")
    };
    names.filter(of_verb).max().ok_or_else(|| {
        let shown = workspace.show(&folder);
        Error::Refused(format!("there is no unfinished run to resume: {shown} has no journal of `{verb}`"))
    })
}

impl Journal {
    /// Starts one.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn begin(workspace: &Workspace, verb: &str, begun: RunStart) -> Result<Self, Error> {
        let folder = folder(workspace);
        make_folder(&folder)?;
        let started = begun.provenance.started.replace(':', "");
        let path = folder.join(format!("{verb}-{started}-{}.jsonl", begun.provenance.name));
        let file = OpenOptions::new().append(true).create_new(true).open(&path).map_err(Error::io("create", &path))?;
        lock(&file, &path)?;
        let line = json!({"line": "begun", "begun": begun});
        let journal = Journal::new(path, file, begun, BTreeMap::new(), [0; 2]);
        if let Err(error) = journal.write(line) {
            // An empty one would hide the last run that can be resumed.
            let _ = std::fs::remove_file(&journal.path);
            return Err(error);
        }
        Ok(journal)
    }

    /// Opens the journal of an interrupted run and removes the half line that a crash left at its end; the second value
    /// is whether there was one.
    ///
    /// # Errors
    /// If it cannot be read or written, is malformed, or its run is still in progress.
    pub fn open(path: &Path) -> Result<(Self, bool), Error> {
        let file = OpenOptions::new().append(true).open(path).map_err(Error::io("open", path))?;
        lock(&file, path)?;
        let mut lines = Lines::open(path)?;
        let mut begun: Option<RunStart> = None;
        let mut done = BTreeMap::new();
        let mut before = [0; 2];
        let (mut whole_bytes, mut torn) = (0, false);
        while let Some(line) = lines.next().transpose()? {
            let wrong = |message: String| lines.malformed(&message);
            if !line.whole {
                torn = true;
                break;
            }
            whole_bytes += line.text.len() as u64 + 1;
            let (_, value) = versioned(&line.text, Some(SCHEMA)).map_err(wrong)?;
            let read = |error: serde_json::Error| wrong(error.to_string());
            match (value["line"].as_str(), &mut begun) {
                (Some("begun"), None) => begun = Some(serde_json::from_value(value["begun"].clone()).map_err(read)?),
                (Some("resumed"), Some(begun)) => {
                    begun.provenance.resumed.push(serde_json::from_value(value["when"].clone()).map_err(read)?);
                }
                (Some("done"), Some(_)) => {
                    let (task, piece, spent) = parse_done(&value).map_err(wrong)?;
                    done.insert(task, piece);
                    before = spent;
                }
                _ => return Err(wrong("it is not a line that a journal has here".into())),
            }
        }
        let Some(begun) = begun else {
            let text = "it ends before the run began, so there is nothing to resume: start again without --resume";
            return Err(Error::Malformed { path: path.to_path_buf(), message: text.into() });
        };
        if torn {
            file.set_len(whole_bytes).map_err(Error::io("remove the half line from", path))?;
        }
        Ok((Journal::new(path.to_path_buf(), file, begun, done, before), torn))
    }

    fn new(path: PathBuf, file: File, begun: RunStart, done: BTreeMap<String, Done>, before: [u64; 2]) -> Self {
        let (recorded, file) = (AtomicUsize::new(done.len()), Mutex::new(file));
        Journal { path, file, begun, done, recorded, started: Instant::now(), steal: provenance::steal(), before }
    }

    /// Records that the run is resumed now.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn resume(&mut self) -> Result<(), Error> {
        let when = now();
        self.write(json!({"line": "resumed", "when": when}))?;
        self.begun.provenance.resumed.push(when);
        Ok(())
    }

    /// Refuses to resume a run if its inputs, tools or machine changed.
    ///
    /// # Errors
    /// [`Error::NotComparable`] with all that differs.
    pub fn require(&self, then: &Key, now: &Key) -> Result<(), Error> {
        match &differences(then, now)[..] {
            [] => Ok(()),
            differences => Err(Error::NotComparable(format!(
                "the run of {} cannot be resumed: {}; start again without --resume, or restore what has changed",
                self.begun.provenance.started,
                differences.join("; ")
            ))),
        }
    }

    /// The flags, tools and inputs of the run.
    pub fn begun(&self) -> &RunStart {
        &self.begun
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of finished tasks.
    pub fn finished(&self) -> usize {
        self.recorded.load(Ordering::SeqCst)
    }

    /// A task that was finished before this start.
    pub fn done(&self, task: &str) -> Option<&Done> {
        self.done.get(task)
    }

    /// Seconds that the run has taken, over all its starts, and hundredths of a second of stolen time.
    pub fn spent(&self) -> [u64; 2] {
        let steal = provenance::steal().saturating_sub(self.steal);
        [self.before[0] + self.started.elapsed().as_secs(), self.before[1] + steal]
    }

    /// Records a finished task. It is in the file when this returns.
    ///
    /// # Errors
    /// If it cannot be written; earlier lines stay valid.
    pub fn record(&self, task: &str, done: &Done) -> Result<(), Error> {
        let checks: BTreeMap<&String, String> = done.checks.iter().map(|(name, d)| (name, d.to_string())).collect();
        self.write(json!({
            "line": "done", "task": task, "rows": done.rows, "checks": checks, "decided": done.decided,
            "spent": self.spent(),
        }))?;
        self.recorded.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// Removes the journal: its contents are in the report now.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn end(self) -> Result<(), Error> {
        std::fs::remove_file(&self.path).map_err(Error::io("remove", &self.path))
    }

    fn write(&self, mut line: Value) -> Result<(), Error> {
        line["schema"] = SCHEMA.into();
        let text = format!("{line}\n");
        // A thread that panicked while writing left half a line, which readers expect after a crash.
        let mut file = self.file.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let length = file.metadata().map_err(Error::io("write", &self.path))?.len();
        file.write_all(text.as_bytes()).map_err(|source| {
            // Half a line must be the last one, and other threads may still write.
            let _ = file.set_len(length);
            Error::Io { action: "write", path: self.path.clone(), source }
        })
    }
}

fn lock(file: &File, path: &Path) -> Result<(), Error> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::Error(source)) => Err(Error::Io { action: "lock", path: path.to_path_buf(), source }),
        Err(TryLockError::WouldBlock) => Err(Error::Refused(format!(
            "{}: this run is not interrupted: another process is running it",
            path.display()
        ))),
    }
}

/// The name of a finished task, its result, and the time spent until then.
fn parse_done(value: &Value) -> Result<(String, Done, [u64; 2]), String> {
    let text = |error: serde_json::Error| error.to_string();
    let task = value["task"].as_str().ok_or("it has no `task`")?;
    let rows = value["rows"].as_array().ok_or("it has no `rows`")?;
    let checks: BTreeMap<String, String> = serde_json::from_value(value["checks"].clone()).map_err(text)?;
    let digest = |(name, digest): (String, String)| Ok((name, digest.parse().map_err(|()| "a digest has 16 digits")?));
    let done = Done {
        rows: rows.iter().cloned().map(row).collect::<Result<_, _>>()?,
        checks: checks.into_iter().map(digest).collect::<Result<_, String>>()?,
        decided: serde_json::from_value(value["decided"].clone()).map_err(text)?,
    };
    Ok((task.to_string(), done, serde_json::from_value(value["spent"].clone()).map_err(text)?))
}
