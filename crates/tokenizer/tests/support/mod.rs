//! Tokenizers in the form of other programs, made from the one in `golden` or from a few tokens.
#![allow(dead_code, reason = "each test file uses its own part")]

use serde_json::{Value, json};

/// The tokenizer of `golden/models/stories-bpe4k`.
pub fn shipped() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/models/stories-bpe4k/tokenizer.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The shipped tokenizer with a change.
pub fn changed(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut tokenizer = shipped();
    change(&mut tokenizer);
    bytes(&tokenizer)
}

pub fn bytes(tokenizer: &Value) -> Vec<u8> {
    serde_json::to_vec(tokenizer).unwrap()
}

/// A special or an ordinary token that was added to a vocabulary.
pub fn added(id: u32, content: &str, special: bool) -> Value {
    json!({
        "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        "special": special
    })
}

/// A BPE without merges over `vocab`, which starts with `<|endoftext|>`.
pub fn of(vocab: &[&str], decoder: Value) -> Value {
    let vocab: serde_json::Map<String, Value> = vocab.iter().zip(0..).map(|(t, i)| (t.to_string(), json!(i))).collect();
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [added(0, "<|endoftext|>", true)],
        "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": decoder,
        "model": { "type": "BPE", "vocab": vocab, "merges": [], "byte_fallback": true }
    })
}

/// In the style of Llama 2: bytes as `<0x..>`, `▁` for a space, with the first space of a text stripped.
pub fn fallback() -> Value {
    let bytes = [0x61, 0x62, 0xc3, 0xa9, 0x80, 0xe2, 0x94, 0xf0, 0x9f, 0xff];
    let names: Vec<String> = bytes.iter().map(|byte| format!("<0x{byte:02X}>")).collect();
    let mut vocab = vec!["<|endoftext|>", "▁", "▁▁", "A", "▁B", "é", "<0x", "一"];
    vocab.extend(names.iter().map(String::as_str));
    let decoder = json!({ "type": "Sequence", "decoders": [
        { "type": "Replace", "pattern": { "String": "▁" }, "content": " " },
        { "type": "ByteFallback" }, { "type": "Fuse" }, { "type": "Strip", "content": " ", "start": 1, "stop": 0 }
    ]});
    of(&vocab, decoder)
}

/// Subword tokenizers for each of the library's other decoders.
pub fn others() -> Vec<Value> {
    let vocab = ["<|endoftext|>", "a", "b</w>", "##c", "▁d", "▁", ".", "'m", "|", "<pad>", "  e  ", "ab"];
    let strip = |start: u32, stop: u32| json!({ "type": "Strip", "content": " ", "start": start, "stop": stop });
    let sequence = |decoders: Value| json!({ "type": "Sequence", "decoders": decoders });
    let space = json!({ "type": "Replace", "pattern": { "Regex": "[▁|]" }, "content": " " });
    [
        Value::Null,
        json!({ "type": "BPEDecoder", "suffix": "</w>" }),
        json!({ "type": "WordPiece", "prefix": "##", "cleanup": true }),
        json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true }),
        json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": true }),
        json!({ "type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": true }),
        sequence(json!([space, { "type": "Fuse" }])),
        sequence(json!([{ "type": "Fuse" }, strip(2, 0)])),
        sequence(json!([space, { "type": "Fuse" }, strip(0, 3)])),
        sequence(json!([{ "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true }])),
        json!({ "type": "Fuse" }),
    ]
    .into_iter()
    .map(|decoder| of(&vocab, decoder))
    .collect()
}
