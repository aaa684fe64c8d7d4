//! What text is to a model: its tokenizer, what ends a text, and whether they belong together.

use crate::output;
use anyhow::{Context, Result, bail, ensure};
use bitstate_tokenizer::{BYTES, Description, Tokenizer};
use std::path::{Path, PathBuf};

/// Tokens of a model whose tokens are bytes.
const BYTE_TOKENS: usize = 256;

/// Where the tokenizer and the ends of a text come from.
#[derive(clap::Args)]
pub struct TextFlags {
    /// `byte`, or the tokenizer.json that the model was trained with. If not given: what the model's description says
    /// (FILE.json beside FILE); without one, bytes if the model has 256 tokens, else the tokenizer.json beside it.
    #[arg(long, value_name = "KIND")]
    tokenizer: Option<String>,
    /// A token that ends a text, by its name or id; give it again for several. If not given: what the model's
    /// description says; without one, what tokenizer_config.json, special_tokens_map.json and generation_config.json
    /// beside the tokenizer say, else tokens with a usual name, such as `<|endoftext|>` or `</s>`.
    #[arg(long, value_name = "TOKEN")]
    end: Vec<String>,
}

/// A model, as far as text is concerned.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Its file.
    pub path: &'a Path,
    pub vocab_size: usize,
    pub description: Option<&'a Description>,
}

/// What text is to a model.
pub struct Text {
    /// None if the model's tokens have no text.
    pub tokenizer: Option<Tokenizer>,
    /// The tokens that end a text; the first begins one.
    pub ends: Vec<u32>,
}

impl TextFlags {
    /// The tokenizer of a model that is given text, and its ends.
    pub fn for_text(&self, model: Subject<'_>) -> Result<Tokenizer> {
        let Text { tokenizer, .. } = open(model, self.source(model, true)?, &self.end)?;
        tokenizer.context("text needs a tokenizer")
    }

    /// What a model that is given token ids makes of them. Nothing follows from a tokenizer that merely lies beside it.
    pub fn for_ids(&self, model: Subject<'_>) -> Result<Text> {
        open(model, self.source(model, false)?, &self.end)
    }

    /// The tokenizer of the run at `position`, whose checkpoint is the model.
    #[cfg(feature = "train")]
    pub fn for_checkpoint(
        &self,
        model: Subject<'_>,
        position: &bitstate_train::checkpoint::Position,
    ) -> Result<Tokenizer> {
        let path = crate::training::tokenizer_of(model.path, position, self.tokenizer.as_deref())?;
        let end = match position.end {
            Some(end) if self.end.is_empty() => &[end.to_string()][..],
            _ => &self.end,
        };
        let Text { tokenizer, .. } = open(model, Some(path.map_or(Source::Byte, Source::Given)), end)?;
        tokenizer.context("text needs a tokenizer")
    }

    /// Where the tokenizer is; none if ids have no text.
    fn source(&self, model: Subject<'_>, text: bool) -> Result<Option<Source>> {
        let beside = model.path.with_file_name("tokenizer.json");
        let path = model.path.display();
        Ok(match (&self.tokenizer, model.description) {
            (Some(kind), _) if kind == BYTES => Some(Source::Byte),
            (Some(path), _) => Some(Source::Given(path.into())),
            (None, Some(description)) if description.tokenizer == BYTES => Some(Source::Byte),
            (None, Some(_)) if beside.exists() => Some(Source::Beside(beside)),
            (None, None) if model.vocab_size == BYTE_TOKENS => Some(Source::Byte),
            (None, _) if !text => None,
            (None, Some(description)) => bail!(
                "{} names a tokenizer.json with the SHA-256 {}, which is not beside {path}: give it as --tokenizer",
                Description::path(model.path).display(),
                description.tokenizer
            ),
            (None, None) if beside.exists() => Some(Source::Beside(beside)),
            (None, None) => return Err(not_bytes(model)),
        })
    }
}

