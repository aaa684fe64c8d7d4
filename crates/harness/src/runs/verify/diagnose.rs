//! Where two targets diverge: the first token, layer and step whose outputs are not bit-identical, by digests that both
//! record on request.

use crate::definitions::golden::Case;
use crate::runs::plan::{QUICK_STEPS, time_limit};
use crate::targets::runner::{Runner, StepDigest};
use crate::targets::{Cell, ModelFile, RunError, RunRequest};
use bitstate_protocol::{Digest, Job, Steps};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// The first step that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Position in the session, prompt included.
    pub position: u32,
    /// Tokens of the prompt.
    pub prompt: u32,
    /// Layer; the final norm and the head count as the layer after the last.
    pub layer: u32,
    /// Name of the step, such as `tm.r`.
    pub step: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { position, prompt, layer, step } = self;
        write!(f, "`{step}` ({}) of layer {layer}, at ", in_words(step))?;
        match position.checked_sub(*prompt) {
            None => write!(f, "token {position} of the prompt"),
            Some(generated) => write!(f, "generated token {generated}, position {position}"),
        }
    }
}

/// The name of a step in the definition.
fn in_words(step: &str) -> &str {
    match step {
        "embedding" => "embedding",
        "tm.r" => "time mix r",
        "tm.k" => "time mix k",
        "tm.v" => "time mix v",
        "tm.g" => "time mix g",
        "tm.wkv" => "WKV",
        "tm.gn" => "group norm and gate",
        "tm.o" => "time mix output",
        "cm.k" => "channel mix k",
        "cm.r" => "channel mix r",
        "cm.v" => "channel mix v",
        "ln_f" => "final norm",
        "head" => "head",
        _ => "unknown to the harness",
    }
}

/// The request for two cells about a case: its prompt at once, then its golden tokens one at a time, whatever the
/// sampler.
pub fn question(case: &Case, generated: usize) -> Steps {
    let tokens = case.golden.tokens.iter().copied().take(generated).collect();
    Steps { case: case.name().into(), prompt: case.workload.prompt.clone(), tokens }
}

/// Number of golden tokens in a full comparison.
pub fn generated(case: &Case, quick: bool) -> usize {
    if quick { QUICK_STEPS as usize } else { case.workload.max_tokens as usize }
}

/// The digests of all steps.
///
/// # Errors
/// If the cell gives no answer.
pub fn steps(cell: Cell, runner: &Runner, model: &ModelFile, asked: &Steps) -> Result<Vec<StepDigest>, RunError> {
    let ask = RunRequest { model, jobs: vec![Job::Steps(asked.clone())], fuel: false, timeout: time_limit(cell) };
    let mut reply = runner.run(cell, &ask)?;
    match reply.failures.pop_first() {
        Some((_, message)) => Err(RunError::WrongJobs(format!("the runner says: {message}"))),
        None => Ok(reply.steps),
    }
}

/// The first step in which two lists differ: by position, then by layer, then in the order of the first list. A step
/// that one of them lacks differs.
pub fn first_difference(prompt: usize, a: &[StepDigest], b: &[StepDigest]) -> Option<Difference> {
    let places = |steps: &[StepDigest]| {
        let mut places: BTreeMap<(u32, u32), Vec<(String, Digest)>> = BTreeMap::new();
        for (_, position, layer, step, digest) in steps {
            places.entry((*position, *layer)).or_default().push((step.clone(), *digest));
        }
        places
    };
    let (a, b) = (places(a), places(b));
    let nothing = Vec::new();
    let all = a.keys().chain(b.keys()).copied().collect::<std::collections::BTreeSet<_>>();
    all.into_iter().find_map(|place| {
        let (ours, theirs) = (a.get(&place).unwrap_or(&nothing), b.get(&place).unwrap_or(&nothing));
        let at = (0..ours.len().max(theirs.len())).find(|&i| ours.get(i) != theirs.get(i))?;
        let (step, _) = ours.get(at).or(theirs.get(at))?;
        Some(Difference { position: place.0, prompt: prompt as u32, layer: place.1, step: step.clone() })
    })
}

#[cfg(test)]
mod tests {
    use super::{StepDigest, first_difference};
    use bitstate_protocol::Digest;

    const STEPS: [&str; 11] =
        ["embedding", "tm.r", "tm.k", "tm.v", "tm.g", "tm.wkv", "tm.gn", "tm.o", "cm.k", "cm.r", "cm.v"];

    /// Two positions of a prompt and one generated, two layers; each digest encodes its position.
    fn steps() -> Vec<StepDigest> {
        let mut steps = Vec::new();
        let mut push = |position: u32, layer: u32, step: &str| {
            let digest = Digest(u64::from(position) << 32 | u64::from(layer) << 16 | steps.len() as u64);
            steps.push(("a".to_string(), position, layer, step.to_string(), digest));
        };
        for position in 0..3 {
            for layer in 0..2 {
                let first = if layer == 0 { 0 } else { 1 };
                STEPS[first..].iter().for_each(|step| push(position, layer, step));
            }
            if position > 0 {
                push(position, 2, "ln_f");
                push(position, 2, "head");
            }
        }
        steps
    }

    #[test]
    fn every_step_is_found_where_it_was_altered() {
        let right = steps();
        assert_eq!(first_difference(2, &right, &right), None);
        for (i, (_, position, layer, step, _)) in right.iter().enumerate() {
            let mut wrong = right.clone();
            // Everything after it differs as well, as in a real run.
            wrong[i..].iter_mut().for_each(|(.., digest)| digest.0 ^= 1 << 60);
            let found = first_difference(2, &wrong, &right).unwrap();
            assert_eq!((found.position, found.layer, &found.step), (*position, *layer, step));
        }
    }

    #[test]
    fn the_order_in_which_rows_of_a_batch_come_does_not_matter_but_a_missing_step_does() {
        let right = steps();
        let mut by_layer = right.clone();
        by_layer.sort_by_key(|(_, position, layer, ..)| (*layer, *position));
        assert_eq!(first_difference(2, &by_layer, &right), None);
        let mut cut = right.clone();
        let gone = cut.remove(5);
        assert_eq!(first_difference(2, &cut, &right).unwrap().step, "tm.gn", "{gone:?}");
        assert_eq!(first_difference(2, &right, &cut).unwrap().step, "tm.wkv");
        cut.truncate(30);
        assert!(first_difference(2, &right, &cut).is_some());
    }

    #[test]
    fn a_difference_is_described_in_words() {
        let mut wrong = steps();
        let last = wrong.len() - 1;
        wrong[last].4.0 ^= 1;
        let text = first_difference(2, &wrong, &steps()).unwrap().to_string();
        assert_eq!(text, "`head` (head) of layer 2, at generated token 0, position 2");
        let mut wrong = steps();
        wrong[5].4.0 ^= 1;
        let text = first_difference(2, &wrong, &steps()).unwrap().to_string();
        assert_eq!(text, "`tm.wkv` (WKV) of layer 0, at token 0 of the prompt");
    }
}
