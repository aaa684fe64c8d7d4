//! libFuzzer's program for `bitstate_fuzz::records`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bitstate_fuzz::records::run(data));
