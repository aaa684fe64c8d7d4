//! Text in, text out, with the tokenizer next to a model.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;
use support::{Folder, SMALL};

/// A byte-level tokenizer.json of 64 tokens: the end of a text, and one-byte characters from `!` up.
fn tokenizer(end: usize) -> String {
    let letters = ('!'..).filter(|letter| !['"', '\\'].contains(letter));
    let mut vocab: Vec<String> = letters.take(63).map(String::from).collect();
    vocab.insert(end, "<|endoftext|>".into());
    let vocab: Vec<String> = vocab.iter().enumerate().map(|(id, token)| format!(r#""{token}": {id}"#)).collect();
    format!(
        r#"{{
            "added_tokens": [{{
                "id": {end}, "content": "<|endoftext|>", "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true
            }}],
            "pre_tokenizer": {{ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true }},
            "decoder": {{ "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true }},
            "model": {{ "type": "BPE", "vocab": {{ {} }}, "merges": [] }}
        }}"#,
        vocab.join(", ")
    )
}

#[derive(serde::Deserialize)]
struct Generated {
    tokens: Vec<u32>,
    text: Option<String>,
}

#[test]
fn the_tokenizer_next_to_a_model_is_used_and_its_end_ends_a_text() {
    let folder = Folder::new();
    let write = |end| fs::write(folder.path().join("tokenizer.json"), tokenizer(end)).unwrap();
    let ask = |flags: &str| -> Generated {
        folder.json(&format!("generate --model {SMALL} --max-tokens 40 --seed 1 --json {flags}"))
    };
    write(0);
    let plain = ask("--prompt=()* --ignore-end");
    assert_eq!(plain.tokens, ask("--tokens 7,8,9 --ignore-end").tokens);
    assert_eq!(plain.tokens.len(), 40);
    assert_eq!(
        folder.stdout(&format!("generate --model {SMALL} --max-tokens 40 --seed 1 --prompt=()* --ignore-end")),
        format!("{}\n", plain.text.unwrap())
    );

    // A token of the answer becomes the end: the tokens before it do not change, because the prompt is given in tokens.
    let end = plain.tokens[20];
    let before = plain.tokens.iter().position(|&token| token == end).unwrap();
    write(end as usize);
    let ended = ask("--tokens 7,8,9 --tokenizer tokenizer.json");
    assert_eq!(ended.tokens, plain.tokens[..before]);
    assert_eq!(ask(&format!("--tokens 7,8,9 --end {end}")).tokens, ended.tokens);
    // An empty prompt starts a text.
    assert_eq!(ask("--prompt= --ignore-end").tokens, ask(&format!("--tokens {end} --ignore-end")).tokens);
}

#[test]
fn token_ids_need_no_tokenizer() {
    let folder = Folder::new();
    let arguments = format!("generate --model {SMALL} --max-tokens 9 --seed 1 --tokens 7,8 --json");
    let alone: Generated = folder.json(&arguments);
    fs::write(folder.path().join("tokenizer.json"), "{}").unwrap();
    let beside: Generated = folder.json(&arguments);
    assert_eq!((alone.tokens, alone.text), (beside.tokens, beside.text));
}

#[test]
fn a_tokenizer_that_does_not_fit_is_reported() {
    let folder = Folder::new();
    fs::write(folder.path().join("cut.json"), &tokenizer(0)[..300]).unwrap();
    fs::write(folder.path().join("endless.json"), tokenizer(0).replace("<|endoftext|>", "<|end|>")).unwrap();
    fs::write(folder.path().join("text.txt"), "abc").unwrap();
    for (tokenizer, part) in [
        ("cut.json", "cut.json: not a tokenizer.json"),
        ("none.json", "cannot read none.json"),
        ("byte", "64 tokens, which are not bytes (256 tokens)"),
        ("endless.json --end 64", "--end: the tokenizer has no token \"64\""),
        ("endless.json --end </s>", "--end: the tokenizer has no token \"</s>\""),
    ] {
        for verb in ["generate --prompt a", "eval --text text.txt"] {
            let ran = folder.run(&format!("{verb} --model {SMALL} --tokenizer {tokenizer}"));
            assert!(!ran.success && ran.err.contains(part), "{verb}: {}", ran.err);
        }
    }
}
