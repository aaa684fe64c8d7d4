//! Random records by the shares of the table.

use super::Split;
use super::notation::{NOTATIONS, Notation, read, write};
use super::record::{Line, Number, Reading, Record, Tag, Task, Time, What};
use super::rules::answer;
use super::table::{
    ALARMS, CLOSE, CLOSE_BY, DOOR, EQUAL, HELD_OUT_NUMBERS, KINDS, Kind, LETTERS, MISSING, NUMBERS, OUTSIDE,
    OUTSIDE_HELD_OUT, QUESTIONS, Question, REFUSAL, REPEATED, SHARES, SPOILT, SPOILT_HELD_OUT, STYLES, Share,
};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand::seq::{IndexedRandom, SliceRandom};

/// Why a record lies outside the tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// Something else is asked.
    Unrelated,
    /// The lines lack what is asked.
    Unanswerable,
    /// It is cut off, or no record at all.
    Unreadable,
}

/// What a record was drawn as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drawn {
    /// Within a task.
    Task(Share),
    /// Outside of all.
    Outside(Outside),
}

/// Draws records of one split.
#[derive(Debug)]
pub struct Draw<'a> {
    /// The random numbers.
    pub rng: &'a mut ChaCha8Rng,
    /// The split.
    pub split: Split,
}

