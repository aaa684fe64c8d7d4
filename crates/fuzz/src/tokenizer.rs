//! A `tokenizer.json` and a text for it: refused, or the text becomes tokens and the tokens text.
//!
//! An input is the file, U+0000, and the text.

use bitstate_tokenizer::{ByteTokenizer, Tokenizer};

/// Longest text, in bytes. A normalizer may make it longer.
const LONGEST_TEXT: usize = 1024;
/// Most tokens that are decoded.
const MOST_TOKENS: usize = 4096;

/// Reads one input.
///
/// # Panics
/// Where two answers differ.
pub fn run(data: &[u8]) {
    let end = data.iter().rposition(|&byte| byte == 0).unwrap_or(data.len());
    let text = String::from_utf8_lossy(data.get(end + 1..).unwrap_or_default());
    let text: String = text.chars().take(LONGEST_TEXT / 4).collect();
    assert_eq!(ByteTokenizer.decode(&ByteTokenizer.encode(&text)), text, "bytes are their own tokens");
    check(&Tokenizer::Byte, &text);
    if let Ok(tokenizer) = Tokenizer::from_json(&data[..end]) {
        check(&tokenizer, &text);
    }
}

fn check(tokenizer: &Tokenizer, text: &str) {
    let Ok(mut tokens) = tokenizer.encode(text) else { return };
    assert_eq!(tokenizer.encode(text).ok().as_ref(), Some(&tokens), "a text has one encoding");
    tokens.truncate(MOST_TOKENS);
    // What a model may come up with beside: its first and last token, and what it does not have.
    tokens.extend([0, tokenizer.vocab_size() as u32, u32::MAX, tokenizer.end()]);
    let mut decoder = tokenizer.decoder();
    for &token in &tokens {
        if decoder.push(token).is_err() {
            break;
        }
    }
    decoder.finish();
    let _ = tokenizer.decode(&tokens);
}
