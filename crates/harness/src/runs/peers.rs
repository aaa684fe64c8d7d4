//! Measures programs of other engines in turns with the fastest variant of this one.
//!
//! A peer is a command. It decodes a workload's number of tokens with a network of the same shape (its weights do not matter)
//! and prints its tokens per second; the time is its own, so that starting and loading do not count. In every round all
//! of them run once, in random order, pinned to the same processor, so that a slow machine slows each.

use crate::definitions::golden::Case;
use crate::records::Row;
use crate::records::journal::Done;
use crate::runs::measure::probe::Computed;
use crate::runs::measure::{Subject, What};
use crate::runs::plan::{Plan, time_limit};
use crate::targets::{Cell, Clock};
use crate::verdicts::stats::Summary;
use crate::verdicts::stats::random::SplitMix;
use crate::workspace::cargo::{Wanted, built, cargo, encoded};
use crate::workspace::error::Error;
use crate::workspace::exit::Exit;
use crate::workspace::process::{self, Limits};
use crate::workspace::processor::Processor;
use crate::workspace::progress::Progress;
use crate::workspace::{Workspace, environment};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Rounds of a quick and of a full run.
const ROUNDS: [u32; 2] = [6, 15];
/// Most bytes that a peer may print.
const OUTPUT_LIMIT: usize = 1 << 20;
/// The package with the peers that this workspace knows, which is also its program's name.
const PACKAGE: &str = "bitstate-peers";

/// A program to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its name in tables.
    pub name: String,
    /// How its network differs from ours.
    pub network: String,
    /// A command of the shell. It finds the model file in `$MODEL`, the number of tokens of the prompt in `$PROMPT` and
    /// the number to decode in `$TOKENS`.
    pub command: String,
}

impl Peer {
    /// From `NAME=COMMAND`.
    ///
    /// # Errors
    /// If there is no name or no command.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split_once('=').map(|(name, command)| (name.trim(), command.trim()));
        let (name, command) =
            parts.filter(|(name, command)| !name.is_empty() && !command.is_empty()).ok_or_else(|| {
                format!("`{text}` is not NAME=COMMAND, such as 'other=./other --model $MODEL --tokens $TOKENS'")
            })?;
        Ok(Peer { name: name.into(), network: "what its command runs".into(), command: command.into() })
    }
}

/// Where the program of the peers is once it is built.
fn folder(workspace: &Workspace) -> PathBuf {
    workspace.scratch().join("peers")
}

/// Whether the peers that this workspace knows were built before.
pub fn are_built(workspace: &Workspace) -> bool {
    folder(workspace).join("release").join(PACKAGE).is_file()
}

/// Builds the peers that this workspace knows, for this machine's CPU, in a folder of their own.
///
/// # Errors
/// If the build fails.
pub fn build(workspace: &Workspace) -> Result<Vec<Peer>, Error> {
    let mut command = cargo(workspace, "build")?;
    command.args(["--release", "--locked", "--package", PACKAGE]);
    // llama.cpp and candle choose their kernels when they are compiled.
    command.env("CARGO_ENCODED_RUSTFLAGS", encoded("-C target-cpu=native"));
    command.env("CARGO_TARGET_DIR", folder(workspace));
    let program = built(workspace, "build the peers", &mut command, Wanted { name: PACKAGE, ending: "" })?;
    Ok(known(&program))
}

fn known(program: &Path) -> Vec<Peer> {
    let llama = "RWKV-6, whose mixes and decay also go through matrices of rank 32; ternary layers as TQ2_0 where rows \
                 are multiples of 256, else Q4_0; head Q8_0";
    let padded = format!("{llama}, padded to a multiple of 32 rows");
    let candle = "RWKV-5 as ours, all in f32";
    let quantised = "RWKV-5 as ours, layers as Q4_0, head Q8_0";
    [
        ("llama.cpp", "llama", llama),
        ("llama.cpp, padded head", "llama-padded", &padded),
        ("candle, f32", "candle", candle),
        ("candle, Q4_0", "candle-quantised", quantised),
    ]
    .into_iter()
    .map(|(name, engine, network)| Peer {
        name: name.into(),
        network: network.into(),
        // candle's quantised matrices have threads of their own, as many as there are processors.
        command: format!(
            "RAYON_NUM_THREADS=1 CANDLE_NUM_THREADS=1 '{}' {engine} --model \"$MODEL\" --prompt $PROMPT --tokens $TOKENS",
            program.display()
        ),
    })
    .collect()
}

