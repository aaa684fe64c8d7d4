//! Converts a request to a generation task: checks every value and fills in every default.

use super::answer::Recipe;
use super::fields::{Prompt, Stops};
use super::request::Shared;
use crate::app::{App, Task};
use crate::error::ApiError;
use axum::http::StatusCode;
use bitstate::{Sampling, SamplingError, Stop};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

/// Largest stop text in bytes: the text held back for it is compared after every token.
const LARGEST_STOP: usize = 256;

/// Up to this many bytes, text is tokenized inline; longer text on a blocking thread.
const SHORT: usize = 4096;

/// Most bytes of a token in a pending answer, and of an alternative to it, as text.
const TOKEN_BYTES: u64 = 192;
const ALTERNATIVE_BYTES: u64 = 96;

/// A valid request.
pub(crate) struct Asked {
    pub task: Task,
    /// Sampling of the first answer.
    pub recipe: Recipe,
    pub stream: bool,
    /// Whether a stream ends with the token counts.
    pub usage: bool,
}

/// Checks a request. `alternatives` is the field and the number of alternatives if log probabilities are requested.
pub(crate) async fn ask(
    app: &Arc<App>,
    prompt: Prompt,
    shared: Shared<'_>,
    default_tokens: u32,
    alternatives: Option<(&'static str, u32)>,
) -> Result<Asked, ApiError> {
    check_model(app, shared.model)?;
    let limits = &app.limits;
    let most = u32::try_from(limits.slots).unwrap_or(u32::MAX).min(limits.answers);
    let n = within("n", shared.n.unwrap_or(1), 1, most)?;
    let default_tokens = default_tokens.min(limits.max_tokens);
    let max_tokens = within("max_tokens", shared.max_tokens.unwrap_or(default_tokens), 1, limits.max_tokens)?;
    if let Some((field, n)) = alternatives {
        within(field, n, 0, limits.alternatives)?;
    }
    let stream = shared.stream.unwrap_or(false);
    if shared.stream_options.is_some() && !stream {
        return Err(ApiError::field("stream_options", "stream_options requires a stream: set stream to true"));
    }
    let sampling = sampling(app, &shared)?;
    let mut stop = Stop::new().max_tokens(max_tokens.into());
    for text in stops(&shared, limits.stops)? {
        stop = stop.text(text);
    }
    if shared.ignore_end == Some(true) {
        stop = stop.ignore_end();
    }
    if let Some((_, n)) = alternatives {
        stop = stop.alternatives(n as usize);
    }
    let recipe = recipe(app, &sampling, max_tokens, &shared);
    let prompt = tokens(app, prompt).await?;
    let memory = memory(app, n, max_tokens, alternatives.map_or(0, |(_, n)| n + 1))?;
    let usage = shared.stream_options.is_some_and(|options| options.include_usage == Some(true));
    Ok(Asked { task: Task { prompt, sampling, stop, n, memory }, recipe, stream, usage })
}

/// Checks that the model is the one that is served.
pub(crate) fn check_model(app: &App, model: Option<&str>) -> Result<(), ApiError> {
    match model {
        Some(model) if model != app.name => {
            let message = format!("unknown model {model:?}; this server has {:?}", app.name);
            let error = ApiError::new(StatusCode::NOT_FOUND, "model_not_found", message);
            Err(ApiError { param: Some("model".into()), ..error })
        }
        _ => Ok(()),
    }
}

fn within(field: &str, value: u32, least: u32, most: u32) -> Result<u32, ApiError> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(ApiError::field(field, format!("{field} is {value}: this server accepts {least} to {most}")))
}

/// Largest size of the answers in KiB.
fn memory(app: &App, n: u32, max_tokens: u32, alternatives: u32) -> Result<u32, ApiError> {
    let token = TOKEN_BYTES + ALTERNATIVE_BYTES * u64::from(alternatives);
    let needed = (u64::from(n) * u64::from(max_tokens)).saturating_mul(token);
    let all = app.limits.memory as u64;
    match u32::try_from(needed.div_ceil(1024)) {
        Ok(memory) if needed <= all => Ok(memory),
        _ => {
            let message = format!(
                "max_tokens {max_tokens} for {n} answers with {alternatives} probabilities per token may take {needed} \
                 bytes: this server holds {all}; request less"
            );
            Err(ApiError::field("max_tokens", message))
        }
    }
}

fn stops<'r>(shared: &Shared<'r>, most: usize) -> Result<&'r [String], ApiError> {
    let texts = shared.stop.map(Stops::texts).unwrap_or_default();
    if texts.len() > most {
        return Err(ApiError::field("stop", format!("stop has {} texts: this server accepts {most}", texts.len())));
    }
    for (i, text) in texts.iter().enumerate() {
        let field = if matches!(shared.stop, Some(Stops::One(_))) { "stop".into() } else { format!("stop[{i}]") };
        if text.is_empty() {
            return Err(ApiError::field(&field, format!("{field} is empty: omit it")));
        }
        if text.len() > LARGEST_STOP {
            let message = format!("{field} has {} bytes: this server accepts {LARGEST_STOP}", text.len());
            return Err(ApiError::field(field, message));
        }
    }
    Ok(texts)
}

