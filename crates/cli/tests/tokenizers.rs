//! Tokenizers written by other programs, with features that a model's own does not have.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;
#[path = "../../tokenizer/tests/support/mod.rs"]
mod variants;

use serde::Deserialize;
use serde_json::{Value, json};
use std::fs;
use support::{BYTE, Folder, Ran, SMALL};

#[derive(Debug, Deserialize)]
struct Generated {
    tokens: Vec<u32>,
    text: Option<String>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Quality {
    tokens: usize,
    bytes: usize,
    bits_per_byte: Option<f64>,
}

/// A folder with a trained model of 4,096 tokens, `model.bits`, without its description and its tokenizer.
fn trained() -> Folder {
    let folder = Folder::new();
    folder.copy("stories-bpe4k", "model.bits");
    folder
}

fn write(folder: &Folder, name: &str, content: impl AsRef<[u8]>) {
    fs::write(folder.path().join(name), content).unwrap();
}

/// The output of a run that may write to stderr.
fn parsed<T: for<'a> Deserialize<'a>>(ran: &Ran) -> T {
    assert!(ran.success, "{ran:?}");
    serde_json::from_value(ran.json()).unwrap()
}

/// A byte-fallback tokenizer of the 64 tokens of [`SMALL`].
fn fallback() -> Value {
    let mut tokenizer = variants::fallback();
    let vocab = tokenizer["model"]["vocab"].as_object_mut().unwrap();
    for id in vocab.len()..64 {
        vocab.insert(format!("<0x{id:02X}>"), json!(id));
    }
    assert_eq!(vocab.len(), 64);
    tokenizer
}

const TEXT: &str = "One day, a boy named Tim went to the park. \"Hi!\" said Tim to his friend, a small bird. They played, \
                    and the bird sang, and then they all went home to eat some cake.";

#[test]
fn stored_truncation_and_padding_change_nothing() {
    let folder = trained();
    write(&folder, "text.txt", TEXT);
    write(&folder, "plain.json", variants::bytes(&variants::shipped()));
    let truncation = json!({ "direction": "Right", "max_length": 16, "strategy": "LongestFirst", "stride": 0 });
    write(&folder, "truncated.json", variants::changed(|json| json["truncation"] = truncation));
    let padding = json!({
        "strategy": { "Fixed": 64 }, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0,
        "pad_token": "<|endoftext|>"
    });
    write(&folder, "padded.json", variants::changed(|json| json["padding"] = padding));
    let eval = |tokenizer: &str| {
        folder.run(&format!("eval --model model.bits --text text.txt --tokenizer {tokenizer} --json"))
    };
    let generate = |tokenizer: &str| -> Generated {
        let prompt = TEXT.replace(' ', "+");
        let arguments = format!("generate --model model.bits --max-tokens 9 --seed 1 --json --tokenizer {tokenizer}");
        parsed(&folder.run(&format!("{arguments} --prompt {prompt}")))
    };
    let plain: Quality = parsed(&eval("plain.json"));
    assert!(plain.tokens > 40 && plain.bytes == TEXT.len() && plain.bits_per_byte.unwrap() < 1.5, "{plain:?}");
    for (tokenizer, said) in [("truncated.json", "truncation"), ("padded.json", "padding")] {
        let ran = eval(tokenizer);
        assert_eq!(parsed::<Quality>(&ran), plain, "{tokenizer}");
        assert_eq!(ran.err, format!("note: {tokenizer} stores {said}, which is not used\n"));
        assert_eq!(generate(tokenizer).tokens, generate("plain.json").tokens, "{tokenizer}");
    }
}

#[test]
fn an_id_outside_the_vocabulary_is_reported() {
    let folder = trained();
    write(&folder, "text.txt", TEXT);
    write(&folder, "sparse.json", variants::changed(|json| json["model"]["vocab"]["\u{120}Tim"] = json!(5000)));
    for verb in ["eval --text text.txt", "generate --prompt a", "generate --tokens 1", "describe"] {
        let Ran { success, err, .. } = folder.run(&format!("{verb} --model model.bits --tokenizer sparse.json"));
        assert!(!success && err.starts_with("error: sparse.json"), "{verb}: {err}");
        for part in ["\"\u{120}Tim\"", "id 5000", "model.bits has only 4096 tokens", "ids 0 to 4095"] {
            assert!(err.contains(part), "{verb}: {err}");
        }
    }
}

/// The text is the same whether it is printed as it is generated or at the end, even if it ends within a character.
#[test]
fn streamed_text_equals_the_text_in_the_json() {
    let folder = Folder::new();
    write(&folder, "tokenizer.json", variants::bytes(&fallback()));
    let mut cut = 0;
    for (model, flags) in [(SMALL, "--prompt A"), (BYTE, "--prompt ü"), (SMALL, "--prompt=")] {
        for seed in 0..120 {
            let arguments = format!(
                "generate --model {model} {flags} --seed {seed} --max-tokens 25 --temperature 2 --top-k 0 --top-p 1"
            );
            let json: Generated = folder.json(&format!("{arguments} --json"));
            let text = json.text.unwrap();
            assert_eq!(folder.stdout(&arguments), format!("{text}\n"), "{arguments}");
            cut += usize::from(text.ends_with('\u{fffd}'));
        }
    }
    assert!(cut > 50, "only {cut} texts end within a character");
}

#[test]
fn the_files_or_the_flag_define_the_end_of_a_text() {
    let folder = Folder::new();
    write(&folder, "tokenizer.json", variants::bytes(&fallback()));
    write(&folder, "text.txt", "AAA");
    let ask = |flags: &str| -> Generated {
        folder.json(&format!("generate --model {SMALL} --prompt A --max-tokens 40 --seed 1 --json{flags}"))
    };
    let all = ask(" --ignore-end").tokens;
    let first_of = |ends: &[u32]| all.iter().position(|token| ends.contains(token)).unwrap();
    let [a, b] = [all[7], all[12]];
    for (file, content, ends) in [
        ("generation_config.json", format!("{{\"eos_token_id\": [{a}, {b}]}}"), vec![a, b]),
        ("generation_config.json", format!("{{\"eos_token_id\": {b}}}"), vec![b]),
    ] {
        write(&folder, file, content);
        assert_eq!(ask("").tokens, all[..first_of(&ends)]);
    }
    // The flag takes precedence; a broken file does not matter then.
    write(&folder, "generation_config.json", "{");
    assert_eq!(ask(&format!(" --end {a} --end {b}")).tokens, all[..first_of(&[a, b])]);
    let err = folder.run(&format!("generate --model {SMALL} --prompt A")).err;
    assert!(err.contains("generation_config.json") && err.contains("--end"), "{err}");
    let eval: Quality = folder.json(&format!("eval --model {SMALL} --text text.txt --end {a} --json"));
    assert_eq!(eval.tokens, 4);
}

#[test]
fn without_an_end_generation_continues_and_eval_requires_one() {
    let folder = Folder::new();
    let mut endless = fallback();
    endless["added_tokens"] = json!([]);
    let vocab = endless["model"]["vocab"].as_object_mut().unwrap();
    vocab.remove("<|endoftext|>");
    vocab.insert("<|start|>".into(), json!(0));
    write(&folder, "tokenizer.json", variants::bytes(&endless));
    write(&folder, "text.txt", "AAA");
    let ran = folder.run(&format!("generate --model {SMALL} --prompt A --max-tokens 90 --seed 1 --json"));
    assert_eq!(parsed::<Generated>(&ran).tokens.len(), 90);
    assert!(ran.err.starts_with("note: no end-of-text token is known") && ran.err.contains("--end"), "{}", ran.err);
    assert_eq!(ran.err.lines().count(), 1);
    let ran = folder.run(&format!("generate --model {SMALL} --prompt A --max-tokens 90 --ignore-end --seed 1 --json"));
    assert!(ran.success && ran.err.is_empty(), "{ran:?}");
    for arguments in ["eval --text text.txt", "generate --prompt="] {
        let ran = folder.run(&format!("{arguments} --model {SMALL}"));
        assert!(!ran.success && ran.err.contains("no token") && ran.err.contains("--end"), "{arguments}: {}", ran.err);
    }
    assert!(folder.run(&format!("eval --text text.txt --model {SMALL} --end <|start|>")).success);
    // With ids alone there is no tokenizer.
    let ran = folder.run(&format!("generate --model {SMALL} --tokens 1 --end A"));
    assert!(!ran.success && ran.err.contains("--end A") && ran.err.contains("give the id"), "{}", ran.err);
}

/// One rule for every tokenizer: special tokens in a prompt are text unless requested.
#[test]
fn special_tokens_in_a_prompt_are_text_unless_requested() {
    for (model, parsed) in [("stories-byte", "79,0,97"), ("stories-bpe4k", "47,0,65")] {
        let folder = Folder::new();
        for file in ["model.bits", "model.bits.json"] {
            folder.copy(model, file);
        }
        if model == "stories-bpe4k" {
            folder.copy(model, "tokenizer.json");
        }
        let ask = |flags: &str| -> Vec<u32> {
            folder
                .json::<Generated>(&format!("generate --model model.bits --max-tokens 20 --seed 3 --json {flags}"))
                .tokens
        };
        let by_ids = ask(&format!("--tokens {parsed}"));
        assert_eq!(ask("--prompt O<|endoftext|>a --parse-special"), by_ids, "{model}");
        assert_ne!(ask("--prompt O<|endoftext|>a"), by_ids, "{model}");
        // Spelled out, it is text and decodes to the same.
        let bytes = "O<|endoftext|>a".bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(",");
        if model == "stories-byte" {
            assert_eq!(ask("--prompt O<|endoftext|>a"), ask(&format!("--tokens {bytes}")));
        }
        let refused = folder.run("generate --model model.bits --tokens 1 --parse-special");
        assert!(!refused.success && refused.err.contains("--tokens"), "{}", refused.err);
    }
}
