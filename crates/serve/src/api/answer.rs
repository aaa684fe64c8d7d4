//! What comes back.

use super::fields::{Role, Stops};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Numbers of tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    /// Of the prompt.
    pub prompt_tokens: u64,
    /// Of all answers.
    pub completion_tokens: u64,
    /// Of both.
    pub total_tokens: u64,
}

impl Usage {
    pub(crate) fn new(prompt_tokens: u64, completion_tokens: u64) -> Self {
        Usage { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens }
    }
}

/// How an answer came about, and what shows that another came about alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Proof {
    /// XXH64 of, for every token chosen, what it was chosen from and its id: 16 hexadecimal digits, the same for the same
    /// recipe and prompt on every machine, alone or among other requests. A checksum, no defence against a forger.
    pub digest: String,
    /// SHA-256 of the model file.
    pub model_sha256: String,
    /// Tokens of the answer.
    pub tokens: u64,
    /// Every setting: with the prompt, a request that gives the same answer.
    pub recipe: Recipe,
}

/// Every setting that an answer depends on, beside the prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Recipe {
    /// The model's name.
    pub model: String,
    /// Tokens of the answer at most.
    pub max_tokens: u32,
    /// Seed of this answer.
    pub seed: u64,
    /// 0 always takes the likeliest.
    pub temperature: f32,
    /// 1 keeps all.
    pub top_p: f32,
    /// 0 keeps all.
    pub top_k: u32,
    /// 0 leaves out none.
    pub min_p: f32,
    /// 1 keeps all.
    pub typical_p: f32,
    /// 1 is none.
    pub penalty: f32,
    /// 1 is none.
    pub repetition_penalty: f32,
    /// 0 is none.
    pub presence_penalty: f32,
    /// 0 is none.
    pub frequency_penalty: f32,
    /// How many tokens the last ones are.
    pub penalty_window: u32,
    /// What is added to logits, by token.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub logit_bias: BTreeMap<String, f32>,
    /// Texts before which it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stops>,
    /// Whether it goes on where the model ends the text.
    pub ignore_end: bool,
}

impl PartialEq for Stops {
    fn eq(&self, other: &Self) -> bool {
        self.texts() == other.texts()
    }
}

/// An answer to a completion, or a part of it in a stream.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Completion {
    /// Of the answer.
    pub id: String,
    /// `text_completion`.
    pub object: String,
    /// Seconds since 1970.
    pub created: u64,
    /// The model's name.
    pub model: String,
    /// The answers.
    pub choices: Vec<CompletionChoice>,
    /// Numbers of tokens; in a stream only where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// An answer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CompletionChoice {
    /// Which of several.
    pub index: u32,
    /// Its text, without the prompt.
    pub text: String,
    /// Probabilities, where they were asked for.
    pub logprobs: Option<CompletionLogprobs>,
    /// `stop` or `length`; none where it goes on.
    pub finish_reason: Option<String>,
    /// Where the answer is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitstate: Option<Proof>,
}

/// Probabilities of tokens, each list with an element a token.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct CompletionLogprobs {
    /// The tokens: their text, `bytes:\xNN` for one that is a part of a character.
    pub tokens: Vec<String>,
    /// Natural logarithms of their probabilities.
    pub token_logprobs: Vec<f32>,
    /// The same of the likeliest tokens.
    pub top_logprobs: Vec<BTreeMap<String, f32>>,
    /// Bytes of the answer's text before each.
    pub text_offset: Vec<u64>,
}

/// An answer to a chat.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Chat {
    /// Of the answer.
    pub id: String,
    /// `chat.completion`.
    pub object: String,
    /// Seconds since 1970.
    pub created: u64,
    /// The model's name.
    pub model: String,
    /// The answers.
    pub choices: Vec<ChatChoice>,
    /// Numbers of tokens.
    pub usage: Usage,
}

/// An answer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ChatChoice {
    /// Which of several.
    pub index: u32,
    /// What is said.
    pub message: Said,
    /// Probabilities, where they were asked for.
    pub logprobs: Option<ChatLogprobs>,
    /// `stop` or `length`.
    pub finish_reason: String,
    /// How it came about.
    pub bitstate: Proof,
}

/// What the model says.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Said {
    /// `assistant`.
    pub role: Role,
    /// Its text.
    pub content: String,
}

/// A part of an answer to a chat.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ChatChunk {
    /// Of the answer.
    pub id: String,
    /// `chat.completion.chunk`.
    pub object: String,
    /// Seconds since 1970.
    pub created: u64,
    /// The model's name.
    pub model: String,
    /// The parts.
    pub choices: Vec<ChatPart>,
    /// Numbers of tokens, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// A part of an answer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ChatPart {
    /// Which of several.
    pub index: u32,
    /// What is added.
    pub delta: Delta,
    /// Probabilities, where they were asked for.
    pub logprobs: Option<ChatLogprobs>,
    /// `stop` or `length`; none where it goes on.
    pub finish_reason: Option<String>,
    /// Where the answer is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitstate: Option<Proof>,
}

/// What is added.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Delta {
    /// In the first part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

/// Probabilities of tokens.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct ChatLogprobs {
    /// A token each.
    pub content: Vec<ChatLogprob>,
}

/// The probability of a token.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ChatLogprob {
    /// Its text, `bytes:\xNN` for one that is a part of a character.
    pub token: String,
    /// Natural logarithm of its probability.
    pub logprob: f32,
    /// Its bytes; none where they are not known.
    pub bytes: Option<Vec<u8>>,
    /// The likeliest tokens in its place.
    pub top_logprobs: Vec<TopLogprob>,
}

/// The probability of a token that could have been chosen.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TopLogprob {
    /// Its text.
    pub token: String,
    /// Natural logarithm of its probability.
    pub logprob: f32,
    /// Its bytes; none where they are not known.
    pub bytes: Option<Vec<u8>>,
}
