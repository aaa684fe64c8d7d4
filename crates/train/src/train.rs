//! The training loop.

mod start;

use crate::chart;
use crate::checkpoint::{Checkpoint, Position};
use crate::config::TrainConfig;
use crate::data::{Data, Shard, Source, TOKENIZER};
use crate::error::Error;
use crate::file::{TOKENIZER_LIMIT, sweep, write_atomically};
use crate::kernels::axpy;
use crate::kernels::dropout::mixed;
use crate::kernels::loss::Distill;
use crate::log::{Done, Event, Log, Since};
use crate::net::{Batch, Net};
use crate::ops::{self, Dropout, Wanted};
use crate::optim::{AdamW, clip, learning_rate};
use crate::params::Params;
use crate::sample::sample;
use crate::workers::Workers;
use bitstate_model::Config;
use start::{beginning, start_from, teacher};
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// A training run.
#[derive(Debug)]
pub struct Trainer {
    config: TrainConfig,
    shapes: Config,
    data: Data,
    source: Source,
    /// The sequence length of `source`.
    seq_len: usize,
    held_out: Source,
    teacher: Option<(Net, Distill)>,
    workers: Workers,
    at: Checkpoint,
    /// The step of the newest checkpoint on disk.
    kept: u64,
}

impl Trainer {
    /// A new run.
    ///
    /// # Errors
    /// If data and model do not match, or the run's folder has the checkpoints of another run.
    pub fn new(config: TrainConfig) -> Result<Trainer, Error> {
        if let Some(path) = [LAST, BEST].map(|name| config.out.join(name)).into_iter().find(|path| path.exists()) {
            let problem = "a checkpoint of an earlier run: `--resume` continues it, another `out` begins a new one";
            return Err(Error::content(&path, problem));
        }
        let data = Data::open(&config.data)?;
        let position = beginning(&config, &data)?;
        let params = match &config.start {
            Some(start) => start_from(start, &position)?,
            None => {
                let mut params = Params::new(&position.config(), config.seed);
                config.model.log_decay.iter().for_each(|ends| params.set_log_decay(&position.config(), *ends));
                params
            }
        };
        let adam = AdamW::new(&params);
        Trainer::at(config, data, Checkpoint { position, params, adam }, 0)
    }

    /// Resumes the run of `last.safetensors` in the folder of `config`, with the same results as without an
    /// interruption.
    ///
    /// # Errors
    /// If there is no checkpoint, or it is of another model, other data or another seed, or beyond the last step of
    /// `config`.
    pub fn resume(config: TrainConfig) -> Result<Trainer, Error> {
        let path = config.out.join(LAST);
        if !path.exists() {
            return Err(Error::content(
                &path,
                "there is no checkpoint to resume from; without `--resume` a run begins",
            ));
        }
        let mut at = Checkpoint::load(&path)?;
        let data = Data::open(&config.data)?;
        let beginning = beginning(&config, &data)?;
        if let Some(difference) = at.position.difference(&beginning) {
            let problem = format_args!("a checkpoint of another run than the configuration says: {difference}");
            return Err(Error::content(&path, problem));
        }
        at.position.end = beginning.end;
        let step = at.position.step;
        if step > config.steps {
            let steps = config.steps;
            return Err(Error::content(
                &path,
                format_args!("it is of step {step}, and the configuration ends at {steps}"),
            ));
        }
        Trainer::at(config, data, at, step)
    }

    fn at(config: TrainConfig, data: Data, at: Checkpoint, kept: u64) -> Result<Trainer, Error> {
        let source = |file, seq_len, position| Source::new(&config, &data.tokenizer, file, seq_len, position);
        source(&data.train, config.longest(), [0, 0])?;
        let held_out = source(&data.valid, config.longest(), [0, 0])?;
        // The position was saved in an earlier stage: the next step may have another sequence length.
        let seq_len = config.batch_at(at.position.step.max(1)).seq_len;
        let source = source(&data.train, seq_len, at.position.windows)?;
        let teacher = config.distill.as_ref().map(|distill| teacher(distill, &at.position)).transpose()?;
        let shapes = at.position.config();
        let workers = Workers::new()?;
        Ok(Trainer { config, shapes, data, source, seq_len, held_out, teacher, workers, at, kept })
    }

    /// The position of the run.
    pub fn position(&self) -> &Position {
        &self.at.position
    }

    /// The current parameters.
    pub fn params(&self) -> &Params {
        &self.at.params
    }

    /// The model's shapes.
    pub fn shapes(&self) -> &Config {
        &self.shapes
    }

