//! libFuzzer's program for `bitstate_fuzz::state`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bitstate_fuzz::state::run(data));
