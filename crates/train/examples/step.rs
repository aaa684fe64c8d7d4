//! Times a training step of the `byte` preset, part by part: `cargo run --release --example step`.

use bitstate_model::Preset;
use bitstate_train::net::{Batch, Net};
use bitstate_train::ops::{self, Wanted};
use bitstate_train::params::Params;
use std::time::Instant;

fn main() {
    let (batch, seq_len) = (16, 256);
    let config = Preset::by_name("byte").expect("a preset").config();
    let params = Params::new(&config, 1);
    let tokens: Vec<u32> = (0..batch * seq_len).map(|i| i as u32 * 7919 % 251).collect();
    for quantise in [false, true] {
        for step in 0..6 {
            let start = Instant::now();
            let net = Net::new(&config, &params, quantise, true);
            let wanted = Wanted { targets: tokens.clone().into(), teacher: None };
            let loss = net.loss(Batch { tokens: &tokens, seq_len }, wanted);
            let value = ops::values::<f32>(&loss);
            let forward = start.elapsed().as_secs_f64();
            let gradients = net.gradients(loss);
            let total = start.elapsed().as_secs_f64();
            let norm: f32 = gradients.iter().flatten().map(|g| g * g).sum::<f32>().sqrt();
            println!(
                "quantise {quantise} step {step}: loss {:.4} |g| {norm:.4} forward {forward:.3} s, all {total:.3} s, {:.0} tokens/s",
                value[0],
                tokens.len() as f64 / total
            );
        }
    }
}
