//! Small but complete runs: the loss falls, and an interrupted run resumes exactly.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/runs.rs"]
mod runs;

use bitstate_train::checkpoint::Checkpoint;
use bitstate_train::config::{BatchConfig, DistillConfig, TrainConfig};
use bitstate_train::curriculum::Stage;
use bitstate_train::data::{TokenFile, Windows};
use bitstate_train::net::{Batch, Net};
use bitstate_train::ops::{self, Wanted};
use bitstate_train::{Event, Trainer};
use runs::{config, data, is_saved, run, run_until};
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use tempfile::TempDir;

#[test]
fn the_loss_falls_and_a_seed_is_a_result() {
    let folder = TempDir::new().unwrap();
    data(folder.path());
    let mut first = Trainer::new(config(folder.path(), "first", 20)).unwrap();
    let losses = run(&mut first);
    assert!((5.0..6.5).contains(&losses[0]), "256 tokens, nothing learned yet: {}", losses[0]);
    assert!(losses[19] < losses[0] - 1.5, "{losses:?}");
    let mut second = Trainer::new(config(folder.path(), "second", 20)).unwrap();
    assert_eq!(run(&mut second), losses);
    assert_eq!(first.params(), second.params());
    let log = fs::read_to_string(folder.path().join("first/log.jsonl")).unwrap();
    assert_eq!(log.lines().filter(|line| line.contains("\"event\":\"step\"")).count(), 20);
    assert_eq!(log.lines().filter(|line| line.contains("\"event\":\"validated\"")).count(), 2);
}

#[test]
fn a_batch_in_shards_is_the_batch_on_any_number_of_threads() {
    let folder = TempDir::new().unwrap();
    data(folder.path());
    let of = |out: &str, threads: usize, dropout: f64| {
        let mut config = config(folder.path(), out, 1);
        // Shards of two sequences, two and one.
        config.batch = BatchConfig { sequences: 5, seq_len: 256, accumulate: 1 };
        config.model.dropout = dropout;
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut trainer = pool.install(|| Trainer::new(config)).unwrap();
        let untrained = trainer.params().clone();
        let mut event = None;
        run_until(&mut trainer, |next| {
            event.get_or_insert_with(|| next.clone());
            false
        });
        (untrained, trainer, event.unwrap())
    };
    let (_, one, _) = of("one", 1, 0.1);
    let (_, three, _) = of("three", 3, 0.1);
    assert_eq!(one.params(), three.params());

    // Compared with one pass over the whole batch.
    let (untrained, trainer, event) = of("whole", 3, 0.0);
    let Event::Step { cross_entropy, grad_norm, .. } = event else { panic!("{event:?}") };
    let tokens = TokenFile::open(&folder.path().join("data/train.tokens")).unwrap();
    let mut windows = Windows::new(tokens.len(), 256, 1, [0, 0]).unwrap();
    let (mut inputs, mut targets) = (Vec::new(), Vec::new());
    (0..5).for_each(|_| windows.next(&tokens, &mut inputs, &mut targets));
    let net = Net::new(trainer.shapes(), &untrained, true, true);
    let wanted = Wanted { targets: targets.into(), teacher: None };
    let losses = net.loss(Batch { tokens: &inputs, seq_len: 256 }, wanted);
    let whole = f64::from(ops::values::<f32>(&losses)[1]);
    let length = net.gradients(losses).iter().flatten().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
    assert!((cross_entropy - whole).abs() < 1e-5 * whole, "{cross_entropy} in shards, {whole} whole");
    assert!((grad_norm - length).abs() < 1e-4 * length, "{grad_norm} in shards, {length} whole");
}

#[test]
fn a_killed_run_resumes_as_if_it_had_not_been_killed() {
    let folder = TempDir::new().unwrap();
    data(folder.path());
    let mut whole = Trainer::new(config(folder.path(), "whole", 18)).unwrap();
    let losses = run(&mut whole);

    // A killed run leaves its last checkpoint, of step 7, and nothing later.
    let mut killed = Trainer::new(config(folder.path(), "killed", 18)).unwrap();
    run_until(&mut killed, is_saved);
    assert_eq!(killed.position().step, 7);
    drop(killed);
    let mut resumed = Trainer::resume(config(folder.path(), "killed", 18)).unwrap();
    assert_eq!(run(&mut resumed), losses[7..]);
    assert_eq!(resumed.params(), whole.params());
    assert_eq!(resumed.position(), whole.position());
}

#[test]
fn a_run_starts_from_another_runs_parameters() {
    let folder = TempDir::new().unwrap();
    data(folder.path());
    let mut first = config(folder.path(), "f32", 20);
    first.model.bitnet = false;
    let mut first = Trainer::new(first).unwrap();
    let learned = run(&mut first);

    let mut second = config(folder.path(), "ternary", 5);
    second.start = Some(folder.path().join("f32/last.safetensors"));
    // The length of the sequences is the run's own.
    second.batch.seq_len = 64;
    let mut trainer = Trainer::new(second.clone()).unwrap();
    assert_eq!(trainer.params(), first.params());
    let losses = run(&mut trainer);
    assert!(losses[0] < learned[0] - 1.0, "what was learned is kept: {learned:?}, then {losses:?}");

    second.out = folder.path().join("refused");
    second.model.n_embd = Some(32);
    let error = Trainer::new(second).unwrap_err().to_string();
    for part in ["f32/last.safetensors", "no start for what the configuration says", "n_embd 64, not 32"] {
        assert!(error.contains(part), "no {part} in {error}");
    }
}

