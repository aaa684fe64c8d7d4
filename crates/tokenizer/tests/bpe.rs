//! Byte-level BPE without the `tokenizers` library gives what the library gives: tokens, text, digest, and the same memory of a
//! stream.
#![allow(clippy::unwrap_used)]

mod support;

use bitstate_tokenizer::Tokenizer;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;
use support::{added, bytes, changed, shipped};

/// The two of the shipped file, which takes a while to read.
static SHIPPED: LazyLock<(Tokenizer, Tokenizer)> = LazyLock::new(|| both(&bytes(&shipped())));

fn both(json: &[u8]) -> (Tokenizer, Tokenizer) {
    (Tokenizer::from_json(json).unwrap(), Tokenizer::from_bpe_json(json).unwrap())
}

/// Holds the two against each other on one text.
fn agree((library, own): &(Tokenizer, Tokenizer), text: &str) {
    match (library.encode(text), own.encode(text)) {
        (Ok(tokens), Ok(own_tokens)) => {
            assert_eq!(own_tokens, tokens, "{text:?}");
            assert_eq!(own.decode(&tokens), library.decode(&tokens), "{text:?}");
        }
        (Err(wanted), Err(found)) => assert_eq!(found.to_string(), wanted.to_string()),
        (wanted, found) => panic!("{text:?}: {wanted:?} and {found:?}"),
    }
}

#[test]
fn every_character_is_of_the_same_class() {
    let both = &*SHIPPED;
    // Between letters, digits and spaces, where each class is divided otherwise. Of the planes without letters a few.
    let few = |c: &char| (*c as u32) < 0x3_4000 || (*c as u32).is_multiple_of(997);
    let all: Vec<char> = (0..=0x10_ffff).filter_map(char::from_u32).filter(few).collect();
    for some in all.chunks(4096) {
        let text: String = some.iter().flat_map(|&c| ['a', c, '1', c, ' ', c, '!', c]).collect();
        agree(both, &text);
    }
}

#[test]
fn what_is_known_of_a_tokenizer_is_the_same() {
    let json = changed(|tokenizer| {
        tokenizer["added_tokens"].as_array_mut().unwrap().push(added(4096, "<|im_end|>", true));
        tokenizer["truncation"] =
            json!({ "direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0 });
    });
    let (library, own) = both(&json);
    assert_eq!(own.digest(), library.digest());
    assert_eq!(own.ends(), library.ends());
    assert_eq!((own.largest(), own.vocab_size()), (library.largest(), library.vocab_size()));
    assert_eq!(own.ignored(), library.ignored());
    for token in ["<|endoftext|>", "Ġthe", "17", "absent", "4097"] {
        let text = |id: Result<u32, _>| id.map_err(|error: bitstate_tokenizer::TokenizeError| error.to_string());
        assert_eq!(text(own.id(token)), text(library.id(token)));
    }
}

#[test]
fn special_tokens_are_spelt_or_parsed_as_the_library_does() {
    let mut both = both(&changed(|tokenizer| {
        tokenizer["added_tokens"].as_array_mut().unwrap().push(added(4096, "<|endoftext|><|x|>", true));
    }));
    let texts = ["a<|endoftext|>b", "<|endoftext|><|x|><|endoftext|>", "<|endoftext", "x <|endoftext|> y"];
    texts.iter().for_each(|text| agree(&both, text));
    both.0.parse_special(true);
    both.1.parse_special(true);
    texts.iter().for_each(|text| agree(&both, text));
}

#[test]
fn other_settings_are_refused_by_name() {
    let refused = |change: &dyn Fn(&mut Value), what: &str| {
        let error = Tokenizer::from_bpe_json(&changed(|tokenizer| change(tokenizer))).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    };
    refused(&|t| t["normalizer"] = json!({ "type": "NFC" }), "a normalizer");
    refused(&|t| t["pre_tokenizer"]["add_prefix_space"] = json!(true), "add_prefix_space");
    refused(&|t| t["pre_tokenizer"] = json!({ "type": "Whitespace" }), "pre_tokenizer");
    refused(&|t| t["decoder"] = json!({ "type": "Fuse" }), "decoder");
    refused(&|t| t["model"]["byte_fallback"] = json!(true), "unknown bytes");
    refused(&|t| t["model"]["type"] = json!("Unigram"), "not BPE");
    refused(&|t| t["model"]["later"] = json!(1), "later");
    refused(&|t| t["added_tokens"][0]["lstrip"] = json!(true), "added token");
    refused(&|t| t["added_tokens"][0]["id"] = json!(5), "has the id 5");
    refused(&|t| drop(t["model"]["vocab"].as_object_mut().unwrap().remove("Ġ")), "the byte 32");
    refused(&|t| t["model"]["merges"][3] = json!(["a", "nothing"]), "nothing");
    refused(&|t| t["model"]["vocab"]["new"] = json!(7), "the id 7");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn texts_agree(texts in prop::collection::vec("\\PC{0,40}|[ \\t\\na-zA-Z0-9'.,!?ßé一🙂]{0,60}|'(s|t|re|ve|LL){1,9}", 1..6)) {
        let both = &*SHIPPED;
        texts.iter().for_each(|text| agree(both, text));
        agree(both, &texts.concat());
    }

    #[test]
    fn streams_agree_and_are_saved_alike(tokens in prop::collection::vec(0_u32..4100, 1..80)) {
        let (library, own) = &*SHIPPED;
        let (mut theirs, mut ours) = (library.decoder_memory(), own.decoder_memory());
        for token in tokens {
            prop_assert_eq!(own.push(&mut ours, token), library.push(&mut theirs, token));
            prop_assert_eq!(ours.to_bytes(), theirs.to_bytes());
            ours = own.restore_decoder(&theirs.to_bytes()).unwrap();
        }
        prop_assert_eq!(own.finish(&mut ours), library.finish(&mut theirs));
    }

    #[test]
    fn whatever_the_bytes_there_is_an_answer(noise in prop::collection::vec(any::<u8>(), 0..40), at in any::<prop::sample::Index>()) {
        let mut json = bytes(&shipped());
        let at = at.index(json.len());
        json.splice(at..at, noise);
        let _ = Tokenizer::from_bpe_json(&json);
    }
}

#[test]
fn a_word_of_a_megabyte_takes_no_time_squared() {
    let own = Tokenizer::from_bpe_json(&bytes(&shipped())).unwrap();
    let text = "ab".repeat(500_000);
    assert_eq!(own.decode(&own.encode(&text).unwrap()), text);
}
