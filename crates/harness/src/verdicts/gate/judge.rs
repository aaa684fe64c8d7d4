//! Compares counters with their baseline, row by row.

use super::finding::{Finding, PartChange, Status};
use crate::definitions::thresholds::Thresholds;
use crate::records::counter::Counter;
use crate::targets::Cell;
use crate::workspace::exit::Exit;
use std::collections::{BTreeMap, BTreeSet};

/// The scope of a gate.
pub struct Scope<'a> {
    /// Whether a row is selected.
    pub selected: &'a dyn Fn(&Counter) -> bool,
    /// Whether a row could not be counted here for a reason that has a row of its own.
    pub excused: &'a dyn Fn(&Counter) -> bool,
    /// Why a row is stale, if its workload or cell no longer exists.
    pub stale: &'a dyn Fn(&Counter) -> Option<String>,
}

/// Judges counters against the baseline; the largest change comes first.
pub fn judge(thresholds: &Thresholds, accepted: &[Counter], counters: &[Counter], scope: &Scope) -> Vec<Finding> {
    let mut findings = Vec::new();
    for counter in counters {
        let row = accepted.iter().find(|row| row.name() == counter.name());
        findings.push(judge_counter(thresholds, row, counter));
    }
    for row in accepted {
        if let Some(sentence) = (scope.stale)(row) {
            findings.push(Finding::of(row, Some(row.value), None, Status::Stale, sentence));
            continue;
        }
        let counted = counters.iter().any(|counter| counter.name() == row.name());
        if !counted && (scope.selected)(row) && !(scope.excused)(row) {
            let sentence = format!("was accepted at {} and was not counted now", row.value);
            findings.push(Finding::of(row, Some(row.value), None, Status::Missing, sentence));
        }
    }
    let size = |finding: &Finding| finding.change().map_or(0.0, f64::abs);
    findings.sort_by(|a, b| a.status.cmp(&b.status).then(size(b).total_cmp(&size(a))));
    findings
}

fn judge_counter(thresholds: &Thresholds, row: Option<&Counter>, counter: &Counter) -> Finding {
    let value = counter.value;
    let finding = |status, sentence: String| {
        let parts = row.map(|row| parts(row, counter)).unwrap_or_default();
        Finding { parts, ..Finding::of(counter, row.map(|row| row.value), Some(value), status, sentence) }
    };
    if let Some(cap) = thresholds.caps.iter().find(|cap| cap.covers(counter.name()) && value > cap.most) {
        return finding(Status::OverCap, format!("{value} is above the cap of {}: {}", cap.most, cap.why));
    }
    let Some(row) = row else {
        return finding(Status::NoBaseline, "it has no accepted value".into());
    };
    if let Some(difference) = differing_key(row, counter) {
        return finding(Status::NotComparable, difference);
    }
    let allowed = thresholds.allowance(&counter.metric).of(row.value);
    let change = value as f64 - row.value as f64;
    if row.unconfirmed && change.abs() > allowed {
        let sentence =
            "other variants were accepted since, on a machine without this one: accept it here if it is right";
        finding(Status::Unconfirmed, sentence.into())
    } else if change > allowed {
        finding(Status::Regression, format!("rose by {change:.0}, {allowed:.0} are allowed"))
    } else if -change > allowed {
        finding(Status::Improvement, format!("fell by {:.0}", -change))
    } else {
        finding(Status::Unchanged, String::new())
    }
}

/// The steps of two counters, the largest change first, if both have them.
fn parts(accepted: &Counter, now: &Counter) -> Vec<PartChange> {
    if accepted.parts.is_empty() || now.parts.is_empty() || accepted.value == now.value {
        return Vec::new();
    }
    let names: BTreeSet<&String> = accepted.parts.keys().chain(now.parts.keys()).collect();
    let count = |parts: &BTreeMap<String, u64>, name: &String| parts.get(name).copied().unwrap_or(0);
    let change = |name: &String| PartChange {
        part: name.clone(),
        baseline: count(&accepted.parts, name),
        value: count(&now.parts, name),
    };
    let mut changes: Vec<PartChange> = names.into_iter().map(change).collect();
    changes.sort_by_key(|change| std::cmp::Reverse(change.distance()));
    changes
}

/// The fields in which the keys of two counters differ, if any.
pub fn differing_key(accepted: &Counter, now: &Counter) -> Option<String> {
    let name = accepted.key.keys().chain(now.key.keys()).find(|name| accepted.key.get(*name) != now.key.get(*name))?;
    let show = |counter: &Counter| counter.key.get(name).map_or("nothing".to_string(), |value| format!("`{value}`"));
    Some(format!("{name} was {}, is {} now", show(accepted), show(now)))
}

