//! `/v1/completions`: continues a text.

use super::answer::{Completion, CompletionChoice, StreamEvent, Usage};
use super::ask::ask;
use super::probs;
use super::request::CompletionRequest;
use super::stream::{Head, Part, Shape, answer, finish};
use crate::app::App;
use crate::error::{ApiError, CompletionErrors};
use crate::http::body;
use axum::extract::{Request, State};
use axum::response::Response;
use std::sync::Arc;
use std::time::Instant;

/// Default number of tokens in an answer.
const DEFAULT_TOKENS: u32 = 16;

/// Creates a completion.
///
/// With `stream` the answer is a sequence of server-sent events, each a chunk of the same schema, followed by `[DONE]`. An error
/// is sent as an event and ends the stream. When the client disconnects, generation stops.
#[utoipa::path(
    post,
    path = "/v1/completions",
    tag = "OpenAI",
    request_body = CompletionRequest,
    responses(
        (status = 200, description = "The answers", content((Completion = "application/json"), (StreamEvent = "text/event-stream"))),
        CompletionErrors,
    ),
)]
pub(crate) async fn completions(State(app): State<Arc<App>>, request: Request) -> Result<Response, ApiError> {
    let start = Instant::now();
    let request: CompletionRequest = body::read(request, &app.limits).await?;
    let alternatives = request.logprobs.map(|n| ("logprobs", n));
    let asked = ask(&app, request.prompt.clone(), request.shared(), DEFAULT_TOKENS, alternatives).await?;
    answer(app, asked, alternatives.is_some(), start, "cmpl", Completions).await
}

struct Completions;

impl Completions {
    fn of(head: &Head, choices: Vec<CompletionChoice>, usage: Option<Usage>) -> Completion {
        let (object, app) = ("text_completion".into(), &head.app);
        Completion { id: head.id.clone(), object, created: app.created, model: app.name.clone(), choices, usage }
    }

    fn choice(head: &Head, part: Part) -> CompletionChoice {
        let logprobs = head.logprobs.then(|| probs::completion(&head.app.engine.model, &part.probs));
        let finish_reason = finish(&part);
        let bitstate = part.end.map(|(_, proof)| proof);
        CompletionChoice { index: part.answer, text: part.text, logprobs, finish_reason, bitstate }
    }
}

impl Shape for Completions {
    type Whole = Completion;
    type Chunk = Completion;

    fn whole(&self, head: &Head, parts: Vec<Part>, usage: Usage) -> Completion {
        Self::of(head, parts.into_iter().map(|part| Self::choice(head, part)).collect(), Some(usage))
    }

    fn opening(&self, _: &Head) -> Vec<Completion> {
        Vec::new()
    }

    fn chunk(&self, head: &Head, part: Part) -> Completion {
        Self::of(head, vec![Self::choice(head, part)], None)
    }

    fn usage(&self, head: &Head, usage: Usage) -> Completion {
        Self::of(head, Vec::new(), Some(usage))
    }
}
