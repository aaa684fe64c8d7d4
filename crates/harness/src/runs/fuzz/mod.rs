//! Coverage-guided fuzzing of every parser of untrusted bytes: builds `crates/fuzz` for libFuzzer, runs it with limits,
//! and stores the findings.
//!
//! ```text
//! target/bitstate/fuzz/<target>/corpus/      inputs that reached new coverage, kept between runs
//!                               findings/    failing inputs, each with its output
//!                               running/     of the run in progress
//! crates/fuzz/corpus/<target>/               a small part of the corpus, replayed by `cargo test`
//! crates/fuzz/findings/<target>/             fixed findings, replayed by `cargo test`
//! ```
//! The programs are built with the toolchain that runs this harness. A stable compiler accepts the flags for coverage
//! instrumentation and AddressSanitizer only with `RUSTC_BOOTSTRAP=1`.

mod cover;
mod folders;
mod said;

use self::folders::{empty, files, kind_of, new_artifact};
use crate::workspace::cargo::{Wanted, built, cargo};
use crate::workspace::error::{Error, nearest};
use crate::workspace::log::logged;
use crate::workspace::process::{self, Limits, Output, ProcessError, tail};
use crate::workspace::tools::program;
use crate::workspace::{Workspace, environment, make_folder, read_text, write_atomic};
use bitstate_protocol::Digest;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A fuzz target: a module of `crates/fuzz`.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Description for users.
    pub title: &'static str,
    /// Longest input, in bytes.
    longest: u32,
}

/// Every target.
pub const TARGETS: [Target; 9] = [
    target("bits", "BITS files: parse, lay out and run in every variant, against the reference", 16 << 10),
    target("state", "saved states: restore and continue in every variant, compared with the reference", 8 << 10),
    target("tokenizer", "a tokenizer.json with a text: encode, decode, stream", 8 << 10),
    target("request", "what a runner is asked, as lines", 4 << 10),
    target("answer", "what a runner answers, as lines", 8 << 10),
    target("records", "records, journals, baselines, golden streams", 16 << 10),
    target("definitions", "ci/*.toml and golden/cases.toml", 16 << 10),
    target("sampler", "logits of every kind: all variants choose as the reference does", 8 << 10),
    target("session", "session files: resume and continue in every variant, save and resume again", 8 << 10),
];

const fn target(name: &'static str, title: &'static str, longest: u32) -> Target {
    Target { name, title, longest }
}

/// Memory limit of a program, in MB. AddressSanitizer needs some hundred itself.
const MEMORY_MB: u32 = 2048;
/// Largest single allocation, in MB.
const ALLOCATION_MB: u32 = 1024;
/// Time limit for one input, in seconds: more is a hang. Instrumented code is some ten times slower.
const INPUT_SECONDS: u32 = 20;
/// Extra time for a program to start and to end.
const GRACE: Duration = Duration::from_secs(120);
/// Output limit in bytes: a line for each input that is kept.
const OUTPUT: usize = 256 << 20;
/// Most files in a committed corpus.
const COMMITTED_FILES: usize = 60;
/// Most bytes in a committed corpus.
const COMMITTED_BYTES: u64 = 100 << 10;

/// Compiler flags: inline edge counters, traced comparisons, and AddressSanitizer.
const RUSTFLAGS: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Zsanitizer=address",
];

impl Target {
    /// The target of this name.
    ///
    /// # Errors
    /// If there is none.
    pub fn named(name: &str) -> Result<&'static Target, Error> {
        TARGETS.iter().find(|target| target.name == name).ok_or_else(|| Error::Unknown {
            kind: "fuzz target",
            name: name.into(),
            nearest: nearest(name, TARGETS.iter().map(|target| target.name)),
        })
    }
}

/// The programs and the folders of their inputs.
#[derive(Debug)]
pub struct Fuzzers<'w> {
    workspace: &'w Workspace,
    programs: PathBuf,
    seeds: PathBuf,
}

/// The result of fuzzing a target.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// Its name.
    pub target: &'static str,
    /// Inputs tried.
    pub executions: u64,
    /// Edges of the program that any input reached.
    pub coverage: u64,
    /// Inputs kept because they reached an edge that no other did.
    pub corpus: usize,
    /// Elapsed time.
    pub seconds: u64,
    /// Findings: stored ones that still fail, and at most one new one, which ends the run.
    pub findings: Vec<Finding>,
}

/// An input that makes a target fail.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// `crash`, `timeout` or `oom`.
    pub kind: String,
    /// The line with the reason.
    pub said: String,
    /// The input.
    pub input: PathBuf,
}

