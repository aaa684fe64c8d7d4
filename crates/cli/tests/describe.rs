//! The description binds a model to its tokenizer; other files next to a model change nothing.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;
#[path = "../../tokenizer/tests/support/mod.rs"]
mod variants;

use bitstate::tokenizer::{Description, Tokenizer, sha256};
use serde::Deserialize;
use serde_json::json;
use std::fs;
use std::path::Path;
use support::{BYTE, Folder, SMALL, TRAINED};

#[derive(Debug, Deserialize, PartialEq)]
struct Generated {
    tokens: Vec<u32>,
    text: Option<String>,
}

fn ask(folder: &Folder, model: &str, flags: &str) -> Generated {
    folder.json(&format!("generate --model {model} --max-tokens 60 --json {flags}"))
}

/// A folder with a trained model and its description and tokenizer.
fn trained(model: &str) -> Folder {
    let folder = Folder::new();
    folder.copy(model, "model.bits");
    folder.copy(model, "model.bits.json");
    if model == "stories-bpe4k" {
        folder.copy(model, "tokenizer.json");
    }
    folder
}

fn tokenizer(model: &str) -> Tokenizer {
    match model {
        "stories-byte" => Tokenizer::byte(),
        _ => Tokenizer::from_json(&variants::bytes(&variants::shipped())).unwrap(),
    }
}

/// A tokenizer with as many tokens as a model, whose end is a token that the model generates often.
fn stray(tokens: usize, end: usize) -> Vec<u8> {
    let names: Vec<String> =
        (0..tokens).map(|id| if id == end { "<|endoftext|>".into() } else { format!("t{id}") }).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut tokenizer = variants::of(&names, json!({ "type": "Fuse" }));
    tokenizer["added_tokens"][0]["id"] = json!(end);
    variants::bytes(&tokenizer)
}

#[test]
fn the_trained_models_are_described() {
    for model in TRAINED {
        let folder = trained(model);
        let bytes = fs::read(folder.path().join("model.bits")).unwrap();
        let described = Description::beside(&folder.path().join("model.bits"), &bytes).unwrap().unwrap();
        assert_eq!((described.name.as_str(), described.end.as_slice()), (model, &[0][..]));
        let digest = fs::read(folder.path().join("tokenizer.json")).map_or("byte".into(), |json| sha256(&json));
        assert_eq!(described.tokenizer, digest);
        for arguments in ["inspect model.bits", "inspect model.bits --json"] {
            let said = folder.stdout(arguments);
            assert!(said.contains(model) && said.contains(&described.tokenizer), "{said}");
        }
    }
}

#[test]
fn a_prompt_and_its_tokens_give_the_same_answer() {
    for model in TRAINED {
        let (folder, tokenizer) = (trained(model), tokenizer(model));
        for (prompt, seed) in [("Once upon a time", 6), ("One day, Tim", 7), ("\"Hi!\" said Zoë", 8)] {
            let ids: Vec<String> = tokenizer.encode(prompt).unwrap().iter().map(u32::to_string).collect();
            for flags in [
                format!("--seed {seed}"),
                format!("--seed {seed} --max-tokens 400 --temperature 0.5"),
                "--greedy".into(),
            ] {
                let of = |prompt: String| {
                    let flags = if flags.contains("400") { flags.clone() } else { format!("{flags} --max-tokens 60") };
                    folder.json::<Generated>(&format!("generate --model model.bits --json {flags} {prompt}"))
                };
                let by_text = of(format!("--prompt {}", prompt.replace(' ', "+")));
                assert_eq!(by_text, of(format!("--tokens {}", ids.join(","))), "{model} {prompt} {flags}");
                assert!(by_text.text.is_some());
            }
        }
    }
}

/// A tokenizer.json of the right size next to the model, or an invalid one.
#[test]
fn a_stray_tokenizer_changes_nothing() {
    for (model, tokens, prompts) in [
        (BYTE, 256, &["--tokens 65,12 --seed 1", "--prompt A --seed 1"][..]),
        (SMALL, 64, &["--tokens 5,12 --seed 1"][..]),
    ] {
        let folder = Folder::new();
        let all = || prompts.iter().map(|prompt| ask(&folder, model, prompt)).collect::<Vec<_>>();
        let alone = all();
        let said = alone[0].tokens[30] as usize;
        for content in [stray(tokens, said), b"{}".to_vec()] {
            fs::write(folder.path().join("tokenizer.json"), content).unwrap();
            assert_eq!(all(), alone, "{model}");
        }
    }
    // Nor next to a model that is described as byte-level.
    let folder = trained("stories-byte");
    let bare = ask(&folder, "model.bits", "--prompt Once --seed 1");
    fs::write(folder.path().join("tokenizer.json"), stray(256, 101)).unwrap();
    assert_eq!(ask(&folder, "model.bits", "--prompt Once --seed 1"), bare);
    assert_eq!(ask(&folder, "model.bits", "--tokens 79,110,99,101 --seed 1"), bare);
}

