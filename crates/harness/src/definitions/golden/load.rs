//! The cases of a checkout, each with its golden stream.

use super::cases::{Model, Question, parse_cases};
use super::stream::{Stream, parse_kernels, parse_stream, stream_path};
use crate::definitions::workloads;
use crate::workspace::error::Error;
use crate::workspace::git::is_leftover;
use crate::workspace::{Workspace, read_text};
use bitstate_protocol::{Digest, Workload};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A prompt with its sampler on a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Name of its model.
    pub model: String,
    /// The request that a runner answers.
    pub workload: Workload,
    /// Whether it is a workload of `ci/workloads.toml`: timed and counted as well.
    pub bench: bool,
    /// The variants that it is timed and counted with; empty: all.
    pub variants: Vec<String>,
    /// Whether its sessions are handed from target to target.
    pub sessions: bool,
    /// The expected answer.
    pub golden: Stream,
}

impl Case {
    /// The case's name.
    pub fn name(&self) -> &str {
        &self.workload.case
    }

    /// Whether it is timed and counted with a variant of this name.
    pub fn is_measured_with(&self, variant: &str) -> bool {
        self.bench && (self.variants.is_empty() || self.variants.iter().any(|name| name == variant))
    }
}

/// All cases and their models, checked against each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Golden {
    /// The models, in file order.
    pub models: Vec<Model>,
    /// The cases, in file order.
    pub cases: Vec<Case>,
    /// The expected digest of each kernel check, by name.
    pub kernels: BTreeMap<String, Digest>,
    /// Digest over all golden files.
    pub digest: Digest,
}

impl Golden {
    /// Reads `golden/cases.toml` and the stream of every case.
    ///
    /// # Errors
    /// If a file is missing, malformed, or refers to something that does not exist.
    pub fn load(workspace: &Workspace) -> Result<Self, Error> {
        let path = workspace.root.join("golden/cases.toml");
        let (models, questions) =
            parse_cases(&read_text(&path)?).map_err(|message| Error::Malformed { path: path.clone(), message })?;
        let timed = timed(workspace, &questions)?;
        let mut all = String::new();
        let mut cases = Vec::new();
        for Question { model, workload, sessions, .. } in questions {
            let measured = timed.iter().find(|timed| timed.0 == workload.case);
            let (bench, variants) = (measured.is_some(), measured.map(|timed| timed.1.clone()).unwrap_or_default());
            let path = stream_path(&workspace.streams(), &workload.case);
            if !path.is_file() {
                return Err(Error::Refused(format!(
                    "{} is missing: case `{}` has no golden stream yet; `cargo xtask golden --bless` makes it",
                    workspace.show(&path),
                    workload.case
                )));
            }
            let text = read_text(&path)?;
            let golden = parse_stream(&text, &model, &workload)
                .map_err(|message| Error::Malformed { path: path.clone(), message })?;
            all.push_str(&text);
            cases.push(Case { model, workload, bench, variants, sessions, golden });
        }
        let known: Vec<PathBuf> = cases.iter().map(|case| stream_path(&workspace.streams(), case.name())).collect();
        let folder = workspace.streams();
        for entry in std::fs::read_dir(&folder).map_err(Error::io("list", &folder))? {
            let path = entry.map_err(Error::io("list", &folder))?.path();
            let ours = !is_leftover(&path.file_name().unwrap_or_default().to_string_lossy());
            if ours && path.extension().is_some_and(|extension| extension == "json") && !known.contains(&path) {
                return Err(Error::Malformed { path, message: "no case in golden/cases.toml has this name".into() });
            }
        }
        let path = workspace.root.join("golden/kernels.json");
        let text = read_text(&path)?;
        let kernels = parse_kernels(&text).map_err(|message| Error::Malformed { path, message })?;
        all.push_str(&text);
        Ok(Golden { models, cases, kernels, digest: Digest::of(all.as_bytes()) })
    }
}

/// The timed cases by name, with the variants that each is timed with (none: all).
pub(super) fn timed(workspace: &Workspace, questions: &[Question]) -> Result<Vec<(String, Vec<String>)>, Error> {
    let marked = questions.iter().filter(|question| question.bench).map(|question| question.workload.case.clone());
    let mut marked = marked.map(|case| (case, Vec::new()));
    if !workspace.root.join(workloads::FILE).is_file() {
        return Ok(marked.collect());
    }
    if let Some((case, _)) = marked.next() {
        let message = format!("case `{case}`: `bench` has no effect here; add a stanza to {}", workloads::FILE);
        return Err(Error::Malformed { path: workspace.root.join("golden/cases.toml"), message });
    }
    let named = workloads::check(workspace, questions.iter().map(|question| &question.workload))?;
    Ok(named.into_iter().map(|workload| (workload.case, workload.variants)).collect())
}
