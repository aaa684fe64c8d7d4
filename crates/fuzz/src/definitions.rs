//! The definitions that people write: `ci/*.toml` and `golden/cases.toml`. Taken, or refused with a sentence.
//!
//! The first line of an input says which of them the rest is: `targets`, `workloads`, `thresholds`, `expected` or `cases`.

use crate::input::kind;
use bitstate_harness::definitions::expected::Expected;
use bitstate_harness::definitions::thresholds::Thresholds;
use bitstate_harness::definitions::{golden, workloads};
use bitstate_harness::targets;

/// Reads one input.
///
/// # Panics
/// Where a refusal says nothing.
pub fn run(data: &[u8]) {
    let Some((kind, text)) = kind(data) else { return };
    let refusal = match kind {
        "targets" => targets::check(text).err(),
        "workloads" => workloads::parse(text).err(),
        "thresholds" => Thresholds::parse(text).err(),
        "expected" => Expected::parse(text).err(),
        "cases" => golden::parse_cases(text).err(),
        _ => None,
    };
    assert!(refusal.is_none_or(|sentence| !sentence.trim().is_empty()), "a refusal says why");
}
