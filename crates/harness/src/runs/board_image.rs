//! An image for a real board: made, run without the board, and compared.

use crate::definitions::golden::{Case, Divergence, Golden};
use crate::records::provenance::cpu_features;
use crate::runs::plan::time_limit;
use crate::runs::transcript::{Answered, Transcript};
use crate::targets::build::{Built, build};
use crate::targets::runner::Runner;
use crate::targets::{Cell, Flash, ModelFile, RunError, RunRequest};
use crate::workspace::Workspace;
use crate::workspace::error::Error;
use crate::workspace::progress::Progress;
use bitstate_protocol::{Answer, Event, Job, Request, Sampling, StreamAnswer, Workload};

/// The variant of images.
const VARIANT: &str = "lut";
/// The cell whose answers an image's are compared with.
const NATIVE: (&str, &str) = ("native", "generic");
/// Tokens of a model that is trained on bytes.
const BYTES: usize = 256;
/// The text that the image's terminal continues, and the case with its tokens.
const TEXT: &str = "Once upon a time";
const GREEDY: &str = "image/greedy";
/// Tokens of the image's own cases.
const STEPS: u32 = 64;

/// A checked image.
#[derive(Debug)]
pub struct Made {
    /// The image.
    pub flash: Flash,
    /// What was compared.
    pub compared: Compared,
    /// What the terminal showed for `TEXT`, for a model whose tokens are bytes.
    pub text: Option<String>,
    /// The records that were answered there as recorded, for a model with a transcript.
    pub records: Option<Records>,
}

/// Records that were answered as recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Records {
    /// How many.
    pub count: usize,
    /// Instructions of an answer, where the emulator counts exactly.
    pub instructions: Option<u64>,
}

/// What was compared step by step, tokens and logits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compared {
    /// Streams, and how many of them have a golden one.
    pub streams: usize,
    /// See `streams`.
    pub golden: usize,
    /// Tokens of all streams.
    pub steps: usize,
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// It could not be made or run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The harness failed.
    #[error(transparent)]
    Harness(#[from] Error),
    /// It does not compute what it should.
    #[error("the image computes something else: {0}")]
    Wrong(String),
}

/// Makes the image of a target for a model with so many tokens, as Intel HEX if that is asked for, and checks it: its own
/// bytes are run at the addresses of the board, the answer to its built-in test is compared with the native one and with the
/// golden streams of the model, and a prompt is typed, and the records of a recorded session.
///
/// # Errors
/// See [`BoardError`]; a model that does not fit is a [`RunError::Skipped`].
pub fn make(
    workspace: &Workspace,
    target: &str,
    model: &ModelFile,
    vocab_size: usize,
    is_hex: bool,
) -> Result<Made, BoardError> {
    let cells = [cell((target, VARIANT))?, cell(NATIVE)?];
    let built = build(workspace, &cells, &cpu_features())?;
    let [board, native] = [runner(&built, cells[0])?, runner(&built, cells[1])?];
    let golden = Golden::load(workspace)?;
    let known: Vec<&Case> = golden.cases.iter().filter(|case| case.golden.model == model.digest).collect();
    let ask = RunRequest { model, jobs: jobs(&known, vocab_size), fuel: false, timeout: time_limit(cells[0]) };
    let request = Request { variant: cells[0].variant.name.to_string(), jobs: ask.jobs.clone() };

    let images = board.board_image(cells[0])?;
    let flash = images.flash_image(model, &request.to_text(), is_hex)?;
    let spinner = Progress::spinner("run the image");
    let found = board.run_image(cells[0], &ask, &flash.bytes)?;
    let wanted = native.run(cells[1], &ask)?;
    if let Some((case, message)) = found.failures.iter().next() {
        return Err(BoardError::Wrong(format!("{case}: {message}")));
    }
    let mut compared = Compared::default();
    for (case, stream) in &found.streams {
        if wanted.streams.get(case) != Some(stream) {
            return Err(BoardError::Wrong(format!("{case} differs from {}", cells[1])));
        }
        compared.add(&golden.cases, stream)?;
    }
    let text = match wanted.streams.get(GREEDY).filter(|_| vocab_size == BYTES) {
        Some(stream) => {
            let lines = [":greedy", &format!(":tokens {STEPS}"), TEXT];
            let shown = images.terminal(&flash.bytes, &lines, ask.timeout)?;
            Some(check_text(&shown, stream)?)
        }
        None => None,
    };
    let name = known.first().and_then(|case| case.name().split_once('/')).map(|(model, _)| model);
    let transcript = name.map(|name| Transcript::load(workspace, name)).transpose()?.flatten();
    let answered = |transcript: Transcript| {
        let shown = images.terminal(&flash.bytes, &transcript.lines(), ask.timeout)?;
        let shown = transcript.check(&String::from_utf8_lossy(&shown)).map_err(BoardError::Wrong)?;
        let Answered { records: count, cycles } = shown;
        Ok::<_, BoardError>(Records { count, instructions: images.instructions_a_cycle().map(|each| each * cycles) })
    };
    let records = transcript.map(answered).transpose()?;
    drop(spinner);
    Ok(Made { flash, compared, text, records })
}

