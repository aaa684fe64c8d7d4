//! Building what the chosen cells run, and making the models they run on.

use crate::cargo::{Wanted, built, cargo, cargo_by};
use crate::environment;
use crate::error::Error;
use crate::expected::{Cause, Skip};
use crate::golden::{Model, Source};
use crate::process::{Limits, ProcessError, run, tail};
use crate::progress::Progress;
use crate::runner::{ModelFile, Runner, XtensaRunner, model_file};
use crate::target::{Board, Cell, Kind, Process, Target, Wasmtime};
use crate::tools::{Compiler, DEBIAN_CARGO, DEBIAN_RUSTC, compiler};
use crate::workspace::{Workspace, make_folder, write_atomic};
use crate::xtensa;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What was built.
#[derive(Debug, Default)]
pub struct Built {
    /// How to ask each target, by its name.
    pub runners: BTreeMap<&'static str, Runner>,
    /// Cells that cannot be built or run on this machine, and why.
    pub skips: Vec<(Cell, Skip)>,
    /// Cells whose build failed, and why.
    pub failures: Vec<(Cell, Error)>,
}

impl Built {
    /// The cells among `cells` that can run.
    pub fn runnable(&self, cells: &[Cell]) -> Vec<Cell> {
        let out = |cell: &Cell| {
            self.skips.iter().any(|(skipped, _)| skipped == cell)
                || self.failures.iter().any(|(failed, _)| failed == cell)
        };
        cells.iter().copied().filter(|cell| !out(cell)).collect()
    }
}

/// Why this machine cannot run a cell at all, if so.
pub fn obstacle(cell: Cell, cpu_features: &str) -> Option<Skip> {
    let missing = cell.missing_cpu(cpu_features);
    if !missing.is_empty() {
        let reason = format!("this CPU has no {}", missing.join(", "));
        return Some(Skip { cause: Cause::Cpu, reason });
    }
    let tools: Vec<&str> =
        cell.target.needs.iter().filter(|tool| tool.find().is_none()).map(|tool| tool.title).collect();
    let reason = format!("not installed: {}", tools.join(", "));
    (!tools.is_empty()).then_some(Skip { cause: Cause::Tools, reason })
}

/// Builds everything that the cells need. A target that fails to build does not stop the others.
///
/// # Errors
/// On Ctrl-C, or if this machine can run none of the cells: a skip of everything must not pass, least of all where one
/// variant was asked for by name.
pub fn build(workspace: &Workspace, cells: &[Cell], cpu_features: &str) -> Result<Built, Error> {
    let mut built = Built::default();
    for &cell in cells {
        if let Some(skip) = obstacle(cell, cpu_features) {
            built.skips.push((cell, skip));
        }
    }
    if built.runnable(cells).is_empty() {
        let reasons = built.skips.iter().map(|(cell, skip)| format!("{cell}: {}", skip.reason));
        return Err(Error::CannotRun(reasons.collect::<Vec<_>>().join("; ")));
    }
    let mut targets: Vec<&'static Target> = Vec::new();
    for cell in built.runnable(cells) {
        if !targets.contains(&cell.target) {
            targets.push(cell.target);
        }
    }
    for target in targets {
        let of_target: Vec<Cell> = built.runnable(cells).into_iter().filter(|cell| cell.target == target).collect();
        let runner = match &target.kind {
            Kind::Process(process) => build_native(workspace, target.name, process),
            Kind::Wasmtime(wasmtime) => build_wasm(workspace, wasmtime, &of_target),
            Kind::QemuXtensa(board) => build_xtensa(workspace, target.name, board),
        };
        match runner {
            Ok(runner) => {
                built.runners.insert(target.name, runner);
            }
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => {
                let text = error.to_string();
                let failed = of_target.into_iter().map(|cell| (cell, Error::Refused(text.clone())));
                built.failures.extend(failed);
            }
        }
    }
    Ok(built)
}

