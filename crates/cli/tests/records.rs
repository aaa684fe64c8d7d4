//! `eval --records`: answers are compared byte for byte, and the counts add up.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use serde_json::{Value, json};
use std::fs;
use support::{Folder, Ran};

const REFUSAL: &str = "I cannot tell from these readings.";

fn record(prompt: &str, answer: &str, task: &str, class: &str) -> Value {
    json!({ "prompt": prompt, "answer": answer, "task": task, "class": class })
}

fn write(folder: &Folder, records: &[Value]) {
    let lines: Vec<String> = records.iter().map(Value::to_string).collect();
    fs::write(folder.path().join("records.jsonl"), lines.join("\n")).unwrap();
}

fn eval(folder: &Folder, flags: &str) -> Ran {
    folder.run(format!("eval --model tiny.bits --records records.jsonl --max-tokens 8 {flags}").trim_end())
}

/// What the model answers.
fn answers(folder: &Folder, prompts: &[&str]) -> Vec<String> {
    let ran = folder.with_input("map --model tiny.bits --max-tokens 8 --json", prompts.join("\n").as_bytes());
    let answer = |line: &str| serde_json::from_str::<Value>(line).unwrap()["answer"].as_str().unwrap().to_string();
    ran.out.lines().map(answer).collect()
}

#[test]
fn answers_that_are_the_models_own_are_exact_and_others_are_not() {
    let folder = Folder::new();
    folder.tiny();
    let prompts = ["P12 temp=81.4/75", "12:05 P13", "what is this", "F20 lvl=3/7"];
    let own = answers(&folder, &prompts);
    let mut records: Vec<Value> = prompts.iter().zip(&own).map(|(p, a)| record(p, a, "monitor", "normal")).collect();
    records.push(record("P12 temp=81.4/75", "P12: 81.4 C, limit 75, too hot.", "monitor", "alarm"));
    records.push(record("who", REFUSAL, "outside", "unrelated"));
    write(&folder, &records);
    let ran = eval(&folder, "--json");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["records"], 6);
    let classes = report["classes"].as_array().unwrap();
    let class = |name: &str| classes.iter().find(|c| c["class"] == name).unwrap();
    assert_eq!(class("normal")["exact"]["count"], 4);
    assert_eq!(class("alarm")["outcomes"], json!([0, 0, 0, 1, 0, 0, 0]));
    assert_eq!(class("unrelated")["outcomes"], json!([0, 0, 1, 0, 0, 0, 0]));
    let measures = report["measures"].as_array().unwrap();
    let measure = |name: &str| {
        let share = &measures.iter().find(|m| m["name"] == name).unwrap()["share"];
        (share["count"].as_u64().unwrap(), share["of"].as_u64().unwrap())
    };
    assert_eq!(measure("state right"), (4, 5));
    assert_eq!(measure("missed alarms"), (1, 1));
    assert_eq!(measure("false alarms"), (0, 5));
    assert_eq!(measure("refused outside the tasks"), (0, 1));
    assert_eq!(measure("refused wrongly"), (0, 5));
    let exact = report["exact"].as_array().unwrap();
    let monitor = exact.iter().find(|e| e["task"] == "monitor").unwrap();
    assert_eq!((&monitor["model"]["count"], &monitor["model"]["of"]), (&json!(4), &json!(5)));
    let outside = exact.iter().find(|e| e["task"] == "outside").unwrap();
    assert_eq!(outside["most_frequent"]["count"], 1);

    // The same for people, and only of the first ones.
    let said = eval(&folder, "--stories 4").out;
    assert!(said.contains("100.00 % (51.01 to 100.00), 4 of 4") && said.contains("most frequent"), "{said}");
    assert_eq!(eval(&folder, "--json --threads auto").out.split("\"exact\"").nth(1), ran.out.split("\"exact\"").nth(1));
}

#[test]
fn other_phrases_state_alarms_and_refusals() {
    let folder = Folder::new();
    folder.tiny();
    write(&folder, &[record("a", "It burns.", "t", "c"), record("b", "Pass.", "t", "d")]);
    let ran = eval(&folder, "--json --alarm burns --refusal Pass.");
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["classes"][0]["outcomes"], json!([0, 0, 0, 1, 0, 0, 0]), "{report}");
    assert_eq!(report["classes"][1]["outcomes"], json!([0, 0, 1, 0, 0, 0, 0]), "{report}");
}