/// Removes the findings about variants without any accepted counter, because no accepting machine had such a CPU;
/// returns those variants, by target. A variant that runs on every CPU is never removed.
pub fn take_unaccepted(findings: &mut Vec<Finding>, accepted: &[Counter]) -> BTreeSet<(String, String)> {
    let known = |finding: &Finding| {
        accepted.iter().any(|row| (&row.target, &row.variant) == (&finding.target, &finding.variant))
    };
    let some_cpus = |finding: &Finding| {
        Cell::named(&finding.target, &finding.variant).is_some_and(|cell| !cell.variant.cpu.is_empty())
    };
    let unaccepted =
        |finding: &mut Finding| finding.status == Status::NoBaseline && !known(finding) && some_cpus(finding);
    findings.extract_if(.., unaccepted).map(|finding| (finding.target, finding.variant)).collect()
}

/// The exit code of all findings.
pub fn exit(findings: &[Finding]) -> Exit {
    findings.iter().map(|finding| finding.status.exit()).fold(Exit::Pass, Exit::worst)
}

#[cfg(test)]
mod tests {
    use super::{Finding, Scope, Status, exit, judge, take_unaccepted};
    use crate::definitions::thresholds::Thresholds;
    use crate::records::counter::Counter;

    fn counter(variant: &str, metric: &str, value: u64) -> Counter {
        Counter {
            target: "native".into(),
            variant: variant.into(),
            workload: "a".into(),
            phase: "decode".into(),
            metric: metric.into(),
            unit: metric.into(),
            value,
            parts: Default::default(),
            key: [("rustc".to_string(), "1.95".to_string())].into(),
            unconfirmed: false,
        }
    }

    fn thresholds() -> Thresholds {
        Thresholds::parse(include_str!("../../../../../ci/thresholds.toml")).unwrap()
    }

    fn judged(accepted: &[Counter], counters: &[Counter]) -> Vec<Finding> {
        let scope = Scope { selected: &|_| true, excused: &|_| false, stale: &|_| None };
        judge(&thresholds(), accepted, counters, &scope)
    }

    fn one(accepted: u64, now: u64, metric: &str) -> (Status, u8) {
        let findings = judged(&[counter("avx2", metric, accepted)], &[counter("avx2", metric, now)]);
        assert_eq!(findings.len(), 1);
        (findings[0].status, exit(&findings).code())
    }

    #[test]
    fn one_percent_more_instructions_is_always_found() {
        for base in [1000, 281_623, 78_388_197, 6_552_892_744] {
            assert_eq!(one(base, base, "instructions"), (Status::Unchanged, 0));
            assert_eq!(one(base, base + base / 1000, "instructions"), (Status::Unchanged, 0));
            assert_eq!(one(base, base + base / 100, "instructions"), (Status::Regression, 1));
            assert_eq!(one(base, base - base / 100, "instructions"), (Status::Improvement, 0));
        }
        assert_eq!(one(100_000, 100_512, "size"), (Status::Unchanged, 0));
        assert_eq!(one(100_000, 100_513, "size"), (Status::Regression, 1));
        assert_eq!(one(0, 1, "allocations"), (Status::OverCap, 1));
        assert_eq!(one(0, 0, "allocations"), (Status::Unchanged, 0));
    }

    #[test]
    fn what_is_missing_on_a_side_is_an_error() {
        let (a, b) = (counter("avx2", "instructions", 5), counter("ssse3", "instructions", 5));
        let findings = judged(&[a.clone(), b.clone()], std::slice::from_ref(&a));
        assert_eq!((findings[0].status, exit(&findings).code()), (Status::Missing, 2));
        let findings = judged(std::slice::from_ref(&a), &[a.clone(), b.clone()]);
        assert_eq!((findings[0].status, exit(&findings).code()), (Status::NoBaseline, 2));
        let scope = Scope { selected: &|row| row.variant == "avx2", excused: &|_| false, stale: &|_| None };
        let findings = judge(&thresholds(), &[a.clone(), b.clone()], std::slice::from_ref(&a), &scope);
        assert_eq!(exit(&findings).code(), 0, "a counter that was not requested is not missing");
        let scope = Scope { selected: &|_| true, excused: &|row| row.variant == "ssse3", stale: &|_| None };
        assert_eq!(exit(&judge(&thresholds(), &[a.clone(), b.clone()], std::slice::from_ref(&a), &scope)).code(), 0);
        let stale = |row: &Counter| (row.variant == "ssse3").then(|| "there is no workload `a`".to_string());
        let scope = Scope { selected: &|_| true, excused: &|_| false, stale: &stale };
        let findings = judge(&thresholds(), &[a.clone(), b], &[a], &scope);
        assert_eq!((findings[0].status, exit(&findings).code()), (Status::Stale, 2));
        assert_eq!(findings[0].sentence, "there is no workload `a`");
    }

