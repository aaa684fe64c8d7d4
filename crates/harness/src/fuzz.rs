//! Coverage-guided fuzzing of everything that reads bytes from outside: `crates/fuzz` built for libFuzzer, run with limits,
//! and what it finds kept.
//!
//! ```text
//! target/bitstate/fuzz/<target>/corpus/      inputs that reached something new, kept from run to run
//!                               findings/    inputs that failed, each beside what was said
//!                               running/     of the run under way
//! crates/fuzz/corpus/<target>/               a small part of the corpus; `cargo test` replays it
//! crates/fuzz/findings/<target>/             findings that were fixed; `cargo test` replays them
//! ```
//! The programs are built by the toolchain that runs this harness. Instrumentation for coverage and AddressSanitizer are
//! flags that a stable compiler takes only with `RUSTC_BOOTSTRAP=1`.

mod said;

use crate::build::logged;
use crate::cargo::{Wanted, built, cargo};
use crate::environment;
use crate::error::{Error, nearest};
use crate::process::{self, Limits, Output, ProcessError, tail};
use crate::tools::program;
use crate::workspace::{Workspace, make_folder, write_atomic};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Something that is fuzzed: a module of `crates/fuzz`.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// What is fuzzed, for people.
    pub title: &'static str,
    /// Longest input, in bytes.
    longest: u32,
}

/// Every target.
pub const TARGETS: [Target; 8] = [
    target("bits", "BITS files: parse, lay out and run in every variant, against the reference", 16 << 10),
    target("state", "saved states: restore and go on in every variant, against the reference", 8 << 10),
    target("tokenizer", "a tokenizer.json with a text: encode, decode, stream", 8 << 10),
    target("request", "what a runner is asked, as lines", 4 << 10),
    target("answer", "what a runner answers, as lines", 8 << 10),
    target("records", "records, journals, baselines, golden streams", 16 << 10),
    target("definitions", "ci/*.toml and golden/cases.toml", 16 << 10),
    target("sampler", "logits of every kind: all variants choose as the reference does", 8 << 10),
];

const fn target(name: &'static str, title: &'static str, longest: u32) -> Target {
    Target { name, title, longest }
}

/// Memory of a program, in MB. AddressSanitizer needs some hundred itself.
const MEMORY_MB: u32 = 2048;
/// Largest single allocation, in MB.
const ALLOCATION_MB: u32 = 1024;
/// Longest time for one input, in seconds: more is a hang. Instrumented code is some ten times slower.
const INPUT_SECONDS: u32 = 20;
/// How long a program may take to start, and to end after its time.
const GRACE: Duration = Duration::from_secs(120);
/// What a program may say: a line for each input that is kept.
const OUTPUT: usize = 256 << 20;
/// Most bytes of a corpus that is committed, and most files.
const COMMITTED: (u64, usize) = (100 << 10, 60);

/// Flags of the compiler: edges counted in place, compared values traced, and AddressSanitizer.
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

/// The programs, and where their inputs lie.
#[derive(Debug)]
pub struct Fuzzers<'w> {
    workspace: &'w Workspace,
    programs: PathBuf,
    seeds: PathBuf,
}

/// What fuzzing a target gave.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// Its name.
    pub target: &'static str,
    /// Inputs tried.
    pub executions: u64,
    /// Edges of the program that some input reached.
    pub coverage: u64,
    /// Inputs that are kept because they reached something that no other did.
    pub corpus: usize,
    /// How long it took.
    pub seconds: u64,
    /// What failed: stored findings that still do, and at most one new one, which ends the run.
    pub findings: Vec<Finding>,
}

/// An input that makes a target fail.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// `crash`, `timeout` or `oom`.
    pub kind: String,
    /// The line that says what happened.
    pub said: String,
    /// The input.
    pub input: PathBuf,
}

