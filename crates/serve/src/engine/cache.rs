//! A cache of processed prompts, for prompts with the same prefix.

use bitstate::{Digest, Prefix};
use std::collections::HashMap;
use std::sync::Arc;

/// Prefixes by the digest of their tokens; the least recently used is evicted first. A model's state after a prefix has the
/// same bits whether it was cached or not, so answers do not depend on the cache.
pub(crate) struct Cache {
    most: usize,
    bytes: usize,
    entries: HashMap<Digest, Entry>,
    /// Number of entries by length, so that only these lengths are looked up.
    lengths: HashMap<usize, usize>,
    clock: u64,
}

struct Entry {
    prefix: Arc<Prefix>,
    used: u64,
}

impl Cache {
    /// A cache of at most this many bytes; 0 disables it.
    pub fn new(most: usize) -> Self {
        Cache { most, bytes: 0, entries: HashMap::new(), lengths: HashMap::new(), clock: 0 }
    }

    pub fn is_on(&self) -> bool {
        self.most > 0
    }

    /// Size of all prefixes in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The longest cached prefix of `prompt`.
    pub fn find(&mut self, prompt: &[u32]) -> Option<Arc<Prefix>> {
        let mut lengths: Vec<usize> = self.lengths.keys().copied().filter(|length| *length <= prompt.len()).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        self.clock += 1;
        for length in lengths {
            let tokens = &prompt[..length];
            let Some(entry) = self.entries.get_mut(&Prefix::key(tokens)) else { continue };
            // The digest does not protect against forgery, so the tokens are compared.
            if entry.prefix.tokens() == tokens {
                entry.used = self.clock;
                return Some(Arc::clone(&entry.prefix));
            }
        }
        None
    }

    /// Adds a prefix, and evicts others if needed.
    pub fn keep(&mut self, prefix: Prefix) {
        let (key, bytes) = (Prefix::key(prefix.tokens()), prefix.bytes());
        if bytes > self.most {
            return;
        }
        self.forget(key);
        while self.bytes + bytes > self.most {
            let Some(oldest) = self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| *key) else {
                break;
            };
            self.forget(oldest);
        }
        self.clock += 1;
        self.bytes += bytes;
        *self.lengths.entry(prefix.tokens().len()).or_default() += 1;
        self.entries.insert(key, Entry { prefix: Arc::new(prefix), used: self.clock });
    }

    fn forget(&mut self, key: Digest) {
        let Some(entry) = self.entries.remove(&key) else { return };
        self.bytes -= entry.prefix.bytes();
        let length = entry.prefix.tokens().len();
        if let Some(count) = self.lengths.get_mut(&length) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&length);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::Cache;
    use bitstate::bits::{Preset, Version, synthetic};
    use bitstate::{Model, Prefix, Sampling};

    fn prefix(model: &Model, tokens: &[u32]) -> Prefix {
        let mut session = model.session(Sampling::greedy()).unwrap();
        session.feed(tokens).unwrap();
        session.prefix().unwrap().unwrap()
    }

    #[test]
    fn the_longest_is_found_and_the_least_recently_used_given_up() {
        let model =
            Model::from_bytes(&synthetic(&Preset::by_name("small").unwrap().config(), 1, Version::V1_2)).unwrap();
        let [a, b, c] = [&[1, 2][..], &[1, 2, 3], &[7, 8, 9]].map(|tokens| prefix(&model, tokens));
        let mut cache = Cache::new(b.bytes() + c.bytes());
        assert!(cache.find(&[1, 2, 3, 4]).is_none());
        cache.keep(a.clone());
        cache.keep(b.clone());
        cache.keep(b.clone());
        assert_eq!(cache.bytes(), a.bytes() + b.bytes());
        assert_eq!(cache.find(&[1, 2, 3, 4]).unwrap().tokens(), [1, 2, 3]);
        assert_eq!(cache.find(&[1, 2, 9]).unwrap().tokens(), [1, 2]);
        cache.keep(c.clone());
        // `b` is the least recently used.
        assert_eq!(cache.find(&[1, 2, 3]).unwrap().tokens(), [1, 2]);
        assert_eq!(cache.bytes(), a.bytes() + c.bytes());
        assert!(!Cache::new(0).is_on());
        let mut none = Cache::new(10);
        none.keep(c);
        assert_eq!((none.bytes(), none.find(&[7, 8, 9]).is_none()), (0, true));
    }
}
