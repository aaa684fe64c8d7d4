//! Two runs in one target folder.
#![allow(clippy::unwrap_used)]

mod support;

use rustix::process::{Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::time::Duration;
use support::{Place, ended, pid, said};

const GOLDEN: &[&str] = &["golden", "--bless"];

#[test]
fn the_second_reports_what_it_waits_for_waits_and_handles_ctrl_c() {
    let place = Place::new();
    let mut first = place.start(GOLDEN);
    let told = format!("process {}, `cargo xtask golden --bless`, since 2", first.id());

    let mut refused = place.xtask(&["golden", "--bless", "--no-wait"]).spawn().unwrap();
    assert_eq!(ended(&mut refused).0.code(), Some(2));
    let said_by = said(refused);
    assert!(said_by.starts_with("error: another run uses ") && said_by.contains(&told), "{said_by}");

    // Every command that builds, measures or writes, before it does anything.
    for verb in [
        &["bench"][..],
        &["gate"],
        &["verify"],
        &["build"],
        &["ab", "HEAD", "."],
        &["baseline", "accept", "--reason", "x"],
        &["eval", "--model", "x", "--text", "x"],
        &["ci"],
        &["selftest"],
        &["test"],
        &["train-smoke"],
        &["report"],
        &["setup"],
    ] {
        let mut refused = place.xtask(&[verb, &["--no-wait"]].concat()).spawn().unwrap();
        assert_eq!(ended(&mut refused).0.code(), Some(2), "{verb:?}");
        let said_by = said(refused);
        assert!(said_by.contains(&told), "{verb:?}: {said_by}");
    }
    // Others do not wait.
    for verb in [&["list"][..], &["gate", "--dry-run"], &["ci", "--dry-run"], &["ci", "matrix"]] {
        let mut free = place.xtask(&[verb, &["--no-wait"]].concat()).spawn().unwrap();
        assert_eq!(ended(&mut free).0.code(), Some(0), "{verb:?}");
    }

    let mut waits = place.xtask(GOLDEN).spawn().unwrap();
    let mut line = String::new();
    let mut stderr = BufReader::new(waits.stderr.take().unwrap());
    stderr.read_line(&mut line).unwrap();
    assert!(line.contains(&told) && line.contains("waiting for it to end"), "{line}");
    kill_process(pid(&waits), Signal::INT).unwrap();
    let (status, took) = ended(&mut waits);
    assert!(status.code() == Some(2) && took < Duration::from_secs(3), "{status} {took:?}");
    let rest = std::io::read_to_string(stderr).unwrap();
    assert!(rest.starts_with("error: interrupted"), "{rest}");

    let mut waits = place.xtask(GOLDEN).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(200));
    assert!(waits.try_wait().unwrap().is_none());
    place.make_cargo_quick();
    kill_process(pid(&first), Signal::KILL).unwrap();
    first.wait().unwrap();
    assert_eq!(ended(&mut waits).0.code(), Some(0));
    assert_eq!(place.left(), Vec::<String>::new());
}

#[test]
fn runs_in_two_target_folders_do_not_wait_for_each_other() {
    let (place, other) = (Place::new(), Place::new());
    let mut first = place.start(GOLDEN);
    other.make_cargo_quick();
    let mut second = other.xtask(&["golden", "--bless", "--no-wait"]).spawn().unwrap();
    assert_eq!(ended(&mut second).0.code(), Some(0));
    kill_process(pid(&first), Signal::TERM).unwrap();
    ended(&mut first);
}

#[test]
fn a_processor_that_there_is_not_is_refused_before_anything_is_built() {
    let place = Place::new();
    for verb in [&["bench"][..], &["ab", "HEAD", "."]] {
        let mut run = place.xtask(&[verb, &["--cpu", "9999", "--dry-run"]].concat()).spawn().unwrap();
        assert_eq!(ended(&mut run).0.code(), Some(2), "{verb:?}");
        let said = said(run);
        assert!(
            said.starts_with("error: processor 9999: this process may not run there; --cpu takes one of "),
            "{said}"
        );
    }
}
