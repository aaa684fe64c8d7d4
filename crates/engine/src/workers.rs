//! Threads, as far as the engine knows of them: it has none of its own.

/// Who helps with a token.
pub trait Workers: Sync {
    /// Calls `task(i, chunk)` once for each chunk of `chunk` values of `out`, the last of what is left, on any thread
    /// and in any order; returns when all calls have.
    fn divide(&self, out: &mut [f32], chunk: usize, task: &(dyn Fn(usize, &mut [f32]) + Sync));
}
