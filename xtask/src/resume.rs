//! Shared by `bench` and `ab`: the journal of finished tasks, and resuming an interrupted run.

use crate::context::Ready;
use anyhow::bail;
use bitstate_harness::records::journal::{self, Journal, Key, RunStart};
use bitstate_harness::records::provenance::Provenance;
use bitstate_harness::workspace::{Workspace, git};
use bitstate_harness::{Error, Exit};

/// An interrupted run.
pub struct Resumed {
    /// Its journal.
    pub journal: Journal,
    /// The flags it was started with.
    pub flags: Vec<String>,
}

/// The last interrupted run of a command. Without flags it keeps its own; other flags are rejected.
pub fn find(verb: &str, given: &[String]) -> anyhow::Result<Resumed> {
    let workspace = Workspace::find()?;
    let (journal, torn) = Journal::open(&journal::last(&workspace, verb)?)?;
    if torn {
        eprintln!("the last line of {} is truncated, as after a crash: dropped", workspace.show(journal.path()));
    }
    let flags = journal.begun().flags.clone();
    if !given.is_empty() {
        let key = |flags: &[String]| Key::from([("what the flags say".to_string(), flags.join(" "))]);
        journal.require(&key(&flags), &key(given))?;
    }
    Ok(Resumed { journal, flags })
}

/// Source, tools and machine of the working tree, whose harness measures all commits.
fn ground(workspace: &Workspace) -> Key {
    let provenance = Provenance::collect(workspace);
    let changes = match (&provenance.changes, provenance.dirty) {
        (Some(digest), _) => digest.clone(),
        (None, false) => "none".into(),
        (None, true) => UNKNOWN.into(),
    };
    let mut key = provenance.key();
    key.insert("digest of the changes".into(), changes);
    key
}

const UNKNOWN: &str = "unknown";

/// Models and golden streams, and the name, which identifies the compared commits.
fn inputs(provenance: &Provenance) -> Key {
    let models = provenance.models.iter().map(|(name, digest)| (format!("model {name}"), digest.clone()));
    let rest = [("golden streams", &provenance.golden), ("name", &provenance.name)];
    models.chain(rest.map(|(name, value)| (name.to_string(), value.clone()))).collect()
}

/// Refuses to resume a run if its source, tools or machine changed.
pub fn require_same_ground(journal: &Journal, workspace: &Workspace) -> anyhow::Result<()> {
    let now = ground(workspace);
    if let Err(error) = journal.require(&journal.begun().key, &now) {
        let changed = git::state(workspace).map(|state| state.changed_in_words()).unwrap_or_default();
        return match changed.as_str() {
            "" => Err(error.into()),
            names => {
                let text = format!("{error} (local changes now: {names})");
                Err(Error::NotComparable(text).into())
            }
        };
    }
    if now.values().any(|value| value == UNKNOWN) {
        let text =
            "git cannot determine whether the source has changed since the run began: start again without --resume";
        return Err(Error::NotComparable(text.into()).into());
    }
    Ok(())
}

/// Starts a run, or resumes one.
pub fn begin(
    verb: &str,
    flags: Vec<String>,
    journal: Option<Journal>,
    workspace: &Workspace,
    provenance: Provenance,
) -> anyhow::Result<Journal> {
    let inputs = inputs(&provenance);
    let Some(mut journal) = journal else {
        let begun = RunStart { flags, key: ground(workspace), inputs, provenance };
        return Ok(Journal::begin(workspace, verb, begun)?);
    };
    journal.require(&journal.begun().inputs, &inputs)?;
    journal.resume()?;
    let began = &journal.begun().provenance.started;
    eprintln!("resuming the run of {began}: {} finished tasks are not run again", journal.finished());
    Ok(journal)
}

/// The provenance of a run, as of its start.
pub fn provenance(ready: &Ready) -> Provenance {
    ready.journal.as_ref().map_or_else(Provenance::default, |journal| journal.begun().provenance.clone())
}

/// Removes the journal of a run that has its report; otherwise prints how to resume the run.
pub fn end(verb: &str, journal: Option<Journal>, ended: anyhow::Result<Exit>) -> anyhow::Result<Exit> {
    let Some(journal) = journal else { bail!("the run lost its journal") };
    match &ended {
        Ok(_) => journal.end()?,
        Err(_) => eprintln!(
            "{} finished tasks are kept: `cargo xtask {verb} --resume` resumes the run ({})",
            journal.finished(),
            journal.path().display()
        ),
    }
    ended
}
