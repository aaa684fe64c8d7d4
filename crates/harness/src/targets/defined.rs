//! The targets of this checkout, read once per process from `ci/targets.toml`.

use super::file::{self, Defined};
use super::target::{Cell, Target};
use crate::workspace::error::Error;
use crate::workspace::tools::Tool;
use crate::workspace::{Workspace, read_text};
use std::sync::OnceLock;

static DEFINED: OnceLock<Defined> = OnceLock::new();

/// Reads `ci/targets.toml`, once per process: targets do not change while it runs.
///
/// # Errors
/// If the file is missing or malformed; the message names the line.
pub fn load(workspace: &Workspace) -> Result<(), Error> {
    if DEFINED.get().is_none() {
        let defined = read(workspace)?;
        DEFINED.get_or_init(|| defined);
    }
    Ok(())
}

/// Checks the text of a `ci/targets.toml` without making its targets those of this process. Its names stay allocated
/// until the process ends, as those of targets do.
///
/// # Errors
/// The message, without the file's name.
pub fn check(text: &str) -> Result<(), String> {
    file::parse(text).map(|_| ())
}

fn read(workspace: &Workspace) -> Result<Defined, Error> {
    let path = workspace.root.join("ci/targets.toml");
    let malformed = |message: String| Error::Malformed { path: path.clone(), message };
    let defined = file::parse(&read_text(&path)?).map_err(malformed)?;
    for target in &defined.targets {
        target.kind.check(workspace).map_err(|what| malformed(format!("target `{}`: {what}", target.name)))?;
    }
    Ok(defined)
}

fn defined() -> &'static Defined {
    DEFINED.get_or_init(|| Workspace::find().and_then(|workspace| read(&workspace)).unwrap_or_else(|e| panic!("{e}")))
}

/// Every target.
///
/// # Panics
/// If the file is malformed and [`load`], which reports that as an error, was not called before.
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
}

impl Cell {
    /// All cells.
    pub fn all() -> impl Iterator<Item = Cell> {
        targets().iter().flat_map(|target| target.variants.iter().map(move |variant| Cell { target, variant }))
    }

    /// The cell of these names.
    pub fn named(target: &str, variant: &str) -> Option<Cell> {
        Cell::all().find(|cell| cell.target.name == target && cell.variant.name == variant)
    }
}

/// The clock model that converts counted instructions to time, as text; it accompanies every number derived from it.
/// For the emulated targets that `concerned` selects, or for all if it selects none. Without waits for memory.
pub fn clock_model(concerned: &dyn Fn(&str) -> bool) -> String {
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
    format!("modelled: {} at 1 instruction per cycle", words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::{Cell, read, tools};
    use crate::workspace::setup::advice;
    use crate::workspace::{Workspace, write_atomic};

    #[test]
    fn a_missing_linker_script_is_reported_before_the_build() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace { root: folder.path().into(), target: folder.path().into() };
        let text = include_str!("../../../../ci/targets.toml");
        write_atomic(&workspace.root.join("ci/targets.toml"), text.as_bytes()).unwrap();
        let error = read(&workspace).unwrap_err().to_string();
        assert!(error.ends_with("target `xtensa`: there is no linker script crates/runners/xtensa/link.ld"), "{error}");
        let scripts = text.lines().filter_map(|line| line.strip_prefix("script = \"")?.strip_suffix('"'));
        for script in scripts {
            assert!(read(&workspace).is_err(), "{script} is missing");
            write_atomic(&workspace.root.join(script), b"").unwrap();
        }
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

    #[test]
    fn advice_names_the_packages() {
        let advice_for = |name: &str| advice(tools().iter().find(|tool| tool.name == name).unwrap());
        assert!(advice_for("qemu-xtensa").ends_with("qemu-system-misc"));
        assert!(advice_for("rust-wasm32").starts_with("rustup target add wasm32-unknown-unknown; or on Debian 12"));
    }
}
