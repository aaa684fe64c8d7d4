//! What is measured and how often: `ci/workloads.toml`.

use crate::targets::Cell;
use crate::workspace::error::Error;
use crate::workspace::strict::{self, at, repeated, unknown};
use crate::workspace::{Workspace, read_text};
use bitstate_protocol::{Sampling, Shape, Workload};
use serde::Deserialize;
use std::sync::OnceLock;
use toml::Spanned;

/// Path from the workspace's root.
pub const FILE: &str = "ci/workloads.toml";

/// Number of samples of a timed quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Samples {
    /// In a quick run.
    pub quick: u32,
    /// In a full run.
    pub full: u32,
}

impl Samples {
    /// The number for a quick or a full run.
    pub fn of(self, quick: bool) -> u32 {
        if quick { self.quick } else { self.full }
    }
}

/// The shapes that kernels are measured with on their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shapes {
    /// Ternary matrices.
    pub ternary: Vec<Shape>,
    /// Numbers of rows of activations processed at once.
    pub tokens: Vec<u32>,
    /// Heads.
    pub heads: Vec<Shape>,
}

/// The measurement settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Samples of a timed workload.
    pub samples: Samples,
    /// Samples of single kernels and of the parts of a token.
    pub probe_samples: Samples,
    /// Tokens generated where instructions are counted, by the gate and by a quick run of an emulated target: counts
    /// differ little from token to token.
    pub counted_tokens: u32,
    /// Shapes of kernels that are timed.
    pub timed: Shapes,
    /// Shapes of kernels whose instructions are counted, by an emulator with little memory and time.
    pub counted: Shapes,
}

/// A golden case that is also measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Name of the case, and of the workload.
    pub case: String,
    /// What it is.
    pub title: String,
    /// The variants that it is measured with; empty: all.
    pub variants: Vec<String>,
    line: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    samples: Spanned<Samples>,
    probe_samples: Spanned<Samples>,
    counted_tokens: std::num::NonZeroU32,
    workload: Vec<Entry>,
    kernels: Kernels,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    case: Spanned<String>,
    title: String,
    variants: Option<Spanned<Vec<String>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Kernels {
    timed: Spanned<ShapesEntry>,
    counted: Spanned<ShapesEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShapesEntry {
    ternary: Vec<(u32, u32)>,
    tokens: Vec<u32>,
    heads: Vec<(u32, u32)>,
}

/// Parses the file's text.
///
/// # Errors
/// The message, without the file's name.
pub fn parse(text: &str) -> Result<(Settings, Vec<Named>), String> {
    let file: File = strict::parse(text)?;
    repeated(text, "the case", file.workload.iter().map(|entry| &entry.case))?;
    if file.workload.is_empty() {
        return Err("there is no [[workload]]: nothing would be measured".into());
    }
    for samples in [&file.samples, &file.probe_samples] {
        let Samples { quick, full } = *samples.get_ref();
        // Quartiles need at least three.
        if !(3..=full).contains(&quick) {
            let message = format!("quick = {quick} and full = {full}: at least 3, and full at least as many as quick");
            return Err(at(text, &samples.span(), &message));
        }
    }
    let settings = Settings {
        samples: file.samples.into_inner(),
        probe_samples: file.probe_samples.into_inner(),
        counted_tokens: file.counted_tokens.get(),
        timed: shapes(text, file.kernels.timed)?,
        counted: shapes(text, file.kernels.counted)?,
    };
    let named: Result<Vec<Named>, String> = file.workload.into_iter().map(|entry| named(text, entry)).collect();
    Ok((settings, named?))
}

fn named(text: &str, entry: Entry) -> Result<Named, String> {
    let line = text[..entry.case.span().start].lines().count();
    if let Some(variants) = entry.variants.as_ref().filter(|variants| variants.get_ref().is_empty()) {
        return Err(at(text, &variants.span(), "no variant: without the key, the workload is measured with all"));
    }
    let variants = entry.variants.map(Spanned::into_inner).unwrap_or_default();
    Ok(Named { line, case: entry.case.into_inner(), title: entry.title, variants })
}

fn shapes(text: &str, entry: Spanned<ShapesEntry>) -> Result<Shapes, String> {
    let span = entry.span();
    let ShapesEntry { ternary, tokens, heads } = entry.into_inner();
    let all = |list: &[(u32, u32)]| list.iter().map(|&(rows, cols)| Shape { rows, cols }).collect::<Vec<_>>();
    let (ternary, heads) = (all(&ternary), all(&heads));
    let nothing = |shape: &Shape| shape.rows == 0 || shape.cols == 0;
    if ternary.is_empty() || heads.is_empty() || tokens.is_empty() {
        return Err(at(text, &span, "`ternary`, `tokens` and `heads` must not be empty"));
    }
    if ternary.iter().chain(&heads).any(nothing) || tokens.contains(&0) {
        return Err(at(text, &span, "a shape without rows or columns, or 0 tokens, cannot be measured"));
    }
    Ok(Shapes { ternary, tokens, heads })
}

/// Reads the workloads of a workspace.
///
/// # Errors
/// If the file is missing or malformed; the message names the line.
pub fn read(workspace: &Workspace) -> Result<(Settings, Vec<Named>), Error> {
    let path = workspace.root.join(FILE);
    parse(&read_text(&path)?).map_err(|message| Error::Malformed { path, message })
}

/// A workspace's workloads, each checked to be a case that exists and can be measured.
///
/// # Errors
/// As [`read`], for a workload whose case does not exist or is not greedy, and for a variant that no target has.
pub fn check<'a>(
    workspace: &Workspace,
    cases: impl Iterator<Item = &'a Workload> + Clone,
) -> Result<Vec<Named>, Error> {
    let (_, named) = read(workspace)?;
    for workload in &named {
        let malformed = |what: String| {
            let message = format!("line {}: {what}", workload.line);
            Err(Error::Malformed { path: workspace.root.join(FILE), message })
        };
        match cases.clone().find(|case| case.case == workload.case) {
            None => {
                let what = unknown("case in golden/cases.toml", &workload.case, cases.map(|case| case.case.as_str()));
                return malformed(what);
            }
            Some(case) if case.sampling != Sampling::Greedy => {
                return malformed(format!("case `{}` is not greedy: what is timed must be", workload.case));
            }
            Some(_) => {}
        }
        let exists = |name: &&String| Cell::all().any(|cell| cell.variant.name == **name);
        if let Some(variant) = workload.variants.iter().find(|name| !exists(name)) {
            return malformed(unknown("variant of a target", variant, Cell::all().map(|cell| cell.variant.name)));
        }
    }
    Ok(named)
}