/// Runs the built-in test of a target's image that was made before, and compares what has a golden stream; only that is counted.
///
/// # Errors
/// As [`make`]; also if no stream has a golden one, because then nothing is known about the image.
pub fn check(workspace: &Workspace, target: &str, flash: &[u8]) -> Result<Compared, BoardError> {
    let board = cell((target, VARIANT))?;
    let built = build(workspace, &[board], &cpu_features())?;
    let images = runner(&built, board)?.board_image(board)?;
    let golden = Golden::load(workspace)?;
    let _spinner = Progress::spinner("run the image");
    let answered = images.answer(flash, flash.len() as u64, time_limit(board))?;
    let answer = Answer::parse(&answered.text).map_err(RunError::from)?;
    let cases: Vec<Case> = golden.cases.into_iter().filter(|case| case.golden.model == answer.header.model).collect();
    compare_golden(answer.events, &cases)
}

/// Compares the streams of an answer that have a golden one.
fn compare_golden(events: Vec<Event>, cases: &[Case]) -> Result<Compared, BoardError> {
    let mut compared = Compared::default();
    for event in events {
        match event {
            Event::Stream(stream) if cases.iter().any(|case| case.name() == stream.case) => {
                compared.add(cases, &stream)?;
            }
            Event::Error { case, message } => return Err(BoardError::Wrong(format!("{case}: {message}"))),
            _ => {}
        }
    }
    match compared.golden {
        0 => Err(Error::CannotRun(
            "its model has no golden streams to compare with: make the image again, which compares it with this machine"
                .into(),
        )
        .into()),
        _ => Ok(compared),
    }
}

impl Compared {
    /// Counts a stream, after comparing it with its golden one, if it has one.
    fn add(&mut self, cases: &[Case], stream: &StreamAnswer) -> Result<(), BoardError> {
        self.streams += 1;
        self.steps += stream.tokens.len();
        let Some(case) = cases.iter().find(|case| case.name() == stream.case) else { return Ok(()) };
        self.golden += 1;
        match Divergence::find(&case.golden, stream, None) {
            Some(divergence) => Err(BoardError::Wrong(format!("{}: {divergence}", stream.case))),
            None => Ok(()),
        }
    }
}

/// The built-in test: streams of this model, its golden ones first, and a timed one.
fn jobs(known: &[&Case], vocab_size: usize) -> Vec<Job> {
    let prompt: Vec<u32> = match vocab_size {
        BYTES => TEXT.bytes().map(u32::from).collect(),
        _ => (0..vocab_size.min(4) as u32).collect(),
    };
    let seeded = Sampling::Seeded { seed: 1, temperature: 0.8, top_k: 50, top_p: 0.9, penalty: 1.0 };
    let workload = |case: &str, sampling| {
        let (case, prompt) = (case.to_string(), prompt.clone());
        Workload { case, prompt, max_tokens: STEPS, sampling }
    };
    let mut jobs: Vec<Job> = known.iter().map(|case| Job::Stream(case.workload.clone())).collect();
    jobs.push(Job::Stream(workload(GREEDY, Sampling::Greedy)));
    jobs.push(Job::Stream(workload("image/seeded", seeded)));
    jobs.push(Job::Bench(workload("image/bench", Sampling::Greedy)));
    jobs
}

