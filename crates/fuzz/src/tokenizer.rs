//! A `tokenizer.json` and a text for it: rejected, or the text is encoded and the tokens decoded.
//!
//! An input is the file, a NUL byte, and the text.

use bitstate_tokenizer::{ByteTokenizer, Tokenizer};

/// Longest text, in bytes. A normalizer may lengthen it.
const LONGEST_TEXT: usize = 1024;
/// Most tokens to decode.
const MOST_TOKENS: usize = 4096;

/// Reads one input.
///
/// # Panics
/// If two results differ.
pub fn run(data: &[u8]) {
    let end = data.iter().rposition(|&byte| byte == 0).unwrap_or(data.len());
    let text = String::from_utf8_lossy(data.get(end + 1..).unwrap_or_default());
    let text: String = text.chars().take(LONGEST_TEXT / 4).collect();
    assert_eq!(ByteTokenizer.decode(&ByteTokenizer.encode(&text)), text, "byte tokens decode to the same text");
    check(Tokenizer::byte(), &text);
    if let Ok(tokenizer) = Tokenizer::from_json(&data[..end]) {
        check(tokenizer, &text);
    }
}

fn check(mut tokenizer: Tokenizer, text: &str) {
    for parse_special in [false, true] {
        tokenizer.parse_special(parse_special);
        let Ok(mut tokens) = tokenizer.encode(text) else { continue };
        assert_eq!(tokenizer.encode(text).ok().as_ref(), Some(&tokens), "encoding is deterministic");
        let vocab_size = tokenizer.vocab_size() as u32;
        assert!(tokens.iter().all(|&token| token < vocab_size), "every token is below {vocab_size}");
        tokens.truncate(MOST_TOKENS);
        decode(&tokenizer, &tokens);
        // Other tokens that a model may generate: the first and the last one, ends, and invalid ids.
        tokens.extend([0, vocab_size - 1, vocab_size, u32::MAX].iter().chain(tokenizer.ends()));
        decode(&tokenizer, &tokens);
    }
}

fn decode(tokenizer: &Tokenizer, tokens: &[u32]) {
    let mut decoder = tokenizer.decoder();
    let mut text: String = tokens.iter().map(|&token| decoder.push(token)).collect();
    text.push_str(&decoder.finish());
    assert_eq!(text, tokenizer.decode(tokens), "the pieces of a stream concatenate to the text");
}
