//! The format of a target's baseline, and how an acceptance changes it.

use crate::definitions::metrics::{COUNTERS, SIZE};
use crate::records::counter::Counter;
use crate::workspace::error::nearest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the file's format.
pub const SCHEMA: u64 = 1;

/// The baseline of a target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// See [`SCHEMA`].
    pub schema: u64,
    /// Every acceptance, the newest last.
    pub history: Vec<Accepted>,
    /// The counters.
    pub rows: Vec<Counter>,
}

/// One acceptance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// The user, as configured in git.
    pub who: String,
    /// When, UTC, ISO 8601.
    pub when: String,
    /// Commit of the counters, with a mark if the tree had local changes.
    pub commit: String,
    /// The reason.
    pub reason: String,
    /// The changes.
    pub changes: Vec<Change>,
}

/// One changed counter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Name of the counter.
    pub row: String,
    /// The old value; none for a new counter.
    pub from: Option<u64>,
    /// The new value; none for a removed counter.
    pub to: Option<u64>,
    /// The key of the new value; none for a removed counter, and in acceptances from before the field existed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<BTreeMap<String, String>>,
}

impl Baseline {
    pub(super) fn empty() -> Self {
        Baseline { schema: SCHEMA, history: Vec::new(), rows: Vec::new() }
    }

    /// Parses a file's text; `target` is taken from its name.
    ///
    /// # Errors
    /// A message: the file is truncated or altered, has another schema, or a row is repeated or of another target.
    pub fn parse(target: &str, text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Head {
            schema: u64,
        }
        let head: Head = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if head.schema != SCHEMA {
            return Err(format!("schema {}, this build reads schema {SCHEMA}", head.schema));
        }
        let baseline: Baseline = serde_json::from_str(text).map_err(|error| error.to_string())?;
        for (i, row) in baseline.rows.iter().enumerate() {
            if row.target != target {
                return Err(format!("row `{row}` is of target `{}`, the file of `{target}`", row.target));
            }
            if let Some(message) = unknown_metric(&row.metric) {
                return Err(format!("row `{row}`: {message}"));
            }
            if baseline.rows[..i].iter().any(|other| other.name() == row.name()) {
                return Err(format!("row `{row}` is there twice"));
            }
        }
        Ok(baseline)
    }

    /// The file's text, with a line for each row and acceptance, so that a diff shows only the changed lines.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        let lines = |items: Vec<String>| items.iter().map(|item| format!("\n{item}")).collect::<Vec<_>>().join(",");
        let history = self.history.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
        let rows = self.rows.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
        Ok(format!("{{\"schema\":{},\n\"history\":[{}],\n\"rows\":[{}]}}\n", self.schema, lines(history), lines(rows)))
    }

    /// Replaces the rows that `replaced` selects with counters, and returns the changes. The order is that of the
    /// names, so it does not depend on the run.
    ///
    /// `lacking` selects the rows of variants that this machine cannot run.
    pub(super) fn accept(
        &mut self,
        counters: &[Counter],
        replaced: impl Fn(&Counter) -> bool,
        lacking: impl Fn(&Counter) -> bool,
    ) -> Vec<Change> {
        let mut before: BTreeMap<String, (u64, BTreeMap<String, String>)> = BTreeMap::new();
        self.rows.retain(|row| {
            let goes = replaced(row) || counters.iter().any(|counter| counter.name() == row.name());
            if goes {
                before.insert(row.to_string(), (row.value, row.key.clone()));
            }
            !goes
        });
        let mut changes = Vec::new();
        for counter in counters {
            let (row, to) = (counter.to_string(), Some(counter.value));
            let (from, key) = before.remove(&row).unzip();
            if from != to || key.as_ref() != Some(&counter.key) {
                changes.push(Change { row, from, to, key: Some(counter.key.clone()) });
            }
            self.rows.push(counter.clone());
        }
        // A counter that cannot be counted here may have changed together with the others.
        let changed = |row: &Counter| {
            let same = |counter: &&Counter| {
                counter.target == row.target && counter.variant != row.variant && counter.name()[2..] == row.name()[2..]
            };
            counters.iter().filter(same).any(|counter| {
                let of = |change: &&Change| change.row == counter.to_string() && change.from.is_some();
                changes.iter().find(of).is_some_and(|change| change.from != change.to)
            })
        };
        for row in &mut self.rows {
            row.unconfirmed |= lacking(row) && changed(row);
        }
        changes.extend(before.into_iter().map(|(row, (value, _))| Change {
            row,
            from: Some(value),
            to: None,
            key: None,
        }));
        self.rows.sort_by(|a, b| a.name().cmp(&b.name()));
        changes
    }
}

/// The error for a metric that the gate does not check, with the nearest one.
fn unknown_metric(metric: &str) -> Option<String> {
    let known = || COUNTERS.into_iter().chain([SIZE]);
    if known().any(|name| name == metric) {
        return None;
    }
    let near = nearest(metric, known()).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Some(format!("there is no metric `{metric}`{near}"))
}
