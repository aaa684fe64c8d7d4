//! A session's memory does not grow with its text. A test of its own process: nothing else runs in it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bitstate::bits::{Config, Preset, Version, synthetic};
use bitstate::{Model, Sampling, Stop};

/// Resident memory of this process, in kB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_million_tokens_take_no_more_than_a_thousand() {
    let byte = Preset::by_name("byte").unwrap().config();
    let tiny = Config { n_layer: 1, n_embd: 8, n_head: 1, head_size: 8, ..byte };
    let model = Model::from_bytes(&synthetic(&tiny, 1, Version::V1_2)).unwrap();
    // Everything that remembers tokens: penalties with a window and over all, checkpoints, a character that is not finished.
    let sampling = Sampling::seeded(1).temperature(1.5).penalty(1.1).repetition(1.2).window(256);
    let mut session = model.session(sampling).unwrap();
    session.keep_checkpoints(64, 8).unwrap();
    session.feed_text("Once").unwrap();
    let mut run = |tokens| {
        let stop = Stop::new().ignore_end().max_tokens(tokens);
        let pieces = session.text(stop).map(|piece| piece.unwrap().len()).sum::<usize>();
        assert!(pieces > 0);
        (resident(), session.to_bytes().len())
    };
    let (early, early_saved) = run(1_000);
    let (late, late_saved) = run(1_000_000);
    assert!(late < early + 1024, "{early} kB after 1,000 tokens, {late} kB after 1,001,000");
    assert!(late_saved < early_saved + 8192, "{early_saved} and {late_saved} bytes as a file");
}
