//! Named shapes.

use crate::Config;
use alloc::string::String;
use core::fmt;
use thiserror::Error;

/// A named model shape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preset {
    name: &'static str,
    config: Config,
}

impl Preset {
    /// Every preset.
    ///
    /// | name | V | L | D | H | S | ff_mult | purpose |
    /// |---|---|---|---|---|---|---|---|
    /// | `default` | 32011 | 4 | 256 | 4 | 64 | 2 | the published model |
    /// | `byte` | 256 | 4 | 128 | 4 | 32 | 4 | bytes as tokens, for microcontrollers |
    /// | `large` | 32011 | 32 | 512 | 8 | 64 | 4 | the largest published configuration |
    /// | `small` | 64 | 2 | 64 | 2 | 32 | 2 | tests |
    pub const ALL: [Preset; 4] = [
        Preset::new("default", [32011, 4, 256, 4, 64, 2]),
        Preset::new("byte", [256, 4, 128, 4, 32, 4]),
        Preset::new("large", [32011, 32, 512, 8, 64, 4]),
        Preset::new("small", [64, 2, 64, 2, 32, 2]),
    ];

    const fn new(name: &'static str, sizes: [usize; 6]) -> Preset {
        let [vocab_size, n_layer, n_embd, n_head, head_size, ff_mult] = sizes;
        let config =
            Config { vocab_size, n_layer, n_embd, n_head, head_size, ff_mult, max_seq_len: 2048, dropout: 0.1 };
        Preset { name, config }
    }

    /// The preset named `name`.
    ///
    /// # Errors
    /// [`UnknownPreset`] lists the names and suggests the nearest.
    pub fn by_name(name: &str) -> Result<Preset, UnknownPreset> {
        Preset::ALL.into_iter().find(|p| p.name == name).ok_or_else(|| UnknownPreset::new(name))
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its shapes.
    pub fn config(&self) -> Config {
        self.config
    }
}

/// No preset has this name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no preset {name:?}; did you mean {nearest:?}? The presets are {}", Names)]
pub struct UnknownPreset {
    /// The requested name.
    pub name: String,
    /// The preset name with the smallest edit distance.
    pub nearest: &'static str,
}

impl UnknownPreset {
    fn new(name: &str) -> UnknownPreset {
        let nearest = Preset::ALL.iter().map(Preset::name).min_by_key(|known| edits(known, name));
        UnknownPreset { name: name.into(), nearest: nearest.unwrap_or("default") }
    }
}

/// The names of all presets, separated by commas.
struct Names;

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, preset) in Preset::ALL.iter().enumerate() {
            write!(f, "{}{}", if i == 0 { "" } else { ", " }, preset.name)?;
        }
        Ok(())
    }
}

/// Longest name of a preset.
const LONGEST: usize = 7;

/// Levenshtein distance from `known`, a preset's name, to `other`, in one row of the table.
fn edits(known: &str, other: &str) -> usize {
    let mut row: [usize; LONGEST + 1] = core::array::from_fn(|i| i);
    for (i, o) in other.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, k) in known.bytes().take(LONGEST).enumerate() {
            let replaced = diagonal + usize::from(k != o);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[known.len().min(LONGEST)]
}
