//! Probabilities in the format of OpenAI's clients.

use super::answer::{ChatLogprob, ChatLogprobs, CompletionLogprobs, TopLogprob};
use bitstate::tokenizer::Tokenizer;
use bitstate::{Alternative, Model};

/// A token with its probability and those of its alternatives.
pub(crate) struct Prob {
    pub id: u32,
    pub logprob: f32,
    pub alternatives: Vec<Alternative>,
    /// Offset in the answer's text, in bytes.
    pub offset: u64,
}

/// The text and the bytes of a single token. A token that is part of a character is named by its bytes, or by its id if the
/// bytes are not known, so that no two tokens share a name because they have no text.
fn shown(model: &Model, id: u32) -> (String, Option<Vec<u8>>) {
    let Some(tokenizer) = model.tokenizer() else { return (format!("token:{id}"), None) };
    match u8::try_from(id) {
        Ok(byte) if Tokenizer::is_byte(tokenizer) && !byte.is_ascii() => {
            (format!("bytes:\\x{byte:02x}"), Some(vec![byte]))
        }
        _ => {
            let text = tokenizer.decode(&[id]);
            if text.is_empty() || text.contains(char::REPLACEMENT_CHARACTER) {
                return (format!("token:{id}"), None);
            }
            let bytes = text.clone().into_bytes();
            (text, Some(bytes))
        }
    }
}

/// For completions.
pub(crate) fn completion(model: &Model, probs: &[Prob]) -> CompletionLogprobs {
    let mut out = CompletionLogprobs::default();
    for prob in probs {
        out.tokens.push(shown(model, prob.id).0);
        out.token_logprobs.push(prob.logprob);
        out.top_logprobs
            .push(prob.alternatives.iter().map(|other| (shown(model, other.token).0, other.logprob)).collect());
        out.text_offset.push(prob.offset);
    }
    out
}

/// For chats.
pub(crate) fn chat(model: &Model, probs: &[Prob]) -> ChatLogprobs {
    let top = |other: &Alternative| {
        let (token, bytes) = shown(model, other.token);
        TopLogprob { token, logprob: other.logprob, bytes }
    };
    let one = |prob: &Prob| {
        let (token, bytes) = shown(model, prob.id);
        ChatLogprob { token, logprob: prob.logprob, bytes, top_logprobs: prob.alternatives.iter().map(top).collect() }
    };
    ChatLogprobs { content: probs.iter().map(one).collect() }
}
