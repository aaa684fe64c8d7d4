//! Runners that misbehave: each must give its exit code and a sentence that says what happened.
#![allow(clippy::unwrap_used)]

mod support;

use bitstate_harness::measure::measure;
use bitstate_harness::process::{Limits, ProcessError, run};
use bitstate_harness::runner::Ask;
use bitstate_harness::select::Patterns;
use bitstate_harness::verify::verify;
use bitstate_protocol::{Digest, Event, Header, Job, Phase};
use std::process::Command;
use std::time::{Duration, Instant};
use support::Fake;

/// Verifies against a runner that is a script, and returns what is said with the exit code.
fn verified(answer: impl FnOnce(&Fake) -> String, script: &str) -> (String, u8) {
    let fake = Fake::new();
    let built = Fake::built(fake.runner(&answer(&fake), script));
    Fake::outcome(&fake.with_plan(&built, verify).unwrap())
}

fn right(fake: &Fake) -> String {
    Fake::answer(&fake.header(), &[Fake::stream([4, 5, 6])])
}

#[test]
fn a_right_answer_passes() {
    assert_eq!(verified(right, "cat $ANSWER"), ("verified small/greedy".into(), 0));
}

#[test]
fn a_wrong_token_is_a_wrong_answer_with_its_step() {
    let wrong = |fake: &Fake| Fake::answer(&fake.header(), &[Fake::stream([4, 9, 6])]);
    let (text, code) = verified(wrong, "cat $ANSWER");
    assert_eq!(code, 4);
    assert!(text.contains("first divergent step 1: token 9, golden 5"), "{text}");
}

#[test]
fn garbled_cut_and_altered_answers_are_refused() {
    for (script, sentence) in [
        ("echo hello", "`hello` is not a message expected here"),
        ("head -c 20 /dev/zero", "cut short"),
        ("printf '\\377\\n'", "not UTF-8"),
        ("head -n 2 $ANSWER", "without its closing line"),
        ("sed 's/tokens=4/tokens=7/' $ANSWER", "altered on its way"),
        ("cat $ANSWER; echo more", "`more` is not a message expected here"),
        ("true", "cut short"),
        ("head -c 100000000 /dev/zero", "cut short"),
        ("yes | head -c 100000000", "`y` is not a message expected here"),
    ] {
        let (text, code) = verified(right, script);
        assert_eq!(code, 2, "{script}: {text}");
        assert!(text.contains(sentence), "{script}: {text}");
    }
}

#[test]
fn endings_that_are_no_success_are_told() {
    for (script, sentence) in [
        ("echo 'no such model' >&2; exit 2", "status: 2: no such model"),
        ("cat $ANSWER; exit 3", "status: 3"),
        ("cat $ANSWER; kill -SEGV $$", "ended by signal 11"),
        ("cat $ANSWER; exit 1", "its exit status says that a job failed, its answer has 0 failures"),
    ] {
        let (text, code) = verified(right, script);
        assert_eq!(code, 2, "{script}: {text}");
        assert!(text.contains(sentence), "{script}: {text}");
    }
}

#[test]
fn a_failed_job_is_a_failure_in_the_runners_words() {
    let failing = |fake: &Fake| {
        let error = Event::Error { case: "small/greedy".into(), message: "token 9 is out of range".into() };
        Fake::answer(&fake.header(), &[error])
    };
    let (text, code) = verified(failing, "cat $ANSWER; exit 1");
    assert_eq!((text.as_str(), code), ("the runner says: token 9 is out of range", 2));
}

#[test]
fn another_variant_target_or_model_is_refused() {
    type Change = fn(&mut Header);
    let with = |change: Change| {
        move |fake: &Fake| {
            let mut header = fake.header();
            change(&mut header);
            Fake::answer(&header, &[Fake::stream([4, 5, 6])])
        }
    };
    let cases: [(Change, &str); 3] = [
        (|header| header.variant = "avx2".into(), "asked for variant `generic`, but `avx2` ran"),
        (|header| header.target = "wasm".into(), "asked target `native`, but `wasm` answered"),
        (|header| header.model = Digest(7), "it ran model 0000000000000007"),
    ];
    for (change, sentence) in cases {
        let (text, code) = verified(with(change), "cat $ANSWER");
        assert_eq!(code, 2, "{text}");
        assert!(text.contains(sentence), "{text}");
    }
}

