//! Streamed text equals the text of all tokens, for every kind of tokenizer and any tokens.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate_tokenizer::Tokenizer;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;
use std::sync::LazyLock;
use support::{bytes, changed, fallback, others, shipped};

/// The same tokenizer in this crate and in the library.
struct Pair {
    ours: Tokenizer,
    theirs: tokenizers::Tokenizer,
}

impl Pair {
    fn new(json: &Value) -> Self {
        let file = bytes(json);
        Pair { ours: Tokenizer::from_json(&file).unwrap(), theirs: tokenizers::Tokenizer::from_bytes(&file).unwrap() }
    }

    fn theirs(&self, tokens: &[u32]) -> String {
        // The library's decoders fail on an empty list.
        if tokens.iter().all(|&token| token == 0 || self.theirs.id_to_token(token).is_none()) {
            return String::new();
        }
        self.theirs.decode(tokens, true).unwrap()
    }
}

static SHIPPED: LazyLock<Pair> = LazyLock::new(|| Pair::new(&shipped()));
static FALLBACK: LazyLock<Pair> = LazyLock::new(|| Pair::new(&fallback()));
static OTHERS: LazyLock<Vec<Pair>> = LazyLock::new(|| others().iter().map(Pair::new).collect());

fn streamed(tokenizer: &Tokenizer, tokens: &[u32]) -> String {
    let mut decoder = tokenizer.decoder();
    let mut text: String = tokens.iter().map(|&token| decoder.push(token)).collect();
    text.push_str(&decoder.finish());
    text
}

