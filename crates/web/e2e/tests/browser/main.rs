//! The page in Chromium: what a visitor does, and what can go wrong.
//!
//! It has its own harness, because one browser serves all tests and some are skipped with a reason; `cargo xtask test` parses
//! the output. `BITSTATE_WEB` names a built page; without it, `cargo xtask web` builds one.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and prints its verdict")]

mod driver;
mod faults;
mod looks;
mod network;
mod page;
mod server;
mod speed;
mod stories;

use anyhow::{Context, ensure};
use page::Page;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Outcome of a test.
pub enum Verdict {
    /// All checks hold.
    Passed,
    /// It could not run here, for this reason.
    Skipped(String),
}

type Test = (&'static str, fn(&Page<'_>) -> anyhow::Result<Verdict>);

const TESTS: &[&[Test]] = &[stories::TESTS, faults::TESTS, looks::TESTS, network::TESTS];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let names: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let chosen = |(name, _): &&Test| names.is_empty() || names.iter().any(|part| name.contains(part.as_str()));
    let tests: Vec<&Test> = TESTS.iter().copied().flatten().filter(chosen).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        tests.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    if arguments.iter().any(|argument| argument == "--measure") {
        return match measure() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                println!("error: {error:#}");
                ExitCode::FAILURE
            }
        };
    }
    println!("running {} tests", tests.len());
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    let mut one = |name: &str, verdict: anyhow::Result<Verdict>| match verdict {
        Ok(Verdict::Passed) => {
            passed += 1;
            println!("test {name} ... ok");
        }
        Ok(Verdict::Skipped(reason)) => {
            skipped += 1;
            println!("test {name} ... ignored, {reason}");
        }
        Err(error) => {
            failed += 1;
            println!("test {name} ... FAILED\n    {error:#}");
        }
    };
    match all(&tests, &mut one) {
        Ok(()) => {}
        Err(error) => one("the browser", Err(error)),
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {verdict}. {passed} passed; {failed} failed; {skipped} ignored; 0 measured; 0 filtered out");
    ExitCode::from(u8::from(failed > 0))
}

fn all(tests: &[&Test], one: &mut impl FnMut(&str, anyhow::Result<Verdict>)) -> anyhow::Result<()> {
    for program in ["/usr/bin/chromium", "/usr/bin/chromedriver"] {
        if !Path::new(program).exists() {
            let reason =
                format!("{program} is not installed: `cargo xtask setup` installs chromium and chromium-driver");
            tests.iter().for_each(|(name, _)| one(name, Ok(Verdict::Skipped(reason.clone()))));
            return Ok(());
        }
    }
    let folder = built()?;
    let scratch = tempfile::tempdir()?;
    let driver = driver::Driver::start()?;
    for (name, test) in tests {
        // A new profile per test, so that nothing cached by one test helps another.
        let page = Page::new(&driver, &folder, &scratch.path().join(name.replace(' ', "-")))?;
        one(name, test(&page));
    }
    Ok(())
}

/// Prints how fast the page is.
fn measure() -> anyhow::Result<()> {
    let folder = built()?;
    let scratch = tempfile::tempdir()?;
    let driver = driver::Driver::start()?;
    let link = speed::link(&Page::new(&driver, &folder, &scratch.path().join("link"))?)?;
    for round in 1..=speed::ROUNDS {
        let page = Page::new(&driver, &folder, &scratch.path().join(round.to_string()))?;
        let speed::Load { first, shown, worker } = speed::load(&page, &link)?;
        println!(
            "first token {first:.0} ms after navigation; {shown:.0} tokens/s on the page, {:.2} of {worker:.0} in the worker",
            shown / worker
        );
    }
    Ok(())
}

/// The root of the workspace.
pub fn root() -> PathBuf {
    // Browsers reject paths that contain `..`.
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(3).unwrap_or(here).to_path_buf()
}

/// Folder for screenshots and downloaded packages.
pub fn target() -> PathBuf {
    root().join("target/bitstate/web-tests")
}

/// The page to test.
fn built() -> anyhow::Result<PathBuf> {
    if let Some(folder) = std::env::var_os("BITSTATE_WEB") {
        return Ok(folder.into());
    }
    let folder = target().join("page");
    let mut build = Command::new(env!("CARGO"));
    build.current_dir(root()).args(["xtask", "web", "--out"]).arg(&folder);
    ensure!(build.status().context("cannot run cargo")?.success(), "the page cannot be built");
    Ok(folder)
}
