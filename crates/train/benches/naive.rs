//! Compares a fused step over whole sequences with a straightforward loop over tokens in the same framework's tensor
//! operations: `cargo bench -p bitstate-train`.
//!
//! Both compute the loss of the `byte` preset and the gradients of all its parameters. In f32 both must agree:
//! otherwise this exits with an error and no number. The ternary model is timed. There a different order of f32 sums
//! rounds an activation to the neighbouring INT8 now and then, the state propagates that, and the gradients diverge
//! with the length, by 1 % after 32 tokens.
//!
//! The framework is compiled as for the trainer, with unoptimised elementwise operations (see the profiles in the
//! workspace's `Cargo.toml`): that slows the loop down, while the fused steps hardly use them.

use bitstate_model::{Config, Preset};
use bitstate_train::net::{Batch, Net};
use bitstate_train::ops::{self, Cpu, Tensor, Wanted};
use bitstate_train::params::Params;
use burn_backend::ops::{ActivationOps, FloatTensorOps, IntTensorOps};
use burn_backend::{Scalar, Shape, TensorData, TensorMetadata};
use burn_flex::FlexDevice;
use std::process::ExitCode;
use std::time::Instant;

const SEQUENCES: usize = 16;
const SEQ_LEN: usize = 64;
/// Steps of each, alternating.
const STEPS: usize = 3;

fn main() -> ExitCode {
    let config = Preset::by_name("byte").expect("a preset").config();
    let params = Params::new(&config, 1);
    let count = SEQUENCES * SEQ_LEN;
    let tokens: Vec<u32> = (0..=count as u32).map(|i| (i * 7919 + i * i) % 251).collect();
    let (inputs, targets) = (&tokens[..count], &tokens[1..]);
    let fused = |quantise: bool| {
        let net = Net::new(&config, &params, quantise, true);
        let wanted = Wanted { targets: targets.into(), teacher: None };
        let loss = net.loss(Batch { tokens: inputs, seq_len: SEQ_LEN }, wanted);
        let value = ops::values::<f32>(&loss)[0];
        (value, net.gradients(loss))
    };
    if let Some(difference) = difference(&params, &fused(false), &naive_step(&config, &params, false, inputs, targets))
    {
        eprintln!("error: {difference}");
        return ExitCode::FAILURE;
    }
    let (mut fused_times, mut naive_times) = (Vec::new(), Vec::new());
    for _ in 0..STEPS {
        fused_times.push(timed(|| fused(true)));
        naive_times.push(timed(|| naive_step(&config, &params, true, inputs, targets)));
    }
    let [fused, naive] = [fused_times, naive_times].map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[STEPS / 2]
    });
    let speed = |seconds: f64| count as f64 / seconds;
    println!("{SEQUENCES} x {SEQ_LEN} bytes, forward and backward, medians of {STEPS} steps:");
    println!("fused, whole sequences   {fused:.3} s, {:.0} bytes/s", speed(fused));
    println!("tensor operations, token by token   {naive:.3} s, {:.0} bytes/s", speed(naive));
    println!("ratio {:.1}", naive / fused);
    ExitCode::SUCCESS
}

fn timed(step: impl FnOnce() -> Step) -> f64 {
    let start = Instant::now();
    std::hint::black_box(step());
    start.elapsed().as_secs_f64()
}

type Step = (f32, Vec<Vec<f32>>);

/// A difference larger than the rounding of f32, which a group norm of the first tokens amplifies to half a percent.
fn difference(params: &Params, fused: &Step, naive: &Step) -> Option<String> {
    if (fused.0 - naive.0).abs() > 1e-4 {
        return Some(format!("the losses differ: {} and {}", fused.0, naive.0));
    }
    for (param, (a, b)) in params.0.iter().zip(fused.1.iter().zip(&naive.1)) {
        let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt();
        let apart = norm(&mut a.iter().zip(b).map(|(a, b)| a - b));
        let size = norm(&mut a.iter().copied());
        if apart > 2e-2 * size + 1e-6 {
            return Some(format!("the gradients of {} differ by {apart:.3e} of {size:.3e}", param.name));
        }
    }
    None
}

/// Loss and gradients, token by token.
fn naive_step(config: &Config, params: &Params, quantise: bool, inputs: &[u32], targets: &[u32]) -> Step {
    let leaves: Vec<Tensor> = params.0.iter().map(|p| ops::leaf(p.values.clone(), &p.shape, true)).collect();
    let naive = Naive { config: *config, quantise, params, leaves: &leaves };
    let loss = naive.loss(inputs, targets);
    let value = ops::values::<f32>(&loss)[0];
    (value, ops::gradients(loss, &leaves))
}

