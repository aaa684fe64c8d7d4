//! `/v1/chat/completions`: continues a chat.

use super::answer::{Chat, ChatChoice, ChatChunk, ChatPart, Delta, Said, StreamEvent, Usage};
use super::ask::ask;
use super::fields::{Prompt, Role};
use super::probs;
use super::request::ChatRequest;
use super::stream::{Head, Part, Shape, answer, finish};
use crate::app::App;
use crate::error::{ApiError, CompletionErrors};
use crate::http::body;
use axum::extract::{Request, State};
use axum::response::Response;
use std::sync::Arc;
use std::time::Instant;

/// Default number of tokens in an answer.
const DEFAULT_TOKENS: u32 = 256;

/// Creates a chat completion.
///
/// The contents of the messages, joined by newlines, are the text to continue. With `stream` the answer is a sequence of
/// server-sent events, followed by `[DONE]`. An error is sent as an event and ends the stream.
#[utoipa::path(
    post,
    path = "/v1/chat/completions",
    tag = "OpenAI",
    request_body = ChatRequest,
    responses(
        (status = 200, description = "The answers; in a stream each event is a `ChatChunk`",
            content((Chat = "application/json"), (StreamEvent = "text/event-stream"))),
        CompletionErrors,
    ),
)]
pub(crate) async fn chat(State(app): State<Arc<App>>, request: Request) -> Result<Response, ApiError> {
    let start = Instant::now();
    let request: ChatRequest = body::read(request, &app.limits).await?;
    let mut shared = request.shared();
    match (shared.max_tokens, request.max_completion_tokens) {
        (Some(_), Some(_)) => {
            let message = "max_completion_tokens is another name for max_tokens: give one of them";
            return Err(ApiError::field("max_completion_tokens", message));
        }
        (None, most) => shared.max_tokens = most,
        _ => {}
    }
    let logprobs = request.logprobs.unwrap_or(false);
    if request.top_logprobs.is_some() && !logprobs {
        return Err(ApiError::field("top_logprobs", "top_logprobs needs logprobs: set it to true"));
    }
    if request.messages.is_empty() {
        return Err(ApiError::field("messages", "messages is empty: give at least one message"));
    }
    let alternatives = logprobs.then(|| ("top_logprobs", request.top_logprobs.unwrap_or(0)));
    let contents: Vec<&str> = request.messages.iter().map(|message| message.content.as_str()).collect();
    let prompt = Prompt::Text(contents.join("\n"));
    let asked = ask(&app, prompt, shared, DEFAULT_TOKENS, alternatives).await?;
    answer(app, asked, logprobs, start, "chatcmpl", Chats).await
}

struct Chats;

impl Chats {
    fn chunk_of(head: &Head, choices: Vec<ChatPart>, usage: Option<Usage>) -> ChatChunk {
        let (object, app) = ("chat.completion.chunk".into(), &head.app);
        ChatChunk { id: head.id.clone(), object, created: app.created, model: app.name.clone(), choices, usage }
    }
}

impl Shape for Chats {
    type Whole = Chat;
    type Chunk = ChatChunk;

    fn whole(&self, head: &Head, parts: Vec<Part>, usage: Usage) -> Chat {
        let (object, app) = ("chat.completion".into(), &head.app);
        let choice = |part: Part| {
            let logprobs = head.logprobs.then(|| probs::chat(&app.engine.model, &part.probs));
            let finish_reason = finish(&part)?;
            let message = Said { role: Role::Assistant, content: part.text };
            Some(ChatChoice { index: part.answer, message, logprobs, finish_reason, bitstate: part.end?.1 })
        };
        // All answers have ended.
        let choices = parts.into_iter().filter_map(choice).collect();
        Chat { id: head.id.clone(), object, created: app.created, model: app.name.clone(), choices, usage }
    }

    fn opening(&self, head: &Head) -> Vec<ChatChunk> {
        let part = |index| {
            let delta = Delta { role: Some(Role::Assistant), content: Some(String::new()) };
            ChatPart { index, delta, logprobs: None, finish_reason: None, bitstate: None }
        };
        (0..head.n).map(|index| Self::chunk_of(head, vec![part(index)], None)).collect()
    }

    fn chunk(&self, head: &Head, part: Part) -> ChatChunk {
        let logprobs = head.logprobs.then(|| probs::chat(&head.app.engine.model, &part.probs));
        let finish_reason = finish(&part);
        let delta = Delta { role: None, content: Some(part.text).filter(|text| !text.is_empty()) };
        let bitstate = part.end.map(|(_, proof)| proof);
        Self::chunk_of(head, vec![ChatPart { index: part.answer, delta, logprobs, finish_reason, bitstate }], None)
    }

    fn usage(&self, head: &Head, usage: Usage) -> ChatChunk {
        Self::chunk_of(head, Vec::new(), Some(usage))
    }
}
