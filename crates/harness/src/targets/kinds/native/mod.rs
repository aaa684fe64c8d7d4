//! A program for this machine that contains all variants.

pub mod callgrind;

use super::process::{converse, file_sizes};
use crate::targets::kind::{Answered, Artifact, Clock, Kind, Launch, Variant};
use crate::targets::request::{ModelFile, RunError, RunRequest};
use crate::workspace::Workspace;
use crate::workspace::cargo::{Wanted, built, cargo, encoded, host_program};
use crate::workspace::environment::command;
use crate::workspace::error::Error;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The package of the runner, and the name of its binary.
pub(super) const PACKAGE: &str = "bitstate-runner-native";

/// `[target.process]`: build options of a program that differ from those of the harness.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Target triple, if not the harness's own.
    pub triple: Option<String>,
    /// Compiler flags, separated by spaces.
    #[serde(default)]
    pub rustflags: String,
}

impl Kind for Process {
    fn clock(&self) -> Clock {
        Clock::Wall
    }

    fn answers_as(&self) -> &'static str {
        "native"
    }

    fn in_words(&self) -> String {
        let own = self.triple.iter().chain(Some(&self.rustflags).filter(|flags| !flags.is_empty()));
        let own: Vec<&str> = own.map(String::as_str).collect();
        format!("a process{}{}", if own.is_empty() { "" } else { ", built with " }, own.join(" "))
    }

    fn rustflags(&self) -> &str {
        &self.rustflags
    }

    fn build(&'static self, workspace: &Workspace, name: &str, _: &[&Variant]) -> Result<Box<dyn Launch>, Error> {
        if self.triple.is_none() && self.rustflags.is_empty() {
            return Ok(Box::new(Program(host_program(workspace, PACKAGE)?)));
        }
        let mut command = cargo(workspace, "build")?;
        command.args(["--release", "--package", PACKAGE, "--bin", PACKAGE, "--target-dir"]);
        command.arg(workspace.own_build(name));
        command.args(self.triple.iter().flat_map(|triple| ["--target", triple]));
        command.env("CARGO_ENCODED_RUSTFLAGS", encoded(&self.rustflags));
        let wanted = Wanted { name: PACKAGE, ending: "" };
        Ok(Box::new(Program(built(workspace, &format!("build {name}"), &mut command, wanted)?)))
    }

    /// The whole file contains paths of the build machine.
    fn counts_size_of(&self, section: &str) -> bool {
        section != "file"
    }
}

/// A runner that is a native program.
#[derive(Debug, Clone)]
pub struct Program(pub PathBuf);

impl Launch for Program {
    fn launch(&self, _: &str, request: &str, ask: &RunRequest) -> Result<Answered, RunError> {
        let mut command = command(&self.0);
        command.arg("--model").arg(&ask.model.path);
        converse(&mut command, request, ask.timeout)
    }

    fn artifacts(&self, _: &[&ModelFile]) -> Result<Vec<Artifact>, Error> {
        Ok(vec![Artifact { variant: None, name: PACKAGE, sizes: file_sizes(&self.0)? }])
    }

    fn program(&self) -> Option<&Path> {
        Some(&self.0)
    }
}
