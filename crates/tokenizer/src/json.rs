//! The tokenizer of a `tokenizer.json`, read by the `tokenizers` library, with corrections where needed.

use crate::TokenizeError;
use crate::decode::Steps;
use crate::hostile::{check_character_maps, guarded};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use tokenizers::Tokenizer;

/// A tokenizer of the library, with cached properties.
#[derive(Debug, Clone)]
pub(crate) struct Json {
    tokenizer: Tokenizer,
    steps: Steps,
    largest: (String, u32),
    special: HashSet<u32>,
    ignored: Vec<&'static str>,
}

impl Json {
    pub(crate) fn new(bytes: &[u8]) -> Result<Self, TokenizeError> {
        let mut file = File::parse(bytes)?;
        let (added, ignored) = (file.added(), file.switch_off());
        let mut tokenizer = file.read()?;
        let moved = |tokenizer: &Tokenizer| {
            let id = |token: &str| tokenizer.token_to_id(token);
            added.iter().find(|(token, wanted)| id(token).is_some_and(|found| found != *wanted)).cloned()
        };
        // The library renumbers added tokens without gaps, unless the model knows them.
        if moved(&tokenizer).is_some() {
            let mut file = File::parse(bytes)?;
            file.switch_off();
            file.add_to_model(&added);
            tokenizer = file.read()?;
        }
        if let Some((token, wanted)) = moved(&tokenizer) {
            return Err(TokenizeError::Ids(format!(
                "the added token {token:?} has the id {wanted}, but another id in the rest of the file"
            )));
        }
        tokenizer.set_encode_special_tokens(true);
        let decoder = tokenizer.get_added_tokens_decoder();
        let special = decoder.iter().filter(|(_, token)| token.special).map(|(&id, _)| id).collect();
        let (largest, steps) = (largest(&tokenizer)?, Steps::new(tokenizer.get_decoder()));
        Ok(Json { tokenizer, steps, largest, special, ignored })
    }

    pub(crate) fn ignored(&self) -> &[&'static str] {
        &self.ignored
    }

    pub(crate) fn largest(&self) -> (&str, u32) {
        (&self.largest.0, self.largest.1)
    }

    pub(crate) fn steps(&self) -> &Steps {
        &self.steps
    }

    pub(crate) fn parse_special(&mut self, parse: bool) {
        self.tokenizer.set_encode_special_tokens(!parse);
    }

    pub(crate) fn id(&self, token: &str) -> Option<u32> {
        self.tokenizer.token_to_id(token)
    }

    /// The token with this id, unless it is a special one.
    pub(crate) fn ordinary(&self, id: u32) -> Option<String> {
        self.tokenizer.id_to_token(id).filter(|_| !self.special.contains(&id))
    }

    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizeError> {
        let encoding = guarded(|| self.tokenizer.encode_fast(text, false).map_err(TokenizeError::Fails))?;
        let ids = encoding.get_ids();
        if self.tokenizer.get_encode_special_tokens() {
            // Some models have special tokens in the vocabulary that ordinary text is encoded with.
            if let Some(&id) = ids.iter().find(|id| self.special.contains(id)) {
                return Err(TokenizeError::Special(self.tokenizer.id_to_token(id).unwrap_or_default()));
            }
        }
        Ok(ids.to_vec())
    }

    pub(crate) fn to_json(&self) -> Result<String, TokenizeError> {
        self.tokenizer.to_string(true).map_err(TokenizeError::Fails)
    }
}

/// The token with the largest id.
fn largest(tokenizer: &Tokenizer) -> Result<(String, u32), TokenizeError> {
    let mut names: HashMap<u32, String> = HashMap::new();
    for (token, id) in tokenizer.get_vocab(true) {
        if let Some(other) = names.insert(id, token.clone()) {
            // Which of them the id maps to would vary from run to run.
            return Err(TokenizeError::Ids(format!("the tokens {token:?} and {other:?} both have the id {id}")));
        }
    }
    let largest = names.into_iter().max_by_key(|(id, _)| *id);
    largest.map(|(id, token)| (token, id)).ok_or_else(|| TokenizeError::Ids("it has no tokens".into()))
}

/// The file before the library reads it.
struct File(Value);

impl File {
    fn parse(bytes: &[u8]) -> Result<Self, TokenizeError> {
        // Not with the library, which panics on some files that are not JSON.
        let value: Value = serde_json::from_slice(bytes).map_err(|error| TokenizeError::NotJson(error.into()))?;
        if !value.is_object() {
            return Err(TokenizeError::NotJson("it is not a JSON object".into()));
        }
        Ok(File(value))
    }

    fn read(self) -> Result<Tokenizer, TokenizeError> {
        check_character_maps(&self.0)?;
        guarded(|| serde_json::from_value(self.0).map_err(|error| TokenizeError::NotJson(error.into())))
    }

    /// Disables settings that would shorten, lengthen or vary the tokens of a text, and returns their names.
    fn switch_off(&mut self) -> Vec<&'static str> {
        let mut off = Vec::new();
        for (name, at) in [("truncation", "/truncation"), ("padding", "/padding"), ("dropout", "/model/dropout")] {
            if let Some(setting) = self.0.pointer_mut(at).filter(|setting| !setting.is_null()) {
                *setting = Value::Null;
                off.push(name);
            }
        }
        off
    }

    /// The added tokens and their ids.
    fn added(&self) -> Vec<(String, u32)> {
        let tokens = self.0["added_tokens"].as_array().map(Vec::as_slice).unwrap_or_default();
        let added = tokens.iter().filter_map(|token| {
            let id = u32::try_from(token["id"].as_u64()?).ok()?;
            Some((token["content"].as_str()?.to_string(), id))
        });
        added.collect()
    }

    /// Adds the added tokens with their ids to the model's vocabulary.
    fn add_to_model(&mut self, added: &[(String, u32)]) {
        let Some(vocab) = self.0.pointer_mut("/model/vocab").and_then(Value::as_object_mut) else { return };
        for (token, id) in added {
            vocab.entry(token.as_str()).or_insert_with(|| (*id).into());
        }
    }
}
