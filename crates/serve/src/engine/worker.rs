//! A generation thread.

use super::{Engine, Event, Failure, Finish, Job};
use bitstate::{Batch, Continuation, Ended, Error, Piece, Session};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// Prompt tokens to process between two checks of the clock.
const SLICE: usize = 16;

/// Time to process prompts between two decoding steps.
const READING: Duration = Duration::from_millis(4);

/// Answers that are decoded together. More would not be faster: the kernels process this many rows at once.
const GROUP: usize = 16;

/// Processes jobs until the queue is closed.
pub(super) fn run(engine: &Engine, thread: usize) {
    // A panic loses the jobs that were in the batch: their channels close, and their clients get an error.
    while catch_unwind(AssertUnwindSafe(|| work(engine, thread))).is_err() {
        engine.metrics.panics.fetch_add(1, Relaxed);
    }
}

/// A running job.
struct Running {
    job: Job,
    phase: Phase,
}

enum Phase {
    /// Its prompt is being processed.
    Reading { session: Box<Session>, read: usize },
    /// Its incomplete answers.
    Writing(Vec<(usize, Continuation)>),
    /// It is done.
    Over,
}

fn work(engine: &Engine, thread: usize) {
    let mut running: Vec<Running> = Vec::new();
    let mut batch = Batch::new(&engine.model);
    let mut turn = 0;
    while let Some(jobs) = engine.queue.take(thread, running.len()) {
        running.extend(jobs.into_iter().filter_map(|job| begin(engine, job)));
        let now = Instant::now();
        running.retain_mut(|one| stays(engine, one, now));
        turn = read(engine, &mut running, turn);
        write(engine, &mut running, &mut batch);
        running.retain(|one| !matches!(one.phase, Phase::Over));
    }
}

/// Whether a job should continue.
fn stays(engine: &Engine, one: &mut Running, now: Instant) -> bool {
    if one.job.events.is_closed() {
        engine.metrics.left.fetch_add(1, Relaxed);
        return false;
    }
    let failure = match () {
        () if engine.queue.is_cut() => {
            engine.metrics.cut.fetch_add(1, Relaxed);
            Failure::Stopping
        }
        () if now >= one.job.deadline => Failure::Overdue(engine.metrics.answer_seconds),
        () => return true,
    };
    one.job.fail(failure);
    false
}

fn begin(engine: &Engine, mut job: Job) -> Option<Running> {
    let mut session = match engine.model.session(job.sampling.clone()) {
        Ok(session) => Box::new(session),
        Err(error) => {
            job.fail(Failure::Model(error.to_string()));
            return None;
        }
    };
    let mut read = 0;
    let mut cache = engine.cache.lock().unwrap_or_else(PoisonError::into_inner);
    if cache.is_on() {
        session.keep_last_tokens(job.prompt.len());
        if let Some(prefix) = cache.find(&job.prompt)
            && session.feed_prefix(&prefix)
        {
            read = prefix.tokens().len();
        }
        engine.metrics.cached_tokens.fetch_add(read as u64, Relaxed);
    }
    drop(cache);
    Some(Running { job, phase: Phase::Reading { session, read } })
}

/// Processes prompts for a limited time, one slice of each in turn, starting at the job `turn`. Returns the next turn.
fn read(engine: &Engine, running: &mut [Running], turn: usize) -> usize {
    let start = Instant::now();
    let mut next = turn;
    loop {
        let mut any = false;
        for _ in 0..running.len() {
            let i = next % running.len();
            next = i + 1;
            if read_slice(engine, &mut running[i]) {
                any = true;
                if start.elapsed() >= READING {
                    return next;
                }
            }
        }
        if !any {
            return next;
        }
    }
}

