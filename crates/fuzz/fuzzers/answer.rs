//! libFuzzer's program for `bitstate_fuzz::answer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bitstate_fuzz::answer::run(data));
