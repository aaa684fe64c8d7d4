//! What a kind of target is asked: what sets it apart, how it is built, and how what was built is run.

use super::ask::{Ask, ModelFile, RunError};
use crate::workspace::Workspace;
use crate::workspace::error::Error;
use bitstate_protocol::Metric;
use std::fmt::Debug;
use std::path::Path;
use std::process::Command;

/// What a target's clock counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Nanoseconds of a machine that really runs: samples differ, so many are taken.
    Wall,
    /// Instructions of an emulator: two runs must agree to the last one.
    Instructions,
}

/// A set of kernels; to the harness no more than a name.
#[derive(Debug, PartialEq, Eq)]
pub struct Variant {
    /// Name in requests and records.
    pub name: &'static str,
    /// CPU features without which it cannot run, as `/proc/cpuinfo` spells them.
    pub cpu: Vec<&'static str>,
    /// Compiler flags and cargo features of an artifact of its own, on targets that cannot choose at run time.
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
    /// What its clock counts.
    fn clock(&self) -> Clock;

    /// What its runner calls its target in every answer.
    fn answers_as(&self) -> &'static str;

    /// How it is built and run, for `list`.
    fn in_words(&self) -> String;

    /// Flags of the compiler, separated by spaces; those of a variant follow.
    fn rustflags(&self) -> &str;

    /// Builds what answers for `variants` of the target of this name.
    ///
    /// # Errors
    /// If a tool is missing or a build fails; a sentence that says where the log is.
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

    /// Whether it is timed on some machines: then it names the sizes of memory reads, whatever its clock is here.
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

    /// Whether each variant is built by itself, and so may have compiler flags and features of its own.
    fn builds_each_variant(&self) -> bool {
        false
    }

    /// What is wrong with files that its keys name.
    ///
    /// # Errors
    /// As a sentence, without the target's name.
    fn check(&self, _workspace: &Workspace) -> Result<(), String> {
        Ok(())
    }

    /// Clock of the chip that is emulated, in Hz.
    fn hz(&self) -> Option<f64> {
        None
    }

    /// The counter that says what the peak of memory is made of, where that is the same in every run of a build.
    fn exact_memory(&self) -> Option<&'static str> {
        None
    }

    /// The counter that a runner's metric is.
    fn counter<'a>(&self, metric: &'a str) -> &'a str {
        metric
    }

    /// Whether the size of a section is that of the code alone, the same wherever it is built.
    fn counts_size_of(&self, _section: &str) -> bool {
        true
    }
}

/// What a kind builds: something that answers requests.
pub trait Launch: Debug + Send + Sync {
    /// Takes a request in a fresh process and gives what came out of it, unread.
    ///
    /// # Errors
    /// If there is no answer that could be read.
    fn launch(&self, variant: &str, request: &str, ask: &Ask) -> Result<Answered, RunError>;

    /// Sizes of what was built. Where they depend on the model, they are those with the first of `models` that fits.
    ///
    /// # Errors
    /// If a file that was just built cannot be read.
    fn artifacts(&self, models: &[&ModelFile]) -> Result<Vec<Artifact>, Error>;

    /// The program, where it is one of this machine that reads requests itself: callgrind can count its instructions.
    fn program(&self) -> Option<&Path> {
        None
    }

    /// Whether it can be asked for fuel in place of time.
    fn counts_fuel(&self) -> bool {
        false
    }
}

/// What came out of a run.
#[derive(Debug, Clone, Default)]
pub struct Answered {
    /// The answer.
    pub text: String,
    /// Whether it says that all jobs succeeded.
    pub all_succeeded: bool,
    /// What was counted from outside.
    pub metrics: Vec<Metric>,
}

/// A file or image that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The variant, where each has its own.
    pub variant: Option<&'static str>,
    /// Its name.
    pub name: &'static str,
    /// Bytes by section, `file` for the whole.
    pub sizes: Vec<(&'static str, u64)>,
}
