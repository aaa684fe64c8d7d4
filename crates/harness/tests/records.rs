//! Records files that are truncated, concatenated, forged or too long: each is refused with an exit code and a message.
//! And the JSON Schema of the rows, which every written row must satisfy.
#![allow(clippy::unwrap_used)]

use bitstate_harness::definitions::metrics::Direction;
use bitstate_harness::definitions::thresholds::TimeLimits;
use bitstate_harness::records::lines::Lines;
use bitstate_harness::records::provenance::Provenance;
use bitstate_harness::records::{Row, SCHEMA, read, records_of, schema, write};
use bitstate_harness::targets::skip::Cause;
use bitstate_harness::workspace::Workspace;
use serde_json::Value;
use std::path::PathBuf;

fn provenance() -> Provenance {
    let time_limits = Some(TimeLimits { floor: 0.01, ceiling: 0.05 });
    Provenance {
        commit: "0123456789ab".into(),
        committed: Some("2026-01-30T00:00:00Z".into()),
        cpu: "AMD EPYC".into(),
        cpu_features: "fpu avx2 ".repeat(12) + "avx512f",
        pinned_to: Some(1),
        resumed: vec!["2026-01-31T00:00:00Z".into()],
        tools: [("rustc".to_string(), "1.95".to_string())].into(),
        time_limits,
        ..Provenance::default()
    }
}

/// One row of every kind.
fn rows() -> Vec<Row> {
    let (target, variant, workload): (String, String, String) = ("native".into(), "avx2".into(), "a".into());
    let cell = || (target.clone(), variant.clone());
    let ((t1, v1), (t2, v2), (t3, v3), (t4, v4), (t5, v5)) = (cell(), cell(), cell(), cell(), cell());
    vec![
        Row::Run(Box::new(provenance())),
        Row::Sample {
            target: t1,
            variant: v1,
            workload: workload.clone(),
            model: "00000000000000aa".into(),
            sample: 3,
            phase: "decode".into(),
            metric: "time".into(),
            unit: "ns".into(),
            direction: Direction::Lower,
            value: u64::MAX,
        },
        Row::Pair {
            target: target.clone(),
            workload: workload.clone(),
            model: "00000000000000aa".into(),
            sides: ["old".into(), "new".into()],
            noise: true,
            round: 1,
            pair: 19,
            second_first: false,
            phase: "prefill".into(),
            metric: "time".into(),
            unit: "ns".into(),
            values: [0, 17],
        },
        Row::Artifact { target: t2, variant: None, name: "firmware".into(), section: "text".into(), bytes: 7 },
        Row::Layout {
            target: t3,
            variant: v3,
            model: "byte".into(),
            matrix: "tm.r".into(),
            rows: 128,
            cols: 96,
            count: Some(4),
            kernel: "plain".into(),
            row_tail: "none".into(),
            col_tail: "none".into(),
        },
        Row::Verified { target: t4, variant: v4, workload: workload.clone(), steps: 300 },
        Row::Skipped {
            target: t5,
            variant: v5,
            workload: None,
            cause: Cause::NotComparable,
            reason: "another model".into(),
            expected: false,
        },
        Row::Peer {
            target: target.clone(),
            variant: v2.clone(),
            workload: workload.clone(),
            model: "00000000000000aa".into(),
            peer: "other".into(),
            network: "f32".into(),
            round: 0,
            unit: "ns/token".into(),
            values: [7, 17],
        },
        Row::Failed {
            target,
            variant: v2,
            workload: Some(workload),
            during: "bench".into(),
            error: "ended by signal 9".into(),
            exit: 2,
        },
    ]
}

struct Records {
    _folder: tempfile::TempDir,
    path: PathBuf,
    text: String,
}

impl Records {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.jsonl");
        write(&path, &rows()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        Records { _folder: folder, path, text }
    }

    /// The message and exit code for a file with this text.
    fn said(&self, text: impl AsRef<[u8]>) -> (String, u8) {
        std::fs::write(&self.path, text).unwrap();
        let error = read(&self.path).unwrap_err();
        let said = error.to_string();
        assert!(said.starts_with(&self.path.display().to_string()), "the file is named: {said}");
        (said, error.exit().code())
    }

    /// Checks that a file with this text is refused with this code and these words.
    fn refused(&self, text: impl AsRef<[u8]>, code: u8, words: &[&str]) {
        let (said, found) = self.said(text);
        assert_eq!(found, code, "{said}");
        assert!(words.iter().all(|word| said.contains(word)), "{said}\nlacks one of {words:?}");
    }
}

#[test]
fn every_kind_of_row_comes_back() {
    let records = Records::new();
    assert_eq!(read(&records.path).unwrap(), (provenance(), rows()[1..].to_vec()));
}