impl Draw<'_> {
    /// A record as text, and what it was drawn as.
    pub fn prompt(&mut self) -> (String, Drawn) {
        let mut left = self.rng.random_range(0..100);
        for (share, percent) in SHARES {
            if left < percent {
                let record = self.record(share);
                return (self.written(&record), Drawn::Task(share));
            }
            left -= percent;
        }
        let outside = match self.rng.random_range(0..5) {
            0 | 1 => Outside::Unrelated,
            2 | 3 => Outside::Unanswerable,
            _ => Outside::Unreadable,
        };
        (self.outside(outside), Drawn::Outside(outside))
    }

    fn written(&mut self, record: &Record) -> String {
        let notation: Notation = *NOTATIONS.choose(self.rng).expect("there are three");
        write(record, notation)
    }

    fn percent(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    /// A record that its task can be done for.
    fn record(&mut self, share: Share) -> Record {
        match share {
            Share::Monitor => {
                let count = self.rng.random_range(1..=2);
                let line = self.line(count, true);
                let repeated = count == 1 && self.percent(REPEATED);
                Record { lines: vec![line; 1 + usize::from(repeated)], task: Task::Monitor }
            }
            Share::Ask => {
                let (question, _) = *QUESTIONS.choose(self.rng).expect("there are some");
                Record { lines: self.asked(question), task: Task::Ask(question) }
            }
            Share::Write => {
                let (style, _) = *STYLES.choose(self.rng).expect("there are some");
                Record { lines: vec![self.line(1, false)], task: Task::Write(style) }
            }
        }
    }

    /// Lines that a question can be answered from.
    fn asked(&mut self, question: Question) -> Vec<Line> {
        match question {
            Question::Hottest => {
                let time = self.time();
                let mut line = |other| {
                    let (tag, reading) = (self.tag(), self.reading(0, false, other));
                    (reading.value, Line { time, tag, what: What::Readings(vec![reading]) })
                };
                let (value, first) = line(None);
                let (_, mut second) = line(value);
                while second.tag == first.tag {
                    second.tag = self.tag();
                }
                vec![first, second]
            }
            Question::Door => vec![self.door()],
            Question::Change => {
                let before = self.line(1, false);
                let Reading { kind, value, .. } = match &before.what {
                    What::Readings(readings) => readings[0],
                    What::Door(_) => unreachable!("a line has readings"),
                };
                let after = self.reading(kind, false, value);
                let time = Time((before.time.0 + 5 * self.rng.random_range(1..=12)) % (24 * 60));
                let after = Line { time, tag: before.tag, what: What::Readings(vec![after]) };
                vec![before, after]
            }
            Question::Alarms => vec![self.line(2, false)],
            Question::Limit => {
                let count = self.rng.random_range(1..=2);
                vec![self.line(count, true)]
            }
        }
    }

    fn outside(&mut self, outside: Outside) -> String {
        match outside {
            Outside::Unrelated => {
                let words = self.words();
                let asked = if self.percent(70) { '?' } else { '!' };
                let lines = self.any_lines();
                self.written(&Record { lines, task: Task::Other(format!("{asked} {words}")) })
            }
            Outside::Unanswerable => loop {
                let (question, _) = *QUESTIONS.choose(self.rng).expect("there are some");
                let (style, _) = *STYLES.choose(self.rng).expect("there are some");
                let task = if self.percent(75) { Task::Ask(question) } else { Task::Write(style) };
                let record = Record { lines: self.any_lines(), task };
                if answer(&record) == REFUSAL {
                    return self.written(&record);
                }
            },
            Outside::Unreadable if self.percent(30) => self.words(),
            Outside::Unreadable => loop {
                let record = Record { lines: self.any_lines(), task: Task::Monitor };
                let text = self.written(&record);
                let text = if self.percent(50) { self.cut(text) } else { self.spoilt(&text, &record) };
                if read(&text).is_none_or(|record| answer(&record) == REFUSAL) {
                    return text;
                }
            },
        }
    }

    /// The beginning of `text`.
    fn cut(&mut self, mut text: String) -> String {
        text.truncate(self.rng.random_range(3..text.len()));
        text.trim_end().to_string()
    }

    /// `text` with what is no reading in place of its first one, if there is one.
    fn spoilt(&mut self, text: &str, record: &Record) -> String {
        let Some(Line { what: What::Readings(readings), .. }) = record.lines.first() else { return text.to_string() };
        let Some(value) = readings.first().and_then(|reading| reading.value) else { return text.to_string() };
        let spoilt = if self.split == Split::HeldOut { SPOILT_HELD_OUT } else { SPOILT };
        let (before, after) = *spoilt.choose(self.rng).expect("there are some");
        let (start, rest) = text.split_at(text.find(readings[0].kind().key).unwrap_or_default());
        start.to_string() + &rest.replacen(&value.to_string(), &format!("{before}{value}{after}"), 1)
    }

    /// Lines of some task.
    fn any_lines(&mut self) -> Vec<Line> {
        match self.rng.random_range(0..4) {
            0 => vec![self.door()],
            1 => self.asked(Question::Change),
            count => vec![self.line(count - 1, true)],
        }
    }

    fn words(&mut self) -> String {
        let words = if self.split == Split::HeldOut { OUTSIDE_HELD_OUT } else { OUTSIDE };
        let [first, last] = [words.first, words.last].map(|words| *words.choose(self.rng).expect("there are some"));
        format!("{first} {last}")
    }

    fn door(&mut self) -> Line {
        let tag = Tag { letter: DOOR, ..self.tag() };
        Line { time: self.time(), tag, what: What::Door(self.rng.random_bool(0.5)) }
    }

    /// A line of `count` readings of different kinds.
    fn line(&mut self, count: usize, may_miss: bool) -> Line {
        let mut kinds: Vec<usize> = (0..KINDS.len()).collect();
        kinds.shuffle(self.rng);
        let readings = kinds[..count].iter().map(|&kind| self.reading(kind, may_miss, None)).collect();
        Line { time: self.time(), tag: self.tag(), what: What::Readings(readings) }
    }

    fn time(&mut self) -> Time {
        Time(self.rng.random_range(0..24 * 60))
    }

    fn tag(&mut self) -> Tag {
        let letter = *LETTERS.choose(self.rng).expect("there are some");
        let is_held_out = |number: u16| HELD_OUT_NUMBERS.iter().any(|range| range.contains(&number));
        let numbers: Vec<u16> =
            NUMBERS.filter(|&number| is_held_out(number) == (self.split == Split::HeldOut)).collect();
        Tag { letter, number: *numbers.choose(self.rng).expect("both splits have numbers") }
    }

    /// A reading of `kind` and its limit, both from the ranges of the split, to be compared with the limit or with `other`.
    fn reading(&mut self, kind: usize, may_miss: bool, other: Option<Number>) -> Reading {
        let Kind { ref range, ref limits, held_out, decimals: [of_value, of_limit], alarm_above, .. } = KINDS[kind];
        let of_split =
            |number: &u16| held_out.iter().any(|range| range.contains(number)) == (self.split == Split::HeldOut);
        let limits: Vec<u16> = limits.clone().filter(of_split).collect();
        let (alarms, normal): (Vec<u16>, Vec<u16>);
        let limit = *limits.choose(self.rng).expect("both splits have limits");
        let numbers: Vec<u16> = range.clone().filter(of_split).collect();
        let is_alarm = |n: &u16| if alarm_above { *n >= limit } else { *n <= limit };
        (alarms, normal) = numbers.iter().partition(|n| is_alarm(n));
        // Never empty: the limit itself is an alarm.
        let side = if self.percent(ALARMS) || normal.is_empty() { alarms } else { normal };
        let unit = if of_limit == 1 { 1 } else { 10 };
        let by = match self.split == Split::Train && self.percent(CLOSE) {
            true if self.percent(EQUAL) => Some(0),
            true => Some(CLOSE_BY),
            false => None,
        };
        let close = match (by, other) {
            (None, _) => Vec::new(),
            (Some(by), None) => close_to(&side, limit, by),
            (Some(by), Some(other)) => close_to(&numbers, other.tenths / unit, by),
        };
        let value = *if close.is_empty() { &side } else { &close }.choose(self.rng).expect("one of them has numbers");
        let tenth = if of_value > of_limit { self.rng.random_range(0..10) } else { 0 };
        Reading {
            kind,
            value: (!(may_miss && self.percent(MISSING)))
                .then(|| Number { tenths: value * unit + tenth, decimals: of_value }),
            limit: Number { tenths: limit * unit, decimals: of_limit },
        }
    }
}

/// Those of `numbers` at a distance of `by` or less from `other`.
fn close_to(numbers: &[u16], other: u16, by: u16) -> Vec<u16> {
    numbers.iter().copied().filter(|number| number.abs_diff(other) <= by).collect()
}
