//! Checks of a commit in addition to its tests: spelling, licences and sources of dependencies, no tracked build outputs.

use anyhow::{Context as _, ensure};
use bitstate_harness::targets::tools;
use bitstate_harness::workspace::Workspace;
use bitstate_harness::workspace::cargo::cargo;
use bitstate_harness::workspace::environment::command;
use bitstate_harness::workspace::log::logged;
use bitstate_harness::workspace::tools::Tool;
use spdx::{Expression, LicenseReq, ParseMode};
use std::collections::BTreeSet;
use std::path::Path;

/// The spell checker from `ci/targets.toml`.
pub fn spell_checker() -> Option<&'static Tool> {
    named("codespell")
}

/// The tool that drives the browser in the tests of the page.
pub fn driver() -> Option<&'static Tool> {
    named("chromedriver")
}

fn named(name: &str) -> Option<&'static Tool> {
    tools().iter().copied().find(|tool| tool.name == name)
}

/// The tools that only the tests need.
pub fn check_tools() -> Vec<&'static Tool> {
    spell_checker().into_iter().chain(driver()).chain(named("python-venv")).collect()
}

/// Licences compatible with MIT and Apache-2.0 in a distributed program.
const ALLOWED: [&str; 14] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    // LLVM's licence before it adopted Apache-2.0.
    "NCSA",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Checks the spelling of all texts; `.codespellrc` lists the exceptions.
pub fn spelling(workspace: &Workspace) -> anyhow::Result<()> {
    let tool = spell_checker().context("ci/targets.toml has no tool `codespell`")?;
    let found = tool.find().context("codespell is not installed: `cargo xtask setup` says how to install it")?;
    let mut check = command(found.path);
    logged(workspace, "spelling", check.current_dir(&workspace.root).args(["--config", ".codespellrc", "."]))?;
    Ok(())
}

/// Checks that no file below a cargo `target` folder is tracked: benches once left some in the crates.
pub fn no_outputs(workspace: &Workspace) -> anyhow::Result<()> {
    let mut list = command("git");
    list.current_dir(&workspace.root).args(["ls-files", "-z"]);
    let files = logged(workspace, "tracked files", &mut list)?.stdout;
    let outputs: Vec<&str> = files.split('\0').filter(|file| is_output(file)).collect();
    let shown = outputs.iter().take(5).copied().collect::<Vec<_>>().join(", ");
    ensure!(
        outputs.is_empty(),
        "{} tracked files are build outputs: {shown}; `git rm -r --cached` them",
        outputs.len()
    );
    Ok(())
}

/// Whether a tracked path is inside a cargo build folder: `target` next to a manifest, not a module of that name.
fn is_output(path: &str) -> bool {
    let mut folders: Vec<&str> = path.split('/').collect();
    folders.pop();
    folders.iter().enumerate().any(|(i, folder)| *folder == "target" && !folders[..i].contains(&"src"))
}

/// Checks licence and source of all dependencies, including those of tests and optional features.
pub fn dependencies(workspace: &Workspace) -> anyhow::Result<()> {
    let mut tree = cargo(workspace, "tree")?;
    tree.args(["--workspace", "--all-features", "--locked", "--prefix", "none", "--format", "{p}|{l}"]);
    let text = logged(workspace, "dependencies", &mut tree)?.stdout;
    let packages: BTreeSet<&str> = text.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    ensure!(packages.len() > 50, "`cargo tree` names {} packages, which cannot be all", packages.len());
    let wrong: Vec<String> = packages.iter().filter_map(|line| objection(line, &workspace.root)).collect();
    ensure!(wrong.is_empty(), "{}", wrong.join("; "));
    Ok(())
}

/// Why a package may not be used, if so. The line is `NAME vVERSION`, then attributes in parentheses, such as another
/// source than crates.io; then the licence.
fn objection(line: &str, root: &Path) -> Option<String> {
    let (package, licence) = line.split_once('|')?;
    let mut parts = package.split(" (");
    let name = parts.next()?;
    let foreign = parts
        .map(|part| part.trim_end_matches(')'))
        .find(|part| *part != "proc-macro" && !Path::new(part).starts_with(root));
    if let Some(source) = foreign {
        return Some(format!("{name} comes from {source}, not from crates.io"));
    }
    if licence.is_empty() {
        return Some(format!("{name} declares no licence"));
    }
    // Old manifests separate alternatives by a slash.
    let expression = match Expression::parse_mode(licence, ParseMode::LAX) {
        Ok(expression) => expression,
        Err(error) => return Some(format!("the licence of {name} cannot be read: {error}")),
    };
    let allowed = |licence: &LicenseReq| ALLOWED.contains(&licence.to_string().as_str());
    (!expression.evaluate(allowed)).then(|| format!("{name} is under {licence}, which is not an allowed licence"))
}

#[cfg(test)]
mod tests {
    use super::{is_output, objection};
    use std::path::Path;

    #[test]
    fn an_output_is_what_lies_in_cargos_folder() {
        assert!(is_output("crates/engine/target/criterion/base/sample.json"));
        assert!(is_output("target/release/x"));
        assert!(!is_output("crates/x/src/target/file.rs"));
        assert!(!is_output("crates/harness/src/targets/target.rs"));
    }

    #[test]
    fn a_licence_or_source_that_is_not_allowed_is_named() {
        let of = |line: &str| objection(line, Path::new("/checkout"));
        for good in ["MIT", "MIT OR Apache-2.0", "MIT/Apache-2.0", "GPL-3.0-only OR MIT", "(MIT OR ISC) AND Zlib"] {
            assert_eq!(of(&format!("x v1.0.0|{good}")), None);
        }
        assert_eq!(of("x v1.0.0 (proc-macro)|Apache-2.0 WITH LLVM-exception"), None);
        assert_eq!(of("x v1.0.0 (/checkout/crates/x)|MIT"), None);
        for bad in ["GPL-3.0-only", "MIT AND GPL-2.0-or-later", "Nonsense-9", ""] {
            assert!(of(&format!("x v1.0.0|{bad}")).unwrap().contains("x v1.0.0"), "{bad}");
        }
        assert!(of("x v1.0.0 (/elsewhere/x)|MIT").unwrap().contains("comes from /elsewhere/x"));
        assert!(of("x v1.0.0 (https://example.org/x#1)|MIT").unwrap().contains("comes from https:"));
    }
}
