//! End-of-text tokens: by their names, and from the files beside a tokenizer.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate_tokenizer::{TokenizeError, Tokenizer};
use serde_json::json;
use std::fs;
use support::{added, bytes, changed, fallback, of};
use tempfile::TempDir;

const NAMES: [&str; 5] = ["<|endoftext|>", "<|end_of_text|>", "</s>", "<|eot_id|>", "<|im_end|>"];

#[test]
fn names_that_are_known_end_a_text() {
    for name in NAMES {
        let tokenizer = Tokenizer::from_json(&changed(|json| {
            json["added_tokens"][0]["content"] = json!(name);
            let vocab = json["model"]["vocab"].as_object_mut().unwrap();
            vocab.remove("<|endoftext|>");
            vocab.insert(name.into(), json!(0));
        }));
        assert_eq!(tokenizer.unwrap().ends(), [0], "{name}");
    }
    let several = Tokenizer::from_json(&changed(|json| {
        json["added_tokens"] = json!([added(0, "<|endoftext|>", true), added(4096, "<|im_end|>", true)]);
    }));
    assert_eq!(several.unwrap().ends(), [0, 4096]);
}

#[test]
fn a_tokenizer_may_have_no_end() {
    let mut json = of(&["<|start|>", "a"], json!(null));
    json["added_tokens"] = json!([]);
    let tokenizer = Tokenizer::from_json(&bytes(&json)).unwrap();
    assert!(tokenizer.ends().is_empty());
    let error = tokenizer.end().unwrap_err();
    assert!(matches!(error, TokenizeError::NoEnd) && error.to_string().contains("--end"), "{error}");
}

/// Writes files beside a tokenizer and returns the end tokens found, or the error.
fn found(files: &[(&str, &str)]) -> Result<Vec<u32>, String> {
    let folder = TempDir::new().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    let mut tokenizer = Tokenizer::from_json(&bytes(&fallback())).unwrap();
    let found = tokenizer.find_ends(&folder.path().join("tokenizer.json"));
    found.map(|()| tokenizer.ends().to_vec()).map_err(|error| error.to_string())
}

#[test]
fn the_files_beside_a_tokenizer_name_its_ends() {
    let config = "tokenizer_config.json";
    for (files, ends) in [
        (&[][..], &[0][..]),
        (&[(config, r#"{"eos_token": "A", "model_max_length": 1000000000000000019884624838656}"#)], &[3]),
        (&[(config, r#"{"eos_token": {"__type": "AddedToken", "content": "▁B", "special": true}}"#)], &[4]),
        (&[(config, r#"{"eos_token": null}"#)], &[0]),
        (&[("special_tokens_map.json", r#"{"eos_token": "A"}"#)], &[3]),
        (&[("special_tokens_map.json", r#"{"eos_token": {"content": "A"}, "pad_token": "x"}"#)], &[3]),
        (&[("generation_config.json", r#"{"eos_token_id": 5}"#)], &[5]),
        (&[("generation_config.json", r#"{"eos_token_id": [5, 6]}"#)], &[5, 6]),
        (
            &[
                (config, r#"{"eos_token": "A"}"#),
                ("special_tokens_map.json", r#"{"eos_token": "A"}"#),
                ("generation_config.json", r#"{"eos_token_id": [5, 3]}"#),
            ],
            &[3, 5],
        ),
    ] {
        assert_eq!(found(files).unwrap(), ends, "{files:?}");
    }
}

#[test]
fn an_end_that_the_tokenizer_lacks_is_refused() {
    for (file, content, parts) in [
        ("tokenizer_config.json", r#"{"eos_token": "</s>"}"#, ["\"</s>\"", "tokenizer.json lacks"]),
        ("tokenizer_config.json", r#"{"eos_token": 3}"#, ["cannot determine", "--end"]),
        ("special_tokens_map.json", "{", ["cannot determine", "--end"]),
        ("generation_config.json", r#"{"eos_token_id": 18}"#, ["18", "tokenizer.json lacks"]),
        ("generation_config.json", r#"{"eos_token_id": -1}"#, ["cannot determine", "--end"]),
    ] {
        let error = found(&[(file, content)]).unwrap_err();
        assert!(error.contains(file) && parts.iter().all(|part| error.contains(part)), "{error}");
    }
}

/// An infinite file, which an unlimited reader would never finish.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_is_too_large_is_refused() {
    let folder = TempDir::new().unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("tokenizer_config.json")).unwrap();
    let mut tokenizer = Tokenizer::from_json(&bytes(&fallback())).unwrap();
    let error = tokenizer.find_ends(&folder.path().join("tokenizer.json")).unwrap_err().to_string();
    assert!(error.contains("tokenizer_config.json") && error.contains("too large"), "{error}");
}
