//! Where a byte-level tokenizer divides a text: by the pattern of GPT-2, which its file names only as `use_regex`.
//!
//! ```text
//! 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//! ```

use unicode_general_category::{GeneralCategory, get_general_category};

const CONTRACTIONS: [&str; 7] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];

/// What the pattern tells apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Number,
    Space,
    Other,
}

fn class(c: char) -> Class {
    use GeneralCategory as G;
    match c {
        'a'..='z' | 'A'..='Z' => return Class::Letter,
        '0'..='9' => return Class::Number,
        _ if c.is_whitespace() => return Class::Space,
        _ if c.is_ascii() => return Class::Other,
        _ => {}
    }
    match get_general_category(c) {
        G::UppercaseLetter | G::LowercaseLetter | G::TitlecaseLetter | G::ModifierLetter | G::OtherLetter => {
            Class::Letter
        }
        G::DecimalNumber | G::LetterNumber | G::OtherNumber => Class::Number,
        _ => Class::Other,
    }
}

/// The words of a text, which together are all of it.
pub(crate) struct Words<'t>(pub &'t str);

impl<'t> Iterator for Words<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        let (word, rest) = self.0.split_at(length(self.0)?);
        self.0 = rest;
        Some(word)
    }
}

/// Bytes of the first word; `None` of an empty text.
fn length(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    if let Some(contraction) = CONTRACTIONS.iter().find(|contraction| text.starts_with(**contraction)) {
        return Some(contraction.len());
    }
    // A space belongs to the word behind it.
    let space = usize::from(first == ' ');
    let behind = &text[space..];
    if let Some(kind) = behind.chars().next().map(class).filter(|kind| *kind != Class::Space) {
        return Some(space + run(behind, kind));
    }
    // Of several spaces the last is left to the word that follows.
    let spaces = run(text, Class::Space);
    let last = text[..spaces].chars().next_back().map_or(0, char::len_utf8);
    Some(if spaces == text.len() || spaces == last { spaces } else { spaces - last })
}

/// Bytes of the characters of one kind that a text begins with.
fn run(text: &str, kind: Class) -> usize {
    text.find(|c| class(c) != kind).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::Words;

    #[test]
    fn words_are_divided_as_the_pattern_says() {
        let words = |text| Words(text).collect::<Vec<_>>().join("|");
        assert_eq!(words("I'm  here, don't\n\nyou'LL 12ab ½ "), "I|'m| | here|,| don|'t|\n|\n|you|'|LL| 12|ab| ½| ");
        assert_eq!(words(""), "");
    }
}