struct Naive<'a> {
    config: Config,
    /// INT8 activations and embedding, ternary weights; else f32.
    quantise: bool,
    params: &'a Params,
    leaves: &'a [Tensor],
}

/// A layer's state: the previous rows, and the matrices of the heads.
struct Memory {
    time: Tensor,
    channel: Tensor,
    a: Tensor,
}

/// A layer's ternary matrices, decay and bonus, computed once per step.
struct Ready {
    weights: Vec<Tensor>,
    w: Tensor,
    b: Tensor,
}

const MATRICES: [&str; 8] =
    ["tm.r_proj", "tm.k_proj", "tm.v_proj", "tm.g_proj", "tm.o_proj", "cm.k_proj", "cm.r_proj", "cm.v_proj"];

impl Naive<'_> {
    fn leaf(&self, name: &str) -> Tensor {
        let at = self.params.0.iter().position(|param| param.name == name).expect("a parameter of the model");
        self.leaves[at].clone()
    }

    /// A vector as a row.
    fn row(&self, name: &str) -> Tensor {
        let leaf = self.leaf(name);
        let width = leaf.shape().num_elements();
        reshape(leaf, [1, width])
    }

    fn loss(&self, inputs: &[u32], targets: &[u32]) -> Tensor {
        let Config { vocab_size, n_layer, n_embd: d, n_head: h, head_size: s, .. } = self.config;
        let embedding = self.leaf("emb.weight");
        let embedding = if self.quantise { ops::int8_rows(embedding) } else { embedding };
        let ready: Vec<Ready> = (0..n_layer).map(|l| self.ready(l)).collect();
        let mut memories: Vec<Memory> = (0..n_layer)
            .map(|_| Memory {
                time: zeros([SEQUENCES, d]),
                channel: zeros([SEQUENCES, d]),
                a: zeros([SEQUENCES, h, s, s]),
            })
            .collect();
        let mut total = zeros([1]);
        for t in 0..SEQ_LEN {
            let of = |tokens: &[u32]| -> Vec<u32> { (0..SEQUENCES).map(|b| tokens[b * SEQ_LEN + t]).collect() };
            let ids: Vec<i64> = of(inputs).into_iter().map(i64::from).collect();
            let ids = Cpu::int_from_data(TensorData::new(ids, [SEQUENCES]), &FlexDevice);
            let mut x = Cpu::float_select(embedding.clone(), 0, ids);
            for (l, memory) in memories.iter_mut().enumerate() {
                x = self.layer(l, &ready[l], memory, x);
            }
            let z = normed(x, self.row("ln_f.weight"), self.row("ln_f.bias"), 1);
            let logits = Cpu::float_matmul(z, Cpu::float_transpose(embedding.clone()));
            let mut wanted = vec![0.0f32; SEQUENCES * vocab_size];
            for (b, target) in of(targets).into_iter().enumerate() {
                wanted[b * vocab_size + target as usize] = -1.0 / inputs.len() as f32;
            }
            let wanted = ops::leaf(wanted, &[SEQUENCES, vocab_size], false);
            let nats = Cpu::float_sum(Cpu::float_mul(Cpu::log_softmax(logits, 1), wanted));
            total = Cpu::float_add(total, nats);
        }
        total
    }

    fn ready(&self, l: usize) -> Ready {
        let weights = MATRICES.map(|name| {
            let weight = self.leaf(&format!("blocks.{l}.{name}.weight"));
            if !self.quantise {
                return Cpu::float_transpose(weight);
            }
            let mean = reshape(Cpu::float_mean(Cpu::float_abs(weight.clone())), [1, 1]);
            let steps = clamped(Cpu::float_div(weight.clone(), mean.clone()), 1.0);
            let ternary = Cpu::float_mul(Cpu::float_round(steps), mean);
            Cpu::float_transpose(straight_through(weight, ternary))
        });
        let [h, s] = [self.config.n_head, self.config.head_size];
        let log_decay = reshape(self.leaf(&format!("blocks.{l}.tm.log_decay")), [1, h, s, 1]);
        let u = reshape(self.leaf(&format!("blocks.{l}.tm.u")), [1, h, s, 1]);
        let w = Cpu::float_exp(times(Cpu::float_exp(log_decay), -1.0));
        Ready { weights: weights.into(), w, b: Cpu::float_exp(u) }
    }

    fn layer(&self, l: usize, ready: &Ready, memory: &mut Memory, x: Tensor) -> Tensor {
        let Config { n_embd: d, n_head: h, head_size: s, .. } = self.config;
        let name = |leaf: &str| format!("blocks.{l}.{leaf}");
        let row = |leaf: &str| self.row(&name(leaf));
        let mixed = |z: &Tensor, before: &Tensor, mu: &str| {
            let difference = Cpu::float_sub(before.clone(), z.clone());
            Cpu::float_add(z.clone(), Cpu::float_mul(difference, row(mu)))
        };
        let linear = |i: usize, x: Tensor| {
            let [weight, bias] = ["weight", "bias"].map(|leaf| row(&format!("{}.norm.{leaf}", MATRICES[i])));
            let x = normed(x, weight, bias, 1);
            Cpu::float_matmul(if self.quantise { int8(x) } else { x }, ready.weights[i].clone())
        };
        // Time mix.
        let z = normed(x.clone(), row("ln1.weight"), row("ln1.bias"), 1);
        let [r, k, v, g] = ["tm.mu_r", "tm.mu_k", "tm.mu_v", "tm.mu_g"].map(|mu| mixed(&z, &memory.time, mu));
        let (r, k, v, g) = (linear(0, r), linear(1, k), linear(2, v), linear(3, g));
        memory.time = z;
        let kv = Cpu::float_mul(reshape(k, [SEQUENCES, h, s, 1]), reshape(v, [SEQUENCES, h, 1, s]));
        let now = Cpu::float_add(memory.a.clone(), Cpu::float_mul(ready.b.clone(), kv.clone()));
        let y = Cpu::float_matmul(reshape(r, [SEQUENCES, h, 1, s]), now);
        memory.a = Cpu::float_add(Cpu::float_mul(ready.w.clone(), memory.a.clone()), kv);
        let y = normed(reshape(y, [SEQUENCES, d]), row("tm.group_norm.weight"), row("tm.group_norm.bias"), h);
        let o = Cpu::float_mul(y, Cpu::float_mul(g.clone(), Cpu::sigmoid(g)));
        let x = Cpu::float_add(x, linear(4, o));
        // Channel mix.
        let z = normed(x.clone(), row("ln2.weight"), row("ln2.bias"), 1);
        let [k, r] = ["cm.mu_k", "cm.mu_r"].map(|mu| mixed(&z, &memory.channel, mu));
        let (k, r) = (Cpu::relu(linear(5, k)), linear(6, r));
        memory.channel = z;
        let v = linear(7, Cpu::float_mul(k.clone(), k));
        Cpu::float_add(x, Cpu::float_mul(Cpu::sigmoid(r), v))
    }
}

