//! libFuzzer's program for `bitstate_fuzz::request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bitstate_fuzz::request::run(data));
