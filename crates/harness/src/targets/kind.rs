//! The interface of a kind of target: its properties, its build, and how the built runner is run.

use super::cache::Cache;
use super::request::{ModelFile, RunError, RunRequest};
use crate::workspace::Workspace;
use crate::workspace::error::Error;
use bitstate_protocol::Metric;
use std::fmt::Debug;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The unit of a target's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Nanoseconds on real hardware: samples differ, so many are taken.
    Wall,
    /// Instructions of an emulator: two runs must agree exactly.
    Instructions,
}

/// A set of kernels, known to the harness only by name.
#[derive(Debug, PartialEq, Eq)]
pub struct Variant {
    /// Name in requests and records.
    pub name: &'static str,
    /// CPU features it requires, as `/proc/cpuinfo` spells them.
    pub cpu: Vec<&'static str>,
    /// Compiler flags and cargo features of its own artifact, on targets that cannot choose at run time.
    pub rustflags: &'static str,
    /// See `rustflags`.
    pub features: &'static str,
}

/// A CPU that is not this machine's.
#[derive(Debug, Clone, Copy)]
pub struct EmulatedCpu<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its features, as `/proc/cpuinfo` spells them.
    pub features: &'a [String],
}

/// A kind of target, with the keys of its table in `ci/targets.toml`.
pub trait Kind: Debug + Send + Sync {
    /// The unit of its clock.
    fn clock(&self) -> Clock;

    /// The target's name in its runner's answers.
    fn answers_as(&self) -> &'static str;

    /// How it is built and run, as text for `list`.
    fn in_words(&self) -> String;

    /// Compiler flags, separated by spaces; those of a variant follow.
    fn rustflags(&self) -> &str;

    /// Builds the runner of the target of this name for `variants`.
    ///
    /// # Errors
    /// If a tool is missing or a build fails; the message names the log.
    fn build(
        &'static self,
        workspace: &Workspace,
        name: &str,
        variants: &[&'static Variant],
    ) -> Result<Box<dyn Launch>, Error>;

    /// CPU features that it has, as `/proc/cpuinfo` spells them, where it runs on another CPU than this machine's.
    fn cpu(&self) -> Option<EmulatedCpu<'_>> {
        None
    }

    /// Whether its tools are needed here: not where a machine does itself what they are for.
    fn needs_tools(&self) -> bool {
        true
    }

    /// Whether it is timed on some machines: then it names the sizes of memory reads, regardless of its clock here.
    fn is_timed_somewhere(&self) -> bool {
        self.clock() == Clock::Wall
    }

    /// Whether tests run on it too, because the harness's own do not run on such a CPU.
    fn has_tests(&self) -> bool {
        false
    }

    /// Cargo's command that runs a package's tests on it, where it [has them](Kind::has_tests).
    ///
    /// # Errors
    /// If there is no compiler for it.
    fn tests(&self, _workspace: &Workspace, _package: &str) -> Result<Option<Command>, Error> {
        Ok(None)
    }

    /// Whether each variant is built separately, and so may have its own compiler flags and features.
    fn builds_each_variant(&self) -> bool {
        false
    }

    /// Whether its runner can begin and resume sessions of the library.
    fn has_sessions(&self) -> bool {
        true
    }

    /// Checks the files that its keys name.
    ///
    /// # Errors
    /// The message, without the target's name.
    fn check(&self, _workspace: &Workspace) -> Result<(), String> {
        Ok(())
    }

    /// Clock of the emulated chip, in Hz.
    fn hz(&self) -> Option<f64> {
        None
    }

    /// The cache in front of the emulated chip's slow memory, if it is modelled.
    fn cache(&self) -> Option<&Cache> {
        None
    }

    /// The cache in front of its memory for code, if it is modelled.
    fn code_cache(&self) -> Option<&Cache> {
        None
    }

    /// The main counter of peak memory, if it is the same in every run of a build.
    fn exact_memory(&self) -> Option<&'static str> {
        None
    }

    /// The counter's name of a runner's metric.
    fn counter<'a>(&self, metric: &'a str) -> &'a str {
        metric
    }

    /// Whether a section's size is that of code alone, equal on every build machine.
    fn counts_size_of(&self, _section: &str) -> bool {
        true
    }
}

/// A built runner, which answers requests.
pub trait Launch: Debug + Send + Sync {
    /// Runs a request in a fresh process and returns its output, unparsed.
    ///
    /// # Errors
    /// If there is no output that could be an answer.
    fn launch(&self, variant: &str, request: &str, ask: &RunRequest) -> Result<Answered, RunError>;

    /// Builds what only requests with sessions need, where the first of them would build it. What fails is the answer to
    /// that request.
    fn build_for_sessions(&self, _variant: &str) {}

    /// Sizes of the artifacts. If they depend on the model, they are those with the first of `models` that fits.
    ///
    /// # Errors
    /// If a file that was just built cannot be read.
    fn artifacts(&self, models: &[&ModelFile]) -> Result<Vec<Artifact>, Error>;

    /// The program, if it runs on this machine and reads requests itself: callgrind can count its instructions.
    fn program(&self) -> Option<&Path> {
        None
    }

    /// Images for a real board, if it makes them.
    fn board_image(&self) -> Option<&dyn BoardImage> {
        None
    }

    /// Whether it can count fuel instead of measuring time.
    fn counts_fuel(&self) -> bool {
        false
    }
}

/// What is written to the flash of a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flash {
    /// The image: the bytes of the flash from the first on, or a file that says where its bytes belong.
    pub bytes: Vec<u8>,
    /// The size of flash that it needs, in MB.
    pub flash_mb: u32,
    /// Bytes of the application in it.
    pub app_bytes: usize,
}

/// Makes images of a real board's flash, and runs the bytes of such an image without the board.
pub trait BoardImage: Debug + Send + Sync {
    /// The image with a model and the request of its built-in test. `is_hex` asks for Intel HEX, which is for boards whose
    /// image is a file that says where its bytes belong.
    ///
    /// # Errors
    /// If they do not fit: in which memory, and by how many bytes.
    fn flash_image(&self, model: &ModelFile, request: &str, is_hex: bool) -> Result<Flash, RunError>;

    /// The answer of the built-in test of an image with a model of so many bytes.
    ///
    /// # Errors
    /// If the bytes are no image for this board, or it does not run.
    fn answer(&self, flash: &[u8], model: u64, time: Duration) -> Result<Answered, RunError>;

    /// What a terminal shows in which these lines are typed.
    ///
    /// # Errors
    /// As [`answer`](BoardImage::answer).
    fn terminal(&self, flash: &[u8], lines: &[&str], time: Duration) -> Result<Vec<u8>, RunError>;

    /// Instructions in a cycle as the firmware counts them, where the emulator counts exactly.
    fn instructions_a_cycle(&self) -> Option<u64> {
        None
    }
}

/// The output of a run.
#[derive(Debug, Clone, Default)]
pub struct Answered {
    /// The answer.
    pub text: String,
    /// Whether its exit status says that all jobs succeeded.
    pub all_succeeded: bool,
    /// Metrics counted from outside.
    pub metrics: Vec<Metric>,
}

/// A build artifact: a file or an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The variant, if each has its own.
    pub variant: Option<&'static str>,
    /// Its name.
    pub name: &'static str,
    /// Bytes by section; `file` is the whole.
    pub sizes: Vec<(&'static str, u64)>,
}
