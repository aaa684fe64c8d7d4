//! `eval` gives the same result for every file format of a text.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use serde::Deserialize;
use std::fs;
use support::{BYTE, Folder};

#[derive(Debug, Deserialize, PartialEq)]
struct Quality {
    stories: usize,
    tokens: usize,
    bytes: usize,
    nats_per_token: f64,
    bits_per_byte: Option<f64>,
}

#[test]
fn a_text_gives_the_same_result_in_every_format() {
    let folder = Folder::new();
    let text = "One day, Zoë went\nto the park.\n\nThe end.\n<|endoftext|>\nTim said \"Hi!\"\n";
    let lines =
        "{\"text\": \"One day, Zoë went\\nto the park.\\n\\nThe end.\"}\n{\"story\": \"Tim said \\\"Hi!\\\"\"}\n";
    let list =
        "[{\"story\": \"One day, Zoë went\\nto the park.\\n\\nThe end.\"},\n{\"story\": \"Tim said \\\"Hi!\\\"\"}]\n";
    let windows = |text: &str| text.replace('\n', "\r\n");
    let forms = [
        ("plain.txt", text.to_string()),
        ("mark.txt", format!("\u{feff}{text}")),
        ("windows.txt", windows(text)),
        ("both.txt", format!("\u{feff}{}", windows(text))),
        ("lines.jsonl", lines.to_string()),
        ("lines.ndjson", format!("\u{feff}{}", windows(lines))),
        ("list.json", list.to_string()),
    ];
    let cost = |name: &str| -> Quality { folder.json(&format!("eval --model {BYTE} --text {name} --json")) };
    for (name, content) in &forms {
        fs::write(folder.path().join(name), content).unwrap();
    }
    let plain = cost("plain.txt");
    assert_eq!((plain.stories, plain.bytes, plain.tokens), (2, 55, 57));
    for (name, _) in &forms {
        assert_eq!(cost(name), plain, "{name}");
    }
}

#[test]
fn invalid_text_is_rejected_with_its_position() {
    let folder = Folder::new();
    let utf16: Vec<u8> = "\u{feff}Hi.".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (name, content, part) in [
        ("latin.txt", b"Zo\xeb".to_vec(), "not UTF-8: the first wrong byte is at offset 2"),
        ("wide.txt", utf16, "offset 0, the mark of UTF-16"),
        ("zero.txt", b"a\0b".to_vec(), "byte 1 is U+0000"),
        ("lines.jsonl", b"{\"text\": \"a\"}\n{\"title\": \"b\"}\n".to_vec(), "the object in line 2 has neither"),
        ("lines.json", b"{\"text\": \"a\"}\n{\"text\": \"b\"}\n".to_vec(), "named .jsonl"),
    ] {
        fs::write(folder.path().join(name), content).unwrap();
        let ran = folder.run(&format!("eval --model {BYTE} --text {name}"));
        assert!(
            !ran.success && ran.err.starts_with(&format!("error: {name}: ")) && ran.err.contains(part),
            "{}",
            ran.err
        );
    }
}
