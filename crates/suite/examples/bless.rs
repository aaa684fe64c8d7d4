//! Computes the golden values with the reference oracle, or checks that they match it.
//!
//! The engine is not involved: models come from `bitstate-model`, all results from `bitstate-reference`.

#[path = "bless/chain.rs"]
mod chain;
#[path = "bless/oracle.rs"]
mod oracle;
#[path = "bless/transcript.rs"]
mod transcript;

use anyhow::{Context, Result, ensure};
use bitstate_model::{Model, Preset, Version, synthetic};
use bitstate_protocol::Digest;
use bitstate_reference::{Canonical, Sampling, generate};
use chain::Chain;
use clap::Parser;
use oracle::Oracle;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Compute the golden streams and kernel digests with the reference oracle.
#[derive(Parser)]
struct Flags {
    /// The folder of cases.toml.
    #[arg(long, default_value = "golden")]
    golden: PathBuf,
    /// Change nothing; fail if any golden value differs from the oracle's.
    #[arg(long)]
    check: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    model: Vec<ModelEntry>,
    case: Vec<Case>,
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
struct Case {
    name: String,
    model: String,
    prompt: Vec<u32>,
    max_tokens: usize,
    sampler: String,
    seed: Option<u64>,
    temperature: Option<f32>,
    top_k: Option<u32>,
    top_p: Option<f32>,
    penalty: Option<f32>,
    chain: Option<Chain>,
}

#[derive(Serialize)]
struct Stream<'a> {
    case: &'a str,
    model: &'a str,
    model_digest: String,
    prompt: &'a [u32],
    sampler: Sampler,
    tokens: Vec<u32>,
    digests: Vec<String>,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Sampler {
    Greedy,
    Seeded { seed: u64, temperature: f32, top_k: u32, top_p: f32, penalty: f32 },
    Chain(Chain),
}

fn main() -> Result<()> {
    let flags = Flags::parse();
    let path = flags.golden.join("cases.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let cases: Cases = toml::from_str(&text).with_context(|| format!("{} is not as it should be", path.display()))?;

    let mut stale = Vec::new();
    let mut keep = |path: PathBuf, text: String| -> Result<()> {
        if flags.check {
            if fs::read_to_string(&path).ok().as_ref() != Some(&text) {
                stale.push(path.display().to_string());
            }
            return Ok(());
        }
        write_whole(&path, &text)
    };
    for entry in &cases.model {
        let bytes = model_bytes(entry, &flags.golden)?;
        let model = Model::parse(&bytes).with_context(|| format!("model {}", entry.name))?;
        let oracle = Canonical::new(&model);
        for case in cases.case.iter().filter(|case| case.model == entry.name) {
            let stream = stream(case, &oracle, Digest::of(&bytes))?;
            let path = flags.golden.join("streams").join(case.name.replace('/', "__") + ".json");
            eprintln!("{}", case.name);
            keep(path, serde_json::to_string(&stream)? + "\n")?;
        }
        let path = flags.golden.join("transcripts").join(format!("{}.txt", entry.name));
        if let Ok(session) = fs::read_to_string(&path) {
            eprintln!("{}", path.display());
            keep(path, transcript::answered(&session, &oracle)?)?;
        }
    }
    let mut checks = BTreeMap::new();
    bitstate_suite::checks::run(&mut Oracle, |case, digest| {
        checks.insert(case.to_string(), digest.to_string());
    });
    keep(flags.golden.join("kernels.json"), serde_json::to_string_pretty(&checks)? + "\n")?;

    ensure!(stale.is_empty(), "not what the oracle gives: {}; bless them if the change is meant", stale.join(", "));
    Ok(())
}

fn model_bytes(entry: &ModelEntry, golden: &Path) -> Result<Vec<u8>> {
    if let Some(path) = &entry.path {
        let path = golden.join("..").join(path);
        return fs::read(&path).with_context(|| format!("cannot read {}", path.display()));
    }
    let name = entry.preset.as_deref().with_context(|| format!("model {} has no path and no preset", entry.name))?;
    let format = entry.format.as_deref().unwrap_or("1.2");
    let version = Version::ALL.into_iter().find(|version| version.to_string() == format);
    let version = version.with_context(|| format!("model {}: there is no format {format}", entry.name))?;
    Ok(synthetic(&Preset::by_name(name)?.config(), entry.seed.unwrap_or(1), version))
}

fn stream<'a>(case: &'a Case, oracle: &Canonical, model: Digest) -> Result<Stream<'a>> {
    let missing = |field| format!("case {} has no {field}", case.name);
    let sampler = match case.sampler.as_str() {
        "greedy" => Sampler::Greedy,
        "seeded" => Sampler::Seeded {
            seed: case.seed.with_context(|| missing("seed"))?,
            temperature: case.temperature.with_context(|| missing("temperature"))?,
            top_k: case.top_k.with_context(|| missing("top_k"))?,
            top_p: case.top_p.with_context(|| missing("top_p"))?,
            penalty: case.penalty.with_context(|| missing("penalty"))?,
        },
        "chain" => Sampler::Chain(case.chain.clone().with_context(|| missing("chain"))?),
        other => anyhow::bail!("case {}: the samplers are greedy, seeded and chain, not {other}", case.name),
    };
    let sampling = match &sampler {
        Sampler::Greedy => Sampling::Greedy,
        Sampler::Chain(chain) => Sampling::Chain(chain.oracle()),
        &Sampler::Seeded { seed, temperature, top_k, top_p, penalty } => {
            Sampling::Seeded { seed, temperature, top_k: top_k as usize, top_p, penalty }
        }
    };
    let run = generate(oracle, &case.prompt, &sampling, case.max_tokens);
    Ok(Stream {
        case: &case.name,
        model: &case.model,
        model_digest: model.to_string(),
        prompt: &case.prompt,
        sampler,
        tokens: run.tokens,
        digests: run.logits.iter().map(|logits| Digest::of_f32s(logits).to_string()).collect(),
    })
}

fn write_whole(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().context("a golden file lies in a folder")?;
    fs::create_dir_all(folder)?;
    Ok(bitstate_files::write_whole(path, |file| file.write_all(text.as_bytes()))?)
}
