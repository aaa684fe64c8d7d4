//! The text of `ci/targets.toml`, read strictly.

use super::kind::{Clock, Kind, Variant};
use super::kinds::{NAMES, TargetEntry, VariantEntry};
use super::target::Target;
use crate::workspace::strict::{self, at, repeated, unknown};
use crate::workspace::tools::{Probe, Tool};
use serde::Deserialize;
use std::num::NonZeroU32;
use toml::Spanned;

/// Everything in `ci/targets.toml`.
#[derive(Debug)]
pub(super) struct Defined {
    pub tools: Vec<&'static Tool>,
    pub targets: Vec<Target>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tool: Vec<ToolEntry>,
    target: Vec<TargetEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToolEntry {
    name: Spanned<String>,
    title: String,
    packages: Vec<String>,
    record: Option<Spanned<String>>,
    program: Option<String>,
    version: Option<String>,
    rust_std: Option<String>,
    #[serde(default)]
    or_debian: bool,
    python_module: Option<String>,
    debian: Option<Debian>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Debian {
    Rustc,
    Source,
}

/// Versions in every run's provenance, beside the records of tools.
const ALWAYS_RECORDED: [&str; 2] = ["rustc", "wasmtime"];

/// Names and texts live as long as the process, so they are leaked.
fn keep(text: String) -> &'static str {
    text.leak()
}

fn keep_all(texts: Vec<String>) -> Vec<&'static str> {
    texts.into_iter().map(keep).collect()
}

pub(super) fn parse(text: &str) -> Result<Defined, String> {
    let file: File = strict::parse(text)?;
    repeated(text, "tool", file.tool.iter().map(|tool| &tool.name))?;
    check_records(text, &file.tool)?;
    repeated(text, "target", file.target.iter().map(|target| &target.name))?;
    repeated(text, "the colour", file.target.iter().filter_map(|target| target.colour.as_ref()))?;
    let mut tools: Vec<&'static Tool> = Vec::new();
    for entry in file.tool {
        tools.push(Box::leak(Box::new(tool(text, entry)?)));
    }
    let targets = file.target.into_iter().map(|entry| target(text, entry, &tools)).collect::<Result<_, _>>()?;
    Ok(Defined { tools, targets })
}

/// A run records one version per record name: of two tools with the same one, the first would be lost silently.
fn check_records(text: &str, tools: &[ToolEntry]) -> Result<(), String> {
    let records = tools.iter().filter_map(|tool| Some((tool.name.get_ref(), tool.record.as_ref()?)));
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for (name, record) in records {
        let wrong = |owner: &str| {
            let message = format!("tool `{name}` has the record `{}`, which {owner}", record.get_ref());
            at(text, &record.span(), &format!("{message}: give it another, or none where it is the same program"))
        };
        if ALWAYS_RECORDED.contains(&record.get_ref().as_str()) {
            return Err(wrong("is the harness's own"));
        }
        if let Some((other, _)) = seen.iter().find(|(_, taken)| taken == record.get_ref()) {
            return Err(wrong(&format!("tool `{other}` has already")));
        }
        seen.push((name, record.get_ref()));
    }
    Ok(())
}

fn tool(text: &str, entry: ToolEntry) -> Result<Tool, String> {
    let wrong = |message: &str| at(text, &entry.name.span(), &format!("tool `{}` {message}", entry.name.get_ref()));
    let probe = match (entry.program, entry.rust_std, entry.python_module, entry.debian) {
        (Some(program), None, None, None) => {
            let mark = entry.version.ok_or_else(|| wrong("needs `version`: a word of the line that says it"))?;
            Probe::Program { name: keep(program), mark: keep(mark) }
        }
        (None, Some(triple), None, None) => Probe::Library { triple: keep(triple), or_debian: entry.or_debian },
        (None, None, Some(module), None) => Probe::PythonModule { name: keep(module) },
        (None, None, None, Some(Debian::Rustc)) => Probe::DebianRust,
        (None, None, None, Some(Debian::Source)) => Probe::RustSource,
        _ => {
            let keys = "`program`, `rust_std`, `python_module` and `debian`";
            return Err(wrong(&format!("needs one of {keys}, which say how it is found")));
        }
    };
    if entry.packages.is_empty() && !matches!(probe, Probe::Library { or_debian: false, .. }) {
        return Err(wrong("needs `packages`: what is to be installed where it is missing"));
    }
    Ok(Tool {
        name: keep(entry.name.into_inner()),
        title: keep(entry.title),
        packages: keep_all(entry.packages),
        record: entry.record.map(|record| keep(record.into_inner())),
        probe,
    })
}

