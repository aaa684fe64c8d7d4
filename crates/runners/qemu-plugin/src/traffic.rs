//! What happens in some functions of a program: instructions, and traffic of slow memory behind a cache.

use crate::cache::{Cache, Traffic};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Mutex;

/// What is watched.
#[derive(Debug)]
pub struct Watch {
    functions: Vec<Range<u64>>,
    /// The addresses behind the data cache.
    memory: Range<u64>,
    /// Those behind the instruction cache; none if there is no such cache.
    code: Range<u64>,
    file: PathBuf,
    seen: Mutex<Seen>,
}

/// What was seen so far.
#[derive(Debug)]
struct Seen {
    cache: Cache,
    code_cache: Option<Cache>,
    /// Instructions, traffic and lines of code when the current function was entered.
    entered: Option<(u64, Traffic, u64)>,
    /// Sums over all calls that returned.
    instructions: u64,
    traffic: Traffic,
    code_misses: u64,
}

impl Seen {
    /// Lines that the instruction cache read so far.
    fn code_lines(&self) -> u64 {
        self.code_cache.as_ref().map_or(0, |cache| cache.traffic.misses)
    }
}

/// Where an instruction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// It is the first of a watched function.
    pub is_entry: bool,
    /// It is in a watched function.
    pub is_inside: bool,
    /// It comes through the instruction cache.
    pub is_cached: bool,
}

impl Watch {
    /// The watch that the arguments ask for, if they have `traffic`.
    ///
    /// # Errors
    /// If another of its arguments is missing or malformed.
    pub fn parse(arguments: &[&str]) -> Result<Option<Self>, ()> {
        let value = |key: &str| arguments.iter().find_map(|argument| argument.strip_prefix(key)?.strip_prefix('='));
        let Some(file) = value("traffic") else { return Ok(None) };
        let memory = range(value("memory").ok_or(())?)?;
        let cache = cache(value("cache").ok_or(())?)?;
        let (code, code_cache) = match (value("code"), value("code_cache")) {
            (Some(code), Some(of)) => (range(code)?, Some(self::cache(of)?)),
            (None, None) => (0..0, None),
            _ => return Err(()),
        };
        let functions = arguments.iter().filter_map(|argument| argument.strip_prefix("function="));
        let functions = functions.map(range).collect::<Result<Vec<_>, ()>>()?;
        let (instructions, traffic, code_misses) = Default::default();
        let seen = Seen { cache, code_cache, entered: None, instructions, traffic, code_misses };
        Ok(Some(Watch { functions, memory, code, file: file.into(), seen: Mutex::new(seen) }))
    }

    /// Where the instruction at an address is.
    pub fn place_of(&self, address: u64) -> Place {
        let function = self.functions.iter().find(|function| function.contains(&address));
        Place {
            is_entry: function.is_some_and(|function| function.start == address),
            is_inside: function.is_some(),
            is_cached: self.code.contains(&address),
        }
    }

    fn update(&self, change: impl FnOnce(&mut Seen)) {
        // Poisoned only by a panic, which aborts.
        if let Ok(mut seen) = self.seen.lock() {
            change(&mut seen);
        }
    }

    /// A watched function begins.
    pub fn enter(&self, instructions: u64) {
        self.update(|seen| seen.entered = Some((instructions, seen.cache.traffic, seen.code_lines())));
    }

    /// A watched function returns.
    pub fn leave(&self, instructions: u64) {
        self.update(|seen| {
            let Some((before, traffic, code_lines)) = seen.entered.take() else { return };
            let new = seen.cache.traffic.since(traffic);
            seen.instructions += instructions - before;
            seen.traffic.accesses += new.accesses;
            seen.traffic.misses += new.misses;
            seen.traffic.write_backs += new.write_backs;
            seen.code_misses += seen.code_lines() - code_lines;
        });
    }

    /// An instruction that comes through the instruction cache is executed.
    pub fn fetch(&self, address: u64) {
        self.update(|seen| {
            if let Some(cache) = &mut seen.code_cache {
                cache.access(address, false);
            }
        });
    }

    /// A load or store, inside a function or not: the cache serves all that are in the memory behind it.
    pub fn access(&self, address: u64, is_store: bool) {
        // Most are elsewhere, and need no lock.
        if self.memory.contains(&address) {
            self.update(|seen| seen.cache.access(address, is_store));
        }
    }

    /// Writes the sums.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self) -> std::io::Result<()> {
        let mut line = String::new();
        self.update(|seen| {
            let Traffic { accesses, misses, write_backs } = seen.traffic;
            line = format!("{} {accesses} {misses} {write_backs} {}\n", seen.instructions, seen.code_misses);
        });
        std::fs::write(&self.file, line)
    }
}

/// Numbers separated by colons, decimal or with `0x`.
fn numbers(text: &str) -> Result<Vec<u64>, ()> {
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    text.split(':').map(|text| number(text).map_err(|_| ())).collect()
}

/// `BYTES:WAYS:LINE_BYTES`.
fn cache(text: &str) -> Result<Cache, ()> {
    let &[bytes, ways, line] = &numbers(text)?[..] else { return Err(()) };
    Cache::new(bytes, ways, line).ok_or(())
}

/// `START:END`.
fn range(text: &str) -> Result<Range<u64>, ()> {
    match numbers(text)?[..] {
        [start, end] if start < end => Ok(start..end),
        _ => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Watch};

    fn parse(text: &str) -> Result<Option<Watch>, ()> {
        Watch::parse(&text.split(',').collect::<Vec<_>>())
    }

    #[test]
    fn only_what_happens_in_the_functions_is_summed_and_the_cache_knows_of_all() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("traffic");
        let text = format!(
            "traffic={},memory=0x100:0x200,cache=64:2:32,code=28:0x40,code_cache=64:2:32,function=16:32,function=0x40:80",
            file.display()
        );
        let watch = parse(&text).unwrap().unwrap();
        assert_eq!(watch.place_of(16), Place { is_entry: true, is_inside: true, is_cached: false });
        assert_eq!(watch.place_of(28), Place { is_entry: false, is_inside: true, is_cached: true });
        assert_eq!(watch.place_of(79), Place { is_entry: false, is_inside: true, is_cached: false });
        assert_eq!(watch.place_of(80), Place { is_entry: false, is_inside: false, is_cached: false });
        watch.access(0x100, false);
        watch.access(0x200, false);
        watch.enter(1000);
        watch.access(0x104, false);
        watch.access(0x120, true);
        watch.access(0x140, false);
        [28, 29, 32, 36, 28].into_iter().for_each(|address| watch.fetch(address));
        watch.leave(1100);
        // A return outside of a function's calls, and an access after it.
        watch.leave(1200);
        watch.access(0x160, false);
        watch.fetch(0x60);
        watch.enter(2000);
        watch.leave(2003);
        watch.write().unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "103 3 2 0 2\n");
    }

    #[test]
    fn malformed_arguments_are_refused() {
        assert!(matches!(parse("count=x"), Ok(None)));
        for text in [
            "traffic=t",
            "traffic=t,memory=1:2",
            "traffic=t,memory=2:1,cache=64:2:32",
            "traffic=t,memory=1:2,cache=64:2",
            "traffic=t,memory=1:2,cache=63:2:32",
            "traffic=t,memory=1:2,cache=64:2:32,code=1:2",
            "traffic=t,memory=1:2,cache=64:2:32,code=1:2,code_cache=1",
            "traffic=t,memory=1:2,cache=64:2:32,function=x",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
