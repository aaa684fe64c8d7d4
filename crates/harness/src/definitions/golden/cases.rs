//! The text of `golden/cases.toml`: the models and the cases that run on them.

use super::chain::ChainEntry;
use crate::workspace::error::{Error, nearest};
use crate::workspace::strict;
use bitstate_protocol::{Sampling, Workload};
use serde::Deserialize;
use std::path::PathBuf;

/// Where a model file comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// A stored file; the path is relative to the workspace's root.
    File(PathBuf),
    /// A generated file, the same for the same seed.
    Synthetic {
        /// Name of the preset.
        preset: String,
        /// Seed of the generator.
        seed: u64,
        /// Version of the file format.
        format: String,
    },
}

/// A model that cases run on.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Its name in cases.
    pub name: String,
    /// Where its file comes from.
    pub source: Source,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CasesFile {
    model: Vec<ModelEntry>,
    case: Vec<CaseEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelEntry {
    name: String,
    path: Option<PathBuf>,
    preset: Option<String>,
    seed: Option<u64>,
    format: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseEntry {
    name: String,
    model: String,
    prompt: Vec<u32>,
    max_tokens: u32,
    sampler: String,
    seed: Option<u64>,
    temperature: Option<f32>,
    top_k: Option<u32>,
    top_p: Option<f32>,
    penalty: Option<f32>,
    chain: Option<ChainEntry>,
    /// Marked a timed case before `ci/workloads.toml` existed; kept because `ab` builds such commits too.
    #[serde(default)]
    bench: bool,
    #[serde(default)]
    sessions: bool,
}

/// A case without its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Name of its model.
    pub model: String,
    /// The request that a runner answers.
    pub workload: Workload,
    /// Whether it was marked as timed.
    pub bench: bool,
    /// Whether its sessions are handed from target to target.
    pub sessions: bool,
}

/// Sessions are saved after each number of generated tokens from 0 to this.
pub const SAVED_TOKENS: u32 = 64;
/// Tokens that a resumed session generates.
pub const RESUMED_TOKENS: u32 = 4;

/// Reads the text of `golden/cases.toml`.
///
/// # Errors
/// The message, without the file's name.
pub fn parse_cases(text: &str) -> Result<(Vec<Model>, Vec<Question>), String> {
    let file: CasesFile = strict::parse(text)?;
    let mut models: Vec<Model> = Vec::new();
    for entry in file.model {
        let name = entry.name.clone();
        if models.iter().any(|model| model.name == name) {
            return Err(format!("model `{name}` is there twice"));
        }
        let source = model_source(entry)
            .ok_or_else(|| format!("model `{name}` needs either `path`, or `preset`, `seed` and `format` together"))?;
        models.push(Model { name, source });
    }
    let mut questions: Vec<Question> = Vec::new();
    for entry in file.case {
        let name = entry.name.clone();
        if questions.iter().any(|question| question.workload.case == name) {
            return Err(format!("case `{name}` is there twice"));
        }
        if !models.iter().any(|model| model.name == entry.model) {
            let unknown = Error::Unknown {
                kind: "model",
                nearest: nearest(&entry.model, models.iter().map(|model| model.name.as_str())),
                name: entry.model,
            };
            return Err(format!("case `{name}`: {unknown}"));
        }
        let sampling = case_sampling(&entry).map_err(|message| format!("case `{name}`: {message}"))?;
        if entry.prompt.is_empty() || entry.max_tokens == 0 {
            return Err(format!("case `{name}`: the prompt and max_tokens must not be empty"));
        }
        let CaseEntry { model, prompt, max_tokens, bench, sessions, .. } = entry;
        let needed = SAVED_TOKENS + RESUMED_TOKENS;
        if sessions && max_tokens < needed {
            return Err(format!("case `{name}`: `sessions` needs max_tokens of {needed} or more"));
        }
        let workload = Workload { case: name, prompt, max_tokens, sampling };
        questions.push(Question { model, workload, bench, sessions });
    }
    Ok((models, questions))
}

fn model_source(entry: ModelEntry) -> Option<Source> {
    match (entry.path, entry.preset, entry.seed, entry.format) {
        (Some(path), None, None, None) => Some(Source::File(path)),
        (None, Some(preset), Some(seed), Some(format)) => Some(Source::Synthetic { preset, seed, format }),
        _ => None,
    }
}

fn case_sampling(entry: &CaseEntry) -> Result<Sampling, String> {
    let parts = (entry.seed, entry.temperature, entry.top_k, entry.top_p, entry.penalty);
    match (entry.sampler.as_str(), parts, &entry.chain) {
        ("chain", (None, None, None, None, None), Some(chain)) => Ok(Sampling::Chain(chain.chain())),
        ("chain", ..) => Err("a chain of samplers needs the table `chain`, and nothing beside it".into()),
        (_, _, Some(_)) => Err("`chain` is for the sampler `chain`".into()),
        ("greedy", (None, None, None, None, None), _) => Ok(Sampling::Greedy),
        ("greedy", ..) => Err("a greedy sampler has no seed, temperature, top_k, top_p or penalty".into()),
        ("seeded", (Some(seed), Some(temperature), Some(top_k), Some(top_p), Some(penalty)), _) => {
            Ok(Sampling::Seeded { seed, temperature, top_k, top_p, penalty })
        }
        ("seeded", ..) => Err("a seeded sampler needs seed, temperature, top_k, top_p and penalty".into()),
        (other, ..) => Err(format!("`{other}` is not a sampler: `greedy`, `seeded` or `chain`")),
    }
}
