//! A request to a runner.

use crate::chain::Chain;
use crate::line::{Bits, Commas, Fields, LineError, push_field};
use crate::measured::{Roof, Throughput};
#[cfg(feature = "sessions")]
use crate::session::{Begin, Resume};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// One run of a runner: one model (passed beside the request), one variant, some jobs.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Name of the kernel variant to force.
    pub variant: String,
    /// The jobs, in order.
    pub jobs: Vec<Job>,
}

/// A job.
#[derive(Debug, Clone, PartialEq)]
pub enum Job {
    /// Generate, and answer with the tokens and the digest of the logits at every step.
    Stream(Workload),
    /// Generate greedily and measure load, prefill and decode; answers with the stream as well.
    Bench(Workload),
    /// Process tokens, and answer with a digest after every step of every layer.
    Steps(Steps),
    /// Generate, and measure the cost of each part of a generated token; answers with the stream as well.
    Profile(Workload),
    /// Generate, and count the cost of each part of the prompt and of the generated tokens, on targets whose clock
    /// counts; on others a function call marks each part for a tool that counts from outside. Answers with the stream
    /// as well.
    Parts(Workload),
    /// Run every kernel over irregular shapes and answer with a digest each.
    Kernels,
    /// Report the kernels chosen for the shapes of the model.
    Layout,
    /// Measure read bandwidth of memory.
    Roof(Roof),
    /// Measure kernels by shape; answers with a digest of each result as well.
    Throughput(Throughput),
    /// Generate as [`Stream`](Job::Stream) does, with a session of the library, and answer with its files as well.
    #[cfg(feature = "sessions")]
    Begin(Begin),
    /// Resume a session of the library; answers like [`Begin`](Job::Begin).
    #[cfg(feature = "sessions")]
    Resume(Resume),
}

impl Job {
    /// The case names that an answer to this job must contain.
    pub fn cases(&self) -> Vec<String> {
        match self {
            Job::Stream(workload) | Job::Bench(workload) | Job::Profile(workload) | Job::Parts(workload) => {
                vec![workload.case.clone()]
            }
            Job::Steps(steps) => vec![steps.case.clone()],
            #[cfg(feature = "sessions")]
            Job::Begin(begin) => vec![begin.workload.case.clone()],
            #[cfg(feature = "sessions")]
            Job::Resume(resume) => vec![resume.case.clone()],
            Job::Kernels => vec!["kernels".into()],
            Job::Layout => vec!["layout".into()],
            Job::Roof(roof) => roof.bytes.iter().map(|&bytes| Roof::case(bytes)).collect(),
            Job::Throughput(throughput) => {
                let ternary = throughput.products().map(|(shape, tokens)| Throughput::ternary_case(shape, tokens));
                ternary.chain(throughput.heads.iter().map(|&shape| Throughput::head_case(shape))).collect()
            }
        }
    }
}

/// Tokens to process, regardless of a sampler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steps {
    /// Name of the case, repeated in every answer.
    pub case: String,
    /// Token ids processed first, in batches like a prompt; never empty. The logits after the last are computed.
    pub prompt: Vec<u32>,
    /// Token ids processed next, one at a time, with the logits after each; may be empty.
    pub tokens: Vec<u32>,
}

/// A prompt and how to continue it.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// Name of the case, repeated in every answer.
    pub case: String,
    /// Prompt token ids; never empty.
    pub prompt: Vec<u32>,
    /// Number of tokens to generate.
    pub max_tokens: u32,
    /// The sampler.
    pub sampling: Sampling,
}

impl Workload {
    /// The same with at most `max_tokens` generated tokens.
    pub fn limited(&self, max_tokens: u32) -> Self {
        Workload { max_tokens: self.max_tokens.min(max_tokens), ..self.clone() }
    }
}

/// How a token is chosen from the logits.
#[derive(Debug, Clone, PartialEq)]
pub enum Sampling {
    /// The lowest id among the largest logits.
    Greedy,
    /// Drawn at random, the same for the same seed on every target.
    Seeded {
        /// Seed of the generator.
        seed: u64,
        /// Divides the logits; 0 is greedy.
        temperature: f32,
        /// Number of the largest logits that are kept; 0 keeps all.
        top_k: u32,
        /// Fraction of the probability that is kept, in (0, 1].
        top_p: f32,
        /// Repetition penalty, at least 1.
        penalty: f32,
    },
    /// Drawn by a chain of all samplers.
    Chain(Chain),
}