fn target(text: &str, mut entry: TargetEntry, tools: &[&'static Tool]) -> Result<Target, String> {
    check_name(text, "target", &entry.name)?;
    let kind = entry.take_kind();
    let name_span = entry.name.span();
    let wrong = |message: &str| at(text, &name_span, &format!("target `{}` {message}", entry.name.get_ref()));
    let find = |name: &Spanned<String>| {
        let found = tools.iter().copied().find(|tool| tool.name == name.get_ref());
        let names = tools.iter().map(|tool| tool.name);
        found.ok_or_else(|| at(text, &name.span(), &unknown("tool", name.get_ref(), names)))
    };
    let needs: Vec<_> = entry.tools.iter().map(find).collect::<Result<_, _>>()?;
    let count_needs = entry.count_tools.iter().map(find).collect::<Result<_, _>>()?;
    let recorded = || ALWAYS_RECORDED.into_iter().chain(tools.iter().filter_map(|tool| tool.record));
    for version in &entry.versions {
        if !recorded().any(|name| name == version.get_ref()) {
            return Err(at(text, &version.span(), &unknown("record of a tool", version.get_ref(), recorded())));
        }
    }
    if !entry.versions.iter().any(|version| version.get_ref().starts_with("rustc")) {
        return Err(wrong("needs its compiler among `versions`: what is counted depends on it"));
    }
    if entry.colour.is_some() != entry.measured {
        return Err(wrong("needs a `colour` if it is measured, and none otherwise: it is in no chart"));
    }
    let colour = entry.colour.as_ref().map_or(Ok((0, 0, 0)), |colour| {
        parse_colour(colour.get_ref()).ok_or_else(|| at(text, &colour.span(), "a colour is written `#rrggbb`"))
    })?;
    let kind = kind.ok_or_else(|| {
        let kinds: Vec<String> = NAMES.iter().map(|name| format!("[target.{name}]")).collect();
        let (first, last) = kinds.split_at(kinds.len() - 1);
        wrong(&format!("needs one of {} and {}, which say how it is built and run", first.join(", "), last.concat()))
    })?;
    let clock = kind.clock();
    if kind.is_timed_somewhere() == entry.reads.is_empty() || entry.reads.contains(&0) {
        return Err(wrong("needs `reads` of at least 1 byte if it is timed, and none otherwise"));
    }
    if entry.variant.is_empty() {
        return Err(wrong("needs a [[target.variant]]"));
    }
    repeated(text, "variant", entry.variant.iter().map(|variant| &variant.name))?;
    let variants = entry.variant.into_iter().map(|entry| variant(text, entry, &*kind)).collect::<Result<_, _>>()?;
    Ok(Target {
        name: keep(entry.name.into_inner()),
        title: keep(entry.title),
        colour,
        measured: entry.measured,
        counted: entry.measured && entry.counted,
        samples: entry.samples.map(NonZeroU32::get),
        clock,
        needs: if kind.needs_tools() { needs } else { Vec::new() },
        count_needs,
        versions: entry.versions.into_iter().map(|version| keep(version.into_inner())).collect(),
        memory: keep(entry.memory),
        reads: if clock == Clock::Wall { entry.reads } else { Vec::new() },
        kind,
        variants,
    })
}

fn variant(text: &str, entry: VariantEntry, kind: &dyn Kind) -> Result<Variant, String> {
    check_name(text, "variant", &entry.name)?;
    let own = !entry.rustflags.is_empty() || !entry.features.is_empty();
    if own && !kind.builds_each_variant() {
        let advice = "all variants of this target are in one program; another build of it is a target of its own";
        let message = format!("variant `{}` cannot have `rustflags` or `features`: {advice}", entry.name.get_ref());
        return Err(at(text, &entry.name.span(), &message));
    }
    Ok(Variant {
        name: keep(entry.name.into_inner()),
        cpu: keep_all(entry.cpu),
        rustflags: keep(entry.rustflags),
        features: keep(entry.features),
    })
}

/// Names appear in file names, in requests and in patterns.
fn check_name(text: &str, kind: &str, name: &Spanned<String>) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if !name.get_ref().is_empty() && name.get_ref().chars().all(plain) {
        return Ok(());
    }
    let message = format!("`{}` cannot name a {kind}: small letters, digits, `_` and `-` can", name.get_ref());
    Err(at(text, &name.span(), &message))
}

