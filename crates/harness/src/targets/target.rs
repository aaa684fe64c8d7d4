//! A target with its variants.

use super::kind::{Clock, Kind, Variant};
use crate::workspace::tools::Tool;
use std::fmt;

/// A platform that the engine runs on.
#[derive(Debug)]
pub struct Target {
    /// Name in requests, records and on the command line.
    pub name: &'static str,
    /// Its name in reports.
    pub title: &'static str,
    /// Its colour in every chart; black where it is in none.
    pub colour: (u8, u8, u8),
    /// Whether it is measured and counted, and not only verified.
    pub measured: bool,
    /// Whether its counters are compared with a baseline, where it is measured.
    pub counted: bool,
    /// Most samples of a timed workload, where starting one takes long.
    pub samples: Option<u32>,
    /// The unit of its clock.
    pub clock: Clock,
    /// Tools needed to build or run it.
    pub needs: Vec<&'static Tool>,
    /// Tools needed to count its instructions.
    pub count_needs: Vec<&'static Tool>,
    /// The versions that its counters depend on, by their names in a run's provenance.
    pub versions: Vec<&'static str>,
    /// The meaning of its `peak_memory`.
    pub memory: &'static str,
    /// Sizes in bytes of the buffers whose read bandwidth is measured.
    pub reads: Vec<u32>,
    /// How it is built and run.
    pub kind: Box<dyn Kind>,
    /// The kernel variants that run on it.
    pub variants: Vec<Variant>,
}

impl Target {
    /// Clock of the chip that an emulated target models, in Hz.
    pub fn hz(&self) -> Option<f64> {
        self.kind.hz()
    }
}

/// Targets of one file are equal if their names are.
impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Target {}

/// One target with one variant: the unit that is built, run, verified and measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// The platform.
    pub target: &'static Target,
    /// The kernels.
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
