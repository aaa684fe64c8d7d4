//! Where a model fits: the memory that it needs and that is available, region by region.

use bitstate::bits::Config;
use serde::Serialize;

/// Working memory in addition to what follows from the shapes: matrix inputs and lookup tables.
const WORKING: u64 = 36 << 10;
/// Code and constants of the firmware in `crates/runners/xtensa`, and the stack that its `link.ld` reserves.
const FIRMWARE: u64 = 260 << 10;
const STACK: u64 = 32 << 10;

/// A memory region of a target.
struct Region {
    name: &'static str,
    /// Size in bytes; `None` if the system has to be asked.
    bytes: Option<u64>,
    /// Bytes in use without a model.
    taken: u64,
}

/// A target. To add a board, add a line to [`BOARDS`].
struct Board {
    name: &'static str,
    regions: &'static [Region],
    /// The regions that hold a copy of the model; a region named twice holds two copies.
    model: &'static [usize],
    /// The regions for mutable data, in the order in which they are tried.
    work: &'static [usize],
}

const fn region(name: &'static str, bytes: u64, taken: u64) -> Region {
    Region { name, bytes: Some(bytes), taken }
}

/// The module with 8 MB of flash and 8 MB of PSRAM.
const ESP32_S3: &[Region] =
    &[region("flash", 8 << 20, FIRMWARE), region("PSRAM", 8 << 20, 0), region("SRAM", 512 << 10, FIRMWARE + STACK)];

/// All targets. A process and WebAssembly hold the file and the form that the kernels read; the firmware reads the file in
/// place.
const BOARDS: &[Board] = &[
    Board {
        name: "native",
        regions: &[Region { name: "memory", bytes: None, taken: 3 << 20 }],
        model: &[0, 0],
        work: &[0],
    },
    Board { name: "WebAssembly", regions: &[region("memory", 4 << 30, 1 << 20)], model: &[0, 0], work: &[0] },
    Board { name: "ESP32-S3-N8R8", regions: ESP32_S3, model: &[0, 1], work: &[2, 1] },
];

/// The memory of a region of a target, and how much of it a model needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fit {
    pub target: &'static str,
    pub region: &'static str,
    /// Bytes needed, estimated to about 5 %.
    pub needs: u64,
    /// `None` if not known.
    pub has: Option<u64>,
    pub fits: bool,
}

/// Bytes that a model needs in addition to its file, by part.
fn parts(config: &Config) -> [u64; 4] {
    let Config { vocab_size: v, n_layer: l, n_embd: d, head_size: s, .. } = *config;
    let f = config.ff_dim();
    let state = l * d * (2 + s);
    // Norms, scales and token shifts of each layer, and the last norm.
    let vectors = l * (28 * d + 2 * f + 8) + 2 * d;
    // The logits, and a scale for each row of the head.
    [state, vectors, v, v].map(|values| 4 * values as u64)
}

/// The needs of a model with a file of `file` bytes, on every target.
pub fn fits(config: &Config, file: u64) -> Vec<Fit> {
    BOARDS.iter().flat_map(|board| board.fits(config, file, available())).collect()
}

impl Board {
    fn fits(&self, config: &Config, file: u64, available: Option<u64>) -> Vec<Fit> {
        let mut needs: Vec<u64> = self.regions.iter().map(|region| region.taken).collect();
        let has = |region: &Region| region.bytes.or(available);
        self.model.iter().for_each(|&at| needs[at] += file);
        for part in parts(config).into_iter().chain([WORKING]) {
            let room = |at: usize| has(&self.regions[at]).is_none_or(|has| needs[at] + part <= has);
            // A part that fits nowhere counts for the last region, the largest.
            let at = self.work.iter().copied().find(|&at| room(at)).or(self.work.last().copied());
            at.into_iter().for_each(|at| needs[at] += part);
        }
        let fit = |(region, needs): (&Region, u64)| {
            let has = has(region);
            Fit { target: self.name, region: region.name, needs, has, fits: has.is_none_or(|has| needs <= has) }
        };
        self.regions.iter().zip(needs).map(fit).collect()
    }
}

/// Memory available to a new process on this machine, in bytes.
fn available() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// The lines of the table.
pub fn table(fits: &[Fit]) -> Vec<String> {
    let target = fits.iter().map(|fit| fit.target.len()).max().unwrap_or(0);
    let line = |fit: &Fit| {
        let Fit { target: name, region, needs, has, .. } = fit;
        let verdict = match has {
            None => format!("{:>16}", "unknown"),
            Some(has) if fit.fits => format!("{has:>16}  fits, {} left", has - needs),
            Some(has) => format!("{has:>16}  does not fit: {} bytes more than {region} has", needs - has),
        };
        format!("{name:target$}  {region:<6}  {needs:>12} {verdict}")
    };
    let head = format!("{:target$}  {:<6}  {:>12} {:>16}", "does it fit", "region", "needs", "has (bytes)");
    [head].into_iter().chain(fits.iter().map(line)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use bitstate::bits::Preset;

    fn esp32(config: &Config, file: u64) -> Vec<(&'static str, u64, bool)> {
        BOARDS[2].fits(config, file, None).iter().map(|fit| (fit.region, fit.needs, fit.fits)).collect()
    }

    /// The shapes of the models in `golden/models`, and the heap and stack of their firmware in published runs.
    #[test]
    fn the_estimate_matches_published_measurements() {
        let byte = Preset::by_name("byte").unwrap().config();
        let bpe4k = Config { vocab_size: 4096, n_embd: 256, n_head: 8, head_size: 64, ..byte };
        let bpe4k = Config { n_head: 4, ..bpe4k };
        for (config, file, heap) in [(byte, 339_832, 179_160_u64), (bpe4k, 1_855_352, 474_921)] {
            let said: u64 = parts(&config).iter().sum::<u64>() + WORKING;
            assert!(said.abs_diff(heap) * 20 < heap, "{said} for {heap}");
            assert!(esp32(&config, file).iter().all(|(.., fits)| *fits));
        }
        // The state of the larger model does not fit in SRAM, which holds the other parts.
        let [flash, psram, sram] = esp32(&bpe4k, 1_855_352)[..] else { panic!("three regions") };
        assert_eq!(flash, ("flash", 1_855_352 + FIRMWARE, true));
        assert_eq!(psram, ("PSRAM", 1_855_352 + 270_336, true));
        assert!(sram.1 > FIRMWARE + STACK + 147_584);
    }

    #[test]
    fn a_model_that_does_not_fit_is_reported_with_the_missing_bytes() {
        let config = Preset::by_name("default").unwrap().config();
        let fits = BOARDS[2].fits(&config, 9_100_000, None);
        let psram = &fits[1];
        assert!(!psram.fits && psram.needs > 9_100_000);
        let more = psram.needs - (8 << 20);
        let table = table(&fits);
        assert!(table[2].contains(&format!("does not fit: {more} bytes more than PSRAM has")), "{table:?}");
        // A region without a fixed size takes it from the system.
        assert!(!BOARDS[0].fits(&config, 9_100_000, Some(20 << 20))[0].fits);
        assert!(BOARDS[0].fits(&config, 9_100_000, None)[0].fits);
    }
}
