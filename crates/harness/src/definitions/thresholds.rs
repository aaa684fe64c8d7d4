//! Thresholds of a significant change: `ci/thresholds.toml`, read strictly.

use super::metrics::{COUNTERS, SIZE};
use crate::targets::targets;
use crate::workspace::error::{Error, nearest};
use crate::workspace::{Workspace, read_text};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toml::{Table, Value};

/// Limits of a relative change: 0.02 is 2 %.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeLimits {
    /// A smaller change is ignored.
    pub floor: f64,
    /// A change of this size must be found or ruled out, else the comparison is inconclusive.
    pub ceiling: f64,
}

/// The thresholds of every kind of check.
#[derive(Debug, Clone, PartialEq)]
pub struct Thresholds {
    /// For comparisons of time.
    pub time: TimeLimits,
    /// The allowed rise of each counter.
    counters: BTreeMap<String, Allowance>,
    /// Absolute limits, which accepting a baseline does not lift.
    pub caps: Vec<Cap>,
}

/// How far a counter may rise above its baseline.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Allowance {
    rise: f64,
    rise_by: f64,
}

impl Allowance {
    /// The allowed rise above this value.
    pub fn of(&self, accepted: u64) -> f64 {
        (accepted as f64 * self.rise).max(self.rise_by)
    }
}

/// An absolute limit of a counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cap {
    /// The counters it applies to, by target, variant, workload, phase and metric; `None` matches all.
    names: [Option<String>; 5],
    /// The largest allowed value.
    pub most: u64,
    /// Why.
    pub why: String,
}

impl Cap {
    /// Whether it applies to the counter of these names: target, variant, workload, phase and metric.
    pub fn covers(&self, counter: [&str; 5]) -> bool {
        self.names.iter().zip(counter).all(|(wanted, name)| wanted.as_deref().is_none_or(|w| w == name))
    }
}

/// The counters that need a threshold: those that runners count, and sizes. Time has an interval instead.
fn counter_metrics() -> impl Iterator<Item = &'static str> {
    COUNTERS.into_iter().chain([SIZE])
}

impl Thresholds {
    /// Reads `ci/thresholds.toml`.
    ///
    /// # Errors
    /// If it is missing, has an unknown key, or a value that is not a valid threshold.
    pub fn load(workspace: &Workspace) -> Result<Self, Error> {
        let path = workspace.root.join("ci/thresholds.toml");
        Thresholds::parse(&read_text(&path)?).map_err(|message| Error::Malformed { path, message })
    }

    /// The allowed rise of a counter; [`parse`](Thresholds::parse) made sure that every known one has a value.
    pub fn allowance(&self, metric: &str) -> Allowance {
        self.counters.get(metric).copied().unwrap_or_default()
    }

    /// Parses the file's text.
    ///
    /// # Errors
    /// The message, without the file's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: Table = toml::from_str(text).map_err(|error| error.to_string())?;
        known_keys("", &file, &["time", "counter", "cap"])?;
        let time = table("time", &file)?;
        known_keys("[time] ", time, &["floor", "ceiling"])?;
        let time = TimeLimits { floor: share("[time] ", time, "floor")?, ceiling: share("[time] ", time, "ceiling")? };
        if time.floor >= time.ceiling {
            return Err(format!("[time] floor {} is not below ceiling {}", time.floor, time.ceiling));
        }
        Ok(Thresholds { time, counters: counters(table("counter", &file)?)?, caps: caps(&file)? })
    }
}

fn counters(stanzas: &Table) -> Result<BTreeMap<String, Allowance>, String> {
    let known: Vec<&str> = counter_metrics().collect();
    known_keys("[counter] ", stanzas, &known)?;
    let mut counters = BTreeMap::new();
    for metric in known {
        let place = format!("[counter.{metric}] ");
        let Some(Value::Table(stanza)) = stanzas.get(metric) else {
            return Err(format!("there is no table [counter.{metric}]: every counter needs a threshold"));
        };
        known_keys(&place, stanza, &["rise", "rise_by"])?;
        if stanza.is_empty() {
            return Err(format!("{place}needs `rise` or `rise_by`"));
        }
        let rise = if stanza.contains_key("rise") { share(&place, stanza, "rise")? } else { 0.0 };
        let rise_by = number(&place, stanza, "rise_by")?.unwrap_or(0.0);
        if !(rise_by >= 0.0 && rise_by.is_finite()) {
            return Err(format!("{place}rise_by = {rise_by} is not a number of at least 0"));
        }
        counters.insert(metric.to_string(), Allowance { rise, rise_by });
    }
    Ok(counters)
}

