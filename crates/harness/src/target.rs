//! The targets, their variants and what each needs: the one table that the rest of the harness reads.

use crate::tools::Tool;
use std::fmt;

/// What a target's clock counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Nanoseconds of a machine that really runs: samples differ, so many are taken.
    Wall,
    /// Instructions of an emulator: two runs must agree to the last one.
    Instructions,
}

/// A place where the engine runs.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    /// Name in requests, records and on the command line.
    pub name: &'static str,
    /// What a reader is told that it is.
    pub title: &'static str,
    /// Its colour in every chart, from the Okabe–Ito set, which colour-blind readers tell apart.
    pub colour: (u8, u8, u8),
    /// What its clock counts.
    pub clock: Clock,
    /// Tools without which it cannot be built or run.
    pub needs: &'static [Tool],
    /// What its `peak_memory` means.
    pub memory: &'static str,
    /// The kernel variants it is asked for.
    pub variants: &'static [Variant],
}

/// A set of kernels; to the harness no more than a name.
#[derive(Debug, PartialEq, Eq)]
pub struct Variant {
    /// Name in requests and records.
    pub name: &'static str,
    /// CPU features without which it cannot run, as `/proc/cpuinfo` spells them.
    pub cpu: &'static [&'static str],
    /// Compiler flags and cargo features of an artifact of its own, on targets that cannot choose at run time.
    pub rustflags: &'static str,
    /// See `rustflags`.
    pub features: &'static str,
}

/// Every target.
pub static TARGETS: [Target; 3] = [
    Target {
        name: "native",
        title: "native x86-64",
        colour: (0x00, 0x72, 0xb2),
        clock: Clock::Wall,
        needs: &[],
        memory: "peak resident set of the process, model file included",
        variants: &[
            Variant { name: "generic", cpu: &[], rustflags: "", features: "" },
            Variant { name: "ssse3", cpu: &["ssse3"], rustflags: "", features: "" },
            Variant { name: "avx2", cpu: &["avx2"], rustflags: "", features: "" },
            Variant { name: "avx_vnni", cpu: &["avx2", "avx_vnni"], rustflags: "", features: "" },
            Variant {
                name: "avx512_vnni",
                cpu: &["avx2", "avx512f", "avx512bw", "avx512vl", "avx512_vnni"],
                rustflags: "",
                features: "",
            },
        ],
    },
    Target {
        name: "wasm",
        title: "WebAssembly under wasmtime",
        colour: (0xd5, 0x5e, 0x00),
        clock: Clock::Wall,
        needs: &[Tool::WasmToolchain],
        memory: "linear memory, model file included",
        variants: &[
            Variant { name: "generic", cpu: &[], rustflags: "", features: "" },
            Variant { name: "simd128", cpu: &[], rustflags: "-Ctarget-feature=+simd128", features: "" },
            Variant { name: "relaxed_simd", cpu: &[], rustflags: "", features: "relaxed_simd" },
        ],
    },
    Target {
        name: "xtensa",
        title: "Xtensa under QEMU, memory map of the ESP32-S3",
        colour: (0x00, 0x9e, 0x73),
        clock: Clock::Instructions,
        needs: &[Tool::DebianRust, Tool::RustSource, Tool::Llvm, Tool::XtensaLinker, Tool::Qemu],
        memory: "heap peak + stack high-water mark + static data, model file apart",
        variants: &[
            Variant { name: "generic", cpu: &[], rustflags: "", features: "" },
            Variant { name: "lut", cpu: &[], rustflags: "", features: "" },
        ],
    },
];

/// Clock of the chip that the Xtensa numbers are modelled for, in Hz.
pub const XTENSA_HZ: f64 = 240e6;

/// The model that turns counted instructions into time, in words; it stands beside every number made with it.
pub const XTENSA_ASSUMPTION: &str = "modelled: 240 MHz at 1 instruction per cycle, no wait for memory or cache";

/// One target with one variant: what is built, run, verified and measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// Where.
    pub target: &'static Target,
    /// With which kernels.
    pub variant: &'static Variant,
}

impl Cell {
    /// Every cell there is.
    pub fn all() -> impl Iterator<Item = Cell> {
        TARGETS.iter().flat_map(|target| target.variants.iter().map(move |variant| Cell { target, variant }))
    }

    /// The cell of these names.
    pub fn named(target: &str, variant: &str) -> Option<Cell> {
        Cell::all().find(|cell| cell.target.name == target && cell.variant.name == variant)
    }

    /// CPU features that the variant needs and this machine lacks.
    pub fn missing_cpu(&self, features: &str) -> Vec<&'static str> {
        let has = |name: &str| features.split_whitespace().any(|feature| feature == name);
        self.variant.cpu.iter().copied().filter(|name| !has(name)).collect()
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.target.name, self.variant.name))
    }
}

#[cfg(test)]
mod tests {
    use super::Cell;

    #[test]
    fn cells_are_found_by_name_and_by_nothing_else() {
        for cell in Cell::all() {
            assert_eq!(Cell::named(cell.target.name, cell.variant.name), Some(cell));
        }
        assert_eq!(Cell::named("native", "simd128"), None);
    }

    #[test]
    fn a_cpu_feature_is_a_whole_word() {
        let avx2 = Cell::named("native", "avx2").unwrap();
        assert_eq!(avx2.missing_cpu("sse avx avx512f"), ["avx2"]);
        assert!(avx2.missing_cpu("fpu avx2 bmi1").is_empty());
    }
}