/// Builds the programs and generates the seeds.
///
/// # Errors
/// [`Error::CannotRun`] without a C++ compiler; and if the build fails, with the path of its log.
pub fn build(workspace: &Workspace) -> Result<Fuzzers<'_>, Error> {
    if program("c++", "").is_none() {
        let advice = "there is no C++ compiler for libFuzzer: install one (Debian: `apt-get install g++`)";
        return Err(Error::CannotRun(advice.into()));
    }
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let folder = workspace.scratch().join("build/fuzz");
    let mut command = cargo(workspace, "build")?;
    command.args(["--profile", "fuzz", "--package", "bitstate-fuzz", "--features", "libfuzzer", "--bins"]);
    // With a triple the flags apply only to the programs, not to build scripts and macros.
    command.args(["--target", &triple, "--target-dir"]).arg(&folder);
    command.env("RUSTC_BOOTSTRAP", "1").env("CARGO_ENCODED_RUSTFLAGS", RUSTFLAGS.join("\x1f"));
    // All programs are in the same folder.
    let program = built(workspace, "build fuzz", &mut command, Wanted { name: "fuzz-seeds", ending: "" })?;
    let seeds = workspace.scratch().join("fuzz/seeds");
    empty(&seeds)?;
    logged(workspace, "fuzz seeds", sanitized(&program).arg(&workspace.root).arg(&seeds))?;
    let programs = program.parent().unwrap_or(Path::new(".")).to_path_buf();
    Ok(Fuzzers { workspace, programs, seeds })
}

