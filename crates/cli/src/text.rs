//! The tokenizer of a model, the tokens that end a text, and whether they belong to the model.

use crate::output;
use crate::recipe::TextRecipe;
use anyhow::{Context, Result, anyhow};
use bitstate::text::{Fix, Found, Need, Subject, TextError, TextOptions};
use bitstate::tokenizer::Tokenizer;
use bitstate::{EngineError, Error};

/// Flags for the tokenizer and the tokens that end a text.
#[derive(clap::Args)]
pub struct TextFlags {
    /// `byte`, or the tokenizer.json that the model was trained with. Default: the one in the model's description (FILE.json
    /// next to FILE); without a description, bytes if the model has 256 tokens, else the tokenizer.json next to it.
    #[arg(long, value_name = "KIND")]
    tokenizer: Option<String>,
    /// A token that ends a text, by its name or id; may be repeated. Default: those in the model's description; without a
    /// description, those in tokenizer_config.json, special_tokens_map.json and generation_config.json next to the
    /// tokenizer, else tokens with a usual name, such as `<|endoftext|>` or `</s>`.
    #[arg(long, value_name = "TOKEN")]
    end: Vec<String>,
}

impl TextFlags {
    /// The flags for a recipe.
    pub fn recipe(&self) -> TextRecipe {
        TextRecipe { tokenizer: self.tokenizer.clone(), end: self.end.clone() }
    }

    /// The flags in a recipe.
    pub fn of(recipe: &TextRecipe) -> Self {
        TextFlags { tokenizer: recipe.tokenizer.clone(), end: recipe.end.clone() }
    }

    /// The options for the library.
    pub fn options(&self, need: Need) -> TextOptions {
        let options = TextOptions::new().need(need);
        let options = self.tokenizer.iter().fold(options, |options, kind| options.tokenizer(kind));
        self.end.iter().fold(options, |options, end| options.end(end))
    }

    /// The tokenizer of a model and its end tokens, for text input.
    pub fn for_text(&self, model: Subject<'_>) -> Result<Tokenizer> {
        tokenizer(self.options(Need::Text), model)
    }

    /// The tokenizer of the run at `position`, whose checkpoint is the model.
    #[cfg(feature = "train")]
    pub fn for_checkpoint(
        &self,
        model: Subject<'_>,
        position: &bitstate_train::checkpoint::Position,
    ) -> Result<Tokenizer> {
        let path = crate::training::tokenizer_of(model.path, position, self.tokenizer.as_deref())?;
        let kind = path.map_or_else(|| bitstate::tokenizer::BYTES.into(), |path| path.to_string_lossy().into_owned());
        let trained = position.end.filter(|_| self.end.is_empty()).map(|end| end.to_string());
        let options = TextOptions::new().need(Need::Text).tokenizer(kind);
        tokenizer(self.end.iter().chain(&trained).fold(options, |options, end| options.end(end)), model)
    }
}

fn tokenizer(options: TextOptions, model: Subject<'_>) -> Result<Tokenizer> {
    let Found { tokenizer, notes, .. } = options.find(model).map_err(with_fix)?;
    notes.iter().for_each(|text| note(text));
    tokenizer.context("text needs a tokenizer")
}

/// An error of the library, with the flag that fixes it.
pub fn explained(error: Error) -> anyhow::Error {
    match error {
        Error::Text(error) => with_fix(*error),
        Error::Engine { name, cause: cause @ EngineError::Unavailable(_) } => {
            anyhow!("cannot run {name}: {cause}; without --variant, the fastest that runs here is used")
        }
        error => error.into(),
    }
}

/// An error about text, with the flag that fixes it.
pub fn with_fix(error: TextError) -> anyhow::Error {
    let flag = match (&error, error.fix()) {
        (TextError::End { cause, .. }, _) => return anyhow!("--end: {cause}"),
        (TextError::EndId { .. }, _) => return anyhow!("--{error}"),
        (_, Some(Fix::Tokenizer)) => "--tokenizer",
        (_, Some(Fix::End)) => "--end",
        (_, None) => return error.into(),
    };
    anyhow!("{error} ({flag})")
}

/// Writes a note to standard error.
pub fn note(text: &str) {
    output::say(format_args!("note: {text}"));
}
