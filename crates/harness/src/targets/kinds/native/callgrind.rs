//! Native instructions, counted by callgrind around the measured regions only.
//!
//! Callgrind runs the unmodified runner and writes, for every call, its inclusive instruction count. Only the calls of
//! the suite's regions are read, so the numbers exclude the rest of the run.

use super::Program;
use crate::targets::runner::Runner;
use crate::workspace::error::Error;
use crate::workspace::{make_folder, read_text};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The regions, by function name; a phase may have several, each a step of it.
const REGIONS: [(&str, &str, &str); 5] = [
    ("bitstate_suite::regions::load_parse", "load", "parse"),
    ("bitstate_suite::regions::load_prepare", "load", "prepare"),
    ("bitstate_suite::regions::prefill", "prefill", "prefill"),
    ("bitstate_suite::regions::decode_choose", "decode", "choose"),
    ("bitstate_suite::regions::decode_advance", "decode", "advance"),
];
/// The module of the marks between the parts of a token and between phases.
const MARKS: &str = "bitstate_suite::regions::mark";

/// CPU features that valgrind does not emulate, as `/proc/cpuinfo` spells them, with their common names.
const UNKNOWN: [(&str, &str); 2] = [("avx512f", "AVX-512"), ("avx_vnni", "AVX-VNNI")];

/// Why valgrind cannot run a variant that needs these CPU features, if so.
pub fn unsupported(cpu: &[&str]) -> Option<String> {
    let (_, name) = UNKNOWN.iter().find(|(feature, _)| cpu.contains(feature))?;
    Some(format!("unsupported: valgrind has no {name}"))
}

/// A runner under callgrind, with a temporary folder.
pub struct Counted {
    folder: tempfile::TempDir,
}

impl Counted {
    /// Prepares to run `program`.
    ///
    /// # Errors
    /// If the folder or the script in it cannot be written.
    pub fn new(program: &Path, scratch: &Path) -> Result<Self, Error> {
        Counted::with(program, scratch, String::new())
    }

    /// The same, for a job with marks between its parts: at each mark callgrind writes the count since the previous
    /// one.
    ///
    /// # Errors
    /// As `new`.
    pub fn by_mark(program: &Path, scratch: &Path) -> Result<Self, Error> {
        let marks = ["::*", "_prefill", "_decode"].map(|mark| format!("'--dump-before={MARKS}{mark}'"));
        Counted::with(program, scratch, format!("--combine-dumps=yes {}", marks.join(" ")))
    }

    fn with(program: &Path, scratch: &Path, options: String) -> Result<Self, Error> {
        make_folder(scratch)?;
        let folder = tempfile::tempdir_in(scratch).map_err(Error::io("make a folder in", scratch))?;
        let counted = Counted { folder };
        let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
        // Without address randomisation, if allowed, because tables of pointers are hashed by address. And without the
        // options of `.valgrindrc`, which would change the counts.
        let script = format!(
            "#!/bin/sh\nsetarch -R true 2>/dev/null && fixed='setarch -R'\n\
             exec $fixed valgrind --command-line-only=yes --quiet --tool=callgrind {options} \
             --callgrind-out-file={} {} \"$@\"\n",
            // Valgrind takes `%` as the start of a format specifier.
            quoted(&counted.counts()).replace('%', "%%"),
            quoted(program)
        );
        let path = counted.program();
        std::fs::write(&path, script).map_err(Error::io("write", &path))?;
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&path, mode).map_err(Error::io("make executable", &path))?;
        Ok(counted)
    }

    /// The runner to use instead of the program.
    pub fn runner(&self) -> Runner {
        Runner::new(Program(self.program()))
    }

    /// The program that [`runner`](Counted::runner) runs.
    pub fn program(&self) -> PathBuf {
        self.folder.path().join("runner.sh")
    }

    fn counts(&self) -> PathBuf {
        self.folder.path().join("counts")
    }

    /// Instructions by phase and region, after a run.
    ///
    /// # Errors
    /// If callgrind wrote no counts, or a region was never called, because it was inlined or renamed.
    pub fn instructions(&self) -> Result<BTreeMap<(&'static str, &'static str), u64>, Error> {
        let path = self.counts();
        regions(&read_text(&path)?).map_err(|message| Error::Malformed { path, message })
    }

    /// Instructions by phase and part, after a run [`by_mark`](Counted::by_mark).
    ///
    /// # Errors
    /// If callgrind wrote no counts, or a mark was never called.
    pub fn parts(&self) -> Result<BTreeMap<(String, String), u64>, Error> {
        let path = self.counts();
        // Tens of megabytes, of which two per cent of the lines are needed.
        let file = std::fs::File::open(&path).map_err(Error::io("read", &path))?;
        let mut lines = BufReader::new(file).split(b'\n');
        parts(lines.by_ref().map_while(Result::ok)).map_err(|message| Error::Malformed { path, message })
    }
}

