//! Misbehaving runners: each must give its exit code and a message that says what happened.
#![allow(clippy::unwrap_used)]

mod support;

use bitstate_harness::definitions::select::Patterns;
use bitstate_harness::definitions::workloads::settings;
use bitstate_harness::records::{Row, Tally};
use bitstate_harness::runs::measure::probe::{Computed, kernel_jobs};
use bitstate_harness::runs::measure::{measure, survey};
use bitstate_harness::runs::verify::verify;
use bitstate_harness::targets::{Cell, RunRequest};
use bitstate_harness::workspace::environment::command;
use bitstate_harness::workspace::process::{Limits, ProcessError, run};
use bitstate_protocol::{Digest, Event, Header, Job, Metric, Phase};
use std::time::{Duration, Instant};
use support::Fake;

/// Verifies against a runner that is a script, and returns the message and the exit code.
fn verified(answer: impl FnOnce(&Fake) -> String, script: &str) -> (String, u8) {
    let fake = Fake::new();
    let built = Fake::built(fake.runner(&answer(&fake), script));
    Fake::outcome(&fake.with_plan(&built, verify).unwrap())
}

fn right(fake: &Fake) -> String {
    Fake::verify_answer(&fake.header(), &[Fake::stream([4, 5, 6])])
}

#[test]
fn a_right_answer_passes() {
    assert_eq!(verified(right, "cat $ANSWER"), ("verified small/greedy".into(), 0));
}

#[test]
fn the_chosen_kernel_becomes_a_row() {
    let fake = Fake::new();
    let built = Fake::built(fake.runner(&right(&fake), "cat $ANSWER"));
    let rows = fake.with_plan(&built, verify).unwrap();
    let layouts: Vec<_> = rows.iter().filter(|row| matches!(row, Row::Layout { .. })).collect();
    let [Row::Layout { target, variant, model, matrix, rows, cols, count, kernel, row_tail, col_tail }] = layouts[..]
    else {
        panic!("{layouts:?}")
    };
    assert_eq!([target, variant, model, matrix, kernel], ["native", "generic", "small", "head", "plain"]);
    assert_eq!((*rows, *cols, *count), (101, 96, Some(1)));
    assert_eq!([row_tail, col_tail], ["1 in plain Rust", "none"]);
    let silent = |fake: &Fake| Fake::answer(&fake.header(), &[Fake::stream([4, 5, 6])]);
    assert!(verified(silent, "cat $ANSWER").0.contains("there is no answer to `layout`"));
}

#[test]
fn a_wrong_token_is_a_wrong_answer_with_its_step() {
    let wrong = |fake: &Fake| Fake::verify_answer(&fake.header(), &[Fake::stream([4, 9, 6])]);
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
        ("head -c 100000000 /dev/zero", "more than 67108864 bytes of output, the limit"),
        ("yes | head -c 100000000", "more than 67108864 bytes of output, the limit"),
        ("yes | head -c 50000000", "`y` is not a message expected here"),
        ("cat $ANSWER; yes >&2", "more than 67108864 bytes of output, the limit"),
        ("cat $ANSWER | head -c -1", "without its closing line"),
        ("exec 1>&-; exit 0", "cut short"),
    ] {
        let (text, code) = verified(right, script);
        assert_eq!(code, 2, "{script}: {text}");
        assert!(text.contains(sentence), "{script}: {text}");
    }
}

#[test]
fn unsuccessful_exits_are_reported() {
    for (script, sentence) in [
        ("echo 'no such model' >&2; exit 2", "status: 2: no such model"),
        ("cat $ANSWER; exit 3", "status: 3"),
        ("cat $ANSWER; kill -SEGV $$", "ended by signal 11 (SIGSEGV, a bad address)"),
        (
            "echo 'assertion failed' >&2; kill -ABRT $$",
            "signal 6 (SIGABRT, it aborted itself); it said: assertion failed",
        ),
        ("kill -ILL $$", "signal 4 (SIGILL, an instruction that this CPU does not have)"),
        ("kill -KILL $$", "signal 9 (SIGKILL, from outside: memory may have run out)"),
        ("kill -USR1 $$", "ended by signal 10"),
        ("cat $ANSWER; sleep 60 & exit 0", "a process that it started kept running with its output open"),
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
        Fake::verify_answer(&fake.header(), &[error])
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
            Fake::verify_answer(&header, &[Fake::stream([4, 5, 6])])
        }
    };
    let cases: [(Change, &str); 3] = [
        (|header| header.variant = "avx2".into(), "requested variant `generic`, but `avx2` ran"),
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
    let twice = |fake: &Fake| Fake::verify_answer(&fake.header(), &[Fake::stream([4, 5, 6]), Fake::stream([4, 5, 6])]);
    assert!(verified(twice, "cat $ANSWER").0.contains("answered twice"));
    let none = |fake: &Fake| Fake::verify_answer(&fake.header(), &[]);
    assert!(verified(none, "cat $ANSWER").0.contains("there is no answer to `small/greedy`"));
    let other = |fake: &Fake| {
        let check = Event::Check { case: "exp".into(), digest: Digest(1) };
        Fake::verify_answer(&fake.header(), &[Fake::stream([4, 5, 6]), check])
    };
    assert!(verified(other, "cat $ANSWER").0.contains("`kernels` was not requested"));
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
    // The second has answered and closed its output, the third does not read its input.
    for script in ["sleep 60 & sleep 60", "cat $ANSWER; exec 1>&- 2>&-; sleep 60", "exec 0<&-; cat $ANSWER; sleep 60"] {
        let fake = Fake::new();
        let runner = fake.runner(&right(&fake), script);
        let jobs = vec![Job::Kernels];
        let ask = RunRequest { model: &fake.model, jobs, fuel: false, timeout: Duration::from_secs(1) };
        let started = Instant::now();
        let error = runner.run(fake.cell, &ask).unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(30), "{script}");
        assert_eq!(error.exit().code(), 2);
        assert!(error.to_string().contains("no end after 1 s, the time limit; it was killed"), "{script}: {error}");
    }
}

