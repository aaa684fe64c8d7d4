//! Many sessions together: each as alone, whoever comes and goes beside it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate::{Batch, Continuation, Digest, Model, Sampling, Stop};
use support::{everywhere, samplings, small, trained};

/// A continuation of its own kind for every number.
fn text(model: &Model, i: u32) -> Continuation {
    let sampling = samplings()[i as usize % 3].clone().seed(u64::from(i));
    let mut session = model.session(sampling).unwrap();
    let tokens: Vec<u32> = (0..3 + i % 5).map(|t| (t * 7 + i) % 64).collect();
    session.feed(&tokens).unwrap();
    let stop = Stop::new().max_tokens(u64::from(5 + i * 3 % 23)).ignore_end();
    Continuation::new(session, if i % 4 == 1 { stop.alternatives(3) } else { stop })
}

/// Everything that came of a continuation alone.
fn alone(model: &Model, i: u32) -> (Vec<String>, Digest, u64) {
    let mut one = text(model, i);
    let mut pieces = Vec::new();
    while let Some(piece) = one.step().unwrap() {
        pieces.push(format!("{piece:?}"));
    }
    pieces.push(one.finish());
    (pieces, one.digest(), one.tokens())
}

#[test]
fn a_text_among_others_is_the_text_alone_as_they_come_and_go() {
    let mut models = everywhere("stories-byte");
    models.extend([small(), trained("stories-bpe4k")]);
    models.push(Model::builder().for_many_sessions().open(support::path("stories-bpe4k")).unwrap());
    for model in models {
        let mut batch = Batch::new(&model);
        let mut here: Vec<(u32, Continuation, Vec<String>)> = Vec::new();
        let mut done = 0;
        for round in 0.. {
            // Two join in every round, until there were twenty.
            for i in [2 * round, 2 * round + 1].into_iter().filter(|i| *i < 20) {
                here.push((i, text(&model, i), Vec::new()));
            }
            let steps = batch.step_each(&mut here.iter_mut().map(|(_, one, _)| one).collect::<Vec<_>>());
            assert_eq!(steps.len(), here.len());
            let mut over = Vec::new();
            for ((i, one, pieces), step) in here.iter_mut().zip(steps) {
                match step.unwrap() {
                    Some(piece) => pieces.push(format!("{piece:?}")),
                    None => {
                        pieces.push(one.finish());
                        assert_eq!((std::mem::take(pieces), one.digest(), one.tokens()), alone(&model, *i), "{i}");
                        over.push(*i);
                    }
                }
            }
            done += over.len();
            here.retain(|(i, ..)| !over.contains(i));
            if round > 10 && here.is_empty() {
                break;
            }
        }
        assert_eq!(done, 20);
    }
}

#[test]
fn the_digest_is_the_same_on_every_variant_and_another_for_another_text() {
    let models = everywhere("stories-byte");
    let digests: Vec<Digest> = models.iter().map(|model| alone(model, 4).1).collect();
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]), "{digests:?}");
    assert_ne!(alone(&models[0], 7).1, digests[0]);
}

#[test]
fn a_continuation_of_another_model_disturbs_none() {
    let (ours, other) = (trained("stories-byte"), small());
    let mut batch = Batch::new(&ours);
    let mut mixed = [text(&ours, 1), text(&other, 1), text(&ours, 2)];
    while batch.step(&mut mixed).into_iter().any(|step| step.unwrap().is_some()) {}
    let expected = [alone(&ours, 1).1, alone(&other, 1).1, alone(&ours, 2).1];
    assert_eq!(mixed.map(|one| one.digest()), expected);
}

#[test]
fn one_that_has_seen_nothing_fails_alone() {
    let model = trained("stories-byte");
    let empty = Continuation::new(model.session(Sampling::greedy()).unwrap(), Stop::new());
    let mut mixed = [text(&model, 0), empty, text(&model, 2)];
    let mut batch = Batch::new(&model);
    let steps = batch.step(&mut mixed);
    assert!(steps[1].as_ref().unwrap_err().to_string().contains("has had no token"));
    assert!(steps[0].is_ok() && steps[2].is_ok());
    while batch.step(&mut mixed).into_iter().any(|step| step.unwrap().is_some()) {}
    assert_eq!([mixed[0].digest(), mixed[2].digest()], [alone(&model, 0).1, alone(&model, 2).1]);
}

#[test]
fn a_session_that_begins_with_a_prefix_goes_on_as_one_that_read_it() {
    for model in everywhere("stories-byte") {
        for sampling in samplings() {
            let prompt: Vec<u32> = b"Once upon a time there was".iter().map(|&byte| u32::from(byte)).collect();
            for cut in [1, 7, prompt.len()] {
                let mut reader = model.session(Sampling::greedy()).unwrap();
                reader.feed(&prompt[..cut]).unwrap();
                let prefix = reader.prefix().unwrap().unwrap();
                assert_eq!(prefix.tokens(), &prompt[..cut]);
                let [mut whole, mut begun] = [(); 2].map(|()| model.session(sampling.clone()).unwrap());
                whole.feed(&prompt).unwrap();
                assert!(begun.feed_prefix(&prefix));
                assert!(!begun.feed_prefix(&prefix), "a session begins once");
                if cut < prompt.len() {
                    begun.feed(&prompt[cut..]).unwrap();
                }
                assert_eq!(begun.to_bytes(), whole.to_bytes());
                assert_eq!(support::run(&mut begun, 20), support::run(&mut whole, 20));
            }
        }
    }
    let mut other = small().session(Sampling::greedy()).unwrap();
    let mut reader = trained("stories-byte").session(Sampling::greedy()).unwrap();
    assert!(reader.prefix().unwrap().is_none());
    reader.feed(&[1, 2]).unwrap();
    assert!(!other.feed_prefix(&reader.prefix().unwrap().unwrap()));
    other.feed(&[1]).unwrap();
}
