//! `cargo xtask test`: everything that must hold, and a line that counts it.

use crate::context::{Context, tell, tell_setup};
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
    if let Some(said) =
        score.step(&workspace, "unit and integration tests", &["test", "--workspace", "--release", "--no-fail-fast"])?
    {
        score.count_tests(&said);
    }

    println!("== every target against the golden streams");
    let ready = context.prepare()?;
    tell_setup(&ready.setup, &ready.context.cells);
    let rows = verify::verify(&ready.plan()?)?;
    tell(&rows);
    let tally = Tally::of(&rows);
    score.passed += tally.passed;
    score.failed += tally.failed;
    score.skipped += tally.skipped;
    score.exit = score.exit.worst(tally.exit);

    println!("== reports and README are current");
    let check = ReportFlags { folders: Vec::new(), readme: false, check: true };
    match crate::report::run(&check) {
        Ok(exit) => score.add(exit),
        Err(error) => {
            println!("FAILED: {error:#}");
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
        println!("== {what}");
        let mut command = cargo();
        match logged(workspace, what, command.args(arguments)) {
            Ok(said) => {
                self.add(Exit::Pass);
                Ok(Some(said))
            }
            Err(error @ (Error::Build { .. } | Error::Process { .. })) => {
                println!("FAILED: {error}");
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
        println!("{passed} tests passed, {skipped} ignored");
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
