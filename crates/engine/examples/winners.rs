//! The number of rows that the bounds of the two-stage head leave to be computed, over a greedy text of a model, or of
//! the default one with random weights:
//!
//! `cargo run --release -p bitstate-engine --example winners [MODEL.bits]`
#![allow(clippy::unwrap_used, reason = "an example may panic on a wrong model")]

use bitstate_engine::{Engine, HeadPath, TopLogit};
use bitstate_kernels::Variant;
use bitstate_model::{Model, Preset, Version, synthetic};

/// The prompt of the golden case `default/16-tokens`, and the length of the text.
const PROMPT: [u32; 16] =
    [1, 20411, 8370, 24306, 11748, 26056, 22624, 30882, 27574, 24244, 21365, 30222, 17368, 950, 27536, 15257];
const TOKENS: usize = 512;

fn main() {
    let made = || synthetic(&Preset::by_name("default").unwrap().config(), 1, Version::V1_2);
    let file = std::env::args().nth(1).map_or_else(made, |path| std::fs::read(path).unwrap());
    let model = Model::parse(&file).unwrap();
    let engine = Engine::new(&model, Variant::best()).unwrap();
    let vocab_size = model.config.vocab_size;
    let mut room = vec![0.0; vocab_size];
    println!("{}, {TOKENS} tokens, {vocab_size} rows", engine.variant().name());
    for k in [1, 2, 10, 50, 200] {
        let mut state = engine.new_state();
        engine.advance(&PROMPT.map(|token| token % vocab_size as u32), &mut state).unwrap();
        let (mut top, mut exact, mut full) = (vec![TopLogit::default(); k], Vec::new(), 0);
        for _ in 0..TOKENS {
            match engine.top_logits(&mut state, &mut top, &mut room).unwrap() {
                HeadPath::TwoStage { exact: rows } => exact.push(rows),
                HeadPath::Full(_) => full += 1,
            }
            engine.advance(&[top[0].token], &mut state).unwrap();
        }
        exact.sort_unstable();
        let quantile = |q: usize| exact.get(exact.len() * q / 100).copied().unwrap_or_default();
        let mean = exact.iter().sum::<usize>() as f64 / exact.len().max(1) as f64;
        let (middle, late, most) = (quantile(50), quantile(99), exact.last().copied().unwrap_or_default());
        println!(
            "{k:>4} largest: {mean:.0} rows computed on average, p50 {middle}, p99 {late}, most {most}; {full} times all"
        );
    }
}
