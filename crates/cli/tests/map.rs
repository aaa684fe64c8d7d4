//! `map`: one line for every record, in order, whatever is wrong with one of them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use serde::Deserialize;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use support::{BYTE, Folder};

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Line {
    record: u64,
    answer: Option<String>,
    tokens: Option<u64>,
    whole: Option<bool>,
    error: Option<String>,
}

fn lines(out: &str) -> Vec<Line> {
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Different records, more of them than are answered at once.
fn records(count: usize) -> String {
    (0..count).map(|n| format!("12:{:02} P{n} temp={}.5/75\n", n % 60, n * 7 % 90)).collect()
}

#[test]
fn an_answer_is_that_of_the_record_alone() {
    let folder = Folder::new();
    let arguments = format!("map --model {BYTE} --max-tokens 9 --suffix > --json");
    let ran = folder.with_input(&arguments, b"12:05 P12\nabc\n");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let answers = lines(&ran.out);
    for (line, prompt) in answers.iter().zip(["12:05 P12>", "abc>"]) {
        // The same tokens after the end of a text, from `generate`.
        let ids: Vec<String> = std::iter::once(0).chain(prompt.bytes()).map(|byte| byte.to_string()).collect();
        let arguments =
            format!("generate --model {BYTE} --greedy --max-tokens 9 --stop {} --tokens {}", "\n", ids.join(","));
        let alone = folder.stdout(&arguments);
        assert_eq!(line.answer.as_deref(), alone.strip_suffix('\n'), "{prompt}");
    }
    assert_eq!(answers.iter().map(|line| line.record).collect::<Vec<_>>(), [1, 2]);
    assert!(ran.err.contains("2 records, 0 not answered") && ran.err.contains("records/s"), "{}", ran.err);
}

#[test]
fn a_prefix_is_as_if_it_stood_before_every_record() {
    let folder = Folder::new();
    let ask = |flags: &str, input: &str| {
        let ran = folder.with_input(&format!("map --model {BYTE} --max-tokens 9 {flags}"), input.as_bytes());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.out
    };
    let input = records(5);
    let prefixed: String = input.lines().map(|line| format!("plant 7: {line}\n")).collect();
    assert_eq!(ask("--prefix plant+7:+", &input), ask("--prefix=", &prefixed));
    assert_ne!(ask("--prefix plant+7:+", &input), ask("--prefix=", &input));
}

#[test]
fn threads_and_their_number_change_nothing() {
    let folder = Folder::new();
    folder.tiny();
    let input = records(300);
    let ask = |threads: &str| {
        let arguments = format!("map --model tiny.bits --max-tokens 6 --json --threads {threads}");
        let ran = folder.with_input(&arguments, input.as_bytes());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.out
    };
    let one = ask("1");
    assert_eq!(one.lines().count(), 300);
    assert!(lines(&one).iter().zip(1..).all(|(line, number)| line.record == number));
    assert_eq!(one, ask("auto"));
}

#[test]
fn what_cannot_be_read_is_one_line_and_the_next_is_answered() {
    let folder = Folder::new();
    folder.tiny();
    let long = "x".repeat(41);
    let mut input = format!("first\n\n \r\n{long}\n").into_bytes();
    input.extend(b"{}\r\nZo\xeb\nzero\0\nlast");
    let arguments = "map --model tiny.bits --max-tokens 4 --max-bytes 40";
    let ran = folder.with_input(&format!("{arguments} --json"), &input);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let answers = lines(&ran.out);
    assert_eq!(answers.len(), 6, "{answers:?}");
    let errors: Vec<Option<&str>> = answers.iter().map(|line| line.error.as_deref()).collect();
    assert_eq!(errors[0], None);
    assert!(errors[1].unwrap().contains("41 bytes: at most 40 (--max-bytes)"), "{errors:?}");
    assert_eq!(errors[2], None);
    assert!(errors[3].unwrap().contains("not UTF-8: the first wrong byte is at offset 2"), "{errors:?}");
    assert!(errors[4].unwrap().contains("U+0000"), "{errors:?}");
    assert_eq!(errors[5], None);
    assert!(ran.err.contains("6 records, 3 not answered"), "{}", ran.err);
    // As text, an error stands where the answer would.
    let ran = folder.with_input(arguments, &input);
    let said: Vec<&str> = ran.out.lines().collect();
    assert!(said.len() == 6 && said[1].starts_with("error: record 2: ") && said[3].starts_with("error: record 4: "));
    // A record of exactly the limit is one.
    let ran = folder.with_input(arguments, format!("{}\n{}", &long[1..], &long[1..]).as_bytes());
    assert_eq!((ran.code, ran.out.lines().count()), (Some(0), 2));
}

#[test]
fn an_endless_line_takes_no_memory_and_no_answer() {
    let folder = Folder::new();
    folder.tiny();
    let mut input = vec![b'x'; 8 << 20];
    input.extend(b"\nshort\n");
    let ran = folder.with_input("map --model tiny.bits --max-tokens 4 --json", &input);
    let answers = lines(&ran.out);
    assert_eq!((ran.code, answers.len()), (Some(1), 2));
    assert!(answers[0].error.as_deref().unwrap().contains("8388608 bytes"), "{answers:?}");
    assert!(answers[1].error.is_none());
}

#[test]
fn nothing_is_no_record() {
    let folder = Folder::new();
    for input in ["", "\n\n \n"] {
        let ran = folder.with_input(&format!("map --model {BYTE}"), input.as_bytes());
        assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""), "{ran:?}");
        assert!(ran.err.contains("0 records"), "{}", ran.err);
    }
}

