//! Measurements without a model: memory reads, and kernels by shape.
//!
//! Inputs are generated from a seed, the same on every target, so that the digests of the results can be compared: a
//! fast but wrong kernel is not measured.

use crate::host::Host;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use bitstate_generate::SplitMix64;
use bitstate_kernels::{Kernels, MatmulScratch, QuantisedRows, TernaryMatrix};
use bitstate_model::{AlignedBytes, Matrix, MatrixData};
use bitstate_protocol::{Budget, Digest, Event, Metric, Phase, Roof, Shape, Throughput};
use core::cell::RefCell;
use core::hint::black_box;

/// Measures kernels on a target and writes the results.
pub(crate) struct Measuring<'a, H, E> {
    pub kernels: Kernels,
    pub host: &'a RefCell<&'a mut H>,
    pub emit: E,
}

impl<H: Host, E: FnMut(Event)> Measuring<'_, H, E> {
    /// Bandwidth of reading each size in order.
    pub fn roof(&mut self, roof: &Roof) {
        for &bytes in &roof.bytes {
            // Not zeros, which an operating system may map to a single page.
            let buffer = AlignedBytes::copy_of(&vec![0x3f_u8; bytes as usize]);
            let kernels = self.kernels;
            let taken = self.fastest(roof.budget, &mut || {
                black_box(kernels.read(black_box(&buffer)));
            });
            self.answer(Roof::case(bytes), taken, "bytes", u64::from(bytes));
        }
    }

    /// Rate of each kernel on each shape.
    pub fn throughput(&mut self, throughput: &Throughput) {
        for &shape in &throughput.ternary {
            self.ternary(shape, throughput);
        }
        for &shape in &throughput.heads {
            self.head(shape, throughput.budget);
        }
    }

    fn ternary(&mut self, shape: Shape, throughput: &Throughput) {
        let (kernels, rows, cols) = (self.kernels, shape.rows as usize, shape.cols as usize);
        let mut noise = Noise::of(shape);
        let weights = noise.packed(rows * cols);
        let matrix = TernaryMatrix::new(kernels, Matrix { rows, cols, data: MatrixData::Packed(&weights) });
        let mut scratch = MatmulScratch::new(kernels, rows);
        for &tokens in &throughput.tokens {
            let n = tokens as usize;
            let mut x = QuantisedRows::new(kernels, cols, n);
            x.clear(cols);
            for _ in 0..n {
                x.push_int8(&noise.int8s(cols), 1.0);
            }
            let mut y = vec![0.0; rows * n];
            let taken = self.fastest(throughput.budget, &mut || {
                matrix.matmul(black_box(&x), 0.5, &mut scratch, black_box(&mut y));
            });
            let case = Throughput::ternary_case(shape, tokens);
            (self.emit)(Event::Check { case: case.clone(), digest: Digest::of_f32s(&y) });
            self.answer(case, taken, "weights", (rows * cols * n) as u64);
        }
    }

    fn head(&mut self, shape: Shape, budget: Budget) {
        let (kernels, v, d) = (self.kernels, shape.rows as usize, shape.cols as usize);
        let mut noise = Noise::of(shape);
        // In the layout of a model's rows.
        let rows = AlignedBytes::copy_of_int8s(&noise.int8s(v * d));
        let (scales, z) = (vec![0.01; v], noise.floats(d));
        let (mut q, mut logits) = (vec![0; d], vec![0.0; v]);
        let scale = kernels.quantise_15bit(&z, &mut q);
        let taken = self.fastest(budget, &mut || {
            kernels.head_int8(black_box(rows.int8s()), &scales, &q, scale, black_box(&mut logits));
        });
        let case = Throughput::head_case(shape);
        (self.emit)(Event::Check { case: case.clone(), digest: Digest::of_f32s(&logits) });
        self.answer(case, taken, "bytes", (v * d) as u64);
    }

    /// Repetitions and ticks of the fastest slice of `budget`.
    fn fastest(&mut self, budget: Budget, work: &mut dyn FnMut()) -> (u64, u64) {
        let mut host = self.host.borrow_mut();
        let mut time = |repetitions: u64| {
            let start = host.ticks();
            for _ in 0..repetitions {
                work();
            }
            host.ticks().saturating_sub(start)
        };
        let slice = budget.ticks / u64::from(budget.slices);
        let (mut repetitions, mut fastest) = (1, time(1));
        let mut spent = fastest;
        // More repetitions until they fill a slice; the caches are warmed up meanwhile.
        while fastest < slice {
            let fill = repetitions * slice / fastest.max(1) + 1;
            repetitions = fill.clamp(repetitions + 1, repetitions * 16);
            fastest = time(repetitions);
            spent += fastest;
        }
        for _ in 1..budget.slices {
            // A slow kernel, or one whose calibration took long, has used its time.
            if spent >= 2 * budget.ticks {
                break;
            }
            let taken = time(repetitions);
            spent += taken;
            fastest = fastest.min(taken);
        }
        (repetitions, fastest)
    }

    /// The ticks and the amount of work.
    fn answer(&mut self, case: String, (repetitions, ticks): (u64, u64), unit: &str, amount: u64) {
        let (name, tick_unit) = {
            let (name, unit) = self.host.borrow().tick_metric();
            (name.to_string(), unit.to_string())
        };
        let phase = Phase::Kernel;
        let done = amount * repetitions;
        (self.emit)(Event::Metric(Metric { case: case.clone(), phase, name, unit: tick_unit, value: ticks }));
        (self.emit)(Event::Metric(Metric { case, phase, name: unit.into(), unit: unit.into(), value: done }));
    }
}

/// Seeded inputs.
struct Noise(SplitMix64);

impl Noise {
    /// The same values for the same shape.
    fn of(shape: Shape) -> Self {
        Noise(SplitMix64::new(u64::from(shape.rows) << 32 | u64::from(shape.cols)))
    }

    /// `n` ternary weights in the file's encoding, four per byte.
    fn packed(&mut self, n: usize) -> Vec<u8> {
        let mut byte = |codes: usize| {
            let random = self.0.next_u64();
            (0..codes).fold(0, |byte, i| byte | ((((random >> (16 * i)) & 0xffff) % 3) as u8) << (2 * i))
        };
        (0..n.div_ceil(4)).map(|i| byte((n - 4 * i).min(4))).collect()
    }

    fn int8s(&mut self, n: usize) -> Vec<i8> {
        let mut values = Vec::with_capacity(n);
        while values.len() < n {
            let eight = self.0.next_u64().to_le_bytes();
            // Activations are never -128.
            values.extend(eight.into_iter().take(n - values.len()).map(|byte| (byte as i8).max(-127)));
        }
        values
    }

    fn floats(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| 4.0 * self.0.next_f32() - 2.0).collect()
    }
}