#[test]
fn a_file_that_is_no_records_is_named_with_its_line() {
    let folder = Folder::new();
    folder.tiny();
    let good = record("a", "b", "t", "c").to_string();
    for (content, part) in [
        (String::new(), "there is no record in records.jsonl"),
        (format!("{good}\n{{\"prompt\": \"a\"}}\n"), "records.jsonl: line 2 is not a record"),
        (format!("{good}\n{}", &good[..20]), "line 2 is not a record"),
        (good.replace("\"task\"", "\"tsk\""), "unknown field `tsk`"),
        (good.replace("\"b\"", "7"), "line 1 is not a record"),
        (record("a\0", "b", "t", "c").to_string(), "record 1: "),
    ] {
        fs::write(folder.path().join("records.jsonl"), &content).unwrap();
        let ran = eval(&folder, "");
        assert!(ran.code == Some(2) && ran.out.is_empty() && ran.err.contains(part), "{content}: {ran:?}");
    }
    fs::write(folder.path().join("records.jsonl"), b"\xff\xfe").unwrap();
    assert!(eval(&folder, "").err.contains("records.jsonl: not UTF-8: the first wrong byte is at offset 0"));
    for (arguments, part) in [
        ("eval --model tiny.bits", "--records"),
        ("eval --model tiny.bits --text a --records b", "cannot be used with"),
        ("eval --model tiny.bits --text a --alarm b", "cannot be used with"),
        ("eval --model tiny.bits --text a --max-tokens 3", "flags of --records"),
        ("eval --model tiny.bits --records nowhere.jsonl", "cannot read nowhere.jsonl"),
        ("eval --model tiny.bits --records records.jsonl --restart", "cannot be used with"),
    ] {
        let ran = folder.run(arguments);
        assert!(ran.code == Some(2) && ran.err.contains(part), "{arguments}: {ran:?}");
    }
}

#[cfg(feature = "train")]
#[test]
fn generated_records_are_prepared_trained_and_measured() {
    let folder = Folder::new();
    folder.stdout("data make devices --seed 5 --records 300 --held-out 40 --out plant");
    folder.stdout("data make devices --seed 5 --records 300 --held-out 40 --out again");
    for name in ["train.txt", "valid.txt", "records.jsonl"] {
        let read = |of: &str| fs::read(folder.path().join(of).join(name)).unwrap();
        assert_eq!(read("plant"), read("again"), "{name}");
    }
    folder.stdout("data prepare --input plant/train.txt --valid plant/valid.txt --tokenizer byte --out data");
    let config = |out: &str, bitnet: bool| {
        let text = format!(
            "data = 'data'\nout = '{out}'\nsteps = 3\n[model]\npreset = 'byte'\nbitnet = {bitnet}\nn_layer = 1\nn_embd = 16\n\
             n_head = 1\nlog_decay = [-7, -1]\n[answers]\nafter = \"\\n\"\n[batch]\nsequences = 4\nseq_len = 160\n"
        );
        fs::write(folder.path().join(format!("{out}.toml")), text).unwrap();
        folder.stdout(&format!("train --config {out}.toml"));
    };
    config("ternary", true);
    config("f32", false);
    folder.stdout("convert --checkpoint ternary/last.safetensors --out model.bits");
    let arguments = "eval --model model.bits --records plant/records.jsonl --f32 f32/last.safetensors --picture p.svg";
    let ran = folder.run(&format!("{arguments} --json"));
    assert!(ran.success, "{ran:?}");
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["records"], 40);
    for exact in report["exact"].as_array().unwrap() {
        assert_eq!(exact["rules"]["count"], exact["rules"]["of"], "the rules are the ceiling: {exact}");
        assert!(exact["f32"]["of"].as_u64().unwrap() > 0, "{exact}");
    }
    let picture = fs::read_to_string(folder.path().join("p.svg")).unwrap();
    assert!(picture.contains("not refused") && picture.contains("monitor"), "{picture}");
    let ran = folder.run("data make pumps --out plant");
    assert!(ran.code == Some(2) && ran.err.contains("devices"), "{ran:?}");
}
