//! Small tokenizers of every family, each with a text.

use super::text;
use crate::Inputs;
use serde_json::{Map, Value, json};
use std::path::Path;

const END: &str = "<|endoftext|>";
const TEXT: &str = "Once upon a time, Tim's dog saw 3 c\u{e4}ts \u{1f642}. <|endoftext|>\nThe end";

/// The stored tokenizer truncated to its first tokens, and every kind of model, normalizer, pre-tokenizer,
/// post-processor and decoder of the `tokenizers` library.
///
/// # Errors
/// If the stored tokenizer cannot be read.
pub fn tokenizer(root: &Path) -> anyhow::Result<Inputs> {
    let stored: Value = serde_json::from_str(&text(root, "golden/models/stories-bpe4k/tokenizer.json")?)?;
    let base = cut(stored, 280);
    let mut files = vec![("stories".to_string(), base.clone())];
    let mut put = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut file = base.clone();
        change(&mut file);
        files.push((name.to_string(), file));
    };
    put("truncated", &|file| {
        file["truncation"] = json!({"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0});
    });
    put("padded", &|file| {
        file["padding"] = json!({"strategy": {"Fixed": 16}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
            "pad_type_id": 0, "pad_token": END});
    });
    put("gap", &|file| file["model"]["vocab"]["zzz"] = 5000.into());
    for (i, model) in models().into_iter().enumerate() {
        put(&format!("model-{i}"), &|file| {
            file["model"] = model.clone();
            file["pre_tokenizer"] = json!({"type": "Whitespace"});
        });
    }
    let parts = [
        ("normalizer", normalizers()),
        ("pre_tokenizer", pre_tokenizers()),
        ("post_processor", post_processors()),
        ("decoder", decoders()),
    ];
    let small = models().swap_remove(0);
    for (part, choices) in parts {
        for (i, choice) in choices.into_iter().enumerate() {
            put(&format!("{part}-{i}"), &|file| {
                file["model"] = small.clone();
                file[part] = choice.clone();
            });
        }
    }
    Ok(files.into_iter().map(|(name, file)| (name, format!("{file}\0{TEXT}").into_bytes())).collect())
}

/// A byte-level BPE of its first `count` tokens.
fn cut(mut file: Value, count: u64) -> Value {
    let model = &mut file["model"];
    let vocab: Map<String, Value> = model["vocab"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, id)| id.as_u64() < Some(count))
        .map(|(token, id)| (token.clone(), id.clone()))
        .collect();
    let known = |merge: &Value| {
        let pair: Vec<&str> = match merge {
            Value::String(pair) => pair.split(' ').collect(),
            pair => pair.as_array().into_iter().flatten().filter_map(Value::as_str).collect(),
        };
        vocab.contains_key(&pair.concat())
    };
    let merges = model["merges"].as_array().into_iter().flatten().filter(|merge| known(merge)).cloned().collect();
    model["merges"] = Value::Array(merges);
    model["vocab"] = Value::Object(vocab);
    file
}

fn models() -> Vec<Value> {
    let bpe = |vocab: Value, byte_fallback: bool, unk: Option<&str>| {
        json!({"type": "BPE", "dropout": null, "unk_token": unk, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": byte_fallback, "ignore_merges": false,
            "vocab": vocab, "merges": []})
    };
    let mut merged = bpe(json!({END: 0, "a": 1, "b": 2, "ab": 3, "aba": 4, "[UNK]": 5}), false, Some("[UNK]"));
    merged["merges"] = json!([["a", "b"], ["ab", "a"]]);
    vec![
        bpe(json!({END: 0, "<0x61>": 1, "<0xC3>": 2, "<0xA4>": 3, "T": 4, "e": 5, "\u{2581}": 6}), true, None),
        merged,
        json!({"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": {END: 0, "[UNK]": 1, "Once": 2, "##ce": 3, "On": 4, "a": 5}}),
        json!({"type": "WordLevel", "unk_token": "[UNK]", "vocab": {END: 0, "[UNK]": 1, "Once": 2, "a": 3}}),
        json!({"type": "Unigram", "unk_id": 0, "byte_fallback": false,
            "vocab": [[END, 0.0], ["a", -1.5], ["Once", -2.0], ["O", -3.0], ["n", -3.0], ["\u{2581}", -1.0]]}),
    ]
}

fn normalizers() -> Vec<Value> {
    let plain = ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Nmt", "StripAccents", "ByteLevel"];
    let mut all: Vec<Value> = plain.iter().map(|kind| json!({"type": kind})).collect();
    all.extend([
        json!({"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
            "lowercase": true}),
        json!({"type": "Strip", "strip_left": true, "strip_right": true}),
        json!({"type": "Precompiled", "precompiled_charsmap": "BAAAAAAAAABhAA=="}),
        json!({"type": "Prepend", "prepend": "\u{2581}"}),
        json!({"type": "Replace", "pattern": {"String": " "}, "content": "\u{2581}"}),
        json!({"type": "Replace", "pattern": {"Regex": "[aeiou]+"}, "content": "e"}),
        json!({"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]}),
    ]);
    all
}

fn pre_tokenizers() -> Vec<Value> {
    let mut all: Vec<Value> = ["BertPreTokenizer", "Whitespace", "WhitespaceSplit", "UnicodeScripts"]
        .iter()
        .map(|kind| json!({"type": kind}))
        .collect();
    all.extend([
        json!({"type": "CharDelimiterSplit", "delimiter": " "}),
        json!({"type": "Digits", "individual_digits": true}),
        json!({"type": "Punctuation", "behavior": "Isolated"}),
        json!({"type": "FixedLength", "length": 3}),
        json!({"type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "always", "split": true}),
        json!({"type": "Split", "pattern": {"Regex": "\\s+(?!\\S)|\\s+"}, "behavior": "MergedWithPrevious", "invert": false}),
        json!({"type": "Split", "pattern": {"String": "a"}, "behavior": "Contiguous", "invert": true}),
        json!({"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Digits", "individual_digits": false}]}),
    ]);
    all
}

fn post_processors() -> Vec<Value> {
    vec![
        json!({"type": "BertProcessing", "sep": [END, 0], "cls": [END, 0]}),
        json!({"type": "RobertaProcessing", "sep": [END, 0], "cls": [END, 0], "trim_offsets": true, "add_prefix_space": true}),
        json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}),
        json!({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": END, "type_id": 0}},
            {"Sequence": {"id": "A", "type_id": 0}}], "pair": [{"Sequence": {"id": "A", "type_id": 0}},
            {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {END: {"id": END, "ids": [0], "tokens": [END]}}}),
    ]
}

fn decoders() -> Vec<Value> {
    vec![
        json!({"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "\u{2581}"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}),
        json!({"type": "WordPiece", "prefix": "##", "cleanup": true}),
        json!({"type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "first", "split": true}),
        json!({"type": "BPEDecoder", "suffix": "</w>"}),
        json!({"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": true}),
    ]
}
