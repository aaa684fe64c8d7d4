//! Request bodies. A field that is not defined here is rejected by name.

use super::fields::{Message, Prompt, Stops, StreamOptions};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Defines a request with the fields that completions and chats have in common.
macro_rules! request {
    ($(#[$doc:meta])* $name:ident { $($own:tt)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($own)*
            /// Model name. Default: the model that is served.
            pub model: Option<String>,
            /// Maximum number of tokens in an answer. Default: 16 for a completion, 256 for a chat.
            #[schema(minimum = 1)]
            pub max_tokens: Option<u32>,
            /// Number of answers, with the seeds `seed`, `seed + 1` and so on. Default: 1.
            #[schema(minimum = 1)]
            pub n: Option<u32>,
            /// Whether to stream the answer as server-sent events.
            pub stream: Option<bool>,
            /// Options of a stream.
            pub stream_options: Option<StreamOptions>,
            /// Texts that end the answer; they are not part of it.
            pub stop: Option<Stops>,
            /// Seed of the sampler. Default: random, and reported in the recipe.
            pub seed: Option<u64>,
            /// Sampling temperature; 0 always chooses the most likely token. Default: the model's.
            #[schema(minimum = 0)]
            pub temperature: Option<f32>,
            /// Nucleus sampling: keep the most likely tokens up to this probability mass. Default: the model's.
            #[schema(exclusive_minimum = 0, maximum = 1)]
            pub top_p: Option<f32>,
            /// Keep this many of the most likely tokens; 0 keeps all. Default: the model's.
            pub top_k: Option<u32>,
            /// Drop tokens less likely than this fraction of the most likely one. Default: 0, none.
            #[schema(minimum = 0, maximum = 1)]
            pub min_p: Option<f32>,
            /// Locally typical sampling: keep this probability mass. Default: 1, all.
            #[schema(exclusive_minimum = 0, maximum = 1)]
            pub typical_p: Option<f32>,
            /// Penalty on tokens seen anywhere in the text; 1 disables it. Default: the model's.
            #[schema(minimum = 1)]
            pub penalty: Option<f32>,
            /// Penalty on tokens in the window; 1 disables it. Default: 1.
            #[schema(exclusive_minimum = 0)]
            pub repetition_penalty: Option<f32>,
            /// Subtracted once from the logit of a token in the window. Default: 0.
            pub presence_penalty: Option<f32>,
            /// Subtracted from the logit of a token for each occurrence in the window. Default: 0.
            pub frequency_penalty: Option<f32>,
            /// Size of the window in tokens. Default: 64.
            #[schema(maximum = 65536)]
            pub penalty_window: Option<u32>,
            /// Values added to the logits, by token id.
            pub logit_bias: Option<BTreeMap<String, f32>>,
            /// Whether to continue when the model ends the text. Default: false.
            pub ignore_end: Option<bool>,
        }

        impl $name {
            /// The common fields.
            pub(crate) fn shared(&self) -> Shared<'_> {
                Shared {
                    model: self.model.as_deref(),
                    max_tokens: self.max_tokens,
                    n: self.n,
                    stream: self.stream,
                    stream_options: self.stream_options.as_ref(),
                    stop: self.stop.as_ref(),
                    seed: self.seed,
                    temperature: self.temperature,
                    top_p: self.top_p,
                    top_k: self.top_k,
                    min_p: self.min_p,
                    typical_p: self.typical_p,
                    penalty: self.penalty,
                    repetition_penalty: self.repetition_penalty,
                    presence_penalty: self.presence_penalty,
                    frequency_penalty: self.frequency_penalty,
                    penalty_window: self.penalty_window,
                    logit_bias: self.logit_bias.as_ref(),
                    ignore_end: self.ignore_end,
                }
            }
        }
    };
}

/// The fields that completions and chats have in common.
pub(crate) struct Shared<'r> {
    pub model: Option<&'r str>,
    pub max_tokens: Option<u32>,
    pub n: Option<u32>,
    pub stream: Option<bool>,
    pub stream_options: Option<&'r StreamOptions>,
    pub stop: Option<&'r Stops>,
    pub seed: Option<u64>,
    pub temperature: Option<f32>,
    pub top_p: Option<f32>,
    pub top_k: Option<u32>,
    pub min_p: Option<f32>,
    pub typical_p: Option<f32>,
    pub penalty: Option<f32>,
    pub repetition_penalty: Option<f32>,
    pub presence_penalty: Option<f32>,
    pub frequency_penalty: Option<f32>,
    pub penalty_window: Option<u32>,
    pub logit_bias: Option<&'r BTreeMap<String, f32>>,
    pub ignore_end: Option<bool>,
}

request! {
    /// A completion request.
    CompletionRequest {
        /// The text to continue, or its token ids.
        pub prompt: Prompt,
        /// Return log probabilities, and this many of the most likely tokens at each position.
        pub logprobs: Option<u32>,
    }
}

request! {
    /// A chat request. The models have no roles: the contents of the messages, joined by newlines, are the text to continue.
    ChatRequest {
        /// The messages, at least one.
        #[schema(min_items = 1)]
        pub messages: Vec<Message>,
        /// Whether to return log probabilities.
        pub logprobs: Option<bool>,
        /// Number of most likely tokens to return at each position; requires `logprobs`.
        pub top_logprobs: Option<u32>,
        /// Newer name of `max_tokens`; give one of them.
        #[schema(minimum = 1)]
        pub max_completion_tokens: Option<u32>,
    }
}
