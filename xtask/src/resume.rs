//! What `bench` and `ab` share: a journal of every finished piece, and resuming an interrupted one.

use crate::context::Ready;
use anyhow::bail;
use bitstate_harness::records::journal::{self, Begun, Journal, Key};
use bitstate_harness::records::provenance::Provenance;
use bitstate_harness::workspace::{Workspace, git};
use bitstate_harness::{Error, Exit};

/// An interrupted run.
pub struct Resumed {
    /// What it finished.
    pub journal: Journal,
    /// The flags that it began with.
    pub flags: Vec<String>,
}

/// The last interrupted run of a verb. Without flags it keeps its own; others are refused.
pub fn find(verb: &str, given: &[String]) -> anyhow::Result<Resumed> {
    let workspace = Workspace::find()?;
    let (journal, torn) = Journal::open(&journal::last(&workspace, verb)?)?;
    if torn {
        eprintln!("the last line of {} is half a line, as a crash leaves it: dropped", workspace.show(journal.path()));
    }
    let flags = journal.begun().flags.clone();
    if !given.is_empty() {
        let key = |flags: &[String]| Key::from([("what the flags say".to_string(), flags.join(" "))]);
        journal.require(&key(&flags), &key(given))?;
    }
    Ok(Resumed { journal, flags })
}

/// Source, tools and machine: those of the working tree, whose harness measures, whatever commits it compares.
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

/// Models and golden streams, and the name, which says what commits are compared.
fn inputs(provenance: &Provenance) -> Key {
    let models = provenance.models.iter().map(|(name, digest)| (format!("model {name}"), digest.clone()));
    let rest = [("golden streams", &provenance.golden), ("name", &provenance.name)];
    models.chain(rest.map(|(name, value)| (name.to_string(), value.clone()))).collect()
}

/// Refuses to go on with a run on other ground.
pub fn require_same_ground(journal: &Journal, workspace: &Workspace) -> anyhow::Result<()> {
    let now = ground(workspace);
    if let Err(error) = journal.require(&journal.begun().key, &now) {
        let changed = git::state(workspace).map(|state| state.changed_in_words()).unwrap_or_default();
        return match changed.as_str() {
            "" => Err(error.into()),
            names => {
                let text = format!("{error} (changed beside the commit now: {names})");
                Err(Error::NotComparable(text).into())
            }
        };
    }
    if now.values().any(|value| value == UNKNOWN) {
        let text = "git cannot tell whether the source is still what the run began with: start anew without --resume";
        return Err(Error::NotComparable(text.into()).into());
    }
    Ok(())
}

/// Begins a run, or resumes one.
pub fn begin(
    verb: &str,
    flags: Vec<String>,
    journal: Option<Journal>,
    workspace: &Workspace,
    provenance: Provenance,
) -> anyhow::Result<Journal> {
    let inputs = inputs(&provenance);
    let Some(mut journal) = journal else {
        let begun = Begun { flags, key: ground(workspace), inputs, provenance };
        return Ok(Journal::begin(workspace, verb, begun)?);
    };
    journal.require(&journal.begun().inputs, &inputs)?;
    journal.resume()?;
    let began = &journal.begun().provenance.started;
    eprintln!("going on with the run of {began}: {} finished pieces are not run again", journal.finished());
    Ok(journal)
}

/// Where the numbers of a run come from: what was so when it began.
pub fn provenance(ready: &Ready) -> Provenance {
    ready.journal.as_ref().map_or_else(Provenance::default, |journal| journal.begun().provenance.clone())
}

/// Ends the journal of a run that has its report, or says how to go on with one that has not.
pub fn end(verb: &str, journal: Option<Journal>, ended: anyhow::Result<Exit>) -> anyhow::Result<Exit> {
    let Some(journal) = journal else { bail!("the run lost its journal") };
    match &ended {
        Ok(_) => journal.end()?,
        Err(_) => eprintln!(
            "{} finished pieces are kept: `cargo xtask {verb} --resume` resumes the run ({})",
            journal.finished(),
            journal.path().display()
        ),
    }
    ended
}
