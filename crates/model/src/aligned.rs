//! Bytes and floats with the alignment that kernels read fastest.

use alloc::collections::TryReserveError;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::{Deref, DerefMut};

/// Bytes aligned to a cache line.
///
/// In a BITS file of version 1.2 the rows of the embedding begin at byte 64. If the file is aligned to a cache line, so
/// are they, and no vector of a row straddles two lines, which would make the head of the default model 5 % slower.
#[derive(Debug)]
pub struct AlignedBytes {
    room: Vec<u8>,
    start: usize,
}

impl AlignedBytes {
    /// Bytes of a cache line.
    pub const LINE: usize = 64;

    /// A copy of `bytes`.
    pub fn copy_of(bytes: &[u8]) -> Self {
        let mut room = Vec::with_capacity(bytes.len() + Self::LINE - 1);
        let start = Self::start_in(&room);
        room.resize(start, 0);
        room.extend_from_slice(bytes);
        AlignedBytes { room, start }
    }

    /// `len` bytes that `fill` writes: without a second copy of what comes from elsewhere.
    ///
    /// # Errors
    /// Where there is no memory for them.
    pub fn filled(len: usize, fill: impl FnOnce(&mut [u8])) -> Result<Self, TryReserveError> {
        let mut room = Vec::new();
        room.try_reserve_exact(len.saturating_add(Self::LINE - 1))?;
        let start = Self::start_in(&room);
        room.resize(start + len, 0);
        fill(&mut room[start..]);
        Ok(AlignedBytes { room, start })
    }

    /// A copy of INT8 values.
    pub fn copy_of_int8s(values: &[i8]) -> Self {
        Self::copy_of(bytemuck::cast_slice(values))
    }

    /// The bytes as INT8 values.
    pub fn int8s(&self) -> &[i8] {
        bytemuck::cast_slice(self)
    }

    /// Where the first line in an empty vector begins.
    fn start_in(room: &[u8]) -> usize {
        room.as_ptr().align_offset(Self::LINE).min(Self::LINE - 1)
    }
}

#[cfg(feature = "std")]
impl AlignedBytes {
    /// An empty one with space for `len` bytes; an error if there is not enough memory.
    pub(crate) fn with_room(len: usize) -> Result<Self, TryReserveError> {
        let mut room = Vec::<u8>::new();
        room.try_reserve_exact(len.saturating_add(Self::LINE - 1))?;
        let start = Self::start_in(&room);
        room.resize(start, 0);
        Ok(AlignedBytes { room, start })
    }

    /// Appends bytes. If they exceed the reserved space the content moves, and its alignment is lost.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.room.extend_from_slice(bytes);
    }

    /// Appends everything from `source`; returns the number of bytes.
    pub(crate) fn append_all(&mut self, mut source: impl std::io::Read) -> std::io::Result<usize> {
        source.read_to_end(&mut self.room)
    }
}

impl Deref for AlignedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.room[self.start..]
    }
}

/// A cache line of floats.
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// Floats aligned to a cache line, so that no vector of 16 of them straddles two: a load that does takes twice as long,
/// and a store even longer.
#[derive(Debug, Clone)]
pub struct AlignedFloats {
    lines: Vec<Line>,
    len: usize,
}

impl AlignedFloats {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        AlignedFloats { lines: vec![Line([0.0; 16]); len.div_ceil(16)], len }
    }
}

impl FromIterator<f32> for AlignedFloats {
    fn from_iter<I: IntoIterator<Item = f32>>(values: I) -> Self {
        let (mut lines, mut len) = (Vec::new(), 0);
        for value in values {
            if len % 16 == 0 {
                lines.push(Line([0.0; 16]));
            }
            if let Some(Line(line)) = lines.last_mut() {
                line[len % 16] = value;
            }
            len += 1;
        }
        AlignedFloats { lines, len }
    }
}

impl Deref for AlignedFloats {
    type Target = [f32];

    #[inline]
    fn deref(&self) -> &[f32] {
        &bytemuck::cast_slice(&self.lines)[..self.len]
    }
}

impl DerefMut for AlignedFloats {
    #[inline]
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_begin_on_a_line() {
        for len in [0, 1, 15, 16, 17, 100] {
            let values: Vec<f32> = (0..len).map(|i| i as f32).collect();
            let mut copy: AlignedFloats = values.iter().copied().collect();
            assert_eq!(*copy, *values);
            assert_eq!(copy.as_ptr().align_offset(64), 0, "{len} floats");
            copy.fill(0.0);
            assert_eq!(*copy, *AlignedFloats::zeros(len as usize));
        }
    }

    #[test]
    fn a_copy_begins_on_a_line() {
        for len in [0, 1, 63, 64, 65, 5000] {
            let bytes = vec![7; len];
            let copy = AlignedBytes::copy_of(&bytes);
            assert_eq!(*copy, bytes);
            assert_eq!(copy.as_ptr().align_offset(AlignedBytes::LINE), 0, "{len} bytes");
        }
    }
}
