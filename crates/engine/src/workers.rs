//! The engine's interface to threads: it has none of its own.

/// Threads that share the work of a token.
pub trait Workers: Sync {
    /// Calls `task(i, chunk)` once for each chunk of `chunk` values of `out`, the last one possibly shorter, on any
    /// thread and in any order; returns when all calls have returned.
    fn divide(&self, out: &mut [f32], chunk: usize, task: &(dyn Fn(usize, &mut [f32]) + Sync));
}
