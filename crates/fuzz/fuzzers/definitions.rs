//! libFuzzer's program for `bitstate_fuzz::definitions`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bitstate_fuzz::definitions::run(data));