/// Builds the programs and makes the seeds.
///
/// # Errors
/// [`Error::CannotRun`] without a C++ compiler; and if the build fails, with the place of its log.
pub fn build(workspace: &Workspace) -> Result<Fuzzers<'_>, Error> {
    if program("c++", "").is_none() {
        let advice = "there is no C++ compiler for libFuzzer: install one (Debian: `apt-get install g++`)";
        return Err(Error::CannotRun(advice.into()));
    }
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let folder = workspace.scratch().join("build/fuzz");
    let mut command = cargo(workspace, "build")?;
    command.args(["--profile", "fuzz", "--package", "bitstate-fuzz", "--features", "libfuzzer", "--bins"]);
    // With a triple the flags are for the programs alone, and not for build scripts and macros.
    command.args(["--target", &triple, "--target-dir"]).arg(&folder);
    command.env("RUSTC_BOOTSTRAP", "1").env("CARGO_ENCODED_RUSTFLAGS", RUSTFLAGS.join("\x1f"));
    // All of them lie beside each other.
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

    /// The committed inputs of a target: those that cover, or those that failed once.
    fn committed(&self, target: &Target, kind: &str) -> PathBuf {
        self.workspace.root.join("crates/fuzz").join(kind).join(target.name)
    }

    /// Inputs kept of a target so far.
    pub fn kept(&self, target: &Target) -> usize {
        files(&self.folder(target, "corpus")).map_or(0, |files| files.len())
    }

    /// Fuzzes one target for a time, after its stored findings were tried again.
    ///
    /// # Errors
    /// On Ctrl-C, and if the program ends in another way than it should.
    pub fn fuzz(&self, target: &Target, time: Duration) -> Result<Outcome, Error> {
        let started = Instant::now();
        let mut findings = Vec::new();
        for input in self.stored(target)? {
            findings.extend(self.replay(target, &input)?);
        }
        let running = self.folder(target, "running");
        let corpus = self.folder(target, "corpus");
        make_folder(&corpus)?;
        empty(&running)?;
        let mut command = self.program(target, &running);
        command.arg(format!("-max_total_time={}", time.as_secs())).arg("-print_final_stats=1");
        command.arg(&corpus).args(self.starts(target));
        let output = self.run(target, &mut command, time + GRACE)?;
        let stats = said::stats(&output.stderr);
        match new_artifact(&running)? {
            Some(artifact) => findings.push(self.store(target, &artifact, &output.stderr)?),
            None if !output.status.success() => {
                let (log, status) = (self.folder(target, "log"), output.status);
                write_atomic(&log, output.stderr.as_bytes())?;
                let what = format!("fuzz-{} ended with {status} and left no input", target.name);
                return Err(Error::Build { what, log, tail: tail(&output.stderr, 20) });
            }
            None => {}
        }
        empty(&running)?;
        Ok(Outcome {
            target: target.name,
            executions: stats.executions,
            coverage: stats.coverage,
            corpus: self.kept(target),
            seconds: started.elapsed().as_secs(),
            findings,
        })
    }

    /// Gives a target one input; what it finds, if it fails.
    ///
    /// # Errors
    /// If the input cannot be read, or on Ctrl-C.
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
        // Each input is told with its own name; the copy that libFuzzer makes is not needed.
        let kind = new_artifact(&running)?.map_or("crash".into(), |artifact| kind_of(&artifact));
        empty(&running)?;
        let input = input.to_path_buf();
        let finding = Finding { kind, said: said::reason(&output.stderr), input };
        Ok((!output.status.success()).then_some(finding))
    }

    /// Makes the committed corpus of a target anew: the smallest inputs of all that are known which together reach the same
    /// edges, as far as there is room for them. Returns how many files it has.
    ///
    /// # Errors
    /// On Ctrl-C, and if the program fails or a file cannot be written.
    pub fn minimise(&self, target: &Target) -> Result<usize, Error> {
        let (running, merged) = (self.folder(target, "running"), self.folder(target, "merged"));
        empty(&running)?;
        empty(&merged)?;
        let mut command = self.program(target, &running);
        // Edges alone: how often each is taken tells many more inputs apart than need to be kept.
        command.args(["-merge=1", "-use_counters=0"]).arg(&merged).arg(self.folder(target, "corpus"));
        command.args(self.starts(target));
        let output = self.run(target, &mut command, Duration::from_secs(3600))?;
        if !output.status.success() {
            let what = format!("minimising the corpus of {}", target.name);
            let log = self.folder(target, "log");
            write_atomic(&log, output.stderr.as_bytes())?;
            return Err(Error::Build { what, log, tail: tail(&output.stderr, 20) });
        }
        let mut kept: Vec<(u64, PathBuf)> = Vec::new();
        for path in files(&merged)? {
            kept.push((std::fs::metadata(&path).map_err(Error::io("read", &path))?.len(), path));
        }
        kept.sort();
        let folder = self.committed(target, "corpus");
        make_folder(&folder)?;
        let before = files(&folder)?;
        let mut names = Vec::new();
        let mut total = 0;
        for (size, path) in kept.into_iter().take(COMMITTED.1) {
            total += size;
            if total > COMMITTED.0 {
                break;
            }
            let bytes = std::fs::read(&path).map_err(Error::io("read", &path))?;
            let to = folder.join(path.file_name().unwrap_or_default());
            write_atomic(&to, &bytes)?;
            names.push(to);
        }
        for old in before.iter().filter(|old| !names.contains(old)) {
            std::fs::remove_file(old).map_err(Error::io("remove", old))?;
        }
        empty(&merged)?;
        Ok(names.len())
    }

    /// Findings of earlier runs.
    fn stored(&self, target: &Target) -> Result<Vec<PathBuf>, Error> {
        let mut inputs = files(&self.folder(target, "findings"))?;
        inputs.retain(|path| path.extension().is_none_or(|extension| extension != "txt"));
        Ok(inputs)
    }

    /// Folders of inputs to start from.
    fn starts(&self, target: &Target) -> Vec<PathBuf> {
        let committed = ["corpus", "findings"].map(|kind| self.committed(target, kind));
        committed.into_iter().chain([self.seeds.join(target.name)]).filter(|folder| folder.is_dir()).collect()
    }

    /// Keeps an input that failed, beside what was said.
    fn store(&self, target: &Target, artifact: &Path, stderr: &str) -> Result<Finding, Error> {
        let bytes = std::fs::read(artifact).map_err(Error::io("read", artifact))?;
        let input = self.folder(target, "findings").join(artifact.file_name().unwrap_or_default());
        write_atomic(&input.with_extension("txt"), tail(stderr, 200).as_bytes())?;
        write_atomic(&input, &bytes)?;
        Ok(Finding { kind: kind_of(&input), said: said::reason(stderr), input })
    }

    /// A target's program with its limits; failing inputs go to `artifacts`.
    fn program(&self, target: &Target, artifacts: &Path) -> Command {
        let mut command = sanitized(&self.programs.join(format!("fuzz-{}", target.name)));
        command.current_dir(&self.workspace.root).env("TMPDIR", artifacts);
        // The text of a path must end with a separator: what follows it is the beginning of a name.
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

/// A command of an instrumented program. What it does not free is no finding: definitions live as long as the process.
fn sanitized(program: &Path) -> Command {
    let mut command = environment::command(program);
    command.env("ASAN_OPTIONS", "detect_leaks=0").env("RUST_BACKTRACE", "1");
    command
}

/// What libFuzzer calls the kind of a finding: `crash-…`, `timeout-…`, `oom-…`, `slow-unit-…`.
fn kind_of(artifact: &Path) -> String {
    let name = artifact.file_name().unwrap_or_default().to_string_lossy();
    name.rsplit_once('-').map_or("crash", |(kind, _)| kind).to_string()
}

/// The input that a program failed for, if it left one. One that was only slow is none.
fn new_artifact(folder: &Path) -> Result<Option<PathBuf>, Error> {
    let failed = |path: &PathBuf| ["crash", "timeout", "oom", "leak"].contains(&kind_of(path).as_str());
    Ok(files(folder)?.into_iter().find(failed))
}

/// The files of a folder in the order of their names; none where there is no folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::io("list", folder))?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()).map_err(Error::io("list", folder)));
    let mut paths = paths.collect::<Result<Vec<_>, _>>()?;
    paths.retain(|path| path.is_file());
    paths.sort();
    Ok(paths)
}

/// Makes a folder that holds nothing.
fn empty(folder: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("empty", folder)(error)),
        _ => make_folder(folder),
    }
}

#[cfg(test)]
mod tests {
    use super::{TARGETS, Target, kind_of, new_artifact};
    use std::path::Path;

    #[test]
    fn a_misspelt_target_names_the_nearest() {
        let error = Target::named("tokeniser").unwrap_err().to_string();
        assert_eq!(error, "there is no fuzz target `tokeniser`; did you mean `tokenizer`?");
        assert_eq!(Target::named("bits").unwrap(), &TARGETS[0]);
    }

    #[test]
    fn an_input_that_failed_is_told_from_one_that_was_slow() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| std::fs::write(folder.path().join(name), b"x").unwrap();
        assert_eq!(new_artifact(folder.path()).unwrap(), None);
        file("slow-unit-0a");
        file(".tmp1234");
        assert_eq!(new_artifact(folder.path()).unwrap(), None);
        file("timeout-0b");
        assert_eq!(new_artifact(folder.path()).unwrap(), Some(folder.path().join("timeout-0b")));
        assert_eq!(kind_of(Path::new("a/oom-0c")), "oom");
        assert_eq!(kind_of(Path::new("minimized-from-0c")), "minimized-from");
    }
}