fn caps(file: &Table) -> Result<Vec<Cap>, String> {
    const NAMES: [&str; 5] = ["target", "variant", "workload", "phase", "metric"];
    let stanzas = match file.get("cap") {
        None => return Ok(Vec::new()),
        Some(Value::Array(stanzas)) => stanzas,
        Some(_) => return Err("`cap` is not a list: write [[cap]]".into()),
    };
    let mut caps = Vec::new();
    for stanza in stanzas {
        let Value::Table(stanza) = stanza else { return Err("`cap` is not a list of tables: write [[cap]]".into()) };
        known_keys("[[cap]] ", stanza, &[&NAMES[..], &["most", "why"]].concat())?;
        let text = |key: &str| match stanza.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(format!("[[cap]] {key} = {other} is not a text")),
        };
        let mut names = [const { None }; 5];
        for (place, name) in names.iter_mut().zip(NAMES) {
            *place = text(name)?;
        }
        let metric = names[4].as_deref().ok_or("[[cap]] `metric` is missing")?;
        if !counter_metrics().any(|known| known == metric) {
            let near = nearest(metric, counter_metrics()).map(|near| format!("; did you mean `{near}`?"));
            return Err(format!("[[cap]] there is no metric `{metric}`{}", near.unwrap_or_default()));
        }
        if let Some(target) = names[0].as_deref().filter(|name| targets().iter().all(|target| target.name != *name)) {
            let near =
                nearest(target, targets().iter().map(|t| t.name)).map(|near| format!("; did you mean `{near}`?"));
            return Err(format!("[[cap]] there is no target `{target}`{}", near.unwrap_or_default()));
        }
        let most = match stanza.get("most") {
            Some(Value::Integer(most)) if *most >= 0 => *most as u64,
            Some(other) => return Err(format!("[[cap]] most = {other} is not a whole number of at least 0")),
            None => return Err("[[cap]] `most` is missing".into()),
        };
        caps.push(Cap { names, most, why: text("why")?.ok_or("[[cap]] `why` is missing")? });
    }
    Ok(caps)
}

/// Refuses a key that is not in `known`, naming the nearest that is.
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

/// A fraction: a number of at least 0 and below 1.
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
    use crate::workspace::{Workspace, write_atomic};

    const COMMITTED: &str = include_str!("../../../../ci/thresholds.toml");

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

    #[test]
    fn no_number_that_is_none_is_a_threshold() {
        for value in ["1e400", "-1e400", "inf", "-inf", "nan", "1.0", "-0.001", "'0.005'", "true", "[0.005]", "{}"] {
            let text = refuse("[counter.fuel]\nrise = 0.005", &format!("[counter.fuel]\nrise = {value}"));
            assert!(text.contains("[counter.fuel] rise = ") || text.contains("TOML"), "{value}: {text}");
        }
        for value in ["1e400", "inf", "nan", "-512", "'512'", "99999999999999999999"] {
            let text = refuse("rise_by = 512", &format!("rise_by = {value}"));
            assert!(text.contains("rise_by = ") || text.contains("TOML"), "{value}: {text}");
        }
        for value in ["1.5", "'0'", "-1"] {
            assert!(refuse("most = 0", &format!("most = {value}")).contains("is not a whole number of at least 0"));
        }
    }

    #[test]
    fn a_file_that_is_missing_or_wrong_is_named_and_ends_with_2() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_path_buf();
        let workspace = Workspace { target: root.join("target"), root };
        let refused = || Thresholds::load(&workspace).unwrap_err();
        let error = refused();
        assert_eq!(error.exit().code(), 2);
        assert!(error.to_string().contains("ci/thresholds.toml"), "{error}");
        let path = workspace.root.join("ci/thresholds.toml");
        for text in [&COMMITTED.replace("floor = 0.01", "floor = -1"), &COMMITTED[..COMMITTED.len() / 2], "", "\0"] {
            write_atomic(&path, text.as_bytes()).unwrap();
            let error = refused();
            assert_eq!(error.exit().code(), 2, "{error}");
            assert!(error.to_string().contains("ci/thresholds.toml: "), "{error}");
        }
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert_eq!(refused().exit().code(), 2);
    }

    #[test]
    fn an_unknown_metric_or_a_threshold_below_zero_is_refused() {
        assert!(refuse("[counter.fuel]", "[counter.feul]").contains("no key `feul`; did you mean `fuel`?"));
        assert!(refuse("[counter.fuel]\nrise = 0.005\n", "").contains("no table [counter.fuel]"));
        assert!(refuse("rise = 0.005", "rise = -1").contains("[counter.instructions] rise = -1 is not a share"));
        assert!(refuse("rise_by = 512", "rise_by = -1").contains("rise_by = -1 is not a number of at least 0"));
        assert!(refuse("rise_by = 512", "rise_bye = 1").contains("did you mean `rise_by`?"));
        assert!(refuse("metric = \"allocations\"", "metric = \"alocations\"").contains("did you mean `allocations`?"));
        assert!(refuse("target = \"xtensa\"", "target = \"extensa\"").contains("did you mean `xtensa`?"));
        assert!(refuse("most = 0", "most = -1").contains("most = -1 is not a whole number"));
        assert!(refuse("most = 0", "mots = 0").contains("did you mean `most`?"));
    }
}
