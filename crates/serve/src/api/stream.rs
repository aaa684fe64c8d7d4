//! Builds answers from the engine's events: complete, or in pieces as server-sent events.

use super::answer::{Proof, Recipe, Usage};
use super::ask::Asked;
use super::probs::Prob;
use crate::app::{App, Coming};
use crate::engine::{Event, Failure, Finish};
use crate::error::ApiError;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{iter, unfold};
use serde::Serialize;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// Most events to send together if the client is slower than the engine.
const TOGETHER: usize = 64;

/// Bytes of an answer to send at a time.
const PIECE: usize = 64 << 10;

/// Longest silence of a stream.
const SILENCE: Duration = Duration::from_secs(15);

/// A part of an answer, or a whole one.
#[derive(Default)]
pub(crate) struct Part {
    pub answer: u32,
    pub text: String,
    pub probs: Vec<Prob>,
    pub end: Option<(Finish, Proof)>,
}

impl Part {
    /// Adds the next part of the same answer.
    fn add(&mut self, next: Part) {
        self.text.push_str(&next.text);
        self.probs.extend(next.probs);
        self.end = next.end;
    }
}

/// How an endpoint formats answers.
pub(crate) trait Shape: Send + 'static {
    type Whole: Serialize;
    type Chunk: Serialize;

    fn whole(&self, head: &Head, parts: Vec<Part>, usage: Usage) -> Self::Whole;
    /// Chunks to send before the first token.
    fn opening(&self, head: &Head) -> Vec<Self::Chunk>;
    fn chunk(&self, head: &Head, part: Part) -> Self::Chunk;
    fn usage(&self, head: &Head, usage: Usage) -> Self::Chunk;
}

/// What all answers to a request share.
pub(crate) struct Head {
    pub app: Arc<App>,
    pub id: String,
    pub n: u32,
    pub logprobs: bool,
    recipe: Recipe,
    prompt_tokens: u64,
    start: Instant,
    /// Bytes of text and number of tokens so far, by answer.
    so_far: Vec<(u64, u64)>,
    open: u32,
    has_begun: bool,
}

impl Head {
    /// What an event adds to an answer.
    fn part(&mut self, event: Event) -> Result<Part, Failure> {
        let part = match event {
            Event::Token { answer, id, text, logprob, alternatives } => {
                if !self.has_begun {
                    self.has_begun = true;
                    self.app.engine.metrics.first_token.took(self.start.elapsed());
                }
                let offset = self.so_far[answer].0;
                let prob = logprob.map(|logprob| Prob { id, logprob, alternatives, offset });
                Part { answer: answer as u32, text, probs: prob.into_iter().collect(), end: None }
            }
            Event::End { answer, text, finish, tokens, digest } => {
                self.open -= 1;
                self.so_far[answer].1 = tokens;
                if self.open == 0 {
                    self.app.engine.metrics.answer.took(self.start.elapsed());
                }
                let recipe = Recipe { seed: self.recipe.seed.wrapping_add(answer as u64), ..self.recipe.clone() };
                let (digest, model_sha256) = (digest.to_string(), self.app.sha256.clone());
                let end = Some((finish, Proof { digest, model_sha256, tokens, recipe }));
                Part { answer: answer as u32, text, probs: Vec::new(), end }
            }
            Event::Failed(failure) => return Err(failure),
        };
        self.so_far[part.answer as usize].0 += part.text.len() as u64;
        Ok(part)
    }

    fn usage(&self) -> Usage {
        Usage::new(self.prompt_tokens, self.so_far.iter().map(|(_, tokens)| tokens).sum())
    }
}

/// Generates, and responds with a stream or a complete answer.
pub(crate) async fn answer(
    app: Arc<App>,
    asked: Asked,
    logprobs: bool,
    start: Instant,
    id: &str,
    shape: impl Shape,
) -> Result<Response, ApiError> {
    let Asked { task, recipe, stream, usage } = asked;
    let (n, prompt_tokens) = (task.n, task.prompt.len() as u64);
    let coming = app.submit(task, start).await?;
    let head = Head {
        id: app.id(id),
        app,
        n,
        logprobs,
        recipe,
        prompt_tokens,
        start,
        so_far: vec![(0, 0); n as usize],
        open: n,
        has_begun: false,
    };
    if stream { Ok(streamed(head, coming, shape, usage)) } else { whole(head, coming, &shape).await }
}

