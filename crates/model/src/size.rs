//! The length of a file, from its header.

use crate::config::{Config, Version};
use core::ops::RangeInclusive;

impl Config {
    /// Bytes of a file with these shapes. The range covers optional forms: a scale may be written with one dimension or
    /// none, a token shift with one or three.
    pub(crate) fn file_len(&self, version: Version) -> RangeInclusive<u64> {
        let [v, l, d, f] = [self.vocab_size, self.n_layer, self.n_embd, self.ff_dim()].map(|size| size as u64);
        let vector = |n: u64| 8 + 4 * n;
        let matrix =
            |rows: u64, cols: u64| 12 + if version == Version::V1_0 { rows * cols } else { (rows * cols).div_ceil(4) };
        // 52 bytes of header.
        let embedding = if version < Version::V1_2 { 12 + 4 * v * d } else { 12 + v * d + vector(v) };
        let norms = |width| 2 * vector(width);
        let matrices = 6 * (matrix(d, d) + norms(d)) + matrix(f, d) + norms(d) + matrix(d, f) + norms(f);
        // ln1, ln2 and the group norm; log_decay and u, which are H × S.
        let vectors = 3 * norms(d) + 2 * (12 + 4 * d);
        let (scales, shifts) = (8 * 8, 6 * vector(d));
        let least = 52 + embedding + l * (matrices + vectors + scales + shifts) + norms(d);
        // A dimension takes 4 bytes.
        let play = l * (8 * 4 + 6 * 8);
        least..=least + play
    }
}

#[cfg(test)]
mod tests {
    use crate::{Config, Preset, Version, synthetic};

    #[test]
    fn a_file_is_as_long_as_its_header_says() {
        let odd = |n_head, head_size, ff_mult| {
            let n_embd = n_head * head_size;
            Config { vocab_size: 7, n_layer: 3, n_embd, n_head, head_size, ff_mult, max_seq_len: 8, dropout: 0.0 }
        };
        let presets = ["small", "byte", "default"].map(|name| Preset::by_name(name).expect("a preset").config());
        for config in presets.into_iter().chain([odd(1, 1, 1), odd(3, 5, 2), odd(2, 7, 3)]) {
            for version in Version::ALL {
                // Scalars without dimensions, token shifts with three.
                let written = synthetic(&config, 1, version).len() as u64;
                let layers = config.n_layer as u64;
                assert_eq!(
                    config.file_len(version),
                    written - layers * 48..=written + layers * 32,
                    "{version} {config:?}"
                );
            }
        }
    }

    #[test]
    fn the_largest_header_does_not_overflow() {
        let n_embd = 1 << 16;
        let config = Config {
            vocab_size: 1 << 24,
            n_layer: 1 << 12,
            n_embd,
            n_head: 1,
            head_size: n_embd,
            ff_mult: 1 << 8,
            max_seq_len: 1,
            dropout: 0.0,
        };
        assert!(*config.file_len(Version::V1_0).end() > 1 << 53);
    }
}
