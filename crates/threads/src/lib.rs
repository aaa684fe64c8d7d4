//! A small pool of threads for one token at a time: [`Pool`] divides what is large in a token among a few threads, and
//! is the [`Workers`] of an engine.
//!
//! What it divides takes around 100 µs and comes back every token, so three things decide:
//!
//! - **Waking.** A thread that sleeps takes 30 to 100 µs to wake, which is as long as its share of the work. So a
//!   worker that has nothing to do spins, about as long as a token takes, before it sleeps.
//! - **Nobody is waited for who has not begun.** The caller takes chunks like any worker, and a worker that comes late,
//!   or never, has missed them: where a worker sleeps or its core is taken, the caller does the work alone.
//! - **Nothing is allocated** after the pool is made.
//!
//! ```
//! use bitstate_threads::Pool;
//!
//! let pool = Pool::new(2)?;
//! let mut squares = [0; 10];
//! pool.divide(&mut squares, 3, |i, chunk| {
//!     for (j, square) in chunk.iter_mut().enumerate() {
//!         *square = (3 * i + j).pow(2);
//!     }
//! });
//! assert_eq!(squares, [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]);
//! # Ok::<(), std::io::Error>(())
//! ```

mod pool;
mod shared;

pub use bitstate_engine::Workers;
pub use pool::Pool;
