//! `cargo xtask fuzz`.

use anyhow::{Context, bail};
use bitstate_harness::runs::fuzz::{self, Finding, Fuzzers, Outcome, TARGETS, Target};
use bitstate_harness::workspace::Workspace;
use bitstate_harness::workspace::progress::Progress;
use bitstate_harness::{Error, Exit};
use clap::Args;
use clap::builder::RangedU64ValueParser;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const HELP: &str = "\
Every finding (a panic, an invalid memory access, a hang, excessive memory, or two results that must be equal and are
not) gives exit code 4. Its input is kept in target/bitstate/fuzz/TARGET/findings/, with the program's output, and is
replayed by every later run.

To fix a finding and keep it as a test:
  1. cargo xtask fuzz TARGET --replay FILE          reproduces it, with a backtrace
  2. Fix the fault, with a test beside it.
  3. cp FILE crates/fuzz/findings/TARGET/NAME       NAME describes the fault; `cargo test -p bitstate-fuzz` and
                                                    `cargo xtask test` replay it from then on
  4. rm target/bitstate/fuzz/TARGET/findings/FILE*

Examples:
  cargo xtask fuzz --list
  cargo xtask fuzz                                  every target, five minutes each, one after the other
  cargo xtask fuzz bits sampler --minutes 30 --jobs 2
  cargo xtask fuzz --minimise                       regenerate crates/fuzz/corpus/ from all stored inputs";

