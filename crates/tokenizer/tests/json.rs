//! Tokenizer files: a few tokens made by hand, and variants of the shipped one.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate_tokenizer::{TokenizeError, Tokenizer};
use serde_json::json;
use support::{added, bytes, changed, fallback, of, shipped};

/// Byte-level: `Ã` and `©` represent the two bytes of `é`, `Ġ` a space.
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

const TEXT: &str = "One day, a boy named Tim went to the park. \"Hi!\" said the café's owner, and gave him 3 apples.";

#[test]
fn text_comes_back_whole_and_token_by_token() {
    let tokenizer = Tokenizer::from_json(JSON.as_bytes()).unwrap();
    assert_eq!((tokenizer.vocab_size(), tokenizer.ends()), (8, &[0][..]));
    let tokens = tokenizer.encode("ab abé a").unwrap();
    assert_eq!(tokens, [6, 7, 4, 5, 3, 1]);
    assert_eq!(tokenizer.decode(&tokens), "ab abé a");

    let mut decoder = tokenizer.decoder();
    let pieces: Vec<String> = tokens.iter().map(|&token| decoder.push(token)).collect();
    assert_eq!(pieces, ["ab", " ab", "", "é", " ", "a"]);
    assert_eq!(decoder.finish(), "");
}

#[test]
fn the_end_of_a_text_has_no_text() {
    for (tokenizer, tokens) in [
        (Tokenizer::from_json(JSON.as_bytes()).unwrap(), [1, 0, 2]),
        (Tokenizer::byte(), [u32::from(b'a'), 0, u32::from(b'b')]),
    ] {
        assert_eq!(tokenizer.decode(&tokens), "ab");
        let mut decoder = tokenizer.decoder();
        let pieces: Vec<String> = tokens.iter().map(|&token| decoder.push(token)).collect();
        assert_eq!(pieces, ["a", "", "b"]);
    }
}

/// Truncated at any position, it is an error: the library panics on some of these.
#[test]
fn what_is_no_tokenizer_is_refused() {
    for wrong in ["", "{}", "[1]", "null"] {
        assert!(matches!(Tokenizer::from_json(wrong.as_bytes()), Err(TokenizeError::NotJson(_))), "{wrong}");
    }
    for length in 0..JSON.len() {
        assert!(matches!(Tokenizer::from_json(&JSON.as_bytes()[..length]), Err(TokenizeError::NotJson(_))), "{length}");
    }
    let huge = JSON.replace("\"add_prefix_space\": true", "\"add_prefix_space\": 1e999");
    assert!(matches!(Tokenizer::from_json(huge.as_bytes()), Err(TokenizeError::NotJson(_))));
}

#[test]
fn the_shipped_tokenizer_is_read_as_the_library_reads_it() {
    let library = tokenizers::Tokenizer::from_bytes(bytes(&shipped())).unwrap();
    let tokenizer = Tokenizer::from_json(&bytes(&shipped())).unwrap();
    assert_eq!(tokenizer.encode(TEXT).unwrap(), library.encode(TEXT, false).unwrap().get_ids());
    assert_eq!((tokenizer.vocab_size(), tokenizer.ends(), tokenizer.ignored()), (4096, &[0][..], &[][..]));
    let again = Tokenizer::from_json(tokenizer.to_json().unwrap().unwrap().as_bytes()).unwrap();
    assert_eq!(again.encode(TEXT).unwrap(), tokenizer.encode(TEXT).unwrap());
}

#[test]
fn stored_truncation_padding_and_dropout_are_switched_off() {
    let plain = Tokenizer::from_json(&bytes(&shipped())).unwrap().encode(TEXT).unwrap();
    let truncation = json!({ "direction": "Right", "max_length": 16, "strategy": "LongestFirst", "stride": 0 });
    let absurd = json!({ "direction": "Left", "max_length": 1, "strategy": "LongestFirst", "stride": 100 });
    let padding = json!({
        "strategy": { "Fixed": 64 }, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0,
        "pad_token": "<|endoftext|>"
    });
    for (name, settings) in [("truncation", truncation), ("truncation", absurd), ("padding", padding)] {
        let tokenizer = Tokenizer::from_json(&changed(|json| json[name] = settings)).unwrap();
        assert_eq!(tokenizer.ignored(), [name]);
        assert_eq!(tokenizer.encode(TEXT).unwrap(), plain);
        let again = Tokenizer::from_json(tokenizer.to_json().unwrap().unwrap().as_bytes()).unwrap();
        assert!(again.ignored().is_empty(), "{name} is written again");
    }
    let tokenizer = Tokenizer::from_json(&changed(|json| json["model"]["dropout"] = json!(0.9))).unwrap();
    assert_eq!(tokenizer.ignored(), ["dropout"]);
    assert!((0..20).all(|_| tokenizer.encode(TEXT).unwrap() == plain));
}

#[test]
fn ids_may_have_gaps() {
    let sparse = Tokenizer::from_json(&changed(|json| json["model"]["vocab"]["\u{120}Tim"] = json!(5000))).unwrap();
    assert_eq!((sparse.vocab_size(), sparse.largest()), (5001, ("\u{120}Tim", 5000)));
    assert!(sparse.encode(TEXT).unwrap().contains(&5000));
    // Gaps between added tokens, which the library renumbers.
    let tokens = json!([added(0, "<|endoftext|>", true), added(5000, "<|a|>", true), added(4200, "<|b|>", false)]);
    let mut gaps = Tokenizer::from_json(&changed(|json| json["added_tokens"] = tokens)).unwrap();
    assert_eq!((gaps.id("<|a|>").unwrap(), gaps.id("<|b|>").unwrap(), gaps.vocab_size()), (5000, 4200, 5001));
    gaps.parse_special(true);
    assert_eq!(gaps.encode("<|b|><|a|>").unwrap(), [4200, 5000]);
    assert_eq!(gaps.decode(&[4200, 5000, 4999]), "<|b|>");
    let again = Tokenizer::from_json(gaps.to_json().unwrap().unwrap().as_bytes()).unwrap();
    assert_eq!((again.id("<|a|>").unwrap(), again.id("<|b|>").unwrap()), (5000, 4200));
}