/// Inclusive instructions of the regions in callgrind's format (valgrind manual, "Callgrind Format Specification").
///
/// A function is written as `(id) name` the first time and as `(id)` afterwards; `cfn=` names a callee, and the line
/// after `calls=` ends with the inclusive cost of the calls.
fn regions(text: &str) -> Result<BTreeMap<(&'static str, &'static str), u64>, String> {
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
            if let Some(region) = REGIONS.iter().position(|(function, ..)| *function == name) {
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
    for ((function, phase, part), count) in REGIONS.into_iter().zip(found) {
        let count = count.ok_or_else(|| format!("{function} was never called: it was inlined or has another name"))?;
        phases.insert((phase, part), count);
    }
    Ok(phases)
}

/// Instructions between marks. Each block of the file names the mark that triggered it, and its summary is the count
/// since the previous mark, which names the part.
fn parts(lines: impl Iterator<Item = Vec<u8>>) -> Result<BTreeMap<(String, String), u64>, String> {
    let (mut phase, mut part) = (None, None);
    let mut trigger = None;
    let mut counts = BTreeMap::new();
    for line in lines {
        if let Some(name) = line.strip_prefix(b"desc: Trigger: ") {
            trigger = Some(String::from_utf8_lossy(name).into_owned());
        } else if let Some(sum) = line.strip_prefix(b"summary: ") {
            let sum = String::from_utf8_lossy(sum);
            let sum: u64 = sum.trim().parse().map_err(|_| format!("`summary: {sum}` is not a count"))?;
            if let (Some(phase), Some(part)) = (&phase, part.take()) {
                *counts.entry((String::clone(phase), part)).or_insert(0) += sum;
            }
            let trigger = trigger.take().ok_or("a block does not say what it was written at")?;
            let Some((_, mark)) = trigger.rsplit_once("mark_") else { continue };
            match mark {
                "prefill" | "decode" => phase = Some(mark.to_string()),
                "nothing" => {}
                _ => part = Some(mark.to_string()),
            }
        }
    }
    match counts.is_empty() {
        true => Err("no part was marked: the marks were inlined or have other names".into()),
        false => Ok(counts),
    }
}

#[cfg(test)]
mod tests {
    use super::{Counted, parts, regions, unsupported};
    use crate::workspace::environment::command;
    use crate::workspace::process::{Limits, run};
    use std::time::Duration;

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
        let expected = [
            (("decode", "advance"), 150),
            (("decode", "choose"), 11),
            (("load", "parse"), 30),
            (("load", "prepare"), 12),
            (("prefill", "prefill"), 500),
        ];
        assert_eq!(phases, expected.into());
    }

    #[test]
    fn what_was_counted_between_two_marks_belongs_to_the_first() {
        let block =
            |at: &str, sum: u64| format!("part: 1\ndesc: Trigger: {at}\nevents: Ir\nsummary: {sum}\n\nfn=(1) a\n1 2\n");
        let mark = |name: &str, sum| block(&format!("--dump-before=bitstate_suite::regions::mark{name}"), sum);
        let nested = |part: &str, sum| mark(&format!("::mark_{part}"), sum);
        let text = [
            mark("_prefill", 1_000),
            nested("nothing", 100),
            nested("norms", 10),
            nested("nothing", 1),
            nested("wkv", 200),
            nested("nothing", 2),
            mark("_decode", 300),
            nested("norms", 20),
            nested("nothing", 4),
            block("Program termination", 9_000),
        ];
        let read = |text: &str| parts(text.lines().map(|line| line.as_bytes().to_vec()));
        let name = |phase: &str, part: &str| (phase.to_string(), part.to_string());
        let expected = [(name("prefill", "norms"), 1), (name("prefill", "wkv"), 2), (name("decode", "norms"), 4)];
        assert_eq!(read(&text.concat()).unwrap(), expected.into());
        assert!(read(&block("Program termination", 5)).unwrap_err().contains("no part was marked"));
        assert!(read(&text.concat().replace("summary: 20", "summary: x")).unwrap_err().contains("is not a count"));
    }

    #[test]
    fn missing_counts_are_reported() {
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

    /// A program with the counted regions, and the marks between its parts.
    const REGIONS_ALONE: &str = "mod regions {
        #[inline(never)] pub fn load_parse(n: u64) -> u64 { work(n) }
        #[inline(never)] pub fn load_prepare(n: u64) -> u64 { work(n + 1) }
        #[inline(never)] pub fn prefill(n: u64) -> u64 { work(n + 2) }
        #[inline(never)] pub fn decode_choose(n: u64) -> u64 { work(n + 3) }
        #[inline(never)] pub fn decode_advance(n: u64) -> u64 { work(n + 4) }
        fn work(n: u64) -> u64 { (0..n).fold(n, |sum, i| std::hint::black_box(sum ^ i)) }
        }
        fn main() {
            let all = [regions::load_parse, regions::load_prepare, regions::prefill, regions::decode_choose,
                       regions::decode_advance];
            std::process::exit(i32::from(all.iter().map(|region| std::hint::black_box(region)(1000)).sum::<u64>() == 0));
        }";

    #[test]
    fn folders_of_any_name_are_counted_in() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = folder.path().join("100 %p of 'it' \"ü\"");
        std::fs::create_dir(&scratch).unwrap();
        // The linker cannot handle such names; cargo puts its programs below them all the same.
        let [source, plain] = ["main.rs", "runner"].map(|name| folder.path().join(name));
        std::fs::write(&source, REGIONS_ALONE).unwrap();
        let program = scratch.join("runner %p 'ü'");
        let mut compiler = command("rustc");
        compiler.args(["--edition=2024", "--crate-name=bitstate_suite", "-Copt-level=1", "-o"]);
        let limits = Limits { time: Duration::from_secs(300), output: 1 << 20 };
        let compiled = run(compiler.arg(&plain).arg(&source), b"", limits).unwrap();
        assert!(compiled.status.success(), "{}", compiled.stderr);
        std::fs::rename(&plain, &program).unwrap();

        let counted = Counted::new(&program, &scratch).unwrap();
        let ran = run(&mut command(counted.program()), b"", limits).unwrap();
        assert!(ran.status.success(), "{}", ran.stderr);
        let counts: Vec<u64> = counted.instructions().unwrap().into_values().collect();
        assert!(counts.len() == 5 && counts.iter().all(|count| *count > 1000), "{counts:?}");
    }
}