#[test]
fn a_byte_level_model_needs_no_description() {
    let folder = Folder::new();
    let by_text = ask(&folder, BYTE, "--prompt Once --seed 4");
    assert_eq!(ask(&folder, BYTE, "--tokens 79,110,99,101 --seed 4"), by_text);
}

/// Every command that opens the model, with both files and the fix in the message.
#[test]
fn a_replaced_model_is_rejected() {
    let folder = trained("stories-byte");
    fs::copy(folder.path().join(BYTE), folder.path().join("model.bits")).unwrap();
    fs::write(folder.path().join("text.txt"), "Once.").unwrap();
    let verbs = ["generate --prompt a", "generate --tokens 1", "logits --tokens 1", "eval --text text.txt"];
    let verbs = verbs.map(|verb| format!("{verb} --model model.bits")).into_iter().chain(["inspect model.bits".into()]);
    for verb in verbs {
        let ran = folder.run(&verb);
        assert!(!ran.success && ran.out.is_empty(), "{verb}");
        for part in
            ["error: model.bits.json: describes another model than model.bits,", "bitstate describe --model model.bits"]
        {
            assert!(ran.err.contains(part), "{verb}: {}", ran.err);
        }
    }
    // The suggested fix works.
    folder.stdout("describe --model model.bits");
    folder.stdout("generate --model model.bits --prompt a --seed 1");
}

#[test]
fn a_replaced_tokenizer_is_rejected() {
    let folder = trained("stories-bpe4k");
    fs::write(folder.path().join("text.txt"), "Once.").unwrap();
    let permuted = variants::changed(|json| {
        for id in json["model"]["vocab"].as_object_mut().unwrap().values_mut() {
            let old = id.as_u64().unwrap();
            *id = json!(if old < 257 { old } else { 4095 + 257 - old });
        }
    });
    fs::write(folder.path().join("permuted.json"), &permuted).unwrap();
    let refused = |flags: &str, name: &str| {
        for verb in ["generate --prompt a", "generate --tokens 1", "eval --text text.txt"] {
            let ran = folder.run(&format!("{verb} --model model.bits{flags}"));
            assert!(!ran.success && ran.out.is_empty(), "{verb} {flags}");
            for part in
                [&format!("{name} is not the tokenizer that model.bits.json names"), "--tokenizer", "bitstate describe"]
            {
                assert!(ran.err.contains(part), "{verb}: {}", ran.err);
            }
        }
    };
    refused(" --tokenizer permuted.json", "permuted.json");
    refused(" --tokenizer byte", "the tokenizer of bytes");
    fs::write(folder.path().join("tokenizer.json"), &permuted).unwrap();
    refused("", "tokenizer.json");
    // Without it, ids still work and give the same tokens.
    fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
    let by_ids = ask(&folder, "model.bits", "--tokens 47,65 --seed 1");
    assert_eq!(by_ids.text, None);
    assert_eq!(by_ids.tokens, ask(&trained("stories-bpe4k"), "model.bits", "--tokens 47,65 --seed 1").tokens);
    let ran = folder.run("generate --model model.bits --prompt a");
    assert!(
        !ran.success && ran.err.contains("model.bits.json names a tokenizer.json") && ran.err.contains("not beside"),
        "{ran:?}"
    );
}

