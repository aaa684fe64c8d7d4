//! The cases every target runs (`golden/cases.toml`) and the answers they must give (`golden/streams/*.json`).

use crate::error::{Error, nearest};
use crate::git::is_leftover;
use crate::strict;
use crate::workloads;
use crate::workspace::{Workspace, read_text};
use bitstate_protocol::{Digest, Sampling, StreamAnswer, Workload};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where a model file comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// It is stored; the path is relative to the top folder.
    File(PathBuf),
    /// It is made, the same for the same seed.
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

/// A prompt with its sampler on a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Name of its model.
    pub model: String,
    /// What a runner is asked.
    pub workload: Workload,
    /// Whether it is a workload of `ci/workloads.toml`: timed and counted as well.
    pub bench: bool,
    /// What it must answer.
    pub golden: Stream,
}

impl Case {
    /// The case's name.
    pub fn name(&self) -> &str {
        &self.workload.case
    }
}

/// A golden stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    /// Digest of the model file that it was made with.
    pub model: Digest,
    /// The tokens.
    pub tokens: Vec<u32>,
    /// For each of them, the digest of the logits it was chosen from.
    pub digests: Vec<Digest>,
    /// What the file says about the question, where `cases.toml` now says something else.
    pub stale: Option<String>,
}

/// All cases and their models, checked against each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Golden {
    /// The models, in the file's order.
    pub models: Vec<Model>,
    /// The cases, in the file's order.
    pub cases: Vec<Case>,
    /// What the kernel checks must give, by name.
    pub kernels: BTreeMap<String, Digest>,
    /// Digest over all golden files.
    pub digest: Digest,
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
    /// What marked a timed case before `ci/workloads.toml` was there: `ab` builds such commits too.
    #[serde(default)]
    bench: bool,
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
}

impl SamplerEntry {
    fn sampling(&self) -> Sampling {
        match *self {
            SamplerEntry::Greedy {} => Sampling::Greedy,
            SamplerEntry::Seeded { seed, temperature, top_k, top_p, penalty } => {
                Sampling::Seeded { seed, temperature, top_k, top_p, penalty }
            }
        }
    }
}

impl Golden {
    /// Reads `golden/cases.toml` and the stream of every case.
    ///
    /// # Errors
    /// For a file that is missing, malformed or about something that is not there.
    pub fn load(workspace: &Workspace) -> Result<Self, Error> {
        let path = workspace.root.join("golden/cases.toml");
        let (models, questions) =
            parse_cases(&read_text(&path)?).map_err(|message| Error::Malformed { path: path.clone(), message })?;
        let timed = timed(workspace, &questions)?;
        let mut all = String::new();
        let mut cases = Vec::new();
        for (model, workload, _) in questions {
            let bench = timed.contains(&workload.case);
            let path = stream_path(&workspace.streams(), &workload.case);
            if !path.is_file() {
                return Err(Error::Refused(format!(
                    "{} is missing: case `{}` has no golden stream yet; `cargo xtask golden --bless` makes it",
                    workspace.show(&path),
                    workload.case
                )));
            }
            let text = read_text(&path)?;
            let golden = parse_stream(&text, &model, &workload)
                .map_err(|message| Error::Malformed { path: path.clone(), message })?;
            all.push_str(&text);
            cases.push(Case { model, workload, bench, golden });
        }
        let known: Vec<PathBuf> = cases.iter().map(|case| stream_path(&workspace.streams(), case.name())).collect();
        let folder = workspace.streams();
        for entry in std::fs::read_dir(&folder).map_err(Error::io("list", &folder))? {
            let path = entry.map_err(Error::io("list", &folder))?.path();
            let ours = !is_leftover(&path.file_name().unwrap_or_default().to_string_lossy());
            if ours && path.extension().is_some_and(|extension| extension == "json") && !known.contains(&path) {
                return Err(Error::Malformed { path, message: "no case in golden/cases.toml has this name".into() });
            }
        }
        let path = workspace.root.join("golden/kernels.json");
        let text = read_text(&path)?;
        let kernels = parse_kernels(&text).map_err(|message| Error::Malformed { path, message })?;
        all.push_str(&text);
        Ok(Golden { models, cases, kernels, digest: Digest::of(all.as_bytes()) })
    }
}

