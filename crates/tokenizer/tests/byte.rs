//! Bytes to text, one token at a time, for every position at which a character is cut.

use bitstate_tokenizer::{ByteDecoder, ByteTokenizer};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Characters of one, two, three and four bytes, the first and the last of each length.
const TEXTS: [&str; 6] =
    ["", "plain", "\0\u{7f}\u{80}\u{7ff}", "\u{800}\u{ffff}\u{d7ff}", "\u{10000}\u{10ffff}", "a€é𝄞z—ñ"];

/// The output after each of `tokens`, and at the end.
fn pieces(tokens: impl IntoIterator<Item = u32>) -> Vec<String> {
    let mut decoder = ByteDecoder::default();
    let mut pieces: Vec<String> = tokens.into_iter().map(|token| decoder.push(token)).collect();
    pieces.push(decoder.finish());
    pieces
}

#[test]
fn a_character_comes_out_whole_with_its_last_byte() {
    for text in TEXTS {
        let pieces = pieces(text.bytes().map(u32::from));
        let mut expected = Vec::new();
        for character in text.chars() {
            expected.extend(vec![String::new(); character.len_utf8() - 1]);
            expected.push(character.to_string());
        }
        expected.push(String::new());
        assert_eq!(pieces, expected, "{text:?}");
    }
}

#[test]
fn a_text_cut_anywhere_is_what_the_bytes_say() {
    let tokenizer = ByteTokenizer;
    for text in TEXTS {
        let tokens = tokenizer.encode(text);
        assert_eq!(tokens.len(), text.len());
        for cut in 0..=tokens.len() {
            let (before, after) = tokens.split_at(cut);
            let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            assert_eq!(tokenizer.decode(before), lossy(&text.as_bytes()[..cut]), "{text:?} {cut}");
            assert_eq!(tokenizer.decode(after), lossy(&text.as_bytes()[cut..]), "{text:?} {cut}");
        }
    }
}

#[test]
fn tokens_above_255_end_a_character() {
    let euro = [0xe2, 0x82, 0xac];
    let cases: [(&[u32], &str); 6] = [
        (&[256], "\u{fffd}"),
        (&[u32::MAX, 65], "\u{fffd}A"),
        (&[euro[0], euro[1], 256, euro[2]], "\u{fffd}\u{fffd}\u{fffd}"),
        (&[euro[0], 300, 65], "\u{fffd}\u{fffd}A"),
        // Not the byte of the low 8 bits.
        (&[65 + 256], "\u{fffd}"),
        (&euro, "€"),
    ];
    for (tokens, text) in cases {
        assert_eq!(ByteTokenizer.decode(tokens), text, "{tokens:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    /// Bytes that start, continue and break characters.
    #[test]
    fn garbage_becomes_what_the_standard_library_makes_of_it(
        bytes in vec(prop_oneof![
            any::<u8>(),
            select(vec![0x80, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff, b'a']),
        ], 0..24),
    ) {
        let tokens: Vec<u32> = bytes.iter().copied().map(u32::from).collect();
        let text = ByteTokenizer.decode(&tokens);
        prop_assert_eq!(&text, &String::from_utf8_lossy(&bytes));
        prop_assert_eq!(pieces(tokens).concat(), text);
    }

    #[test]
    fn text_comes_back(text in any::<String>()) {
        let tokenizer = ByteTokenizer;
        prop_assert_eq!(tokenizer.decode(&tokenizer.encode(&text)), text);
    }
}