/// The text that a terminal shows after [`TEXT`], if it is that of the tokens.
fn check_text(shown: &[u8], stream: &StreamAnswer) -> Result<String, BoardError> {
    let typed = format!("> {TEXT}\n");
    let end = b"\n[prompt: ";
    let find = |in_: &[u8], what: &[u8]| in_.windows(what.len()).position(|window| window == what);
    let text = find(shown, typed.as_bytes()).and_then(|at| shown.get(at + typed.len()..));
    let text = text.and_then(|text| text.get(..find(text, end)?));
    // The terminal's lines are without carriage returns; 0 ends a text.
    let tokens = stream.tokens.iter().map(|token| *token as u8).take_while(|byte| *byte != 0);
    let wanted: Vec<u8> = tokens.filter(|byte| *byte != b'\r').collect();
    match text {
        Some(text) if text == wanted => Ok(String::from_utf8_lossy(text).into_owned()),
        _ => {
            let shown = String::from_utf8_lossy(shown).into_owned();
            Err(BoardError::Wrong(format!(
                "typed on the terminal, {TEXT:?} is continued by other tokens; it shows\n{shown}"
            )))
        }
    }
}

fn cell((target, variant): (&str, &str)) -> Result<Cell, Error> {
    Cell::named(target, variant).ok_or_else(|| Error::Refused(format!("ci/targets.toml has no {target}/{variant}")))
}

/// The runner of a cell, or why there is none.
fn runner(built: &Built, cell: Cell) -> Result<&Runner, Error> {
    let of = |other: &Cell| *other == cell;
    if let Some((_, skip)) = built.skips.iter().find(|(skipped, _)| of(skipped)) {
        return Err(Error::CannotRun(format!("{cell}: {}; `cargo xtask setup` says how to install it", skip.reason)));
    }
    if let Some((_, error)) = built.failures.iter().find(|(failed, _)| of(failed)) {
        return Err(Error::Refused(error.to_string()));
    }
    built.runners.get(cell.target.name).ok_or_else(|| Error::CannotRun(format!("{cell} was not built")))
}

#[cfg(test)]
mod tests {
    use super::{BoardError, Compared, Error, Event, StreamAnswer, compare_golden};
    use crate::definitions::golden::Golden;
    use crate::workspace::Workspace;

    #[test]
    fn an_image_with_nothing_to_compare_is_not_checked() {
        let golden = Golden::load(&Workspace::find().unwrap()).unwrap();
        let case = golden.cases.first().unwrap();
        let answer = |name: &str| {
            let stream = &case.golden;
            let (tokens, digests) = (stream.tokens.clone(), stream.digests.clone());
            Event::Stream(StreamAnswer { case: name.into(), tokens, digests })
        };
        let compare = |events| compare_golden(events, &golden.cases);
        for events in [vec![], vec![answer("image/greedy")]] {
            assert!(matches!(compare(events), Err(BoardError::Harness(Error::CannotRun(_)))));
        }
        let counted = Compared { streams: 1, golden: 1, steps: case.golden.tokens.len() };
        assert_eq!(compare(vec![answer("image/greedy"), answer(case.name())]).unwrap(), counted);
        let mut wrong = answer(case.name());
        if let Event::Stream(stream) = &mut wrong {
            stream.tokens[3] ^= 1;
        }
        let failed = Event::Error { case: "image/greedy".into(), message: "no memory".into() };
        for events in [vec![wrong], vec![answer(case.name()), failed]] {
            assert!(matches!(compare(events), Err(BoardError::Wrong(_))));
        }
    }
}