#[test]
fn a_file_that_was_cut_is_refused_wherever_it_was_cut() {
    let records = Records::new();
    records.refused(&records.text[..records.text.len() / 2], 2, &["it ends in the middle", "copy it again"]);
    for bytes in 1..records.text.len() {
        let (said, code) = records.said(&records.text[..bytes]);
        assert!(code == 2 && said.contains("the file was truncated"), "{bytes}: {said}");
    }
    records.refused("", 2, &["the file is empty"]);
    // In the first version, truncation between two lines cannot be detected; within a line it can.
    let old = records.text.replace(&format!("\"schema\":{SCHEMA}"), "\"schema\":1");
    records.refused(&old[..old.len() - 5], 2, &["the file was truncated"]);
}

#[test]
fn lines_that_are_lost_added_or_of_two_files_are_reported() {
    let records = Records::new();
    let lines: Vec<&str> = records.text.lines().collect();
    let without = |at: usize| {
        let kept = lines.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, line)| format!("{line}\n"));
        kept.collect::<String>()
    };
    records.refused(without(3), 2, &["line 9: the file had 9 rows and has 8: rows were lost"]);
    records.refused(without(0), 2, &["line 1: it is not a `run` row"]);
    records.refused(format!("{}{}\n", records.text, lines[1]), 2, &["line 11: it follows the closing row `end`"]);
    records.refused(records.text.repeat(2), 2, &["line 11: a second `run` row", "concatenated from two", "--merge"]);
}

#[test]
fn two_machines_in_one_file_are_not_comparable() {
    let records = Records::new();
    let mut other = provenance();
    other.cpu = "Another".into();
    other.cpu_features = other.cpu_features.replace("avx512f", "avx_vnni");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.jsonl");
    write(&path, &[Row::Run(Box::new(other))]).unwrap();
    let text = records.text.clone() + &std::fs::read_to_string(&path).unwrap();
    records.refused(
        text,
        3,
        &[
            "line 11: CPU was `AMD EPYC`, is `Another` now",
            "CPU features: `avx512f` is there no more, `avx_vnni` is new",
            "a second `run` row, of another machine or build",
            "`cargo xtask report --merge`",
        ],
    );
}

#[test]
fn unknown_or_mixed_versions_are_reported_with_the_known_ones() {
    let records = Records::new();
    let of = |version: &str| format!("\"schema\":{version}");
    let ours = of(&SCHEMA.to_string());
    for version in ["6", "0", "-1", "2.0", "\"2\"", "null"] {
        let words = [format!("line 1: its `schema` is {version}"), "this build reads 1 to 5".into()];
        records.refused(records.text.replace(&ours, &of(version)), 2, &words.each_ref().map(String::as_str));
    }
    let mixed: String = records
        .text
        .lines()
        .enumerate()
        .map(|(i, line)| if i == 4 { line.replace(&ours, &of("1")) } else { line.into() } + "\n")
        .collect();
    records.refused(
        mixed,
        2,
        &["line 5: its `schema` is 1, that of the lines before it is 5", "concatenated from two"],
    );
    let none = records.text.replacen(&format!(",{ours}"), "", 1);
    records.refused(none, 2, &["line 1: it has no `schema`"]);
}

#[test]
fn invalid_numbers_and_names_are_reported() {
    let records = Records::new();
    let (value, metric) = (format!("\"value\":{}", u64::MAX), "\"metric\":\"time\"");
    for (was, is, words) in [
        (value.as_str(), "\"value\":-5", "line 2: `value` is -5, and a count is a whole number from 0"),
        (&value, "\"value\":0.5", "line 2: `value` is 0.5"),
        (&value, "\"value\":1e300", "line 2: `value` is 1e"),
        (&value, "\"value\":NaN", "line 2: it is not JSON from column"),
        (&value, "\"value\":null", "line 2: invalid type: null, expected u64"),
        (&value, "\"value\":\"5\"", "line 2: invalid type: string \"5\", expected u64"),
        ("[0,17]", "[0,-17]", "line 3: `values` is -17"),
        ("[0,17]", "[0,NaN]", "line 3: it is not JSON from column"),
        ("\"bytes\":7", "\"bytes\":-7", "line 4: `bytes` is -7"),
        (metric, "\"metric\":\"tiem\"", "line 2: there is no metric `tiem`; did you mean `time`?"),
        ("\"phase\":\"decode\"", "\"fase\":\"decode\"", "line 2: unknown field `fase`"),
        ("\"row\":\"layout\"", "\"row\":\"lay\"", "line 5: unknown variant `lay`"),
        ("\"steps\":300", "\"steps\":-1", "line 6: `steps` is -1"),
    ] {
        let text = records.text.replacen(was, is, 1);
        assert_ne!(text, records.text, "{was}");
        records.refused(text, 2, &[words]);
    }
    records.refused(records.text.replacen(&value, "\"value\":NaN", 1), 2, &["on: `NaN"]);
    records.refused("[1,2]\n", 2, &["line 1: it is not a JSON object"]);
    records.refused([records.text.as_bytes(), b"\xff\n"].concat(), 2, &["line 11: byte 1 is not UTF-8"]);
}

