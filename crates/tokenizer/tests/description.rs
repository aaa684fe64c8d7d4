//! Descriptions: they round-trip, errors are named, and another model is refused.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bitstate_tokenizer::{BYTES, Description, Sampling, sha256};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn description() -> Description {
    let sampling = Sampling { temperature: 0.5, ..Sampling::of(256) };
    Description::new("a model", sha256(b"model"), BYTES.into(), vec![0], sampling).unwrap()
}

/// Reads `json` as the description of a `model.bits` with the content `model`.
fn read(model: &[u8], json: &str) -> Result<Option<Description>, String> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("model.bits");
    fs::write(Description::path(&path), json).unwrap();
    Description::beside(&path, model).map_err(|error| error.to_string())
}

#[test]
fn a_description_comes_back() {
    assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(Description::path(Path::new("a/model.bits")), Path::new("a/model.bits.json"));
    let json = description().to_json().unwrap();
    assert_eq!(read(b"model", &json).unwrap(), Some(description()));
    for part in ["\"version\": 1", "\"temperature\": 0.5", "\"top_p\": 0.9", "\"tokenizer\": \"byte\""] {
        assert!(json.contains(part), "{json}");
    }
    for nowhere in ["/nowhere/model.bits", "/dev/null/3", "model.bits"] {
        assert_eq!(Description::beside(Path::new(nowhere), b"").unwrap(), None, "{nowhere}");
    }
}

#[test]
fn the_defaults_follow_from_the_tokens_of_the_model_alone() {
    assert_eq!(Sampling::of(256), Sampling { temperature: 0.8, top_k: 50, top_p: 0.9, penalty: 1.0 });
    assert_eq!(Sampling::of(4096).penalty, 1.1);
}

#[test]
fn another_model_is_refused() {
    let error = read(b"another", &description().to_json().unwrap()).unwrap_err();
    for part in ["model.bits.json", "another model than", &sha256(b"another"), "bitstate describe --model"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn what_is_no_description_is_named() {
    let json = description().to_json().unwrap();
    let digest = sha256(b"model");
    for (from, to, part) in [
        ("\"name\"", "\"nmae\"", "unknown field `nmae`"),
        ("\"top_k\"", "\"top-k\"", "unknown field `top-k`"),
        ("\"version\": 1", "\"version\": 2", "version is 2, and this program reads version 1"),
        ("\"version\": 1,", "", "missing field `version`"),
        ("\"top_k\": 50", "\"top_k\": -1", "-1"),
        ("\"temperature\": 0.5", "\"temperature\": -1", "sampling.temperature is -1"),
        ("\"temperature\": 0.5", "\"temperature\": 1e39", "sampling.temperature is inf"),
        ("\"top_p\": 0.9", "\"top_p\": 0", "sampling.top_p is 0"),
        ("\"penalty\": 1.0", "\"penalty\": 0.5", "sampling.penalty is 0.5"),
        ("\"byte\"", "\"bytes\"", "tokenizer is \"bytes\""),
        (&digest, &digest[1..], "model is"),
        (&digest, &digest.to_uppercase(), "model is"),
        ("\"a model\"", "\"\"", "name must be"),
        ("\"a model\"", "\"a\\u001b[2J\"", "name must be"),
        ("}", "", "EOF"),
    ] {
        assert!(json.contains(from));
        let error = read(b"model", &json.replace(from, to)).unwrap_err();
        assert!(
            error.contains(part) && error.contains("model.bits.json") && error.contains("bitstate describe"),
            "{error}"
        );
    }
    let error = read(b"model", &" ".repeat(1 << 20)).unwrap_err();
    assert!(error.contains("too large"), "{error}");
}
