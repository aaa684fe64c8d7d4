//! Decodes values from bytes, as fuzzers generate them.

use std::cell::RefCell;
use std::path::Path;
use tempfile::{NamedTempFile, TempPath};

/// The rest of an input. After its end, everything is 0.
pub(crate) struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next `N` bytes.
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let taken = self.0.len().min(N);
        let (head, rest) = self.0.split_at(taken);
        self.0 = rest;
        let mut bytes = [0; N];
        bytes[..taken].copy_from_slice(head);
        bytes
    }

    pub fn u8(&mut self) -> u8 {
        self.take::<1>()[0]
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.take())
    }

    pub fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    pub fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    pub fn f32(&mut self) -> f32 {
        f32::from_bits(self.u32())
    }
}

/// The kind of a text input, which is its first line, and the rest.
pub(crate) fn kind(data: &[u8]) -> Option<(&str, &str)> {
    std::str::from_utf8(data).ok()?.split_once('\n')
}

/// The bits of values, with all NaNs equal: targets differ in the NaN that an operation returns.
pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| if value.is_nan() { 0x7fc0_0000 } else { value.to_bits() }).collect()
}

thread_local! {
    /// One file per thread for all inputs, because creating one takes longer than reading it.
    static FILE: RefCell<Option<TempPath>> = const { RefCell::new(None) };
}

/// Calls `look` with the path of a file that holds `data`.
pub(crate) fn with_file<T>(data: &[u8], look: impl FnOnce(&Path) -> T) -> T {
    FILE.with_borrow_mut(|file| {
        let make = || NamedTempFile::new().expect("a temporary file can be created").into_temp_path();
        let path: &Path = file.get_or_insert_with(make);
        std::fs::write(path, data).expect("a temporary file can be written");
        look(path)
    })
}
