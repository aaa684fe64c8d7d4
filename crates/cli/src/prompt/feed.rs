//! Feeds a text to a session in pieces, with the same tokens as if fed at once.

use anyhow::{Context, Result, bail};
use bitstate::tokenizer::{TokenizeError, Tokenizer};
use bitstate::{Digest, Digester, Session};

/// Bytes to split off at a time.
const PIECE: usize = 256 << 10;
/// Largest text to hold in search of a place to split it, in bytes.
const MOST: usize = 64 << 20;
/// Bytes on both sides of a place that are tokenized to see whether a token crosses it.
const WINDOW: usize = 256;
/// Number of places to try.
const PLACES: usize = 64;
/// Largest text to keep as it is, in bytes.
const KEPT: usize = 64 << 10;

/// The text that was fed.
pub struct Fed {
    pub bytes: u64,
    pub digest: Digest,
    /// The text itself, if it is short.
    pub text: Option<String>,
}

/// Feeds a session.
pub struct Feeder<'s> {
    session: &'s mut Session,
    tokenizer: Tokenizer,
    /// Whether it can be split anywhere.
    anywhere: bool,
    piece: usize,
    held: String,
    /// Number of bytes before those held.
    offset: u64,
    digester: Digester,
    text: Option<String>,
}

impl<'s> Feeder<'s> {
    pub fn new(session: &'s mut Session, parse_special: bool) -> Result<Self> {
        let mut tokenizer = session.model().tokenizer().context("text needs a tokenizer")?.clone();
        tokenizer.parse_special(parse_special);
        let anywhere = tokenizer.is_byte() && !parse_special;
        let (held, text) = (String::new(), Some(String::new()));
        Ok(Feeder { session, tokenizer, anywhere, piece: PIECE, held, offset: 0, digester: Digester::default(), text })
    }

    pub fn push(&mut self, text: &str) -> Result<()> {
        self.digester.push(text.as_bytes());
        self.text = self.text.take().filter(|kept| kept.len() + text.len() <= KEPT).map(|kept| kept + text);
        self.held.push_str(text);
        if self.held.len() < self.piece {
            return Ok(());
        }
        let at = if self.anywhere { Some(self.held.len()) } else { place(&self.tokenizer, &self.held)? };
        match at {
            Some(at) => {
                let rest = self.held.split_off(at);
                let piece = std::mem::replace(&mut self.held, rest);
                self.feed(&piece)?;
                self.piece = PIECE;
            }
            None if self.held.len() > MOST => {
                bail!(
                    "cannot split the text: no token boundary found from byte {} on within {} MiB",
                    self.offset,
                    MOST >> 20
                )
            }
            None => self.piece *= 2,
        }
        Ok(())
    }

    pub fn finish(mut self) -> Result<Fed> {
        let rest = std::mem::take(&mut self.held);
        if !rest.is_empty() {
            self.feed(&rest)?;
        } else if self.offset == 0 {
            let begin = self.tokenizer.end().context("an empty prompt needs an end-of-text token")?;
            self.session.feed(&[begin])?;
        }
        Ok(Fed { bytes: self.offset, digest: self.digester.finish(), text: self.text })
    }

    fn feed(&mut self, piece: &str) -> Result<()> {
        let tokens = self.tokenizer.encode(piece).map_err(|error| match error {
            TokenizeError::Zero(at) => TokenizeError::Zero(at + self.offset as usize),
            error => error,
        });
        self.session.feed(&tokens.context("the prompt")?)?;
        self.offset += piece.len() as u64;
        Ok(())
    }
}

/// The last place in `text` that no token crosses: before a white space after a word, where both sides have the same tokens
/// together as alone. `None` if none was found.
fn place(tokenizer: &Tokenizer, text: &str) -> Result<Option<usize>> {
    let mut next = 'a';
    let mut tried = 0;
    for (at, char) in text.char_indices().rev().skip(WINDOW) {
        let end = at + char.len_utf8();
        let is_place = next.is_whitespace() && !char.is_whitespace();
        next = char;
        if !is_place {
            continue;
        }
        let (left, right) =
            (text.floor_char_boundary(end.saturating_sub(WINDOW)), text.floor_char_boundary(end + WINDOW));
        let mut apart = tokenizer.encode(&text[left..end])?;
        apart.extend(tokenizer.encode(&text[end..right])?);
        if tokenizer.encode(&text[left..right])? == apart {
            return Ok(Some(end));
        }
        tried += 1;
        if tried == PLACES {
            break;
        }
    }
    Ok(None)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use std::path::Path;

    fn story(bytes: usize) -> String {
        let words = [
            "Once",
            " upon",
            "a",
            " the",
            "time\n\n",
            " 12",
            "345",
            "'s",
            " don't",
            "  ",
            "\tü",
            "ß",
            ".\n",
            " 😀",
            "<|endoftext|>",
        ];
        let mut state = 7_u64;
        let mut text = String::new();
        while text.len() < bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            text.push_str(words[(state >> 33) as usize % words.len()]);
        }
        text
    }

    #[test]
    fn tokens_of_the_pieces_are_those_of_the_whole() {
        let bpe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/models/stories-bpe4k/tokenizer.json");
        for (tokenizer, special) in [(Tokenizer::byte(), false), (Tokenizer::byte(), true)]
            .into_iter()
            .chain([false, true].map(|special| (Tokenizer::open(&bpe).unwrap(), special)))
        {
            let mut tokenizer = tokenizer;
            tokenizer.parse_special(special);
            let text = story(60_000);
            let whole = tokenizer.encode(&text).unwrap();
            for piece in [2_000, 4_999, 20_000] {
                let (mut tokens, mut rest, mut divided) = (Vec::new(), &text[..], 0);
                while rest.len() > piece {
                    let at = place(&tokenizer, &rest[..rest.floor_char_boundary(piece)]).unwrap().unwrap();
                    tokens.extend(tokenizer.encode(&rest[..at]).unwrap());
                    (rest, divided) = (&rest[at..], divided + 1);
                }
                tokens.extend(tokenizer.encode(rest).unwrap());
                assert!(divided > 2 && tokens == whole, "{piece} {special}");
            }
        }
    }

    #[test]
    fn a_text_without_a_place_has_none() {
        assert_eq!(place(&Tokenizer::byte(), &"a".repeat(5_000)).unwrap(), None);
    }
}
