//! Threads that answer records, each many at once.

use anyhow::Result;
use bitstate::{Batch, Continuation, Ended, Model, Sampling, Session, Stop};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// Records that a thread answers at once: one pass over the weights serves them all.
const AT_ONCE: usize = 16;

/// What stands around every record, and where an answer ends.
#[derive(Clone)]
pub struct Template {
    /// The state after the start of a text and the prefix, which every record begins from.
    start: Session,
    suffix: String,
    max_tokens: u32,
}

/// A record to answer.
pub struct Asked {
    /// Counted from 0.
    pub number: u64,
    /// The record, or why it cannot be read.
    pub record: Result<String, String>,
}

/// What came of it.
pub struct Answered {
    pub number: u64,
    pub answer: Result<Answer, String>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub text: String,
    pub tokens: u64,
    /// Whether the model ended it; else it was cut off at the largest number of tokens.
    pub is_whole: bool,
}

impl Template {
    /// Processes `prefix` once, after the token that begins a text. `suffix` follows every record.
    pub fn new(model: &Model, prefix: &str, suffix: &str, max_tokens: u32) -> Result<Self> {
        let mut start = model.session(Sampling::greedy())?;
        start.feed_text("")?;
        if !prefix.is_empty() {
            start.feed_text(prefix)?;
        }
        Ok(Template { start, suffix: suffix.into(), max_tokens })
    }

    /// The model.
    pub fn model(&self) -> &Model {
        self.start.model()
    }

    fn begin(&self, record: &str) -> Result<Continuation, bitstate::Error> {
        let mut session = self.start.clone();
        session.feed_text(&format!("{record}{}", self.suffix))?;
        // An answer is one line.
        Ok(Continuation::new(session, Stop::new().max_tokens(self.max_tokens.into()).text("\n")))
    }
}

/// A record being answered.
struct Open {
    number: u64,
    text: String,
    continuation: Continuation,
}

impl Open {
    fn finish(mut self) -> Answered {
        let is_whole = !matches!(self.continuation.ended(), Some(Ended::Budget));
        self.text.push_str(&self.continuation.finish());
        let answer = Answer { text: self.text, tokens: self.continuation.tokens(), is_whole };
        Answered { number: self.number, answer: Ok(answer) }
    }
}

/// Running threads: they end when the sender is dropped and everything is answered.
pub struct Workers {
    pub asked: SyncSender<Asked>,
    /// In the order in which they are done.
    pub answered: Receiver<Answered>,
    pub threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts `threads` of them. Neither channel holds more than a few records a thread: a sender waits.
    pub fn start(template: &Template, threads: usize) -> Result<Self> {
        let (asked, queue) = sync_channel(threads * AT_ONCE);
        let (done, answered) = sync_channel(threads * AT_ONCE);
        let queue = Arc::new(Mutex::new(queue));
        let spawn = |number| {
            let (template, queue, done) = (template.clone(), Arc::clone(&queue), done.clone());
            thread::Builder::new().name(format!("answers-{number}")).spawn(move || work(&template, &queue, &done))
        };
        let threads = (0..threads).map(spawn).collect::<Result<_, _>>()?;
        Ok(Workers { asked, answered, threads })
    }

    /// Most records that are underway at once, in channels and threads.
    pub fn room(threads: usize) -> usize {
        3 * threads * AT_ONCE
    }

    /// Waits for the threads to end, once the sender is dropped and every answer is taken.
    pub fn join(threads: Vec<JoinHandle<()>>) {
        // A panic has been printed, and its records are missing from the count.
        threads.into_iter().for_each(|thread| drop(thread.join()));
    }
}

fn work(template: &Template, queue: &Mutex<Receiver<Asked>>, done: &SyncSender<Answered>) {
    let mut batch = Batch::new(template.model());
    let mut open: Vec<Open> = Vec::new();
    loop {
        while open.len() < AT_ONCE {
            let Some(Asked { number, record }) = next(queue, open.is_empty()) else { break };
            match record.and_then(|record| template.begin(&record).map_err(|error| error.to_string())) {
                Ok(continuation) => open.push(Open { number, text: String::new(), continuation }),
                Err(error) => {
                    // The receiver is gone when the command stops early.
                    if done.send(Answered { number, answer: Err(error) }).is_err() {
                        return;
                    }
                }
            }
        }
        if open.is_empty() {
            return;
        }
        let mut sessions: Vec<&mut Continuation> = open.iter_mut().map(|open| &mut open.continuation).collect();
        let steps = batch.step_each(&mut sessions);
        let mut still = Vec::with_capacity(open.len());
        for (mut open, step) in open.into_iter().zip(steps) {
            let answered = match step {
                Ok(Some(piece)) => {
                    open.text.push_str(&piece.text);
                    still.push(open);
                    continue;
                }
                Ok(None) => open.finish(),
                Err(error) => Answered { number: open.number, answer: Err(error.to_string()) },
            };
            if done.send(answered).is_err() {
                return;
            }
        }
        open = still;
    }
}

/// The next record. A thread that has others to go on with does not wait for it.
fn next(queue: &Mutex<Receiver<Asked>>, may_wait: bool) -> Option<Asked> {
    if may_wait {
        return queue.lock().ok()?.recv().ok();
    }
    queue.try_lock().ok()?.try_recv().ok()
}
