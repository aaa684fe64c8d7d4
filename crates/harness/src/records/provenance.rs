//! Where the numbers of a run come from: commit, tools, machine, load.

use crate::definitions::thresholds::TimeLimits;
use crate::targets;
use crate::workspace::error::Error;
use crate::workspace::time::now;
use crate::workspace::{Workspace, cargo, git, output, tools};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Once;

/// Everything needed to decide whether two runs are comparable.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Name of the run.
    pub name: String,
    /// The command line.
    pub command: String,
    /// When it started, UTC, ISO 8601.
    pub started: String,
    /// When it was resumed after an interruption, UTC, ISO 8601: its times are from more than one session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resumed: Vec<String>,
    /// Seconds spent verifying and measuring, without builds.
    pub seconds: u64,
    /// Git commit.
    pub commit: String,
    /// Commit date, UTC, ISO 8601; none in records before version 3, or if git failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed: Option<String>,
    /// Whether the working tree had local changes, or git failed.
    pub dirty: bool,
    /// Digest of the local changes, new files included; none if there were none, or git failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<String>,
    /// Versions of compilers, run-times and emulators, by name.
    pub tools: BTreeMap<String, String>,
    /// Compiler flags of each target, those of a variant under `target/variant`, from `ci/targets.toml` and the
    /// checkout's own `.cargo/config.toml`; no others reach a build. Empty in records from before the field existed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flags: BTreeMap<String, String>,
    /// CPU model.
    pub cpu: String,
    /// Number of processors.
    pub cpus: usize,
    /// Processor that timed runs were pinned to.
    pub pinned_to: Option<usize>,
    /// CPU features.
    pub cpu_features: String,
    /// Operating system.
    pub system: String,
    /// Kernel.
    pub kernel: String,
    /// One-minute load average at the start.
    pub load_average: String,
    /// Time stolen by the hypervisor while measuring, in hundredths of a second.
    pub steal: u64,
    /// Whether this was a quick run, with fewer samples.
    pub quick: bool,
    /// Seed of the sample order.
    pub shuffle_seed: u64,
    /// Limits used to judge comparisons of time, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limits: Option<TimeLimits>,
    /// Digest over all golden streams.
    pub golden: String,
    /// Digests of the model files, by name.
    pub models: BTreeMap<String, String>,
    /// The part of a merged file that the rows below belong to; none in the records of one run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
}

/// The place of a run in a merged file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// Index, from 1.
    pub index: usize,
    /// Number of shards.
    pub of: usize,
    /// Name of its file or folder before the merge, without the path.
    pub name: String,
}

impl Provenance {
    /// Collects it. If git cannot determine the commit, that is unknown, and one warning says why.
    pub fn collect(workspace: &Workspace) -> Self {
        let state = git::state(workspace).inspect_err(|error| {
            static SAID: Once = Once::new();
            if !matches!(error, Error::Interrupted) {
                SAID.call_once(|| output::err(format_args!("warning: the commit is unknown: {error}\n")));
            }
        });
        let state = state.ok();
        let dirty = state.as_ref().is_none_or(|state| state.changes.is_some());
        let mut tools = BTreeMap::new();
        if let Some(version) = tools::rustc_version() {
            tools.insert("rustc".to_string(), version);
        }
        for tool in targets::tools() {
            if let Some((name, found)) = tool.record.zip(tool.find()) {
                tools.insert(name.to_string(), found.version);
            }
        }
        let lock = std::fs::read_to_string(workspace.root.join("Cargo.lock")).unwrap_or_default();
        if let Some(version) = locked_version(&lock, "wasmtime") {
            tools.insert("wasmtime".to_string(), version);
        }
        let os_release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
        let system = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Provenance {
            started: now(),
            commit: state.as_ref().map_or("unknown".into(), |state| state.commit.clone()),
            committed: state.as_ref().map(|state| state.committed.clone()),
            dirty,
            changes: state.and_then(|state| state.changes).map(|digest| digest.to_string()),
            tools,
            flags: flags(workspace),
            cpu: cpu_name(&cpu_field("model name"), &cpu_field("cpu family"), &cpu_field("model")),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            cpu_features: cpu_features(),
            system: system.unwrap_or(std::env::consts::OS).trim_matches('"').to_string(),
            kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_string(),
            load_average: load.split(' ').next().unwrap_or("").to_string(),
            ..Provenance::default()
        }
    }