#[test]
fn the_description_is_used_and_flags_override_it() {
    let folder = Folder::new();
    let plain = ask(&folder, BYTE, "--tokens 65 --seed 1 --ignore-end");
    let cool =
        ask(&folder, BYTE, "--tokens 65 --seed 1 --ignore-end --temperature 0.5 --top-k 7 --top-p 0.7 --penalty 1.3");
    let end = cool.tokens[30];
    folder.stdout(&format!("describe --model {BYTE} --name mine --end {end}"));
    let path = Description::path(&folder.path().join(BYTE));
    assert_eq!(path.file_name(), Path::new("byte.bits.json").file_name());
    let json = fs::read_to_string(&path).unwrap();
    assert!(json.contains("\"mine\""), "{json}");
    let mut value: serde_json::Value = serde_json::from_str(&json).unwrap();
    value["sampling"] = json!({ "temperature": 0.5, "top_k": 7, "top_p": 0.7, "penalty": 1.3 });
    fs::write(&path, value.to_string()).unwrap();
    assert_eq!(ask(&folder, BYTE, "--tokens 65 --seed 1 --ignore-end"), cool);
    let flags = "--temperature 0.8 --top-k 50 --top-p 0.9 --penalty 1";
    assert_eq!(ask(&folder, BYTE, &format!("--tokens 65 --seed 1 --ignore-end {flags}")), plain);
    let before = cool.tokens.iter().position(|&token| token == end).unwrap();
    assert_eq!(ask(&folder, BYTE, "--tokens 65 --seed 1").tokens, cool.tokens[..before]);
    // An end that is not in the vocabulary.
    value["end"] = json!([256]);
    fs::write(&path, value.to_string()).unwrap();
    let ran = folder.run(&format!("generate --model {BYTE} --tokens 65"));
    assert!(!ran.success && ran.err.contains("token 256") && ran.err.contains("0 to 255"), "{}", ran.err);
}

/// Edited by hand: a tokenizer with more tokens than the model would index past the model's logits.
#[test]
fn a_description_cannot_make_a_tokenizer_fit() {
    let folder = Folder::new();
    fs::write(folder.path().join("text.txt"), "t1 t64").unwrap();
    fs::write(folder.path().join("tokenizer.json"), stray(64, 0)).unwrap();
    folder.stdout(&format!("describe --model {SMALL}"));
    let path = Description::path(&folder.path().join(SMALL));
    let right = fs::read_to_string(&path).unwrap();
    let large = stray(65, 0);
    fs::write(folder.path().join("tokenizer.json"), &large).unwrap();
    for (digest, part) in
        [(sha256(&large), "\"t64\" with the id 64"), ("byte".into(), "64 tokens, which are not bytes")]
    {
        fs::write(&path, right.replace(&sha256(&stray(64, 0)), &digest)).unwrap();
        for verb in ["generate --prompt t64", "generate --tokens 1", "eval --text text.txt"] {
            let ran = folder.run(&format!("{verb} --model {SMALL}"));
            assert!(!ran.success && ran.err.contains(part), "{verb}: {}", ran.err);
        }
    }
}

/// Without a description, the size alone does not show that a tokenizer belongs to a model.
#[test]
fn a_tokenizer_beside_a_model_must_have_as_many_tokens() {
    let folder = Folder::new();
    fs::write(folder.path().join("text.txt"), "t1").unwrap();
    for (tokens, part) in [(63, "64 tokens and tokenizer.json beside it only 63"), (65, "\"t64\" with the id 64")] {
        fs::write(folder.path().join("tokenizer.json"), stray(tokens, 0)).unwrap();
        for verb in ["generate --prompt t1", "eval --text text.txt", "describe"] {
            let ran = folder.run(&format!("{verb} --model {SMALL}"));
            assert!(!ran.success && ran.err.contains(part), "{verb}: {}", ran.err);
        }
    }
    // With the flag it may be smaller.
    fs::write(folder.path().join("tokenizer.json"), stray(63, 0)).unwrap();
    let described = folder.run(&format!("describe --model {SMALL} --tokenizer tokenizer.json"));
    assert!(described.success && described.err.contains("only 63"), "{described:?}");
    folder.json::<Generated>(&format!("generate --model {SMALL} --tokens 1 --seed 1 --json"));
}

#[test]
fn an_invalid_description_is_rejected_and_can_be_replaced() {
    let folder = Folder::new();
    for content in ["", "{}", "[1]", "{\"version\": 9}"] {
        fs::write(folder.path().join("byte.bits.json"), content).unwrap();
        let ran = folder.run(&format!("generate --model {BYTE} --prompt a"));
        assert!(!ran.success && ran.err.contains("byte.bits.json: not the description of a model"), "{}", ran.err);
        assert!(ran.err.contains("bitstate describe --model byte.bits"), "{}", ran.err);
    }
    folder.stdout(&format!("describe --model {BYTE}"));
    folder.stdout(&format!("generate --model {BYTE} --prompt a --seed 1"));
    let ran = folder.run(&format!("describe --model {BYTE} --name="));
    assert!(!ran.success && ran.err.contains("cannot describe byte.bits: name must be"), "{}", ran.err);
}
