//! What threads gain, and that they never cost: decoding with 1, 2 and up to as many threads as there are cores.
//!
//! `cargo bench -p bitstate-threads` prints tokens a second and the gain over one thread. A machine drifts, so the
//! counts of threads take turns, round after round; a gain is the median of what the rounds show, with the interval
//! that holds the true median with 95 % confidence. A preset's name as an argument chooses it alone.
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use bitstate_engine::{Engine, State, TopLogit};
use bitstate_kernels::Variant;
use bitstate_model::{AlignedBytes, Model, Preset, Version, synthetic};
use bitstate_threads::{Pool, Workers};
use std::time::{Duration, Instant};

const ROUNDS: usize = 41;
/// How long one thread decodes in a round, about.
const ROUND: Duration = Duration::from_millis(20);
/// Ranks that bound the median of [`ROUNDS`] values with 95 % confidence (binomial, p = 0.5).
const BOUNDS: [usize; 2] = [13, 27];

/// The time of `tokens` more tokens of a greedy stream.
fn decode(engine: &Engine<'_>, state: &mut State, room: &mut [f32], tokens: u32) -> Duration {
    let mut largest = [TopLogit::default()];
    let start = Instant::now();
    for _ in 0..tokens {
        engine.top_logits(state, &mut largest, room).unwrap();
        engine.advance(&[largest[0].token], state).unwrap();
    }
    start.elapsed()
}

/// The median and the bounds of its interval.
fn median(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [values[ROUNDS / 2], values[BOUNDS[0]], values[BOUNDS[1]]]
}

fn main() {
    let cores = std::thread::available_parallelism().unwrap().get();
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    println!("{:8}  {:>7}  {:>9}  {:>24}", "preset", "threads", "tokens/s", "gain over one thread");
    for preset in Preset::ALL.iter().filter(|preset| chosen.is_empty() || chosen.iter().any(|c| c == preset.name())) {
        let file = AlignedBytes::copy_of(&synthetic(&preset.config(), 1, Version::V1_2));
        let model = Model::parse(&file).unwrap();
        let mut counts: Vec<usize> = (0..).map(|power| 1 << power).take_while(|&n| n < cores).chain([cores]).collect();
        counts.dedup();
        let pools: Vec<Pool> = counts.iter().map(|&threads| Pool::new(threads).unwrap()).collect();

        // One engine for all, so that its place in memory is the same.
        let mut engine = Engine::new(&model, Variant::best()).unwrap();
        let (mut state, mut room) = (engine.new_state(), vec![0.0; model.config.vocab_size]);
        engine.advance(&[0], &mut state).unwrap();
        let mut decode = |engine: &Engine<'_>, tokens| decode(engine, &mut state, &mut room, tokens).as_secs_f64();
        let tokens = (ROUND.as_secs_f64() / (decode(&engine, 20) / 20.0)) as u32;
        // Seconds that a round took, for each count of threads.
        let mut seconds = vec![Vec::new(); counts.len()];
        for _ in 0..ROUNDS {
            for (pool, seconds) in pools.iter().zip(&mut seconds) {
                engine.set_workers((pool.threads() > 1).then_some(pool as &dyn Workers));
                seconds.push(decode(&engine, tokens));
            }
        }
        for (threads, rounds) in counts.iter().zip(&seconds) {
            let [round, ..] = median(rounds.clone());
            let [gain, low, high] = median(seconds[0].iter().zip(rounds).map(|(one, many)| one / many).collect());
            let gain = format!("{gain:.2} ({low:.2} to {high:.2})");
            println!("{:8}  {threads:>7}  {:>9.0}  {gain:>24}", preset.name(), f64::from(tokens) / round);
        }
    }
}
