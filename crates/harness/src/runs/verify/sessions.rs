//! Session files between targets: a session saved anywhere, after any number of tokens, resumes anywhere.
//!
//! Of N cells that are N² ways. N runs cover them, because equal files are one file: each cell makes the file after every
//! number of tokens from 0 to 64, which must have the bytes of the first cell's, and resumes every file of the first
//! cell. What it generates must be the golden stream, and what it saves before and after must again be the first cell's
//! files. Cells whose code another one runs in full, browsers, and under an emulator all but the best variant take a few
//! numbers of tokens.

use super::share::takes_few;
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
    /// Whether every cell takes all of them.
    in_full: bool,
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
        Some(Handover { first, runner, made, ks, in_full: plan.in_full })
    }

    /// The row of a cell for these cases of one model.
    pub fn row(&self, plan: &Plan, on: On, cases: &[&Case]) -> Row {
        let verified = match self.made(on.model, cases) {
            Ok(made) => self.verify(on, &made),
            Err(Some(fault)) if on.cell == self.first => return fault.row(plan, on),
            Err(_) => Err(Fault::Failed(format!("{} made no files to resume", self.first))),
        };
        match verified {
            Ok(steps) => {
                let (target, variant) = (on.cell.target.name.into(), on.cell.variant.name.into());
                Row::Verified { target, variant, workload: SESSIONS.into(), steps }
            }
            Err(fault) => fault.row(plan, on),
        }
    }

    /// The files of the first cell, or why it has none.
    fn made<'s>(
        &'s self,
        model: &ModelFile,
        cases: &[&'s Case],
    ) -> Result<Vec<(&'s Case, &'s Files)>, Option<&'s Fault>> {
        let on = On { cell: self.first, runner: self.runner, model };
        let begin = |case| self.begin(on, &[case]).map(|files| files.into_iter().next().unwrap_or_default());
        let made = |&case: &&'s Case| {
            let made = self.made.get(case.name()).ok_or(None)?.get_or_init(|| begin(case));
            made.as_ref().map(|files| (case, files)).map_err(Some)
        };
        cases.iter().map(made).collect()
    }

    /// Begins sessions, checks their streams, and returns the files of each.
    fn begin(&self, on: On, cases: &[&Case]) -> Result<Vec<Files>, Fault> {
        let max_tokens = SAVED_TOKENS + RESUMED_TOKENS;
        let mut save: Vec<u32> = self.ks(on.cell).iter().flat_map(|&k| [k, k + RESUMED_TOKENS]).collect();
        save.sort_unstable();
        save.dedup();
        let workload = |case: &Case| Workload { max_tokens, ..case.workload.clone() };
        let begin = |case: &&Case| Job::Begin(Begin { workload: workload(case), save: save.clone() });
        let mut reply = on.ask(cases.iter().map(begin).collect())?;
        let mut files = |case: &&Case| {
            Part { case, name: case.name().into(), k: 0, tokens: max_tokens }.check(&reply)?;
            let mut file = |&tokens: &u32| {
                let file = reply.sessions.remove(&(case.name().into(), tokens));
                let missing = || Fault::Failed(format!("{}: there is no file after {tokens} tokens", case.name()));
                Ok((tokens, file.ok_or_else(missing)?))
            };
            save.iter().map(&mut file).collect()
        };
        cases.iter().map(&mut files).collect()
    }

    /// Numbers of tokens after which a cell makes and resumes sessions. The first cell makes the files of all.
    fn ks(&self, cell: Cell) -> &[u32] {
        if self.is_shortened(cell) { &FEW } else { &self.ks }
    }

    /// Whether the cell takes the few numbers of tokens in any case.
    fn is_shortened(&self, cell: Cell) -> bool {
        let best = || Cell::all().filter(|other| other.target == cell.target).last() == Some(cell);
        let not_best = || cell.target.clock == Clock::Instructions && !best();
        !self.in_full && cell != self.first && (takes_few(cell) || cell.target.samples.is_some() || not_best())
    }

    /// Compares the files that a cell makes with those of the first cell, then what it makes of the latter. Returns the
    /// number of tokens compared. Few requests, because each starts an emulator or a browser.
    fn verify(&self, on: On, made: &[(&Case, &Files)]) -> Result<usize, Fault> {
        let cases: Vec<&Case> = made.iter().map(|&(case, _)| case).collect();
        let mut steps = cases.len() * (SAVED_TOKENS + RESUMED_TOKENS) as usize;
        if on.cell != self.first {
            for (&(case, made), files) in made.iter().zip(self.begin(on, &cases)?) {
                for (tokens, file) in files {
                    self.same(case, &format!("begun and saved after {tokens} tokens"), made.get(&tokens), Some(&file))?;
                }
            }
        }
        let size = made.iter().flat_map(|(_, files)| files.values()).map(Vec::len).max().unwrap_or(1).max(1);
        let batch = if on.cell.target.clock == Clock::Instructions { BATCH } else { LARGE_BATCH };
        let part = |&k: &u32, &(case, made)| {
            (Part { case, name: format!("{}+{k}", case.name()), k, tokens: RESUMED_TOKENS }, made)
        };
        let parts = made.iter().flat_map(|of| self.ks(on.cell).iter().map(move |k| part(k, of)));
        let parts: Vec<(Part, &Files)> = parts.collect();
        for parts in parts.chunks((batch / size).max(1)) {
            let reply = on.ask(parts.iter().map(|(part, made)| part.resume(made)).collect())?;
            for (part, made) in parts {
                part.check(&reply)?;
                for after in [0, RESUMED_TOKENS] {
                    let about = format!("resumed after {} tokens and saved {after} later", part.k);
                    let file = reply.sessions.get(&(part.name.clone(), after));
                    self.same(part.case, &about, made.get(&(part.k + after)), file)?;
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
    fn row(&self, plan: &Plan, on: On) -> Row {
        let (message, exit) = match self {
            Fault::Run(error) => return plan.failure(on.cell, SESSIONS, &on.model.name, "verify", error),
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
        cells.into_iter().partition(|&cell| plan.quick || handover.is_shortened(cell));
    let parts = [(all, whole), (few, shortened)].into_iter().filter(|(_, cells)| !cells.is_empty());
    let of = |(saved, cells): (String, Vec<Cell>)| {
        let cells: Vec<String> = cells.iter().map(Cell::to_string).collect();
        format!("after {saved} tokens by {}", cells.join(", "))
    };
    let made = parts.map(of).collect::<Vec<_>>().join("; ");
    Some(format!("session files of {}, made and resumed {made}", handover.first))
}
