//! The pool: every item exactly once, in any case; a panic reaches the caller; it ends on request.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate_threads::Pool;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use support::within;

/// More than the cores of most machines.
const THREADS: [usize; 6] = [1, 2, 3, 5, 8, 33];

/// Adds one to each item, and to `items[i]` nothing but what is its place.
fn count(pool: &Pool, items: &mut [usize], chunk: usize) {
    pool.divide(items, chunk, |i, items| {
        assert!(!items.is_empty() && items.len() <= chunk);
        for (j, item) in items.iter_mut().enumerate() {
            assert_eq!(*item % 1000, i * chunk + j, "the item's place");
            *item += 1000;
        }
    });
}

#[test]
fn every_item_is_given_once() {
    within(120, || {
        for threads in THREADS {
            let pool = Pool::new(threads).unwrap();
            assert_eq!(pool.threads(), threads);
            for len in [0, 1, 2, 3, 7, 64, 100] {
                for chunk in [1, 2, 3, 7, 50, 99, 100, 101, usize::MAX] {
                    let mut items: Vec<usize> = (0..len).collect();
                    for times in 1..=3 {
                        count(&pool, &mut items, chunk);
                        assert!(items.iter().enumerate().all(|(i, &item)| item == i + 1000 * times), "{items:?}");
                    }
                }
            }
        }
    });
}

/// Two threads that wait for each other can only finish if both run the task.
#[test]
fn threads_do_work_together() {
    within(60, || {
        let pool = Pool::new(2).unwrap();
        // Awake workers, then sleeping ones.
        for pause in [0, 0, 0, 50, 50] {
            thread::sleep(Duration::from_millis(pause));
            let here = AtomicUsize::new(0);
            pool.divide(&mut [(); 2], 1, |_, _| {
                here.fetch_add(1, Ordering::SeqCst);
                while here.load(Ordering::SeqCst) < 2 {
                    thread::yield_now();
                }
            });
        }
    });
}

/// The message of the panic of `task`.
fn message(task: impl FnOnce()) -> String {
    *catch_unwind(AssertUnwindSafe(task)).unwrap_err().downcast::<String>().unwrap()
}

#[test]
fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
    within(60, || {
        for threads in [1, 2, 5] {
            let pool = Pool::new(threads).unwrap();
            for round in 0..50 {
                let found = message(|| pool.divide(&mut [0; 40], 1, |i, _| assert!(i != 17, "round {round}")));
                assert_eq!(found, format!("round {round}"));
                let mut items: Vec<usize> = (0..40).collect();
                count(&pool, &mut items, 1);
                assert!(items.iter().all(|&item| item >= 1000));
            }
        }
    });
}

/// Panics of a worker and of the caller, each alone, and each after the other has started.
#[test]
fn a_panic_on_either_side_waits_for_the_other() {
    within(60, || {
        let pool = Pool::new(2).unwrap();
        let caller = thread::current().id();
        for caller_panics in [true, false] {
            for _ in 0..20 {
                let (here, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
                let found = message(|| {
                    pool.divide(&mut [(); 2], 1, |_, _| {
                        here.fetch_add(1, Ordering::SeqCst);
                        while here.load(Ordering::SeqCst) < 2 {
                            thread::yield_now();
                        }
                        let is_caller = thread::current().id() == caller;
                        assert!(is_caller != caller_panics, "caller {is_caller}");
                        thread::sleep(Duration::from_millis(2));
                        ended.fetch_add(1, Ordering::SeqCst);
                    });
                });
                assert_eq!(found, format!("caller {caller_panics}"));
                assert_eq!(ended.load(Ordering::SeqCst), 1, "the other one's call has returned");
            }
        }
    });
}

#[test]
fn a_pool_is_dropped_at_any_moment() {
    within(120, || {
        for threads in THREADS {
            for round in 0..20 {
                let pool = Pool::new(threads).unwrap();
                // Workers not yet started, running, spinning, asleep.
                if round % 4 > 0 {
                    count(&pool, &mut (0..100).collect::<Vec<_>>(), 3);
                }
                thread::sleep(Duration::from_micros([0, 0, 200, 8000][round % 4]));
                drop(pool);
            }
        }
    });
}

/// Many pools at once, each with more threads than there are cores, and callers that share one.
#[test]
fn many_pools_and_callers_get_on() {
    within(120, || {
        let shared = Pool::new(5).unwrap();
        thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    let own = Pool::new(4).unwrap();
                    let mut items: Vec<usize> = (0..60).collect();
                    for times in 1..=300 {
                        count(&own, &mut items, 7);
                        count(&shared, &mut items, 4);
                        assert!(items.iter().enumerate().all(|(i, &item)| item == i + 2000 * times));
                    }
                });
            }
        });
    });
}

#[test]
fn a_task_may_divide_again() {
    within(60, || {
        let pool = Pool::new(3).unwrap();
        let rows = Mutex::new(Vec::new());
        pool.divide(&mut [0; 8], 1, |i, _| {
            let mut items: Vec<usize> = (0..20).collect();
            count(&pool, &mut items, 3);
            rows.lock().unwrap().push((i, items.iter().sum::<usize>()));
        });
        let mut rows = rows.into_inner().unwrap();
        rows.sort_unstable();
        assert_eq!(rows, (0..8).map(|i| (i, 20 * 1000 + 190)).collect::<Vec<_>>());
    });
}

#[test]
#[should_panic = "a pool of no threads"]
fn no_threads_at_all_are_refused() {
    let _ = Pool::new(0);
}