    /// Trains up to the last step, or until `stop` is set, then with a checkpoint of the last complete step. `report`
    /// is called for every event; events are also lines of `log.jsonl` in the run's folder.
    ///
    /// # Errors
    /// If the loss is no longer finite (the last checkpoint is kept), or a file cannot be written.
    pub fn run(&mut self, stop: &AtomicBool, report: &mut dyn FnMut(&Event)) -> Result<(), Error> {
        let out = self.config.out.clone();
        fs::create_dir_all(&out).map_err(Error::file("make", &out))?;
        sweep(&out)?;
        self.keep_tokenizer(&out)?;
        let mut log = Log::open(out.join("log.jsonl"), self.at.position.step == 0)?;
        let watch = self.config.watch.clone();
        let due = |every: u64, step: u64, last: bool| every > 0 && (last || step.is_multiple_of(every));
        let mut since = Since::new(self.at.position.tokens);
        while self.at.position.step < self.config.steps {
            let Some(done) = self.step(stop)? else { break };
            since.add(done);
            let step = self.at.position.step;
            let last = step == self.config.steps;
            if due(watch.log, step, last) {
                let event = since.event(step, self.at.position.tokens, done);
                log.write(&event)?;
                report(&event);
                since = Since::new(self.at.position.tokens);
            }
            let looking = Instant::now();
            if due(watch.validate, step, last) {
                let event = self.validate()?;
                log.write(&event)?;
                report(&event);
            }
            if due(watch.sample, step, last) {
                let event = self.sample()?;
                log.write(&event)?;
                report(&event);
            }
            if due(watch.checkpoint, step, last) {
                report(&self.save(&out.join(LAST))?);
            }
            // After the checkpoint, which is more important.
            if due(watch.validate, step, last) {
                chart::draw(&log.path)?;
            }
            // The reported speed is that of training only.
            since.start += looking.elapsed();
        }
        // At the end, or when stopped.
        if self.kept < self.at.position.step {
            report(&self.save(&out.join(LAST))?);
            chart::draw(&log.path)?;
        }
        Ok(())
    }

