//! The text of a golden stream (`golden/streams/*.json`) and of the kernel checks' digests (`golden/kernels.json`).

use super::chain::ChainEntry;
use bitstate_protocol::{Digest, Sampling, Workload};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A golden stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    /// Digest of the model file that produced it.
    pub model: Digest,
    /// The tokens.
    pub tokens: Vec<u32>,
    /// For each token, the digest of the logits it was chosen from.
    pub digests: Vec<Digest>,
    /// The request that the file records, if `cases.toml` has since changed.
    pub stale: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamFile {
    case: String,
    model: String,
    model_digest: String,
    prompt: Vec<u32>,
    sampler: SamplerEntry,
    tokens: Vec<u32>,
    digests: Vec<String>,
}

// `Greedy` has braces because serde looks for unknown fields only in variants that have fields.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
enum SamplerEntry {
    Greedy {},
    Seeded { seed: u64, temperature: f32, top_k: u32, top_p: f32, penalty: f32 },
    Chain(ChainEntry),
}

impl SamplerEntry {
    fn sampling(&self) -> Sampling {
        match self {
            SamplerEntry::Greedy {} => Sampling::Greedy,
            SamplerEntry::Chain(chain) => Sampling::Chain(chain.chain()),
            &SamplerEntry::Seeded { seed, temperature, top_k, top_p, penalty } => {
                Sampling::Seeded { seed, temperature, top_k, top_p, penalty }
            }
        }
    }
}

/// Path of a case's golden stream.
pub fn stream_path(folder: &Path, case: &str) -> PathBuf {
    folder.join(format!("{}.json", case.replace('/', "__")))
}

/// Parses a golden stream, which must answer `workload` on the model of that name.
///
/// # Errors
/// The message, without the file's name.
pub fn parse_stream(text: &str, model: &str, workload: &Workload) -> Result<Stream, String> {
    let file: StreamFile = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if file.tokens.len() != file.digests.len() {
        return Err(format!("{} tokens but {} digests", file.tokens.len(), file.digests.len()));
    }
    let differs = [
        (file.case != workload.case, "case"),
        (file.model != model, "model"),
        (file.prompt != workload.prompt, "prompt"),
        (file.sampler.sampling() != workload.sampling, "sampler"),
    ];
    let differs: Vec<&str> = differs.iter().filter(|(differs, _)| *differs).map(|(_, name)| *name).collect();
    let stale = (!differs.is_empty())
        .then(|| format!("the golden file and golden/cases.toml differ in: {}", differs.join(", ")));
    Ok(Stream {
        model: parse_digest(&file.model_digest)?,
        digests: file.digests.iter().map(|digest| parse_digest(digest)).collect::<Result<_, _>>()?,
        tokens: file.tokens,
        stale,
    })
}

/// Parses `golden/kernels.json`: the digest of each kernel check.
///
/// # Errors
/// The message, without the file's name.
pub fn parse_kernels(text: &str) -> Result<BTreeMap<String, Digest>, String> {
    let file: BTreeMap<String, String> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if file.is_empty() {
        return Err("there is no kernel check".into());
    }
    file.into_iter().map(|(name, digest)| Ok((name, parse_digest(&digest)?))).collect()
}

fn parse_digest(text: &str) -> Result<Digest, String> {
    text.parse().map_err(|()| format!("`{text}` is not a digest of 16 hex digits"))
}