impl Fuzzers<'_> {
    fn folder(&self, target: &Target, name: &str) -> PathBuf {
        self.workspace.scratch().join("fuzz").join(target.name).join(name)
    }

    /// The committed inputs of a target: its corpus, or its fixed findings.
    fn committed(&self, target: &Target, kind: &str) -> PathBuf {
        self.workspace.root.join("crates/fuzz").join(kind).join(target.name)
    }

    /// Number of inputs in a target's corpus.
    pub fn kept(&self, target: &Target) -> usize {
        files(&self.folder(target, "corpus")).map_or(0, |files| files.len())
    }

    /// Fuzzes one target for a time, after replaying its stored findings.
    ///
    /// # Errors
    /// If interrupted, or if the program ends unexpectedly.
    pub fn fuzz(&self, target: &Target, time: Duration) -> Result<Outcome, Error> {
        let started = Instant::now();
        let mut findings = Vec::new();
        for input in self.stored(target)? {
            findings.extend(self.replay(target, &input)?);
        }
        let mut total = said::Stats::default();
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now()).as_secs();
            // libFuzzer takes 0 as no limit.
            if left == 0 {
                break;
            }
            let (stats, finding) = self.fuzz_once(target, Duration::from_secs(left))?;
            total.executions += stats.executions;
            total.coverage = total.coverage.max(stats.coverage);
            if finding.is_some() {
                findings.extend(finding);
                break;
            }
        }
        let (seconds, corpus) = (started.elapsed().as_secs(), self.kept(target));
        let said::Stats { executions, coverage } = total;
        Ok(Outcome { target: target.name, executions, coverage, corpus, seconds, findings })
    }

    /// Runs a target's program until it finds something or the time is up. A hang that does not repeat is ignored: this
    /// machine was slow.
    fn fuzz_once(&self, target: &Target, time: Duration) -> Result<(said::Stats, Option<Finding>), Error> {
        let (running, corpus) = (self.folder(target, "running"), self.folder(target, "corpus"));
        make_folder(&corpus)?;
        empty(&running)?;
        let mut command = self.program(target, &running);
        command.arg(format!("-max_total_time={}", time.as_secs())).arg("-print_final_stats=1");
        command.arg(&corpus).args(self.starts(target));
        let output = self.run(target, &mut command, time + GRACE)?;
        let finding = match new_artifact(&running)? {
            Some(artifact) if kind_of(&artifact) == "timeout" && self.replay(target, &artifact)?.is_none() => None,
            Some(artifact) => Some(self.store(target, &artifact, &output.stderr)?),
            None if !output.status.success() => {
                let what = format!("fuzz-{} ended with {} and left no input", target.name, output.status);
                return Err(self.failed(target, &what, &output));
            }
            None => None,
        };
        empty(&running)?;
        Ok((said::stats(&output.stderr), finding))
    }

    /// Runs a target on one input; returns the finding if it fails.
    ///
    /// # Errors
    /// If the input cannot be read, or if interrupted.
    pub fn replay(&self, target: &Target, input: &Path) -> Result<Option<Finding>, Error> {
        let bytes = std::fs::metadata(input).map_err(Error::io("read", input))?;
        if !bytes.is_file() {
            return Err(Error::Refused(format!("{} is not a file: give the input to replay", input.display())));
        }
        let running = self.folder(target, "replaying");
        empty(&running)?;
        let mut command = self.program(target, &running);
        command.arg(input);
        let output = self.run(target, &mut command, GRACE)?;
        // Each input is reported under its own name; libFuzzer's copy is not needed.
        let kind = new_artifact(&running)?.map_or("crash".into(), |artifact| kind_of(&artifact));
        empty(&running)?;
        let input = input.to_path_buf();
        let finding = Finding { kind, said: said::reason(&output.stderr), input };
        Ok((!output.status.success()).then_some(finding))
    }

    /// Rebuilds the committed corpus of a target: a few of all known inputs that together reach most of the edges.
    /// Returns their number.
    ///
    /// # Errors
    /// If interrupted, if the program fails, or if a file cannot be written.
    pub fn minimise(&self, target: &Target) -> Result<usize, Error> {
        let running = self.folder(target, "running");
        let (merged, control) = (running.join("merged"), running.join("control"));
        empty(&running)?;
        empty(&merged)?;
        let mut command = self.program(target, &running);
        // Edges only: counts of edges would distinguish more inputs than need to be kept.
        command.args(["-set_cover_merge=1", "-use_counters=0"]);
        let mut flag = std::ffi::OsString::from("-merge_control_file=");
        flag.push(&control);
        command.arg(flag).arg(&merged).arg(self.folder(target, "corpus")).args(self.starts(target));
        let output = self.run(target, &mut command, Duration::from_secs(3600))?;
        if !output.status.success() {
            return Err(self.failed(target, &format!("minimising the corpus of {}", target.name), &output));
        }
        let inputs = cover::parse(&read_text(&control)?);
        let inputs = inputs.map_err(|message| Error::Malformed { path: control, message })?;
        let folder = self.committed(target, "corpus");
        make_folder(&folder)?;
        let mut kept = Vec::new();
        for path in cover::choose(inputs, COMMITTED_FILES, COMMITTED_BYTES) {
            let bytes = std::fs::read(&path).map_err(Error::io("read", &path))?;
            // Named by contents, so that files that stay are not renamed.
            let name = folder.join(Digest::of(&bytes).to_string());
            write_atomic(&name, &bytes)?;
            kept.push(name);
        }
        for old in files(&folder)?.iter().filter(|old| !kept.contains(old)) {
            std::fs::remove_file(old).map_err(Error::io("remove", old))?;
        }
        empty(&running)?;
        Ok(kept.len())
    }

    /// The error for a program that ended unexpectedly; its output is in a log.
    fn failed(&self, target: &Target, what: &str, output: &Output) -> Error {
        let log = self.folder(target, "log");
        match write_atomic(&log, output.stderr.as_bytes()) {
            Ok(()) => Error::Build { what: what.into(), log, tail: tail(&output.stderr, 20) },
            Err(error) => error,
        }
    }

    /// Findings of earlier runs.
    fn stored(&self, target: &Target) -> Result<Vec<PathBuf>, Error> {
        let mut inputs = files(&self.folder(target, "findings"))?;
        inputs.retain(|path| path.extension().is_none_or(|extension| extension != "txt"));
        Ok(inputs)
    }

    /// Folders of initial inputs.
    fn starts(&self, target: &Target) -> Vec<PathBuf> {
        let committed = ["corpus", "findings"].map(|kind| self.committed(target, kind));
        committed.into_iter().chain([self.seeds.join(target.name)]).filter(|folder| folder.is_dir()).collect()
    }

    /// Stores a failing input with its output.
    fn store(&self, target: &Target, artifact: &Path, stderr: &str) -> Result<Finding, Error> {
        let bytes = std::fs::read(artifact).map_err(Error::io("read", artifact))?;
        let input = self.folder(target, "findings").join(artifact.file_name().unwrap_or_default());
        write_atomic(&input.with_extension("txt"), tail(stderr, 200).as_bytes())?;
        write_atomic(&input, &bytes)?;
        Ok(Finding { kind: kind_of(&input), said: said::reason(stderr), input })
    }

    /// A target's program with its limits; failing inputs are written to `artifacts`.
    fn program(&self, target: &Target, artifacts: &Path) -> Command {
        let mut command = sanitized(&self.programs.join(format!("fuzz-{}", target.name)));
        command.current_dir(&self.workspace.root).env("TMPDIR", artifacts);
        // The prefix must end with a separator; anything after that would start the file name.
        let mut prefix = std::ffi::OsString::from("-artifact_prefix=");
        prefix.push(artifacts.join(""));
        command.arg(prefix);
        command.args([
            format!("-rss_limit_mb={MEMORY_MB}"),
            format!("-malloc_limit_mb={ALLOCATION_MB}"),
            format!("-timeout={INPUT_SECONDS}"),
            format!("-max_len={}", target.longest),
        ]);
        command
    }

    fn run(&self, target: &Target, command: &mut Command, time: Duration) -> Result<Output, Error> {
        match process::run(command, b"", Limits { time, output: OUTPUT }) {
            Ok(output) => Ok(output),
            Err(ProcessError::Interrupted) => Err(Error::Interrupted),
            Err(source) => Err(Error::Process { what: format!("fuzz-{}", target.name), source }),
        }
    }
}

/// A command of an instrumented program. Leaks are not findings: definitions live as long as the process.
fn sanitized(program: &Path) -> Command {
    let mut command = environment::command(program);
    command.env("ASAN_OPTIONS", "detect_leaks=0").env("RUST_BACKTRACE", "1");
    command
}

#[cfg(test)]
mod tests {
    use super::{TARGETS, Target};

    #[test]
    fn a_misspelt_target_names_the_nearest() {
        let error = Target::named("tokeniser").unwrap_err().to_string();
        assert_eq!(error, "there is no fuzz target `tokeniser`; did you mean `tokenizer`?");
        assert_eq!(Target::named("bits").unwrap(), &TARGETS[0]);
    }
}
