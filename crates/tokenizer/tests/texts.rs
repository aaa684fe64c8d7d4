//! Files of stories: every format gives the same stories, and errors in files that are not text give the position.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bitstate_tokenizer::read_stories;
use std::fs;
use tempfile::TempDir;

fn read(name: &str, content: impl AsRef<[u8]>) -> Result<Vec<String>, String> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    read_stories(&path).map_err(|error| error.to_string())
}

#[test]
fn a_text_is_the_same_in_every_form() {
    let stories = ["One.\nTwo.", "Drei: \"ü\" € 😀.", "Four."];
    let text = " One.\nTwo.\n<|endoftext|>\n\n<|endoftext|>Drei: \"ü\" € 😀.<|endoftext|>Four.\n";
    let lines =
        "{\"text\": \"One.\\nTwo.\"}\n\n{\"story\": \" Drei: \\\"ü\\\" € 😀.<|endoftext|>Four.\", \"source\": {}}\n";
    let list =
        "[{\"story\": \"One.\\nTwo.\", \"source\": 3}, {\"text\": \"Drei: \\\"ü\\\" € 😀.\"},\n {\"text\": \"Four.\"}]";
    let windows = |text: &str| text.replace('\n', "\r\n");
    let marked = |text: &str| format!("\u{feff}{text}");
    for (name, text) in [("a.txt", text), ("a", text), ("a.jsonl", lines), ("a.NDJSON", lines), ("a.json", list)] {
        for form in [text.to_string(), windows(text), marked(text), marked(&windows(text))] {
            assert_eq!(read(name, &form).unwrap(), stories, "{name}: {form:?}");
        }
    }
    assert_eq!(read("a.jsonl", "{\"text\": \"One.\\r\\nTwo.\"}").unwrap(), ["One.\nTwo."]);
    assert_eq!(read("a.txt", "").unwrap(), [""; 0]);
}

#[test]
fn what_is_no_text_is_named_with_its_place() {
    let utf16 = |mark: bool| -> Vec<u8> {
        let units = "\u{feff}Hi.".encode_utf16().skip(usize::from(!mark));
        units.flat_map(u16::to_le_bytes).collect()
    };
    // Beyond the first read, with a character across its end.
    let mut late = "é".repeat(600_000).into_bytes();
    late.extend(b"\xff.");
    let mut cut = b"a".repeat((1 << 20) - 1);
    cut.push(0xc3);
    for (name, content, parts) in [
        ("a.txt", b"good\xffbad".to_vec(), ["not UTF-8", "offset 4"]),
        ("a.txt", b"\xef\xbb\xbfgood\xe9bad".to_vec(), ["not UTF-8", "offset 7"]),
        ("a.jsonl", b"{\"text\": \"\xe9\"}".to_vec(), ["not UTF-8", "offset 10"]),
        ("a.txt", late, ["not UTF-8", "offset 1200000"]),
        ("a.txt", cut, ["not UTF-8", "offset 1048575"]),
        ("a.txt", utf16(true), ["offset 0, the mark of UTF-16", "iconv -f UTF-16"]),
        ("a.txt", utf16(false), ["byte 1 is U+0000", "UTF-16"]),
        ("a.txt", b"ab\0".to_vec(), ["byte 2 is U+0000", "end of a text"]),
        ("a.json", br#"[{"text": "b"}, {"story": "a\u0000b"}]"#.to_vec(), ["object 2: byte 1 is U+0000", "a.json"]),
        ("a.jsonl", b"{\"text\": \"a\"}\n{\"text\": \"a\\u0000\"}".to_vec(), ["line 2: byte 1", "U+0000"]),
        ("a.jsonl", b"{\"text\": \"a\"}\n\"b\"\n".to_vec(), ["line 2 is not an object", "`story`"]),
        ("a.jsonl", b"\n{\"title\": \"a\"}".to_vec(), ["the object in line 2", "neither a `text` nor a `story`"]),
        ("a.ndjson", br#"{"text": "a", "story": "b"}"#.to_vec(), ["line 1", "both a `text` and a `story`"]),
        ("a.json", b"{\"text\": \"a\"}\n{\"text\": \"b\"}".to_vec(), ["not a list", "named .jsonl"]),
        ("a.json", br#"[{"text": "a"}, {}]"#.to_vec(), ["object 2", "neither"]),
    ] {
        let error = read(name, content).unwrap_err();
        assert!(error.contains(name) && parts.iter().all(|part| error.contains(part)), "{error}");
    }
    assert!(read_stories("/nowhere.txt".as_ref()).unwrap_err().to_string().contains("cannot read /nowhere.txt"));
}

/// Infinite devices are not texts either.
#[cfg(target_os = "linux")]
#[test]
fn a_device_without_an_end_is_refused() {
    let error = |path: &str| read_stories(path.as_ref()).unwrap_err().to_string();
    assert!(error("/dev/zero").contains("byte 0 is U+0000"));
    assert!(error("/dev/urandom").contains("/dev/urandom: "));
}
