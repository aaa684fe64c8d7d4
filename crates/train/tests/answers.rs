//! Training on prompts with answers: only the answers count, and a run is resumed exactly.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/runs.rs"]
mod runs;

use bitstate_train::Trainer;
use bitstate_train::config::{AnswersConfig, TrainConfig};
use bitstate_train::data::{Answers, Prepare, Shard, TokenFile, TokenizerKind, prepare};
use bitstate_train::kernels::loss::IGNORED;
use runs::{config, is_saved, run, run_until};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn data(folder: &Path, texts: &[&str]) {
    let text = folder.join("texts.txt");
    fs::write(&text, texts.join("\n<|endoftext|>\n")).unwrap();
    let valid = folder.join("valid.txt");
    fs::write(&valid, "other\nanswer").unwrap();
    let job = Prepare {
        inputs: vec![text],
        valid: vec![valid],
        held_out: 0.0,
        tokenizer: TokenizerKind::Byte,
        end: None,
        out: folder.join("data"),
    };
    prepare(&job).unwrap();
}

fn with_answers(folder: &Path, out: &str, steps: u64) -> TrainConfig {
    let mut config = config(folder, out, steps);
    config.answers = Some(AnswersConfig { after: "\n".into() });
    config
}

/// What a sequence predicts, and from which position on.
fn predicted(shard: &Shard) -> Vec<(String, usize)> {
    let rows = shard.inputs.chunks(shard.seq_len).zip(shard.targets.chunks(shard.seq_len));
    let row = |(inputs, targets): (&[u32], &[u32])| {
        assert_eq!(inputs[0], 0, "it begins with the end of a text");
        let first = targets.iter().position(|&target| target != IGNORED).unwrap();
        let counted: Vec<u8> = targets.iter().filter(|&&t| t != IGNORED).map(|&t| t as u8).collect();
        (String::from_utf8(counted).unwrap(), first)
    };
    rows.map(row).collect()
}

#[test]
fn a_sequence_is_one_text_and_only_its_answer_counts() {
    let folder = TempDir::new().unwrap();
    data(folder.path(), &["ab\ncd\ne", "a longer prompt\nx", "p\n."]);
    let tokens = TokenFile::open(&folder.path().join("data/train.tokens")).unwrap();
    let mut answers = Answers::new(&tokens, &[10], 40, 1, [0, 0]).unwrap();
    let wanted = [("x\0".to_string(), 16), ("cd\ne\0".to_string(), 3), (".\0".to_string(), 2)];
    let mut batch: Vec<Shard> = answers.next(&tokens, 3);
    assert_eq!(batch.iter().flat_map(predicted).collect::<Vec<_>>(), wanted);
    assert_eq!(batch.iter().map(Shard::counted).sum::<usize>(), 2 + 5 + 2);
    // The next epoch has the same texts.
    batch = answers.next(&tokens, 3);
    assert_eq!(answers.position(), [1, 3]);
    assert_eq!(batch.iter().flat_map(predicted).collect::<Vec<_>>(), wanted);
    // From any position the order is the same.
    let one_by_one = |from: u64| {
        let mut answers = Answers::new(&tokens, &[10], 40, 1, [0, from]).unwrap();
        (from..5).flat_map(|_| answers.next(&tokens, 1)).map(|shard| shard.inputs).collect::<Vec<_>>()
    };
    assert_eq!(one_by_one(2), one_by_one(0)[2..]);
}

#[test]
fn texts_that_do_not_fit_are_named() {
    let folder = TempDir::new().unwrap();
    let refused = |texts: &[&str]| {
        data(folder.path(), texts);
        Trainer::new(with_answers(folder.path(), "refused", 3)).unwrap_err().to_string()
    };
    let error = refused(&["a\nb", "no answer", "c\nd"]);
    assert!(error.contains("train.tokens: text 2 has no answers.after"), "{error}");
    let long = format!("a\n{}", "b".repeat(60));
    let error = refused(&["a\nb", &long]);
    assert!(error.contains("text 2 has 63 tokens") && error.contains("batch.seq_len must be 63 or more"), "{error}");

    let text = |more: &str| format!("data = 'd'\nout = 'o'\nsteps = 1\n[model]\npreset = 'byte'\n{more}");
    for (more, part) in [
        ("[answers]\nafter = ''", "must not be empty"),
        ("[answers]\nbehind = 'x'", "did you mean `after`?"),
        ("[answers]\nafter = 'x'\n[[curriculum]]\nfrom_step = 5\nseq_len = 9", "leave `curriculum` out"),
    ] {
        let error = TrainConfig::parse(&text(more)).unwrap_err();
        assert!(error.contains(part), "no `{part}` in {error}");
    }
}

#[test]
fn a_run_on_answers_is_resumed_exactly_and_learns_them() {
    let folder = TempDir::new().unwrap();
    let texts: Vec<String> = (10..60).map(|n| format!("{n} {}\nis {}", n * 7 % 90, n % 2)).collect();
    data(folder.path(), &texts.iter().map(String::as_str).collect::<Vec<_>>());
    let mut whole = Trainer::new(with_answers(folder.path(), "whole", 24)).unwrap();
    let losses = run(&mut whole);
    assert!(losses[23] < losses[0] - 2.0, "{losses:?}");
    let mut stopped = Trainer::new(with_answers(folder.path(), "stopped", 24)).unwrap();
    run_until(&mut stopped, is_saved);
    assert_eq!(stopped.position().step, 7);
    let mut resumed = Trainer::resume(with_answers(folder.path(), "stopped", 24)).unwrap();
    assert_eq!(run(&mut resumed), losses[7..]);
    assert_eq!(resumed.params(), whole.params());
}
