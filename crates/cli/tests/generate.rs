//! `generate` and `replay`: streams, stops, answers, sessions and recipes.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate::{Model, Sampling, Stop};
use serde_json::Value;
use std::fs;
use std::process::Stdio;
use support::{BYTE, Folder, Ran, SMALL, variants};

/// Flags with which random weights give any byte, so that many characters are incomplete.
const WILD: &str = "--temperature 2 --top-k 0 --top-p 1";

fn lines(ran: &Ran) -> Vec<Value> {
    assert!(ran.success, "{ran:?}");
    ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn json_has_a_line_per_token_and_a_summary() {
    let folder = Folder::new();
    let arguments = format!("generate --model {BYTE} --prompt Once --max-tokens 12 --seed 3 {WILD}");
    let lines = lines(&folder.run(&format!("{arguments} --json --logprobs 4")));
    assert_eq!(lines.len(), 13);
    let model = Model::open(folder.path().join(BYTE)).unwrap();
    let mut session = model.session(Sampling::seeded(3).temperature(2.0)).unwrap();
    session.feed_text("Once").unwrap();
    for (line, token) in lines.iter().zip(session.tokens(Stop::new().max_tokens(12).alternatives(4))) {
        let token = token.unwrap();
        assert_eq!((line["type"].as_str(), &line["token"]), (Some("token"), &token.id.into()));
        assert_eq!(line["logprob"].as_f64().map(|p| p as f32), token.logprob);
        let top: Vec<u64> = line["top"].as_array().unwrap().iter().map(|top| top["token"].as_u64().unwrap()).collect();
        assert_eq!(top, token.alternatives.iter().map(|top| u64::from(top.token)).collect::<Vec<_>>());
        assert_eq!((top.len(), line["text"].as_str()), (4, Some(token.piece.as_str())));
    }
    let summary = &lines[12];
    assert_eq!((summary["count"].as_u64(), summary["ended"].as_str()), (Some(12), Some("max_tokens")));
    let text: String = lines.iter().map(|line| line["text"].as_str().unwrap()).collect();
    assert_eq!(folder.stdout(&arguments), text + "\n");
    assert_eq!(folder.run(&format!("{arguments} --logprobs 4")).code, Some(2), "it needs --json");
}

#[test]
fn a_stop_text_is_not_printed_and_an_absent_one_changes_nothing() {
    let folder = Folder::new();
    let arguments = format!("generate --model {BYTE} --prompt Once --max-tokens 60 --seed 3");
    let whole = folder.stdout(&arguments);
    let stop: String = whole.chars().skip(20).take(2).collect();
    let cut = &whole[..whole.find(&stop).unwrap()];
    for json in ["", " --json"] {
        let ran = folder.command(&format!("{arguments}{json}")).args(["--stop", &stop]).output().unwrap();
        let ran = Ran::new(ran);
        let text =
            if json.is_empty() { ran.out.clone() } else { ran.json()["text"].as_str().unwrap().to_string() + "\n" };
        assert_eq!(text, format!("{cut}\n"));
        assert!(ran.recipe.as_ref().unwrap().contains("\"ended\":\"stop\""));
        assert_eq!(replayed(&folder, &ran, "").out, "same\n");
    }
    assert_eq!(folder.stdout(&format!("{arguments} --stop this+never+comes")), whole);
    let ids: Vec<u64> =
        lines(&folder.run(&format!("{arguments} --json"))).iter().filter_map(|l| l["token"].as_u64()).collect();
    let first = ids.iter().position(|id| *id == ids[30]).unwrap();
    let stopped = lines(&folder.run(&format!("{arguments} --json --stop-token {}", ids[30])));
    assert_eq!((stopped.len(), stopped[first]["ended"].as_str()), (first + 1, Some("token")));
}

#[test]
fn each_answer_has_its_own_seed() {
    let folder = Folder::new();
    let arguments = format!("generate --model {BYTE} --prompt Once --max-tokens 9");
    let alone: Vec<String> = (7..10).map(|seed| folder.stdout(&format!("{arguments} --seed {seed}"))).collect();
    let ran = folder.run(&format!("{arguments} --seed 7 --answers 3"));
    assert_eq!(ran.out, alone.join("<|endoftext|>\n"));
    let json = lines(&folder.run(&format!("{arguments} --seed 7 --answers 3 --json")));
    for (answer, text) in (1..).zip(&alone) {
        let of: String = json.iter().filter(|l| l["answer"] == answer).map(|l| l["text"].as_str().unwrap()).collect();
        assert_eq!(&(of + "\n"), text);
    }
    // Each has its own recipe.
    assert_eq!(replayed(&folder, &ran, "").out, "same\n");
    assert!(ran.recipe.unwrap().contains("\"seed\":9"));
}

/// Every sampler of the library has a flag.
#[test]
fn samplers_match_the_library() {
    let folder = Folder::new();
    let model = Model::open(folder.path().join(SMALL)).unwrap();
    let plain = || Sampling::seeded(5).temperature(1.0);
    for (flags, sampling) in [
        ("--min-p 0.2", plain().min_p(0.2)),
        ("--typical-p 0.4", plain().typical_p(0.4)),
        ("--repeat-penalty 1.9 --repeat-last-n 8", plain().repetition(1.9).window(8)),
        ("--presence-penalty 1.5", plain().presence(1.5)),
        ("--frequency-penalty -0.5", plain().frequency(-0.5)),
        ("--logit-bias 7=50 --logit-bias 8=49.5", plain().bias(7, 50.0).bias(8, 49.5)),
        (
            "--temperature 3 --temperature-last --top-p 0.5",
            plain().temperature(3.0).top_p(0.5).order(bitstate::Order::TemperatureLast),
        ),
        ("--top-k 3 --top-p 0.9 --penalty 1.5", plain().top_k(3).top_p(0.9).penalty(1.5)),
    ] {
        let defaults = [("temperature", "1"), ("top-k", "0"), ("top-p", "1"), ("penalty", "1")];
        let rest: String = defaults
            .iter()
            .filter(|(name, _)| !flags.contains(&format!("--{name} ")))
            .map(|(n, v)| format!(" --{n} {v}"))
            .collect();
        let ran =
            folder.run(&format!("generate --model {SMALL} --tokens 3,1 --max-tokens 24 --seed 5 --json {flags}{rest}"));
        let found: Vec<u64> = lines(&ran).iter().filter_map(|line| line["token"].as_u64()).collect();
        let mut session = model.session(sampling).unwrap();
        session.feed(&[3, 1]).unwrap();
        let expected: Vec<u64> =
            session.tokens(Stop::new().max_tokens(24)).map(|token| token.unwrap().id.into()).collect();
        assert_eq!(found, expected, "{flags}");
        assert_eq!(replayed(&folder, &ran, "").out, "same\n", "{flags}");
    }
}

/// Stopped anywhere, even in the middle of a character, and resumed.
#[test]
fn a_session_resumes_as_if_it_had_not_stopped() {
    let folder = Folder::new();
    let flags = format!("--model {BYTE} --prompt Grüße --seed 11 {WILD}");
    let whole = folder.stdout(&format!("generate {flags} --max-tokens 40"));
    let mut cut = 0;
    for (at, variant) in (0..=40).zip(variants().iter().cycle()) {
        let first = folder.run(&format!("generate {flags} --max-tokens {at} --save-session a.session"));
        assert!(first.success, "{first:?}");
        let rest = folder
            .run(&format!("generate --model {BYTE} --session a.session --max-tokens {} --variant {variant}", 40 - at));
        let together = format!("{}{}", first.out.strip_suffix('\n').unwrap(), rest.out);
        assert_eq!(together, whole, "{at} {variant}");
        cut += usize::from(!whole.starts_with(first.out.trim_end_matches('\n')) || first.out.len() > at);
        assert_eq!(replayed(&folder, &rest, "").out, "same\n", "{at}");
    }
    assert!(cut > 0);
    // Text may follow, and the sampling may change.
    let more =
        folder.run(&format!("generate --model {BYTE} --session a.session --prompt +and --seed 4 --max-tokens 5"));
    assert!(more.success && more.recipe.as_ref().unwrap().contains("\"seed\":4"), "{more:?}");
    assert_eq!(replayed(&folder, &more, "").out, "same\n");
}

/// Runs `replay` with the recipe of a run.
fn replayed(folder: &Folder, ran: &Ran, flags: &str) -> Ran {
    let mut command = folder.command(format!("replay {flags}").trim());
    Ran::new(command.arg(ran.recipe.as_ref().unwrap_or_else(|| panic!("{ran:?}"))).output().unwrap())
}

#[test]
fn a_recipe_replays_on_every_variant_and_reports_the_first_difference() {
    let folder = Folder::new();
    let prompt = "It's \"Tim\" \\ ü\n";
    let output = folder
        .command(&format!("generate --model {BYTE} --seed 5 --max-tokens 50"))
        .args(["--prompt", prompt])
        .output();
    let ran = Ran::new(output.unwrap());
    let line = ran.recipe.clone().unwrap();
    assert!(!line.contains('\''), "a shell takes it within apostrophes: {line}");
    for variant in variants() {
        let same = replayed(&folder, &ran, &format!("--variant {variant}"));
        assert_eq!((same.out.as_str(), same.code, same.err.as_str()), ("same\n", Some(0), ""), "{variant}");
    }
    // From a shell, and from standard input.
    #[cfg(unix)]
    {
        let shell =
            format!("'{}' replay '{line}' && printf '%s\\n' '{line}' | '{0}' replay -", env!("CARGO_BIN_EXE_bitstate"));
        let output = std::process::Command::new("sh").current_dir(folder.path()).args(["-c", &shell]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "same\nsame\n");
    }
    // Changes one byte of the prompt, and compares the library's answers to both.
    let model = Model::open(folder.path().join(BYTE)).unwrap();
    let tokens = |prompt: &str| -> Vec<u32> {
        let mut session = model.session(model.sampling(5)).unwrap();
        session.feed_text(prompt).unwrap();
        session.tokens(Stop::new().max_tokens(50)).map(|token| token.unwrap().id).collect()
    };
    let other = prompt.replace("Tim", "Tom");
    let (was, is) = (tokens(prompt), tokens(&other));
    let at = was.iter().zip(&is).position(|(was, is)| was != is).unwrap();
    let changed =
        Ran { recipe: Some(line.replace("Tim", "Tom")), ..Ran::new(folder.command("--version").output().unwrap()) };
    let answer = replayed(&folder, &changed, "");
    assert_eq!((answer.out, answer.code), (format!("differs at token {}\n", at + 1), Some(1)));
    assert!(answer.err.starts_with(&format!("expected {}", was[at])), "{}", answer.err);
}

#[test]
fn invalid_recipes_and_other_models_are_rejected() {
    let folder = Folder::new();
    folder.stdout("synth --preset byte --seed 2 --out other.bits");
    let ran = folder.run(&format!("generate --model {BYTE} --prompt a --seed 1 --max-tokens 4"));
    let line = ran.recipe.unwrap();
    for (line, flags, part) in [
        ("", "", "not a recipe"),
        ("{}", "", "not a recipe"),
        (&line.replace("recipe\":1", "recipe\":2"), "", "has version 2, but this program reads version 1"),
        (&line[..line.len() - 9], "", "damaged"),
        (&line.replace("\"count\":4", "\"count\":5"), "", "expected 5"),
        (&line, "--model other.bits", "other.bits is not the model of the recipe"),
        (&line, "--model none.bits", "cannot read none.bits"),
        (&line.replace("byte.bits", "cut-byte.bits"), "", "cut-byte.bits"),
    ] {
        let refused = Ran::new(folder.command(format!("replay {flags}").trim()).arg(line).output().unwrap());
        assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""), "{part}: {refused:?}");
        assert!(refused.err.starts_with("error: ") && refused.err.contains(part), "{part}: {refused:?}");
    }
}