/// Norm over `groups` of each row, then γ and β.
fn normed(x: Tensor, weight: Tensor, bias: Tensor, groups: usize) -> Tensor {
    let shape = x.shape();
    let (rows, width) = (shape[0], shape[1]);
    let x = reshape(x, [rows * groups, width / groups]);
    let centred = Cpu::float_sub(x.clone(), Cpu::float_mean_dim(x, 1));
    let variance = Cpu::float_mean_dim(Cpu::float_mul(centred.clone(), centred.clone()), 1);
    let spread = Cpu::float_sqrt(Cpu::float_add_scalar(variance, Scalar::from(1e-5)));
    let normal = reshape(Cpu::float_div(centred, spread), [rows, width]);
    Cpu::float_add(Cpu::float_mul(normal, weight), bias)
}

/// Activations as INT8 times their scale.
fn int8(n: Tensor) -> Tensor {
    let mean = Cpu::float_mean_dim(Cpu::float_abs(n.clone()), 1);
    let a = Cpu::float_detach(times(Cpu::float_clamp_min(times(mean, 2.5), Scalar::from(1e-8)), 1.0 / 127.0));
    let steps = clamped(Cpu::float_div(n, a.clone()), 127.0);
    Cpu::float_mul(straight_through(steps.clone(), Cpu::float_round(steps)), a)
}

/// The values of `rounded` with the gradient of `x`.
fn straight_through(x: Tensor, rounded: Tensor) -> Tensor {
    let by = Cpu::float_detach(Cpu::float_sub(rounded, x.clone()));
    Cpu::float_add(x, by)
}

fn clamped(x: Tensor, limit: f64) -> Tensor {
    Cpu::float_clamp(x, Scalar::from(-limit), Scalar::from(limit))
}

fn times(x: Tensor, by: f64) -> Tensor {
    Cpu::float_mul_scalar(x, Scalar::from(by))
}

fn reshape<const N: usize>(x: Tensor, shape: [usize; N]) -> Tensor {
    Cpu::float_reshape(x, Shape::from(shape))
}

fn zeros<const N: usize>(shape: [usize; N]) -> Tensor {
    ops::leaf(vec![0.0f32; shape.iter().product()], &shape, false)
}
