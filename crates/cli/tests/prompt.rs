//! Prompts: long, from standard input, from a file, with a leading hyphen.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate::bits::{Config, Preset, Version, synthetic};
use serde::Deserialize;
use std::fs;
use std::io::Write;
use std::process::Stdio;
use support::{BYTE, Folder, Ran};

#[derive(Debug, Deserialize)]
struct Generated {
    tokens: Vec<u32>,
    seed: Option<u64>,
}

/// Runs with `input` on standard input.
fn run(folder: &Folder, arguments: &str, input: &[u8]) -> Ran {
    let mut command = folder.command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Rejected input is not read to its end.
    let _ = child.stdin.take().unwrap().write_all(input);
    Ran::new(child.wait_with_output().unwrap())
}

fn tokens(ran: &Ran) -> Vec<u32> {
    assert!(ran.success, "{ran:?}");
    serde_json::from_value::<Generated>(ran.json()).unwrap().tokens
}

fn ids(text: &str) -> String {
    text.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(",")
}

#[test]
fn a_prompt_may_start_with_a_hyphen() {
    let folder = Folder::new();
    let ask = |prompt: &str| folder.run(&format!("generate --model {BYTE} --max-tokens 8 --seed 1 --json {prompt}"));
    for text in ["-Hi, said Tim", "--", "-", "---", "--seed", "-h", "--json=", "-5", "--seedling"] {
        let expected = tokens(&ask(&format!("--tokens {}", ids(text))));
        let plus = text.replace(' ', "+");
        if text != "-" {
            assert_eq!(tokens(&ask(&format!("--prompt={plus}"))), expected, "{text}");
        }
        if !["--", "-", "--seed", "-h", "--json="].contains(&text) {
            assert_eq!(tokens(&ask(&format!("--prompt {plus}"))), expected, "{text}");
            // Also before other flags.
            let other = folder.run(&format!("generate --prompt {plus} --model {BYTE} --max-tokens 8 --seed 1 --json"));
            assert_eq!(tokens(&other), expected, "{text}");
        }
    }
    // A flag is not a prompt: the prompt is missing.
    for flag in ["--seed 5", "--json", "--greedy", "-h", "--seed=5", "--help"] {
        let ran = folder.run(&format!("generate --model {BYTE} --prompt {flag}"));
        assert!(!ran.success && ran.err.contains("'--prompt <TEXT>'"), "{flag}: {ran:?}");
    }
    assert!(!folder.run("logits --prompt -Hi").success);
}

#[test]
fn a_prompt_can_come_from_standard_input_or_a_file() {
    let folder = Folder::new();
    let flags = format!("generate --model {BYTE} --max-tokens 8 --seed 1 --json");
    let expected = tokens(&folder.run(&format!("{flags} --prompt Once+upon")));
    for text in ["Once upon", "Once upon\n", "Once upon\r\n", "\u{feff}Once upon\n"] {
        fs::write(folder.path().join("prompt.txt"), text).unwrap();
        assert_eq!(tokens(&run(&folder, &format!("{flags} --prompt -"), text.as_bytes())), expected, "{text:?}");
        assert_eq!(tokens(&run(&folder, &format!("{flags} --prompt-file -"), text.as_bytes())), expected, "{text:?}");
        assert_eq!(tokens(&folder.run(&format!("{flags} --prompt-file prompt.txt"))), expected, "{text:?}");
    }
    for list in [ids("Once upon"), ids("Once upon").replace(',', "\n") + "\n", ids("Once upon").replace(',', " , ")] {
        assert_eq!(tokens(&run(&folder, &format!("{flags} --tokens -"), list.as_bytes())), expected, "{list}");
    }
    let logits =
        |tokens: &str, input: &str| run(&folder, &format!("logits --model {BYTE} --tokens {tokens}"), input.as_bytes());
    assert_eq!(logits("-", "79 110\n").out, logits("79,110", "").out);
    // An empty prompt starts a text.
    assert_eq!(
        tokens(&run(&folder, &format!("{flags} --prompt -"), b"")),
        tokens(&folder.run(&format!("{flags} --prompt=")))
    );
}

/// An argument is limited to 128 KiB.
#[test]
fn a_prompt_may_be_longer_than_an_argument() {
    let folder = Folder::new();
    let text = "Once upon a time there was a dog. ".repeat(4_200);
    assert!(text.len() > 128 << 10);
    fs::write(folder.path().join("long.txt"), &text).unwrap();
    // A model that reads it quickly.
    let (n_embd, head_size) = (16, 8);
    let tiny = Config { n_layer: 1, n_embd, n_head: 2, head_size, ..Preset::by_name("byte").unwrap().config() };
    fs::write(folder.path().join("tiny.bits"), synthetic(&tiny, 1, Version::V1_2)).unwrap();
    let flags = "generate --model tiny.bits --max-tokens 8 --seed 1 --json";
    let from_file = tokens(&folder.run(&format!("{flags} --prompt-file long.txt")));
    assert_eq!(tokens(&run(&folder, &format!("{flags} --prompt -"), text.as_bytes())), from_file);
    assert_eq!(tokens(&run(&folder, &format!("{flags} --tokens -"), ids(&text).as_bytes())), from_file);
}

