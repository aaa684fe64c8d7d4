//! For any bytes: no panic, an error offset within the file, and no more memory than the file holds.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use bitstate_model::{Model, Preset, Problem, Version, Weights, synthetic};
use proptest::prelude::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Bytes requested by this thread; tests run in parallel, each on its own thread.
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counting.
struct Counting;

// SAFETY: every call is passed unchanged to `System`, which upholds the contract; counting only touches a
// const-initialised thread-local without a destructor, which neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ASKED.try_with(|asked| asked.set(asked.get() + layout.size()));
        // SAFETY: the caller's guarantee about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: `ptr` comes from `System.alloc` with this layout.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Parses, checks properties that hold for any bytes, and returns whether they were a model.
fn parse(bytes: &[u8]) -> bool {
    let before = ASKED.get();
    let parsed = Model::parse(bytes);
    let asked = ASKED.get() - before;
    // Layers of D < 8 have views larger than their bytes; they are still bounded by the file size.
    let bound = if bytes.len() < 4096 { 2 * bytes.len() } else { bytes.len() };
    assert!(asked <= bound, "{asked} bytes requested for a file of {}", bytes.len());
    match parsed {
        Ok(model) => {
            assert_eq!(model.layers.len(), model.config.n_layer);
            true
        }
        Err(error) => {
            assert!(error.offset <= bytes.len(), "{error}, of {} bytes", bytes.len());
            assert!(!error.to_string().is_empty());
            false
        }
    }
}

#[test]
fn every_flipped_bit_is_refused_or_read_as_it_stands() {
    for version in Version::ALL {
        let good = support::tiny(version);
        let (mut read, mut refused) = (0, 0);
        for at in 0..good.len() * 8 {
            let mut file = good.clone();
            file[at / 8] ^= 1 << (at % 8);
            if parse(&file) {
                let back = Weights::from(&Model::parse(&file).unwrap()).write(version).unwrap();
                assert!(back == file, "bit {at} is not kept");
                read += 1;
            } else {
                refused += 1;
            }
        }
        assert!(read > 0 && refused > 0);
    }
}

#[test]
fn every_shorter_file_is_truncated() {
    for version in Version::ALL {
        let good = support::tiny(version);
        for len in 0..good.len() {
            assert!(!parse(&good[..len]));
            let error = Model::parse(&good[..len]).unwrap_err();
            assert!(matches!(error.problem, Problem::Truncated { .. }), "{len} bytes: {error}");
        }
    }
}

#[test]
fn a_header_that_asks_for_more_gets_no_memory() {
    let good = synthetic(&Preset::by_name("small").unwrap().config(), 1, Version::V1_2);
    assert!(parse(&good));
    for layers in [3i32, 1000, 4096, 4097, i32::MAX] {
        let mut file = good.clone();
        file[16..20].copy_from_slice(&layers.to_le_bytes());
        assert!(!parse(&file));
    }
}

fn version() -> impl Strategy<Value = Version> {
    prop::sample::select(Version::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn garbage(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
        prop_assert!(!parse(&bytes));
    }

    #[test]
    fn garbage_behind_a_header(
        version in version(),
        sizes in prop::array::uniform7(prop_oneof![1..40i32, any::<i32>()]),
        bytes in prop::collection::vec(any::<u8>(), 0..2048),
    ) {
        let mut file = support::tiny(version);
        file.truncate(52);
        for (i, size) in sizes.iter().enumerate() {
            file[12 + 4 * i..16 + 4 * i].copy_from_slice(&size.to_le_bytes());
        }
        // The heads cover the embedding, so that the tensors are reached.
        if let Some(width) = sizes[3].checked_mul(sizes[4]) {
            file[20..24].copy_from_slice(&width.to_le_bytes());
        }
        file.extend(bytes);
        parse(&file);
    }

    #[test]
    fn damaged_files(
        version in version(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::of(any::<prop::sample::Index>()),
        more in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut file = support::tiny(version);
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        if let Some(cut) = cut {
            file.truncate(cut.index(file.len()));
        }
        file.extend(&more);
        parse(&file);
    }

    #[test]
    fn sizes_changed_in_a_larger_file(
        field in 0..9usize,
        value in prop_oneof![-2..300i32, any::<i32>()],
        version in version(),
    ) {
        let config = Preset::by_name("small").unwrap().config();
        let mut file = synthetic(&config, 1, version);
        file[12 + 4 * field..16 + 4 * field].copy_from_slice(&value.to_le_bytes());
        parse(&file);
    }
}