#[test]
fn a_runner_that_says_too_much_is_ended() {
    let limits = Limits { time: Duration::from_secs(60), output: 1000 };
    let error = run(command("/bin/sh").args(["-c", "exec yes"]), b"", limits).unwrap_err();
    assert!(matches!(error, ProcessError::TooMuch(1000)), "{error}");
}

#[test]
fn a_missing_runner_is_named() {
    let limits = Limits { time: Duration::from_secs(60), output: 1000 };
    let error = run(&mut command("/nowhere/runner"), b"", limits).unwrap_err();
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

/// Surveys with a runner that answers a bench, a profile and a kernel measurement from three files.
fn surveyed(profile: &[Event], kernels: &[Event]) -> (Vec<Row>, String, u8) {
    let fake = Fake::new();
    let mut bench = counts();
    bench.push(Fake::stream([4, 5, 6]));
    for (name, events) in [("bench", &bench[..]), ("profile", profile), ("roof", kernels)] {
        std::fs::write(fake.folder.path().join(name), Fake::answer(&fake.header(), events)).unwrap();
    }
    let script = r#"request=$(cat); cd "$(dirname "$ANSWER")"
        case "$request" in *profile*) cat profile;; *roof*) cat roof;; *) cat bench;; esac"#;
    let built = Fake::built(fake.runner("", script));
    let all = Patterns::parse("metric", &[]).unwrap();
    let rows = fake.with_plan(&built, |plan| survey(plan, &all, 1)).unwrap().rows;
    let text =
        rows.iter().filter_map(|row| if let Row::Failed { error, .. } = row { Some(error.as_str()) } else { None });
    let text = text.collect::<Vec<_>>().join("\n");
    let code = Tally::of(&rows).exit.code();
    (rows, text, code)
}

fn profile() -> Vec<Event> {
    let mut events = vec![Fake::stream([4, 5, 6])];
    for name in ["ternary", "head", "wkv", "norms", "steps", "sampling", "clock"] {
        events.push(Fake::metric(Phase::Profile, name, 30));
    }
    let (case, name, unit) = ("small/greedy".into(), "tokens".into(), "tokens".into());
    events.push(Event::Metric(Metric { case, phase: Phase::Profile, name, unit, value: 3 }));
    events
}

/// The metrics of every requested kernel: 1,000 ns for one execution.
fn kernels() -> Vec<Event> {
    let mut events = Vec::new();
    for job in kernel_jobs(Cell::named("native", "generic").unwrap()) {
        for case in job.cases() {
            let numbers: Vec<u64> = case.split(['/', 'x']).filter_map(|part| part.parse().ok()).collect();
            let unit = if case.starts_with("ternary/") { "weights" } else { "bytes" };
            let metric = |name: &str, unit: &str, value| {
                let (case, phase) = (case.clone(), Phase::Kernel);
                Event::Metric(Metric { case, phase, name: name.into(), unit: unit.into(), value })
            };
            events.extend([metric("time", "ns", 1000), metric(unit, unit, numbers.iter().product())]);
            if !case.starts_with("roof/") {
                events.push(Event::Check { case, digest: Digest(7) });
            }
        }
    }
    events
}

/// Events with one metric changed.
fn changed(events: Vec<Event>, which: (&str, &str), change: impl Fn(&mut Metric)) -> Vec<Event> {
    let mut hit = 0;
    let change = |mut event: Event| {
        if let Event::Metric(metric) = &mut event
            && (metric.case.as_str(), metric.name.as_str()) == which
        {
            change(metric);
            hit += 1;
        }
        event
    };
    let events = events.into_iter().map(change).collect();
    assert_eq!(hit, 1, "{which:?}");
    events
}

