//! A host whose clock counts its own readings.
#![allow(dead_code, clippy::unwrap_used, reason = "a test may panic, and not each uses all")]

use bitstate_kernels::{Kernels, Variant};
use bitstate_model::{Preset, Version, synthetic};
use bitstate_protocol::{Answer, Event, Job, Request};
use bitstate_suite::{HeapUse, Host, run};

/// Each reading of the clock takes 3 ticks, and nothing else takes any.
#[derive(Default)]
pub struct Counting {
    ticks: u64,
    pub text: String,
}

impl Host for Counting {
    fn target(&self) -> &str {
        "test"
    }

    fn tick_metric(&self) -> (&'static str, &'static str) {
        ("time", "ns")
    }

    fn ticks(&mut self) -> u64 {
        self.ticks += 3;
        self.ticks
    }

    fn heap(&mut self) -> HeapUse {
        HeapUse::default()
    }

    fn line(&mut self, line: &str) {
        self.text += line;
    }
}

pub fn small() -> Vec<u8> {
    synthetic(&Preset::by_name("small").unwrap().config(), 1, Version::V1_2)
}

pub fn variants() -> impl Iterator<Item = Variant> {
    Variant::ALL.into_iter().filter(|&variant| Kernels::new(variant).is_ok())
}

pub fn ask(variant: Variant, jobs: Vec<Job>) -> (Vec<Event>, bool) {
    ask_of(&small(), variant, jobs)
}

pub fn ask_of(model: &[u8], variant: Variant, jobs: Vec<Job>) -> (Vec<Event>, bool) {
    let mut host = Counting::default();
    let request = Request { variant: variant.name().into(), jobs };
    let good = run(&request.to_text(), model, &mut host).unwrap();
    (Answer::parse(&host.text).unwrap().events, good)
}
