//! Native instructions, counted by callgrind around the measured regions only.
//!
//! Callgrind runs the runner as it is and writes, for every call, the instructions spent in it and below. The calls of
//! the suite's regions are what is read; nothing else of the run is in the numbers, and no clock either.

use crate::error::Error;
use crate::workspace::{make_folder, read_text};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where the regions are, by the names of their functions; a phase may have several.
const REGIONS: [(&str, &str); 5] = [
    ("bitstate_suite::regions::load_parse", "load"),
    ("bitstate_suite::regions::load_prepare", "load"),
    ("bitstate_suite::regions::prefill", "prefill"),
    ("bitstate_suite::regions::decode_choose", "decode"),
    ("bitstate_suite::regions::decode_advance", "decode"),
];

/// CPU features that valgrind does not emulate, as `/proc/cpuinfo` spells them, with their common names.
const UNKNOWN: [(&str, &str); 2] = [("avx512f", "AVX-512"), ("avx_vnni", "AVX-VNNI")];

/// Why valgrind cannot run a variant that needs these CPU features, if so.
pub fn unsupported(cpu: &[&str]) -> Option<String> {
    let (_, name) = UNKNOWN.iter().find(|(feature, _)| cpu.contains(feature))?;
    Some(format!("unsupported: valgrind has no {name}"))
}

/// A runner under callgrind, in a folder of its own that goes away with it.
pub struct Counted {
    folder: tempfile::TempDir,
}

impl Counted {
    /// Prepares to run `program`.
    ///
    /// # Errors
    /// If the folder or the script in it cannot be written.
    pub fn new(program: &Path, scratch: &Path) -> Result<Self, Error> {
        make_folder(scratch)?;
        let folder = tempfile::tempdir_in(scratch).map_err(Error::io("make a folder in", scratch))?;
        let counted = Counted { folder };
        let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
        // Without address randomisation, where that is allowed: tables of pointers are hashed by address.
        let script = format!(
            "#!/bin/sh\nsetarch -R true 2>/dev/null && fixed='setarch -R'\n\
             exec $fixed valgrind --quiet --tool=callgrind --callgrind-out-file={} {} \"$@\"\n",
            quoted(&counted.counts()),
            quoted(program)
        );
        let path = counted.program();
        std::fs::write(&path, script).map_err(Error::io("write", &path))?;
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&path, mode).map_err(Error::io("make executable", &path))?;
        Ok(counted)
    }

    /// What to run in place of the program.
    pub fn program(&self) -> PathBuf {
        self.folder.path().join("runner.sh")
    }

    fn counts(&self) -> PathBuf {
        self.folder.path().join("counts")
    }

    /// Instructions by phase, once it ran.
    ///
    /// # Errors
    /// If callgrind wrote no counts, or a region was never called: then it was inlined or renamed.
    pub fn instructions(&self) -> Result<BTreeMap<&'static str, u64>, Error> {
        let path = self.counts();
        regions(&read_text(&path)?).map_err(|message| Error::Malformed { path, message })
    }
}

/// Inclusive instructions of the regions in callgrind's format (valgrind manual, "Callgrind Format Specification").
///
/// A function is named `(id) name` the first time and `(id)` from then on; `cfn=` names a callee, the line after
/// `calls=` ends with what the calls cost.
fn regions(text: &str) -> Result<BTreeMap<&'static str, u64>, String> {
    if !text.lines().any(|line| line == "events: Ir") {
        return Err("these are not callgrind's instruction counts: there is no `events: Ir`".into());
    }
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    let mut found = [None; REGIONS.len()];
    let mut callee = None;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let name = line.strip_prefix("fn=").or_else(|| line.strip_prefix("cfn="));
        if let Some(name) = name {
            let (id, name) = name.split_once(' ').unwrap_or((name, ""));
            if let Some(region) = REGIONS.iter().position(|(function, _)| *function == name) {
                names.insert(id, region);
            }
            if line.starts_with("cfn=") {
                callee = names.get(id).copied();
            }
        } else if line.starts_with("calls=") {
            let cost = lines.next().and_then(|line| line.split(' ').next_back()?.parse::<u64>().ok());
            let cost = cost.ok_or_else(|| format!("`{line}` is not followed by what it cost"))?;
            if let Some(region) = callee.take() {
                *found[region].get_or_insert(0) += cost;
            }
        }
    }
    let mut phases = BTreeMap::new();
    for ((function, phase), count) in REGIONS.into_iter().zip(found) {
        let count = count.ok_or_else(|| format!("{function} was never called: it was inlined or has another name"))?;
        *phases.entry(phase).or_insert(0) += count;
    }
    Ok(phases)
}

#[cfg(test)]
mod tests {
    use super::{regions, unsupported};

    const COUNTS: &str = "# callgrind format\npositions: line\nevents: Ir\nsummary: 900\n\nfn=(1) main\n10 5\n\
        cfi=(7) regions.rs\ncfn=(2) bitstate_suite::regions::load_parse\ncalls=1 -4\n* 30\n\
        cfn=(3) bitstate_suite::regions::load_prepare\ncalls=1 -4\n* 12\n\
        cfn=(4) bitstate_suite::regions::prefill\ncalls=1 +3\n* 500\n\
        cfn=(9) bitstate_suite::regions::decode_choose\ncalls=3 +3\n* 11\n\
        cfn=(5) bitstate_suite::regions::decode_advance\ncalls=3 +3\n* 90\n+1 7\ncfn=(5)\ncalls=2 +3\n* 60\n\
        fn=(5)\n20 3\ncfn=(6) step\ncalls=5 1\n20 147\n";

    #[test]
    fn only_the_calls_of_the_regions_are_counted() {
        let phases = regions(COUNTS).unwrap();
        assert_eq!((phases["load"], phases["prefill"], phases["decode"]), (42, 500, 161));
    }

    #[test]
    fn what_is_missing_is_told() {
        let error = regions(&COUNTS.replace("regions::decode_advance", "regions::decode_advanc")).unwrap_err();
        assert!(error.contains("regions::decode_advance was never called"), "{error}");
        assert!(regions("").unwrap_err().contains("events: Ir"));
        let cut = &COUNTS[..COUNTS.find("* 500").unwrap()];
        assert!(regions(cut).unwrap_err().contains("is not followed by what it cost"));
    }

    #[test]
    fn what_valgrind_does_not_know_is_named() {
        assert_eq!(unsupported(&["avx2", "avx512f"]).unwrap(), "unsupported: valgrind has no AVX-512");
        assert_eq!(unsupported(&["avx2"]), None);
    }
}
