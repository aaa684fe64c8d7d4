//! Measurements without a model: memory reads, and kernels by shape.

use crate::line::{Commas, Fields, LineError, push_field};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

/// Rows × columns of a matrix, both above 0; `512x256` in lines and names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shape {
    /// Outputs.
    pub rows: u32,
    /// Inputs.
    pub cols: u32,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.rows, self.cols)
    }
}

impl FromStr for Shape {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (rows, cols) = text.split_once('x').ok_or(())?;
        match (rows.parse(), cols.parse()) {
            (Ok(rows), Ok(cols)) if rows > 0 && cols > 0 => Ok(Shape { rows, cols }),
            _ => Err(()),
        }
    }
}

/// The duration of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// In ticks of the target's clock, for all slices together. 0: run once, however long that takes.
    pub ticks: u64,
    /// Number of slices, at least 1; the fastest counts, because disturbances only make a slice slower.
    pub slices: u32,
}

impl Budget {
    pub(crate) fn push(self, out: &mut String) {
        push_field(out, "ticks", self.ticks);
        push_field(out, "slices", self.slices);
    }

    pub(crate) fn take(fields: &mut Fields<'_>) -> Result<Self, LineError> {
        let budget = Budget { ticks: fields.value("ticks")?, slices: fields.value("slices")? };
        if budget.slices == 0 {
            return Err(LineError::BadValue { line: fields.line, field: "slices".into(), value: "0".into() });
        }
        Ok(budget)
    }
}

/// Measure reads of buffers of these sizes, in order, with the variant's own loads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roof {
    /// Sizes, each above 0.
    pub bytes: Vec<u32>,
    /// The duration for each of them.
    pub budget: Budget,
}

impl Roof {
    /// The case name of a size.
    pub fn case(bytes: u32) -> String {
        format!("roof/{bytes}")
    }

    pub(crate) fn push(&self, out: &mut String) {
        push_field(out, "bytes", Commas(&self.bytes));
        self.budget.push(out);
    }

    pub(crate) fn take(fields: &mut Fields<'_>) -> Result<Self, LineError> {
        let roof = Roof { bytes: fields.list("bytes")?, budget: Budget::take(fields)? };
        if roof.bytes.contains(&0) {
            return Err(LineError::BadValue { line: fields.line, field: "bytes".into(), value: "0".into() });
        }
        Ok(roof)
    }
}

/// Run kernels on generated matrices of these shapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Throughput {
    /// Shapes of ternary matrices.
    pub ternary: Vec<Shape>,
    /// Numbers of rows of activations processed at once, above 0.
    pub tokens: Vec<u32>,
    /// Shapes of INT8 heads.
    pub heads: Vec<Shape>,
    /// The duration for each of them.
    pub budget: Budget,
}

impl Throughput {
    /// The case name of a ternary matrix.
    pub fn ternary_case(shape: Shape, tokens: u32) -> String {
        format!("ternary/{shape}/{tokens}")
    }

    /// The case name of a head.
    pub fn head_case(shape: Shape) -> String {
        format!("head/{shape}")
    }

    /// Every shape with every number of tokens.
    pub fn products(&self) -> impl Iterator<Item = (Shape, u32)> {
        self.ternary.iter().flat_map(|&shape| self.tokens.iter().map(move |&tokens| (shape, tokens)))
    }

    pub(crate) fn push(&self, out: &mut String) {
        push_field(out, "ternary", Commas(&self.ternary));
        push_field(out, "tokens", Commas(&self.tokens));
        push_field(out, "heads", Commas(&self.heads));
        self.budget.push(out);
    }

    pub(crate) fn take(fields: &mut Fields<'_>) -> Result<Self, LineError> {
        let throughput = Throughput {
            ternary: fields.list("ternary")?,
            tokens: fields.list("tokens")?,
            heads: fields.list("heads")?,
            budget: Budget::take(fields)?,
        };
        if throughput.tokens.contains(&0) {
            return Err(LineError::BadValue { line: fields.line, field: "tokens".into(), value: "0".into() });
        }
        Ok(throughput)
    }
}