/// Whether each run of bytes is entirely UTF-8, or contains no valid character: then the library replaces no valid one.
fn plain(tokens: &[u32]) -> bool {
    let byte = |&token: &u32| {
        let name = FALLBACK.theirs.id_to_token(token)?;
        u8::from_str_radix(name.strip_prefix("<0x")?.strip_suffix('>')?, 16).ok()
    };
    let ordinary: Vec<u32> = tokens.iter().copied().filter(|&token| token != 0 && token < 18).collect();
    ordinary.split(|token| byte(token).is_none()).all(|run| {
        let run: Vec<u8> = run.iter().filter_map(byte).collect();
        std::str::from_utf8(&run).is_ok() || run.utf8_chunks().all(|chunk| chunk.valid().is_empty())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn a_byte_level_bpe_is_the_librarys(tokens in vec(prop_oneof![0u32..300, 0u32..4200], 0..60)) {
        let text = SHIPPED.ours.decode(&tokens);
        prop_assert_eq!(&streamed(&SHIPPED.ours, &tokens), &text);
        prop_assert_eq!(text, SHIPPED.theirs(&tokens));
    }

    #[test]
    fn a_byte_fallback_never_gives_up(tokens in vec(0u32..19, 0..60)) {
        let text = FALLBACK.ours.decode(&tokens);
        prop_assert_eq!(&streamed(&FALLBACK.ours, &tokens), &text);
        if plain(&tokens) {
            prop_assert_eq!(text, FALLBACK.theirs(&tokens));
        }
    }

    #[test]
    fn a_byte_fallback_of_few_bytes_is_the_librarys(tokens in vec(0u32..19, 0..6)) {
        prop_assume!(plain(&tokens));
        prop_assert_eq!(FALLBACK.ours.decode(&tokens), FALLBACK.theirs(&tokens));
    }

    #[test]
    fn bytes_are_those_of_the_standard_library(tokens in vec(prop_oneof![0u32..256, 0xc0u32..0xf8, 0x80u32..0xc0], 0..60)) {
        let text = Tokenizer::byte().decode(&tokens);
        prop_assert_eq!(&streamed(&Tokenizer::byte(), &tokens), &text);
        let bytes: Vec<u8> = tokens.iter().filter(|&&token| token != 0).map(|&token| token as u8).collect();
        prop_assert_eq!(text, String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn the_other_decoders_are_the_librarys(tokens in vec(0u32..13, 0..30)) {
        // At least as long as the stripped text: the library panics on less.
        let tokens = [vec![11, 11, 11], tokens].concat();
        for (pair, number) in OTHERS.iter().zip(0..) {
            let text = pair.ours.decode(&tokens);
            prop_assert_eq!(&streamed(&pair.ours, &tokens), &text);
            prop_assert_eq!(text, pair.theirs(&tokens), "decoder {}", number);
        }
    }
}

/// The text of tokens, with the state serialized and restored after `cut` of them.
fn resumed(tokenizer: &Tokenizer, tokens: &[u32], cut: usize) -> String {
    let (mut memory, mut text) = (tokenizer.decoder_memory(), String::new());
    for (i, &token) in tokens.iter().enumerate() {
        if i == cut {
            memory = tokenizer.restore_decoder(&memory.to_bytes()).unwrap();
        }
        text.push_str(&tokenizer.push(&mut memory, token));
    }
    text + &tokenizer.finish(&mut memory)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn a_restored_state_continues(tokens in vec(0u32..300, 1..40), cut in any::<prop::sample::Index>()) {
        let cut = cut.index(tokens.len());
        let small: Vec<u32> = tokens.iter().map(|token| token % 13).collect();
        for tokenizer in [&SHIPPED.ours, &Tokenizer::byte()] {
            prop_assert_eq!(resumed(tokenizer, &tokens, cut), tokenizer.decode(&tokens));
        }
        for pair in OTHERS.iter().chain([&*FALLBACK]) {
            prop_assert_eq!(resumed(&pair.ours, &small, cut), pair.ours.decode(&small));
        }
    }

    #[test]
    fn bytes_that_are_no_state_are_refused(tokens in vec(0u32..13, 0..9), at in any::<prop::sample::Index>(), to in any::<u8>()) {
        for pair in OTHERS.iter().chain([&*FALLBACK, &*SHIPPED]) {
            let mut memory = pair.ours.decoder_memory();
            tokens.iter().for_each(|&token| drop(pair.ours.push(&mut memory, token)));
            let mut bytes = memory.to_bytes();
            let cut = at.index(bytes.len());
            let error = pair.ours.restore_decoder(&bytes[..cut]).unwrap_err();
            prop_assert!(error.offset <= cut && error.to_string().contains("byte"), "{}", error);
            bytes[cut] = to;
            if let Ok(mut other) = pair.ours.restore_decoder(&bytes) {
                pair.ours.push(&mut other, 11);
                prop_assert!(pair.ours.finish(&mut other).len() < 1000);
            }
        }
    }
}

/// The characters around a byte that is not UTF-8 are kept, even where the library replaces them.
#[test]
fn a_wrong_byte_spoils_no_other() {
    let id = |token: &str| FALLBACK.ours.id(token).unwrap();
    let tokens = ["<0x61>", "<0xC3>", "<0xA9>", "<0xFF>", "<0xE2>", "<0x94>", "<0x62>", "<0xC3>"].map(id);
    assert_eq!(FALLBACK.ours.decode(&tokens), "aé\u{fffd}\u{fffd}\u{fffd}b\u{fffd}");
    let mut decoder = FALLBACK.ours.decoder();
    let pieces = tokens.map(|token| decoder.push(token));
    assert_eq!(pieces, ["a", "", "é", "\u{fffd}", "", "", "\u{fffd}\u{fffd}b", ""]);
    assert_eq!(decoder.finish(), "\u{fffd}");
}

/// A stream's state does not grow: a million tokens of the worst kind are returned as they arrive.
#[test]
fn a_stream_holds_nothing_back() {
    let id = |token: &str| FALLBACK.ours.id(token).unwrap();
    for token in [id("<0xFF>"), id("<0x80>"), id("▁")] {
        let mut decoder = FALLBACK.ours.decoder();
        decoder.push(id("A"));
        assert!((0..1_000_000).all(|_| !decoder.push(token).is_empty()));
    }
}

/// A decoder that strips more than there is, which no library writes.
#[test]
fn an_absurd_strip_is_no_panic() {
    for [start, stop] in [[usize::MAX >> 1, 0], [0, usize::MAX >> 1], [9, 9]] {
        let strip = serde_json::json!({ "type": "Strip", "content": "a", "start": start, "stop": stop });
        let after = serde_json::json!({ "type": "Sequence", "decoders": [{ "type": "Fuse" }, strip] });
        for decoder in [strip.clone(), after] {
            let tokenizer = Tokenizer::from_json(&changed(|json| json["decoder"] = decoder)).unwrap();
            let [a, b] = ["a", "b"].map(|token| tokenizer.id(token).unwrap());
            assert_eq!(tokenizer.decode(&[a, a]), "");
            assert!(tokenizer.decode(&[a, b, a]).contains('b'));
        }
    }
}
