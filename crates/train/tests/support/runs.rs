//! Small training runs.
#![allow(dead_code, reason = "each test program uses some of it")]

use bitstate_train::config::TrainConfig;
use bitstate_train::data::{Prepare, TokenizerKind, prepare, smoke_corpus};
use bitstate_train::{Event, Trainer};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Token files of small stories.
pub fn data(folder: &Path) {
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

pub fn config(folder: &Path, out: &str, steps: u64) -> TrainConfig {
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
pub fn run(trainer: &mut Trainer) -> Vec<f64> {
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
pub fn run_until(trainer: &mut Trainer, mut last: impl FnMut(&Event) -> bool) {
    let stop = AtomicBool::new(false);
    trainer
        .run(&stop, &mut |event| {
            stop.fetch_or(last(event), Ordering::SeqCst);
        })
        .unwrap();
}

pub fn is_saved(event: &Event) -> bool {
    matches!(event, Event::Saved { .. })
}