fn build_native(workspace: &Workspace, name: &str, process: &Process) -> Result<Runner, Error> {
    const PACKAGE: &str = "bitstate-runner-native";
    if process.triple.is_none() && process.rustflags.is_empty() {
        return Ok(Runner::Native { program: host_program(workspace, PACKAGE)? });
    }
    let mut command = cargo(workspace, "build")?;
    command.args(["--release", "--package", PACKAGE, "--bin", PACKAGE, "--target-dir"]);
    command.arg(own_folder(workspace, name));
    command.args(process.triple.iter().flat_map(|triple| ["--target", triple]));
    command.env("CARGO_ENCODED_RUSTFLAGS", encoded(process.rustflags));
    let wanted = Wanted { name: PACKAGE, ending: "" };
    Ok(Runner::Native { program: built(workspace, &format!("build {name}"), &mut command, wanted)? })
}

fn build_wasm(workspace: &Workspace, wasmtime: &Wasmtime, cells: &[Cell]) -> Result<Runner, Error> {
    let triple = wasmtime.triple;
    let Some((compiler, _)) = compiler(triple) else {
        return Err(Error::Refused(format!("no compiler for {triple} is installed: run `cargo xtask setup`")));
    };
    let mut guests = BTreeMap::new();
    for cell in cells {
        let target_dir = own_folder(workspace, &format!("{}-{}", cell.target.name, cell.variant.name));
        let mut command = match compiler {
            Compiler::Rustup => cargo(workspace, "build")?,
            Compiler::Debian => debian_cargo(workspace, "build")?,
        };
        command.args(["--package", "bitstate-runner-wasm", "--profile", "guest"]);
        command.args(["--target", triple]).arg("--target-dir").arg(&target_dir);
        command.args(["--features", cell.variant.features]);
        if compiler == Compiler::Debian {
            command.args(["-Zbuild-std=core,alloc", "-Zbuild-std-features=compiler-builtins-mem"]);
            let linker = format!("CARGO_TARGET_{}_LINKER", triple.to_uppercase().replace('-', "_"));
            command.env(linker, "wasm-ld-22");
        }
        // Set even where empty: flags from outside are for the host.
        let rustflags = format!("{} {}", wasmtime.rustflags, cell.variant.rustflags);
        command.env("CARGO_ENCODED_RUSTFLAGS", encoded(&rustflags));
        let wanted = Wanted { name: "bitstate_runner_wasm", ending: "wasm" };
        guests.insert(cell.variant.name, built(workspace, &format!("build {cell}"), &mut command, wanted)?);
    }
    let host = host_program(workspace, "bitstate-runner-wasmtime")?;
    Ok(Runner::Wasm { host, guests, memory_limit: wasmtime.memory_limit })
}

fn build_xtensa(workspace: &Workspace, name: &str, board: &'static Board) -> Result<Runner, Error> {
    let _spinner = Progress::spinner(&format!("build {name}"));
    let refused = |error: &dyn std::fmt::Display| Error::Refused(error.to_string());
    let tools = xtensa::Toolchain::find().map_err(|error| refused(&error))?;
    let folder = own_folder(workspace, name);
    let firmware = xtensa::build(&tools, board, workspace, &folder).map_err(|error| refused(&error))?;
    let scratch = workspace.scratch().join("images");
    Ok(Runner::Xtensa(Box::new(XtensaRunner { tools, firmware, scratch })))
}

/// Where something is built that is not built as the harness is.
fn own_folder(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.scratch().join("build").join(name)
}

/// Flags parted by spaces, as cargo takes them from the environment.
fn encoded(rustflags: &str) -> String {
    rustflags.split_whitespace().collect::<Vec<_>>().join("\x1f")
}

/// Builds a package's program for this machine and returns where it lies.
///
/// # Errors
/// If the build fails, with the place of its log.
pub fn host_program(workspace: &Workspace, package: &str) -> Result<PathBuf, Error> {
    host_program_with(workspace, package, &[])
}

/// The same with more of cargo's flags, such as `--features`.
///
/// # Errors
/// As [`host_program`].
pub fn host_program_with(workspace: &Workspace, package: &str, flags: &[&str]) -> Result<PathBuf, Error> {
    let name = if package == "bitstate-cli" { "bitstate" } else { package };
    let mut command = cargo(workspace, "build")?;
    command.args(["--release", "--package", package, "--bin", name]).args(flags);
    built(workspace, &format!("build {package}"), &mut command, Wanted { name, ending: "" })
}

