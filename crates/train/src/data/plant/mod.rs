//! Records of a small plant with their answers: text for a model with a use, of which any amount can be made and every
//! answer checked.
//!
//! A record is one line, and its answer the next:
//!
//! ```text
//! 12:05 P12 temp=81.4/75 vib=2.1/4.5
//! P12: 81.4 C, limit 75, too hot; 2.1 mm/s, limit 4.5, normal.
//! ```
//!
//! [`table`] has the rules in one place. [`Draw`] draws what a record says, [`notation`] writes it in one
//! of three notations and reads it again, [`rules`] answers.

pub mod draw;
pub mod notation;
pub mod record;
pub mod rules;
pub mod table;

use draw::{Draw, Drawn, Outside};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use table::{REFUSAL, Share};

/// Text between a record and its answer.
pub const SEPARATOR: &str = "\n";

/// The two sides of the data. Names, limits, readings and words outside the tasks are on one side alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// To train on.
    Train,
    /// To measure with.
    HeldOut,
}

/// A record with its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// The record, one line.
    pub prompt: String,
    /// The answer, one line.
    pub answer: String,
    /// `monitor`, `ask`, `write` or `outside`.
    pub task: String,
    /// A part of the task: a state, question, style or the reason of a refusal.
    pub class: String,
}

impl Example {
    /// Whether it is of the simplest: one reading as key=value, its state or a text.
    pub fn is_simple(&self) -> bool {
        let (lines, task) = self.prompt.split_once(" ! ").unwrap_or((&self.prompt, ""));
        let readings = lines.matches('=').count();
        self.answer != REFUSAL
            && readings == 1
            && !lines.contains([';', '?'])
            && !lines.contains("=-")
            && !lines.contains("door")
            && !task.contains(' ')
    }
}

/// Examples without end; the same for the same seed and split.
pub fn examples(seed: u64, split: Split) -> impl Iterator<Item = Example> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(split as u64);
    std::iter::repeat_with(move || example(&mut Draw { rng: &mut rng, split }))
}

fn example(draw: &mut Draw<'_>) -> Example {
    let (prompt, drawn) = draw.prompt();
    let answer = answer(&prompt);
    let word = |prompt: &str| prompt.rsplit(' ').next().unwrap_or_default().to_string();
    let (task, class) = match drawn {
        Drawn::Task(Share::Monitor) => ("monitor", state(&answer).into()),
        Drawn::Task(Share::Ask) => ("ask", word(&prompt)),
        Drawn::Task(Share::Write) => ("write", word(&prompt)),
        Drawn::Outside(Outside::Unrelated) => ("outside", "unrelated".into()),
        Drawn::Outside(Outside::Unanswerable) => ("outside", "unanswerable".into()),
        Drawn::Outside(Outside::Unreadable) => ("outside", "unreadable".into()),
    };
    Example { prompt, answer, task: task.into(), class }
}

/// The answer of the rules to a record as text.
pub fn answer(prompt: &str) -> String {
    notation::read(prompt).map_or_else(|| REFUSAL.into(), |record| rules::answer(&record))
}

/// The state of a device, as an answer tells it.
fn state(answer: &str) -> &'static str {
    match answer {
        _ if table::KINDS.iter().any(|kind| answer.contains(kind.alarm)) => "alarm",
        _ if answer.contains("no ") => "missing",
        _ => "normal",
    }
}
