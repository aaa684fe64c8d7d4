//! The training subcommands as processes: killed, with a full disk, and compared with the engine.
#![cfg(feature = "train")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;
#[path = "../../tokenizer/tests/support/mod.rs"]
mod variants;

use serde::Deserialize;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::{Folder, Ran};

/// A folder with `stories.txt`, and `data` prepared from it for `tokenizer`.
fn folder(tokenizer: &str) -> Folder {
    let folder = Folder::new();
    folder.stdout("data smoke --stories 120 --seed 3 --out stories.txt");
    folder.stdout(&format!("data prepare --input stories.txt --tokenizer {tokenizer} --held-out 0.1 --out data"));
    folder
}

/// Writes `NAME.toml`, a short run of a small model that uses every setting that depends on the step.
fn configure(folder: &Folder, name: &str, steps: u64) -> String {
    let file = format!("{name}.toml");
    let text = format!(
        "data = 'data'\nout = '{name}'\nsteps = {steps}\n[model]\npreset = 'small'\ndropout = 0.1\n\
         [batch]\nsequences = 2\nseq_len = 32\naccumulate = 2\n\
         [[curriculum]]\nfrom_step = 12\nseq_len = 48\n[[curriculum]]\nfrom_step = 30\nseq_len = 24\n\
         [optimizer]\nwarmup = 4\nlr = 1e-2\n\
         [watch]\nlog = 1\nvalidate = 20\nvalidate_windows = 4\ncheckpoint = 3\nsample = 25\nsample_tokens = 8\n"
    );
    fs::write(folder.path().join(&file), text).unwrap();
    file
}

fn path(folder: &Folder, name: &str) -> PathBuf {
    folder.path().join(name)
}

/// Kills a run with SIGKILL once its log contains `step`.
fn kill_at(folder: &Folder, arguments: &str, run: &str, step: u64) {
    let log = path(folder, run).join("log.jsonl");
    let mut child = folder.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while !fs::read_to_string(&log).is_ok_and(|log| log.contains(&format!("\"step\",\"step\":{step},"))) {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before step {step}");
        assert!(started.elapsed() < Duration::from_secs(300), "the run does not reach step {step}");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success());
}

#[test]
fn a_run_killed_twice_ends_with_the_same_checkpoint() {
    const STEPS: u64 = 60;
    let folder = folder("byte");
    folder.stdout(&format!("train --config {}", configure(&folder, "whole", STEPS)));
    let config = configure(&folder, "killed", STEPS);
    kill_at(&folder, &format!("train --config {config}"), "killed", 10);
    kill_at(&folder, &format!("train --config {config} --resume"), "killed", 34);
    let log = || fs::read_to_string(path(&folder, "killed/log.jsonl")).unwrap();
    assert!(!log().contains(&format!("\"step\":{STEPS},")), "the run was over when it was killed");
    folder.stdout(&format!("train --config {config} --resume"));
    for file in ["last.safetensors", "best.safetensors"] {
        let [whole, killed] = ["whole", "killed"].map(|run| fs::read(path(&folder, run).join(file)).unwrap());
        assert!(whole == killed, "{file} of the run that was killed differs");
    }
    assert!(path(&folder, "killed/loss.png").exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |name| fs::metadata(path(&folder, name)).unwrap().permissions().mode();
        assert_eq!(mode("killed/last.safetensors"), mode("stories.txt"), "the permissions of any new file");
    }
}

/// Ctrl-C, sent twice as by `timeout`, in the middle of an endless step: that step is dropped, and the steps before it are kept.
#[cfg(unix)]
#[test]
fn an_interrupted_run_reports_it_and_resumes_from_its_last_complete_step() {
    let folder = folder("byte");
    folder.stdout(&format!("train --config {}", configure(&folder, "whole", 9)));
    folder.stdout(&format!("train --config {}", configure(&folder, "run", 3)));
    let config = configure(&folder, "run", 9);
    let text = fs::read_to_string(path(&folder, &config)).unwrap();
    fs::write(path(&folder, "endless.toml"), text.replace("accumulate = 2", "accumulate = 9223372036854775807"))
        .unwrap();

    let mut command = folder.command("train --config endless.toml --resume");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    said.read_line(&mut first).unwrap();
    assert!(first.contains("parameters"), "{first}");
    let sent = Command::new("sh").args(["-c", &format!("kill -INT {0}; kill -INT {0}", child.id())]).status().unwrap();
    assert!(sent.success());
    let ran = Ran::new(child.wait_with_output().unwrap());
    assert!(!ran.success && ran.err.contains("stopped after 3 of 9 steps, which are saved"), "{ran:?}");

    folder.stdout(&format!("train --config {config} --resume"));
    let [whole, run] = ["whole", "run"].map(|run| fs::read(path(&folder, run).join("last.safetensors")).unwrap());
    assert!(whole == run, "the dropped step changed the result");
}

