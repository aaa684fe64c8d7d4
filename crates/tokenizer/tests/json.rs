//! A `tokenizer.json` of a handful of tokens, made by hand.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bitstate_tokenizer::{TokenizeError, Tokenizer};

/// Byte-level: `Ã` and `©` stand for the two bytes of `é`, `Ġ` for a space.
const JSON: &str = r#"{
    "version": "1.0",
    "added_tokens": [{
        "id": 0, "content": "<|endoftext|>", "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true
    }],
    "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true },
    "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true },
    "model": {
        "type": "BPE",
        "vocab": { "<|endoftext|>": 0, "a": 1, "b": 2, "Ġ": 3, "Ã": 4, "©": 5, "ab": 6, "Ġab": 7 },
        "merges": ["a b", "Ġ ab"]
    }
}"#;

#[test]
fn text_comes_back_whole_and_token_by_token() {
    let tokenizer = Tokenizer::from_json(JSON.as_bytes()).unwrap();
    assert_eq!((tokenizer.vocab_size(), tokenizer.end()), (8, 0));
    let tokens = tokenizer.encode("ab abé a").unwrap();
    assert_eq!(tokens, [6, 7, 4, 5, 3, 1]);
    assert_eq!(tokenizer.decode(&tokens).unwrap(), "ab abé a");

    let mut decoder = tokenizer.decoder();
    let pieces: Vec<String> = tokens.iter().map(|&token| decoder.push(token).unwrap()).collect();
    assert_eq!(pieces, ["ab", " ab", "", "é", " ", "a"]);
    assert_eq!(decoder.finish(), "");
}

#[test]
fn the_end_of_a_text_has_no_text() {
    for (tokenizer, tokens) in [
        (Tokenizer::from_json(JSON.as_bytes()).unwrap(), [1, 0, 2]),
        (Tokenizer::Byte, [u32::from(b'a'), 0, u32::from(b'b')]),
    ] {
        assert_eq!(tokenizer.decode(&tokens).unwrap(), "ab");
        let mut decoder = tokenizer.decoder();
        let pieces: Vec<String> = tokens.iter().map(|&token| decoder.push(token).unwrap()).collect();
        assert_eq!(pieces, ["a", "", "b"]);
    }
}

#[test]
fn what_is_no_tokenizer_is_told() {
    for wrong in ["", "{}", "[1]", &JSON[..200]] {
        assert!(matches!(Tokenizer::from_json(wrong.as_bytes()), Err(TokenizeError::NotJson(_))), "{wrong}");
    }
    let endless = JSON.replace("<|endoftext|>", "<|end|>");
    assert!(matches!(Tokenizer::from_json(endless.as_bytes()), Err(TokenizeError::NoEnd)));
}
