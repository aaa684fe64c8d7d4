//! Runs that cannot start or continue: the error is reported, and checkpoints are kept.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/runs.rs"]
mod runs;

use bitstate_train::checkpoint::Checkpoint;
use bitstate_train::config::TrainConfig;
use bitstate_train::{Error, Trainer};
use runs::{config, data, is_saved, run, run_until};
use std::fs;
use std::sync::atomic::AtomicBool;
use tempfile::TempDir;

#[test]
fn a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint() {
    let folder = TempDir::new().unwrap();
    data(folder.path());
    let mut config = config(folder.path(), "nan", 18);
    let mut trainer = Trainer::new(config.clone()).unwrap();
    run_until(&mut trainer, is_saved);
    let kept = fs::read(folder.path().join("nan/last.safetensors")).unwrap();
    config.optimizer.lr = 1e30;
    config.optimizer.warmup = 0;
    let mut trainer = Trainer::resume(config).unwrap();
    match trainer.run(&AtomicBool::new(false), &mut |_| ()).unwrap_err() {
        Error::NotFinite { step, kept, .. } => assert!(step > 7 && kept == 7, "step {step}, kept {kept}"),
        other => panic!("{other}"),
    }
    assert_eq!(fs::read(folder.path().join("nan/last.safetensors")).unwrap(), kept);
}

/// A validation or sample can become non-finite before the next loss does: that is an error, and nothing is logged.
#[test]
fn non_finite_validation_and_samples_stop_the_run() {
    let folder = TempDir::new().unwrap();
    data(folder.path());
    for (name, validate, sample) in [("validated", 1, 0), ("sampled", 0, 1)] {
        let mut config = config(folder.path(), name, 18);
        config.optimizer.lr = 1e30;
        config.optimizer.warmup = 0;
        (config.watch.validate, config.watch.sample) = (validate, sample);
        let mut trainer = Trainer::new(config).unwrap();
        let error = trainer.run(&AtomicBool::new(false), &mut |_| ()).unwrap_err();
        let told = matches!(error, Error::NotFinite { .. }) || error.to_string().contains("no sample can be drawn");
        assert!(told, "{name}: {error}");
        let log = fs::read_to_string(folder.path().join(name).join("log.jsonl")).unwrap();
        assert!(!log.contains("null"), "{name}: {log}");
    }
}

#[test]
fn a_checkpoint_of_another_model_is_not_resumed() {
    let folder = TempDir::new().unwrap();
    data(folder.path());
    let mut config = config(folder.path(), "other", 7);
    run(&mut Trainer::new(config.clone()).unwrap());
    let refused = |config: &TrainConfig, why: &str| {
        let error = Trainer::resume(config.clone()).unwrap_err().to_string();
        assert!(error.contains("last.safetensors") && error.contains(why), "no `{why}` in {error}");
    };
    refused(&TrainConfig { seed: 2, ..config.clone() }, "another run than the configuration says: seed 1, not 2");
    refused(&TrainConfig { steps: 6, ..config.clone() }, "it is of step 7, and the configuration ends at 6");
    config.model.n_layer = Some(3);
    refused(&config, "n_layer 2, not 3");
    config.model.n_layer = None;
    // Other stories with the same number of tokens.
    let path = folder.path().join("data/train.tokens");
    let mut tokens = fs::read(&path).unwrap();
    let last = tokens.len() - 4;
    tokens[last] ^= 1;
    fs::write(&path, tokens).unwrap();
    refused(&config, "data ");
}

#[test]
fn a_run_leaves_another_runs_checkpoints_alone_and_its_own_at_the_end() {
    let folder = TempDir::new().unwrap();
    data(folder.path());
    let mut config = config(folder.path(), "run", 2);
    config.watch.checkpoint = 0;
    config.watch.validate = 0;
    let out = folder.path().join("run");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("log.jsonl"), "of a run that left no checkpoint\n").unwrap();
    fs::write(out.join(".bitstate-abc123"), "half a checkpoint").unwrap();
    run(&mut Trainer::new(config.clone()).unwrap());
    let mut names: Vec<_> = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["last.safetensors", "log.jsonl", "loss.png", "loss.svg"]);
    assert!(!fs::read_to_string(out.join("log.jsonl")).unwrap().contains("left no checkpoint"));
    let error = Trainer::new(config.clone()).unwrap_err().to_string();
    assert!(error.contains("last.safetensors") && error.contains("an earlier run"), "{error}");
    // A chart is drawn from the readable lines; an error does not end a run.
    fs::write(out.join("log.jsonl"), b"\xff\n").unwrap();
    config.steps = 3;
    run(&mut Trainer::resume(config).unwrap());
}

#[test]
fn a_tokenizer_larger_than_the_model_is_refused() {
    let folder = TempDir::new().unwrap();
    data(folder.path());
    let mut config = config(folder.path(), "small", 7);
    config.model.vocab_size = Some(64);
    let error = Trainer::new(config.clone()).unwrap_err().to_string();
    assert!(error.contains("256 tokens") && error.contains("64"), "{error}");
    config.model.vocab_size = Some(300);
    let error = Trainer::new(config).unwrap_err().to_string();
    assert!(error.contains("model.vocab_size is 300, and a model of bytes has 256"), "{error}");
}

#[test]
fn a_checkpoint_says_which_tensor_is_of_another_shape() {
    let folder = TempDir::new().unwrap();
    data(folder.path());
    run(&mut Trainer::new(config(folder.path(), "shape", 7)).unwrap());
    let path = folder.path().join("shape/last.safetensors");
    let mut checkpoint = Checkpoint::load(&path).unwrap();
    checkpoint.position.shapes[0] += 1;
    checkpoint.save(&path).unwrap();
    let error = Checkpoint::load(&path).unwrap_err().to_string();
    for part in ["last.safetensors", "emb.weight", "[256, 64]", "[257, 64]"] {
        assert!(error.contains(part), "no {part} in {error}");
    }
    for (at, size, why) in [(2, 1 << 16, "too short for the shapes"), (2, 0, "n_embd"), (1, 1 << 40, "n_layer")] {
        let mut wrong = checkpoint.clone();
        wrong.position.shapes[at] = size;
        wrong.position.shapes[4] = size / wrong.position.shapes[3];
        wrong.save(&path).unwrap();
        let error = Checkpoint::load(&path).unwrap_err().to_string();
        assert!(error.contains("last.safetensors") && error.contains(why), "no {why} in {error}");
    }
}