#[test]
fn answers_to_other_questions_are_refused() {
    let twice = |fake: &Fake| Fake::answer(&fake.header(), &[Fake::stream([4, 5, 6]), Fake::stream([4, 5, 6])]);
    assert!(verified(twice, "cat $ANSWER").0.contains("answered twice"));
    let none = |fake: &Fake| Fake::answer(&fake.header(), &[]);
    assert!(verified(none, "cat $ANSWER").0.contains("there is no answer to `small/greedy`"));
    let other = |fake: &Fake| {
        let check = Event::Check { case: "exp".into(), digest: Digest(1) };
        Fake::answer(&fake.header(), &[Fake::stream([4, 5, 6]), check])
    };
    assert!(verified(other, "cat $ANSWER").0.contains("`kernels` was not asked for"));
}

#[test]
fn a_golden_stream_of_another_model_is_stale() {
    let mut fake = Fake::new();
    fake.golden.cases[0].golden.model = Digest(1);
    let built = Fake::built(fake.runner(&right(&fake), "cat $ANSWER"));
    let (text, code) = Fake::outcome(&fake.with_plan(&built, verify).unwrap());
    assert_eq!(code, 2);
    assert!(text.contains("stale golden file: made with model 0000000000000001"), "{text}");
}

#[test]
fn a_runner_that_hangs_is_ended_with_all_it_started() {
    let fake = Fake::new();
    let runner = fake.runner("", "sleep 60 & sleep 60");
    let jobs = vec![Job::Kernels];
    let ask = Ask { model: &fake.model, jobs, fuel: false, timeout: Duration::from_secs(1) };
    let started = Instant::now();
    let error = runner.run(fake.cell, &ask).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(30));
    assert_eq!(error.exit().code(), 2);
    assert!(error.to_string().contains("no end after 1 s"), "{error}");
}

#[test]
fn a_runner_that_says_too_much_is_ended() {
    let limits = Limits { time: Duration::from_secs(60), output: 1000 };
    let error = run(Command::new("/bin/sh").args(["-c", "exec yes"]), b"", limits).unwrap_err();
    assert!(matches!(error, ProcessError::TooMuch(1000)), "{error}");
}

#[test]
fn a_missing_runner_is_named() {
    let limits = Limits { time: Duration::from_secs(60), output: 1000 };
    let error = run(&mut Command::new("/nowhere/runner"), b"", limits).unwrap_err();
    assert!(error.to_string().contains("cannot start /nowhere/runner"), "{error}");
}

/// Measures with a runner that answers with these events.
fn measured(events: &[Event]) -> (String, u8) {
    let fake = Fake::new();
    let answer = Fake::answer(&fake.header(), events);
    let built = Fake::built(fake.runner(&answer, "cat $ANSWER"));
    let all = Patterns::parse("metric", &[]).unwrap();
    let rows = fake.with_plan(&built, |plan| measure(plan, &all, 1)).unwrap().rows;
    let (text, code) = Fake::outcome(&rows);
    (text.trim().to_string(), code)
}

fn counts() -> Vec<Event> {
    vec![
        Fake::metric(Phase::Load, "time", 10),
        Fake::metric(Phase::Prefill, "time", 10),
        Fake::metric(Phase::Prefill, "tokens", 1),
        Fake::metric(Phase::Decode, "time", 10),
        Fake::metric(Phase::Decode, "tokens", 3),
    ]
}

#[test]
fn samples_count_only_with_a_right_answer_and_whole_counts() {
    let mut events = counts();
    events.push(Fake::stream([4, 5, 6]));
    assert_eq!(measured(&events), (String::new(), 0));

    let mut wrong = counts();
    wrong.push(Fake::stream([4, 5, 7]));
    let (text, code) = measured(&wrong);
    assert_eq!(code, 4);
    assert!(text.contains("the sample is void, its answer is wrong: first divergent step 2"), "{text}");

    let (text, code) = measured(&events[1..]);
    assert_eq!((text.as_str(), code), ("the answer has no time of load", 2));

    events.push(Fake::metric(Phase::Run, "mood", 1));
    let (text, code) = measured(&events);
    assert_eq!((text.as_str(), code), ("the runner counts `mood`, which the harness does not know", 2));
}
