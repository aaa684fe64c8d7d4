//! The speed-up of threads, and that they never slow decoding down: with 1, 2 and up to as many threads as cores.
//!
//! `cargo bench -p bitstate-threads` prints tokens per second and the speed-up over one thread. Because a machine's
//! speed drifts, the thread counts alternate in rounds; a speed-up is the median over the rounds, with the interval
//! that contains the true median with 95 % confidence. A preset's name as an argument selects only that one.
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use bitstate_engine::{Engine, State, TopLogit};
use bitstate_kernels::Variant;
use bitstate_model::{AlignedBytes, Model, Preset, Version, synthetic};
use bitstate_threads::{Pool, Workers};
use std::time::{Duration, Instant};

const ROUNDS: usize = 41;
/// Approximate time that one thread decodes in a round.
const ROUND: Duration = Duration::from_millis(20);
/// Ranks that bound the median of [`ROUNDS`] values with 95 % confidence (binomial, p = 0.5).
const BOUNDS: [usize; 2] = [13, 27];

/// Advances `state`, which has at least one token, by one token.
type Decode = fn(&Engine<'_>, &mut State, &mut [f32]);

/// Which logits are requested.
const DECODES: [(&str, Decode); 2] = [
    ("the largest", |engine, state, room| {
        let mut largest = [TopLogit::default()];
        engine.top_logits(state, &mut largest, room).unwrap();
        engine.advance(&[largest[0].token], state).unwrap();
    }),
    // As for sampling.
    ("all", |engine, state, room| {
        engine.logits(state, room).unwrap();
        let token = room[0].to_bits() % room.len() as u32;
        engine.advance(&[token], state).unwrap();
    }),
];

/// Seconds for `tokens` more tokens.
fn time(decode: Decode, engine: &Engine<'_>, state: &mut State, room: &mut [f32], tokens: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..tokens {
        decode(engine, state, room);
    }
    start.elapsed().as_secs_f64()
}

/// The median and the bounds of its interval.
fn median(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [values[ROUNDS / 2], values[BOUNDS[0]], values[BOUNDS[1]]]
}

fn main() {
    let cores = std::thread::available_parallelism().unwrap().get();
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    println!("{:8}  {:12}  {:>7}  {:>9}  {:>24}", "preset", "logits", "threads", "tokens/s", "gain over one thread");
    for preset in Preset::ALL.iter().filter(|preset| chosen.is_empty() || chosen.iter().any(|c| c == preset.name())) {
        let file = AlignedBytes::copy_of(&synthetic(&preset.config(), 1, Version::V1_2));
        let model = Model::parse(&file).unwrap();
        let mut counts: Vec<usize> = (0..).map(|power| 1 << power).take_while(|&n| n < cores).chain([cores]).collect();
        counts.dedup();
        let pools: Vec<Pool> = counts.iter().map(|&threads| Pool::new(threads).unwrap()).collect();

        // One engine for all, so that its memory addresses are the same.
        let mut engine = Engine::new(&model, Variant::best()).unwrap();
        let (mut state, mut room) = (engine.new_state(), vec![0.0; model.config.vocab_size]);
        engine.advance(&[0], &mut state).unwrap();
        for (logits, decode) in DECODES {
            let tokens = (ROUND.as_secs_f64() / (time(decode, &engine, &mut state, &mut room, 20) / 20.0)) as u32;
            // Seconds of a round, for each number of threads.
            let mut seconds = vec![Vec::new(); counts.len()];
            for _ in 0..ROUNDS {
                for (pool, seconds) in pools.iter().zip(&mut seconds) {
                    engine.set_workers((pool.threads() > 1).then_some(pool as &dyn Workers));
                    seconds.push(time(decode, &engine, &mut state, &mut room, tokens));
                }
            }
            engine.set_workers(None);
            for (threads, rounds) in counts.iter().zip(&seconds) {
                let [round, ..] = median(rounds.clone());
                let [gain, low, high] = median(seconds[0].iter().zip(rounds).map(|(one, many)| one / many).collect());
                let (rate, gain) = (f64::from(tokens) / round, format!("{gain:.2} ({low:.2} to {high:.2})"));
                println!("{:8}  {logits:12}  {threads:>7}  {rate:>9.0}  {gain:>24}", preset.name());
            }
        }
    }
}
