//! Files of rows: records and journals of runs, accepted counters, the golden streams. Each is either rejected with an
//! error message, or unchanged after writing and reading it again.
//!
//! The first line of an input names the kind of file that follows: `records`, `journal`, `baseline`, `stream`, `kernels` or
//! `quality`.

use crate::input::{kind, with_file};
use bitstate_harness::definitions::golden::{parse_kernels, parse_stream};
use bitstate_harness::records::journal::Journal;
use bitstate_harness::records::lines::Lines;
use bitstate_harness::records::merge::check_parts;
use bitstate_harness::records::{Row, Tally, parts_of, to_text};
use bitstate_harness::runs::quality::Quality;
use bitstate_harness::verdicts::baseline::Baseline;
use bitstate_protocol::{Sampling, Workload};
use std::io::Cursor;
use std::path::Path;

/// Reads one input.
///
/// # Panics
/// If a file differs after writing and reading it again.
pub fn run(data: &[u8]) {
    // Not always UTF-8, for example after a crash.
    let Some(end) = data.iter().position(|&byte| byte == b'\n') else { return };
    let (file, text) = (&data[end + 1..], kind(data).map(|(_, text)| text));
    match (&data[..end], text) {
        (b"records", _) => records(file),
        (b"journal", _) => journal(file),
        (b"baseline", Some(text)) => baseline(text),
        (b"stream", Some(text)) => {
            let workload = Workload { case: "a".into(), prompt: vec![3, 1], max_tokens: 4, sampling: Sampling::Greedy };
            let _ = parse_stream(text, "small", &workload);
        }
        (b"kernels", Some(text)) => {
            let _ = parse_kernels(text);
        }
        (b"quality", Some(text)) => {
            let _ = Quality::parse(text);
        }
        _ => {}
    }
}

fn records(file: &[u8]) {
    let path = Path::new("records.jsonl");
    let lines = |file: Vec<u8>| Lines::of(path, Cursor::new(file));
    let Ok(parts) = parts_of(lines(file.to_vec())) else { return };
    let _ = check_parts(path, &parts);
    let rows = parts.iter().flat_map(|part| {
        let run = Row::Run(Box::new(part.provenance.clone()));
        std::iter::once(run).chain(part.rows.iter().cloned())
    });
    let rows: Vec<Row> = rows.collect();
    let _ = Tally::of(&rows);
    let written = to_text(&rows).expect("rows can be written as JSON");
    let again = parts_of(lines(written.into_bytes()));
    assert_eq!(again.expect("written rows can be read"), parts);
}

fn baseline(text: &str) {
    let Ok(baseline) = Baseline::parse("native", text) else { return };
    let written = baseline.to_text().expect("a baseline can be written as JSON");
    assert_eq!(Baseline::parse("native", &written), Ok(baseline));
}

/// Journals are read in place: a truncated last line is removed from the file.
fn journal(file: &[u8]) {
    with_file(file, |path| {
        let Ok((journal, torn)) = Journal::open(path) else { return };
        let state = (journal.begun().clone(), journal.finished(), journal.spent());
        // The journal holds a lock.
        drop(journal);
        let (again, torn_again) = Journal::open(path).expect("an opened journal can be opened again");
        assert!(!torn_again, "the truncated line was removed");
        assert_eq!((again.begun().clone(), again.finished(), again.spent()), state);
        let length = std::fs::metadata(path).expect("the file exists").len();
        assert_eq!(torn, length < file.len() as u64, "only a truncated line is removed");
    });
}
