//! Slices placed so that a stray access is detected: among canaries at any alignment, or next to a page that can be
//! neither read nor written.

use bytemuck::Pod;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut, Range};

/// Where the slices of a call are placed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Place {
    /// This many bytes past a multiple of 64 (rounded down for the type's alignment), with canaries on both sides.
    Offset(usize),
    /// The last byte is the last before a guard page.
    #[cfg(target_os = "linux")]
    BeforeGuard,
    /// The first byte is the first after a guard page.
    #[cfg(target_os = "linux")]
    AfterGuard,
}

/// Bytes of canary on each side.
const CANARIES: usize = 128;
/// Their value; also the initial content of an output.
const CANARY: u8 = 0xa5;

/// A slice of `T` at a [`Place`].
pub struct Buffer<T> {
    bytes: Backing,
    range: Range<usize>,
    of: PhantomData<T>,
}

enum Backing {
    Heap(Vec<u8>),
    #[cfg(target_os = "linux")]
    Pages(guarded::Pages),
}

impl Backing {
    fn bytes(&self) -> &[u8] {
        match self {
            Backing::Heap(bytes) => bytes,
            #[cfg(target_os = "linux")]
            Backing::Pages(pages) => pages.bytes(),
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Backing::Heap(bytes) => bytes,
            #[cfg(target_os = "linux")]
            Backing::Pages(pages) => pages.bytes_mut(),
        }
    }
}

impl<T: Pod> Buffer<T> {
    /// `values`, copied to `place`.
    pub fn new(place: Place, values: &[T]) -> Self {
        let mut buffer = Self::output(place, values.len());
        buffer.copy_from_slice(values);
        buffer
    }

    /// Space for `n` values, filled with a value that no kernel writes.
    pub fn output(place: Place, n: usize) -> Self {
        let len = n * size_of::<T>();
        let (mut bytes, start) = match place {
            Place::Offset(offset) => {
                let bytes = vec![0; len + 2 * CANARIES + 2 * 64];
                let aligned = bytes.as_ptr().align_offset(64);
                (Backing::Heap(bytes), aligned + CANARIES + offset / align_of::<T>() * align_of::<T>())
            }
            #[cfg(target_os = "linux")]
            Place::BeforeGuard => {
                let pages = guarded::Pages::new(len);
                let start = pages.bytes().len() - len;
                (Backing::Pages(pages), start)
            }
            #[cfg(target_os = "linux")]
            Place::AfterGuard => (Backing::Pages(guarded::Pages::new(len)), 0),
        };
        bytes.bytes_mut().fill(CANARY);
        Buffer { bytes, range: start..start + len, of: PhantomData }
    }

    /// The values.
    ///
    /// # Panics
    /// If anything around them has changed.
    pub fn finish(self) -> Vec<T> {
        let bytes = self.bytes.bytes();
        let around = bytes[..self.range.start].iter().chain(&bytes[self.range.end..]);
        let stray = around.filter(|&&byte| byte != CANARY).count();
        assert_eq!(stray, 0, "bytes written outside a slice of {} bytes", self.range.len());
        self.to_vec()
    }
}

impl<T: Pod> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        bytemuck::cast_slice(&self.bytes.bytes()[self.range.clone()])
    }
}

impl<T: Pod> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        bytemuck::cast_slice_mut(&mut self.bytes.bytes_mut()[self.range.clone()])
    }
}

#[cfg(target_os = "linux")]
mod guarded {
    use std::{ptr, slice};

    /// Whole pages with a guard page on each side.
    pub struct Pages {
        mapping: *mut u8,
        page: usize,
        len: usize,
    }

    impl Pages {
        /// At least `len` bytes.
        pub fn new(len: usize) -> Self {
            // SAFETY: only queries a number.
            let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap();
            let len = len.next_multiple_of(page);
            let (none, anonymous) = (libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            // SAFETY: a new mapping at an address chosen by the system; no existing one is replaced.
            let mapping = unsafe { libc::mmap(ptr::null_mut(), len + 2 * page, none, anonymous, -1, 0) };
            assert_ne!(mapping, libc::MAP_FAILED, "mmap");
            let mapping = mapping.cast::<u8>();
            if len > 0 {
                // SAFETY: the pages between the first and the last of the new mapping.
                let done = unsafe { libc::mprotect(mapping.add(page).cast(), len, libc::PROT_READ | libc::PROT_WRITE) };
                assert_eq!(done, 0, "mprotect");
            }
            Pages { mapping, page, len }
        }

        pub fn bytes(&self) -> &[u8] {
            // SAFETY: these pages are mapped, readable and zeroed from the start, and live as long as `self`.
            unsafe { slice::from_raw_parts(self.mapping.add(self.page), self.len) }
        }

        pub fn bytes_mut(&mut self) -> &mut [u8] {
            // SAFETY: as in `bytes`; they are writable, and not borrowed elsewhere.
            unsafe { slice::from_raw_parts_mut(self.mapping.add(self.page), self.len) }
        }
    }

    impl Drop for Pages {
        fn drop(&mut self) {
            // SAFETY: the whole mapping of `new`; nothing borrows from it any more.
            unsafe { libc::munmap(self.mapping.cast(), self.len + 2 * self.page) };
        }
    }
}
