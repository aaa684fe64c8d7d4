//! The peer vectors of `golden/peer`, and the distance of two vectors of logits.
#![allow(dead_code, reason = "each test uses its own part")]

use bitstate_model::Model;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::PathBuf;

/// One JSON file of `golden/peer`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// File name of the model.
    pub model: String,
    pub sha256: String,
    pub config: PeerConfig,
    pub prompt: Vec<u32>,
    pub reference: Reference,
    /// Missing for v1.0, which that engine cannot read.
    pub original_cpp_per_head_norm: Option<Original>,
    pub original_cpp_as_published: Option<Original>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerConfig {
    pub vocab_size: usize,
    pub n_layer: usize,
    pub n_embd: usize,
    pub n_head: usize,
    pub head_size: usize,
    pub ff_mult: usize,
    pub seq_len: usize,
    pub use_bitnet: i32,
    pub tie_weights: i32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    pub definition: String,
    /// Rounded to 7 decimals.
    pub logits_after_prompt: Vec<f64>,
    pub greedy: Vec<u32>,
    /// The margin of each greedy token over the second best.
    pub margin_over_logit_std: Vec<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Original {
    pub note: String,
    pub logits_after_prompt: Vec<f64>,
    pub greedy: Vec<u32>,
}

pub const NAMES: [&str; 5] = ["small-v1.0", "small-v1.1", "small-v1.2", "odd96-v1.2", "byte128-v1.2"];

/// A file of `golden/peer`.
pub fn read(file: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../golden/peer");
    fs::read(folder.join(file)).unwrap()
}

/// SHA-256 in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The vectors named `name` and the bytes of their model, whose digest has been checked.
pub fn load(name: &str) -> (Peer, Vec<u8>) {
    let peer: Peer = serde_json::from_slice(&read(&format!("{name}.json"))).unwrap();
    assert_eq!(peer.model, format!("{name}.bits"));
    let bytes = read(&peer.model);
    assert_eq!(sha256(&bytes), peer.sha256, "{name}");
    (peer, bytes)
}

/// Runs `check` on the vectors and the model of every file.
pub fn for_each_peer(mut check: impl FnMut(&str, &Peer, &Model<'_>)) {
    for name in NAMES {
        let (peer, bytes) = load(name);
        check(name, &peer, &Model::parse(&bytes).unwrap());
    }
}

/// Standard deviation of the values (biased, like that of a normalisation).
pub fn std(x: &[f64]) -> f64 {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    (x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64).sqrt()
}

/// Largest absolute difference; a NaN never counts as small.
pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, |largest, d| if d.is_nan() || d > largest { d } else { largest })
}

/// The lowest id among the largest.
pub fn argmax(x: &[f64]) -> u32 {
    (0..x.len()).fold(0, |best, id| if x[id] > x[best] { id } else { best }) as u32
}
