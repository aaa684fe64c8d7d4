//! Every kernel × variant × shape, with this machine's memory bandwidth measured in the same run.
//!
//! `cargo bench -p bitstate-kernels` prints weights per second (`elem/s`) for the ternary matrices and bytes per second
//! for the heads; `read/…` is the bandwidth of plain reads from each level of the memory, the upper limit of everything
//! that streams. Only compare numbers of one run: the machine's speed drifts.

use bitstate_kernels::{
    HeadRows, Int8Head, Kernels, MatmulScratch, QuantisedRows, TernaryMatrix, TopLogit, Variant, WkvInput,
};
use bitstate_model::{AlignedBytes, Matrix, MatrixData};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;

/// Rows × columns: the default model's, larger ones, the byte model's.
const SHAPES: [(usize, usize); 8] =
    [(256, 256), (512, 256), (256, 512), (512, 512), (2048, 2048), (128, 128), (512, 128), (128, 512)];
/// Rows × columns of heads.
const HEADS: [(usize, usize); 2] = [(32_011, 256), (256, 128)];

fn variants() -> impl Iterator<Item = (&'static str, Kernels)> {
    Variant::ALL.into_iter().filter_map(|variant| Some((variant.name(), Kernels::new(variant).ok()?)))
}

/// A repeatable byte.
fn noise(i: usize) -> u32 {
    ((i as u32).wrapping_mul(2_654_435_761) >> 7) ^ (i as u32 >> 3)
}

fn int8s(n: usize) -> Vec<i8> {
    (0..n).map(|i| (noise(i) % 255) as i8).collect()
}

fn floats(n: usize) -> Vec<f32> {
    (0..n).map(|i| (noise(i) % 4001) as f32 / 1000.0 - 2.0).collect()
}

fn read(c: &mut Criterion) {
    let mut group = c.benchmark_group("read");
    for (level, bytes) in
        [("L1, 16 KB", 16 << 10), ("L2, 512 KB", 512 << 10), ("L3, 8.85 MB", 8_850_000), ("DRAM, 256 MB", 256 << 20)]
    {
        let data = AlignedBytes::copy_of(&(0..bytes).map(|i| noise(i) as u8).collect::<Vec<_>>());
        group.throughput(Throughput::Bytes(bytes as u64));
        for (name, kernels) in variants() {
            group.bench_function(BenchmarkId::new(level, name), |b| b.iter(|| kernels.read(black_box(&data))));
        }
    }
}

fn ternary(c: &mut Criterion) {
    for tokens in [1, 16] {
        let mut group = c.benchmark_group(if tokens == 1 { "ternary" } else { "ternary, 16 tokens" });
        for (rows, cols) in SHAPES {
            let weights: Vec<i8> = (0..rows * cols).map(|i| (noise(i) % 3) as i8 - 1).collect();
            group.throughput(Throughput::Elements((rows * cols * tokens) as u64));
            for (name, kernels) in variants() {
                let matrix = TernaryMatrix::new(kernels, Matrix { rows, cols, data: MatrixData::Int8(&weights) });
                let mut scratch = MatmulScratch::new(kernels, rows);
                let mut x = QuantisedRows::new(kernels, cols, tokens);
                x.clear(cols);
                (0..tokens).for_each(|_| x.push_int8(&int8s(cols), 1.0));
                let mut y = vec![0.0; rows * tokens];
                group.bench_function(BenchmarkId::new(format!("{rows}x{cols}"), name), |b| {
                    b.iter(|| matrix.matmul(black_box(&x), 0.5, &mut scratch, &mut y));
                });
            }
        }
    }
}

fn head(c: &mut Criterion) {
    let mut group = c.benchmark_group("head");
    for (v, d) in HEADS {
        let (rows, scales, z) = (AlignedBytes::copy_of_int8s(&int8s(v * d)), floats(v), floats(d));
        group.throughput(Throughput::Bytes((v * d) as u64));
        for (name, kernels) in variants() {
            let (mut q, mut logits) = (vec![0; d], vec![0.0; v]);
            let scale = kernels.quantise_15bit(&z, &mut q);
            group.bench_function(BenchmarkId::new(format!("int8 {v}x{d}"), name), |b| {
                b.iter(|| kernels.head_int8(black_box(rows.int8s()), &scales, &q, scale, &mut logits));
            });
        }
    }
    winners(&mut group);
    let (v, d) = HEADS[0];
    let (rows, scales) = (int8s(v * d), floats(v));
    for sessions in [2, 4, 8, 16] {
        // Counted as if the rows were read for each session, to compare with the head of one.
        group.throughput(Throughput::Bytes((v * d * sessions) as u64));
        for (name, kernels) in variants() {
            let (mut q, mut logits) = (vec![0; d * sessions], vec![0.0; v * sessions]);
            let laid_out = HeadRows::new(kernels, &rows, d);
            let units: Vec<f32> = q.chunks_mut(d).map(|q| kernels.quantise_15bit(&floats(d), q)).collect();
            group.bench_function(BenchmarkId::new(format!("int8 {v}x{d}, {sessions} sessions"), name), |b| {
                b.iter(|| laid_out.logits(black_box(&scales), &q, &units, &mut logits));
            });
        }
    }
    let logits = floats(HEADS[0].0);
    group.throughput(Throughput::Bytes(4 * logits.len() as u64));
    for (name, kernels) in variants() {
        group.bench_function(BenchmarkId::new("argmax 32011", name), |b| b.iter(|| kernels.argmax(black_box(&logits))));
    }
}