/// Flags of `fuzz`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct FuzzFlags {
    /// The targets to fuzz; all by default
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// Minutes per target
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = RangedU64ValueParser::<u64>::new().range(1..=10_080))]
    minutes: u64,
    /// Number of targets to fuzz in parallel
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = RangedU64ValueParser::<usize>::new().range(1..=64))]
    jobs: usize,
    /// Run the target on this input, and print the result
    #[arg(long, value_name = "FILE", conflicts_with_all = ["minimise", "list"])]
    replay: Option<PathBuf>,
    /// Regenerate the committed corpus from itself and from all stored inputs
    #[arg(long, conflicts_with = "list")]
    minimise: bool,
    /// List the targets and exit
    #[arg(long)]
    list: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(flags: &FuzzFlags) -> anyhow::Result<Exit> {
    let workspace = Workspace::find()?;
    let mut targets: Vec<&'static Target> = Vec::new();
    for name in &flags.targets {
        let target = Target::named(name)?;
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    if targets.is_empty() {
        targets.extend(&TARGETS);
    }
    if flags.list {
        list(&targets, flags.json);
        return Ok(Exit::Pass);
    }
    if let Some(input) = &flags.replay {
        let [target] = targets.as_slice() else { bail!("--replay needs exactly one TARGET, the one of the input") };
        // Cargo and the programs run in the workspace's root.
        let input = std::path::absolute(input).context("cannot find the current folder")?;
        return replay(&fuzz::build(&workspace)?, target, &input, flags.json);
    }
    let fuzzers = fuzz::build(&workspace)?;
    if flags.minimise {
        for target in targets {
            let _spinner = Progress::spinner(&format!("minimise {}", target.name));
            let files = fuzzers.minimise(target)?;
            println!("{}: {files} files in crates/fuzz/corpus/{0}", target.name);
        }
        return Ok(Exit::Pass);
    }
    let results = fuzz_all(&fuzzers, &targets, flags);
    print_results(&workspace, results, flags.json)
}

fn list(targets: &[&Target], json: bool) {
    if json {
        let all = targets.iter().map(|target| json!({"target": target.name, "title": target.title}));
        println!("{:#}", json!({"targets": all.collect::<Vec<_>>()}));
    } else {
        targets.iter().for_each(|target| println!("{:<12} {}", target.name, target.title));
    }
}

fn replay(fuzzers: &Fuzzers, target: &Target, input: &std::path::Path, json: bool) -> anyhow::Result<Exit> {
    let finding = fuzzers.replay(target, input)?;
    if json {
        println!("{:#}", json!({"target": target.name, "input": input, "finding": finding}));
    } else {
        match &finding {
            None => println!("ok  {} passes on {}", target.name, input.display()),
            Some(Finding { kind, said, .. }) => {
                println!("FOUND  {} fails on {} ({kind}): {said}", target.name, input.display())
            }
        }
    }
    Ok(if finding.is_some() { Exit::WrongAnswer } else { Exit::Pass })
}

/// Fuzzes the targets in parallel as requested; returns a result for each that was started.
fn fuzz_all(fuzzers: &Fuzzers, targets: &[&'static Target], flags: &FuzzFlags) -> Vec<Result<Outcome, Error>> {
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let results: Mutex<Vec<(usize, Result<Outcome, Error>)>> = Mutex::new(Vec::new());
    let time = Duration::from_secs(60 * flags.minutes);
    let jobs = flags.jobs.min(targets.len());
    let rounds = targets.len().div_ceil(jobs) as u64;
    let progress = Progress::bar("fuzz", rounds * time.as_secs());
    let work = || {
        while let Some((at, target)) = take(targets, &next) {
            let result = fuzzers.fuzz(target, time);
            let ended = result.is_err();
            // A thread that panicked while reporting lost its own result; the others are kept.
            results.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((at, result));
            if ended {
                break;
            }
        }
        done.fetch_add(1, Ordering::SeqCst);
    };
    std::thread::scope(|scope| {
        (0..jobs).for_each(|_| drop(scope.spawn(work)));
        while done.load(Ordering::SeqCst) < jobs {
            std::thread::sleep(Duration::from_secs(1));
            let begun = next.load(Ordering::SeqCst).min(targets.len());
            let running = &targets[begun.saturating_sub(jobs)..begun];
            let shown: Vec<String> =
                running.iter().map(|target| format!("{}: {} inputs kept", target.name, fuzzers.kept(target))).collect();
            progress.step(&shown.join(", "));
        }
    });
    let mut results = results.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

/// The next unclaimed target.
fn take<'t>(targets: &[&'t Target], next: &AtomicUsize) -> Option<(usize, &'t Target)> {
    let at = next.fetch_add(1, Ordering::SeqCst);
    targets.get(at).map(|target| (at, *target))
}

/// Prints the results, and returns the first error if there was one.
fn print_results(workspace: &Workspace, results: Vec<Result<Outcome, Error>>, json: bool) -> anyhow::Result<Exit> {
    let (mut outcomes, mut error) = (Vec::new(), None);
    for result in results {
        match result {
            Ok(outcome) => outcomes.push(outcome),
            Err(first) => error = error.or(Some(first)),
        }
    }
    if json {
        println!("{:#}", json!({"targets": outcomes}));
    } else if !outcomes.is_empty() {
        println!("{}", table(workspace, &outcomes));
    }
    let found = outcomes.iter().any(|outcome| !outcome.findings.is_empty());
    let exit = if found { Exit::WrongAnswer } else { Exit::Pass };
    match error {
        Some(error) if !found => Err(error.into()),
        Some(error) => {
            eprintln!("error: {error}");
            Ok(exit.worst(error.exit()))
        }
        None => Ok(exit),
    }
}

fn table(workspace: &Workspace, outcomes: &[Outcome]) -> String {
    let row = |cells: [&str; 6]| {
        let [target, executions, rate, coverage, corpus, findings] = cells;
        format!("{target:<12} {executions:>12} {rate:>9} {coverage:>9} {corpus:>8} {findings:>9}")
    };
    let mut lines = vec![row(["target", "executions", "exec/s", "coverage", "corpus", "findings"])];
    for outcome in outcomes {
        let numbers = [
            outcome.executions,
            outcome.executions / outcome.seconds.max(1),
            outcome.coverage,
            outcome.corpus as u64,
            outcome.findings.len() as u64,
        ];
        let [executions, rate, coverage, corpus, findings] = numbers.map(|number| number.to_string());
        lines.push(row([outcome.target, &executions, &rate, &coverage, &corpus, &findings]));
    }
    for outcome in outcomes {
        for finding in &outcome.findings {
            let input = workspace.show(&finding.input);
            lines.push(format!("\nFOUND  {} ({}): {}", outcome.target, finding.kind, finding.said));
            lines.push(format!("  again: cargo xtask fuzz {} --replay {input}", outcome.target));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::{table, take};
    use bitstate_harness::runs::fuzz::{Finding, Outcome, TARGETS};
    use bitstate_harness::workspace::Workspace;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn every_target_is_taken_once() {
        let (targets, next) = ([&TARGETS[0], &TARGETS[1]], AtomicUsize::new(0));
        let taken: Vec<_> = (0..4).map(|_| take(&targets, &next).map(|(at, _)| at)).collect();
        assert_eq!(taken, [Some(0), Some(1), None, None]);
    }

    #[test]
    fn a_finding_stands_below_the_table_with_what_shows_it_again() {
        let workspace = Workspace { root: "/w".into(), target: "/w/target".into() };
        let finding = Finding {
            kind: "crash".into(),
            said: "panicked at a.rs:1:2: no".into(),
            input: "/w/target/bitstate/fuzz/bits/findings/crash-0a".into(),
        };
        let outcome =
            |findings| Outcome { target: "bits", executions: 1200, coverage: 40, corpus: 7, seconds: 60, findings };
        assert_eq!(
            table(&workspace, &[outcome(vec![finding]), outcome(Vec::new())]),
            "target         executions    exec/s  coverage   corpus  findings\n\
             bits                 1200        20        40        7         1\n\
             bits                 1200        20        40        7         0\n\
             \n\
             FOUND  bits (crash): panicked at a.rs:1:2: no\n  \
             again: cargo xtask fuzz bits --replay target/bitstate/fuzz/bits/findings/crash-0a"
        );
    }
}