fn parse_colour(text: &str) -> Option<(u8, u8, u8)> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
    let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
    Some((part(0)?, part(2)?, part(4)?))
}

#[cfg(test)]
mod tests {
    use super::parse;

    const COMMITTED: &str = include_str!("../../../../ci/targets.toml");

    /// The error if the first `from` of the committed file is replaced with `to`.
    fn refuse(from: &str, to: &str) -> String {
        let changed = COMMITTED.replacen(from, to, 1);
        assert_ne!(changed, COMMITTED);
        parse(&changed).unwrap_err()
    }

    fn line_of(what: &str) -> usize {
        COMMITTED[..COMMITTED.find(what).unwrap()].lines().count() + 1
    }

    #[test]
    fn a_misspelt_name_is_reported_with_its_line_and_the_nearest_valid_one() {
        let line = line_of("rustflags = \"-Ctarget");
        assert_eq!(
            refuse("\nrustflags = ", "\nrustflag = "),
            format!("line {line}: there is no key `rustflag`; did you mean `rustflags`?")
        );
        assert!(refuse("\n[target.wasmtime]", "\n[target.wasmtme]").contains("did you mean `wasmtime`?"));
        assert!(refuse("tools = [\"rust-wasm32\"]", "tools = [\"rust-wasm\"]").contains("did you mean `rust-wasm32`?"));
        assert!(refuse("\"QEMU\"]", "\"QEM\"]").contains("no record of a tool `QEM`; did you mean `QEMU`?"));
        assert!(refuse("debian = \"rustc\"", "debian = \"rust\"").contains("did you mean `rustc`?"));
    }

    #[test]
    fn a_stanza_that_is_not_whole_says_what_it_needs() {
        assert!(refuse("[target.process]\n", "").contains("target `native` needs one of [target.process]"));
        assert!(refuse("title = \"native x86-64\"\n", "").contains("missing field `title`"));
        assert!(refuse("packages = [\"valgrind\"]", "packages = []").contains("tool `valgrind` needs `packages`"));
        assert!(refuse("version = \"GNU ld\"\n", "").contains("tool `xtensa-ld` needs `version`"));
        assert!(
            refuse("program = \"valgrind\"\n", "")
                .contains("needs one of `program`, `rust_std`, `python_module` and `debian`")
        );
        assert!(refuse("versions = [\"rustc\", ", "versions = [").contains("needs its compiler among `versions`"));
        let told = "needs a `colour` if it is measured, and none otherwise";
        assert!(refuse("colour = \"#cc79a7\"\n", "").contains(told));
        assert!(refuse("measured = false\n", "measured = false\ncolour = \"#123456\"\n").contains(told));
        assert!(refuse("reads = []", "reads = [1]").contains("target `xtensa` needs `reads`"));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert!(refuse("name = \"wasm\"", "name = \"native\"").contains("target `native` is there twice"));
        assert!(refuse("name = \"ssse3\"", "name = \"generic\"").contains("variant `generic` is there twice"));
        assert!(refuse("name = \"wasm\"", "name = \"wasm/2\"").contains("cannot name a target"));
        assert!(refuse("#d55e00", "#0072b2").contains("the colour `#0072b2` is there twice"));
        assert!(refuse("#d55e00", "red").contains("a colour is written `#rrggbb`"));
        assert!(refuse("hz = 240_000_000", "hz = 0").contains("nonzero"));
        let line = line_of("record = \"QEMU\"");
        assert_eq!(
            refuse("record = \"QEMU\"", "record = \"rustc for WASM\""),
            format!(
                "line {line}: tool `qemu-xtensa` has the record `rustc for WASM`, which tool `rust-wasm32` has already: \
                 give it another, or none where it is the same program"
            )
        );
        assert!(refuse("record = \"QEMU\"", "record = \"wasmtime\"").contains("which is the harness's own: "));
        assert!(refuse("name = \"lut\"", "name = \"lut\"\nrustflags = \"-O\"").contains("variant `lut` cannot have"));
    }
}
