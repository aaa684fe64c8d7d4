//! Runs a request on a target, and checks the answer before anyone uses a number in it.

use super::kind::{Artifact, BoardImage, Launch};
use super::request::{ModelFile, RunError, RunRequest};
use super::target::Cell;
use crate::workspace::error::Error;
use crate::workspace::process::{ProcessError, interrupted};
use bitstate_protocol::{Answer, Digest, Event, Job, Layout, Metric, Request, SessionAnswer, StreamAnswer};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// The digest of a step's output: case, position, layer, step.
pub type StepDigest = (String, u32, u32, String, Digest);

/// A runner's answer, checked and sorted.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// The streams, by case.
    pub streams: BTreeMap<String, StreamAnswer>,
    /// The metrics, in the order of the answer.
    pub metrics: Vec<Metric>,
    /// Digests of the kernel checks, by name, or of the results of measured kernels, by case.
    pub checks: BTreeMap<String, Digest>,
    /// The kernel chosen for each shape of the model.
    pub layouts: BTreeSet<Layout>,
    /// Digests of single steps: case, position, layer, step.
    pub steps: Vec<StepDigest>,
    /// Session files, by case and number of tokens generated before.
    pub sessions: BTreeMap<(String, u32), Vec<u8>>,
    /// The runner's messages for failed jobs, by case.
    pub failures: BTreeMap<String, String>,
}

/// A runner of a target.
#[derive(Debug, Clone)]
pub struct Runner(Arc<dyn Launch>);

impl Runner {
    /// A runner that uses `launch`.
    pub fn new(launch: impl Launch + 'static) -> Self {
        Runner(Arc::new(launch))
    }

    /// Runs the request in a fresh process and checks the answer.
    ///
    /// # Errors
    /// See [`RunError`]. A failed job is not an error but an entry in [`Reply::failures`].
    pub fn run(&self, cell: Cell, ask: &RunRequest) -> Result<Reply, RunError> {
        if interrupted() {
            return Err(ProcessError::Interrupted.into());
        }
        let request = Request { variant: cell.variant.name.to_string(), jobs: ask.jobs.clone() };
        let answered = self.0.launch(cell.variant.name, &request.to_text(), ask)?;
        let mut reply = check(&answered.text, cell, ask, answered.all_succeeded)?;
        reply.metrics.extend(answered.metrics);
        Ok(reply)
    }

    /// Runs the built-in test of an image, which was made for this request, and checks the answer.
    ///
    /// # Errors
    /// As [`run`](Runner::run), and if the target makes no images.
    pub fn run_image(&self, cell: Cell, ask: &RunRequest, flash: &[u8]) -> Result<Reply, RunError> {
        let answered = self.board_image(cell)?.answer(flash, ask.model.bytes, ask.timeout)?;
        check(&answered.text, cell, ask, answered.all_succeeded)
    }

    /// See [`Launch::board_image`].
    ///
    /// # Errors
    /// If the target of this cell makes no images.
    pub fn board_image(&self, cell: Cell) -> Result<&dyn BoardImage, Error> {
        self.0.board_image().ok_or_else(|| Error::Refused(format!("{cell} makes no images for a board")))
    }

    /// See [`Launch::build_for_sessions`].
    pub fn build_for_sessions(&self, variant: &str) {
        self.0.build_for_sessions(variant);
    }

    /// See [`Launch::artifacts`].
    ///
    /// # Errors
    /// As there.
    pub fn artifacts(&self, models: &[&ModelFile]) -> Result<Vec<Artifact>, Error> {
        self.0.artifacts(models)
    }

    /// See [`Launch::program`].
    pub fn program(&self) -> Option<&Path> {
        self.0.program()
    }

    /// See [`Launch::counts_fuel`].
    pub fn counts_fuel(&self) -> bool {
        self.0.counts_fuel()
    }
}

impl From<Box<dyn Launch>> for Runner {
    fn from(launch: Box<dyn Launch>) -> Self {
        Runner(launch.into())
    }
}

/// Parses an answer and checks that it matches the request: target, variant, model and every job.
fn check(text: &str, cell: Cell, ask: &RunRequest, all_succeeded: bool) -> Result<Reply, RunError> {
    let answer = Answer::parse(text)?;
    let header = &answer.header;
    let asked = cell.target.kind.answers_as();
    if header.target != asked {
        return Err(RunError::WrongTarget { asked: asked.into(), answered: header.target.clone() });
    }
    if header.variant != cell.variant.name {
        return Err(RunError::FellBack { asked: cell.variant.name.into(), ran: header.variant.clone() });
    }
    if header.model != ask.model.digest {
        return Err(RunError::WrongModel { ran: header.model, file: ask.model.digest });
    }
    let asked: BTreeSet<String> = ask.jobs.iter().flat_map(Job::cases).collect();
    let mut reply = Reply::default();
    for event in answer.events {
        let (case, repeated) = match event {
            Event::Stream(stream) => (stream.case.clone(), reply.streams.insert(stream.case.clone(), stream).is_some()),
            Event::Error { case, message } => (case.clone(), reply.failures.insert(case, message).is_some()),
            Event::Check { case, digest } => {
                // A measured kernel has a name of its own; the checks of all kernels are one case.
                let about = if asked.contains(&case) { case.clone() } else { "kernels".into() };
                (about, reply.checks.insert(case, digest).is_some())
            }
            Event::Layout(layout) => {
                reply.layouts.insert(layout);
                ("layout".into(), false)
            }
            Event::Metric(metric) => {
                let case = metric.case.clone();
                reply.metrics.push(metric);
                (case, false)
            }
            Event::Session(SessionAnswer { case, tokens, file }) => {
                let repeated = reply.sessions.insert((case.clone(), tokens), file).is_some();
                (case, repeated)
            }
            Event::Step { case, position, layer, step, digest } => {
                reply.steps.push((case.clone(), position, layer, step, digest));
                (case, false)
            }
        };
        if !asked.contains(&case) {
            return Err(RunError::WrongJobs(format!("`{case}` was not requested")));
        }
        if repeated {
            return Err(RunError::WrongJobs(format!("`{case}` is answered twice")));
        }
    }
    for job in &ask.jobs {
        let saved = |case: &String, save: &[u32]| {
            save.iter().all(|&tokens| reply.sessions.contains_key(&(case.clone(), tokens)))
        };
        let answered = |case: &String| match job {
            Job::Stream(_) | Job::Bench(_) | Job::Profile(_) | Job::Parts(_) => reply.streams.contains_key(case),
            Job::Steps(_) => reply.steps.iter().any(|(of, ..)| of == case),
            Job::Kernels => !reply.checks.is_empty(),
            Job::Layout => !reply.layouts.is_empty(),
            Job::Roof(_) => reply.metrics.iter().any(|metric| metric.case == *case),
            Job::Throughput(_) => reply.checks.contains_key(case),
            Job::Begin(begin) => reply.streams.contains_key(case) && saved(case, &begin.save),
            Job::Resume(resume) => reply.streams.contains_key(case) && saved(case, &resume.save),
        };
        if let Some(case) = job.cases().iter().find(|case| !answered(case) && !reply.failures.contains_key(*case)) {
            return Err(RunError::WrongJobs(format!("there is no answer to `{case}`")));
        }
    }
    if all_succeeded == reply.failures.is_empty() {
        return Ok(reply);
    }
    let said = if all_succeeded { "all jobs succeeded" } else { "a job failed" };
    let failures = reply.failures.len();
    Err(RunError::WrongJobs(format!("its exit status says that {said}, its answer has {failures} failures")))
}
