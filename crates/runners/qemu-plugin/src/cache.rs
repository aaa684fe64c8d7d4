//! A model of a data cache: which accesses to slow memory it would serve.

/// What a cache did since its creation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Loads and stores, each of one value.
    pub accesses: u64,
    /// Lines read from memory.
    pub misses: u64,
    /// Changed lines written back to memory.
    pub write_backs: u64,
}

impl Traffic {
    /// What was done since `earlier`.
    pub fn since(self, earlier: Traffic) -> Traffic {
        Traffic {
            accesses: self.accesses - earlier.accesses,
            misses: self.misses - earlier.misses,
            write_backs: self.write_backs - earlier.write_backs,
        }
    }
}

/// A line of a set.
#[derive(Debug, Clone, Copy, Default)]
struct Line {
    /// Address divided by the line size, plus 1; 0 is an empty line.
    tag: u64,
    /// When it was last used.
    used: u64,
    is_changed: bool,
}

/// A cache with write-back, allocation on reads and writes, and the least recently used line of a set as the victim.
#[derive(Debug)]
pub struct Cache {
    lines: Vec<Line>,
    ways: usize,
    line_bytes: u64,
    clock: u64,
    /// What it did so far.
    pub traffic: Traffic,
}

impl Cache {
    /// An empty cache of `bytes`, in sets of `ways` lines; `None` if that is not a whole number of sets.
    pub fn new(bytes: u64, ways: u64, line_bytes: u64) -> Option<Self> {
        let set = ways.checked_mul(line_bytes).filter(|&set| set > 0)?;
        (bytes > 0 && bytes.is_multiple_of(set) && bytes <= 1 << 30).then(|| Cache {
            lines: vec![Line::default(); (bytes / line_bytes) as usize],
            ways: ways as usize,
            line_bytes,
            clock: 0,
            traffic: Traffic::default(),
        })
    }

    /// A load or store at `address`; the values of the engine are aligned, so none crosses a line.
    pub fn access(&mut self, address: u64, is_store: bool) {
        self.clock += 1;
        self.traffic.accesses += 1;
        let number = address / self.line_bytes;
        let set = (number % (self.lines.len() / self.ways) as u64) as usize;
        let set = &mut self.lines[set * self.ways..][..self.ways];
        let tag = number + 1;
        if let Some(line) = set.iter_mut().find(|line| line.tag == tag) {
            line.used = self.clock;
            line.is_changed |= is_store;
            return;
        }
        self.traffic.misses += 1;
        let Some(victim) = set.iter_mut().min_by_key(|line| line.used) else { return };
        self.traffic.write_backs += u64::from(victim.is_changed);
        *victim = Line { tag, used: self.clock, is_changed: is_store };
    }
}

#[cfg(test)]
mod tests {
    use super::{Cache, Traffic};

    fn traffic(accesses: u64, misses: u64, write_backs: u64) -> Traffic {
        Traffic { accesses, misses, write_backs }
    }

    #[test]
    fn a_line_is_read_once_and_written_back_only_if_it_changed() {
        // Two sets of two lines of 32 bytes.
        let mut cache = Cache::new(128, 2, 32).unwrap();
        for address in 0..32 {
            cache.access(address, false);
        }
        assert_eq!(cache.traffic, traffic(32, 1, 0));
        // The same set: a changed line, then two more, of which the second drives it out.
        cache.access(64, true);
        cache.access(0, false);
        cache.access(128, false);
        assert_eq!(cache.traffic, traffic(35, 3, 1));
        // The line at 0 was used later than the one at 64 and is still there.
        cache.access(0, false);
        assert_eq!(cache.traffic.since(traffic(35, 3, 1)), traffic(1, 0, 0));
        // The other set is empty.
        cache.access(32, false);
        assert_eq!(cache.traffic.misses, 4);
    }

    #[test]
    fn a_stream_longer_than_the_cache_misses_in_every_round() {
        let mut cache = Cache::new(1024, 8, 32).unwrap();
        for _ in 0..3 {
            (0..2048).step_by(4).for_each(|address| cache.access(address, false));
        }
        assert_eq!(cache.traffic, traffic(3 * 512, 3 * 64, 0));
    }

    #[test]
    fn shapes_that_are_no_caches_are_refused() {
        for (bytes, ways, line) in [(0, 1, 1), (100, 8, 32), (1024, 0, 32), (1024, 8, 0), (1 << 40, 8, 32)] {
            assert!(Cache::new(bytes, ways, line).is_none(), "{bytes} {ways} {line}");
        }
    }
}
