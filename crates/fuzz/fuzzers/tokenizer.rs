//! libFuzzer's program for `bitstate_fuzz::tokenizer`.
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: {
        // libFuzzer's own hook aborts, and panics of the `tokenizers` library that become errors are no findings. What is
        // not caught ends the process all the same.
        std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
    },
    |data: &[u8]| bitstate_fuzz::tokenizer::run(data)
);
