//! The targets, their variants and what each needs, as `ci/targets.toml` defines them.

mod file;

use crate::error::Error;
use crate::tools::Tool;
use crate::workspace::{Workspace, read_text};
use std::fmt;
use std::sync::OnceLock;

/// What a target's clock counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Nanoseconds of a machine that really runs: samples differ, so many are taken.
    Wall,
    /// Instructions of an emulator: two runs must agree to the last one.
    Instructions,
}

/// A place where the engine runs.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    /// Name in requests, records and on the command line.
    pub name: &'static str,
    /// What a reader is told that it is.
    pub title: &'static str,
    /// Its colour in every chart.
    pub colour: (u8, u8, u8),
    /// What its clock counts.
    pub clock: Clock,
    /// Tools without which it cannot be built or run.
    pub needs: Vec<&'static Tool>,
    /// Tools without which its instructions cannot be counted.
    pub count_needs: Vec<&'static Tool>,
    /// What its counters depend on, by the names that versions have in a run's provenance.
    pub versions: Vec<&'static str>,
    /// What its `peak_memory` means.
    pub memory: &'static str,
    /// Bytes of the buffers whose reads are measured.
    pub reads: Vec<u32>,
    /// How it is built and run.
    pub kind: Kind,
    /// The kernel variants it is asked for.
    pub variants: Vec<Variant>,
}

/// How a target is built and run.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// A program of this machine; all variants are in it.
    Process(Process),
    /// A WebAssembly guest for every variant, under wasmtime.
    Wasmtime(Wasmtime),
    /// Firmware for an Xtensa core, under QEMU; all variants are in it.
    QemuXtensa(Board),
}

/// What sets the build of a program apart from that of the harness.
#[derive(Debug, PartialEq, Eq)]
pub struct Process {
    /// For which target triple, if not for the harness's own.
    pub triple: Option<&'static str>,
    /// Flags for the compiler, parted by spaces.
    pub rustflags: &'static str,
}

/// Guests and their limits.
#[derive(Debug, PartialEq, Eq)]
pub struct Wasmtime {
    /// For which target triple.
    pub triple: &'static str,
    /// Flags for the compiler, parted by spaces; those of the variant follow.
    pub rustflags: &'static str,
    /// Most linear memory of a guest, in bytes.
    pub memory_limit: u64,
}

/// An emulated Xtensa board.
#[derive(Debug, PartialEq, Eq)]
pub struct Board {
    /// Features of the core, as the compiler and the assembler spell them.
    pub features: &'static str,
    /// Linker script, from the top folder.
    pub script: &'static str,
    /// Machine that QEMU emulates.
    pub machine: &'static str,
    /// Its core.
    pub cpu: &'static str,
    /// Its memory, as QEMU spells sizes.
    pub memory: &'static str,
    /// Clock of the chip that is modelled, in Hz.
    pub hz: u64,
}

impl Kind {
    /// Flags of the compiler, separated by spaces; those of a variant follow.
    pub fn rustflags(&self) -> &'static str {
        match self {
            Kind::Process(process) => process.rustflags,
            Kind::Wasmtime(wasmtime) => wasmtime.rustflags,
            Kind::QemuXtensa(_) => crate::xtensa::RUST_FLAGS,
        }
    }

    /// What the runner of this kind calls its target in every answer.
    pub fn answers_as(&self) -> &'static str {
        match self {
            Kind::Process(_) => "native",
            Kind::Wasmtime(_) => "wasm",
            Kind::QemuXtensa(_) => "xtensa",
        }
    }
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

/// Everything in `ci/targets.toml`.
#[derive(Debug)]
struct Defined {
    tools: Vec<&'static Tool>,
    targets: Vec<Target>,
}

static DEFINED: OnceLock<Defined> = OnceLock::new();

/// Reads `ci/targets.toml`, once for the process: targets are the same from its start to its end.
///
/// # Errors
/// If the file is missing or wrong; the sentence names the line.
pub fn load(workspace: &Workspace) -> Result<(), Error> {
    if DEFINED.get().is_none() {
        let defined = read(workspace)?;
        DEFINED.get_or_init(|| defined);
    }
    Ok(())
}

/// Checks the text of a `ci/targets.toml` without taking it for this process's targets. What it names stays in memory to
/// the process's end, as targets do.
///
/// # Errors
/// As a sentence, without the file's name.
pub fn check(text: &str) -> Result<(), String> {
    file::parse(text).map(|_| ())
}

