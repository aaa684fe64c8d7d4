//! Whole runs, small ones: the loss falls, a run that was interrupted goes on exactly, and what is wrong is said.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bitstate_train::config::TrainConfig;
use bitstate_train::data::{Prepare, TokenizerKind, prepare, smoke_corpus};
use bitstate_train::{Error, Event, Trainer};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Token files of small stories.
fn data(folder: &Path) {
    let text = folder.join("stories.txt");
    fs::write(&text, smoke_corpus(60, 3).join("\n<|endoftext|>\n")).unwrap();
    let job = Prepare {
        inputs: vec![text],
        valid: vec![],
        held_out: 0.2,
        tokenizer: TokenizerKind::Byte,
        out: folder.join("data"),
    };
    prepare(&job).unwrap();
}

fn config(folder: &Path, out: &str, steps: u64) -> TrainConfig {
    let text = format!(
        "data = 'data'\nout = '{out}'\nsteps = {steps}\n\
         [model]\npreset = 'small'\n[batch]\nsequences = 2\nseq_len = 40\naccumulate = 2\n\
         [optimizer]\nwarmup = 4\nlr = 1e-2\n[watch]\nlog = 1\nvalidate = 10\nvalidate_windows = 4\ncheckpoint = 7\n"
    );
    let path = folder.join(format!("{out}.toml"));
    fs::write(&path, text).unwrap();
    TrainConfig::load(&path).unwrap()
}

/// Runs to the end and returns the cross entropies of all steps.
fn run(trainer: &mut Trainer) -> Vec<f64> {
    let mut losses = Vec::new();
    trainer
        .run(&mut |event| {
            if let Event::Step { cross_entropy, .. } = event {
                losses.push(*cross_entropy);
            }
            true
        })
        .unwrap();
    losses
}

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
fn a_run_that_was_killed_goes_on_as_if_it_had_not_been() {
    let folder = TempDir::new().unwrap();
    data(folder.path());
    let mut whole = Trainer::new(config(folder.path(), "whole", 18)).unwrap();
    let losses = run(&mut whole);

    // A killed run leaves its last checkpoint, of step 7, and nothing that came after it.
    let mut killed = Trainer::new(config(folder.path(), "killed", 18)).unwrap();
    killed.run(&mut |event| !matches!(event, Event::Saved { .. })).unwrap();
    assert_eq!(killed.position().step, 7);
    drop(killed);
    let mut resumed = Trainer::resume(config(folder.path(), "killed", 18)).unwrap();
    assert_eq!(run(&mut resumed), losses[7..]);
    assert_eq!(resumed.params(), whole.params());
    assert_eq!(resumed.position(), whole.position());
}

#[test]
fn a_loss_that_is_no_number_stops_the_run_and_keeps_the_checkpoint() {
    let folder = TempDir::new().unwrap();
    data(folder.path());
    let mut config = config(folder.path(), "nan", 18);
    let mut trainer = Trainer::new(config.clone()).unwrap();
    trainer.run(&mut |event| !matches!(event, Event::Saved { .. })).unwrap();
    let kept = fs::read(folder.path().join("nan/last.safetensors")).unwrap();
    config.optimizer.lr = 1e30;
    config.optimizer.warmup = 0;
    let mut trainer = Trainer::resume(config).unwrap();
    match trainer.run(&mut |_| true).unwrap_err() {
        Error::NotFinite { step, kept, .. } => assert!(step > 7 && kept == 7, "step {step}, kept {kept}"),
        other => panic!("{other}"),
    }
    assert_eq!(fs::read(folder.path().join("nan/last.safetensors")).unwrap(), kept);
}

#[test]
fn a_checkpoint_of_another_model_is_not_resumed() {
    let folder = TempDir::new().unwrap();
    data(folder.path());
    let mut config = config(folder.path(), "other", 7);
    run(&mut Trainer::new(config.clone()).unwrap());
    config.model.n_layer = Some(3);
    let error = Trainer::resume(config).unwrap_err().to_string();
    assert!(error.contains("last.safetensors") && error.contains("another run"), "{error}");
}

#[test]
fn a_misspelt_key_is_named_with_the_nearest() {
    let text = "data = 'd'\nout = 'o'\nsteps = 1\n[model]\npreset = 'byte'\n[optimizer]\nwarm_up = 3\n";
    let error = TrainConfig::parse(text).unwrap_err();
    assert!(error.contains("`warm_up`") && error.ends_with("did you mean `warmup`?"), "{error}");
    let error = TrainConfig::parse(&text.replace("warm_up = 3", "lr = -1.0")).unwrap_err();
    assert!(error.contains("optimizer.lr is -1"), "{error}");
}

#[test]
fn a_tokenizer_larger_than_the_model_is_refused() {
    let folder = TempDir::new().unwrap();
    data(folder.path());
    let mut config = config(folder.path(), "small", 7);
    config.model.vocab_size = Some(64);
    let error = Trainer::new(config).unwrap_err().to_string();
    assert!(error.contains("256 tokens") && error.contains("64"), "{error}");
}
