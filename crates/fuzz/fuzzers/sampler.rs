//! libFuzzer's program for `bitstate_fuzz::sampler`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bitstate_fuzz::sampler::run(data));
