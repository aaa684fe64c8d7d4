//! Waits for slow memory: what a modelled cache in front of a memory region does while tokens are generated.

use super::error::Error;
use super::link::Image;
use super::objects::Firmware;
use crate::targets::cache::Cache;
use crate::targets::kinds::counting::Counter;
use crate::targets::request::RunRequest;
use bitstate_protocol::{Job, Metric, Phase};
use object::read::elf::ElfFile32;
use object::{Object, ObjectSymbol};
use std::path::Path;

/// The functions whose traffic is summed: both halves of a generated token, by the ends of their mangled paths.
const FUNCTIONS: [&str; 2] = ["7regions13decode_choose", "7regions14decode_advance"];
/// The metrics of the traffic, in the order of the plugin's numbers; the last one only with a cache for code.
const METRICS: [(&str, &str); 5] = [
    ("watched_instructions", "instructions"),
    ("cache_accesses", "count"),
    ("cache_misses", "lines"),
    ("cache_write_backs", "lines"),
    ("code_misses", "lines"),
];

/// What watches the traffic, if the emulator takes plugins.
#[derive(Debug)]
pub(in crate::targets::kinds) struct Waits {
    /// The plugin.
    pub counter: Counter,
    /// The data cache.
    pub cache: &'static Cache,
    /// The instruction cache, if there is memory for code behind one.
    pub code_cache: Option<&'static Cache>,
}

impl Waits {
    /// The emulator's options that watch a measured run of `image` and write to `file`; none for other runs, or without
    /// a plugin.
    ///
    /// # Errors
    /// If the linker script or the image lacks what is watched.
    pub fn options(
        &self,
        firmware: &Firmware,
        image: &Image,
        ask: &RunRequest,
        file: &Path,
    ) -> Result<Vec<String>, Error> {
        let Some(plugin) = self.counter.plugin.as_ref().ok().filter(|_| measured(ask).is_some()) else {
            return Ok(Vec::new());
        };
        let mut option = format!("{},traffic={}", plugin.display(), file.display());
        let code = self.code_cache.map(|cache| ("code", "code_cache", cache));
        for (memory, shape, cache) in [("memory", "cache", self.cache)].into_iter().chain(code) {
            let Cache { region, bytes, ways, line_bytes, .. } = cache;
            let addresses = firmware.addresses(region).ok_or_else(|| Error::Unreadable {
                tool: "the linker script",
                what: format!("it has no region `{region}` with an origin and a length"),
            })?;
            option += &format!(",{memory}={}:{}", addresses.start, addresses.end);
            option += &format!(",{shape}={bytes}:{ways}:{line_bytes}");
        }
        for (start, end) in functions(image.path())? {
            option += &format!(",function={start}:{end}");
        }
        Ok(vec!["-plugin".into(), option])
    }

    /// The traffic of a run, if it was watched.
    ///
    /// # Errors
    /// If the plugin was asked and did not write its numbers.
    pub fn metrics(&self, ask: &RunRequest, file: &Path) -> Result<Vec<Metric>, Error> {
        let Some(case) = measured(ask).filter(|_| self.counter.plugin.is_ok()) else { return Ok(Vec::new()) };
        let text = std::fs::read_to_string(file).map_err(Error::io("read", file))?;
        let numbers: Option<Vec<u64>> = text.split_whitespace().map(|number| number.parse().ok()).collect();
        let Some(numbers) = numbers.filter(|numbers| numbers.len() == METRICS.len()) else {
            return Err(Error::Unreadable {
                tool: "the plugin for QEMU",
                what: format!("{text:?} is not its five numbers"),
            });
        };
        let metric = |((name, unit), value): ((&str, &str), u64)| Metric {
            case: case.to_string(),
            phase: Phase::Decode,
            name: name.to_string(),
            unit: unit.to_string(),
            value,
        };
        let known = METRICS.len() - usize::from(self.code_cache.is_none());
        Ok(METRICS.into_iter().zip(numbers).take(known).map(metric).collect())
    }
}

/// The case that a request measures, if it measures one.
fn measured<'a>(ask: &'a RunRequest) -> Option<&'a str> {
    match &ask.jobs[..] {
        [Job::Bench(workload)] => Some(&workload.case),
        _ => None,
    }
}

/// First and last address of each of [`FUNCTIONS`] in an image.
fn functions(image: &Path) -> Result<Vec<(u64, u64)>, Error> {
    let unreadable = |what: String| Error::Unreadable { tool: "the image", what };
    let bytes = std::fs::read(image).map_err(Error::io("read", image))?;
    let file: ElfFile32 = ElfFile32::parse(&*bytes).map_err(|error| unreadable(error.to_string()))?;
    let find = |path: &&str| {
        let of_this = |symbol: &object::read::elf::ElfSymbol32<'_, '_>| {
            symbol.size() > 0 && symbol.name().is_ok_and(|name| name.contains(*path))
        };
        let symbol = file.symbols().find(of_this).ok_or_else(|| unreadable(format!("it has no function {path}")))?;
        Ok((symbol.address(), symbol.address() + symbol.size()))
    };
    FUNCTIONS.iter().map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::ModelFile;
    use bitstate_protocol::{Digest, Sampling, Workload};
    use std::num::NonZeroU64;
    use std::time::Duration;

    #[test]
    fn numbers_of_a_measured_run_become_metrics_of_its_case() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("traffic");
        let cache = Cache {
            region: "psram".into(),
            bytes: NonZeroU64::new(1024).unwrap(),
            ways: NonZeroU64::MIN,
            line_bytes: NonZeroU64::MIN,
            line_cycles: NonZeroU64::MIN,
        };
        let cache: &Cache = Box::leak(Box::new(cache));
        let waits = |plugin: Option<&str>| {
            let counter = Counter { emulator: "qemu-x".into(), plugin: plugin.map(Into::into).ok_or(String::new()) };
            Waits { counter, cache, code_cache: None }
        };
        let (waits, none) = (waits(Some("p.so")), waits(None));
        let model = ModelFile { name: "m".into(), path: "m.bits".into(), digest: Digest::of(b""), bytes: 0 };
        let workload = Workload { case: "m/a".into(), prompt: vec![1], max_tokens: 1, sampling: Sampling::Greedy };
        let ask = |jobs| RunRequest { model: &model, jobs, fuel: false, timeout: Duration::ZERO };
        let bench = ask(vec![Job::Bench(workload.clone())]);
        assert!(waits.metrics(&bench, &file).is_err(), "nothing was written");
        assert!(none.metrics(&bench, &file).unwrap().is_empty(), "nothing was asked");
        std::fs::write(&file, "10 4 3 1 2\n").unwrap();
        let metrics = waits.metrics(&bench, &file).unwrap();
        let values: Vec<_> = metrics.iter().map(|metric| (metric.name.as_str(), metric.value)).collect();
        let expected =
            [("watched_instructions", 10), ("cache_accesses", 4), ("cache_misses", 3), ("cache_write_backs", 1)];
        assert_eq!(values, expected);
        assert!(metrics.iter().all(|metric| metric.case == "m/a"));
        assert!(waits.metrics(&ask(vec![Job::Stream(workload)]), &file).unwrap().is_empty());
        for text in ["10 4 3 1\n", "10 4 3 1 x\n", ""] {
            std::fs::write(&file, text).unwrap();
            let error = waits.metrics(&bench, &file).unwrap_err().to_string();
            assert!(error.contains("not its five numbers"), "{error}");
        }
    }
}
