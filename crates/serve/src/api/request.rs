//! What may be asked. A field that is not here is refused by its name.

use super::fields::{Message, Prompt, Stops, StreamOptions};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A request with the fields that completions and chats have in common.
macro_rules! request {
    ($(#[$doc:meta])* $name:ident { $($own:tt)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($own)*
            /// The model's name; the one that is served if not given.
            pub model: Option<String>,
            /// Tokens of an answer at most: 16 for a completion and 256 for a chat if not given.
            #[schema(minimum = 1)]
            pub max_tokens: Option<u32>,
            /// Number of answers, each with a seed of its own: `seed`, the next one, and so on. 1 if not given.
            #[schema(minimum = 1)]
            pub n: Option<u32>,
            /// Whether the answer comes as it is made, as server-sent events.
            pub stream: Option<bool>,
            /// What comes with a stream.
            pub stream_options: Option<StreamOptions>,
            /// Texts before which an answer ends.
            pub stop: Option<Stops>,
            /// Seed of the sampler; drawn at random, and told in the recipe, if not given.
            pub seed: Option<u64>,
            /// Below 1 likely tokens gain, above 1 they lose; 0 always takes the likeliest. The model's default if not given.
            #[schema(minimum = 0)]
            pub temperature: Option<f32>,
            /// Keep this share of the probability. The model's default if not given.
            #[schema(exclusive_minimum = 0, maximum = 1)]
            pub top_p: Option<f32>,
            /// Keep so many of the likeliest; 0 keeps all. The model's default if not given.
            pub top_k: Option<u32>,
            /// Leave out what is less likely than this share of the likeliest; 0, none, if not given.
            #[schema(minimum = 0, maximum = 1)]
            pub min_p: Option<f32>,
            /// Keep this share of the probability of what is nearest to the mean surprise; 1, all, if not given.
            #[schema(exclusive_minimum = 0, maximum = 1)]
            pub typical_p: Option<f32>,
            /// Penalty on tokens of the whole text, 1 for none. The model's default if not given.
            #[schema(minimum = 1)]
            pub penalty: Option<f32>,
            /// Penalty on the last tokens, 1 for none; none if not given.
            #[schema(exclusive_minimum = 0)]
            pub repetition_penalty: Option<f32>,
            /// Taken from the logit of a token that is among the last ones; 0 if not given.
            pub presence_penalty: Option<f32>,
            /// Taken from the logit of a token as often as it is among the last ones; 0 if not given.
            pub frequency_penalty: Option<f32>,
            /// How many tokens the last ones are; 64 if not given.
            #[schema(maximum = 65536)]
            pub penalty_window: Option<u32>,
            /// What is added to the logits of tokens, by their ids.
            pub logit_bias: Option<BTreeMap<String, f32>>,
            /// Whether an answer goes on where the model ends the text.
            pub ignore_end: Option<bool>,
        }

        impl $name {
            /// What is common to both.
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

/// What completions and chats have in common.
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
    /// A text to continue.
    CompletionRequest {
        /// The text, or its tokens.
        pub prompt: Prompt,
        /// With the logarithm of each token's probability, and so many of the likeliest tokens in its place.
        pub logprobs: Option<u32>,
    }
}

request! {
    /// A talk to continue. The models know no roles: the contents, with a line break between two, are the text that is
    /// continued.
    ChatRequest {
        /// What was said, at least one message.
        #[schema(min_items = 1)]
        pub messages: Vec<Message>,
        /// Whether the logarithm of each token's probability comes with it.
        pub logprobs: Option<bool>,
        /// So many of the likeliest tokens in its place; needs `logprobs`.
        pub top_logprobs: Option<u32>,
        /// `max_tokens` by its newer name; not both.
        #[schema(minimum = 1)]
        pub max_completion_tokens: Option<u32>,
    }
}
