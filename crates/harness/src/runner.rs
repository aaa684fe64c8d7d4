//! Asking a target: the request goes in, and what comes out is checked before anyone reads a number in it.

use crate::diagnose::StepDigest;
use crate::environment::command;
use crate::error::Error;
use crate::exit::Exit;
use crate::expected::{Cause, Skip};
use crate::process::{self, Limits, ProcessError};
use crate::target::Cell;
use crate::workspace::{make_folder, write_atomic};
use crate::xtensa;
use bitstate_protocol::{Answer, Digest, Event, Job, Layout, LineError, Metric, Phase, Request, StreamAnswer};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Most bytes an answer may have: forty times what the longest has, every step of 400 tokens.
const OUTPUT_LIMIT: usize = 64 << 20;
/// Fuel of a WASM run that is not timed: about ten times what the longest takes.
const WASM_FUEL: u64 = 1_000_000_000_000;

/// A model file, ready for every target.
#[derive(Debug, Clone)]
pub struct ModelFile {
    /// Its name in cases.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// Digest of its bytes.
    pub digest: Digest,
    /// Its size.
    pub bytes: u64,
}

/// One run: what is asked of which model.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    /// The model.
    pub model: &'a ModelFile,
    /// What to do.
    pub jobs: Vec<Job>,
    /// On WASM: count fuel instead of taking the time.
    pub fuel: bool,
    /// Longest run.
    pub timeout: Duration,
}

/// What a runner answered, checked and sorted.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// The streams, by case.
    pub streams: BTreeMap<String, StreamAnswer>,
    /// The counts, in the order of the answer.
    pub metrics: Vec<Metric>,
    /// Digests of the kernel checks, by name, or of what measured kernels computed, by case.
    pub checks: BTreeMap<String, Digest>,
    /// Which way the kernels take for each shape of the model.
    pub layouts: BTreeSet<Layout>,
    /// Digests of single steps: case, position, layer, step.
    pub steps: Vec<StepDigest>,
    /// Jobs that failed, by case, with what the runner said.
    pub failures: BTreeMap<String, String>,
}