/// On a full disk the previous checkpoint stays intact, and no partial file is left.
#[cfg(target_os = "linux")]
#[test]
fn a_failed_checkpoint_keeps_the_previous_one() {
    let folder = folder("byte");
    folder.stdout(&format!("train --config {}", configure(&folder, "run", 3)));
    let names = || {
        let mut names: Vec<_> = fs::read_dir(path(&folder, "run")).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let (kept, before) = (fs::read(path(&folder, "run/last.safetensors")).unwrap(), names());
    let config = configure(&folder, "run", 9);
    // 16 or 32 KB, depending on the shell: enough for the log. Without the trap, the signal would end the process.
    let mut command = Command::new("sh");
    command.current_dir(folder.path()).arg("-c").arg("trap '' XFSZ; ulimit -f 32; exec \"$@\"").arg("sh");
    command.arg(env!("CARGO_BIN_EXE_bitstate")).args(["train", "--config", &config, "--resume"]);
    let ran = Ran::new(command.output().unwrap());
    assert!(!ran.success, "{ran:?}");
    assert!(ran.err.contains("error: cannot write") && ran.err.contains("last.safetensors"), "{ran:?}");
    assert_eq!(ran.err.matches("File too large").count(), 1, "{ran:?}");
    assert!(fs::read(path(&folder, "run/last.safetensors")).unwrap() == kept, "the checkpoint was changed");
    assert_eq!(names(), before, "another file was left");
    // With free space it continues from there.
    folder.stdout(&format!("train --config {config} --resume"));
    assert!(fs::read(path(&folder, "run/last.safetensors")).unwrap() != kept);
}

/// The output of `eval --json`.
#[derive(Debug, Deserialize)]
struct Quality {
    stories: usize,
    tokens: usize,
    nats_per_token: f64,
    bits_per_byte: Option<f64>,
    variant: String,
    trace: Option<Vec<Trace>>,
}

#[derive(Debug, Deserialize)]
struct Trace {
    tokens: Vec<u32>,
    digests: Vec<String>,
    nats: f64,
}

/// A model with each tokenizer, evaluated by the engine from its file and by the trainer's forward pass in quantised mode.
#[test]
fn the_engine_and_the_trainer_agree_on_a_converted_checkpoint() {
    for kind in ["byte", "bpe:320", "tokenizer.json"] {
        // The third uses the second's tokenizer from its file.
        let folder = folder(if kind == "byte" { kind } else { "bpe:320" });
        if kind == "tokenizer.json" {
            fs::rename(path(&folder, "data/tokenizer.json"), path(&folder, kind)).unwrap();
            fs::remove_dir_all(path(&folder, "data")).unwrap();
            folder.stdout(&format!("data prepare --input stories.txt --tokenizer {kind} --out data"));
        }
        let tokenizer = if kind == "byte" { "byte" } else { "data/tokenizer.json" };
        folder.stdout(&format!("train --config {}", configure(&folder, "run", 12)));
        folder.stdout("convert --checkpoint run/last.safetensors --out model.bits");
        let of = |what: &str| -> Quality {
            folder
                .json(&format!("eval {what} --tokenizer {tokenizer} --text stories.txt --stories 20 --restart --json"))
        };
        let (engine, trainer) = (of("--model model.bits"), of("--checkpoint run/last.safetensors"));
        assert_eq!((engine.stories, engine.tokens), (20, trainer.tokens), "{kind}");
        assert_eq!(trainer.variant, "the trainer, ternary");
        let [a, b] = [&engine, &trainer].map(|quality| quality.bits_per_byte.unwrap());
        assert!((a - b).abs() < 0.001, "{kind}: {a} bits a byte by the engine, {b} by the trainer");
        // The model has learned something, so the two do not agree by chance.
        let chance = if kind == "byte" { 256f64 } else { 320.0 }.ln();
        assert!(engine.nats_per_token < chance - 0.5, "{kind}: {engine:?}");
    }
}

fn described(folder: &Folder, model: &str) -> Value {
    serde_json::from_slice(&fs::read(path(folder, &format!("{model}.json"))).unwrap()).unwrap()
}

#[test]
fn a_converted_model_is_bound_to_its_tokenizer() {
    for kind in ["byte", "bpe:320"] {
        let folder = folder(kind);
        folder.stdout(&format!("train --config {}", configure(&folder, "run", 3)));
        folder.stdout("convert --checkpoint run/last.safetensors --out out/model.bits --name tiny");
        let description = described(&folder, "out/model.bits");
        assert_eq!((&description["name"], &description["end"]), (&json!("tiny"), &json!([0])));
        // No other flags are needed.
        folder.json::<Quality>("eval --model out/model.bits --text stories.txt --stories 2 --json");
        folder.stdout("generate --model out/model.bits --prompt One+day --seed 1");
        let json =
            [&folder.path().join("run"), &folder.path().join("out")].map(|at| fs::read(at.join("tokenizer.json")).ok());
        assert_eq!(json, [0, 1].map(|_| fs::read(path(&folder, "data/tokenizer.json")).ok()), "{kind}");
        // Overwriting the model of another run replaces its description; a device gets none.
        folder.stdout(&format!("train --config {}", configure(&folder, "longer", 4)));
        folder.stdout("convert --checkpoint longer/last.safetensors --out out/model.bits --end 0 --end 65");
        let again = described(&folder, "out/model.bits");
        assert_eq!((&again["name"], &again["end"]), (&json!("model"), &json!([0, 65])));
        assert_ne!(again["model"], description["model"]);
        folder.stdout("generate --model out/model.bits --prompt One+day --seed 1");
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("/dev/null", path(&folder, "nowhere")).unwrap();
            folder.stdout("convert --checkpoint longer/last.safetensors --out nowhere");
            assert!(!path(&folder, "nowhere.json").exists());
        }
    }
}

