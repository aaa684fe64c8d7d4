//! `bitstate train`: a training run, with a progress bar.

use crate::output;
use anyhow::{Context, Result, bail, ensure};
use bitstate_train::config::TrainConfig;
use bitstate_train::{Event, Trainer};
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::process::exit;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Train a model with the configuration in a train.toml.
///
/// Ctrl-C, or SIGTERM, writes a checkpoint and stops; `--resume` continues from the newest one as if the run had never
/// stopped.
#[derive(clap::Args)]
pub struct Flags {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Continue from the run's last checkpoint.
    #[arg(long)]
    resume: bool,
}

/// Set by Ctrl-C.
static STOP: AtomicBool = AtomicBool::new(false);

pub fn run(flags: &Flags) -> Result<()> {
    let config = TrainConfig::load(&flags.config)?;
    let steps = config.steps;
    let mut trainer = if flags.resume { Trainer::resume(config)? } else { Trainer::new(config)? };
    ctrlc::set_handler(stop).context("cannot install a handler for Ctrl-C")?;
    let mut lines = Lines(Ok(()));
    let shapes = trainer.shapes();
    lines.say(format_args!(
        "{} parameters: {} layers, {} channels, {} heads of {}, ff_mult {}, {} tokens",
        trainer.params().count(),
        shapes.n_layer,
        shapes.n_embd,
        shapes.n_head,
        shapes.head_size,
        shapes.ff_mult,
        shapes.vocab_size
    ));
    if trainer.position().step == steps {
        lines.say(format_args!("the run has completed its {steps} steps; increase `steps` to continue it"));
    }

    let bar = ProgressBar::new(steps);
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}, {eta} left")?);
    bar.set_position(trainer.position().step);
    trainer.run(&STOP, &mut |event| match event {
        Event::Step { step, cross_entropy, tokens_per_second, .. } => {
            bar.set_position(*step);
            bar.set_message(format!("{cross_entropy:.4} nats per token, {tokens_per_second:.0} tokens/s"));
        }
        Event::Validated { step, bits_per_byte, best, .. } => {
            let best = if *best { ", the best so far" } else { "" };
            let line = format_args!("step {step}: {bits_per_byte:.4} bits per byte on held-out text{best}");
            bar.suspend(|| lines.say(line));
        }
        Event::Sampled { step, text, .. } => bar.suspend(|| lines.say(format_args!("step {step} writes: {text}"))),
        Event::Saved { .. } => {}
    })?;
    let done = trainer.position().step;
    if done < steps {
        bar.abandon();
        ensure!(done > 0, "stopped in the first step; nothing was saved");
        bail!("stopped after {done} of {steps} steps, which are saved; `--resume` continues");
    }
    bar.finish();
    lines.0
}

/// Lines on standard output. A failed write does not end the run, which is worth more: the error is kept, and
/// nothing more is written.
struct Lines(Result<()>);

impl Lines {
    fn say(&mut self, line: fmt::Arguments<'_>) {
        if self.0.is_ok() {
            self.0 = writeln!(output::stdout(), "{line}").map_err(Into::into);
        }
    }
}

/// Handles Ctrl-C: the first one lets the run save a checkpoint.
fn stop() {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    let first = FIRST.get_or_init(Instant::now);
    if !STOP.swap(true, Ordering::SeqCst) {
        output::say(format_args!("stopping; press Ctrl-C again to stop at once, without a checkpoint"));
    } else if first.elapsed() > Duration::from_secs(1) {
        // Not immediately: `timeout` and others send a signal both to the process and to its group.
        exit(130);
    }
}
