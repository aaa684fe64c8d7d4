//! Runs the built `bitstate` in its own folder, which contains models.
#![allow(dead_code, reason = "each test file uses its own part")]

#[path = "../../../kernels/tests/support/variants.rs"]
mod kernels;

use bitstate::bits::{Config, Preset, Version, synthetic};
use serde::Deserialize;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// Models of 64 and 256 tokens.
pub const SMALL: &str = "small.bits";
pub const BYTE: &str = "byte.bits";

/// The trained models, by their folders in `golden/models`.
pub const TRAINED: [&str; 2] = ["stories-byte", "stories-bpe4k"];

/// A folder with [`SMALL`], [`BYTE`] and invalid files.
pub struct Folder(TempDir);

/// What a run printed.
#[derive(Debug)]
pub struct Ran {
    pub success: bool,
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
    /// The last line of `err` if it is a recipe; it is then removed from `err`.
    pub recipe: Option<String>,
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

    /// `bitstate` with `arguments`, split at spaces; `+` is a space within an argument.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bitstate"));
        command.current_dir(self.path()).args(arguments.split(' ').map(|argument| argument.replace('+', " ")));
        command
    }

    pub fn run(&self, arguments: &str) -> Ran {
        Ran::new(self.command(arguments).output().unwrap())
    }

    /// The output of a run that must succeed.
    pub fn stdout(&self, arguments: &str) -> String {
        let ran = self.run(arguments);
        assert!(ran.success, "{arguments}: {ran:?}");
        ran.out
    }

    /// The output of a run, which must be one line of JSON.
    pub fn json<T: for<'a> Deserialize<'a>>(&self, arguments: &str) -> T {
        let ran = self.run(arguments);
        assert!(ran.success && ran.err.is_empty(), "{arguments}: {ran:?}");
        serde_json::from_value(ran.json()).unwrap_or_else(|error| panic!("{arguments}: {error}: {}", ran.out))
    }

    /// The sorted file names in the folder.
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
        let mut err = text(output.stderr);
        let last = err.trim_end().rfind('\n').map_or(0, |at| at + 1);
        let recipe =
            err[last..].starts_with("{\"bitstate_recipe\"").then(|| err.split_off(last).trim_end().to_string());
        let status = output.status;
        Ran { success: status.success(), code: status.code(), out: text(output.stdout), err, recipe }
    }
}

impl Ran {
    /// The one line of JSON that was printed. For `generate`, which prints a line per token: the summary with the `tokens` and
    /// the `text` of all lines, so that tests need not collect them.
    pub fn json(&self) -> Value {
        assert!(self.out.ends_with('\n'), "{self:?}");
        let mut lines: Vec<Value> = self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut last = lines.pop().unwrap();
        if last["type"] != "summary" {
            assert!(lines.is_empty(), "one line: {self:?}");
            return last;
        }
        assert!(lines.iter().all(|line| line["type"] == "token"), "{self:?}");
        assert_eq!(last["recipe"], serde_json::from_str::<Value>(self.recipe.as_ref().unwrap()).unwrap());
        assert_eq!(last["count"], lines.len());
        let texts: Option<String> = lines.iter().chain([&last]).map(|line| line["text"].as_str()).collect();
        let tokens: Vec<Value> = lines.iter().map(|line| line["token"].clone()).collect();
        (last["tokens"], last["text"]) = (tokens.into(), texts.into());
        for key in ["type", "count", "digest", "ended", "recipe"] {
            last.as_object_mut().unwrap().remove(key).unwrap();
        }
        last
    }
}

/// The names of the variants that run here.
pub fn variants() -> Vec<&'static str> {
    kernels::variants().iter().map(|kernels| kernels.variant().name()).collect()
}

impl Folder {
    /// Writes `tiny.bits`, a byte-level model that reads a long text quickly.
    pub fn tiny(&self) {
        let tiny =
            Config { n_layer: 1, n_embd: 8, n_head: 1, head_size: 8, ..Preset::by_name("byte").unwrap().config() };
        fs::write(self.path().join("tiny.bits"), synthetic(&tiny, 1, Version::V1_2)).unwrap();
    }

    /// Runs with `input` on standard input.
    pub fn with_input(&self, arguments: &str, input: &[u8]) -> Ran {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        // Rejected input is not read to its end.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let ran = Ran::new(child.wait_with_output().unwrap());
        writer.join().unwrap();
        ran
    }
}