/// Names of the timed cases.
fn timed(workspace: &Workspace, questions: &Questions) -> Result<Vec<String>, Error> {
    let mut marked = questions.iter().filter(|(_, _, bench)| *bench).map(|(_, workload, _)| workload.case.clone());
    if !workspace.root.join(workloads::FILE).is_file() {
        return Ok(marked.collect());
    }
    if let Some(case) = marked.next() {
        let message = format!("case `{case}`: `bench` means nothing here; a stanza in {} does", workloads::FILE);
        return Err(Error::Malformed { path: workspace.root.join("golden/cases.toml"), message });
    }
    workloads::check(workspace, questions.iter().map(|(_, workload, _)| workload))
}

/// Where the golden stream of a case lies.
pub fn stream_path(folder: &Path, case: &str) -> PathBuf {
    folder.join(format!("{}.json", case.replace('/', "__")))
}

/// Of each case its model's name, what is asked, and whether it was marked as timed.
pub type Questions = Vec<(String, Workload, bool)>;

/// Reads the text of `golden/cases.toml`.
///
/// # Errors
/// As a sentence, without the file's name.
pub fn parse_cases(text: &str) -> Result<(Vec<Model>, Questions), String> {
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
    let mut questions: Questions = Vec::new();
    for entry in file.case {
        let name = entry.name.clone();
        if questions.iter().any(|(_, workload, _)| workload.case == name) {
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
        let workload = Workload { case: name, prompt: entry.prompt, max_tokens: entry.max_tokens, sampling };
        questions.push((entry.model, workload, entry.bench));
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
    match (entry.sampler.as_str(), parts) {
        ("greedy", (None, None, None, None, None)) => Ok(Sampling::Greedy),
        ("greedy", _) => Err("a greedy sampler has no seed, temperature, top_k, top_p or penalty".into()),
        ("seeded", (Some(seed), Some(temperature), Some(top_k), Some(top_p), Some(penalty))) => {
            Ok(Sampling::Seeded { seed, temperature, top_k, top_p, penalty })
        }
        ("seeded", _) => Err("a seeded sampler needs seed, temperature, top_k, top_p and penalty".into()),
        (other, _) => Err(format!("`{other}` is not a sampler: `greedy` or `seeded`")),
    }
}

/// Reads the text of a golden stream, which is to answer `workload` on the model of that name.
///
/// # Errors
/// As a sentence, without the file's name.
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

/// Reads the text of `golden/kernels.json`: the digest of each kernel check.
///
/// # Errors
/// As a sentence, without the file's name.
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

/// The first step at which an answer leaves the golden stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// Step, from 0: the index of the generated token.
    pub step: usize,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Logits { golden: Digest, found: Digest },
    Token { golden: u32, found: u32 },
    Length { golden: usize, found: usize },
}

impl Divergence {
    /// Compares the first `limit` steps, all of them by default.
    pub fn find(golden: &Stream, found: &StreamAnswer, limit: Option<usize>) -> Option<Self> {
        let limit = limit.unwrap_or(usize::MAX);
        let (golden_len, found_len) = (golden.tokens.len().min(limit), found.tokens.len().min(limit));
        for step in 0..golden_len.min(found_len) {
            let (want, got) = (golden.digests[step], found.digests[step]);
            if want != got {
                return Some(Divergence { step, what: What::Logits { golden: want, found: got } });
            }
            let (want, got) = (golden.tokens[step], found.tokens[step]);
            if want != got {
                return Some(Divergence { step, what: What::Token { golden: want, found: got } });
            }
        }
        let what = What::Length { golden: golden_len, found: found_len };
        (golden_len != found_len).then_some(Divergence { step: golden_len.min(found_len), what })
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "first divergent step {}: ", self.step)?;
        match &self.what {
            What::Logits { golden, found } => write!(f, "logits digest {found}, golden {golden}"),
            What::Token { golden, found } => write!(f, "token {found}, golden {golden}, from the same logits"),
            What::Length { golden, found } => write!(f, "the answer has {found} tokens, the golden stream {golden}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Divergence, Stream, parse_cases, parse_kernels, parse_stream, timed};
    use crate::workspace::{Workspace, write_atomic};
    use bitstate_protocol::{Digest, StreamAnswer};

    const CASES: &str = r#"
        [[model]]
        name = "small"
        path = "golden/peer/small.bits"
        [[model]]
        name = "default"
        preset = "default"
        seed = 1
        format = "1.2"
        [[case]]
        name = "small/greedy"
        model = "small"
        prompt = [1, 2]
        max_tokens = 2
        sampler = "greedy"
        bench = true
    "#;
    const STREAM: &str = r#"{"case":"small/greedy","model":"small","model_digest":"00000000000000aa",
        "prompt":[1,2],"sampler":{"kind":"greedy"},"tokens":[5,6],"digests":["0000000000000001","0000000000000002"]}"#;

    fn refuse(from: &str, to: &str) -> String {
        let changed = CASES.replace(from, to);
        assert_ne!(changed, CASES);
        parse_cases(&changed).unwrap_err()
    }

    #[test]
    fn cases_are_strict_and_errors_name_the_field() {
        assert_eq!(parse_cases(CASES).unwrap().1.len(), 1);
        assert!(refuse("max_tokens", "max_token").contains("max_token"));
        assert!(refuse("model = \"small\"", "model = \"smal\"").contains("did you mean `small`"));
        assert!(refuse("format = \"1.2\"", "").contains("`default` needs"));
        assert!(refuse("\"greedy\"\n", "\"seeded\"\n").contains("needs seed"));
        assert!(refuse("prompt = [1, 2]", "prompt = []").contains("must not be empty"));
        assert!(refuse("name = \"default\"", "name = \"small\"").contains("twice"));
    }

    #[test]
    fn what_is_timed_is_said_in_one_place_and_an_older_commit_may_say_it_in_the_other() {
        let (_, questions) = parse_cases(CASES).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace { root: folder.path().into(), target: folder.path().into() };
        assert_eq!(timed(&workspace, &questions).unwrap(), ["small/greedy"]);
        let text = include_str!("../../../ci/workloads.toml");
        write_atomic(&workspace.root.join("ci/workloads.toml"), text.as_bytes()).unwrap();
        let error = timed(&workspace, &questions).unwrap_err().to_string();
        assert!(error.contains("golden/cases.toml: case `small/greedy`: `bench` means nothing here"), "{error}");
    }

    #[test]
    fn streams_are_strict_and_say_when_they_are_stale() {
        let (_, questions) = parse_cases(CASES).unwrap();
        let (model, workload, _) = &questions[0];
        let parse = |text: &str| parse_stream(text, model, workload);
        assert_eq!(parse(STREAM).unwrap().stale, None);
        assert!(parse(&STREAM.replace("\"greedy\"}", "\"greedy\",\"seed\":1}")).unwrap_err().contains("seed"));
        assert!(parse(&STREAM.replace("[5,6]", "[5]")).unwrap_err().contains("1 tokens but 2 digests"));
        assert!(parse(&STREAM[..60]).unwrap_err().contains("EOF"));
        assert!(parse(&STREAM.replace("00000000000000aa", "aa")).unwrap_err().contains("16 hex"));
        assert!(parse(&STREAM.replace("[1,2]", "[1,3]")).unwrap().stale.unwrap().contains("prompt"));
    }

    #[test]
    fn kernel_digests_are_strict() {
        assert_eq!(parse_kernels("{\"exp\":\"0000000000000007\"}").unwrap()["exp"], Digest(7));
        assert!(parse_kernels("{\"exp\":\"7\"}").unwrap_err().contains("16 hex"));
        assert!(parse_kernels("{}").unwrap_err().contains("no kernel check"));
    }

    #[test]
    fn the_first_divergent_step_is_named() {
        let golden =
            Stream { model: Digest(0), tokens: vec![1, 2, 3], digests: [1, 2, 3].map(Digest).to_vec(), stale: None };
        let answer = |tokens: &[u32], digests: &[u64]| StreamAnswer {
            case: "a".into(),
            tokens: tokens.to_vec(),
            digests: digests.iter().copied().map(Digest).collect(),
        };
        let find = |tokens: &[u32], digests: &[u64]| {
            Divergence::find(&golden, &answer(tokens, digests), None).map(|divergence| divergence.to_string())
        };
        assert_eq!(find(&[1, 2, 3], &[1, 2, 3]), None);
        assert!(find(&[1, 9, 3], &[1, 2, 3]).unwrap().contains("step 1: token 9, golden 2"));
        assert!(find(&[1, 2, 9], &[1, 2, 9]).unwrap().contains("step 2: logits digest"));
        assert!(find(&[1, 2], &[1, 2]).unwrap().contains("step 2: the answer has 2 tokens"));
        assert_eq!(Divergence::find(&golden, &answer(&[1, 2], &[1, 2]), Some(2)), None);
    }
}
