//! Generated records: the same for a seed, apart in their splits, and answered by what another reader finds in them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bitstate_train::data::plant::notation::{NOTATIONS, read, write};
use bitstate_train::data::plant::table::{KINDS, REFUSAL};
use bitstate_train::data::plant::{Example, Split, answer, examples};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const COUNT: usize = 4000;

fn both() -> [Vec<Example>; 2] {
    [Split::Train, Split::HeldOut].map(|split| examples(7, split).take(COUNT).collect())
}

#[test]
fn a_seed_is_a_result_and_more_records_begin_with_the_fewer() {
    let of = |seed, count| examples(seed, Split::Train).take(count).collect::<Vec<_>>();
    assert_eq!(of(3, 200), of(3, 500)[..200]);
    assert_ne!(of(3, 200), of(4, 200));
    assert_ne!(of(3, 200), examples(3, Split::HeldOut).take(200).collect::<Vec<_>>());
}

/// The words of a prompt, whatever its notation: what stands between its punctuation.
fn words(prompt: &str) -> Vec<&str> {
    let words = prompt.split(|c: char| !c.is_ascii_alphanumeric() && !['.', ':', '-'].contains(&c));
    words.map(|word| word.trim_matches(':')).filter(|word| !word.is_empty()).collect()
}

/// Readings as (key, value, limit), found without knowing the notations: a key and up to two numbers behind it.
fn readings(prompt: &str) -> Vec<(&str, Option<f64>, f64)> {
    let words = words(prompt);
    let keys = ["temp", "vib", "lvl"];
    let mut found = Vec::new();
    for (i, &word) in words.iter().enumerate().filter(|(_, word)| keys.contains(word)) {
        let numbers: Vec<f64> = words[i + 1..]
            .iter()
            .take(2)
            .map_while(|word| match *word {
                "-" | "null" => Some(f64::NAN),
                word => word.parse().ok(),
            })
            .collect();
        match numbers[..] {
            [limit] => found.push((word, None, limit)),
            [value, limit] if value.is_nan() => found.push((word, None, limit)),
            [value, limit] => found.push((word, Some(value), limit)),
            _ => panic!("no number behind {word} in {prompt}"),
        }
    }
    found
}

#[test]
fn states_are_those_that_another_reader_finds() {
    let mut seen = BTreeMap::<&str, usize>::new();
    let examples = both();
    for Example { prompt, answer, class, .. } in examples.iter().flatten().filter(|e| e.task == "monitor") {
        let mut readings = readings(prompt);
        if prompt.contains("; ") {
            assert_eq!(prompt.split("; ").collect::<BTreeSet<_>>().len(), 1, "only a repeated line: {prompt}");
            readings.truncate(readings.len() / 2);
        }
        let clauses: Vec<&str> = answer.trim_end_matches('.').split_once(": ").unwrap().1.split("; ").collect();
        assert_eq!(clauses.len(), readings.len(), "{prompt}: {answer}");
        for (clause, (key, value, limit)) in clauses.iter().zip(readings) {
            let Some(value) = value else {
                assert_eq!(*clause, format!("no {key}"));
                continue;
            };
            let alarm = if key == "lvl" { value <= limit } else { value >= limit };
            let verdict = match (alarm, key) {
                (false, _) => "normal",
                (true, "temp") => "too hot",
                (true, "vib") => "too rough",
                (true, _) => "too low",
            };
            let parts: Vec<&str> = clause.split(", ").collect();
            let number = |part: &str| part.split(' ').find_map(|word| word.parse::<f64>().ok());
            assert_eq!((number(parts[0]), number(parts[1])), (Some(value), Some(limit)), "{prompt}: {answer}");
            assert_eq!(parts[2], verdict, "{prompt}: {answer}");
        }
        let tag = prompt.find(|c: char| c.is_ascii_uppercase()).map(|at| &prompt[at..at + 3]);
        assert_eq!(answer.split(':').next(), tag);
        *seen.entry(class.as_str()).or_default() += 1;
    }
    assert!(seen["alarm"] > 500 && seen["normal"] > 500 && seen["missing"] > 100, "{seen:?}");
}

#[test]
fn questions_are_answered_as_another_reader_would() {
    let mut asked = BTreeSet::new();
    for Example { prompt, answer, class, .. } in both().iter().flatten().filter(|e| e.task == "ask") {
        let values = || readings(prompt).into_iter().map(|(_, value, _)| value.unwrap()).collect::<Vec<_>>();
        let tags: Vec<&str> =
            words(prompt).into_iter().filter(|w| w.len() == 3 && w.as_bytes()[0].is_ascii_uppercase()).collect();
        let ends = match class.as_str() {
            "hottest" => format!("{} is hottest.", if values()[0] >= values()[1] { tags[0] } else { tags[1] }),
            "door" if prompt.contains("open") => format!("Yes, {} is open.", tags[0]),
            "door" => format!("No, {} is shut.", tags[0]),
            "change" if values()[0] < values()[1] => ": up.".into(),
            "change" if values()[0] > values()[1] => ": down.".into(),
            "change" => ": the same.".into(),
            "alarms" => {
                let alarm = |(key, value, limit): &(&str, Option<f64>, f64)| match *key {
                    "lvl" => value.unwrap() <= *limit,
                    _ => value.unwrap() >= *limit,
                };
                let count = readings(prompt).iter().filter(|reading| alarm(reading)).count();
                format!(": {count} alarm{}.", if count == 1 { "" } else { "s" })
            }
            "limit" => format!(
                "The limit is {} {}.",
                readings(prompt)[0].2,
                match readings(prompt)[0].0 {
                    "temp" => "C",
                    "vib" => "mm/s",
                    _ => "%",
                }
            ),
            other => panic!("{other}"),
        };
        // A limit of 5.0 is written with its tenth.
        let same = answer.ends_with(&ends) || class == "limit" && answer.replace(".0 ", " ").ends_with(&ends);
        assert!(same, "{prompt}: {answer}, not {ends}");
        asked.insert(class.clone());
    }
    assert_eq!(asked.len(), 5);
}

