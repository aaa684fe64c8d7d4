//! The three notations of a line, written and read, and the task behind the lines.

use super::record::{Line, Number, Reading, Record, Tag, Task, Time, What};
use super::table::{KINDS, QUESTIONS, STYLES};

/// How the lines of a record are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notation {
    /// `12:05 P12 temp=81.4/75 vib=2.1/4.5`
    KeyValue,
    /// `12:05,P12,temp,81.4,75,vib,2.1,4.5`
    Csv,
    /// `{"at":"12:05","id":"P12","temp":[81.4,75],"vib":[2.1,4.5]}`
    Json,
}

/// All of them.
pub const NOTATIONS: [Notation; 3] = [Notation::KeyValue, Notation::Csv, Notation::Json];

/// The record as text, without a newline: its lines after each other, then ` ? ` or ` ! ` and the task.
pub fn write(record: &Record, notation: Notation) -> String {
    let lines: Vec<String> = record.lines.iter().map(|line| write_line(line, notation)).collect();
    let mut text = lines.join("; ");
    let name = |names: Option<&str>| names.unwrap_or_default().to_string();
    let task = match &record.task {
        Task::Monitor => return text,
        Task::Ask(question) => format!("? {}", name(QUESTIONS.iter().find(|(q, _)| q == question).map(|(_, n)| *n))),
        Task::Write(style) => format!("! {}", name(STYLES.iter().find(|(s, _)| s == style).map(|(_, n)| *n))),
        Task::Other(text) => text.clone(),
    };
    if !text.is_empty() {
        text.push(' ');
    }
    text + &task
}

fn write_line(Line { time, tag, what }: &Line, notation: Notation) -> String {
    let mut text = match notation {
        Notation::KeyValue => format!("{time} {tag}"),
        Notation::Csv => format!("{time},{tag}"),
        Notation::Json => format!("{{\"at\":\"{time}\",\"id\":\"{tag}\""),
    };
    match what {
        What::Door(open) => {
            let state = if *open { "open" } else { "shut" };
            text += &match notation {
                Notation::KeyValue => format!(" door={state}"),
                Notation::Csv => format!(",door,{state}"),
                Notation::Json => format!(",\"door\":\"{state}\""),
            };
        }
        What::Readings(readings) => {
            for reading @ Reading { value, limit, .. } in readings {
                let key = reading.kind().key;
                let value = |missing: &str| value.map_or_else(|| missing.to_string(), |value| value.to_string());
                text += &match notation {
                    Notation::KeyValue => format!(" {key}={}/{limit}", value("-")),
                    Notation::Csv => format!(",{key},{},{limit}", value("")),
                    Notation::Json => format!(",\"{key}\":[{},{limit}]", value("null")),
                };
            }
        }
    }
    if notation == Notation::Json {
        text.push('}');
    }
    text
}

/// Reads what [`write()`] writes. `None` if any part is not in one of the notations: of such a record nothing is known.
pub fn read(text: &str) -> Option<Record> {
    let (lines, task) = match text.find(['?', '!']) {
        Some(at) => (text[..at].strip_suffix(' ').or((at == 0).then_some(""))?, task(&text[at..])),
        None => (text, Task::Monitor),
    };
    let lines = lines.split("; ").filter(|line| !line.is_empty()).map(read_line).collect::<Option<_>>()?;
    Some(Record { lines, task })
}

fn task(text: &str) -> Task {
    let question = QUESTIONS.iter().find(|(_, name)| text.strip_prefix("? ") == Some(name));
    let style = STYLES.iter().find(|(_, name)| text.strip_prefix("! ") == Some(name));
    match (question, style) {
        (Some((question, _)), _) => Task::Ask(*question),
        (_, Some((style, _))) => Task::Write(*style),
        _ => Task::Other(text.to_string()),
    }
}

fn read_line(text: &str) -> Option<Line> {
    if text.starts_with('{') {
        return read_json(text);
    }
    let separator = if text.contains(',') { ',' } else { ' ' };
    let mut fields = text.split(separator);
    let (time, tag) = (read_time(fields.next()?)?, read_tag(fields.next()?)?);
    let mut what = Vec::new();
    while let Some(field) = fields.next() {
        what.push(match separator {
            ',' if field == "door" => (field, fields.next()?, ""),
            ',' => (field, fields.next()?, fields.next()?),
            _ => {
                let (key, value) = field.split_once('=')?;
                let (value, limit) = value.split_once('/').unwrap_or((value, ""));
                (key, value, limit)
            }
        });
    }
    Some(Line { time, tag, what: read_what(&what)? })
}

fn read_json(text: &str) -> Option<Line> {
    let serde_json::Value::Object(fields) = serde_json::from_str(text).ok()? else { return None };
    // The map of serde_json is sorted: the order of the readings is that of their keys in the text.
    let mut keys: Vec<(&String, &serde_json::Value)> = fields.iter().collect();
    keys.sort_by_key(|(key, _)| text.find(&format!("\"{key}\":")));
    let raw = |value: &serde_json::Value| match value {
        serde_json::Value::Null => "-".to_string(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut what = Vec::new();
    for (key, value) in keys.into_iter().filter(|(key, _)| !["at", "id"].contains(&key.as_str())) {
        what.push(match value.as_array().map(Vec::as_slice) {
            Some([value, limit]) => (key.as_str(), raw(value), raw(limit)),
            Some(_) => return None,
            None => (key.as_str(), raw(value), String::new()),
        });
    }
    let what: Vec<_> = what.iter().map(|(key, value, limit)| (*key, value.as_str(), limit.as_str())).collect();
    let (time, tag) = (read_time(fields.get("at")?.as_str()?)?, read_tag(fields.get("id")?.as_str()?)?);
    Some(Line { time, tag, what: read_what(&what)? })
}

/// Keys with their value and limit.
fn read_what(what: &[(&str, &str, &str)]) -> Option<What> {
    match what {
        [("door", "open", "")] => return Some(What::Door(true)),
        [("door", "shut", "")] => return Some(What::Door(false)),
        _ => {}
    }
    let reading = |&(key, value, limit): &(&str, &str, &str)| {
        let kind = KINDS.iter().position(|kind| kind.key == key)?;
        let [of_value, of_limit] = KINDS[kind].decimals;
        let value = match value {
            "" | "-" => None,
            value => Some(read_number(value, of_value)?),
        };
        Some(Reading { kind, value, limit: read_number(limit, of_limit)? })
    };
    what.iter().map(reading).collect::<Option<_>>().map(What::Readings)
}

fn read_number(text: &str, decimals: usize) -> Option<Number> {
    let (whole, tenth) = match (text.split_once('.'), decimals) {
        (Some((whole, tenth)), 1) if tenth.len() == 1 => (whole, digits(tenth)?),
        (None, 0) => (text, 0),
        _ => return None,
    };
    (whole.len() <= 2).then_some(())?;
    Some(Number { tenths: digits(whole)? * 10 + tenth, decimals })
}

fn read_time(text: &str) -> Option<Time> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes) =
        ((hours.len() == 2).then(|| digits(hours))??, (minutes.len() == 2).then(|| digits(minutes))??);
    (hours < 24 && minutes < 60).then_some(Time(hours * 60 + minutes))
}

fn read_tag(text: &str) -> Option<Tag> {
    let letter = text.chars().next().filter(char::is_ascii_uppercase)?;
    let number = text.get(1..).filter(|number| number.len() == 2)?;
    Some(Tag { letter, number: digits(number)? })
}

/// At most four digits and nothing else.
fn digits(text: &str) -> Option<u16> {
    let all = !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| text.parse().ok())?
}