/// Measures the peers on every timed case, beside the cell that was fastest in `measured`.
///
/// # Errors
/// If interrupted, or if the journal cannot be written. A peer that fails is a row.
pub fn measure(plan: &Plan, measured: &[Row], peers: &[Peer], seed: u64) -> Result<Vec<Row>, Error> {
    let contests: Vec<Contest> =
        plan.cases.iter().filter(|case| case.bench).filter_map(|case| Contest::of(plan, case, measured)).collect();
    if contests.is_empty() {
        return Err(Error::Refused("peers are measured beside a timed target, and none was measured".into()));
    }
    // A separate thread, so that only timed runs are pinned.
    let rows = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            plan.processor.and_then(Processor::pin);
            rounds(plan, &contests, peers, seed)
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    if process::interrupted() { Err(Error::Interrupted) } else { Ok(rows) }
}

/// A workload with the cell that ran it fastest.
struct Contest<'a> {
    subject: Subject<'a>,
    case: &'a Case,
}

impl<'a> Contest<'a> {
    fn of(plan: &Plan<'a>, case: &'a Case, measured: &[Row]) -> Option<Self> {
        let speed = |cell: &Cell| {
            let times = measured.iter().filter_map(|row| match row {
                Row::Sample { target, variant, workload, phase, metric, value, .. }
                    if (target.as_str(), variant.as_str()) == (cell.target.name, cell.variant.name)
                        && (workload.as_str(), phase.as_str(), metric.as_str()) == (case.name(), "decode", "time") =>
                {
                    Some(*value as f64)
                }
                _ => None,
            });
            Summary::of(&times.collect::<Vec<f64>>()).map(|summary| summary.median)
        };
        let timed = plan.built.runnable(plan.cells).into_iter().filter(|cell| cell.target.clock == Clock::Wall);
        let with_times = timed.filter_map(|cell| Some((speed(&cell)?, cell)));
        let (_, cell) = with_times.min_by(|a, b| a.0.total_cmp(&b.0))?;
        let runner = plan.built.runners.get(cell.target.name)?;
        let what = What::Workload(case);
        Some(Contest { subject: Subject { cell, runner, what, model: plan.model(case)?, most_tokens: u32::MAX }, case })
    }
}

fn rounds(plan: &Plan, contests: &[Contest], peers: &[Peer], seed: u64) -> Result<Vec<Row>, Error> {
    let rounds = ROUNDS[usize::from(!plan.quick)];
    let progress = Progress::bar("measure peers", u64::from(rounds) * (contests.len() * (1 + peers.len())) as u64);
    let mut random = SplitMix::new(seed);
    let mut rows = Vec::new();
    // By workload and peer: its tokens in the first round, or none once it failed.
    let mut tokens: BTreeMap<(usize, usize), Option<String>> = BTreeMap::new();
    for round in 0..rounds {
        for (at, contest) in contests.iter().enumerate() {
            // The last one is this engine.
            let mut order: Vec<usize> = (0..=peers.len()).collect();
            random.shuffle(&mut order);
            if process::interrupted() {
                return Ok(rows);
            }
            let name = format!("peers on {}, round {round}", contest.case.name());
            if let Some(done) = plan.journal.and_then(|journal| journal.done(&name)) {
                rows.extend(done.rows.iter().cloned());
                continue;
            }
            let mut ours = None;
            let mut theirs = Vec::new();
            let mut made = Vec::new();
            for index in order {
                let Some(peer) = peers.get(index) else {
                    match contest.own_time(plan) {
                        Ok(time) => ours = Some(time),
                        Err(row) => made.push(*row),
                    }
                    progress.step(&contest.subject.cell.to_string());
                    continue;
                };
                let before = tokens.entry((at, index)).or_insert_with(|| Some(String::new()));
                let sample = before.as_mut().map(|before| contest.sample(peer, before));
                match sample {
                    Some(Ok(time)) => theirs.push((peer, time)),
                    Some(Err(error)) => {
                        made.push(contest.failed(peer, error));
                        *before = None;
                    }
                    None => {}
                }
                progress.step(&peer.name);
            }
            if process::interrupted() {
                return Ok(rows);
            }
            made.extend(theirs.into_iter().filter_map(|(peer, time)| Some(contest.row(peer, round, [ours?, time]))));
            if let Some(journal) = plan.journal {
                journal.record(&name, &Done { rows: made.clone(), ..Done::default() })?;
            }
            rows.extend(made);
        }
    }
    Ok(rows)
}

