//! The cost of choosing a token, for every variant: top-k 50, top-p 0.9 and a penalty, compared with the greedy choice
//! and with the head that computes the logits, which is most of a token of the `default` model.
//!
//! `cargo bench -p bitstate-generate`. Only compare numbers of one run: the machine's speed drifts.

use bitstate_generate::{Sampler, Sampling, SplitMix64};
use bitstate_kernels::{Kernels, Variant};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// The vocabularies of the presets.
const VOCABULARIES: [usize; 2] = [32_011, 256];
/// Tokens of the session before the timed ones.
const SEEN: [usize; 3] = [0, 100, 2000];
/// Tokens chosen before the sampler's counts are reset.
const RUN: usize = 16;
/// Consecutively timed logits: they fit an L2 cache, where a head leaves its logits.
const ROW: usize = 4;
/// Number of logits to choose from: far more than a branch predictor can learn.
const LOGITS: usize = 64;

fn variants() -> impl Iterator<Item = (&'static str, Kernels)> {
    Variant::ALL.into_iter().filter_map(|variant| Some((variant.name(), Kernels::new(variant).ok()?)))
}

/// Normal, of standard deviation 1.
fn normal(rng: &mut SplitMix64) -> f32 {
    (0..12).map(|_| rng.next_f32()).sum::<f32>() - 6.0
}

/// Logits of some tokens of one text: half of their variance is common to the text, the rest is each token's own. Peaky
/// ones have three tokens far above the rest.
fn logits(vocab_size: usize, peaky: bool) -> Vec<Vec<f32>> {
    let rng = &mut SplitMix64::new(7);
    let common: Vec<f32> = (0..vocab_size).map(|_| 2.0 * normal(rng)).collect();
    let mut one = || {
        let mut logits: Vec<f32> = common.iter().map(|common| common + 2.0 * normal(rng)).collect();
        for height in 0..if peaky { 3 } else { 0 } {
            logits[(rng.next_u64() % vocab_size as u64) as usize] = 20.0 + 2.0 * height as f32;
        }
        logits
    };
    (0..LOGITS).map(|_| one()).collect()
}

/// The time of `iters` choices, each run of them after `seen` other tokens.
fn time(sampling: &Sampling, kernels: Kernels, logits: &[Vec<f32>], seen: usize, iters: u64) -> Duration {
    let vocab_size = logits[0].len();
    let new = || Sampler::new(sampling.clone(), vocab_size, kernels).expect("the parameters are in range");
    // A text's tokens: the likely ones recur.
    let mut writer = new();
    let text: Vec<u32> = (0..seen).map(|i| writer.sample(&logits[i % LOGITS]).expect("numbers")).collect();
    let mut near = logits[..ROW].to_vec();
    let (mut sampler, mut total) = (new(), Duration::ZERO);
    for done in (0..iters as usize).step_by(ROW) {
        if done % RUN == 0 {
            sampler = new();
            text.iter().for_each(|&token| sampler.observe(token));
            // The first one touches the memory.
            sampler.sample(&near[0]).expect("numbers");
        }
        let n = ROW.min(iters as usize - done);
        near.iter_mut().zip(&logits[done % LOGITS..]).for_each(|(near, logits)| near.copy_from_slice(logits));
        let clock = Instant::now();
        for logits in &near[..n] {
            black_box(sampler.sample(black_box(logits)).expect("numbers"));
        }
        total += clock.elapsed();
    }
    total
}

fn sampling(c: &mut Criterion) {
    let seeded = Sampling { seed: 1, temperature: 0.8, top_k: 50, top_p: 0.9, penalty: 1.1, ..Sampling::greedy() };
    let all = Sampling { seed: 1, temperature: 0.8, top_k: 0, top_p: 0.9, penalty: 1.1, ..Sampling::greedy() };
    for vocab_size in VOCABULARIES {
        let mut group = c.benchmark_group(format!("sample {vocab_size}"));
        for (shape, peaky) in [("normal", false), ("peaky", true)] {
            let logits = logits(vocab_size, peaky);
            for (name, kernels) in variants() {
                for seen in SEEN {
                    group.bench_function(BenchmarkId::new(format!("{shape}, {seen} seen"), name), |b| {
                        b.iter_custom(|iters| time(&seeded, kernels, &logits, seen, iters));
                    });
                }
                group.bench_function(BenchmarkId::new(format!("{shape}, all kept"), name), |b| {
                    b.iter_custom(|iters| time(&all, kernels, &logits, 100, iters));
                });
                group.bench_function(BenchmarkId::new(format!("{shape}, greedy"), name), |b| {
                    b.iter_custom(|iters| time(&Sampling::greedy(), kernels, &logits, 0, iters));
                });
            }
        }
    }
}

/// The head of the `default` model, for comparison.
fn head(c: &mut Criterion) {
    let (v, d) = (32_011, 256);
    let mut rng = SplitMix64::new(1);
    let rows: Vec<i8> = (0..v * d).map(|_| (rng.next_u64() % 255) as i8).collect();
    let z: Vec<f32> = (0..d).map(|_| normal(&mut rng)).collect();
    for (name, kernels) in variants() {
        let (mut q, scales, mut logits) = (vec![0; d], vec![1.0; v], vec![0.0; v]);
        let scale = kernels.quantise_15bit(&z, &mut q);
        c.bench_function(&format!("head int8 {v}x{d}/{name}"), |b| {
            b.iter(|| kernels.head_int8(black_box(&rows), &scales, &q, scale, &mut logits));
        });
    }
}

criterion_group! {
    name = sampling_cost;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300));
    targets = head, sampling
}
criterion_main!(sampling_cost);
