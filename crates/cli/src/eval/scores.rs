//! Scores of answers: counts with their 95 % interval, and what is wrong with a wrong answer.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A record with its answer, as a line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub prompt: String,
    pub answer: String,
    pub task: String,
    pub class: String,
}

/// What answers say besides their words.
#[derive(Debug, Clone)]
pub struct Phrases {
    /// What states an alarm.
    pub alarms: Vec<String>,
    /// The answer to what lies outside the task.
    pub refusal: String,
}

/// What became of an answer. The first that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The same, byte for byte.
    Exact,
    /// Refused, and should not have been.
    Refused,
    /// Answered, and should have been refused.
    NotRefused,
    /// An alarm is not stated.
    MissedAlarm,
    /// An alarm is stated that is none.
    FalseAlarm,
    /// Another number.
    WrongDigits,
    /// Anything else.
    OtherWords,
}

impl Outcome {
    pub const ALL: [(Outcome, &str); 7] = [
        (Outcome::Exact, "exact"),
        (Outcome::Refused, "refused"),
        (Outcome::NotRefused, "not refused"),
        (Outcome::MissedAlarm, "missed alarm"),
        (Outcome::FalseAlarm, "false alarm"),
        (Outcome::WrongDigits, "wrong digits"),
        (Outcome::OtherWords, "other words"),
    ];
}

/// So many of so many, with the bounds of the 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    pub count: usize,
    pub of: usize,
    pub low: f64,
    pub high: f64,
}

impl Share {
    /// With Wilson's interval, which holds for shares near 0 and 1 too; 0 to 1 of nothing.
    pub fn new(count: usize, of: usize) -> Self {
        // The normal distribution's 97.5 % quantile.
        const Z: f64 = 1.959_963_984_540_054;
        if of == 0 {
            return Share { count, of, low: 0.0, high: 1.0 };
        }
        let (n, p) = (of as f64, count as f64 / of as f64);
        let centre = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
        let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        Share { count, of, low: (centre - half).max(0.0), high: (centre + half).min(1.0) }
    }

    /// Of the items that a condition holds for.
    pub fn of<T>(items: impl Iterator<Item = T>, holds: impl Fn(T) -> bool) -> Self {
        let (count, of) = items.fold((0, 0), |(count, of), item| (count + usize::from(holds(item)), of + 1));
        Share::new(count, of)
    }
}

impl Phrases {
    /// How often each alarm is stated.
    fn stated(&self, answer: &str) -> Vec<usize> {
        self.alarms.iter().map(|alarm| answer.matches(alarm.as_str()).count()).collect()
    }

    /// Whether any alarm is stated.
    pub fn has_alarm(&self, answer: &str) -> bool {
        self.stated(answer).iter().any(|&count| count > 0)
    }

    /// Whether an alarm of `wanted` is missing in `answer`.
    pub fn misses(&self, wanted: &str, answer: &str) -> bool {
        self.stated(wanted).iter().zip(self.stated(answer)).any(|(wanted, stated)| stated < *wanted)
    }

    /// Whether `answer` states the same alarms and is a refusal only where `wanted` is one.
    pub fn same_state(&self, wanted: &str, answer: &str) -> bool {
        self.stated(wanted) == self.stated(answer) && (wanted == self.refusal) == (answer == self.refusal)
    }

    /// What became of `answer` where `wanted` was right.
    pub fn outcome(&self, wanted: &str, answer: &str) -> Outcome {
        if answer == wanted {
            Outcome::Exact
        } else if answer == self.refusal {
            Outcome::Refused
        } else if wanted == self.refusal {
            Outcome::NotRefused
        } else if self.misses(wanted, answer) {
            Outcome::MissedAlarm
        } else if self.misses(answer, wanted) {
            Outcome::FalseAlarm
        } else if numbers(wanted) != numbers(answer) {
            Outcome::WrongDigits
        } else {
            Outcome::OtherWords
        }
    }
}

/// The numbers in a text, in order: runs of digits, with what stands between digits in times and decimals.
pub fn numbers(text: &str) -> Vec<&str> {
    let parts = text.split(|c: char| !c.is_ascii_digit() && c != '.' && c != ':');
    parts.map(|part| part.trim_matches(['.', ':'])).filter(|part| !part.is_empty()).collect()
}

/// The most frequent answer of each task: what an answer that ignores the record would best be.
pub fn most_frequent(records: &[Record]) -> BTreeMap<&str, &str> {
    let mut counts: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for record in records {
        *counts.entry(&record.task).or_default().entry(&record.answer).or_default() += 1;
    }
    let most = counts.into_iter().filter_map(|(task, answers)| {
        let (answer, _) = answers.into_iter().max_by_key(|(_, count)| *count)?;
        Some((task, answer))
    });
    most.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrases() -> Phrases {
        Phrases { alarms: vec!["too hot".into(), "too low".into()], refusal: "No.".into() }
    }

    #[test]
    fn an_interval_is_that_of_the_literature() {
        // Newcombe (1998), table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
        for (count, of, low, high) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
        {
            let share = Share::new(count, of);
            assert!((share.low - low).abs() < 5e-5 && (share.high - high).abs() < 5e-5, "{share:?}");
        }
        assert_eq!((Share::new(0, 0).low, Share::new(0, 0).high), (0.0, 1.0));
    }

    #[test]
    fn what_is_wrong_has_one_name() {
        let wanted = "P12: 81.4 C, limit 75, too hot; 9 %, limit 4, normal.";
        let outcome = |from: &str, to: &str| phrases().outcome(wanted, &wanted.replace(from, to));
        assert_eq!(outcome("", ""), Outcome::Exact);
        assert_eq!(outcome(wanted, "No."), Outcome::Refused);
        assert_eq!(phrases().outcome("No.", wanted), Outcome::NotRefused);
        assert_eq!(outcome("too hot", "normal"), Outcome::MissedAlarm);
        assert_eq!(outcome("4, normal", "4, too low"), Outcome::FalseAlarm);
        assert_eq!(outcome("81.4", "81.5"), Outcome::WrongDigits);
        assert_eq!(outcome("limit 4", "limits 4"), Outcome::OtherWords);
        assert!(phrases().same_state(wanted, "too hot") && !phrases().same_state(wanted, "No."));
    }

    #[test]
    fn numbers_keep_their_points() {
        assert_eq!(numbers("P12: 81.4 C, at 12:05."), ["12", "81.4", "12:05"]);
    }

    #[test]
    fn the_most_frequent_answer_is_of_its_task() {
        let record = |task: &str, answer: &str| Record {
            prompt: String::new(),
            answer: answer.into(),
            task: task.into(),
            class: String::new(),
        };
        let records = [record("a", "x"), record("a", "y"), record("a", "y"), record("b", "x")];
        assert_eq!(most_frequent(&records).into_iter().collect::<Vec<_>>(), [("a", "y"), ("b", "x")]);
    }
}