#[test]
fn an_invalid_prompt_is_an_error() {
    let folder = Folder::new();
    fs::write(folder.path().join("bad.txt"), b"good\xffbad").unwrap();
    let large = fs::File::create(folder.path().join("large.txt")).unwrap();
    large.set_len((64 << 20) + 1).unwrap();
    let flags = format!("generate --model {BYTE}");
    for (prompt, input, parts) in [
        ("--prompt-file bad.txt", "", &["bad.txt", "not UTF-8", "number 4"][..]),
        ("--prompt-file none.txt", "", &["cannot read the prompt none.txt"]),
        ("--prompt-file large.txt", "", &["large.txt", "byte 0 is U+0000"]),
        ("--prompt-file folder", "", &["cannot read the prompt folder"]),
        #[cfg(target_os = "linux")]
        ("--prompt-file /dev/zero", "", &["/dev/zero", "byte 0 is U+0000"]),
        ("--tokens -", "1,x", &["--tokens from standard input", "`x` is not a token id"]),
        ("--tokens -", "1 256", &["token 256", "tokens 0 to 255"]),
        ("--tokens -", " \n", &["the prompt is empty"]),
        ("--prompt - --tokens 1", "a", &["--prompt", "--tokens"]),
        ("--prompt a --prompt-file b", "a", &["--prompt", "--prompt-file"]),
    ] {
        let ran = run(&folder, &format!("{flags} {prompt}"), input.as_bytes());
        assert!(!ran.success && ran.out.is_empty() && ran.err.starts_with("error: "), "{prompt}: {ran:?}");
        for part in parts {
            assert!(ran.err.contains(part), "{prompt}: no {part:?} in {}", ran.err);
        }
    }
}

/// JSON parsers that only have f64 numbers keep 53 bits.
#[test]
fn a_drawn_seed_is_reported_exactly() {
    let folder = Folder::new();
    let flags = format!("generate --model {BYTE} --prompt a --max-tokens 30");
    let mut seeds = Vec::new();
    for _ in 0..8 {
        let drawn: Generated = folder.json(&format!("{flags} --json"));
        let seed = drawn.seed.unwrap();
        assert!(seed < 1 << 53 && seed as f64 as u64 == seed, "{seed}");
        let again: Generated = folder.json(&format!("{flags} --json --seed {seed}"));
        assert_eq!((again.tokens, again.seed), (drawn.tokens, drawn.seed));
        seeds.push(seed);

        let ran = folder.run(&flags);
        let said = ran.err.rsplit("--seed ").next().unwrap().trim().parse::<u64>().unwrap();
        assert!(said < 1 << 53);
        assert_eq!(folder.stdout(&format!("{flags} --seed {said}")), ran.out);
    }
    seeds.dedup();
    assert!(seeds.len() > 1 && seeds.iter().any(|&seed| seed > 1 << 40), "{seeds:?}");
    // A given seed may have 64 bits.
    let largest: Generated = folder.json(&format!("{flags} --json --seed {}", u64::MAX));
    assert_eq!(largest.seed, Some(u64::MAX));
}

#[test]
fn a_temperature_of_zero_is_greedy_and_tiny_ones_approach_it() {
    let folder = Folder::new();
    let ask = |flags: &str| -> Generated {
        folder.json(&format!("generate --model small.bits --tokens 3,1,4 --max-tokens 20 --json {flags}"))
    };
    let greedy = ask("--greedy");
    assert_eq!(greedy.seed, None);
    for flags in
        ["--temperature 0", "--temperature 0 --seed 7 --top-k 3 --top-p 0.1", "--temperature 1e-50", "--temperature -0"]
    {
        let found = ask(flags);
        assert_eq!((found.tokens, found.seed), (greedy.tokens.clone(), None), "{flags}");
    }
    for temperature in ["1e-45", "1e-40", "1e-39", "3e-39", "1e-38", "3e-38", "1e-37", "1e-30", "1e-10", "1e-6"] {
        for seed in 1..4 {
            let found = ask(&format!("--temperature {temperature} --seed {seed} --penalty 1"));
            assert_eq!(found.tokens, greedy.tokens, "{temperature}");
        }
    }
    assert_ne!(ask("--temperature 1 --seed 1 --penalty 1").tokens, greedy.tokens);
}