impl Contest<'_> {
    /// Nanoseconds per token of this engine, whose stream is checked.
    fn own_time(&self, plan: &Plan) -> Result<u64, Box<Row>> {
        let reply = self.subject.sample(plan, false, &Computed::default())?;
        let get = |name: &str| {
            let found = reply.metrics.iter().find(|metric| metric.phase.name() == "decode" && metric.name == name);
            found.map_or(0, |metric| metric.value)
        };
        Ok(get("time") / get("tokens").max(1))
    }

    /// Nanoseconds per token of a peer. If it prints its tokens, they must be those of `before`, unless that is empty.
    fn sample(&self, peer: &Peer, before: &mut String) -> Result<u64, String> {
        let workload = &self.case.workload;
        let mut command = environment::command("sh");
        command.args(["-c", &peer.command]);
        command.env("MODEL", &self.subject.model.path);
        command.env("PROMPT", workload.prompt.len().to_string()).env("TOKENS", workload.max_tokens.to_string());
        let limits = Limits { time: time_limit(self.subject.cell), output: OUTPUT_LIMIT };
        let output = process::run(&mut command, &[], limits).map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(format!(
                "`{}` ended with {}: {}",
                peer.command,
                output.status,
                process::tail(&output.stderr, 5)
            ));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let speed = tokens_per_second(&text)
            .ok_or_else(|| format!("`{}` prints no line with a number above zero before `tokens/s`", peer.command))?;
        let tokens = text.lines().find(|line| line.starts_with("tokens:")).unwrap_or_default();
        if before.is_empty() {
            *before = tokens.to_string();
        } else if before != tokens {
            return Err(format!("`{}` prints other tokens than in its first run", peer.command));
        }
        Ok((1e9 / speed).round().max(1.0) as u64)
    }

    fn row(&self, peer: &Peer, round: u32, values: [u64; 2]) -> Row {
        Row::Peer {
            target: self.subject.cell.target.name.into(),
            variant: self.subject.cell.variant.name.into(),
            workload: self.case.name().into(),
            model: self.subject.model.digest.to_string(),
            peer: peer.name.clone(),
            network: peer.network.clone(),
            round,
            unit: "ns/token".into(),
            values,
        }
    }

    fn failed(&self, peer: &Peer, error: String) -> Row {
        let during = format!("peer {}", peer.name);
        Row::failed(self.subject.cell, Some(self.case.name()), &during, error, Exit::Harness)
    }
}

/// The last number that stands before a unit of tokens per second.
fn tokens_per_second(text: &str) -> Option<f64> {
    const UNITS: [&str; 4] = ["tokens/s", "tok/s", "t/s", "tokens/second"];
    let words: Vec<&str> = text.split_whitespace().collect();
    let number = |pair: &[&str]| {
        let unit = pair[1].trim_end_matches(['.', ',', ')', ';']);
        let number = pair[0].trim_start_matches('(').replace(',', "").parse::<f64>().ok()?;
        (UNITS.contains(&unit) && number.is_finite() && number > 0.0).then_some(number)
    };
    words.windows(2).filter_map(number).next_back()
}

#[cfg(test)]
mod tests {
    use super::{Peer, tokens_per_second};

    #[test]
    fn a_peer_is_a_name_and_a_command() {
        let peer = Peer::parse("other = ./other -n $TOKENS --set a=b").unwrap();
        assert_eq!((peer.name.as_str(), peer.command.as_str()), ("other", "./other -n $TOKENS --set a=b"));
        for wrong in ["other", "=./other", "other= "] {
            assert!(Peer::parse(wrong).unwrap_err().contains("NAME=COMMAND"), "{wrong}");
        }
    }

    #[test]
    fn its_speed_is_the_last_number_before_the_unit() {
        let cases = [
            ("prompt: 900.5 tok/s\ndecode: 1,077.25 tok/s.", Some(1077.25)),
            ("(37 tokens/s)", Some(37.0)),
            ("0 tokens/s", None),
            ("NaN tokens/s", None),
            ("tokens/s 12", None),
            ("", None),
        ];
        for (text, speed) in cases {
            assert_eq!(tokens_per_second(text), speed, "{text}");
        }
    }
}
