//! Session files between targets: a session saved anywhere, after any number of tokens, resumes anywhere.
//!
//! Of N cells that are N² ways. N runs cover them, because equal files are one file: each cell makes the file after every
//! number of tokens from 0 to 64, which must have the bytes of the first cell's, and resumes every file of the first
//! cell. What it generates must be the golden stream, and what it saves before and after must again be the first cell's
//! files. Cells whose code another one runs in full, browsers, and under an emulator all but the best variant take a few
//! numbers of tokens.

use super::takes_few;
use crate::definitions::golden::{Case, Divergence, RESUMED_TOKENS, SAVED_TOKENS};
use crate::definitions::metrics::SESSIONS;
use crate::records::Row;
use crate::runs::plan::{Plan, time_limit};
use crate::targets::runner::{Reply, Runner};
use crate::targets::{Cell, Clock, ModelFile, RunError, RunRequest};
use crate::workspace::exit::Exit;
use bitstate_protocol::{Begin, Job, Resume, Workload};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Most bytes of session files in a request to a microcontroller, whose memory it must fit as text and parsed.
const BATCH: usize = 1 << 20;
/// The same for other targets: a request each starts a browser.
const LARGE_BATCH: usize = 4 << 20;

/// Numbers of tokens after which sessions are resumed where not all are taken.
const FEW: [u32; 5] = [0, 1, 2, 16, SAVED_TOKENS];

/// Session files by number of generated tokens.
type Files = BTreeMap<u32, Vec<u8>>;

/// Why the sessions of a cell are not verified.
enum Fault {
    /// A run without a usable answer.
    Run(RunError),
    /// The runner could not do something, in its words.
    Failed(String),
    /// A wrong answer.
    Wrong(String),
}

/// The first cell, and its files.
pub struct Handover<'a> {
    first: Cell,
    runner: &'a Runner,
    /// For each case, made by the first task that needs them.
    made: BTreeMap<&'a str, OnceLock<Result<Files, Fault>>>,
    /// Numbers of tokens after which sessions are resumed where not only a few are taken.
    ks: Vec<u32>,
}

/// Whether the cell takes the few numbers of tokens in any case.
fn is_shortened(cell: Cell) -> bool {
    let best = || Cell::all().filter(|other| other.target == cell.target).last() == Some(cell);
    takes_few(cell) || cell.target.samples.is_some() || (cell.target.clock == Clock::Instructions && !best())
}

impl<'a> Handover<'a> {
    /// For the cases of the plan whose sessions are handed over. The first cell is native/generic if it was built, else
    /// the first of the plan that has the library; `None` if there is neither.
    pub fn new(plan: &Plan<'a>) -> Option<Self> {
        let built = |cell: Cell| Some((cell, plan.built.runners.get(cell.target.name)?));
        let native = Cell::named("native", "generic").and_then(built);
        let able = |cell: &Cell| cell.target.kind.has_sessions();
        let any = || plan.built.runnable(plan.cells).into_iter().filter(able).find_map(built);
        let (first, runner) = native.or_else(any)?;
        let made = plan.cases.iter().filter(|case| case.sessions).map(|case| (case.name(), OnceLock::new())).collect();
        let ks = if plan.quick { FEW.to_vec() } else { (0..=SAVED_TOKENS).collect() };
        Some(Handover { first, runner, made, ks })
    }

    /// The row of a cell for these cases of one model.
    pub fn row(&self, plan: &Plan, on: On, cases: &[&Case]) -> Row {
        let mut steps = 0;
        for &case in cases {
            let verified = match self.made(on.model, case) {
                None => Err(Fault::Failed(format!("{}: its sessions are not handed over", case.name()))),
                Some(Ok(made)) => self.verify(on, case, made),
                Some(Err(fault)) if on.cell == self.first => return fault.row(plan, on, case),
                Some(Err(_)) => Err(Fault::Failed(format!("{} made no files to resume", self.first))),
            };
            match verified {
                Ok(compared) => steps += compared,
                Err(fault) => return fault.row(plan, on, case),
            }
        }
        let (target, variant) = (on.cell.target.name.into(), on.cell.variant.name.into());
        Row::Verified { target, variant, workload: SESSIONS.into(), steps }
    }

    /// The files of the first cell.
    fn made(&self, model: &ModelFile, case: &Case) -> Option<&Result<Files, Fault>> {
        let on = On { cell: self.first, runner: self.runner, model };
        Some(self.made.get(case.name())?.get_or_init(|| self.begin(on, case)))
    }

    /// Begins a session, checks its stream, and returns its files.
    fn begin(&self, on: On, case: &Case) -> Result<Files, Fault> {
        let max_tokens = SAVED_TOKENS + RESUMED_TOKENS;
        let mut save: Vec<u32> = self.ks(on.cell).iter().flat_map(|&k| [k, k + RESUMED_TOKENS]).collect();
        save.sort_unstable();
        save.dedup();
        let workload = Workload { max_tokens, ..case.workload.clone() };
        let mut reply = on.ask(vec![Job::Begin(Begin { workload, save: save.clone() })])?;
        let whole = Part { case, name: case.name().into(), k: 0, tokens: max_tokens };
        whole.check(&reply)?;
        let mut file = |tokens: u32| Some((tokens, reply.sessions.remove(&(case.name().into(), tokens))?));
        Ok(save.into_iter().filter_map(&mut file).collect())
    }

    /// Numbers of tokens after which a cell makes and resumes sessions. The first cell makes the files of all.
    fn ks(&self, cell: Cell) -> &[u32] {
        if is_shortened(cell) && cell != self.first { &FEW } else { &self.ks }
    }