#[test]
fn a_right_survey_gives_rows_of_everything() {
    let (rows, text, code) = surveyed(&profile(), &kernels());
    assert_eq!((text.as_str(), code), ("", 0));
    let has = |name: &str, of: &str| {
        let of_case =
            |row: &&Row| matches!(row, Row::Sample { workload, phase, .. } if workload == name && phase == of);
        rows.iter().filter(of_case).count() as u32
    };
    // Two rows per kernel and eight per profile in each round; the model's bytes for each bench.
    assert_eq!(has("ternary/512x256/16", "kernel"), 2 * settings().probe_samples.full);
    assert_eq!(has("roof/8850000", "kernel"), 2 * settings().probe_samples.full);
    assert_eq!(has("small/greedy", "profile"), 8 * settings().probe_samples.full);
    assert_eq!(has("small/greedy", "decode"), 3 * settings().samples.full);
}

#[test]
fn nonsense_about_the_parts_of_a_token_is_refused() {
    let case = "small/greedy";
    let mut wrong = profile();
    wrong[0] = Fake::stream([4, 5, 7]);
    let (_, text, code) = surveyed(&wrong, &kernels());
    assert_eq!(code, 4);
    assert!(text.contains("its answer is wrong: first divergent step 2"), "{text}");

    let mut nothing = profile();
    for event in &mut nothing {
        if let Event::Metric(metric) = event
            && metric.name != "tokens"
        {
            metric.value = 0;
        }
    }
    let mut without_head = profile();
    without_head.retain(|event| !matches!(event, Event::Metric(metric) if metric.name == "head"));
    let mut twice = profile();
    twice.push(Fake::metric(Phase::Profile, "wkv", 1));
    let mut more = profile();
    more.push(Fake::metric(Phase::Profile, "mood", 1));
    let mut other_phase = profile();
    other_phase.push(Fake::metric(Phase::Decode, "time", 1));
    for (events, sentence) in [
        (without_head, "the profile does not have one `head`"),
        (twice, "the profile does not have one `wkv`"),
        (more, "the runner counts `mood` of profile of `small/greedy`, which was not requested"),
        (other_phase, "the runner counts `time` of decode of `small/greedy`, which was not requested"),
        (nothing, "no part of the profile took anything"),
        (changed(profile(), (case, "norms"), |m| m.unit = "s".into()), "`norms` of the profile is in s, not in ns"),
        (changed(profile(), (case, "tokens"), |m| m.value = 2), "the profile is not of 3 tokens"),
    ] {
        let (_, text, code) = surveyed(&events, &kernels());
        assert_eq!((text.as_str(), code), (sentence, 2));
    }
}

#[test]
fn nonsense_about_kernels_is_refused() {
    let ternary = "ternary/128x512/16";
    let mut more = kernels();
    more.push(Event::Metric(Metric {
        case: ternary.into(),
        phase: Phase::Kernel,
        name: "ternary".into(),
        unit: "ns".into(),
        value: 1,
    }));
    let mut unasked = kernels();
    unasked.push(Event::Check { case: "ternary/9x9/1".into(), digest: Digest(7) });
    let mut missing = kernels();
    missing.retain(|event| !matches!(event, Event::Check { case, .. } if case == ternary));
    let mut untimed = kernels();
    untimed.retain(|event| !matches!(event, Event::Metric(m) if m.case == ternary && m.name == "time"));
    for (events, sentence) in [
        (changed(kernels(), (ternary, "time"), |m| m.value = 0), "`ternary/128x512/16` took 0 ns"),
        (changed(kernels(), (ternary, "time"), |m| m.unit = "ms".into()), "`ternary/128x512/16` took 1000 ms"),
        (
            changed(kernels(), (ternary, "weights"), |m| m.value -= 1),
            "`ternary/128x512/16` did 1048575 weights, which is not a multiple of its 1048576 weights",
        ),
        (
            changed(kernels(), ("roof/16384", "bytes"), |m| m.value = 0),
            "`roof/16384` did 0 bytes, which is not a multiple of its 16384 bytes",
        ),
        (untimed, "`ternary/128x512/16` does not have one time and one number of weights"),
        (more, "the runner counts `ternary` of kernel of `ternary/128x512/16`, which was not requested"),
        (missing, "its answer is about the wrong things: there is no answer to `ternary/128x512/16`"),
        (unasked, "its answer is about the wrong things: `kernels` was not requested"),
    ] {
        let (_, text, code) = surveyed(&profile(), &events);
        assert_eq!((text.as_str(), code), (sentence, 2));
    }
}

#[test]
fn a_kernel_that_computes_otherwise_than_on_the_first_cell_is_a_wrong_answer() {
    let computed = Computed::default();
    let digests = |value| [("ternary/1x1/1".to_string(), Digest(value))].into_iter().collect();
    let [generic, avx2] = ["generic", "avx2"].map(|variant| Cell::named("native", variant).unwrap());
    assert_eq!(computed.differing(generic, &digests(1)), None);
    assert_eq!(computed.differing(avx2, &digests(1)), None);
    let said = computed.differing(avx2, &digests(2)).unwrap();
    assert_eq!(said, "kernel `ternary/1x1/1` gives 0000000000000002, but 0000000000000001 on native/generic");
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
