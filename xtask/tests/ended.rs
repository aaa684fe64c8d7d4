//! All processes started by a run end with it, however it ends.
#![allow(clippy::unwrap_used)]

mod support;

use rustix::process::{Signal, kill_process, kill_process_group};
use std::time::Duration;
use support::{Place, child, ended, pid, said};

/// A second, plus the delay of a loaded machine.
const AT_ONCE: Duration = Duration::from_secs(3);
/// A command that runs cargo, and one whose steps do, each as its arguments.
const VERBS: [&[&str]; 2] = [&["golden", "--bless"], &["ci", "shard", "native"]];

#[test]
fn after_sigkill_nothing_runs_on_and_no_temporary_file_stays() {
    for verb in VERBS {
        for group in [false, true] {
            let place = Place::new();
            let mut run = place.start(verb);
            // Temporary files that this run and one of its steps would have.
            let runs: Vec<_> = std::fs::read_to_string(place.scratch().join("lock"))
                .unwrap()
                .split('"')
                .filter(|part| part.len() == 31)
                .map(|run| place.scratch().join("tmp").join(run))
                .collect();
            assert_eq!(runs.len(), 1);
            std::fs::create_dir_all(runs[0].join(".tmpAbCdEf")).unwrap();
            std::fs::write(runs[0].join(".tmpAbCdEf/image.elf"), vec![0; 1 << 20]).unwrap();
            if group {
                kill_process_group(pid(&run), Signal::KILL).unwrap();
            } else {
                kill_process(pid(&run), Signal::KILL).unwrap();
            }
            run.wait().unwrap();
            let took = place.until_nothing_is_left();
            assert!(took < AT_ONCE, "{verb:?}, its group {group}: {took:?}");
            // The lock is free when all of the run is gone.
            place.make_cargo_quick();
            let (status, _) = ended(&mut place.xtask(&["golden", "--bless", "--no-wait"]).spawn().unwrap());
            assert_eq!(status.code(), Some(0), "{verb:?}");
            assert!(!runs[0].exists(), "{verb:?}, its group {group}");
        }
    }
}

#[test]
fn a_step_that_is_killed_leaves_nothing_and_is_a_failure_of_the_harness() {
    let place = Place::new();
    let mut run = place.start(&["ci", "shard", "native"]);
    let step = child(&run, "bench");
    place.make_cargo_quick();
    kill_process(step, Signal::KILL).unwrap();
    assert!(place.until_nothing_is_left() < AT_ONCE);
    let (status, _) = ended(&mut run);
    assert_eq!(status.code(), Some(2));
}

#[test]
fn a_signal_ends_a_run_and_its_steps_at_once() {
    for verb in VERBS {
        for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
            let place = Place::new();
            let mut run = place.start(verb);
            kill_process(pid(&run), signal).unwrap();
            let (status, took) = ended(&mut run);
            assert!(took < AT_ONCE, "{verb:?} {signal:?}: {took:?}");
            assert_eq!(place.left(), Vec::<String>::new(), "{verb:?} {signal:?}");
            let said = said(run);
            assert_eq!(status.code(), Some(2), "{verb:?} {signal:?}: {said}");
            assert!(said.contains("error: interrupted"), "{verb:?} {signal:?}: {said}");
        }
    }
}