#[test]
fn a_line_of_100_mb_is_refused_before_it_is_read() {
    let records = Records::new();
    let file = std::fs::OpenOptions::new().write(true).open(&records.path).unwrap();
    // Its end is a sparse region of zeros.
    file.set_len(100 << 20).unwrap();
    let error = read(&records.path).unwrap_err();
    assert_eq!(error.exit().code(), 2);
    assert!(
        error
            .to_string()
            .ends_with("line 11: it is longer than 1048576 bytes, which no row is: this is not a file of records"),
        "{error}"
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = read(&folder.path().join("records.jsonl")).unwrap_err();
    assert_eq!(error.exit().code(), 2);
    let said = error.to_string();
    assert!(said.starts_with("cannot read /") && said.contains("records.jsonl: No such file"), "{said}");
}

#[test]
fn the_committed_schema_is_that_of_the_rows() {
    let workspace = Workspace::find().unwrap();
    let committed = std::fs::read_to_string(schema::path(&workspace)).unwrap_or_default();
    let committed: Option<Value> = serde_json::from_str(&committed).ok();
    let made: Value = serde_json::from_str(&schema::text().unwrap()).unwrap();
    let advice = "ci/records.schema.json is stale: cargo run --release -p bitstate-harness --example records_schema";
    assert!(committed == Some(made), "{advice}");
}

#[test]
fn every_row_satisfies_the_schema_and_what_is_no_row_does_not() {
    let schema: Value = serde_json::from_str(&schema::text().unwrap()).unwrap();
    let valid = |line: &str| valid(&schema, &schema, &serde_json::from_str(line).unwrap());
    let records = Records::new();
    let kinds = schema["oneOf"].as_array().unwrap().len();
    assert_eq!(records.text.lines().count(), kinds, "a row of every kind is here");
    for line in records.text.lines() {
        assert!(valid(line), "{line}");
        // Every field is required or optional, none may be added, and none may have another type.
        let row: Value = serde_json::from_str(line).unwrap();
        for name in row.as_object().unwrap().keys() {
            let mut other = row.clone();
            other[name] = Value::Bool(true);
            assert!(!valid(&other.to_string()) || row[name].is_boolean(), "{name} of {line}");
        }
        let mut more = row.clone();
        more["more"] = 1.into();
        assert!(!valid(&more.to_string()), "{line}");
        for (was, is) in [("\"schema\":5", "\"schema\":6"), ("\"time\"", "\"tiem\""), (":7,", ":-7,"), ("[0,", "[-1,")]
        {
            assert!(!line.contains(was) || !valid(&line.replace(was, is)), "{is} in {line}");
        }
    }
    // Published records are readable and satisfy it.
    let reports = std::fs::read_dir(Workspace::find().unwrap().reports()).unwrap();
    let files: Vec<PathBuf> = reports.map(|entry| records_of(&entry.unwrap().path())).collect();
    assert!(!files.is_empty());
    for file in files {
        read(&file).unwrap();
        let wrong = Lines::open(&file).unwrap().map(|line| line.unwrap().text).find(|line| !valid(line));
        assert_eq!(wrong, None, "{}", file.display());
    }
}

/// Whether a value satisfies a schema. It supports only the keywords that the schema of the rows uses.
fn valid(root: &Value, schema: &Value, value: &Value) -> bool {
    let all = schema.as_object().unwrap();
    all.iter().all(|(word, said)| match word.as_str() {
        "$schema" | "$defs" | "title" | "description" | "format" | "default" => true,
        "$ref" => valid(root, root.pointer(said.as_str().unwrap().strip_prefix('#').unwrap()).unwrap(), value),
        "oneOf" => said.as_array().unwrap().iter().filter(|one| valid(root, one, value)).count() == 1,
        "anyOf" => said.as_array().unwrap().iter().any(|one| valid(root, one, value)),
        "const" => said == value,
        "enum" => said.as_array().unwrap().contains(value),
        "type" => match said {
            Value::Array(types) => types.iter().any(|one| is(one, value)),
            one => is(one, value),
        },
        "minimum" => value.as_f64().is_none_or(|number| number >= said.as_f64().unwrap()),
        "maximum" => value.as_f64().is_none_or(|number| number <= said.as_f64().unwrap()),
        "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= said.as_u64().unwrap()),
        "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= said.as_u64().unwrap()),
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| valid(root, said, item))),
        "required" => value.as_object().is_none_or(|fields| {
            said.as_array().unwrap().iter().all(|name| fields.contains_key(name.as_str().unwrap()))
        }),
        "properties" => value.as_object().is_none_or(|fields| {
            said.as_object()
                .unwrap()
                .iter()
                .all(|(name, of)| fields.get(name).is_none_or(|value| valid(root, of, value)))
        }),
        "additionalProperties" => value.as_object().is_none_or(|fields| {
            let mut others = fields.iter().filter(|(name, _)| schema["properties"].get(name.as_str()).is_none());
            others.all(|(_, value)| if said.is_boolean() { said == true } else { valid(root, said, value) })
        }),
        word => panic!("the schema says `{word}`, which this test does not know"),
    })
}

fn is(of: &Value, value: &Value) -> bool {
    match of.as_str().unwrap() {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("the schema says type `{other}`, which JSON does not have"),
    }
}