async fn whole(mut head: Head, mut coming: Coming, shape: &impl Shape) -> Result<Response, ApiError> {
    let mut parts: Vec<Part> = (0..head.n).map(|answer| Part { answer, ..Part::default() }).collect();
    while head.open > 0 {
        let event = coming.events.recv().await.ok_or(Failure::Panic)?;
        let part = head.part(event)?;
        parts[part.answer as usize].add(part);
    }
    let usage = head.usage();
    let body = serde_json::to_vec(&shape.whole(&head, parts, usage)).unwrap_or_default();
    // In pieces, the last of which frees the memory: hyper takes a piece when the client has taken the previous one.
    let mut left = Bytes::from(body);
    let length = left.len();
    let memory = coming.memory;
    let pieces = std::iter::from_fn(move || {
        let _held = &memory;
        let piece = left.split_to(left.len().min(PIECE));
        (!piece.is_empty()).then_some(Ok::<_, Infallible>(piece))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CONTENT_LENGTH, HeaderValue::from(length)),
    ];
    Ok((headers, Body::from_stream(iter(pieces))).into_response())
}

/// A stream in progress.
struct Streaming<S> {
    head: Head,
    coming: Coming,
    shape: S,
    usage: bool,
    has_opened: bool,
}

impl<S: Shape> Streaming<S> {
    /// The next bytes, and whether more follow.
    async fn next(&mut self) -> (String, bool) {
        let mut out = String::new();
        if !self.has_opened {
            self.has_opened = true;
            self.shape.opening(&self.head).iter().for_each(|chunk| push(&mut out, chunk));
            if !out.is_empty() {
                return (out, true);
            }
        }
        let mut events = Vec::with_capacity(TOGETHER);
        while out.is_empty() {
            match timeout(SILENCE, self.coming.events.recv_many(&mut events, TOGETHER)).await {
                // A comment, for proxies that close silent connections.
                Err(_) => return (": still at work\n\n".into(), true),
                Ok(0) => events.push(Event::Failed(Failure::Panic)),
                Ok(_) => {}
            }
            // Tokens that are sent together are one chunk per answer.
            let (mut parts, mut failed) = (Vec::<Part>::new(), None);
            for event in events.drain(..) {
                match self.head.part(event) {
                    Ok(part) => match parts.iter_mut().find(|known| known.answer == part.answer) {
                        Some(known) => known.add(part),
                        None => parts.push(part),
                    },
                    Err(failure) => failed = Some(failure),
                }
            }
            for part in parts {
                if !(part.text.is_empty() && part.probs.is_empty() && part.end.is_none()) {
                    push(&mut out, &self.shape.chunk(&self.head, part));
                }
            }
            if let Some(failure) = failed {
                // An error ends the stream.
                push(&mut out, &ApiError::from(failure).body());
                return (out, false);
            }
        }
        if self.head.open > 0 {
            return (out, true);
        }
        if self.usage {
            push(&mut out, &self.shape.usage(&self.head, self.head.usage()));
        }
        out.push_str("data: [DONE]\n\n");
        (out, false)
    }
}

fn push(out: &mut String, data: &impl Serialize) {
    // Every value of these types can be JSON.
    let json = serde_json::to_string(data).unwrap_or_default();
    out.extend(["data: ", &json, "\n\n"]);
}

/// If the client disconnects, the stream is dropped, and with it the engine's channel.
fn streamed<S: Shape>(head: Head, coming: Coming, shape: S, usage: bool) -> Response {
    let streaming = Streaming { head, coming, shape, usage, has_opened: false };
    let chunks = unfold(Some(streaming), async |streaming| {
        let mut streaming = streaming?;
        let (out, more) = streaming.next().await;
        Some((Ok::<_, Infallible>(Bytes::from(out)), more.then_some(streaming)))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, Body::from_stream(chunks)).into_response()
}

/// The finish reason in OpenAI's terms.
pub(crate) fn finish(part: &Part) -> Option<String> {
    let (finish, _) = part.end.as_ref()?;
    Some(if *finish == Finish::Stop { "stop" } else { "length" }.into())
}