#[test]
fn wrong_flags_are_named() {
    let folder = Folder::new();
    for (arguments, part) in [
        ("map", "--model"),
        ("map --model byte.bits --follow", "give --records FILE"),
        ("map --model byte.bits --records nowhere.log", "cannot read nowhere.log"),
        ("map --model byte.bits --records folder", "name a file"),
        ("map --model small.bits --records byte.bits", "256 tokens"),
        ("map --model byte.bits --max-tokens 0", "from 1 to 4294967295"),
        ("map --model byte.bits --threads 0", "or auto"),
    ] {
        let ran = folder.run(arguments);
        assert!(ran.code == Some(2) && ran.out.is_empty() && ran.err.contains(part), "{arguments}: {ran:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_grows_is_followed_until_ctrl_c() {
    let folder = Folder::new();
    folder.tiny();
    let log = folder.path().join("plant.log");
    fs::write(&log, "one\ntw").unwrap();
    let mut command = folder.command("map --model tiny.bits --max-tokens 4 --records plant.log --follow --json");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Line>(&out.next().unwrap().unwrap()).unwrap();
    assert_eq!(next().record, 1);
    let append = |text: &str| OpenOptions::new().append(true).open(&log).unwrap().write_all(text.as_bytes()).unwrap();
    // A line that was half written is one record.
    append("o\nthree\n");
    let (two, three) = (next(), next());
    assert_eq!((two.record, three.record), (2, 3));
    // The file is replaced by a shorter one.
    fs::write(&log, "two\n").unwrap();
    let again = next();
    assert_eq!((again.record, &again.answer), (4, &two.answer));
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("4 records, 0 not answered"), "{said}");
}

#[test]
fn a_reader_that_leaves_ends_it_without_an_error() {
    let folder = Folder::new();
    folder.tiny();
    fs::write(folder.path().join("many.log"), records(2000)).unwrap();
    let mut command = folder.command("map --model tiny.bits --max-tokens 4 --records many.log");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    drop(out);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn a_recorded_session_has_the_answers_of_this_machine() {
    let folder = Folder::new();
    folder.copy("monitor", "model.bits");
    folder.copy("monitor", "model.bits.json");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/transcripts/monitor.txt");
    let session = fs::read_to_string(path).unwrap();
    let (records, answers): (Vec<&str>, Vec<&str>) = session.lines().partition(|line| line.starts_with("> "));
    let records: String = records.iter().map(|record| format!("{}\n", &record[2..])).collect();
    let ran = folder.with_input("map --model model.bits", records.as_bytes());
    assert_eq!(ran.out.lines().collect::<Vec<_>>(), answers);
    assert!(answers.len() > 10, "{answers:?}");
}
