//! A small pool of threads for one token at a time: [`Pool`] divides the large operations of a token among a few
//! threads, and is the [`Workers`] of an engine.
//!
//! These operations take around 100 µs and recur every token, which determines the design:
//!
//! - **Waking.** A sleeping thread takes 30 to 100 µs to wake, as long as its share of the work. So an idle worker
//!   spins, about as long as a token takes, before it sleeps.
//! - **No waiting for a worker that has not started.** The caller takes chunks like any worker, and a late worker
//!   misses them: if a worker sleeps or its core is busy, the caller does all the work.
//! - **No allocation** after the pool is created.
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
