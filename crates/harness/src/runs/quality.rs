//! The loss of a model on a text, on every target.
//!
//! A loss is a function of the tokens and of the logits that predicted each of them. `bitstate eval --trace` prints
//! those tokens, a digest of the logits of each, and the loss. Every cell runs the same tokens and returns the digests
//! of its own logits: if all are equal, so is the loss, to the last bit; no target has to compute a logarithm.

use crate::records::Row;
use crate::runs::plan::{Plan, time_limit};
use crate::targets::runner::{Reply, Runner};
use crate::targets::{Cell, ModelFile, RunRequest};
use crate::workspace::error::Error;
use crate::workspace::exit::Exit;
use crate::workspace::process;
use crate::workspace::progress::Progress;
use bitstate_protocol::{Digest, Job, Steps};
use serde::Deserialize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The name of the text, in place of a case's name.
pub const TEXT: &str = "text";

/// The output of `bitstate eval --json --trace`.
#[derive(Debug, Deserialize)]
pub struct Quality {
    /// Number of tokens predicted, over all stories.
    pub tokens: usize,
    /// Mean of `-ln p` over them.
    pub nats_per_token: f64,
    /// Bits of all tokens divided by the bytes of the stories; none if stories were truncated.
    pub bits_per_byte: Option<f64>,
    /// The stories.
    pub trace: Vec<Story>,
}

/// A story, starting from an empty state.
#[derive(Debug, Deserialize)]
pub struct Story {
    /// The end-of-text token, followed by the story's tokens.
    pub tokens: Vec<u32>,
    /// Digests of the logits after each token but the last, in hex.
    pub digests: Vec<String>,
}

impl Quality {
    /// Parses the output of `bitstate eval`.
    ///
    /// # Errors
    /// The message.
    pub fn parse(text: &str) -> Result<Self, String> {
        let quality: Quality = serde_json::from_str(text).map_err(|error| format!("the answer of eval: {error}"))?;
        let fits = |story: &Story| !story.digests.is_empty() && story.tokens.len() == story.digests.len() + 1;
        if quality.trace.is_empty() || !quality.trace.iter().all(fits) {
            return Err("the answer of eval has no tokens, or not a digest for each of them".into());
        }
        Ok(quality)
    }
}

/// Runs the stories on every cell of the plan and compares each token's logits with those of `quality`: one row per
/// cell.
///
/// # Errors
/// If interrupted. A failure of a run is a row.
pub fn check(plan: &Plan, model: &ModelFile, quality: &Quality) -> Result<Vec<Row>, Error> {
    let cells = plan.built.runnable(plan.cells);
    let progress = Progress::bar("eval", cells.len() as u64);
    let next = AtomicUsize::new(0);
    let rows = Mutex::new(plan.obstacles());
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(cells.len());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                // The emulated targets are last in the list and slow, so they start first.
                while let Some(&cell) = cells.iter().rev().nth(next.fetch_add(1, Ordering::SeqCst)) {
                    let row = plan.built.runners.get(cell.target.name).map(|runner| {
                        let row = on_cell(plan, runner, cell, model, &quality.trace);
                        progress.step(&cell.to_string());
                        row
                    });
                    // A poisoned lock means that another worker panicked, which the scope reports.
                    if let Ok(mut rows) = rows.lock() {
                        rows.extend(row);
                    }
                }
            });
        }
    });
    if process::interrupted() {
        return Err(Error::Interrupted);
    }
    let mut rows = rows.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    rows.sort_by_key(|row| Cell::all().position(|cell| is_of(row, cell)));
    Ok(rows)
}

fn is_of(row: &Row, cell: Cell) -> bool {
    match row {
        Row::Verified { target, variant, .. }
        | Row::Failed { target, variant, .. }
        | Row::Skipped { target, variant, .. } => target == cell.target.name && variant == cell.variant.name,
        _ => false,
    }
}

