//! libFuzzer's program for `bitstate_fuzz::session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bitstate_fuzz::session::run(data));
