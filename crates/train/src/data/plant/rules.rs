//! The answers.

use super::record::{Line, Reading, Record, Task, What};
use super::table::{Question, REFUSAL, Style};

/// The answer to `record`; [`REFUSAL`] if its lines do not tell.
pub fn answer(record: &Record) -> String {
    told(record).unwrap_or_else(|| REFUSAL.into())
}

fn told(record: &Record) -> Option<String> {
    let lines = distinct(&record.lines);
    match &record.task {
        Task::Monitor => monitor(&lines),
        Task::Ask(question) => ask(*question, &lines),
        Task::Write(style) => write(*style, &lines),
        Task::Other(_) => None,
    }
}

/// The lines without those that repeat the line before.
fn distinct(lines: &[Line]) -> Vec<&Line> {
    let mut lines: Vec<&Line> = lines.iter().collect();
    lines.dedup();
    lines
}

fn readings(line: &Line) -> Option<&[Reading]> {
    match &line.what {
        What::Readings(readings) if !readings.is_empty() => Some(readings),
        _ => None,
    }
}

/// Every reading of a single device, with its verdict after the two numbers that it follows from.
fn monitor(lines: &[&Line]) -> Option<String> {
    let [line] = lines else { return None };
    let clauses: Vec<String> = readings(line)?.iter().map(clause).collect();
    Some(format!("{}: {}.", line.tag, clauses.join("; ")))
}

fn clause(reading: &Reading) -> String {
    let kind = reading.kind();
    match (reading.value, reading.is_alarm()) {
        (Some(value), Some(alarm)) => {
            let verdict = if alarm { kind.alarm } else { "normal" };
            format!("{value} {}, limit {}, {verdict}", kind.unit, reading.limit)
        }
        _ => format!("no {}", kind.key),
    }
}

fn ask(question: Question, lines: &[&Line]) -> Option<String> {
    match (question, lines) {
        (Question::Hottest, [a, b]) => {
            let [first, second] = [temperature(a)?, temperature(b)?];
            let (x, y) = (first.value?, second.value?);
            // The first of two equal ones.
            let hottest = if x.tenths >= y.tenths { a.tag } else { b.tag };
            Some(format!("{} {x} and {} {y} {}: {hottest} is hottest.", a.tag, b.tag, first.kind().unit))
        }
        (Question::Door, [line]) => match line.what {
            What::Door(true) => Some(format!("Yes, {} is open.", line.tag)),
            What::Door(false) => Some(format!("No, {} is shut.", line.tag)),
            What::Readings(_) => None,
        },
        (Question::Change, [before, after]) if before.tag == after.tag => {
            let ([x], [y]) = (readings(before)?, readings(after)?) else { return None };
            let (from, to) = (x.value?, y.value?);
            let how = match to.tenths.cmp(&from.tenths) {
                _ if x.kind != y.kind => return None,
                std::cmp::Ordering::Less => "down",
                std::cmp::Ordering::Equal => "the same",
                std::cmp::Ordering::Greater => "up",
            };
            Some(format!("From {from} to {to} {}: {how}.", x.kind().unit))
        }
        (Question::Alarms, [line]) => {
            let readings = readings(line)?;
            let verdict = |reading: &Reading| {
                let verdict = if reading.is_alarm()? { "alarm" } else { "ok" };
                Some(format!("{} of {} {verdict}", reading.value?, reading.limit))
            };
            let verdicts: Vec<String> = readings.iter().map(verdict).collect::<Option<_>>()?;
            let count = readings.iter().filter(|reading| reading.is_alarm() == Some(true)).count();
            let plural = if count == 1 { "" } else { "s" };
            Some(format!("{}: {count} alarm{plural}.", verdicts.join(", ")))
        }
        (Question::Limit, [line]) => {
            let [reading, ..] = readings(line)? else { return None };
            Some(format!("The limit is {} {}.", reading.limit, reading.kind().unit))
        }
        _ => None,
    }
}

/// The only reading of a line, if it is a temperature.
fn temperature(line: &Line) -> Option<&Reading> {
    match readings(line)? {
        [reading] if reading.kind().key == "temp" => Some(reading),
        _ => None,
    }
}

fn write(style: Style, lines: &[&Line]) -> Option<String> {
    let [line] = lines else { return None };
    let [reading] = readings(line)? else { return None };
    let (time, tag, key, unit) = (line.time, line.tag, reading.kind().key, reading.kind().unit);
    let value = reading.value?;
    Some(match style {
        Style::Note => format!("Checked {tag} at {time}: {key} {value} {unit}."),
        Style::Sms => format!("{tag} {key} {value} {unit} ({time}, limit {})", reading.limit),
        Style::Ticket => format!("Ticket: look at {tag}, {key} was {value} {unit} at {time}."),
    })
}