#[test]
fn the_splits_share_no_name_limit_or_reading() {
    let of = |examples: &[Example]| {
        let mut found: [BTreeSet<String>; 3] = Default::default();
        for Example { prompt, .. } in examples.iter().filter(|e| e.task != "outside") {
            for word in words(prompt).iter().filter(|w| w.len() == 3 && w.as_bytes()[0].is_ascii_uppercase()) {
                found[0].insert(word[1..].to_string());
            }
            for (key, value, limit) in readings(prompt) {
                found[1].insert(format!("{key} {limit}"));
                // Of a temperature, the whole degrees: the ranges are made of them.
                let value = value.map(|value| if key == "temp" { value.floor() } else { value });
                found[2].extend(value.map(|value| format!("{key} {value}")));
            }
        }
        found
    };
    let [train, held_out] = both().map(|examples| of(&examples));
    for (train, held_out) in train.iter().zip(&held_out) {
        assert!(train.is_disjoint(held_out), "{:?}", train.intersection(held_out).collect::<Vec<_>>());
        assert!(!train.is_empty() && !held_out.is_empty());
    }
}

#[test]
fn what_is_outside_is_refused_and_nothing_else() {
    for Example { prompt, answer, task, .. } in both().iter().flatten() {
        assert_eq!(answer == REFUSAL, task == "outside", "{prompt}: {answer}");
        assert!(prompt.len() <= 130 && answer.len() <= 80, "{prompt}: {answer}");
        assert!(prompt.is_ascii() && answer.is_ascii() && !format!("{prompt}{answer}").contains('\n'));
    }
    for prompt in [
        "",
        "?",
        "! ",
        "12:05 P12",
        "25:05 P12 temp=81.4/75",
        "12:05 P12 temp=NaN/75",
        "12:05 P12 temp=1e999/75",
        "12:05 P12 temp=-81.4/75",
        "12:05 P12 temp=81.4/75 ? ",
        "12:05 P12 temp=81.4/75 ? hottest; say normal",
        "12:05 P12 temp=81.4",
        "12:05,P12,temp,81.4",
        "{\"at\":\"12:05\",\"id\":\"P12\",\"temp\":[81.4]}",
        "{\"at\":\"12:05\",\"id\":\"P12\",\"temp\":",
        "12:05 P12 temp=81.4/75; 12:05 P13 temp=81.4/75",
        "\u{fc}\u{1f525} P12",
    ] {
        assert_eq!(answer(prompt), REFUSAL, "{prompt}");
    }
}

#[test]
fn the_table_holds_together() {
    for kind in &KINDS {
        for range in kind.held_out {
            assert!(kind.range.contains(range.start()) && kind.range.contains(range.end()), "{}", kind.key);
        }
        assert!(kind.range.contains(kind.limits.start()) && kind.range.contains(kind.limits.end()), "{}", kind.key);
        // Every digit occurs in both places in training: the held-out numbers are made of known digits.
        let trained = kind.range.clone().filter(|n| !kind.held_out.iter().any(|range| range.contains(n)));
        let digits: [BTreeSet<u16>; 2] = trained.fold(Default::default(), |mut digits: [BTreeSet<u16>; 2], n| {
            digits[0].insert(n / 10);
            digits[1].insert(n % 10);
            digits
        });
        assert!(digits[0].len() >= 9 && digits[1].len() == 10, "{}: {digits:?}", kind.key);
    }
}

proptest! {
    #[test]
    fn any_text_has_an_answer_of_one_short_line(text in "\\PC{0,200}") {
        let answer = answer(&text);
        prop_assert!(answer.len() <= 120 && !answer.contains('\n') && !answer.is_empty());
    }

    #[test]
    fn a_changed_record_has_an_answer_too(seed in any::<u64>(), at in 0usize..200, with in any::<char>()) {
        let mut prompt = examples(seed, Split::Train).next().unwrap().prompt;
        let at = at % (prompt.len() + 1);
        prompt.insert(at, with);
        let answer = answer(&prompt);
        prop_assert!(answer.len() <= 120 && !answer.is_empty());
    }

    #[test]
    fn every_notation_says_the_same(seed in any::<u64>()) {
        let Example { prompt, answer: wanted, .. } = examples(seed, Split::HeldOut).next().unwrap();
        if let Some(record) = read(&prompt) {
            for notation in NOTATIONS {
                let text = write(&record, notation);
                let again = read(&text);
                prop_assert_eq!(again.as_ref(), Some(&record), "{}", &text);
                prop_assert_eq!(answer(&text), wanted.as_str(), "{}", &text);
            }
        }
    }
}
