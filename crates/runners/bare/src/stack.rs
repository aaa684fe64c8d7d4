//! The stack's high-water mark.

/// The word that start-up fills the stack with (`start.S` of each core).
pub const PAINT: u32 = 0xb175_a7e5;

/// Bytes of a stack that were ever used: it grows down from `top`, and was filled with [`PAINT`] from `bottom` on.
///
/// # Safety
/// The words from `bottom` to `top` are readable memory, both aligned to a word.
pub unsafe fn high_water(bottom: *const u32, top: *const u32) -> usize {
    let mut at = bottom;
    // SAFETY: the caller guarantees the range. Volatile, because the compiler assumes that an unused stack is not memory.
    while at.addr() < top.addr() && unsafe { at.read_volatile() } == PAINT {
        at = at.wrapping_add(1);
    }
    top.addr() - at.addr()
}

#[cfg(test)]
mod tests {
    use super::{PAINT, high_water};

    #[test]
    fn what_was_overwritten_counts_up_to_the_deepest_word() {
        let mut stack = [PAINT; 16];
        let used = |stack: &[u32; 16]| {
            let words = stack.as_ptr_range();
            // SAFETY: the words of an array.
            unsafe { high_water(words.start, words.end) }
        };
        assert_eq!(used(&stack), 0);
        stack[15] = 1;
        assert_eq!(used(&stack), 4);
        // A word that happens to hold the pattern above the deepest one.
        stack[10] = 1;
        assert_eq!(used(&stack), 24);
        stack[0] = 0;
        assert_eq!(used(&stack), 64);
    }
}
