//! Texts to token files and back, and invalid texts.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bitstate_tokenizer::read_stories;
use bitstate_train::data::{Data, Prepare, TokenFile, TokenizerKind, Windows, load_tokenizer, prepare, smoke_corpus};
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn job(folder: &Path, inputs: Vec<PathBuf>, tokenizer: &str) -> Prepare {
    Prepare {
        inputs,
        valid: vec![],
        held_out: 0.1,
        tokenizer: tokenizer.parse().unwrap(),
        end: None,
        out: folder.join("data"),
    }
}

fn tokens(path: PathBuf) -> Vec<u32> {
    let file = TokenFile::open(&path).unwrap();
    (0..file.len()).map(|i| file.get(i)).collect()
}

#[test]
fn bytes_are_the_stories_between_ends() {
    let folder = TempDir::new().unwrap();
    let (train, valid) = (folder.path().join("train.txt"), folder.path().join("valid.json"));
    fs::write(&train, " One.\n<|endoftext|>\n\n<|endoftext|>Zwö.\n").unwrap();
    fs::write(&valid, r#"[{"story": "Three.", "source": "x"}]"#).unwrap();
    let mut job = job(folder.path(), vec![train], "byte");
    job.valid = vec![valid];
    let made = prepare(&job).unwrap();
    let expected = b"\0One.\0Zw\xc3\xb6.\0".map(u32::from);
    assert_eq!(tokens(job.out.join("train.tokens")), expected);
    assert_eq!(tokens(job.out.join("valid.tokens")), b"\0Three.\0".map(u32::from));
    assert_eq!((made.train.stories, made.train.tokens, made.train.bytes), (2, 12, 9));
    let file = TokenFile::open(&job.out.join("train.tokens")).unwrap();
    assert_eq!(file.bytes_per_token(), 9.0 / 12.0);
}

#[test]
fn every_story_is_on_one_side_of_the_split() {
    let folder = TempDir::new().unwrap();
    let text = folder.path().join("stories.txt");
    let all = smoke_corpus(500, 1);
    fs::write(&text, all.join("<|endoftext|>")).unwrap();
    let made = prepare(&job(folder.path(), vec![text.clone()], "byte")).unwrap();
    assert_eq!(made.train.stories + made.valid.stories, 500);
    assert!((20..90).contains(&made.valid.stories), "{}", made.valid.stories);
    // In another order the same stories are held out.
    let mut reversed = all;
    reversed.reverse();
    fs::write(&text, reversed.join("<|endoftext|>")).unwrap();
    assert_eq!(prepare(&job(folder.path(), vec![text], "byte")).unwrap(), made);
}

#[test]
fn a_bpe_gives_its_text_back_and_reads_itself() {
    let folder = TempDir::new().unwrap();
    let text = folder.path().join("stories.txt");
    fs::write(&text, smoke_corpus(200, 1).join("<|endoftext|>")).unwrap();
    let job = job(folder.path(), vec![text], "bpe:400");
    let made = prepare(&job).unwrap();
    assert_eq!(made.vocab_size, 400);
    assert!((made.train.tokens as u64) < made.train.bytes / 2, "{made:?}");
    let path = job.out.join("tokenizer.json");
    let bpe = load_tokenizer(&path).unwrap();
    let end = bpe.end().unwrap();
    let first = tokens(job.out.join("train.tokens"));
    assert_eq!(first[0], end);
    let story: Vec<u32> = first[1..].iter().copied().take_while(|&token| token != end).collect();
    assert!(smoke_corpus(200, 1).contains(&bpe.decode(&story)));
    // The file is also a tokenizer to prepare with.
    let mut again = job.clone();
    again.tokenizer = TokenizerKind::File(path);
    again.out = folder.path().join("again");
    assert_eq!(prepare(&again).unwrap(), made);
}

#[test]
fn wrong_texts_are_named() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("text.txt");
    let error = |content: &[u8], tokenizer: &str| {
        fs::write(&path, content).unwrap();
        prepare(&job(folder.path(), vec![path.clone()], tokenizer)).unwrap_err().to_string()
    };
    let said = error(b"good\xffbad", "byte");
    assert!(said.contains("text.txt") && said.contains("not UTF-8") && said.contains("offset 4"), "{said}");
    let said = error(b" \n<|endoftext|>\n ", "byte");
    assert!(said.contains("there is no story in") && said.contains("text.txt"), "{said}");
    let said = error(b"a\0b", "byte");
    assert!(said.contains("U+0000"), "{said}");
    let json = folder.path().join("text.json");
    fs::write(&json, r#"[{"story": "a\u0000b"}]"#).unwrap();
    let said = read_stories(&json).unwrap_err().to_string();
    assert!(said.contains("text.json") && said.contains("U+0000"), "{said}");
    let many = smoke_corpus(30, 1).join("<|endoftext|>");
    let said = error(many.as_bytes(), "bpe:9000");
    assert!(said.contains("not 9000"), "{said}");
    assert!(read_stories(Path::new("/nowhere.txt")).unwrap_err().to_string().contains("/nowhere.txt"));
    for wrong in ["bpe:12", "bpe:99999999999999", "bpe:x", "words", "bpe"] {
        assert!(wrong.parse::<TokenizerKind>().is_err(), "{wrong}");
    }
}

#[test]
fn a_split_that_cannot_be_is_refused() {
    let folder = TempDir::new().unwrap();
    let (text, empty) = (folder.path().join("stories.txt"), folder.path().join("empty.txt"));
    fs::write(&text, smoke_corpus(5, 1).join("<|endoftext|>")).unwrap();
    fs::write(&empty, "").unwrap();
    let error = |held_out: f64, valid: &[&Path]| {
        let valid = valid.iter().map(|path| path.to_path_buf()).collect();
        let job = Prepare { held_out, valid, ..job(folder.path(), vec![text.clone()], "byte") };
        prepare(&job).unwrap_err().to_string()
    };
    for share in [0.0, 1.0, -1.0, 2.0, f64::NAN] {
        let said = error(share, &[]);
        assert!(said.contains(&format!("is {share}, and must be above 0 and below 1")), "{said}");
    }
    assert!(error(1e-9, &[]).contains("5 stories are too few"));
    assert!(error(0.1, &[&empty]).contains("there is no story in") && error(0.1, &[&empty]).contains("empty.txt"));
    assert!(error(0.1, &[&text]).contains("every story to hold out is in the text to train on"));
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let folder = TempDir::new().unwrap();
    let text = folder.path().join("stories.txt");
    fs::write(&text, smoke_corpus(200, 1).join("<|endoftext|>")).unwrap();
    let of = |name: &str, tokenizer: &str| {
        let job = Prepare { out: folder.path().join(name), ..job(folder.path(), vec![text.clone()], tokenizer) };
        prepare(&job).unwrap();
        job.out
    };
    let (bytes, bpe, mixed) = (of("bytes", "byte"), of("bpe", "bpe:400"), of("mixed", "bpe:400"));
    let refused = |why: &str| {
        let error = Data::open(&mixed).unwrap_err().to_string();
        assert!(error.contains(why) && error.contains("mixed"), "no `{why}` in {error}");
    };
    assert_eq!(Data::open(&mixed).unwrap().tokenizer_name(), Data::open(&bpe).unwrap().tokenizer_name());
    // Its tokenizer is missing, truncated, or another of the same size.
    let path = mixed.join("tokenizer.json");
    let json = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    refused("another tokenizer than bytes");
    fs::write(&path, &json[..json.len() / 2]).unwrap();
    refused("tokenizer.json");
    fs::write(&path, json + " ").unwrap();
    refused("another tokenizer than the tokenizer.json beside it");
    // One side is of bytes.
    fs::copy(bpe.join("tokenizer.json"), &path).unwrap();
    fs::copy(bytes.join("valid.tokens"), mixed.join("valid.tokens")).unwrap();
    refused("valid.tokens: made with another tokenizer");
    // Prepared again with bytes, it is complete: no old tokenizer is left.
    assert_eq!(Data::open(&of("mixed", "byte")).unwrap().tokenizer_name(), "byte");
    fs::remove_file(mixed.join("train.tokens")).unwrap();
    refused("`bitstate data prepare` makes it");
}

#[test]
fn what_is_no_token_file_is_refused() {
    let folder = TempDir::new().unwrap();
    let text = folder.path().join("stories.txt");
    fs::write(&text, smoke_corpus(50, 1).join("<|endoftext|>")).unwrap();
    let job = job(folder.path(), vec![text], "byte");
    prepare(&job).unwrap();
    let good = fs::read(job.out.join("train.tokens")).unwrap();
    let path = folder.path().join("bad.tokens");
    let mut wrong = good.clone();
    wrong[0] ^= 1;
    let mut far = good.clone();
    *far.last_mut().unwrap() = 1;
    for (content, why) in [
        (&good[..20], "too short"),
        (&good[..good.len() - 1], "length"),
        (&wrong, "not a token file"),
        (&far, "not below 256"),
    ] {
        fs::write(&path, content).unwrap();
        let error = TokenFile::open(&path).unwrap_err().to_string();
        assert!(error.contains(why) && error.contains("bad.tokens"), "{error}");
    }
}

#[test]
fn an_epoch_is_every_window_once() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("count.tokens");
    let all: Vec<u32> = (0..1000).collect();
    bitstate_train::data::write_tokens(&path, (70_000, 0), 1000, &all).unwrap();
    let file = TokenFile::open(&path).unwrap();
    let mut windows = Windows::new(file.len(), 16, 5, [0, 0]).unwrap();
    let count = windows.count();
    assert!(count >= 1000 / 16 - 2);
    let mut starts = Vec::new();
    for _ in 0..2 {
        let mut seen = HashSet::new();
        for _ in 0..count {
            let (mut inputs, mut targets) = (vec![], vec![]);
            windows.next(&file, &mut inputs, &mut targets);
            assert_eq!((inputs.len(), targets.len()), (16, 16));
            assert!(inputs.iter().zip(&targets).all(|(a, b)| a + 1 == *b));
            assert!(seen.insert(inputs[0]));
            starts.push(inputs[0]);
        }
        assert_eq!(seen.iter().map(|start| start % 16).collect::<HashSet<_>>().len(), 1);
    }
    assert_ne!(starts[..count], starts[count..]);
    // The same windows, starting at a position.
    let mut later = Windows::new(file.len(), 16, 5, [1, 3]).unwrap();
    let (mut inputs, mut targets) = (vec![], vec![]);
    later.next(&file, &mut inputs, &mut targets);
    assert_eq!(inputs[0], starts[count + 3]);
    assert!(Windows::new(16, 16, 5, [0, 0]).is_none());
}