/// The parameters of a checkpoint as a PyTorch model would be saved.
fn as_pytorch(checkpoint: &[u8]) -> Vec<u8> {
    let (length, rest) = checkpoint.split_first_chunk::<8>().unwrap();
    let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let header: serde_json::Map<String, Value> = serde_json::from_slice(header).unwrap();
    let (mut tensors, mut bytes) = (serde_json::Map::new(), Vec::new());
    for (name, mut tensor) in header {
        if name != "__metadata__" && !name.starts_with("adam.") {
            let [from, to] = [0, 1].map(|i| tensor["data_offsets"][i].as_u64().unwrap() as usize);
            tensor["data_offsets"] = json!([bytes.len(), bytes.len() + to - from]);
            bytes.extend(&data[from..to]);
            tensors.insert(name, tensor);
        }
    }
    let header = Value::from(tensors).to_string().into_bytes();
    [&(header.len() as u64).to_le_bytes()[..], &header, &bytes].concat()
}

/// For a model from elsewhere, the tokenizer must be given unless its tokens are bytes.
#[test]
fn a_model_from_elsewhere_is_described_if_its_tokenizer_is_known() {
    for (kind, known) in [("byte", true), ("bpe:320", false)] {
        let folder = folder(kind);
        folder.stdout(&format!("train --config {}", configure(&folder, "run", 2)));
        let checkpoint = fs::read(path(&folder, "run/last.safetensors")).unwrap();
        fs::write(path(&folder, "torch.safetensors"), as_pytorch(&checkpoint)).unwrap();
        folder.stdout("convert --checkpoint run/last.safetensors --out model.bits");
        let before = described(&folder, "model.bits");
        let said = folder.stdout("convert --checkpoint torch.safetensors --out model.bits");
        assert_eq!(path(&folder, "model.bits.json").exists(), known, "{said}");
        assert_eq!(said.contains("without a description, which needs --tokenizer"), !known, "{said}");
        if !known {
            folder.stdout("convert --checkpoint torch.safetensors --out model.bits --tokenizer data/tokenizer.json");
        }
        assert_eq!(described(&folder, "model.bits")["tokenizer"], before["tokenizer"]);
        folder.stdout("generate --model model.bits --prompt One+day --seed 1");
    }
}

