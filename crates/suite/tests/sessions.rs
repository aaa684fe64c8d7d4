//! Sessions of the library, begun and resumed by jobs.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate_protocol::{Begin, Bias, Chain, Event, Job, Resume, Sampling, SessionAnswer, StreamAnswer, Workload};
use std::collections::BTreeMap;
use support::{ask, variants};

const CASE: &str = "a";

fn workload(sampling: Sampling) -> Workload {
    Workload { case: CASE.into(), prompt: vec![3, 1, 4], max_tokens: 9, sampling }
}

fn samplings() -> [Sampling; 3] {
    let bias = vec![Bias { token: 5, bias: 1.5 }];
    let chain = Chain { temperature: 1.1, min_p: 0.01, repetition: 1.2, presence: 0.3, bias, ..Chain::plain(7) };
    let seeded = Sampling::Seeded { seed: 42, temperature: 0.8, top_k: 50, top_p: 0.9, penalty: 1.1 };
    [Sampling::Greedy, seeded, Sampling::Chain(chain)]
}

/// The stream, and the files by number of tokens.
fn sorted(events: Vec<Event>) -> (StreamAnswer, BTreeMap<u32, Vec<u8>>) {
    let (mut streams, mut files) = (Vec::new(), BTreeMap::new());
    for event in events {
        match event {
            Event::Stream(stream) => streams.push(stream),
            Event::Session(SessionAnswer { case, tokens, file }) => {
                assert_eq!((case.as_str(), files.insert(tokens, file)), (CASE, None));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(streams.len(), 1);
    (streams.remove(0), files)
}

#[test]
fn a_session_is_the_stream_and_resumes_on_every_variant_after_every_token() {
    for sampling in samplings() {
        let whole = workload(sampling);
        let (stream, _) = ask(variants().next().unwrap(), vec![Job::Stream(whole.clone())]);
        let stream = sorted(stream).0;
        let mut first = None;
        for variant in variants() {
            let begin = Begin { workload: whole.clone(), save: (0..=whole.max_tokens).collect() };
            let (events, good) = ask(variant, vec![Job::Begin(begin)]);
            let (begun, files) = sorted(events);
            assert!(good && begun == stream, "{variant:?}");
            let first = &*first.get_or_insert(files.clone());
            assert!(files == *first && files.len() == 10, "{variant:?}");
            for (&k, file) in first {
                let tokens = 2.min(whole.max_tokens - k);
                let resume =
                    Resume { case: CASE.into(), max_tokens: tokens, save: vec![0, tokens], file: file.clone() };
                let (events, good) = ask(variant, vec![Job::Resume(resume)]);
                let (resumed, saved) = sorted(events);
                assert!(good);
                let part = k as usize..(k + tokens) as usize;
                assert_eq!(
                    (&resumed.tokens[..], &resumed.digests[..]),
                    (&stream.tokens[part.clone()], &stream.digests[part])
                );
                assert!(saved[&0] == *file && saved[&tokens] == files[&(k + tokens)], "{variant:?} after {k}");
            }
        }
    }
}

#[test]
fn a_session_that_cannot_be_resumed_is_an_error_and_the_next_job_runs() {
    let whole = workload(Sampling::Greedy);
    let variant = variants().next().unwrap();
    let begin = |max_tokens| Begin { workload: Workload { max_tokens, ..whole.clone() }, save: vec![max_tokens] };
    let (_, files) = sorted(ask(variant, vec![Job::Begin(begin(1))]).0);
    let mut damaged = files[&1].clone();
    damaged[900] ^= 1;
    for (file, sentence) in
        [(damaged, "is damaged"), (vec![], "not a session file"), (b"x".to_vec(), "not a session file")]
    {
        let resume = Resume { case: "bad".into(), max_tokens: 1, save: vec![], file };
        let (events, good) = ask(variant, vec![Job::Resume(resume), Job::Begin(begin(1))]);
        let [Event::Error { case, message }, rest @ ..] = &events[..] else { panic!("{events:?}") };
        assert!(!good && case == "bad" && message.contains(sentence), "{message}");
        assert_eq!(sorted(rest.to_vec()).1, files);
    }
    let refused = Workload { prompt: vec![100_000], ..whole.clone() };
    let (events, good) = ask(variant, vec![Job::Begin(Begin { workload: refused, save: vec![] })]);
    assert!(!good && matches!(&events[..], [Event::Error { message, .. }] if message.contains("100000")), "{events:?}");
}
