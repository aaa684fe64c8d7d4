//! Response bodies.

use super::fields::{Role, Stops};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Token counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    /// Tokens in the prompt.
    pub prompt_tokens: u64,
    /// Tokens in all answers.
    pub completion_tokens: u64,
    /// Total.
    pub total_tokens: u64,
}

impl Usage {
    pub(crate) fn new(prompt_tokens: u64, completion_tokens: u64) -> Self {
        Usage { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens }
    }
}

/// Reproducibility data of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Proof {
    /// XXH64 over the residual stream and the id of every chosen token, as 16 hexadecimal digits. The same recipe and prompt
    /// give the same digest on every machine, alone or in a batch. A checksum: it does not protect against forgery.
    pub digest: String,
    /// SHA-256 of the model file.
    pub model_sha256: String,
    /// Number of tokens in the answer.
    pub tokens: u64,
    /// All settings. Together with the prompt it is a request that reproduces the answer.
    pub recipe: Recipe,
}

/// All settings that an answer depends on, except the prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Recipe {
    /// The model's name.
    pub model: String,
    /// Maximum number of tokens.
    pub max_tokens: u32,
    /// Seed of this answer.
    pub seed: u64,
    /// 0 always chooses the likeliest token.
    pub temperature: f32,
    /// 1 keeps all.
    pub top_p: f32,
    /// 0 keeps all.
    pub top_k: u32,
    /// 0 removes none.
    pub min_p: f32,
    /// 1 keeps all.
    pub typical_p: f32,
    /// 1 disables it.
    pub penalty: f32,
    /// 1 disables it.
    pub repetition_penalty: f32,
    /// 0 disables it.
    pub presence_penalty: f32,
    /// 0 disables it.
    pub frequency_penalty: f32,
    /// Size of the window in tokens.
    pub penalty_window: u32,
    /// Values added to the logits, by token id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub logit_bias: BTreeMap<String, f32>,
    /// Texts that end the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stops>,
    /// Whether to continue when the model ends the text.
    pub ignore_end: bool,
}

impl PartialEq for Stops {
    fn eq(&self, other: &Self) -> bool {
        self.texts() == other.texts()
    }
}

/// An event of a stream, as a client of server-sent events receives it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described: streams are written as text")]
pub struct StreamEvent {
    /// A chunk as JSON, an error as JSON, or `[DONE]` at the end.
    pub data: String,
}

/// A completion, or a chunk of one in a stream.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Completion {
    /// Id of the answer.
    pub id: String,
    /// `text_completion`.
    pub object: String,
    /// Seconds since 1970.
    pub created: u64,
    /// The model's name.
    pub model: String,
    /// The answers.
    pub choices: Vec<CompletionChoice>,
    /// Token counts; in a stream only if requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// An answer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CompletionChoice {
    /// Index of the answer.
    pub index: u32,
    /// Its text, without the prompt.
    pub text: String,
    /// Log probabilities, if requested.
    pub logprobs: Option<CompletionLogprobs>,
    /// `stop` or `length`; null in a chunk that is not the last.
    pub finish_reason: Option<String>,
    /// Reproducibility data, when the answer is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitstate: Option<Proof>,
}

/// Log probabilities; each list has one element per token.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct CompletionLogprobs {
    /// Text of each token; `bytes:\xNN` for part of a character.
    pub tokens: Vec<String>,
    /// Log probability of each token.
    pub token_logprobs: Vec<f32>,
    /// The most likely tokens with their log probabilities.
    pub top_logprobs: Vec<BTreeMap<String, f32>>,
    /// Offset of each token in the answer, in bytes.
    pub text_offset: Vec<u64>,
}

/// A chat completion.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Chat {
    /// Id of the answer.
    pub id: String,
    /// `chat.completion`.
    pub object: String,
    /// Seconds since 1970.
    pub created: u64,
    /// The model's name.
    pub model: String,
    /// The answers.
    pub choices: Vec<ChatChoice>,
    /// Token counts.
    pub usage: Usage,
}

/// An answer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ChatChoice {
    /// Index of the answer.
    pub index: u32,
    /// The message.
    pub message: Said,
    /// Log probabilities, if requested.
    pub logprobs: Option<ChatLogprobs>,
    /// `stop` or `length`.
    pub finish_reason: String,
    /// Reproducibility data.
    pub bitstate: Proof,
}

/// The message of the model.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Said {
    /// `assistant`.
    pub role: Role,
    /// Its text.
    pub content: String,
}

/// A chunk of a chat completion in a stream.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ChatChunk {
    /// Id of the answer.
    pub id: String,
    /// `chat.completion.chunk`.
    pub object: String,
    /// Seconds since 1970.
    pub created: u64,
    /// The model's name.
    pub model: String,
    /// The parts of the answers.
    pub choices: Vec<ChatPart>,
    /// Token counts, if requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// A part of an answer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ChatPart {
    /// Index of the answer.
    pub index: u32,
    /// What this chunk adds.
    pub delta: Delta,
    /// Log probabilities, if requested.
    pub logprobs: Option<ChatLogprobs>,
    /// `stop` or `length`; null in a chunk that is not the last.
    pub finish_reason: Option<String>,
    /// Reproducibility data, when the answer is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitstate: Option<Proof>,
}

/// What a chunk adds to a message.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Delta {
    /// Only in the first chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

/// Log probabilities of a chat completion.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct ChatLogprobs {
    /// One element per token.
    pub content: Vec<ChatLogprob>,
}

/// Log probability of a token.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ChatLogprob {
    /// Text of the token; `bytes:\xNN` for part of a character.
    pub token: String,
    /// Log probability.
    pub logprob: f32,
    /// Bytes of the token; null if not known.
    pub bytes: Option<Vec<u8>>,
    /// The most likely tokens at this position.
    pub top_logprobs: Vec<TopLogprob>,
}

/// Log probability of an alternative.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TopLogprob {
    /// Text of the token.
    pub token: String,
    /// Log probability.
    pub logprob: f32,
    /// Bytes of the token; null if not known.
    pub bytes: Option<Vec<u8>>,
}