impl Request {
    /// The request as lines of text.
    pub fn to_text(&self) -> String {
        let mut out = String::from("bitstate-request");
        push_field(&mut out, "version", crate::VERSION);
        push_field(&mut out, "variant", &self.variant);
        out.push('\n');
        for job in &self.jobs {
            match job {
                Job::Kernels => out.push_str("kernels"),
                Job::Stream(workload) => push_workload(&mut out, "stream", workload),
                Job::Bench(workload) => push_workload(&mut out, "bench", workload),
                Job::Steps(steps) => {
                    out.push_str("steps");
                    push_field(&mut out, "case", &steps.case);
                    push_field(&mut out, "prompt", Commas(&steps.prompt));
                    push_field(&mut out, "tokens", Commas(&steps.tokens));
                }
                Job::Profile(workload) => push_workload(&mut out, "profile", workload),
                Job::Parts(workload) => push_workload(&mut out, "parts", workload),
                Job::Layout => out.push_str("layout"),
                Job::Roof(roof) => {
                    out.push_str("roof");
                    roof.push(&mut out);
                }
                Job::Throughput(throughput) => {
                    out.push_str("throughput");
                    throughput.push(&mut out);
                }
                #[cfg(feature = "sessions")]
                Job::Begin(begin) => begin.push(&mut out),
                #[cfg(feature = "sessions")]
                Job::Resume(resume) => resume.push(&mut out),
            }
            out.push('\n');
        }
        out
    }

    /// Parses a request.
    ///
    /// # Errors
    /// Names the line and the invalid field.
    pub fn parse(text: &str) -> Result<Self, LineError> {
        let mut lines = text.lines().enumerate().map(|(i, text)| Fields::parse(i + 1, text));
        let mut head = lines.next().ok_or(LineError::Cut { lines: 0 })??;
        if head.keyword != "bitstate-request" {
            return Err(head.unknown());
        }
        let found = head.value("version")?;
        if found != crate::VERSION {
            return Err(LineError::Version { found, ours: crate::VERSION });
        }
        let variant = head.text("variant")?;
        head.finish()?;
        let jobs = lines.map(|fields| parse_job(fields?)).collect::<Result<_, _>>()?;
        Ok(Request { variant, jobs })
    }
}

pub(crate) fn push_workload(out: &mut String, keyword: &str, workload: &Workload) {
    out.push_str(keyword);
    push_field(out, "case", &workload.case);
    push_field(out, "prompt", Commas(&workload.prompt));
    push_field(out, "max_tokens", workload.max_tokens);
    match &workload.sampling {
        Sampling::Greedy => push_field(out, "sampler", "greedy"),
        Sampling::Seeded { seed, temperature, top_k, top_p, penalty } => {
            push_field(out, "sampler", "seeded");
            push_field(out, "seed", seed);
            push_field(out, "top_k", top_k);
            for (key, value) in [("temperature", temperature), ("top_p", top_p), ("penalty", penalty)] {
                push_field(out, key, Bits(*value));
            }
        }
        Sampling::Chain(chain) => {
            push_field(out, "sampler", "chain");
            chain.push(out);
        }
    }
}

fn parse_job(mut fields: Fields<'_>) -> Result<Job, LineError> {
    let alone = match fields.keyword {
        "kernels" => Some(Job::Kernels),
        "layout" => Some(Job::Layout),
        "roof" => Some(Job::Roof(Roof::take(&mut fields)?)),
        "throughput" => Some(Job::Throughput(Throughput::take(&mut fields)?)),
        "steps" => Some(Job::Steps(Steps {
            case: fields.text("case")?,
            prompt: fields.list("prompt")?,
            tokens: fields.list("tokens")?,
        })),
        #[cfg(feature = "sessions")]
        "begin" => Some(Job::Begin(Begin::take(&mut fields)?)),
        #[cfg(feature = "sessions")]
        "resume" => Some(Job::Resume(Resume::take(&mut fields)?)),
        _ => None,
    };
    if let Some(job) = alone {
        fields.finish()?;
        return Ok(job);
    }
    let wrap = match fields.keyword {
        "stream" => Job::Stream,
        "bench" => Job::Bench,
        "profile" => Job::Profile,
        "parts" => Job::Parts,
        _ => return Err(fields.unknown()),
    };
    let workload = take_workload(&mut fields)?;
    fields.finish()?;
    Ok(wrap(workload))
}

/// The fields of a workload.
pub(crate) fn take_workload(fields: &mut Fields<'_>) -> Result<Workload, LineError> {
    let case = fields.text("case")?;
    let prompt = fields.list("prompt")?;
    let max_tokens = fields.value("max_tokens")?;
    let sampler = fields.text("sampler")?;
    let sampling = match sampler.as_str() {
        "greedy" => Sampling::Greedy,
        "seeded" => Sampling::Seeded {
            seed: fields.value("seed")?,
            temperature: fields.float("temperature")?,
            top_k: fields.value("top_k")?,
            top_p: fields.float("top_p")?,
            penalty: fields.float("penalty")?,
        },
        "chain" => Sampling::Chain(Chain::take(fields)?),
        _ => return Err(LineError::BadValue { line: fields.line, field: "sampler".into(), value: sampler }),
    };
    Ok(Workload { case, prompt, max_tokens, sampling })
}
