//! Running the `bitstate` that was built, in a folder of its own with models to run.
#![allow(dead_code, reason = "each test file uses its own part")]

#[path = "../../../kernels/tests/support/variants.rs"]
mod kernels;

use bitstate::bits::{Preset, Version, synthetic};
use serde::Deserialize;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

/// Models of 64 and 256 tokens.
pub const SMALL: &str = "small.bits";
pub const BYTE: &str = "byte.bits";

/// The trained models, by their folders in `golden/models`.
pub const TRAINED: [&str; 2] = ["stories-byte", "stories-bpe4k"];

/// A folder with [`SMALL`] and [`BYTE`], and bad files beside them.
pub struct Folder(TempDir);

/// What a run printed.
#[derive(Debug)]
pub struct Ran {
    pub success: bool,
    pub out: String,
    pub err: String,
}

impl Folder {
    pub fn new() -> Self {
        let folder = Folder(tempfile::tempdir().unwrap());
        for (name, preset) in [(SMALL, "small"), (BYTE, "byte")] {
            let file = synthetic(&Preset::by_name(preset).unwrap().config(), 1, Version::V1_2);
            fs::write(folder.path().join(name), &file).unwrap();
            fs::write(folder.path().join(format!("cut-{name}")), &file[..file.len() - 1]).unwrap();
        }
        fs::write(folder.path().join("empty.bits"), b"").unwrap();
        fs::create_dir(folder.path().join("folder")).unwrap();
        folder
    }

    /// Copies a file of a trained model into the folder.
    pub fn copy(&self, model: &str, file: &str) {
        let from = format!("{}/../../golden/models/{model}/{file}", env!("CARGO_MANIFEST_DIR"));
        fs::copy(&from, self.path().join(file)).unwrap_or_else(|error| panic!("{from}: {error}"));
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// `bitstate` with `arguments`, divided at the spaces; `+` stands for a space within one.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bitstate"));
        command.current_dir(self.path()).args(arguments.split(' ').map(|argument| argument.replace('+', " ")));
        command
    }

    pub fn run(&self, arguments: &str) -> Ran {
        Ran::new(self.command(arguments).output().unwrap())
    }

    /// What a run that must succeed prints.
    pub fn stdout(&self, arguments: &str) -> String {
        let ran = self.run(arguments);
        assert!(ran.success, "{arguments}: {ran:?}");
        ran.out
    }

    /// The one line of JSON that a run prints, and nothing else.
    pub fn json<T: for<'a> Deserialize<'a>>(&self, arguments: &str) -> T {
        let ran = self.run(arguments);
        assert!(ran.success && ran.err.is_empty(), "{arguments}: {ran:?}");
        assert_eq!(ran.out.find('\n'), Some(ran.out.len() - 1), "{arguments}: one line");
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{arguments}: {error}: {}", ran.out))
    }

    /// The names in the folder, in order.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Ran {
    pub fn new(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { success: output.status.success(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// The names of the variants that run here.
pub fn variants() -> Vec<&'static str> {
    kernels::variants().iter().map(|kernels| kernels.variant().name()).collect()
}
