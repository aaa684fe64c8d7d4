//! libFuzzer's program for `bitstate_fuzz::tokenizer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bitstate_fuzz::tokenizer::run(data));
