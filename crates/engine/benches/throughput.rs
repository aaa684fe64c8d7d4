//! Tokens per second of the default model: a single stream, many streams together, and prefill.
//!
//! `cargo bench -p bitstate-engine` prints tokens per second (`elem/s`) for every variant, as the total of all streams.
//! `decode` computes every token's full logits, its greedy form only the largest; `prefill` computes the logits of the
//! last token. Only compare numbers of one run: the machine's speed drifts.
#![allow(clippy::unwrap_used, reason = "a bench may panic")]

use bitstate_engine::{Engine, TopLogit};
use bitstate_kernels::{Kernels, Variant};
use bitstate_model::{AlignedBytes, Model, Preset, Version, synthetic};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;

/// Sessions decoded together; 1 is `forward`.
const STREAMS: [usize; 6] = [1, 2, 4, 8, 16, 32];
/// Tokens of a prompt.
const PROMPT: usize = 512;

/// `n` tokens that only depend on the vocabulary size.
fn tokens(vocab_size: usize, n: usize) -> Vec<u32> {
    (0..n as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 8) % vocab_size as u32).collect()
}

fn throughput(c: &mut Criterion) {
    let file = AlignedBytes::copy_of(&synthetic(&Preset::by_name("default").unwrap().config(), 1, Version::V1_2));
    let model = Model::parse(&file).unwrap();
    let vocab_size = model.config.vocab_size;
    for variant in Variant::ALL.into_iter().filter(|&variant| Kernels::new(variant).is_ok()) {
        let mut engine = Engine::new(&model, variant).unwrap();
        engine.lay_out_for_many();
        let mut group = c.benchmark_group("decode");
        for streams in STREAMS {
            let tokens = tokens(vocab_size, streams);
            let (mut states, mut logits) = (vec![engine.new_state(); streams], vec![0.0; streams * vocab_size]);
            group.throughput(Throughput::Elements(streams as u64));
            group.bench_function(BenchmarkId::new(format!("{streams} streams"), variant.name()), |b| {
                b.iter(|| match states.as_mut_slice() {
                    [state] => engine.forward(black_box(tokens[0]), state, &mut logits).unwrap(),
                    states => engine.forward_many(black_box(&tokens), states, &mut logits).unwrap(),
                });
            });
            let (mut states, mut room) = (vec![engine.new_state(); streams], vec![0.0; vocab_size]);
            let (mut tokens, mut top) = (tokens.clone(), vec![TopLogit::default(); streams]);
            group.bench_function(BenchmarkId::new(format!("{streams} streams, greedy"), variant.name()), |b| {
                b.iter(|| {
                    engine.advance_many(black_box(&tokens), &mut states).unwrap();
                    match states.as_mut_slice() {
                        [state] => drop(engine.top_logits(state, &mut top, &mut room).unwrap()),
                        states => engine.top_logits_many(states, &mut top, &mut room).unwrap(),
                    }
                    for (token, top) in tokens.iter_mut().zip(&top) {
                        *token = top.token;
                    }
                });
            });
        }
        group.finish();

        let (prompt, mut state, mut logits) = (tokens(vocab_size, PROMPT), engine.new_state(), vec![0.0; vocab_size]);
        let mut group = c.benchmark_group("prefill");
        group.throughput(Throughput::Elements(PROMPT as u64));
        group.bench_function(BenchmarkId::new(format!("{PROMPT} tokens"), variant.name()), |b| {
            b.iter(|| engine.prefill(black_box(&prompt), &mut state, &mut logits).unwrap());
        });
        group.finish();
    }
}

criterion_group! {
    name = engine;
    config = Criterion::default().warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(800));
    targets = throughput
}
criterion_main!(engine);
