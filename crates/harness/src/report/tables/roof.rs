//! Decode and head bandwidth compared with the memory's read bandwidth.

use super::cells::middle;
use super::numbers::{bytes, number, percent};
use super::table::Table;
use crate::report::summary::report::Report;
use crate::targets::{Cell, targets};

/// Read bandwidth of a target for one working set, in the same run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Roof {
    /// Size of the working set.
    pub bytes: f64,
    /// GB/s of the fastest variant.
    pub rate: f64,
    /// That variant.
    pub variant: &'static str,
}

/// The definition given with every share of the roof.
pub const DEFINITION: &str = "The roof is the bandwidth at which the fastest variant of the same target repeatedly \
    read, in the same run, the measured buffer closest in size. A token needs the model file once (the head is the \
    embedding, so all of it is needed too), and GB/s are that size divided by the time of a token, regardless of \
    what was read. More than 100 % means that less was read: if only the largest logits are needed, bounds can avoid \
    half of the head.";

impl Report {
    /// Working sets whose read bandwidth was measured on a target, ascending.
    fn roof_sizes(&self, target: &str) -> Vec<u32> {
        let of_target = self.measurements.iter().filter(|m| m.target == target && m.metric == "rate");
        let mut sizes: Vec<u32> = of_target.filter_map(|m| m.workload.strip_prefix("roof/")?.parse().ok()).collect();
        sizes.sort_unstable();
        sizes.dedup();
        sizes
    }

    /// Read bandwidth of a cell for a working set, in GB/s.
    fn read_rate(&self, cell: (&str, &str), bytes: u32) -> Option<f64> {
        self.find(cell, &format!("roof/{bytes}"), "kernel", "rate").map(|rate| rate.median)
    }

    /// Read bandwidth of a target for a working set of `bytes`.
    pub fn roof(&self, target: &str, bytes: f64) -> Option<Roof> {
        let far = |size: &u32| (f64::from(*size) / bytes).ln().abs();
        let size = self.roof_sizes(target).into_iter().min_by(|a, b| far(a).total_cmp(&far(b)))?;
        let cells = Cell::all().filter(|cell| cell.target.name == target);
        let rates = cells.filter_map(|cell| Some((self.read_rate((target, cell.variant.name), size)?, cell)));
        let (rate, cell) = rates.max_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(Roof { bytes: f64::from(size), rate, variant: cell.variant.name })
    }

    /// The bandwidth of a decode as a share of the roof.
    pub fn share(&self, cell: (&str, &str), workload: &str) -> Option<f64> {
        let bandwidth = self.find(cell, workload, "decode", "bandwidth")?;
        let bytes = self.find(cell, workload, "decode", "bytes per token")?;
        Some(bandwidth.median / self.roof(cell.0, bytes.median)?.rate)
    }

    /// The bandwidth of a single head as a share of the roof; `workload` is `head/ROWSxCOLS`.
    pub fn head_share(&self, cell: (&str, &str), workload: &str) -> Option<f64> {
        let (rows, cols) = workload.strip_prefix("head/")?.split_once('x')?;
        let bytes = rows.parse::<f64>().ok()? * cols.parse::<f64>().ok()?;
        let rate = self.find(cell, workload, "kernel", "rate")?;
        Some(rate.median / self.roof(cell.0, bytes)?.rate)
    }
}

/// Decode bandwidth against the roof.
pub(in crate::report) fn shares(report: &Report) -> Table {
    let mut rows = Vec::new();
    for workload in report.workloads() {
        for cell in Cell::all() {
            let names = (cell.target.name, cell.variant.name);
            let get = |metric| report.find(names, workload, "decode", metric);
            let Some((size, share)) = get("bytes per token").zip(report.share(names, workload)) else { continue };
            let Some(roof) = report.roof(names.0, size.median) else { continue };
            rows.push(vec![
                format!("`{workload}`"),
                names.0.into(),
                names.1.into(),
                middle(get("throughput"), number),
                bytes(size.median),
                middle(get("bandwidth"), number),
                bytes(roof.bytes),
                report.read_rate(names, roof.bytes as u32).map_or("–".into(), number),
                format!("{} ({})", number(roof.rate), roof.variant),
                percent(share),
            ]);
        }
    }
    let columns = [
        "workload",
        "target",
        "variant",
        "decode tokens/s",
        "needed per token",
        "GB/s",
        "roof's buffer",
        "own loads GB/s",
        "roof GB/s",
        "share of roof",
    ];
    Table::new("Decode compared with the roof", DEFINITION, &columns, rows)
}

/// Read bandwidth, by working set and variant.
pub(in crate::report) fn bandwidth(report: &Report) -> Table {
    let mut sizes: Vec<u32> = targets().iter().flat_map(|target| report.roof_sizes(target.name)).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let mut rows = Vec::new();
    for cell in Cell::all() {
        let rates: Vec<Option<f64>> =
            sizes.iter().map(|&size| report.read_rate((cell.target.name, cell.variant.name), size)).collect();
        if rates.iter().any(Option::is_some) {
            let mut row = vec![cell.target.name.to_string(), cell.variant.name.to_string()];
            row.extend(rates.iter().map(|rate| rate.map_or("–".into(), number)));
            rows.push(row);
        }
    }
    let sizes: Vec<String> = sizes.iter().map(|&size| format!("{} GB/s", bytes(f64::from(size)))).collect();
    let mut columns = vec!["target", "variant"];
    columns.extend(sizes.iter().map(String::as_str));
    let note = "Sequential reads with each variant's own loads, the fastest of five slices in each process, median \
        of the processes. The sizes correspond to L1, L2, L3 and DRAM of a common server CPU.";
    Table::new("Memory bandwidth", note, &columns, rows)
}