#[test]
fn ids_that_contradict_each_other_are_refused() {
    for (change, parts) in [
        (json!({ "vocab": "b" }), ["\"b\"", "id 1"]),
        (json!({ "added": "a" }), ["\"a\"", "id 5"]),
        (json!({ "added": "c" }), ["\"c\"", "id 1"]),
    ] {
        let mut json = of(&["<|endoftext|>", "a"], json!(null));
        if let Some(token) = change["vocab"].as_str() {
            json["model"]["vocab"][token] = json!(1);
        }
        match change["added"].as_str() {
            Some("a") => json["added_tokens"] = json!([added(5, "a", false)]),
            Some(token) => json["added_tokens"] = json!([added(1, token, false)]),
            None => {}
        }
        let error = Tokenizer::from_json(&bytes(&json)).unwrap_err().to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    }
}

#[test]
fn special_tokens_in_a_text_are_spelt_unless_they_are_asked_for() {
    let text = "a<|endoftext|>b";
    for (mut tokenizer, parsed) in
        [(Tokenizer::from_json(&bytes(&shipped())).unwrap(), vec![65, 0, 66]), (Tokenizer::byte(), vec![97, 0, 98])]
    {
        let spelt = tokenizer.encode(text).unwrap();
        assert!(!spelt.contains(&0));
        assert_eq!(tokenizer.decode(&spelt), text);
        tokenizer.parse_special(true);
        assert_eq!(tokenizer.encode(text).unwrap(), parsed);
        assert_eq!(tokenizer.decode(&parsed), "ab");
        tokenizer.parse_special(false);
        assert_eq!(tokenizer.encode(text).unwrap(), spelt);
    }
}

/// A model with its special tokens in the vocabulary of ordinary text.
#[test]
fn a_special_token_that_cannot_be_spelt_is_refused() {
    let mut json = of(&["<|endoftext|>", "a"], json!({ "type": "Fuse" }));
    json["pre_tokenizer"] = json!({ "type": "WhitespaceSplit" });
    json["model"] = json!({ "type": "WordLevel", "vocab": { "</s>": 0, "a": 1 }, "unk_token": "a" });
    json["added_tokens"] = json!([added(0, "</s>", true)]);
    let mut tokenizer = Tokenizer::from_json(&bytes(&json)).unwrap();
    let error = tokenizer.encode("a </s> a").unwrap_err();
    assert!(matches!(&error, TokenizeError::Special(token) if token == "</s>"), "{error}");
    tokenizer.parse_special(true);
    assert_eq!(tokenizer.encode("a </s> a").unwrap(), [1, 0, 1]);
}

#[test]
fn a_token_is_named_or_numbered() {
    let tokenizer = Tokenizer::from_json(&bytes(&fallback())).unwrap();
    assert_eq!((tokenizer.id("A").unwrap(), tokenizer.id("3").unwrap()), (3, 3));
    assert_eq!(Tokenizer::byte().id("<|endoftext|>").unwrap(), 0);
    for (tokenizer, wrong) in
        [(&tokenizer, "18"), (&tokenizer, "Z"), (&Tokenizer::byte(), "256"), (&Tokenizer::byte(), "a")]
    {
        assert!(tokenizer.id(wrong).unwrap_err().to_string().contains(&format!("no token {wrong:?}")), "{wrong}");
    }
}

#[test]
fn u_0000_stays_the_end_of_a_text_of_bytes() {
    assert!(matches!(Tokenizer::byte().encode("a\0b"), Err(TokenizeError::Zero(1))));
}

/// SentencePiece normalizers contain a base64 table: its length, the table, and the characters.
#[test]
fn a_character_map_that_cannot_be_is_refused() {
    let with = |map: serde_json::Value| {
        changed(|file| {
            let normalizer = json!({ "type": "Precompiled", "precompiled_charsmap": map });
            file["normalizer"] = json!({ "type": "Sequence", "normalizers": [{ "type": "NFC" }, normalizer] });
        })
    };
    // Not base64, no table, no text; a length of 4 GiB, for which the library allocates 8; and characters that are not
    // UTF-8.
    for map in
        [json!("!!!"), json!(""), json!(null), json!("/////w=="), json!("/////wAAAABhAA=="), json!("BAAAAAAAAAD/")]
    {
        let error = Tokenizer::from_json(&with(map.clone())).unwrap_err();
        assert!(matches!(error, TokenizeError::NotJson(_)), "{map}: {error}");
        assert!(error.to_string().contains("precompiled_charsmap"), "{map}: {error}");
    }
    // A readable one that points past its end for every character.
    let tokenizer = Tokenizer::from_json(&with(json!("BAAAAAAAAABhAA=="))).unwrap();
    let error = tokenizer.encode(TEXT).unwrap_err();
    assert!(error.to_string().contains("the parts of the file contradict each other: index out of bounds"), "{error}");
    assert!(tokenizer.encode("").unwrap().is_empty());
}
