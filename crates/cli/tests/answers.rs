//! Successful output: the shape of the JSON, and the same values for every variant.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate::Digest;
use bitstate::bits::{Model, Preset};
use bitstate_kernels::Variant;
use bitstate_reference::{Canonical, Sampling, generate};
use serde::Deserialize;
use std::fs;
use support::{BYTE, Folder, SMALL, variants};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Logits {
    logits: Vec<f32>,
    argmax: u32,
    digest: String,
    variant: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Generated {
    tokens: Vec<u32>,
    text: Option<String>,
    tokens_per_second: f64,
    seed: Option<u64>,
    variant: String,
    threads: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Summary {
    file: String,
    bytes: usize,
    digest: String,
    format: String,
    vocab_size: usize,
    n_layer: usize,
    n_embd: usize,
    n_head: usize,
    head_size: usize,
    ff_mult: usize,
    max_seq_len: usize,
    dropout: f32,
    embedding: String,
    parameters: usize,
    ternary_weights: usize,
    zero_share: f64,
    state_bytes: usize,
    fits: Vec<Fit>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fit {
    target: String,
    region: String,
    needs: u64,
    has: Option<u64>,
    fits: bool,
}

/// The oracle's answer to `prompt`: `n` tokens, and the logits that the first was chosen from.
fn oracle(folder: &Folder, file: &str, prompt: &[u32], sampling: Sampling, n: usize) -> (Vec<u32>, Vec<f32>) {
    let bytes = fs::read(folder.path().join(file)).unwrap();
    let run = generate(&Canonical::new(&Model::parse(&bytes).unwrap()), prompt, &sampling, n);
    (run.tokens, run.logits[0].clone())
}

#[test]
fn every_variant_gives_the_oracles_logits() {
    let folder = Folder::new();
    let (best, expected) = oracle(&folder, SMALL, &[3, 1, 4], Sampling::Greedy, 1);
    for variant in variants() {
        let found: Logits = folder.json(&format!("logits --model {SMALL} --tokens 3,1,4 --json --variant {variant}"));
        assert_eq!(found.logits, expected, "{variant}");
        assert_eq!(found.argmax, best[0]);
        assert_eq!(found.digest, Digest::of_f32s(&expected).to_string());
        assert_eq!(found.variant, variant);
    }
    let found: Logits = folder.json(&format!("logits --model {SMALL} --tokens 3,1,4 --json"));
    assert_eq!(found.variant, Variant::best().name());
    assert_eq!(found.logits, expected);

    let table = folder.stdout(&format!("logits --model {SMALL} --tokens 3,1,4"));
    let first: Vec<&str> = table.lines().nth(2).unwrap().split_whitespace().collect();
    assert_eq!(first[0], best[0].to_string(), "{table}");
    assert!(table.contains(&found.digest), "{table}");
}

#[test]
fn every_variant_gives_the_oracles_tokens_for_a_seed() {
    let folder = Folder::new();
    let prompt: Vec<u32> = "Once upon".bytes().map(u32::from).collect();
    let seeded = Sampling::Seeded { seed: 7, temperature: 0.8, top_k: 50, top_p: 0.9, penalty: 1.1 };
    let cases = [("--seed 7 --penalty 1.1", seeded, Some(7)), ("--greedy", Sampling::Greedy, None)];
    for (flags, sampling, seed) in cases {
        let (tokens, _) = oracle(&folder, BYTE, &prompt, sampling, 12);
        let bytes: Vec<u8> = tokens.iter().map(|&token| u8::try_from(token).unwrap()).collect();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        for variant in variants() {
            let arguments =
                format!("generate --model {BYTE} --prompt Once+upon --max-tokens 12 {flags} --variant {variant}");
            let found: Generated = folder.json(&format!("{arguments} --json"));
            assert_eq!((&found.tokens, found.text.as_ref()), (&tokens, Some(&text)), "{arguments}");
            assert!(found.tokens_per_second > 0.0);
            assert_eq!((found.seed, found.variant.as_str()), (seed, variant));

            let ran = folder.run(&arguments);
            assert!(ran.success);
            assert_eq!(ran.out, format!("{text}\n"), "{arguments}");
            assert!(ran.err.contains("12 tokens") && ran.err.contains(variant), "{}", ran.err);
        }
    }
}

#[test]
fn tokens_work_with_any_model() {
    let folder = Folder::new();
    let arguments = format!("generate --model {SMALL} --tokens 3,1,4 --max-tokens 6 --seed 1");
    let found: Generated = folder.json(&format!("{arguments} --json"));
    assert_eq!((found.tokens.len(), found.text), (6, None));
    let ids: Vec<u32> = folder.stdout(&arguments).split_whitespace().map(|id| id.parse().unwrap()).collect();
    assert_eq!(ids, found.tokens);

    let none: Generated = folder.json(&format!("generate --model {BYTE} --prompt a --max-tokens 0 --json"));
    assert_eq!((none.tokens.len(), none.text.as_deref(), none.tokens_per_second), (0, Some(""), 0.0));
}

/// A random seed is printed and reproduces the tokens.
#[test]
fn a_drawn_seed_is_reported() {
    let folder = Folder::new();
    let arguments = format!("generate --model {SMALL} --tokens 3 --max-tokens 30 --json");
    let first: Generated = folder.json(&arguments);
    let seed = first.seed.unwrap();
    let again: Generated = folder.json(&format!("{arguments} --seed {seed}"));
    assert_eq!(again.tokens, first.tokens);
    let other: Generated = folder.json(&format!("{arguments} --seed {}", seed ^ 1));
    assert_ne!(other.tokens, first.tokens);
}

/// The tokens are the same, and the number of threads is reported; a small model uses one.
#[test]
fn threads_only_change_the_speed() {
    let folder = Folder::new();
    let cores = std::thread::available_parallelism().unwrap().get();
    folder.stdout("synth --preset default --out large.bits");
    for (file, used) in [("large.bits", cores), (BYTE, 1)] {
        let arguments = format!("generate --model {file} --tokens 3,1,4 --seed 5 --max-tokens 8");
        let alone: Generated = folder.json(&format!("{arguments} --json"));
        assert_eq!(alone.threads, 1);
        for threads in ["auto".to_string(), cores.to_string()] {
            let found: Generated = folder.json(&format!("{arguments} --threads {threads} --json"));
            assert_eq!((found.tokens, found.threads), (alone.tokens.clone(), used), "{file} {threads}");
            let ran = folder.run(&format!("{arguments} --threads {threads}"));
            assert!(ran.success && (cores == 1 || ran.err.contains(&format!("--threads {used}"))), "{ran:?}");
        }
    }
}

#[test]
fn inspect_describes_the_file() {
    let folder = Folder::new();
    let bytes = fs::read(folder.path().join(SMALL)).unwrap();
    let found: Summary = folder.json(&format!("inspect {SMALL} --json"));
    let c = Preset::by_name("small").unwrap().config();
    let (d, f) = (c.n_embd, c.ff_dim());
    assert_eq!((found.file.as_str(), found.bytes, found.digest), (SMALL, bytes.len(), Digest::of(&bytes).to_string()));
    assert_eq!((found.vocab_size, found.n_layer, found.n_embd), (c.vocab_size, c.n_layer, d));
    assert_eq!((found.n_head, found.head_size, found.ff_mult), (c.n_head, c.head_size, c.ff_mult));
    assert_eq!((found.max_seq_len, found.dropout), (c.max_seq_len, c.dropout));
    assert_eq!((found.format.as_str(), found.embedding.starts_with("int8")), ("BITS 1.2", true));
    assert_eq!(found.ternary_weights, c.n_layer * (6 * d * d + 2 * d * f));
    // Everything except matrix weights is an f32 or a byte of the embedding; the file also has tensor headers.
    assert!(found.parameters > found.ternary_weights + c.vocab_size * d);
    assert!((0.3..0.37).contains(&found.zero_share), "{}", found.zero_share);
    assert_eq!(found.state_bytes, 4 * c.n_layer * (2 * d + d * c.head_size));
    let text = folder.stdout(&format!("inspect {SMALL}"));
    for part in ["BITS 1.2", &found.parameters.to_string(), SMALL] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn help_lists_every_command_and_the_version_matches_the_crate() {
    let folder = Folder::new();
    let help = folder.stdout("--help");
    for command in ["generate", "logits", "inspect", "synth"] {
        assert!(help.contains(command), "{help}");
        assert!(folder.stdout(&format!("{command} --help")).contains("Usage: bitstate"));
    }
    let help = folder.stdout("generate --help");
    assert!(Variant::ALL.iter().all(|variant| help.contains(variant.name())), "{help}");
    assert_eq!(folder.stdout("--version"), format!("bitstate {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn inspect_shows_where_a_model_fits() {
    let folder = Folder::new();
    folder.stdout("synth --preset default --out large.bits");
    for (model, places) in [(BYTE, 5), ("large.bits", 3)] {
        let found: Summary = folder.json(&format!("inspect {model} --json"));
        assert_eq!(found.fits.iter().filter(|fit| fit.fits).count(), places, "{:?}", found.fits);
        let text = folder.stdout(&format!("inspect {model}"));
        for Fit { target, region, needs, has, fits } in found.fits {
            // The available memory of a machine changes.
            let Some(has) = has.filter(|_| target != "native") else { continue };
            let line =
                text.lines().find(|line| line.split_whitespace().take(2).eq([target.as_str(), &region])).unwrap();
            let part = if fits {
                format!("fits, {} left", has - needs)
            } else {
                format!("does not fit: {} bytes", needs - has)
            };
            assert!(line.contains(&needs.to_string()) && line.contains(&part), "{part}: {line}");
        }
    }
}

#[test]
fn inspect_draws_the_weights() {
    let folder = Folder::new();
    folder.stdout(&format!("inspect {SMALL} --picture small.png"));
    let file = fs::File::open(folder.path().join("small.png")).unwrap();
    let mut decoder = png::Decoder::new(std::io::BufReader::new(file));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let bytes = fs::read(folder.path().join(SMALL)).unwrap();
    let model = Model::parse(&bytes).unwrap();
    let c = model.config;
    let (d, f, gap) = (c.n_embd, c.ff_dim(), 8);
    let width = 7 * d + f + 9 * gap;
    assert_eq!((info.width as usize, info.height as usize), (width, c.n_layer * (d.max(f) + gap) + gap));
    let pixel = |x: usize, y: usize| &pixels[3 * (y * width + x)..][..3];
    assert_eq!(pixel(0, 0), [128, 128, 128]);
    for layer in 0..c.n_layer {
        let k = model.layers[layer].time_mix.k.weight;
        for (row, col) in (0..d).flat_map(|row| (0..d).map(move |col| (row, col))) {
            let colour = [[30, 80, 160], [250, 250, 250], [200, 70, 30]][(k.get(row, col) + 1) as usize];
            assert_eq!(pixel(2 * gap + d + col, gap + layer * (d.max(f) + gap) + row), colour, "{layer} {row} {col}");
        }
    }
    assert_eq!(folder.run("inspect small.bits --picture nowhere/x.png").code, Some(2));
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bench {
    model: String,
    bytes: usize,
    variants: Vec<Measured>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Measured {
    variant: String,
    tokens_per_second: f64,
    read_bytes_per_second: f64,
    share_of_memory_roof: f64,
}

#[test]
fn bench_measures_every_variant_that_runs_here() {
    let folder = Folder::new();
    let found: Bench = folder.json(&format!("bench --model {BYTE} --time 1 --json"));
    assert_eq!((found.model.as_str(), found.bytes), (BYTE, fs::read(folder.path().join(BYTE)).unwrap().len()));
    let mut names: Vec<&str> = found.variants.iter().map(|measured| measured.variant.as_str()).collect();
    let mut expected = variants();
    names.sort_unstable();
    expected.sort_unstable();
    assert_eq!(names, expected);
    for Measured { tokens_per_second, read_bytes_per_second, share_of_memory_roof, .. } in &found.variants {
        let roof = read_bytes_per_second / found.bytes as f64;
        assert!((share_of_memory_roof - tokens_per_second / roof).abs() < 1e-9 && *tokens_per_second > 0.0);
    }
    let table = folder.stdout(&format!("bench --model {BYTE} --time 1"));
    assert!(table.lines().count() == 2 + expected.len() && table.lines().count() < 24, "one screen: {table}");
    let one: Bench = folder.json(&format!("bench --model {BYTE} --time 1 --json --variant generic"));
    assert_eq!(one.variants.len(), 1);
    assert_eq!(folder.run("bench --model nowhere.bits").code, Some(2));
}
