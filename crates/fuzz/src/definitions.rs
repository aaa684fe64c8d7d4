//! Hand-written definitions: `ci/*.toml` and `golden/cases.toml`. Accepted, or rejected with a message.
//!
//! The first line of an input names the kind of the rest: `targets`, `workloads`, `thresholds`, `expected` or `cases`.

use crate::input::kind;
use bitstate_harness::definitions::expected::Expected;
use bitstate_harness::definitions::thresholds::Thresholds;
use bitstate_harness::definitions::{golden, workloads};
use bitstate_harness::targets;

/// Reads one input.
///
/// # Panics
/// If an error has no message.
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
    assert!(refusal.is_none_or(|sentence| !sentence.trim().is_empty()), "an error has a message");
}