fn on_cell(plan: &Plan, runner: &Runner, cell: Cell, model: &ModelFile, stories: &[Story]) -> Row {
    let jobs = stories.iter().enumerate().map(|(i, story)| {
        // The last token predicts nothing. One at a time, so that there are logits after each.
        let (first, rest) = story.tokens[..story.digests.len()].split_at(1);
        Job::Steps(Steps { case: case(i), prompt: first.to_vec(), tokens: rest.to_vec() })
    });
    let ask = RunRequest { model, jobs: jobs.collect(), fuel: false, timeout: time_limit(cell) };
    let reply = match runner.run(cell, &ask) {
        Ok(reply) => reply,
        Err(error) => return plan.failure(cell, TEXT, &model.name, "eval", &error),
    };
    if let Some((case, message)) = reply.failures.iter().next() {
        return Row::failed(cell, Some(case), "eval", format!("the runner says: {message}"), Exit::Harness);
    }
    match difference(stories, &reply) {
        Some(what) => Row::failed(cell, Some(TEXT), "eval", what, Exit::WrongAnswer),
        None => Row::Verified {
            target: cell.target.name.into(),
            variant: cell.variant.name.into(),
            workload: TEXT.into(),
            steps: stories.iter().map(|story| story.digests.len()).sum(),
        },
    }
}

fn case(story: usize) -> String {
    format!("{TEXT}/{}", story + 1)
}

/// The first token whose logits differ from those that the loss was computed from.
fn difference(stories: &[Story], reply: &Reply) -> Option<String> {
    for (i, story) in stories.iter().enumerate() {
        let case = case(i);
        let head = |step: &&(String, u32, u32, String, Digest)| step.0 == case && step.3 == "head";
        let mut heads = reply.steps.iter().filter(head);
        for (position, wanted) in story.digests.iter().enumerate() {
            let found = heads.next().filter(|step| step.1 as usize == position).map(|step| step.4.to_string());
            if found.as_ref() != Some(wanted) {
                let found = found.unwrap_or_else(|| "not there".into());
                let token = position + 1;
                return Some(format!("the logits behind token {token} of {case} are {found}, and eval had {wanted}"));
            }
        }
        if heads.next().is_some() {
            return Some(format!("{case} has logits behind more tokens than were given"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Quality, Reply, difference};
    use bitstate_protocol::Digest;

    const ANSWER: &str = r#"{"tokens":2,"nats_per_token":1.5,"bits_per_byte":null,
        "trace":[{"tokens":[0,7,8],"digests":["0000000000000001","0000000000000002"],"nats":3.0}]}"#;

    fn reply(digests: &[u64]) -> Reply {
        let step =
            |(i, &digest): (usize, &u64)| ("text/1".to_string(), i as u32, 2, "head".to_string(), Digest(digest));
        let other = ("text/1".to_string(), 0, 0, "tm.r".to_string(), Digest(9));
        let steps = [other].into_iter().chain(digests.iter().enumerate().map(step));
        Reply { steps: steps.collect(), ..Reply::default() }
    }

    #[test]
    fn every_token_of_every_story_must_agree() {
        let stories = Quality::parse(ANSWER).unwrap().trace;
        assert_eq!(difference(&stories, &reply(&[1, 2])), None);
        assert!(difference(&stories, &reply(&[1, 3])).unwrap().contains("token 2 of text/1 are 0000000000000003"));
        assert!(difference(&stories, &reply(&[1])).unwrap().contains("token 2 of text/1 are not there"));
        assert!(difference(&stories, &reply(&[1, 2, 3])).unwrap().contains("more tokens"));
    }

    #[test]
    fn an_answer_without_its_tokens_is_refused() {
        assert!(Quality::parse(&ANSWER.replace("[0,7,8]", "[0,7]")).is_err());
        assert!(Quality::parse(r#"{"tokens":0,"nats_per_token":0,"bits_per_byte":null,"trace":[]}"#).is_err());
        assert!(Quality::parse("{").unwrap_err().contains("eval"));
    }
}
