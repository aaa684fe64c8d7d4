//! An engine with workers: bit-identical logits for any number of threads, no allocation, and nothing small is divided.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

#[path = "../../kernels/tests/support/variants.rs"]
mod kernels;

use bitstate_engine::{Engine, HeadPath, TopLogit, Workers};
use bitstate_kernels::{Kernels, Variant};
use bitstate_model::{Config, Model, Preset, Version, synthetic};
use bitstate_threads::Pool;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::within;

const THREADS: [usize; 5] = [1, 2, 3, 5, 8];

/// V, H, S, ff of models: with heads just large enough to be divided, as INT8 or as f32; with a head of two stages; with ends that are no multiple
/// of a chunk; with ternary matrices that are large enough, all or some; too small; with fewer tokens than threads.
const SHAPES: [[usize; 4]; 10] = [
    [1024, 4, 64, 1],
    [4099, 2, 32, 1],
    [1025, 2, 32, 1],
    [1993, 1, 33, 1],
    [4101, 4, 64, 1],
    [3, 11, 49, 1],
    [5, 8, 35, 4],
    [257, 2, 32, 1],
    [3, 2, 32, 2],
    [1, 1, 1, 1],
];

fn config([vocab_size, n_head, head_size, ff_mult]: [usize; 4]) -> Config {
    let n_embd = n_head * head_size;
    Config { vocab_size, n_layer: 1, n_embd, n_head, head_size, ff_mult, max_seq_len: 8, dropout: 0.0 }
}

/// Counts the divided operations, and processes their chunks in reverse order.
#[derive(Default)]
struct Backwards(AtomicUsize);

impl Workers for Backwards {
    fn divide(&self, out: &mut [f32], chunk: usize, task: &(dyn Fn(usize, &mut [f32]) + Sync)) {
        self.0.fetch_add(1, Ordering::Relaxed);
        for (i, chunk) in out.chunks_mut(chunk).enumerate().rev() {
            task(i, chunk);
        }
    }
}

/// The bits of all logits, and of the largest alone, after each of some tokens.
fn stream(engine: &Engine<'_>) -> Vec<Vec<u32>> {
    let vocab_size = engine.config().vocab_size;
    let (mut state, mut logits) = (engine.new_state(), vec![f32::NAN; vocab_size]);
    let step = |i: usize| {
        engine.forward((i * 7919 % vocab_size) as u32, &mut state, &mut logits).unwrap();
        logits.iter().map(|logit| logit.to_bits()).collect()
    };
    let mut bits: Vec<Vec<u32>> = (0..2).map(step).collect();
    for n in [1, vocab_size.min(50), vocab_size.min(500)] {
        let mut top = vec![TopLogit::default(); n];
        let path = engine.top_logits(&mut state, &mut top, &mut logits).unwrap();
        bits.push(top.iter().flat_map(|top| [top.token, top.logit.to_bits()]).collect());
        // The number of computed logits is the same too.
        let HeadPath::TwoStage { exact } = path else { continue };
        bits.push(vec![exact as u32]);
    }
    let mut states = vec![state; 2];
    let mut logits = vec![f32::NAN; 2 * vocab_size];
    engine.forward_many(&[0, vocab_size as u32 - 1], &mut states, &mut logits).unwrap();
    bits.push(logits.iter().map(|logit| logit.to_bits()).collect());
    engine.prefill(&[0; 2], &mut states[0], &mut logits[..vocab_size]).unwrap();
    bits.push(logits.iter().map(|logit| logit.to_bits()).collect());
    bits
}

#[test]
fn the_bits_are_the_same_for_any_number_of_threads() {
    within(300, || {
        let pools = THREADS.map(|threads| Pool::new(threads).unwrap());
        let mut divided = 0;
        for shape in SHAPES {
            for version in [Version::V1_1, Version::V1_2] {
                let file = synthetic(&config(shape), 5, version);
                let model = Model::parse(&file).unwrap();
                for variant in kernels::variants().iter().map(Kernels::variant) {
                    let mut engine = Engine::new(&model, variant).unwrap();
                    let expected = stream(&engine);
                    let backwards = Backwards::default();
                    // A separate engine, which must not outlive the counter.
                    let mut counted = Engine::new(&model, variant).unwrap();
                    counted.set_workers(Some(&backwards));
                    assert!(stream(&counted) == expected, "{shape:?} {version} {variant:?} backwards");
                    let times = backwards.0.load(Ordering::Relaxed);
                    assert_eq!(times > 0, engine.is_divisible(), "{shape:?} {version}");
                    divided += usize::from(times > 0);
                    for pool in &pools {
                        engine.set_workers(Some(pool));
                        let threads = pool.threads();
                        assert!(stream(&engine) == expected, "{shape:?} {version} {variant:?} {threads} threads");
                    }
                    engine.set_workers(None);
                    assert!(stream(&engine) == expected, "{shape:?} {version} {variant:?} alone again");
                }
            }
        }
        assert!(divided > 0);
    });
}

#[test]
fn a_token_of_the_default_model_is_the_same_and_a_byte_model_is_never_divided() {
    within(300, || {
        let pool = Pool::new(2).unwrap();
        let preset = |name| Preset::by_name(name).unwrap().config();
        let file = synthetic(&preset("default"), 1, Version::V1_2);
        let model = Model::parse(&file).unwrap();
        let mut engine = Engine::new(&model, Variant::best()).unwrap();
        assert!(engine.is_divisible());
        let expected = stream(&engine);
        engine.set_workers(Some(&pool));
        assert!(stream(&engine) == expected);

        for name in ["byte", "small"] {
            let backwards = Backwards::default();
            let file = synthetic(&preset(name), 1, Version::V1_2);
            let model = Model::parse(&file).unwrap();
            let mut engine = Engine::new(&model, Variant::best()).unwrap();
            engine.set_workers(Some(&backwards));
            stream(&engine);
            assert_eq!((backwards.0.load(Ordering::Relaxed), engine.is_divisible()), (0, false), "{name}");
        }
    });
}