/// The sampling parameters: from the request, else from the model's description.
fn sampling(app: &App, shared: &Shared<'_>) -> Result<Sampling, ApiError> {
    // 53 bits, which every JSON parser keeps.
    let seed = shared.seed.unwrap_or_else(|| RandomState::new().build_hasher().finish() >> 11);
    let defaults = app.engine.model.sampling(seed);
    let temperature = shared.temperature.unwrap_or(defaults.temperature);
    let mut penalty = shared.penalty.unwrap_or(defaults.penalty);
    if temperature == 0.0 {
        if shared.penalty.is_some_and(|penalty| penalty != 1.0) {
            let message = "penalty is not supported at temperature 0: omit it, or use repetition_penalty";
            return Err(ApiError::field("penalty", message));
        }
        penalty = 1.0;
    }
    let mut sampling = Sampling {
        temperature,
        penalty,
        top_p: shared.top_p.unwrap_or(defaults.top_p),
        top_k: shared.top_k.unwrap_or(defaults.top_k),
        min_p: shared.min_p.unwrap_or(defaults.min_p),
        typical_p: shared.typical_p.unwrap_or(defaults.typical_p),
        repetition: shared.repetition_penalty.unwrap_or(defaults.repetition),
        presence: shared.presence_penalty.unwrap_or(defaults.presence),
        frequency: shared.frequency_penalty.unwrap_or(defaults.frequency),
        window: shared.penalty_window.unwrap_or(defaults.window),
        ..defaults
    };
    for (token, &bias) in shared.logit_bias.into_iter().flatten() {
        let field = format!("logit_bias.{token}");
        // Only the canonical form of a number, so that no token occurs twice.
        let id = token.parse::<u32>().ok().filter(|id| id.to_string() == *token);
        let id = id.ok_or_else(|| ApiError::field(&field, format!("{field}: {token:?} is not the id of a token")))?;
        sampling = sampling.bias(id, bias);
    }
    let checked = sampling.check_for(app.engine.model.config().vocab_size);
    checked.map_err(|error| ApiError::field(field_of(&error), error.to_string()))?;
    Ok(sampling)
}

/// The request field of a sampling parameter.
fn field_of(error: &SamplingError) -> String {
    match error {
        SamplingError::Temperature(_) => "temperature".into(),
        SamplingError::TopP(_) => "top_p".into(),
        SamplingError::Penalty(_) => "penalty".into(),
        SamplingError::TypicalP(_) => "typical_p".into(),
        SamplingError::MinP(_) => "min_p".into(),
        SamplingError::Repetition(_) => "repetition_penalty".into(),
        SamplingError::Presence(_) => "presence_penalty".into(),
        SamplingError::Frequency(_) => "frequency_penalty".into(),
        SamplingError::Window(_) => "penalty_window".into(),
        SamplingError::Bias { token, .. } | SamplingError::BiasToken { token, .. } => format!("logit_bias.{token}"),
    }
}

fn recipe(app: &App, sampling: &Sampling, max_tokens: u32, shared: &Shared<'_>) -> Recipe {
    Recipe {
        model: app.name.clone(),
        max_tokens,
        seed: sampling.seed,
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k,
        min_p: sampling.min_p,
        typical_p: sampling.typical_p,
        penalty: sampling.penalty,
        repetition_penalty: sampling.repetition,
        presence_penalty: sampling.presence,
        frequency_penalty: sampling.frequency,
        penalty_window: sampling.window,
        logit_bias: sampling.bias.iter().map(|(token, bias)| (token.to_string(), *bias)).collect::<BTreeMap<_, _>>(),
        stop: shared.stop.cloned(),
        ignore_end: shared.ignore_end.unwrap_or(false),
    }
}

/// The tokens of a prompt, up to the limit.
async fn tokens(app: &Arc<App>, prompt: Prompt) -> Result<Vec<u32>, ApiError> {
    let tokens = match prompt {
        Prompt::Text(text) if text.len() > SHORT => {
            let app = Arc::clone(app);
            let encoded = tokio::task::spawn_blocking(move || encode(&app, &text)).await;
            encoded.map_err(|_| ApiError::field("prompt", "the tokenizer cannot encode this text"))??
        }
        Prompt::Text(text) => encode(app, &text)?,
        Prompt::Tokens(tokens) => {
            let vocab_size = app.engine.model.config().vocab_size;
            if let Some(at) = tokens.iter().position(|token| *token as usize >= vocab_size) {
                let (token, last) = (tokens[at], vocab_size - 1);
                let message = format!("prompt[{at}] is token {token}: the model has tokens 0 to {last}");
                return Err(ApiError::field(format!("prompt[{at}]"), message));
            }
            if tokens.is_empty() {
                return Err(ApiError::field(
                    "prompt",
                    "the prompt is empty: give at least one token, or an empty text",
                ));
            }
            tokens
        }
    };
    let (found, most) = (tokens.len(), app.limits.prompt_tokens);
    if found > most {
        let message =
            format!("the prompt has {found} tokens: this server accepts {most}, and never truncates silently");
        let error = ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "prompt_too_long", message);
        return Err(ApiError { param: Some("prompt".into()), ..error });
    }
    Ok(tokens)
}

fn encode(app: &App, text: &str) -> Result<Vec<u32>, ApiError> {
    // A server without a tokenizer does not start, so there is one.
    let Some(tokenizer) = app.engine.model.tokenizer() else { return Ok(Vec::new()) };
    let encoded = if text.is_empty() { tokenizer.end().map(|end| vec![end]) } else { tokenizer.encode(text) };
    encoded.map_err(|error| ApiError::field("prompt", format!("prompt: {error}")))
}