    #[test]
    fn what_a_gate_says_does_not_depend_on_the_cpu_that_accepted() {
        // Accepted on a CPU without AVX-VNNI, gated on one with it.
        let accepted = [counter("avx2", "heap_peak", 5)];
        let now = [counter("avx2", "heap_peak", 5), counter("avx_vnni", "heap_peak", 5)];
        let mut findings = judged(&accepted, &now);
        let unaccepted = take_unaccepted(&mut findings, &accepted);
        assert_eq!(unaccepted, [("native".to_string(), "avx_vnni".to_string())].into());
        assert_eq!(exit(&findings).code(), 0);
        // A single missing counter of a variant, and a missing variant that runs on any CPU, are errors.
        for now in [
            [counter("avx2", "heap_peak", 5), counter("avx2", "allocations", 0)],
            [counter("avx2", "heap_peak", 5), counter("generic", "heap_peak", 5)],
        ] {
            let mut findings = judged(&accepted, &now);
            assert!(take_unaccepted(&mut findings, &accepted).is_empty());
            assert_eq!(exit(&findings).code(), 2);
        }
        // Others were accepted again elsewhere: a difference is not a regression, but it is reported.
        let old = Counter { unconfirmed: true, ..counter("avx_vnni", "instructions", 1000) };
        let changed = &judged(std::slice::from_ref(&old), &[counter("avx_vnni", "instructions", 1200)])[0];
        assert_eq!((changed.status, changed.status.exit().code(), changed.changed()), (Status::Unconfirmed, 0, true));
        let same = &judged(std::slice::from_ref(&old), &[counter("avx_vnni", "instructions", 1000)])[0];
        assert_eq!(same.status, Status::Unchanged);
    }

    #[test]
    fn another_compiler_is_not_comparable() {
        let accepted = counter("avx2", "instructions", 5);
        let mut now = accepted.clone();
        now.key.insert("rustc".into(), "1.96".into());
        let findings = judged(&[accepted], &[now]);
        assert_eq!((findings[0].status, exit(&findings).code()), (Status::NotComparable, 3));
        assert!(findings[0].sentence.contains("rustc was `1.95`, is `1.96` now"), "{}", findings[0].sentence);
    }

    #[test]
    fn the_changed_step_is_named_first_and_an_unchanged_one_is_reported() {
        let counter = |value, parts: [(&str, u64); 3]| {
            let parts = parts.map(|(name, value)| (name.to_string(), value)).into();
            Counter { parts, ..counter("avx2", "instructions", value) }
        };
        let accepted = counter(10_000, [("head", 3_000), ("ternary", 5_000), ("wkv", 2_000)]);
        let now = counter(10_115, [("head", 3_000), ("ternary", 5_120), ("wkv", 1_995)]);
        let finding = &judged(std::slice::from_ref(&accepted), &[now])[0];
        assert!(finding.wants_parts());
        assert_eq!(finding.parts_in_words(), "ternary +2.40 % (+120), wkv -0.25 % (-5), head 0");
        let now = Counter { parts: Default::default(), ..counter(10_115, [("", 0); 3]) };
        let finding = &judged(std::slice::from_ref(&accepted), &[now])[0];
        assert_eq!(finding.parts_in_words(), "its steps are not known, only the total");
        let finding = &judged(std::slice::from_ref(&accepted), std::slice::from_ref(&accepted))[0];
        assert!(finding.parts.is_empty() && !finding.wants_parts());
    }

    #[test]
    fn the_largest_change_comes_first() {
        let accepted = ["a", "b", "c", "d"].map(|variant| counter(variant, "instructions", 1000));
        let values = [1000, 1020, 1500, 900];
        let now: Vec<Counter> =
            accepted.iter().zip(values).map(|(row, value)| Counter { value, ..row.clone() }).collect();
        let order: Vec<String> = judged(&accepted, &now).into_iter().map(|finding| finding.variant).collect();
        assert_eq!(order, ["c", "b", "d", "a"]);
    }
}
