//! A divided token allocates nothing, on any thread. The only test of its program, because all threads are counted.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bitstate_engine::Engine;
use bitstate_kernels::Variant;
use bitstate_model::{Model, Preset, Version, synthetic};
use bitstate_threads::Pool;
use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The system's allocator, counting all allocations.
struct Counting(AtomicUsize);

#[global_allocator]
static ALLOCATOR: Counting = Counting(AtomicUsize::new(0));

// SAFETY: every call goes to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        self.0.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(at, layout) }
    }
}

fn calls() -> usize {
    ALLOCATOR.0.load(Ordering::Relaxed)
}

#[test]
fn a_divided_token_allocates_nothing() {
    let before = calls();
    drop(black_box(vec![1u8; 10]));
    assert!(calls() >= before + 2, "the counter counts");

    let file = synthetic(&Preset::by_name("default").unwrap().config(), 1, Version::V1_2);
    let model = Model::parse(&file).unwrap();
    for threads in [2, 5] {
        let pool = Pool::new(threads).unwrap();
        let mut engine = Engine::new(&model, Variant::best()).unwrap();
        engine.set_workers(Some(&pool));
        let (mut state, mut logits) = (engine.new_state(), vec![0.0; model.config.vocab_size]);
        // Every worker has started after this.
        std::thread::sleep(Duration::from_millis(200));
        engine.forward(0, &mut state, &mut logits).unwrap();
        let before = calls();
        for token in 0..50 {
            engine.forward(token, &mut state, &mut logits).unwrap();
        }
        // Asleep, and woken.
        std::thread::sleep(Duration::from_millis(50));
        engine.forward(50, &mut state, &mut logits).unwrap();
        assert_eq!(calls(), before, "{threads} threads");
    }
}