/// The recipe of a prompt that is too long for a line names its file; a prompt from standard input must be given again.
#[test]
fn the_recipe_of_a_long_prompt_names_its_file() {
    let folder = Folder::new();
    folder.tiny();
    let text = "Once upon a time. ".repeat(6_000);
    fs::write(folder.path().join("long.txt"), &text).unwrap();
    let flags = "generate --model tiny.bits --seed 1 --max-tokens 4";
    let ran = folder.run(&format!("{flags} --prompt-file long.txt"));
    assert!(ran.recipe.as_ref().unwrap().len() < 1000);
    assert_eq!(replayed(&folder, &ran, "").out, "same\n");
    let piped = folder.with_input(&format!("{flags} --prompt -"), text.as_bytes());
    assert_eq!(piped.out, ran.out);
    let refused = replayed(&folder, &piped, "");
    assert!(refused.code == Some(2) && refused.err.contains("give it with --prompt-file"), "{refused:?}");
    assert_eq!(replayed(&folder, &piped, "--prompt-file long.txt").out, "same\n");
    fs::write(folder.path().join("long.txt"), text.replacen("Once", "once", 1)).unwrap();
    let refused = replayed(&folder, &ran, "");
    assert!(refused.code == Some(2) && refused.err.contains("is not the prompt of the recipe"), "{refused:?}");
}