fn read(workspace: &Workspace) -> Result<Defined, Error> {
    let path = workspace.root.join("ci/targets.toml");
    let malformed = |message: String| Error::Malformed { path: path.clone(), message };
    let defined = file::parse(&read_text(&path)?).map_err(malformed)?;
    for target in &defined.targets {
        if let Kind::QemuXtensa(board) = &target.kind
            && !workspace.root.join(board.script).is_file()
        {
            return Err(malformed(format!("target `{}`: there is no linker script {}", target.name, board.script)));
        }
    }
    Ok(defined)
}

fn defined() -> &'static Defined {
    DEFINED.get_or_init(|| Workspace::find().and_then(|workspace| read(&workspace)).unwrap_or_else(|e| panic!("{e}")))
}

/// Every target.
///
/// # Panics
/// If the file is wrong and [`load`], whose error says how, was not called before.
pub fn targets() -> &'static [Target] {
    &defined().targets
}

/// Every tool that targets name.
///
/// # Panics
/// As [`targets`].
pub fn tools() -> &'static [&'static Tool] {
    &defined().tools
}

impl Target {
    /// The target of this name.
    pub fn named(name: &str) -> Option<&'static Target> {
        targets().iter().find(|target| target.name == name)
    }

    /// Clock of the chip that an emulated target stands for, in Hz.
    pub fn hz(&self) -> Option<f64> {
        match &self.kind {
            Kind::QemuXtensa(board) => Some(board.hz as f64),
            _ => None,
        }
    }
}

/// The model that turns counted instructions into time, in words; it stands beside every number made with it. Of the
/// emulated targets that `concerned` names, or of all where it names none.
pub fn assumption(concerned: &dyn Fn(&str) -> bool) -> String {
    let mut clocks: Vec<(&str, f64)> =
        targets().iter().filter_map(|target| Some((target.name, target.hz()? / 1e6))).collect();
    if clocks.iter().any(|(name, _)| concerned(name)) {
        clocks.retain(|(name, _)| concerned(name));
    }
    let one = clocks.iter().all(|(_, mhz)| *mhz == clocks[0].1);
    let words: Vec<String> = match one {
        true => clocks.iter().take(1).map(|(_, mhz)| format!("{mhz} MHz")).collect(),
        false => clocks.iter().map(|(name, mhz)| format!("{name} {mhz} MHz")).collect(),
    };
    format!("modelled: {} at 1 instruction per cycle, no wait for memory or cache", words.join(", "))
}

/// One target with one variant: what is built, run, verified and measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// Where.
    pub target: &'static Target,
    /// With which kernels.
    pub variant: &'static Variant,
}

impl Cell {
    /// Every cell there is.
    pub fn all() -> impl Iterator<Item = Cell> {
        targets().iter().flat_map(|target| target.variants.iter().map(move |variant| Cell { target, variant }))
    }

    /// The cell of these names.
    pub fn named(target: &str, variant: &str) -> Option<Cell> {
        Cell::all().find(|cell| cell.target.name == target && cell.variant.name == variant)
    }

    /// CPU features that the variant needs and this machine lacks.
    pub fn missing_cpu(&self, features: &str) -> Vec<&'static str> {
        let has = |name: &str| features.split_whitespace().any(|feature| feature == name);
        self.variant.cpu.iter().copied().filter(|name| !has(name)).collect()
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.target.name, self.variant.name))
    }
}

#[cfg(test)]
mod tests {
    use super::{Cell, read};
    use crate::workspace::{Workspace, write_atomic};

    #[test]
    fn a_linker_script_that_is_not_there_is_told_before_anything_is_built() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace { root: folder.path().into(), target: folder.path().into() };
        let text = include_str!("../../../ci/targets.toml");
        write_atomic(&workspace.root.join("ci/targets.toml"), text.as_bytes()).unwrap();
        let error = read(&workspace).unwrap_err().to_string();
        assert!(error.ends_with("target `xtensa`: there is no linker script crates/runners/xtensa/link.ld"), "{error}");
        write_atomic(&workspace.root.join("crates/runners/xtensa/link.ld"), b"").unwrap();
        assert!(read(&workspace).is_ok());
    }

    #[test]
    fn cells_are_found_by_name_and_by_nothing_else() {
        for cell in Cell::all() {
            assert_eq!(Cell::named(cell.target.name, cell.variant.name), Some(cell));
        }
        assert_eq!(Cell::named("native", "simd128"), None);
    }

    #[test]
    fn a_cpu_feature_is_a_whole_word() {
        let avx2 = Cell::named("native", "avx2").unwrap();
        assert_eq!(avx2.missing_cpu("sse avx avx512f"), ["avx2"]);
        assert!(avx2.missing_cpu("fpu avx2 bmi1").is_empty());
    }
}