/// Whether there was a slice to process.
fn read_slice(engine: &Engine, one: &mut Running) -> bool {
    let Phase::Reading { session, read } = &mut one.phase else { return false };
    let slice = &one.job.prompt[*read..one.job.prompt.len().min(*read + SLICE)];
    if !slice.is_empty()
        && let Err(error) = session.feed(slice)
    {
        one.job.fail(Failure::Model(error.to_string()));
        one.phase = Phase::Over;
        return true;
    }
    *read += slice.len();
    engine.metrics.prompt_tokens.fetch_add(slice.len() as u64, Relaxed);
    if *read == one.job.prompt.len() {
        keep(engine, session);
        let answers = session.answers(one.job.n);
        let answers = answers.into_iter().map(|session| Continuation::new(session, one.job.stop.clone()));
        one.phase = Phase::Writing(answers.enumerate().collect());
    }
    true
}

/// Caches a processed prompt, if the cache is enabled.
fn keep(engine: &Engine, session: &mut Session) {
    let mut cache = engine.cache.lock().unwrap_or_else(PoisonError::into_inner);
    if cache.is_on()
        && let Ok(Some(prefix)) = session.prefix()
    {
        cache.keep(prefix);
        engine.metrics.cache_bytes.store(cache.bytes() as u64, Relaxed);
    }
}

/// Generates one token in every answer, in groups that share a pass. An answer whose client disconnects meanwhile costs no
/// more than the rest of its group.
fn write(engine: &Engine, mut running: &mut [Running], batch: &mut Batch) {
    while !running.is_empty() {
        let mut answers = 0;
        let more = |one: &Running| {
            let full = answers >= GROUP;
            answers += if let Phase::Writing(answers) = &one.phase { answers.len() } else { 0 };
            full
        };
        let end = running.iter().position(more).unwrap_or(running.len());
        let (group, others) = running.split_at_mut(end);
        write_group(engine, group, batch);
        running = others;
    }
}

fn write_group(engine: &Engine, group: &mut [Running], batch: &mut Batch) {
    let mut all: Vec<&mut Continuation> = Vec::new();
    for one in &mut *group {
        if one.job.events.is_closed() {
            engine.metrics.left.fetch_add(1, Relaxed);
            one.phase = Phase::Over;
        }
        if let Phase::Writing(answers) = &mut one.phase {
            all.extend(answers.iter_mut().map(|(_, answer)| answer));
        }
    }
    if all.is_empty() {
        return;
    }
    engine.metrics.steps.fetch_add(1, Relaxed);
    let mut steps = batch.step_each(&mut all).into_iter();
    for Running { job, phase } in group {
        let Phase::Writing(answers) = phase else { continue };
        answers.retain_mut(|(answer, continuation)| match steps.next() {
            Some(step) => report(engine, job, *answer, continuation, step),
            None => true,
        });
        if answers.is_empty() {
            *phase = Phase::Over;
        }
    }
}

/// Sends the result of a step to the client. Returns whether the answer continues; slots are freed before the end is sent.
fn report(
    engine: &Engine,
    job: &mut Job,
    answer: usize,
    continuation: &mut Continuation,
    step: Result<Option<Piece>, Error>,
) -> bool {
    let piece = match step {
        Ok(piece) => piece,
        Err(error) => {
            job.fail(Failure::Model(error.to_string()));
            return false;
        }
    };
    if let Some(Piece { token, text }) = piece {
        let (id, logprob, alternatives) = (token.id, token.logprob, token.alternatives);
        job.events.push(Event::Token { answer, id, text, logprob, alternatives });
    }
    if !continuation.is_over() {
        return true;
    }
    let finish = if matches!(continuation.ended(), Some(Ended::Budget)) { Finish::Length } else { Finish::Stop };
    let (text, tokens, digest) = (continuation.finish(), continuation.tokens(), continuation.digest());
    engine.metrics.generated_tokens.fetch_add(tokens, Relaxed);
    drop(job.slots.split(1));
    if job.slots.num_permits() == 0 {
        engine.metrics.complete.fetch_add(1, Relaxed);
    }
    job.events.send(Event::End { answer, text, finish, tokens, digest });
    false
}

impl Job {
    /// Frees the slots, and sends the reason.
    fn fail(&mut self, failure: Failure) {
        drop(self.slots.split(self.slots.num_permits()));
        self.events.send(Event::Failed(failure));
    }
}
