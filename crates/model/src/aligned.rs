//! Bytes where kernels read them fastest.

#[cfg(feature = "std")]
use alloc::collections::TryReserveError;
use alloc::vec::Vec;
use core::ops::Deref;

/// Bytes that begin on a cache line.
///
/// In a BITS file of version 1.2 the rows of the embedding begin at byte 64. Where the file begins on a cache line they
/// do too, and no vector of a row straddles two, which the head of the default model takes 5 % longer for.
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
    /// None yet, with room for so many; an error where there is no memory for them.
    pub(crate) fn with_room(len: usize) -> Result<Self, TryReserveError> {
        let mut room = Vec::<u8>::new();
        room.try_reserve_exact(len.saturating_add(Self::LINE - 1))?;
        let start = Self::start_in(&room);
        room.resize(start, 0);
        Ok(AlignedBytes { room, start })
    }

    /// Adds some. What does not fit its room moves, and is then aligned by chance.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.room.extend_from_slice(bytes);
    }

    /// Adds all that comes; returns how many came.
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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

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