static SETTINGS: OnceLock<Settings> = OnceLock::new();

/// Reads the settings, once per process.
///
/// # Errors
/// As [`read`].
pub fn load(workspace: &Workspace) -> Result<(), Error> {
    if SETTINGS.get().is_none() {
        let (settings, _) = read(workspace)?;
        SETTINGS.get_or_init(|| settings);
    }
    Ok(())
}

/// The measurement settings.
///
/// # Panics
/// If the file is malformed and [`load`], which reports that as an error, was not called before.
pub fn settings() -> &'static Settings {
    let read = || Workspace::find().and_then(|workspace| read(&workspace));
    SETTINGS.get_or_init(|| read().unwrap_or_else(|error| panic!("{error}")).0)
}

#[cfg(test)]
mod tests {
    use super::{check, parse};
    use crate::definitions::golden::Golden;
    use crate::workspace::{Workspace, write_atomic};

    const COMMITTED: &str = include_str!("../../../../ci/workloads.toml");

    fn refuse(from: &str, to: &str) -> String {
        let changed = COMMITTED.replacen(from, to, 1);
        assert_ne!(changed, COMMITTED);
        parse(&changed).unwrap_err()
    }

    #[test]
    fn the_file_is_strict_and_errors_name_the_line() {
        let (settings, named) = parse(COMMITTED).unwrap();
        assert_eq!(
            (settings.samples.of(true), settings.samples.of(false)),
            (settings.samples.quick, settings.samples.full)
        );
        assert!(COMMITTED.lines().nth(named[0].line - 1).unwrap().contains(&named[0].case));
        assert!(refuse("\ntitle", "\ntitel").contains("there is no key `titel`; did you mean `title`?"));
        assert!(refuse("[kernels.timed]", "[kernels.tmied]").contains("did you mean `timed`?"));
        assert!(refuse("samples = { quick = 10", "samples = { quick = 2").contains("quick = 2 and full = 20"));
        assert!(refuse("counted_tokens = 8", "counted_tokens = 0").contains("nonzero"));
        assert!(refuse("[256, 256]", "[0, 256]").contains("without rows"));
        assert!(refuse("variants = [\"avx2\"", "variants = []  # \"avx2\"").contains("no variant"));
        let repeated = COMMITTED.replace(&named[1].case, &named[0].case);
        assert!(parse(&repeated).unwrap_err().contains("is there twice"));
    }

    #[test]
    fn a_workload_is_a_greedy_case_that_is_there() {
        let workspace = Workspace::find().unwrap();
        let golden = Golden::load(&workspace).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let copy = Workspace { root: folder.path().into(), target: folder.path().into() };
        let refused = |from: &str, to: &str| {
            let text = COMMITTED.replacen(from, to, 1);
            write_atomic(&copy.root.join(super::FILE), text.as_bytes()).unwrap();
            check(&copy, golden.cases.iter().map(|case| &case.workload)).map_err(|error| error.to_string())
        };
        assert_eq!(refused("", "").unwrap().len(), COMMITTED.matches("\n[[workload]]").count());
        assert!(
            refused("16-tokens-greedy", "16-tokens-greddy")
                .unwrap_err()
                .contains("did you mean `default/16-tokens-greedy`?")
        );
        assert!(refused("\"relaxed_simd\"", "\"relaxed-simd\"").unwrap_err().contains("did you mean `relaxed_simd`?"));
        assert!(refused("16-tokens-greedy", "16-tokens-seeded").unwrap_err().contains("is not greedy"));
    }
}
