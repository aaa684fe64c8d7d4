//! Models to run.
#![allow(dead_code, reason = "each test file uses its own part")]

use bitstate::bits::{Preset, Version, synthetic};
use bitstate::{Digest, Model, Order, Sampling, Session, Variant};

/// A trained model's file, by its folder.
pub fn path(name: &str) -> String {
    format!("{}/../../golden/models/{name}/model.bits", env!("CARGO_MANIFEST_DIR"))
}

pub fn trained(name: &str) -> Model {
    Model::open(path(name)).unwrap()
}

/// The same model on every variant that runs here.
pub fn everywhere(name: &str) -> Vec<Model> {
    let open = |variant| Model::builder().variant(variant).open(path(name)).ok();
    let models: Vec<Model> = Variant::ALL.into_iter().filter_map(open).collect();
    assert!(models.len() >= 2, "generic and lut run everywhere");
    models
}

/// A model of 64 tokens without text.
pub fn small() -> Model {
    Model::from_bytes(&synthetic(&Preset::by_name("small").unwrap().config(), 1, Version::V1_2)).unwrap()
}

/// Greedy, drawn with common samplers, and drawn with all samplers.
pub fn samplings() -> [Sampling; 3] {
    let base = Sampling::seeded(7).temperature(0.9).top_k(40).top_p(0.95).penalty(1.1);
    let all = base.clone().typical_p(0.95).min_p(0.01).repetition(1.1).presence(0.1).frequency(0.05).window(24);
    [Sampling::greedy(), base, all.bias(1, -2.5).order(Order::TemperatureLast)]
}

/// The next `n` tokens and the digest of the logits that each was chosen from.
pub fn run(session: &mut Session, n: usize) -> Vec<(u32, Digest)> {
    let one = |_| {
        let digest = Digest::of_f32s(session.logits().unwrap());
        (session.next_token().unwrap(), digest)
    };
    (0..n).map(one).collect()
}
