//! Small but complete runs: the loss falls, an interrupted run resumes exactly, and errors are reported.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bitstate_train::checkpoint::Checkpoint;
use bitstate_train::config::{BatchConfig, DistillConfig, TrainConfig};
use bitstate_train::curriculum::Stage;
use bitstate_train::data::{Prepare, TokenFile, TokenizerKind, Windows, prepare, smoke_corpus};
use bitstate_train::net::{Batch, Net};
use bitstate_train::ops::{self, Wanted};
use bitstate_train::{Error, Event, Trainer};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
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
        end: None,
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
        .run(&AtomicBool::new(false), &mut |event| {
            if let Event::Step { cross_entropy, .. } = event {
                losses.push(*cross_entropy);
            }
        })
        .unwrap();
    losses
}

/// Runs until `last` is true for an event.
fn run_until(trainer: &mut Trainer, mut last: impl FnMut(&Event) -> bool) {
    let stop = AtomicBool::new(false);
    trainer
        .run(&stop, &mut |event| {
            stop.fetch_or(last(event), Ordering::SeqCst);
        })
        .unwrap();
}

fn is_saved(event: &Event) -> bool {
    matches!(event, Event::Saved { .. })
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
fn a_run_that_was_killed_goes_on_as_if_it_had_not_been() {
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

#[test]
fn a_loss_that_is_no_number_stops_the_run_and_keeps_the_checkpoint() {
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
fn held_out_text_and_samples_that_are_no_numbers_stop_the_run() {
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
fn a_misspelt_key_is_named_with_the_nearest() {
    let text = "data = 'd'\nout = 'o'\nsteps = 1\n[model]\npreset = 'byte'\n[optimizer]\nwarm_up = 3\n";
    let error = TrainConfig::parse(text).unwrap_err();
    assert!(error.contains("`warm_up`") && error.ends_with("did you mean `warmup`?"), "{error}");
    let error = TrainConfig::parse(&text.replace("warm_up = 3", "lr = -1.0")).unwrap_err();
    assert!(error.contains("optimizer.lr is -1"), "{error}");
}

#[test]
fn a_configuration_that_cannot_be_is_refused_before_anything_is_made() {
    let text = "data = 'd'\nout = 'o'\nsteps = 9\n[model]\npreset = 'byte'\n[batch]\nsequences = 4\n\
                [optimizer]\nlr = 1e-3\n[watch]\nvalidate_windows = 4\n";
    TrainConfig::parse(text).unwrap();
    for (from, to, why) in [
        ("steps = 9", "steps = 0", "steps must be above 0"),
        ("lr = 1e-3", "lr = 0.0", "optimizer.lr is 0"),
        ("lr = 1e-3", "lr = nan", "optimizer.lr is NaN"),
        ("sequences = 4", "sequences = 9223372036854775807", "batch.accumulate"),
        ("validate_windows = 4", "validate_windows = 0", "watch.validate_windows"),
        ("'byte'", "'bite'", "bite"),
        ("'byte'", "'byte'\nn_embd = 0", "n_embd"),
        ("'byte'", "'byte'\nn_embd = 9223372036854775804", "n_embd"),
        ("'byte'", "'byte'\nff_mult = 0", "ff_mult"),
        ("'byte'", "'byte'\nn_layer = 0", "n_layer"),
        ("'byte'", "'byte'\nn_layer = 100000000000", "n_layer"),
        ("'byte'", "'byte'\nn_head = 7", "n_head"),
    ] {
        let error = TrainConfig::parse(&text.replace(from, to)).unwrap_err();
        assert!(error.contains(why), "{to}: no `{why}` in {error}");
    }
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
fn wrong_stages_are_named() {
    let text = "data = 'd'\nout = 'o'\nsteps = 1\n[model]\npreset = 'byte'\n";
    let of = |stages: &str| TrainConfig::parse(&format!("{text}{stages}"));
    let stage = |from: u64, len: u64| format!("[[curriculum]]\nfrom_step = {from}\nseq_len = {len}\n");
    assert!(of(&(stage(10, 64) + &stage(20, 128))).is_ok());
    for (stages, part) in [
        (stage(1, 64), "curriculum[0].from_step is 1"),
        (stage(10, 64) + &stage(10, 128), "curriculum[1].from_step is 10"),
        (stage(10, 0), "must be above 0"),
        (stage(10, 64).replace("seq_len", "seqlen"), "did you mean `seq_len`?"),
    ] {
        let error = of(&stages).unwrap_err();
        assert!(error.contains(part), "no `{part}` in {error}");
    }
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
    assert!(svg.starts_with("<svg") && svg.contains("held-out text") && svg.contains("nats a token"), "{svg}");
    assert!(read("loss.png").starts_with(b"\x89PNG") && read("loss.png").len() > 5_000);
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
