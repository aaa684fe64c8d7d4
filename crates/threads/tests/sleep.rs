//! An idle pool sleeps. The only test of its program, because the CPU time is that of the process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bitstate_threads::Pool;
use std::fs;
use std::thread::sleep;
use std::time::Duration;

/// CPU time of all threads of this process, in ticks of a hundredth of a second.
fn ticks() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    // After the name in parentheses: field 3 onwards; user and system time are 14 and 15.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn a_pool_with_nothing_to_do_takes_no_time() {
    let pool = Pool::new(4).unwrap();
    for _ in 0..3 {
        pool.divide(&mut [0; 100], 3, |_, items| items.fill(1));
        sleep(Duration::from_millis(300));
        let before = ticks();
        sleep(Duration::from_millis(500));
        let spent = ticks() - before;
        assert!(spent <= 5, "{spent} hundredths of a second of doing nothing for half a second");
    }
}
