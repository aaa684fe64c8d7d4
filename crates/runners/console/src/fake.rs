//! A board for tests: what is typed on it, and what it shows.

use crate::Board;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::string::String;
use std::vec::Vec;

std::thread_local! {
    static TYPED: RefCell<VecDeque<u8>> = const { RefCell::new(VecDeque::new()) };
    static SHOWN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static CYCLES: Cell<u32> = const { Cell::new(0) };
}

/// The board. Its counter stands still until it is set.
pub struct Fake;

impl Board for Fake {
    const TARGET: &'static str = "fake";
    const NAME: &'static str = "a board for tests";
    const HZ: u64 = 1_000_000;

    fn read() -> Option<u8> {
        let byte = TYPED.with_borrow_mut(VecDeque::pop_front);
        assert!(byte.is_some(), "the console waits for more than was typed");
        byte
    }

    fn write(bytes: &[u8]) {
        SHOWN.with_borrow_mut(|shown| shown.extend(bytes));
    }

    fn cycles() -> u32 {
        CYCLES.get()
    }
}

/// Types something.
pub fn type_in(bytes: &[u8]) {
    TYPED.with_borrow_mut(|typed| typed.extend(bytes));
}

/// What was shown since the last call. Bytes that are not UTF-8 are replaced.
pub fn shown() -> String {
    String::from_utf8_lossy(&SHOWN.take()).into_owned()
}

/// Sets the counter.
pub fn set_cycles(cycles: u32) {
    CYCLES.set(cycles);
}
