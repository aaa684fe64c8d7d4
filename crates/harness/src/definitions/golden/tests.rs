//! Valid files, and the errors for invalid ones.

use super::load::timed;
use super::{Divergence, Question, Stream, parse_cases, parse_kernels, parse_stream};
use crate::workspace::{Workspace, write_atomic};
use bitstate_protocol::{Chain, Digest, Sampling, StreamAnswer};

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
    assert!(refuse("\"greedy\"\n", "\"chain\"\n").contains("needs the table `chain`"));
    assert!(refuse("bench = true", "chain = { seed = 1 }").contains("for the sampler `chain`"));
    let chained = |chain: &str| {
        let sampler = format!("sampler = \"chain\"\nchain = {{ {chain} }}");
        parse_cases(&CASES.replace("sampler = \"greedy\"", &sampler))
    };
    let Sampling::Chain(chain) = chained("seed = 1, min_p = 0.5").unwrap().1.remove(0).workload.sampling else {
        panic!()
    };
    assert_eq!(chain, Chain { min_p: 0.5, ..Chain::plain(1) });
    assert!(chained("seed = 1, mirostat = 2").unwrap_err().contains("mirostat"));
    assert!(chained("min_p = 0.5").unwrap_err().contains("seed"));
    assert!(refuse("prompt = [1, 2]", "prompt = []").contains("must not be empty"));
    assert!(refuse("bench = true", "sessions = true").contains("`sessions` needs max_tokens of 68 or more"));
    let long = CASES.replace("max_tokens = 2", "max_tokens = 68").replace("bench = true", "sessions = true");
    assert!(parse_cases(&long).unwrap().1[0].sessions);
    assert!(refuse("name = \"default\"", "name = \"small\"").contains("twice"));
}

#[test]
fn timed_cases_are_defined_in_one_place_and_an_older_commit_may_use_the_other() {
    let (_, questions) = parse_cases(CASES).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace { root: folder.path().into(), target: folder.path().into() };
    assert_eq!(timed(&workspace, &questions).unwrap(), [("small/greedy".into(), vec![])]);
    let text = include_str!("../../../../../ci/workloads.toml");
    write_atomic(&workspace.root.join("ci/workloads.toml"), text.as_bytes()).unwrap();
    let error = timed(&workspace, &questions).unwrap_err().to_string();
    assert!(error.contains("golden/cases.toml: case `small/greedy`: `bench` has no effect here"), "{error}");
}

#[test]
fn streams_are_strict_and_say_when_they_are_stale() {
    let (_, questions) = parse_cases(CASES).unwrap();
    let Question { model, workload, .. } = &questions[0];
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
    let part = |tokens: &[u32], digests: &[u64]| {
        Divergence::in_part(&golden, 1..3, &answer(tokens, digests)).map(|divergence| divergence.to_string())
    };
    assert_eq!(part(&[2, 3], &[2, 3]), None);
    assert!(part(&[2, 1], &[2, 3]).unwrap().contains("step 2: token 1, golden 3"));
    assert!(part(&[2], &[2]).unwrap().contains("step 2: the answer has 1 tokens, the golden stream 2"));
}