    /// Copies the tokenizer beside the checkpoints, which cannot be used without it.
    fn keep_tokenizer(&self, out: &Path) -> Result<(), Error> {
        let Some(json) = &self.data.json else { return Ok(()) };
        let path = out.join(TOKENIZER);
        match bitstate_files::read(&path, TOKENIZER_LIMIT) {
            Ok(there) if there == *json => Ok(()),
            Ok(_) => {
                Err(Error::content(&path, "another tokenizer than the data's: move it away, or choose another `out`"))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => write_atomically(&path, |file| file.write_all(json)),
            Err(error) => Err(Error::file("read", &path)(error)),
        }
    }

    /// One optimiser step. `None` if `stop` is set before it is complete: then nothing has changed.
    fn step(&mut self, stop: &AtomicBool) -> Result<Option<Done>, Error> {
        let before = (self.seq_len, self.source.position());
        let step = self.at.position.step + 1;
        let batch = self.config.batch_at(step);
        self.change_length(batch.seq_len)?;
        let passes = batch.accumulate as u64;
        let (mut total, mut tokens) = (Losses::default(), 0);
        for pass in 0..passes {
            if stop.load(Ordering::SeqCst) {
                let (seq_len, position) = before;
                self.read_from(seq_len, position)?;
                return Ok(None);
            }
            let shards = self.source.next(&self.data.train, batch);
            tokens += shards.iter().map(|shard| shard.inputs.len() as u64).sum::<u64>();
            // Every pass has the same weight, and every token that counts within it.
            let all = shards.iter().map(Shard::counted).sum::<usize>().max(1) as f64 * passes as f64;
            let dropout = self.dropout(step, pass);
            let shards: Vec<_> = shards.iter().zip(0..).collect();
            self.workers.each(
                &shards,
                |&(shard, number)| {
                    let dropout = dropout.map(|d| Dropout { seed: mixed(d.seed, number), ..d });
                    (self.losses(shard, dropout), shard.counted() as f64 / all)
                },
                |(done, share)| total.add(done, share),
            );
        }
        let Losses { loss, cross_entropy, mut grads } = total;
        let grad_norm = clip(&mut grads, self.config.optimizer.clip);
        if !loss.is_finite() || !grad_norm.is_finite() {
            return Err(Error::NotFinite { step, loss: loss as f32, kept: self.kept });
        }
        let lr = learning_rate(&self.config.optimizer, step, self.config.steps);
        self.at.adam.step(&mut self.at.params, &grads, &self.config.optimizer, step, lr);
        let position = &mut self.at.position;
        position.step = step;
        position.tokens += tokens;
        position.windows = self.source.position();
        Ok(Some(Done { loss, cross_entropy, grad_norm, lr }))
    }

    /// Splits the text into windows of another length from here on, starting a new epoch.
    fn change_length(&mut self, seq_len: usize) -> Result<(), Error> {
        if seq_len != self.seq_len {
            let [epoch, _] = self.source.position();
            self.read_from(seq_len, [epoch + 1, 0])?;
        }
        Ok(())
    }

    /// Continues with the text at `position`, in sequences of `seq_len`.
    fn read_from(&mut self, seq_len: usize, position: [u64; 2]) -> Result<(), Error> {
        self.source = Source::new(&self.config, &self.data.tokenizer, &self.data.train, seq_len, position)?;
        self.seq_len = seq_len;
        Ok(())
    }

    /// The dropout of a pass: determined by its step and position alone, so that a resumed run drops the same values.
    fn dropout(&self, step: u64, pass: u64) -> Option<Dropout> {
        let share = self.config.model.dropout;
        (share > 0.0).then(|| Dropout { share, seed: mixed(mixed(self.config.seed, step), pass) })
    }

    /// Losses and gradients of a few sequences, each as a mean over the tokens that count.
    fn losses(&self, shard: &Shard, dropout: Option<Dropout>) -> Losses {
        let mut net = Net::new(&self.shapes, &self.at.params, self.config.model.bitnet, true);
        net.dropout = dropout;
        let batch = Batch { tokens: &shard.inputs, seq_len: shard.seq_len };
        let teacher = self.teacher.as_ref().map(|(net, distill)| (net.logits(batch), *distill));
        let losses = net.loss(batch, Wanted { targets: shard.targets.as_slice().into(), teacher });
        let [loss, cross_entropy] = [0, 1].map(|i| f64::from(ops::values::<f32>(&losses)[i]));
        Losses { loss, cross_entropy, grads: net.gradients(losses) }
    }

    /// The loss on held-out text, each sequence from an empty state; the best checkpoint so far is saved as
    /// `best.safetensors`.
    fn validate(&mut self) -> Result<Event, Error> {
        let net = Net::new(&self.shapes, &self.at.params, self.config.model.bitnet, false);
        let count = self.config.watch.validate_windows.max(1);
        let shards = self.held_out.first(&self.data.valid, self.config.longest(), count);
        let mut nats = 0.0;
        self.workers.each(
            &shards,
            |shard| {
                let wanted = Wanted { targets: shard.targets.as_slice().into(), teacher: None };
                let losses = net.loss(Batch { tokens: &shard.inputs, seq_len: shard.seq_len }, wanted);
                f64::from(ops::values::<f32>(&losses)[1]) * shard.counted() as f64
            },
            |loss| nats += loss,
        );
        let cross_entropy = nats / shards.iter().map(Shard::counted).sum::<usize>().max(1) as f64;
        if !cross_entropy.is_finite() {
            let step = self.at.position.step;
            return Err(Error::NotFinite { step, loss: cross_entropy as f32, kept: self.kept });
        }
        let bits_per_byte = cross_entropy / std::f64::consts::LN_2 / self.data.valid.bytes_per_token();
        let position = &mut self.at.position;
        let best = position.best.is_none_or(|best| bits_per_byte < best);
        let event =
            Event::Validated { step: position.step, tokens: position.tokens, cross_entropy, bits_per_byte, best };
        if best {
            position.best = Some(bits_per_byte);
            self.at.save(&self.config.out.join(BEST))?;
        }
        Ok(event)
    }

    /// A sample after the prompt; with the same random numbers each time, so that samples are comparable.
    fn sample(&self) -> Result<Event, Error> {
        let net = Net::new(&self.shapes, &self.at.params, self.config.model.bitnet, false);
        let watch = &self.config.watch;
        let text = sample(&net, &self.data.tokenizer, &watch.prompt, watch.sample_tokens, self.config.seed)?;
        Ok(Event::Sampled { step: self.at.position.step, tokens: self.at.position.tokens, text })
    }

    fn save(&mut self, path: &Path) -> Result<Event, Error> {
        self.at.save(path)?;
        self.kept = self.at.position.step;
        Ok(Event::Saved { step: self.kept, path: path.to_path_buf() })
    }
}

/// The newest checkpoint of a run.
const LAST: &str = "last.safetensors";
/// The checkpoint with the lowest loss on held-out text.
const BEST: &str = "best.safetensors";

/// Losses in nats per token and gradients, of a part of a batch or the whole.
#[derive(Default)]
struct Losses {
    loss: f64,
    cross_entropy: f64,
    grads: Vec<Vec<f32>>,
}

impl Losses {
    /// Adds the means over a fraction of the whole.
    fn add(&mut self, part: Losses, share: f64) {
        self.loss += part.loss * share;
        self.cross_entropy += part.cross_entropy * share;
        if self.grads.is_empty() {
            self.grads = part.grads.iter().map(|grads| vec![0.0; grads.len()]).collect();
        }
        for (total, grads) in self.grads.iter_mut().zip(&part.grads) {
            axpy(total, share as f32, grads);
        }
    }
}
