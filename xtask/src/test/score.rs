//! The totals of a run, and the checks that count.

use super::counts::Counts;
use bitstate_harness::records::Tally;
use bitstate_harness::selftest::Outcome;
use bitstate_harness::workspace::cargo::cargo;
use bitstate_harness::workspace::log::logged;
use bitstate_harness::workspace::process::tail;
use bitstate_harness::workspace::{Workspace, read_text};
use bitstate_harness::{Error, Exit};
use std::process::Command;
use std::time::Instant;

/// The totals so far.
pub struct Score {
    pub total: Tally,
    /// When the current check began.
    since: Instant,
}

impl Score {
    pub fn new() -> Self {
        Score { total: Tally { passed: 0, failed: 0, skipped: 0, exit: Exit::Pass }, since: Instant::now() }
    }

    /// How long the check took that ends now, for its line.
    pub fn time(&mut self) -> String {
        let seconds = std::mem::replace(&mut self.since, Instant::now()).elapsed().as_secs();
        match seconds {
            0..60 => format!("{seconds} s"),
            _ => format!("{} min {:02} s", seconds / 60, seconds % 60),
        }
    }

    /// Adds the totals of other checks.
    pub fn include(&mut self, other: &Tally) {
        self.total.passed += other.passed;
        self.total.failed += other.failed;
        self.total.skipped += other.skipped;
        self.total.exit = self.total.exit.worst(other.exit);
    }

    /// Counts a check that this machine cannot run; `exit` says whether that is expected.
    pub fn skip(&mut self, what: &str, reason: &str, exit: Exit) {
        println!("skipped  {what}: {reason}");
        self.total.skipped += 1;
        self.total.exit = self.total.exit.worst(exit);
    }

    /// Prints the last line of the run, and returns its exit code.
    pub fn print(&self) -> Exit {
        let Tally { passed, failed, skipped, exit } = self.total;
        println!("{passed} passed, {failed} failed, {skipped} skipped");
        exit
    }

    /// Starts the time of the next check.
    pub fn restart(&mut self) {
        self.since = Instant::now();
    }

    pub fn add(&mut self, exit: Exit) {
        match exit {
            Exit::Pass => self.total.passed += 1,
            _ => self.total.failed += 1,
        }
        self.total.exit = self.total.exit.worst(exit);
    }

    /// Planted faults: each with its expected exit code counts as a passed check.
    pub fn faults(&mut self, outcomes: &[Outcome]) {
        outcomes.iter().filter(|outcome| !outcome.right()).for_each(crate::selftest::print_outcome);
        let right = outcomes.iter().filter(|outcome| outcome.right()).count();
        let unclear = outcomes.iter().filter(|outcome| outcome.not_measurable()).count();
        let wrong = outcomes.len() - right - unclear;
        println!(
            "{}  {right} of {} planted faults end with their code ({})",
            if wrong == 0 { "ok" } else { "FAILED" },
            outcomes.len(),
            self.time()
        );
        self.total.passed += right;
        self.total.skipped += unclear;
        self.total.failed += wrong;
        self.total.exit = self.total.exit.worst(if wrong == 0 { Exit::Pass } else { Exit::Harness });
    }

    /// Counts the result of a check.
    pub fn check(&mut self, what: &str, result: anyhow::Result<()>) {
        let time = self.time();
        match result {
            Ok(()) => {
                println!("ok  {what} ({time})");
                self.add(Exit::Pass);
            }
            Err(error) => {
                println!("FAILED  {what} ({time}): {error:#}");
                self.add(Exit::Harness);
            }
        }
    }

    /// Runs a cargo command, which counts as one check.
    pub fn step(&mut self, workspace: &Workspace, what: &str, verb: &str, flags: &[&str]) -> Result<(), Error> {
        let done = logged(workspace, what, cargo(workspace, verb)?.args(flags));
        let time = self.time();
        match done {
            Ok(_) => {
                println!("ok  {what} ({time})");
                self.add(Exit::Pass);
            }
            Err(error @ (Error::Build { .. } | Error::Process { .. })) => {
                println!("FAILED  {error} ({time})");
                self.add(Exit::Harness);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Runs cargo's tests; every test counts.
    pub fn tests(&mut self, workspace: &Workspace, what: &str, flags: &[&str]) -> Result<(), Error> {
        self.tests_by(workspace, what, cargo(workspace, "test")?.args(flags))
    }

    /// The same with a prepared command.
    pub fn tests_by(&mut self, workspace: &Workspace, what: &str, command: &mut Command) -> Result<(), Error> {
        let (said, log) = match logged(workspace, what, command) {
            Ok(log) => (log.stdout, None),
            Err(Error::Build { log, .. }) => (read_text(&log)?, Some(log)),
            Err(error) => return Err(error),
        };
        let (counts, time) = (Counts::of(&said), self.time());
        self.total.passed += counts.passed;
        self.total.skipped += counts.ignored;
        counts.skips.iter().for_each(|skip| println!("skipped  {skip}"));
        match log {
            None if counts.passed == 0 => {
                // No test ran: this would always pass.
                self.total.failed += 1;
                self.total.exit = self.total.exit.worst(Exit::Harness);
                println!("FAILED  {what}: no tests ran ({time})");
            }
            None => println!("ok  {what}: {} passed, {} ignored ({time})", counts.passed, counts.ignored),
            Some(log) => {
                // A test program that does not build, or crashes, names no test but is still a failure.
                self.total.failed += counts.failed.len().max(1);
                self.total.exit = self.total.exit.worst(Exit::Harness);
                println!("FAILED  {what} ({time}); the log is {}", log.display());
                counts.failed.iter().for_each(|name| println!("    {name}"));
                if counts.failed.is_empty() {
                    println!("{}", tail(&said, 20));
                }
            }
        }
        Ok(())
    }
}