/// Why a run gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It did not come to its end.
    #[error("{0}")]
    Process(#[from] ProcessError),
    /// It ended with a status that says it could not work.
    #[error("ended with status {status}{}", if stderr.is_empty() { String::new() } else { format!(": {stderr}") })]
    Status {
        /// The status.
        status: String,
        /// The end of its standard error.
        stderr: String,
    },
    /// Its answer is not a whole answer.
    #[error("its answer cannot be read: {0}")]
    Garbled(String),
    /// Another target answered.
    #[error("asked target `{asked}`, but `{answered}` answered")]
    WrongTarget {
        /// The target asked.
        asked: String,
        /// The target that answered.
        answered: String,
    },
    /// Another variant ran than was asked for.
    #[error("asked for variant `{asked}`, but `{ran}` ran: a silent fall-back")]
    FellBack {
        /// The variant asked for.
        asked: String,
        /// The variant that ran.
        ran: String,
    },
    /// It read other bytes than the model file's.
    #[error("it ran model {ran}, but the model file's digest is {file}")]
    WrongModel {
        /// Digest the runner gave.
        ran: Digest,
        /// Digest of the file.
        file: Digest,
    },
    /// It answered what was not asked, or not what was asked.
    #[error("its answer is about the wrong things: {0}")]
    WrongJobs(String),
    /// The Xtensa image could not be made or run.
    #[error("{0}")]
    Xtensa(#[from] xtensa::Error),
    /// It cannot run here, for a known reason.
    #[error("{0}")]
    Skipped(Skip),
    /// The harness could not do its own part.
    #[error("{0}")]
    Harness(#[from] Error),
}

impl RunError {
    /// The code that this means for a command.
    pub fn exit(&self) -> Exit {
        match self {
            RunError::Skipped(_) => Exit::NotMeasurable,
            _ => Exit::Harness,
        }
    }
}

impl From<LineError> for RunError {
    fn from(error: LineError) -> Self {
        RunError::Garbled(error.to_string())
    }
}

/// A way to ask a target.
#[derive(Debug, Clone)]
pub enum Runner {
    /// A process.
    Native {
        /// The program.
        program: PathBuf,
    },
    /// A guest in a host process.
    Wasm {
        /// The host program.
        host: PathBuf,
        /// The guest, by variant.
        guests: BTreeMap<&'static str, PathBuf>,
        /// Most linear memory of a guest, in bytes.
        memory_limit: u64,
    },
    /// Firmware under an emulator.
    Xtensa(Box<XtensaRunner>),
}

/// What running the firmware takes.
#[derive(Debug, Clone)]
pub struct XtensaRunner {
    /// Its tools.
    pub tools: xtensa::Toolchain,
    /// Its objects.
    pub firmware: xtensa::Firmware,
    /// Where images are linked.
    pub scratch: PathBuf,
}

impl Runner {
    /// Runs the request in a fresh process and checks the answer.
    ///
    /// # Errors
    /// See [`RunError`]. A job that failed is no error here but an entry in [`Reply::failures`].
    pub fn run(&self, cell: Cell, ask: &Ask) -> Result<Reply, RunError> {
        if process::interrupted() {
            return Err(ProcessError::Interrupted.into());
        }
        let request = Request { variant: cell.variant.name.to_string(), jobs: ask.jobs.clone() };
        let text = request.to_text();
        let (answer, all_succeeded, extra) = match self {
            Runner::Native { program } => {
                let mut command = command(program);
                command.arg("--model").arg(&ask.model.path);
                let (answer, all) = converse(&mut command, &text, ask.timeout)?;
                (answer, all, Vec::new())
            }
            Runner::Wasm { host, guests, memory_limit } => {
                let guest = guests.get(cell.variant.name).ok_or_else(|| {
                    RunError::Harness(Error::Refused(format!(
                        "no WASM guest was built for variant `{}`",
                        cell.variant.name
                    )))
                })?;
                let mut command = command(host);
                command.arg("--guest").arg(guest).arg("--model").arg(&ask.model.path);
                command.args(["--memory-limit", &memory_limit.to_string()]);
                command.args(["--timeout", &ask.timeout.as_secs().to_string()]);
                // Metering slows the guest down, so a run that is timed has the other two limits alone.
                if ask.fuel || !ask.jobs.iter().any(is_timed) {
                    command.args(["--fuel", &WASM_FUEL.to_string()]);
                }
                if ask.fuel {
                    command.arg("--count-fuel");
                }
                // The host has a limit of its own and tells more about it, so it comes first.
                let (answer, all) = converse(&mut command, &text, ask.timeout + Duration::from_secs(10))?;
                (answer, all, Vec::new())
            }
            Runner::Xtensa(runner) => runner.run(&text, ask)?,
        };
        let mut reply = check(&answer, cell, ask, all_succeeded)?;
        reply.metrics.extend(extra);
        Ok(reply)
    }
}

/// Runs a program that speaks the line format; the second value is whether it says that all jobs succeeded.
fn converse(command: &mut Command, request: &str, timeout: Duration) -> Result<(String, bool), RunError> {
    let output = process::run(command, request.as_bytes(), Limits { time: timeout, output: OUTPUT_LIMIT })?;
    let all_succeeded = match output.status.code() {
        Some(0) => true,
        Some(1) => false,
        _ => {
            let stderr = process::tail(&output.stderr, 5);
            return Err(RunError::Status { status: output.status.to_string(), stderr });
        }
    };
    let text = String::from_utf8(output.stdout)
        .map_err(|error| RunError::Garbled(format!("byte {} is not UTF-8", error.utf8_error().valid_up_to())))?;
    Ok((text, all_succeeded))
}

impl XtensaRunner {
    /// Sizes of the firmware's sections with this model and an empty request; none if it does not link.
    pub fn sections(&self, model: &ModelFile) -> Option<Vec<(&'static str, u64)>> {
        make_folder(&self.scratch).ok()?;
        let folder = tempfile::tempdir_in(&self.scratch).ok()?;
        let request = folder.path().join("request.txt");
        write_atomic(&request, b"").ok()?;
        let image = self.firmware.link(&model.path, &request, &folder.path().join("image.elf")).ok()?;
        let sections = image.sections();
        Some(vec![
            ("text", sections.text),
            ("rodata", sections.rodata),
            ("data", sections.data),
            ("bss", sections.bss),
            ("stack", sections.stack),
            ("model", sections.model),
        ])
    }

    fn run(&self, request: &str, ask: &Ask) -> Result<(String, bool, Vec<Metric>), RunError> {
        make_folder(&self.scratch)?;
        let folder = tempfile::tempdir_in(&self.scratch).map_err(Error::io("make a folder in", &self.scratch))?;
        let request_path = folder.path().join("request.txt");
        write_atomic(&request_path, request.as_bytes())?;
        let image = match self.firmware.link(&ask.model.path, &request_path, &folder.path().join("image.elf")) {
            Err(xtensa::Error::DoesNotFit { region, by }) => {
                let length = self.firmware.region(&region);
                let reason = does_not_fit(ask.model.bytes, &region, length, by);
                return Err(RunError::Skipped(Skip { cause: Cause::Memory, reason }));
            }
            linked => linked?,
        };
        let output = match xtensa::run(&self.tools, &image, ask.timeout) {
            // A process like any other, so that Ctrl-C and the limits read the same on every target.
            Err(xtensa::Error::Run(error)) => return Err(error.into()),
            ran => ran?,
        };
        let all_succeeded = match output.exit {
            xtensa::Exit::Ok => true,
            xtensa::Exit::Failed => false,
            exit => {
                let stderr = process::tail(&output.stderr, 5);
                return Err(RunError::Status { status: format!("{exit:?}"), stderr });
            }
        };
        let mut metrics = Vec::new();
        // Memory is a number of the workload that is measured; nothing else asks for it.
        if let Some(Job::Bench(workload)) = ask.jobs.iter().find(|job| matches!(job, Job::Bench(_))) {
            let sections = image.sections();
            let extra = |name: &str, value: u64| Metric {
                case: workload.case.clone(),
                phase: Phase::Run,
                name: name.to_string(),
                unit: "bytes".to_string(),
                value,
            };
            metrics.push(extra("static", sections.data + sections.bss));
            metrics.extend(output.stack_high_water().map(|bytes| extra("stack_high_water", bytes)));
        }
        Ok((output.stdout, all_succeeded, metrics))
    }
}

/// The sentence for a model that is too large, told in the reader's terms where the model itself is the cause.
fn does_not_fit(model: u64, region: &str, length: Option<u64>, by: u64) -> String {
    match length.filter(|_| region.eq_ignore_ascii_case("psram")) {
        Some(length) => format!("{:.1} MB does not fit {} MB PSRAM", model as f64 / 1e6, length >> 20),
        None => format!("does not fit: memory region `{region}` is too small by {by} bytes"),
    }
}

/// Whether the clock's numbers are what a job is for.
fn is_timed(job: &Job) -> bool {
    matches!(job, Job::Bench(_) | Job::Profile(_) | Job::Parts(_) | Job::Roof(_) | Job::Throughput(_))
}

/// Reads an answer and checks that it is about what was asked: target, variant, model and every job.
fn check(text: &str, cell: Cell, ask: &Ask, all_succeeded: bool) -> Result<Reply, RunError> {
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
                // A measured kernel goes by its own name; the checks of all kernels are one case.
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
            Event::Step { case, position, layer, step, digest } => {
                reply.steps.push((case.clone(), position, layer, step, digest));
                (case, false)
            }
        };
        if !asked.contains(&case) {
            return Err(RunError::WrongJobs(format!("`{case}` was not asked for")));
        }
        if repeated {
            return Err(RunError::WrongJobs(format!("`{case}` is answered twice")));
        }
    }
    for job in &ask.jobs {
        let answered = |case: &String| match job {
            Job::Stream(_) | Job::Bench(_) | Job::Profile(_) | Job::Parts(_) => reply.streams.contains_key(case),
            Job::Steps(_) => reply.steps.iter().any(|(of, ..)| of == case),
            Job::Kernels => !reply.checks.is_empty(),
            Job::Layout => !reply.layouts.is_empty(),
            Job::Roof(_) => reply.metrics.iter().any(|metric| metric.case == *case),
            Job::Throughput(_) => reply.checks.contains_key(case),
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

/// Digest and size of a model file.
///
/// # Errors
/// If it cannot be read.
pub fn model_file(name: &str, path: &Path) -> Result<ModelFile, Error> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    Ok(ModelFile {
        name: name.to_string(),
        path: path.to_path_buf(),
        digest: Digest::of(&bytes),
        bytes: bytes.len() as u64,
    })
}
