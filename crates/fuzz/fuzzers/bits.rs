//! libFuzzer's program for `bitstate_fuzz::bits`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bitstate_fuzz::bits::run(data));