/// Ids with gaps, and an end token with an unusual name, from the text to the model.
#[test]
fn training_works_with_a_tokenizer_from_elsewhere() {
    let folder = Folder::new();
    folder.stdout("data smoke --stories 120 --seed 3 --out stories.txt");
    let other = variants::changed(|json| {
        let vocab = json["model"]["vocab"].as_object_mut().unwrap();
        vocab.remove("<|endoftext|>");
        vocab.insert("<|stop|>".into(), json!(4500));
        vocab.insert("\u{120}the".into(), json!(5000));
        json["added_tokens"] = json!([variants::added(4500, "<|stop|>", true)]);
        json["truncation"] = json!({ "direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0 });
    });
    fs::write(path(&folder, "other.json"), other).unwrap();
    let prepare = "data prepare --input stories.txt --tokenizer other.json --held-out 0.1 --out data";
    let ran = folder.run(prepare);
    assert!(!ran.success && ran.err.contains("--end"), "{ran:?}");
    let said = folder.stdout(&format!("{prepare} --end <|stop|>"));
    assert!(said.contains("5001 tokens in the vocabulary"), "{said}");
    folder.stdout(&format!("train --config {}", configure(&folder, "run", 2)));
    folder.stdout("convert --checkpoint run/last.safetensors --out model.bits");
    assert_eq!(described(&folder, "model.bits")["end"], json!([4500]));
    let of = |what: &str| -> Quality {
        folder.json(&format!("eval {what} --text stories.txt --stories 5 --restart --json"))
    };
    let (engine, trainer) = (of("--model model.bits"), of("--checkpoint run/last.safetensors"));
    assert!(engine.tokens > 300 && engine.tokens == trainer.tokens, "{engine:?}");
    assert!((engine.bits_per_byte.unwrap() - trainer.bits_per_byte.unwrap()).abs() < 0.001);
}

#[test]
fn a_trace_has_every_token_and_adds_up() {
    let folder = folder("byte");
    let of = |more: &str| -> Quality {
        folder
            .json(&format!("eval --model byte.bits --text stories.txt --stories 2 --tokens 30 --restart --json{more}"))
    };
    let (plain, traced) = (of(""), of(" --trace"));
    assert_eq!((plain.tokens, plain.bits_per_byte), (60, None));
    assert!(plain.trace.is_none());
    let trace = traced.trace.unwrap();
    assert!(trace.iter().all(|story| story.tokens.len() == 31 && story.digests.len() == 30 && story.tokens[0] == 0));
    let nats: f64 = trace.iter().map(|story| story.nats).sum();
    assert!((nats / 60.0 - plain.nats_per_token).abs() < 1e-12);
}

#[test]
fn invalid_arguments_and_files_are_errors() {
    let folder = folder("bpe:320");
    configure(&folder, "run", 1);
    fs::write(path(&folder, "bad.txt"), b"good\xffbad").unwrap();
    fs::write(path(&folder, "none.txt"), b"\n").unwrap();
    let config = fs::read_to_string(path(&folder, "run.toml")).unwrap();
    fs::write(path(&folder, "typo.toml"), config.replace("warmup", "warmpu")).unwrap();
    fs::write(
        path(&folder, "tight.toml"),
        config.replace("[model]", "[model]\nvocab_size = 256").replace("'run'", "'tight'"),
    )
    .unwrap();
    fs::write(path(&folder, "list.json"), "[]").unwrap();
    fs::write(path(&folder, "list.jsonl"), "[]").unwrap();
    folder.stdout("train --config run.toml");
    folder.stdout("synth --preset small --out model.bits");
    fs::create_dir(path(&folder, "moved")).unwrap();
    fs::copy(path(&folder, "run/last.safetensors"), path(&folder, "moved/last.safetensors")).unwrap();
    let other = fs::read_to_string(path(&folder, "run/tokenizer.json")).unwrap() + "\n";
    fs::write(path(&folder, "other.json"), &other).unwrap();
    fs::write(path(&folder, "folder/tokenizer.json"), &other).unwrap();
    // A device is not replaced by a file.
    #[cfg(unix)]
    std::os::unix::fs::symlink("/dev/full", path(&folder, "full")).unwrap();
    for (arguments, parts) in [
        ("data prepare --input bad.txt --out x", ["bad.txt", "not UTF-8: the first wrong byte is at offset 4"]),
        ("data prepare --input none.txt --out x", ["no story in", "none.txt"]),
        ("data prepare --out x", ["--input", "required"]),
        ("data prepare --input stories.txt --mirror http://x --out x", ["--mirror", "--input"]),
        ("data smoke --stories 0 --out x", ["--stories", "0"]),
        ("data prepare --download words --out x", ["words", "tinystories"]),
        ("train --config typo.toml", ["`warmpu`", "did you mean `warmup`?"]),
        ("train --config tight.toml", ["320 tokens", "256"]),
        ("train --config run.toml", ["run/last.safetensors", "`--resume` continues it"]),
        ("train --config tight.toml --resume", ["tight/last.safetensors", "without `--resume` a run begins"]),
        ("convert --checkpoint run/best.safetensors --out ./run/best.safetensors", ["--out is the checkpoint", "best"]),
        ("convert --checkpoint run/best.safetensors --out full", ["cannot write full", "No space left"]),
        ("synth --preset small --out full", ["cannot write full", "No space left"]),
        ("eval --model small.bits --text list.json", ["list.json", "there is no story"]),
        ("data prepare --input list.json --out x", ["list.json", "there is no story"]),
        ("eval --model small.bits --text list.jsonl", ["list.jsonl", "line 1 is not an object"]),
        ("data prepare --input list.jsonl --out x", ["list.jsonl", "line 1 is not an object"]),
        ("eval --model small.bits --text bad.txt", ["bad.txt", "not UTF-8: the first wrong byte is at offset 4"]),
        ("data prepare --input stories.txt --end 0 --out x", ["end of a text", "only with a tokenizer.json"]),
        (
            "data prepare --input stories.txt --tokenizer other.json --end </s> --out x",
            ["other.json", "no token \"</s>\""],
        ),
        ("convert --checkpoint stories.txt --out x.bits", ["stories.txt", "not a safetensors file"]),
        ("eval --model small.bits --text stories.txt", ["64 tokens", "256"]),
        ("eval --checkpoint moved/last.safetensors --text stories.txt --restart", ["not beside it", "--tokenizer"]),
        (
            "eval --checkpoint run/last.safetensors --text stories.txt --restart --tokenizer other.json",
            ["other.json is not the tokenizer that run/last.safetensors was trained with", "XXH64"],
        ),
        (
            "eval --checkpoint run/last.safetensors --text stories.txt --restart --tokenizer byte",
            ["not on bytes", "run/"],
        ),
        ("convert --checkpoint moved/last.safetensors --out x.bits", ["not beside it", "--tokenizer"]),
        (
            "convert --checkpoint run/last.safetensors --tokenizer other.json --out x.bits",
            ["other.json is not", "XXH64"],
        ),
        ("convert --checkpoint run/last.safetensors --end 320 --out x.bits", ["--end", "no token \"320\""]),
        (
            "convert --checkpoint run/last.safetensors --out folder/x.bits",
            ["folder/tokenizer.json differs from run/tokenizer.json", "another folder"],
        ),
        ("eval --checkpoint run/last.safetensors --text stories.txt", ["--restart", "required"]),
        ("eval --text stories.txt", ["--model", "required"]),
    ] {
        let Ran { success, out, err, .. } = folder.run(arguments);
        assert!(!success && out.is_empty() && err.starts_with("error: "), "{arguments}: {out}{err}");
        for part in parts {
            assert!(err.contains(part), "{arguments}: no {part:?} in {err}");
        }
    }
}

/// Tests have no network: the host does not exist.
#[test]
fn a_download_without_a_network_is_an_error() {
    let folder = Folder::new();
    let ran = folder.run("data prepare --download tinystories --mirror https://stories.invalid/x --out data");
    let part =
        if cfg!(feature = "download") { "stories.invalid/x/TinyStories-valid.txt" } else { "--features download" };
    assert!(!ran.success && ran.err.contains("error: ") && ran.err.contains(part), "{ran:?}");
}