    /// Description of the machine. Two machines may share it, but different descriptions mean different machines.
    pub fn machine(&self) -> String {
        format!("{}, {} processors, {}, kernel {}", self.cpu, self.cpus, self.system, self.kernel)
    }

    /// Fields that all rows of a run share: source, tools, machine.
    pub fn key(&self) -> BTreeMap<String, String> {
        let tools = self.tools.iter().map(|(name, version)| (name.clone(), version.clone()));
        let rest = [
            ("commit", self.short_commit()),
            ("CPU", self.cpu.clone()),
            ("processors", self.cpus.to_string()),
            ("CPU features", self.cpu_features.clone()),
            ("system", self.system.clone()),
            ("kernel", self.kernel.clone()),
        ];
        tools.chain(rest.map(|(name, value)| (name.to_string(), value))).collect()
    }

    /// The first ten digits of the commit, with a mark if the tree had local changes.
    pub fn short_commit(&self) -> String {
        let short: String = self.commit.chars().take(10).collect();
        if self.dirty { format!("{short} with local changes") } else { short }
    }
}

/// The differences between two keys, a sentence each: name, old value, new value.
pub fn differences(then: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    let names: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    let differs = names.into_iter().filter(|name| then.get(*name) != now.get(*name));
    let words = |text: Option<&String>| text.map_or(Vec::new(), |text| text.split(' ').map(str::to_string).collect());
    let sentence = |name: &String| {
        let (old, new): (Vec<String>, Vec<String>) = (words(then.get(name)), words(now.get(name)));
        // Of a long list, only the words that are not on both sides.
        let long = old.len().max(new.len()) > 20;
        let show = |all: &[String], other: &[String]| match all {
            [] => "nothing".to_string(),
            all if long => all.iter().filter(|word| !other.contains(word)).cloned().collect::<Vec<_>>().join(" "),
            all => all.join(" "),
        };
        let (old, new) = (show(&old, &new), show(&new, &old));
        if long {
            format!("{name}: `{old}` is there no more, `{new}` is new")
        } else {
            format!("{name} was `{old}`, is `{new}` now")
        }
    };
    differs.map(sentence).collect()
}

/// Compiler flags other than the profiles in `Cargo.toml`.
fn flags(workspace: &Workspace) -> BTreeMap<String, String> {
    let mut flags = BTreeMap::new();
    for target in targets::targets() {
        let shared = target.kind.rustflags();
        flags.insert(target.name.to_string(), shared.to_string());
        for variant in target.variants.iter().filter(|variant| !variant.rustflags.is_empty()) {
            flags.insert(format!("{}/{}", target.name, variant.name), variant.rustflags.to_string());
        }
    }
    if let Some(settings) = cargo::own_build_settings(workspace) {
        flags.insert(".cargo/config.toml".into(), settings);
    }
    flags
}

/// The features of this machine's CPU, as `/proc/cpuinfo` lists them: by another name on ARM.
pub fn cpu_features() -> String {
    let flags = cpu_field("flags");
    if flags.is_empty() { cpu_field("Features") } else { flags }
}

/// The name that a processor gives itself, with its family and model: virtual machines call several generations by one name.
fn cpu_name(name: &str, family: &str, model: &str) -> String {
    if family.is_empty() { name.to_string() } else { format!("{name} (family {family}, model {model})") }
}

fn cpu_field(name: &str) -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name));
    line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_string()).unwrap_or_default()
}

/// Time stolen by the hypervisor so far, in hundredths of a second, over all processors.
pub fn steal() -> u64 {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let first = text.lines().next().unwrap_or("");
    first.split_whitespace().nth(8).and_then(|field| field.parse().ok()).unwrap_or(0)
}

/// A package's version in a lock file.
fn locked_version(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    let version = lines.nth(1)?.strip_prefix("version = ")?;
    Some(version.trim_matches('"').to_string())
}

#[cfg(test)]
mod tests {
    use super::{cpu_name, locked_version};

    #[test]
    fn generations_of_one_name_are_different_processors() {
        assert_eq!(cpu_name("AMD EPYC", "26", "2"), "AMD EPYC (family 26, model 2)");
        assert_eq!(cpu_name("AMD EPYC", "", ""), "AMD EPYC");
    }

    #[test]
    fn a_locked_version_is_that_of_the_exact_package() {
        let lock = "[[package]]\nname = \"wasmtime-environ\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"wasmtime\"\nversion = \"48.0.8\"\n";
        assert_eq!(locked_version(lock, "wasmtime").unwrap(), "48.0.8");
        assert_eq!(locked_version(lock, "wasm"), None);
    }
}
