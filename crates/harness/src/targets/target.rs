//! A target with its variants.

use super::kind::{Clock, Kind, Variant};
use crate::workspace::tools::Tool;
use std::fmt;

/// A place where the engine runs.
#[derive(Debug)]
pub struct Target {
    /// Name in requests, records and on the command line.
    pub name: &'static str,
    /// Its name for readers.
    pub title: &'static str,
    /// Its colour in every chart; black where it is in none.
    pub colour: (u8, u8, u8),
    /// Whether it is measured and counted, and not only verified.
    pub measured: bool,
    /// What its clock counts.
    pub clock: Clock,
    /// Tools without which it cannot be built or run.
    pub needs: Vec<&'static Tool>,
    /// Tools without which its instructions cannot be counted.
    pub count_needs: Vec<&'static Tool>,
    /// What its counters depend on, by the names that versions have in a run's provenance.
    pub versions: Vec<&'static str>,
    /// What its `peak_memory` means.
    pub memory: &'static str,
    /// Bytes of the buffers whose reads are measured.
    pub reads: Vec<u32>,
    /// How it is built and run.
    pub kind: Box<dyn Kind>,
    /// The kernel variants it is asked for.
    pub variants: Vec<Variant>,
}

impl Target {
    /// Clock of the chip that an emulated target stands for, in Hz.
    pub fn hz(&self) -> Option<f64> {
        self.kind.hz()
    }
}

/// The name distinguishes two targets of one file.
impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Target {}

/// One target with one variant: what is built, run, verified and measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// Where.
    pub target: &'static Target,
    /// With which kernels.
    pub variant: &'static Variant,
}

impl Cell {
    /// CPU features that the variant needs and that are missing where it runs; this machine has `features`.
    pub fn missing_cpu(&self, features: &str) -> Vec<&'static str> {
        let has = |name: &str| match self.target.kind.cpu() {
            Some(cpu) => cpu.features.iter().any(|feature| feature == name),
            None => features.split_whitespace().any(|feature| feature == name),
        };
        self.variant.cpu.iter().copied().filter(|name| !has(name)).collect()
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.target.name, self.variant.name))
    }
}