/// Approximately normal values, like those of a trained embedding and a layer norm: the number of candidate rows
/// depends on them.
fn normal(seed: usize, n: usize) -> Vec<f32> {
    let part = |i: usize| (noise(seed + i) & 0xffff) as f32 / 65_536.0 - 0.5;
    (0..n).map(|i| part(4 * i) + part(4 * i + 1) + part(4 * i + 2) + part(4 * i + 3)).collect()
}

/// The largest logits of the default model's head, found with bounds: the bytes per second are those of all rows.
fn winners(group: &mut BenchmarkGroup<'_, WallTime>) {
    let (v, d) = HEADS[0];
    let (values, z) = (normal(0, v * d), normal(1, d));
    let (mut rows, mut scales) = (Vec::new(), Vec::new());
    for row in values.chunks_exact(d) {
        let scale = row.iter().fold(0.0f32, |largest, e| largest.max(e.abs())) / 127.0;
        rows.extend(row.iter().map(|e| (e / scale).round() as i8));
        scales.push(scale);
    }
    let rows = AlignedBytes::copy_of_int8s(&rows);
    group.throughput(Throughput::Bytes((v * d) as u64));
    for (name, kernels) in variants() {
        let head = Int8Head::new(kernels, rows.int8s(), scales.clone());
        let (mut q, mut room) = (vec![0; d], vec![0.0; v]);
        let scale = kernels.quantise_15bit(&z, &mut q);
        for k in [1, 10] {
            let mut top = vec![TopLogit::default(); k];
            eprintln!("{name} {k} {:?}", head.top(&q, scale, &mut top, &mut room));
            group.bench_function(BenchmarkId::new(format!("top {k} of {v}x{d}"), name), |b| {
                b.iter(|| head.top(black_box(&q), scale, &mut top, &mut room));
            });
        }
    }
}

fn steps(c: &mut Criterion) {
    let mut group = c.benchmark_group("steps");
    for n in [128, 256, 512] {
        let (x, weight, bias) = (floats(n), floats(n), floats(n));
        group.throughput(Throughput::Elements(n as u64));
        for (name, kernels) in variants() {
            let (mut out, mut rows) = (vec![0.0; n], QuantisedRows::new(kernels, n, 1));
            group.bench_function(BenchmarkId::new(format!("layer_norm {n}"), name), |b| {
                b.iter(|| kernels.layer_norm(black_box(&x), &weight, &bias, &mut out));
            });
            group.bench_function(BenchmarkId::new(format!("quantise {n}"), name), |b| {
                b.iter(|| {
                    rows.clear(n);
                    rows.push(black_box(&x));
                });
            });
            group.bench_function(BenchmarkId::new(format!("mix {n}"), name), |b| {
                b.iter(|| kernels.mix(black_box(&x), &weight, &bias, &mut out));
            });
            group.bench_function(BenchmarkId::new(format!("silu_gate {n}"), name), |b| {
                b.iter(|| kernels.silu_gate(black_box(&mut out), &x));
            });
        }
    }
    for s in [32, 64] {
        let (x, mut y, mut state) = (floats(s), vec![0.0; s], vec![0.0; s * s]);
        // Below 1, so that the state stays finite over any number of updates.
        let decay = vec![0.5; s];
        group.throughput(Throughput::Elements((s * s) as u64));
        for (name, kernels) in variants() {
            let input = WkvInput { r: &x, k: &x, v: &x, decay: &decay, bonus: &x };
            group.bench_function(BenchmarkId::new(format!("wkv {s}"), name), |b| {
                b.iter(|| kernels.wkv(s, black_box(input), &mut state, &mut y));
            });
        }
    }
}

criterion_group! {
    name = kernels;
    config = Criterion::default().warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(600));
    targets = read, ternary, head, steps
}
criterion_main!(kernels);
