//! `cargo xtask test`: everything that must hold, and a line that counts it.

use crate::context::{Context, tell_gaps};
use crate::flags::{Flags, ReportFlags};
use bitstate_harness::build::logged;
use bitstate_harness::records::Tally;
use bitstate_harness::tools::cargo;
use bitstate_harness::workspace::Workspace;
use bitstate_harness::{Error, Exit, verify};

/// The count so far.
struct Score {
    passed: usize,
    failed: usize,
    skipped: usize,
    exit: Exit,
}

pub fn run() -> anyhow::Result<Exit> {
    let workspace = Workspace::find()?;
    let mut score = Score { passed: 0, failed: 0, skipped: 0, exit: Exit::Pass };
    let context = Context::new(&Flags::default())?;
    context.set_up()?;

    score.step(&workspace, "format", &["fmt", "--all", "--check"])?;
    let lints = ["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"];
    score.step(&workspace, "lints", &lints)?;
    // The host of the WASM guest apart: with the same features as its build, so that wasmtime is compiled once.
    for (what, which) in [
        ("tests", ["--workspace", "--exclude", "bitstate-runner-wasmtime"].as_slice()),
        ("tests of the WASM host", &["--package", "bitstate-runner-wasmtime"]),
    ] {
        let arguments = [&["test", "--release", "--no-fail-fast"], which].concat();
        if let Some(said) = score.step(&workspace, what, &arguments)? {
            score.count_tests(&said);
        }
    }

    let ready = context.prepare()?;
    let rows = verify::verify(&ready.plan()?)?;
    tell_gaps(&rows);
    let tally = Tally::of(&rows);
    println!(
        "{}  {} answers against the golden streams",
        if tally.failed == 0 { "ok" } else { "FAILED" },
        tally.passed + tally.failed
    );
    score.passed += tally.passed;
    score.failed += tally.failed;
    score.skipped += tally.skipped;
    score.exit = score.exit.worst(tally.exit);

    let check = ReportFlags { folders: Vec::new(), readme: false, check: true };
    match crate::report::run(&check) {
        Ok(exit) => score.add(exit),
        Err(error) => {
            println!("FAILED  reports and README: {error:#}");
            score.add(Exit::Harness);
        }
    }
    println!("{} passed, {} failed, {} skipped", score.passed, score.failed, score.skipped);
    Ok(score.exit)
}

impl Score {
    fn add(&mut self, exit: Exit) {
        match exit {
            Exit::Pass => self.passed += 1,
            _ => self.failed += 1,
        }
        self.exit = self.exit.worst(exit);
    }

    /// Runs a cargo command; it counts as one check. Gives back what it said, if it passed.
    fn step(&mut self, workspace: &Workspace, what: &str, arguments: &[&str]) -> Result<Option<String>, Error> {
        let mut command = cargo();
        match logged(workspace, what, command.args(arguments)) {
            Ok(said) => {
                println!("ok  {what}");
                self.add(Exit::Pass);
                Ok(Some(said))
            }
            Err(error @ (Error::Build { .. } | Error::Process { .. })) => {
                println!("FAILED  {error}");
                self.add(Exit::Harness);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Adds the tests that cargo counted, in place of the one step that they were.
    fn count_tests(&mut self, said: &str) {
        let (passed, skipped) = cargo_counts(said);
        self.passed += passed;
        self.skipped += skipped;
        self.passed -= 1;
        println!("    {passed} tests, {skipped} ignored");
    }
}

/// Tests passed and ignored, over all `test result:` lines.
fn cargo_counts(said: &str) -> (usize, usize) {
    let count = |line: &str, word: &str| {
        let mut parts = line.split([';', '.']).map(str::trim);
        parts.find_map(|part| part.strip_suffix(word)?.trim().parse::<usize>().ok()).unwrap_or(0)
    };
    let lines = said.lines().filter(|line| line.starts_with("test result:"));
    lines.fold((0, 0), |(passed, ignored), line| (passed + count(line, "passed"), ignored + count(line, "ignored")))
}

#[cfg(test)]
mod tests {
    use super::cargo_counts;

    #[test]
    fn cargo_counts_are_added_up() {
        let said = "running 3 tests\ntest result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n\
                    test result: ok. 10 passed; 0 failed; 0 ignored; 0 measured; 4 filtered out; finished in 0.1s\n";
        assert_eq!(cargo_counts(said), (12, 1));
    }
}
