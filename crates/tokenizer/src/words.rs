//! Where a byte-level tokenizer divides a text: by the pattern of GPT-2, which its file names only as `use_regex`.
//!
//! ```text
//! 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//! ```

use crate::letters::{LETTERS, NUMBERS};

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
    match c {
        'a'..='z' | 'A'..='Z' => Class::Letter,
        '0'..='9' => Class::Number,
        _ if c.is_whitespace() => Class::Space,
        _ if c.is_ascii() => Class::Other,
        _ if is_in(LETTERS, c) => Class::Letter,
        _ if is_in(NUMBERS, c) => Class::Number,
        _ => Class::Other,
    }
}

/// Whether one of the ranges, which ascend, holds a character.
fn is_in(ranges: &[(u32, u32)], c: char) -> bool {
    let behind = ranges.partition_point(|&(first, _)| first <= u32::from(c));
    behind > 0 && u32::from(c) <= ranges[behind - 1].1
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
    use crate::letters::{LETTERS, NUMBERS};
    use unicode_general_category::{GeneralCategory as G, get_general_category};

    /// The tables are made of the crate that knows all categories, whose own table is ten times as large.
    #[test]
    fn the_tables_are_those_of_unicode() {
        let letters = [G::UppercaseLetter, G::LowercaseLetter, G::TitlecaseLetter, G::ModifierLetter, G::OtherLetter];
        let numbers = [G::DecimalNumber, G::LetterNumber, G::OtherNumber];
        for (table, categories) in [(LETTERS, &letters[..]), (NUMBERS, &numbers)] {
            let mut ranges: Vec<(u32, u32)> = Vec::new();
            let of_them = |c: &char| categories.contains(&get_general_category(*c));
            for c in ('\0'..=char::MAX).filter(of_them).map(u32::from) {
                match ranges.last_mut() {
                    Some((_, last)) if *last + 1 == c => *last = c,
                    _ => ranges.push((c, c)),
                }
            }
            let right: String = ranges.iter().map(|(first, last)| format!("({first:#x}, {last:#x}), ")).collect();
            assert!(table == ranges, "the table in letters.rs must be {right}");
        }
    }

    #[test]
    fn words_are_divided_as_the_pattern_says() {
        let words = |text| Words(text).collect::<Vec<_>>().join("|");
        assert_eq!(words("I'm  here, don't\n\nyou'LL 12ab ½ "), "I|'m| | here|,| don|'t|\n|\n|you|'|LL| 12|ab| ½| ");
        assert_eq!(words(""), "");
    }
}