/// The tokenizer at `source` and the ends of a text, which are `end` if they were given.
fn open(model: Subject<'_>, source: Option<Source>, end: &[String]) -> Result<Text> {
    let mut found = source.map(|source| source.open(model)).transpose()?;
    let ends = match (model.description, &mut found) {
        _ if !end.is_empty() => {
            let id = |end: &String| match &found {
                Some((tokenizer, _)) => tokenizer.id(end).context("--end"),
                None => {
                    end.parse().with_context(|| format!("--end {end}: without a tokenizer, give the id of a token"))
                }
            };
            end.iter().map(id).collect::<Result<_>>()?
        }
        (Some(description), _) => description.end.clone(),
        (None, Some((tokenizer, path))) => {
            if let Some(path) = path {
                tokenizer.find_ends(path)?;
            }
            tokenizer.ends().to_vec()
        }
        (None, None) => Vec::new(),
    };
    if let Some(end) = ends.iter().find(|&&end| end as usize >= model.vocab_size) {
        let (path, last) = (model.path.display(), model.vocab_size - 1);
        bail!("the end of a text is token {end}, and {path} has tokens 0 to {last}; name another with --end");
    }
    let tokenizer = found.map(|(mut tokenizer, _)| {
        tokenizer.set_ends(ends.clone());
        tokenizer
    });
    Ok(Text { tokenizer, ends })
}

enum Source {
    Byte,
    /// By the flag.
    Given(PathBuf),
    /// The tokenizer.json beside the model.
    Beside(PathBuf),
}

impl Source {
    /// The tokenizer, which must be the model's as far as that can be known.
    fn open(self, model: Subject<'_>) -> Result<(Tokenizer, Option<PathBuf>)> {
        let (tokenizer, path, beside) = match self {
            Source::Byte => (Tokenizer::byte(), None, false),
            Source::Given(path) => (Tokenizer::open(&path)?, Some(path), false),
            Source::Beside(path) => (Tokenizer::open(&path)?, Some(path), true),
        };
        let name = path.as_ref().map_or_else(|| "the tokenizer of bytes".into(), |path| path.display().to_string());
        if !tokenizer.ignored().is_empty() {
            note(&format!("{name} stores {}, which is not used", tokenizer.ignored().join(" and ")));
        }
        if let Some(description) = model.description {
            described(&tokenizer, &name, model.path, description)?;
        }
        // A description does not say that it is right: it can be changed by hand.
        fits(&tokenizer, &name, model, beside && model.description.is_none())?;
        Ok((tokenizer, path))
    }
}

/// That the tokenizer is the one that the model's description names.
fn described(tokenizer: &Tokenizer, name: &str, model: &Path, description: &Description) -> Result<()> {
    let (found, wanted) = (tokenizer.digest(), &description.tokenizer);
    let (file, model) = (Description::path(model), model.display());
    ensure!(
        found == wanted,
        "{name} is not the tokenizer that {} names for {model}: its SHA-256 is {found} and not {wanted}; give the right one \
         as --tokenizer, or, if the model was trained with this one, describe it anew with `bitstate describe --model \
         {model} --tokenizer KIND`",
        file.display()
    );
    Ok(())
}

/// That a model has a token for every id of the tokenizer, and, where the tokenizer merely lies beside it, no other.
pub fn fits(tokenizer: &Tokenizer, name: &str, model: Subject<'_>, exactly: bool) -> Result<()> {
    let (needed, has, path) = (tokenizer.vocab_size(), model.vocab_size, model.path.display());
    if tokenizer.is_byte() {
        return if has == needed { Ok(()) } else { Err(not_bytes(model)) };
    }
    let (token, id) = tokenizer.largest();
    ensure!(
        needed <= has,
        "{name} has the token {token:?} with the id {id}, and {path} has only {has} tokens, ids 0 to {}: the model was \
         not trained with this tokenizer",
        has - 1
    );
    ensure!(
        !exactly || needed == has,
        "{path} has {has} tokens and {name} beside it only {needed}: if the model was trained with it, give it as \
         --tokenizer"
    );
    if needed < has && model.description.is_none() {
        note(&format!("{path} has {has} tokens and {name} only {needed}"));
    }
    Ok(())
}

fn not_bytes(model: Subject<'_>) -> anyhow::Error {
    anyhow::anyhow!(
        "{} has {} tokens, which are not bytes ({BYTE_TOKENS} tokens): give the tokenizer.json that it was trained with \
         as --tokenizer",
        model.path.display(),
        model.vocab_size
    )
}

/// Says something beside the results.
pub fn note(text: &str) {
    output::say(format_args!("note: {text}"));
}