    /// Compares the files that a cell makes, and what it makes of those of the first cell. Returns the number of tokens
    /// compared.
    fn verify(&self, on: On, case: &Case, made: &Files) -> Result<usize, Fault> {
        let mut steps = (SAVED_TOKENS + RESUMED_TOKENS) as usize;
        if on.cell != self.first {
            for (tokens, file) in self.begin(on, case)? {
                self.same(case, &format!("begun and saved after {tokens} tokens"), made.get(&tokens), Some(&file))?;
            }
        }
        let size = made.values().map(Vec::len).max().unwrap_or(1).max(1);
        let batch = if on.cell.target.clock == Clock::Instructions { BATCH } else { LARGE_BATCH };
        for ks in self.ks(on.cell).chunks((batch / size).max(1)) {
            let parts =
                ks.iter().map(|&k| Part { case, name: format!("{}+{k}", case.name()), k, tokens: RESUMED_TOKENS });
            let parts: Vec<Part> = parts.collect();
            let reply = on.ask(parts.iter().map(|part| part.resume(made)).collect())?;
            for part in &parts {
                part.check(&reply)?;
                for after in [0, RESUMED_TOKENS] {
                    let about = format!("resumed after {} tokens and saved {after} later", part.k);
                    let file = reply.sessions.get(&(part.name.clone(), after));
                    self.same(case, &about, made.get(&(part.k + after)), file)?;
                }
                steps += RESUMED_TOKENS as usize;
            }
        }
        Ok(steps)
    }

    fn same(&self, case: &Case, about: &str, made: Option<&Vec<u8>>, file: Option<&Vec<u8>>) -> Result<(), Fault> {
        if made == file {
            return Ok(());
        }
        let (made, file) = (made.map_or(&[][..], Vec::as_slice), file.map_or(&[][..], Vec::as_slice));
        let at = made.iter().zip(file).position(|(a, b)| a != b).unwrap_or(made.len().min(file.len()));
        Err(Fault::Wrong(format!(
            "{}, {about}: the file of {} bytes differs from that of {}, of {} bytes, from byte {at} on",
            case.name(),
            file.len(),
            self.first,
            made.len()
        )))
    }
}

/// Where sessions run.
#[derive(Clone, Copy)]
pub struct On<'a> {
    /// The cell.
    pub cell: Cell,
    /// Its runner.
    pub runner: &'a Runner,
    /// The model.
    pub model: &'a ModelFile,
}

impl On<'_> {
    fn ask(self, jobs: Vec<Job>) -> Result<Reply, Fault> {
        let ask = RunRequest { model: self.model, jobs, fuel: false, timeout: time_limit(self.cell) };
        self.runner.run(self.cell, &ask).map_err(Fault::Run)
    }
}

/// A part of a case's stream, generated by one job.
struct Part<'a> {
    case: &'a Case,
    /// The job's name.
    name: String,
    /// Number of tokens generated before.
    k: u32,
    /// Number of tokens generated.
    tokens: u32,
}

impl Part<'_> {
    fn resume(&self, made: &Files) -> Job {
        let file = made.get(&self.k).cloned().unwrap_or_default();
        Job::Resume(Resume { case: self.name.clone(), max_tokens: self.tokens, save: vec![0, self.tokens], file })
    }

    /// Compares it with the golden stream.
    fn check(&self, reply: &Reply) -> Result<(), Fault> {
        let about = format!("{}, continued after {} tokens", self.case.name(), self.k);
        if let Some(message) = reply.failures.get(&self.name) {
            return Err(Fault::Failed(format!("{about}: the runner says: {message}")));
        }
        // The runner's answer was checked to have every job that did not fail.
        let Some(stream) = reply.streams.get(&self.name) else {
            return Err(Fault::Failed(format!("{about}: there is no answer")));
        };
        let part = self.k as usize..(self.k + self.tokens) as usize;
        match Divergence::in_part(&self.case.golden, part, stream) {
            None => Ok(()),
            Some(divergence) => Err(Fault::Wrong(format!("{about}: {divergence}"))),
        }
    }
}

impl Fault {
    fn row(&self, plan: &Plan, on: On, case: &Case) -> Row {
        let (message, exit) = match self {
            Fault::Run(error) => return plan.failure(on.cell, SESSIONS, &case.model, "verify", error),
            Fault::Failed(message) => (message, Exit::Harness),
            Fault::Wrong(message) => (message, Exit::WrongAnswer),
        };
        Row::failed(on.cell, Some(SESSIONS), "verify", message.clone(), exit)
    }
}

/// What the rows say about sessions, for people; `None` if there is none that passed.
pub fn in_words(plan: &Plan, rows: &[Row]) -> Option<String> {
    let cell = |row: &Row| match row {
        Row::Verified { target, variant, workload, .. } if workload == SESSIONS => Cell::named(target, variant),
        _ => None,
    };
    let cells: Vec<Cell> = rows.iter().filter_map(cell).collect();
    let handover = Handover::new(plan).filter(|_| !cells.is_empty())?;
    let few = FEW.map(|k| k.to_string()).join(", ");
    let all = format!("each of 0 to {SAVED_TOKENS}");
    let (shortened, whole): (Vec<Cell>, Vec<Cell>) =
        cells.into_iter().partition(|&cell| plan.quick || (is_shortened(cell) && cell != handover.first));
    let parts = [(all, whole), (few, shortened)].into_iter().filter(|(_, cells)| !cells.is_empty());
    let of = |(saved, cells): (String, Vec<Cell>)| {
        let cells: Vec<String> = cells.iter().map(Cell::to_string).collect();
        format!("after {saved} tokens by {}", cells.join(", "))
    };
    let made = parts.map(of).collect::<Vec<_>>().join("; ");
    Some(format!("session files of {}, made and resumed {made}", handover.first))
}
