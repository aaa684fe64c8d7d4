//! AdamW with a group for each kind of parameter, gradient clipping, and the learning-rate schedule.

use crate::config::OptimizerConfig;
use crate::params::{Kind, Params};
use rayon::prelude::*;

/// Running means of the gradient and of its square, for every parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct AdamW {
    /// Means of the gradients, in the order of the parameters.
    pub m: Vec<Vec<f32>>,
    /// Means of their squares.
    pub v: Vec<Vec<f32>>,
}

impl AdamW {
    /// The state before the first step.
    pub fn new(params: &Params) -> AdamW {
        let zeros: Vec<Vec<f32>> = params.0.iter().map(|param| vec![0.0; param.values.len()]).collect();
        AdamW { m: zeros.clone(), v: zeros }
    }

    /// Step `step`, counted from 1, at learning rate `lr`. Weight decay applies only to matrices.
    pub fn step(&mut self, params: &mut Params, grads: &[Vec<f32>], config: &OptimizerConfig, step: u64, lr: f64) {
        const EPS: f32 = 1e-8;
        let [beta1, beta2] = config.betas;
        // The means start at zero and are too small by these factors.
        let corrections = [beta1, beta2].map(|beta| 1.0 - beta.powf(step as f64));
        let rate = (lr / corrections[0]) as f32;
        let root = (1.0 / corrections[1]) as f32;
        let [b1, b2] = config.betas.map(|beta| beta as f32);
        let state = self.m.par_iter_mut().zip(&mut self.v);
        params.0.par_iter_mut().zip(grads).zip(state).for_each(|((param, grads), (m, v))| {
            let decay = if param.kind == Kind::Matrix { (1.0 - lr * config.weight_decay) as f32 } else { 1.0 };
            for ((w, &g), (m, v)) in param.values.iter_mut().zip(grads).zip(m.iter_mut().zip(v)) {
                *m = b1 * *m + (1.0 - b1) * g;
                *v = b2 * *v + (1.0 - b2) * g * g;
                *w = *w * decay - rate * *m / ((*v * root).sqrt() + EPS);
            }
        });
    }
}

/// Clips the norm of all gradients together to `longest`, and returns the norm before that.
pub fn clip(grads: &mut [Vec<f32>], longest: f64) -> f64 {
    let squares: Vec<f64> = grads.par_iter().map(|g| g.iter().map(|&g| f64::from(g) * f64::from(g)).sum()).collect();
    let norm = squares.iter().sum::<f64>().sqrt();
    if norm > longest {
        let scale = (longest / norm) as f32;
        grads.par_iter_mut().for_each(|grads| grads.iter_mut().for_each(|g| *g *= scale));
    }
    norm
}

/// The learning rate of step `step` of `steps`, counted from 1: linear warmup, then half a cosine.
pub fn learning_rate(config: &OptimizerConfig, step: u64, steps: u64) -> f64 {
    let OptimizerConfig { lr, warmup, final_share, .. } = *config;
    if step <= warmup {
        return lr * step as f64 / warmup as f64;
    }
    let done = (step - warmup) as f64 / steps.saturating_sub(warmup).max(1) as f64;
    let cosine = 0.5 * (1.0 + (std::f64::consts::PI * done.min(1.0)).cos());
    lr * (final_share + (1.0 - final_share) * cosine)
}
