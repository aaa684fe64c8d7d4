//! libFuzzer's program for `bitstate_fuzz::tokenizer`.
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: {
        // libFuzzer's own hook aborts, but panics of the `tokenizers` library that become errors are not findings.
        // Uncaught panics still end the process.
        std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
    },
    |data: &[u8]| bitstate_fuzz::tokenizer::run(data)
);