/// A prompt of 10 MB needs no more memory than one of 256 kB.
#[cfg(target_os = "linux")]
#[test]
fn a_long_prompt_needs_no_more_memory() {
    let folder = Folder::new();
    folder.tiny();
    let peak = |bytes: usize| {
        let text = "Once upon a time there was a dog. ".repeat(bytes / 34);
        let shell = format!(
            "'{}' generate --model tiny.bits --prompt - --seed 1 --max-tokens 400000000 --ignore-end",
            env!("CARGO_BIN_EXE_bitstate")
        );
        let mut command = std::process::Command::new("sh");
        command.current_dir(folder.path()).args(["-c", &format!("exec {shell}")]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
        // The prompt has been read when the first token arrives.
        let mut first = [0];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        drop(child.stdout.take());
        assert!(child.wait().unwrap().success(), "a closed pipe is not an error");
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let (short, long) = (peak(256 << 10), peak(10 << 20));
    assert!(long < short + 1024, "{short} kB for 256 kB, {long} kB for 10 MB");
}

/// Ctrl-C in the middle of a text, and mostly of a character: the text so far is kept and can be resumed.
#[cfg(unix)]
#[test]
fn an_interrupt_keeps_the_text_without_half_a_character() {
    use std::io::Read;
    use std::process::Command;
    let folder = Folder::new();
    let model = Model::open(folder.path().join(BYTE)).unwrap();
    for seed in 0..8 {
        let flags = format!("generate --model {BYTE} --prompt ü --seed {seed} {WILD} --ignore-end");
        let mut command = folder.command(&format!("{flags} --max-tokens 4000000000 --save-session a.session"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = [0; 100];
        child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
        let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let mut output = child.wait_with_output().unwrap();
        output.stdout.splice(..0, first);
        let ran = Ran::new(output);
        assert_eq!(ran.code, Some(130), "{}", ran.err);
        let recipe: Value = serde_json::from_str(ran.recipe.as_ref().unwrap()).unwrap();
        assert_eq!(recipe["stream"]["ended"], "interrupted");
        let count = recipe["stream"]["count"].as_u64().unwrap();
        let mut session = model.session(Sampling::seeded(seed).temperature(2.0)).unwrap();
        session.feed_text("ü").unwrap();
        let text: String = session.text(Stop::new().ignore_end().max_tokens(count)).map(Result::unwrap).collect();
        assert_eq!(ran.out, text + "\n");
        assert_eq!(replayed(&folder, &ran, "").out, "same\n");
        let mut saved = model.resume_file(folder.path().join("a.session")).unwrap();
        assert_eq!((saved.position(), saved.next_token().unwrap()), (2 + count, session.next_token().unwrap()));
    }
}

/// A reader that closes the pipe ends the text, which can be resumed.
#[test]
fn a_reader_that_leaves_is_not_an_error() {
    let folder = Folder::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = folder.command(&format!("generate --model {BYTE} --prompt a --seed 1 --save-session a.session"));
    let ran = Ran::new(command.stdout(writer).stderr(Stdio::piped()).output().unwrap());
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert!(folder.run(&format!("generate --model {BYTE} --session a.session --max-tokens 2")).success);
}