/// A cargo command of Debian's toolchain, allowed to build the library for a foreign target.
fn debian_cargo(workspace: &Workspace, verb: &str) -> Result<Command, Error> {
    let mut command = cargo_by(DEBIAN_CARGO.as_ref(), workspace, verb)?;
    command.env_remove("RUSTUP_TOOLCHAIN").env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1");
    Ok(command)
}

/// What a logged command printed, and where all of it lies.
#[derive(Debug)]
pub struct Log {
    /// Its standard output.
    pub stdout: String,
    /// The log, with its standard error too.
    pub path: PathBuf,
}

/// Runs a command with its output in a log of its own.
///
/// # Errors
/// If it fails, with the place of the log and its end.
pub fn logged(workspace: &Workspace, what: &str, command: &mut Command) -> Result<Log, Error> {
    let _spinner = Progress::spinner(what);
    let log = workspace.logs().join(format!("{}.log", what.replace([' ', '/'], "-")));
    let limits = Limits { time: Duration::from_secs(3600), output: 64 << 20 };
    let shown = format!("{command:?}");
    let output = match run(command, b"", limits) {
        Ok(output) => output,
        Err(ProcessError::Interrupted) => return Err(Error::Interrupted),
        Err(source) => return Err(Error::Process { what: what.to_string(), source }),
    };
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    write_atomic(&log, format!("$ {shown}\n{stdout}{}", output.stderr).as_bytes())?;
    if output.status.success() {
        return Ok(Log { stdout, path: log });
    }
    let said = if output.stderr.trim().is_empty() { &stdout } else { &output.stderr };
    Err(Error::Build { what: what.to_string(), log, tail: tail(said, 20) })
}

/// Makes or finds the models of these names.
///
/// A model made from a preset is always made anew: it takes a moment, and an old file would hide a change of
/// the generator.
///
/// # Errors
/// If a stored file is not there or making one fails.
pub fn models(workspace: &Workspace, models: &[Model], wanted: &[&str]) -> Result<Vec<ModelFile>, Error> {
    let mut files = Vec::new();
    for model in models.iter().filter(|model| wanted.contains(&model.name.as_str())) {
        let path = match &model.source {
            Source::File(path) => workspace.root.join(path),
            Source::Synthetic { preset, seed, format } => {
                let path = workspace.models().join(format!("{}.bits", model.name));
                synthesise(workspace, &path, preset, *seed, format)?;
                path
            }
        };
        files.push(model_file(&model.name, &path)?);
    }
    Ok(files)
}

fn synthesise(workspace: &Workspace, path: &Path, preset: &str, seed: u64, format: &str) -> Result<(), Error> {
    let program = host_program(workspace, "bitstate-cli")?;
    make_folder(&workspace.models())?;
    let part = path.with_extension("tmp");
    let mut command = environment::command(program);
    command
        .args(["synth", "--preset", preset, "--seed", &seed.to_string(), "--format", format])
        .arg("--out")
        .arg(&part);
    logged(workspace, &format!("make model {preset}"), &mut command)?;
    std::fs::rename(&part, path).map_err(Error::io("rename", &part))
}

#[cfg(test)]
mod tests {
    use super::{build, obstacle};
    use crate::target::Cell;
    use crate::workspace::Workspace;

    #[test]
    fn a_variant_that_the_cpu_lacks_is_told_with_what_it_lacks() {
        let cell = Cell::named("native", "avx512_vnni").unwrap();
        let skip = obstacle(cell, "fpu avx2 avx512f avx512bw avx512_vnni").unwrap();
        assert_eq!(skip.reason, "this CPU has no avx512vl");
        assert_eq!(obstacle(cell, "avx2 avx512f avx512bw avx512vl avx512_vnni"), None);
    }

    #[test]
    fn when_nothing_that_was_asked_for_can_run_that_is_an_error() {
        let workspace = Workspace::find().unwrap();
        let cells = ["avx2", "avx_vnni"].map(|variant| Cell::named("native", variant).unwrap());
        let error = build(&workspace, &cells, "fpu sse2").unwrap_err();
        assert_eq!(error.exit().code(), 3);
        assert_eq!(
            error.to_string(),
            "nothing of what is selected can run here: native/avx2: this CPU has no avx2; \
             native/avx_vnni: this CPU has no avx2, avx_vnni"
        );
    }
}