#[test]
fn a_wider_teacher_in_f32_is_learned_from_and_one_of_other_tokens_refused() {
    let folder = TempDir::new().unwrap();
    data(folder.path());
    let mut wide = config(folder.path(), "teacher", 10);
    wide.model.bitnet = false;
    wide.model.n_embd = Some(96);
    run(&mut Trainer::new(wide).unwrap());
    let path = folder.path().join("teacher/last.safetensors");

    let taught = |out: &str| {
        let mut config = config(folder.path(), out, 8);
        config.distill = Some(DistillConfig { teacher: path.clone(), alpha: 0.7, temperature: 2.0 });
        config
    };
    let mut whole = Trainer::new(taught("whole")).unwrap();
    let losses = run(&mut whole);
    let mut stopped = Trainer::new(taught("stopped")).unwrap();
    run_until(&mut stopped, is_saved);
    let mut resumed = Trainer::resume(taught("stopped")).unwrap();
    assert_eq!(run(&mut resumed), losses[7..]);
    assert_eq!(resumed.params(), whole.params());
    let alone = run(&mut Trainer::new(config(folder.path(), "alone", 8)).unwrap());
    assert_eq!(alone[0], losses[0], "nothing is learned before the first step");
    assert_ne!(alone[7], losses[7]);

    let mut other = Checkpoint::load(&path).unwrap();
    other.position.tokenizer = "0123456789abcdef".into();
    other.save(&path).unwrap();
    let error = Trainer::new(taught("refused")).unwrap_err().to_string();
    assert!(error.contains("must share the tokenizer") && error.contains("teacher/last.safetensors"), "{error}");
}

/// A configuration with everything that depends on the step.
fn eventful(folder: &Path, out: &str) -> TrainConfig {
    let mut config = config(folder, out, 18);
    config.model.dropout = 0.1;
    config.curriculum = vec![
        Stage { from_step: 5, seq_len: 24, sequences: Some(3) },
        Stage { from_step: 8, seq_len: 64, sequences: None },
        Stage { from_step: 11, seq_len: 64, sequences: Some(1) },
    ];
    config
}

#[test]
fn a_curriculum_with_dropout_is_resumed_exactly_at_every_step() {
    let folder = TempDir::new().unwrap();
    data(folder.path());
    let mut whole = Trainer::new(eventful(folder.path(), "whole")).unwrap();
    run(&mut whole);
    // Accumulated twice: 4 steps of 2 × 40 tokens, 3 of 3 × 24, 3 of 2 × 64, 8 of 64.
    assert_eq!(whole.position().tokens, 2 * (4 * 80 + 3 * 72 + 3 * 128 + 8 * 64));
    assert_eq!(whole.shapes().max_seq_len, 64);

    // Stopped after each step, including the last one before a change of the length.
    let mut steps = Trainer::new(eventful(folder.path(), "steps")).unwrap();
    let mut kept = Trainer::new(eventful(folder.path(), "kept")).unwrap();
    run_until(&mut steps, |_| true);
    run_until(&mut kept, |_| true);
    for step in 2..=18 {
        steps = Trainer::resume(eventful(folder.path(), "steps")).unwrap();
        run_until(&mut steps, |_| true);
        run_until(&mut kept, |_| true);
        assert_eq!((steps.position().step, kept.position().step), (step, step));
    }
    for stopped in [steps, kept] {
        assert_eq!(stopped.params(), whole.params());
        assert_eq!(stopped.position(), whole.position());
    }
}

#[test]
fn dropout_changes_training_and_nothing_where_it_is_off() {
    let folder = TempDir::new().unwrap();
    data(folder.path());
    let of = |out: &str, dropout: f64| {
        let mut config = config(folder.path(), out, 3);
        config.model.dropout = dropout;
        run(&mut Trainer::new(config).unwrap())
    };
    assert_eq!(of("a", 0.0), run(&mut Trainer::new(config(folder.path(), "b", 3)).unwrap()));
    assert_ne!(of("c", 0.0), of("d", 0.2));
}

#[test]
fn a_run_leaves_samples_and_a_chart() {
    let folder = TempDir::new().unwrap();
    data(folder.path());
    let mut config = config(folder.path(), "watched", 12);
    config.watch.sample = 5;
    config.watch.sample_tokens = 20;
    config.watch.prompt = "One day".into();
    let mut samples = Vec::new();
    Trainer::new(config)
        .unwrap()
        .run(&AtomicBool::new(false), &mut |event| {
            if let Event::Sampled { step, text, .. } = event {
                samples.push((*step, text.clone()));
            }
        })
        .unwrap();
    assert_eq!(samples.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [5, 10, 12]);
    assert!(samples.iter().all(|(_, text)| text.starts_with("One day") && text.len() > 7), "{samples:?}");
    let read = |name: &str| fs::read(folder.path().join("watched").join(name)).unwrap();
    let log = String::from_utf8(read("log.jsonl")).unwrap();
    assert_eq!(log.lines().filter(|line| line.contains("\"event\":\"sampled\"")).count(), 3);
    let svg = String::from_utf8(read("loss.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("held-out text") && svg.contains("nats per token"), "{svg}");
    assert!(read("loss.png").starts_with(b"\x89PNG") && read("loss.png").len() > 5_000);
}
