//! What counts as a change: `ci/thresholds.toml`, read strictly.

use crate::error::{Error, nearest};
use crate::stats::verdict::TimeLimits;
use crate::workspace::{Workspace, read_text};
use toml::{Table, Value};

/// The thresholds of every kind of check.
#[derive(Debug, Clone, PartialEq)]
pub struct Thresholds {
    /// For comparisons of time.
    pub time: TimeLimits,
}

impl Thresholds {
    /// Reads `ci/thresholds.toml`.
    ///
    /// # Errors
    /// If it is missing, has a key that means nothing, or a value that cannot be a threshold.
    pub fn load(workspace: &Workspace) -> Result<Self, Error> {
        let path = workspace.root.join("ci/thresholds.toml");
        Thresholds::parse(&read_text(&path)?).map_err(|message| Error::Malformed { path, message })
    }

    /// Reads the file's text.
    ///
    /// # Errors
    /// As a sentence, without the file's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: Table = toml::from_str(text).map_err(|error| error.to_string())?;
        known_keys("", &file, &["time"])?;
        let time = table("time", &file)?;
        known_keys("[time] ", time, &["floor", "ceiling"])?;
        let time = TimeLimits { floor: share("[time] ", time, "floor")?, ceiling: share("[time] ", time, "ceiling")? };
        if time.floor >= time.ceiling {
            return Err(format!("[time] floor {} is not below ceiling {}", time.floor, time.ceiling));
        }
        Ok(Thresholds { time })
    }
}

/// Refuses a key that is not one of `known`, naming the nearest that is.
fn known_keys(place: &str, table: &Table, known: &[&str]) -> Result<(), String> {
    match table.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            let near = nearest(key, known.iter().copied()).map(|near| format!("; did you mean `{near}`?"));
            Err(format!("{place}there is no key `{key}`{}", near.unwrap_or_default()))
        }
    }
}

fn table<'a>(name: &str, file: &'a Table) -> Result<&'a Table, String> {
    match file.get(name) {
        Some(Value::Table(table)) => Ok(table),
        Some(_) => Err(format!("`{name}` is not a table")),
        None => Err(format!("there is no table [{name}]")),
    }
}

/// A share: a number of at least 0 and below 1.
fn share(place: &str, table: &Table, key: &str) -> Result<f64, String> {
    let value = number(place, table, key)?.ok_or_else(|| format!("{place}`{key}` is missing"))?;
    if !(0.0..1.0).contains(&value) {
        return Err(format!("{place}{key} = {value} is not a share: at least 0 and below 1"));
    }
    Ok(value)
}

fn number(place: &str, table: &Table, key: &str) -> Result<Option<f64>, String> {
    match table.get(key) {
        None => Ok(None),
        Some(Value::Float(value)) => Ok(Some(*value)),
        Some(Value::Integer(value)) => Ok(Some(*value as f64)),
        Some(other) => Err(format!("{place}{key} = {other} is not a number")),
    }
}

#[cfg(test)]
mod tests {
    use super::Thresholds;

    const COMMITTED: &str = include_str!("../../../ci/thresholds.toml");

    fn refuse(from: &str, to: &str) -> String {
        let changed = COMMITTED.replace(from, to);
        assert_ne!(changed, COMMITTED);
        Thresholds::parse(&changed).unwrap_err()
    }

    #[test]
    fn the_committed_file_is_read_and_everything_else_is_refused() {
        assert_eq!(Thresholds::parse(COMMITTED).unwrap().time.floor, 0.01);
        assert!(refuse("\nfloor", "\nflor").contains("[time] there is no key `flor`; did you mean `floor`?"));
        assert!(refuse("[time]", "[tim]").contains("did you mean `time`?"));
        assert!(refuse("floor = 0.01", "floor = -1").contains("floor = -1 is not a share"));
        assert!(refuse("floor = 0.01", "floor = nan").contains("is not a share"));
        assert!(refuse("floor = 0.01", "floor = 'low'").contains("is not a number"));
        assert!(refuse("floor = 0.01", "floor = 0.5").contains("is not below ceiling"));
        assert!(refuse("floor = 0.01\n", "").contains("`floor` is missing"));
    }
}
