//! Requests and answers survive a round trip; anything else is refused with the line named.

use bitstate_protocol::{
    Answer, AnswerWriter, Begin, Bias, Budget, Chain, Digest, Event, Header, Job, Layout, LineError, Metric, Phase,
    Request, Resume, Roof, Sampling, SessionAnswer, Shape, Steps, StreamAnswer, Throughput, Workload,
};

fn request() -> Request {
    let seeded = Sampling::Seeded { seed: 7, temperature: 0.8, top_k: 50, top_p: 0.9, penalty: 1.1 };
    let bias = vec![Bias { token: 7, bias: -100.0 }, Bias { token: 0, bias: 1.5 }];
    let chain = Chain { bias, temperature_last: true, min_p: 0.05, window: 65_536, ..Chain::plain(3) };
    let workload = |sampling| Workload { case: "a b%\n=é".into(), prompt: vec![1, 2], max_tokens: 3, sampling };
    Request {
        variant: "avx2".into(),
        jobs: vec![
            Job::Kernels,
            Job::Stream(workload(seeded)),
            Job::Stream(workload(Sampling::Chain(Chain::plain(u64::MAX)))),
            Job::Stream(workload(Sampling::Chain(chain))),
            Job::Bench(workload(Sampling::Greedy)),
            Job::Steps(Steps { case: "a".into(), prompt: vec![1, 2], tokens: vec![3] }),
            Job::Steps(Steps { case: "b".into(), prompt: vec![1], tokens: vec![] }),
            Job::Profile(workload(Sampling::Greedy)),
            Job::Parts(workload(Sampling::Greedy)),
            Job::Layout,
            Job::Roof(Roof { bytes: vec![16_384, u32::MAX], budget: Budget { ticks: 5, slices: 3 } }),
            Job::Throughput(throughput()),
            Job::Begin(Begin { workload: workload(Sampling::Greedy), save: vec![0, 3] }),
            Job::Resume(Resume { case: "c".into(), max_tokens: 4, save: vec![], file: (0..=255).collect() }),
            Job::Resume(Resume { case: "d".into(), max_tokens: 0, save: vec![0], file: vec![] }),
        ],
    }
}

fn throughput() -> Throughput {
    let (wide, tall) = (Shape { rows: 128, cols: 512 }, Shape { rows: 32_011, cols: 256 });
    let budget = Budget { ticks: 0, slices: 1 };
    Throughput { ternary: vec![wide, tall], tokens: vec![1, 16], heads: vec![tall], budget }
}

fn answer() -> (Answer, String) {
    let case = String::from("case one");
    let answer = Answer {
        header: Header { target: "native".into(), variant: "avx2".into(), model: Digest(1) },
        events: vec![
            Event::Stream(StreamAnswer { case: case.clone(), tokens: vec![1, 2], digests: vec![Digest(3), Digest(4)] }),
            Event::Metric(Metric {
                case: case.clone(),
                phase: Phase::Decode,
                name: "time".into(),
                unit: "ns".into(),
                value: u64::MAX,
            }),
            Event::Layout(Layout {
                matrix: "head".into(),
                rows: 101,
                cols: 96,
                count: 4,
                kernel: "16 lanes".into(),
                row_tail: "1 in plain Rust".into(),
                col_tail: "none".into(),
            }),
            Event::Check { case: "exp".into(), digest: Digest(9) },
            Event::Step { case: case.clone(), position: 1, layer: 2, step: "tm.r".into(), digest: Digest(5) },
            Event::Session(SessionAnswer { case: case.clone(), tokens: 7, file: vec![0, 10, 0xff] }),
            Event::Error { case, message: "out of memory: give it more".into() },
        ],
    };
    let mut text = String::new();
    let mut writer = AnswerWriter::new(|line| text.push_str(line), &answer.header);
    for event in &answer.events {
        writer.event(event);
    }
    writer.finish();
    (answer, text)
}

#[test]
fn request_round_trip() {
    let request = request();
    assert_eq!(Request::parse(&request.to_text()), Ok(request));
}

#[test]
fn answer_round_trip() {
    let (answer, text) = answer();
    assert_eq!(Answer::parse(&text), Ok(answer));
}

#[test]
fn an_answer_cut_anywhere_is_refused() {
    let (_, text) = answer();
    for length in 0..text.len() {
        assert!(Answer::parse(&text[..length]).is_err(), "cut after {length} bytes");
    }
}

#[test]
fn an_answer_with_a_changed_byte_is_refused() {
    let (_, text) = answer();
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        let changed = String::from_utf8(bytes).expect("ASCII");
        assert!(Answer::parse(&changed).is_err(), "byte {at} changed");
    }
}

#[test]
fn lines_after_the_end_and_unknown_lines_are_refused() {
    let (_, text) = answer();
    let spliced = format!("{text}check case=late digest=0000000000000001\n");
    assert!(matches!(Answer::parse(&spliced), Err(LineError::Keyword { .. })));
    assert!(matches!(
        Request::parse("bitstate-request version=2 variant=a\ndance\n"),
        Err(LineError::Keyword { line: 2, .. })
    ));
    assert!(matches!(
        Request::parse("bitstate-request version=9 variant=a\n"),
        Err(LineError::Version { found: 9, .. })
    ));
    assert!(matches!(
        Request::parse("bitstate-request version=2 variant=a variant=b\n"),
        Err(LineError::Unexpected { line: 1, .. })
    ));
    // The text of a runner or harness from before kernels were measured.
    let old = LineError::Version { found: 1, ours: 2 };
    assert_eq!(Request::parse("bitstate-request version=1 variant=a\nkernels\n"), Err(old.clone()));
    assert_eq!(Answer::parse("bitstate version=1 target=native variant=a model=0000000000000001\n"), Err(old));
}

#[test]
fn every_phase_has_a_name_of_its_own() {
    for phase in Phase::ALL {
        assert_eq!(phase.name().parse(), Ok(phase));
    }
}

#[test]
fn an_answer_must_mention_every_shape_asked_for() {
    let cases = Job::Throughput(throughput()).cases();
    assert_eq!(
        cases,
        ["ternary/128x512/1", "ternary/128x512/16", "ternary/32011x256/1", "ternary/32011x256/16", "head/32011x256"]
    );
    let roof = Roof { bytes: vec![16_384, 9], budget: Budget { ticks: 1, slices: 1 } };
    assert_eq!(Job::Roof(roof).cases(), ["roof/16384", "roof/9"]);
}

#[test]
fn nothing_of_no_size_can_be_asked_for() {
    for (line, field) in [
        ("roof bytes=16,0 ticks=1 slices=1", "bytes"),
        ("roof bytes=16 ticks=1 slices=0", "slices"),
        ("roof bytes=-1 ticks=1 slices=1", "bytes"),
        ("throughput ternary=0x4 tokens=1 heads= ticks=1 slices=1", "ternary"),
        ("throughput ternary=4x tokens=1 heads= ticks=1 slices=1", "ternary"),
        ("throughput ternary=4x4 tokens=0 heads= ticks=1 slices=1", "tokens"),
        ("throughput ternary=4x4 tokens=1 heads=4x0 ticks=1 slices=1", "heads"),
    ] {
        let error = Request::parse(&format!("bitstate-request version=2 variant=a\n{line}\n")).unwrap_err();
        assert!(
            matches!(&error, LineError::BadValue { line: 2, field: found, .. } if found == field),
            "{line}: {error}"
        );
    }
}

#[test]
fn malformed_sessions_are_refused() {
    for (line, field, value) in [
        ("resume case=c max_tokens=1 save=1 file=7b2", "file", "2"),
        ("resume case=c max_tokens=1 save=1 file=7b2g", "file", "2g"),
        ("resume case=c max_tokens=1 save=1 file=7b%20", "file", "%2"),
        ("resume case=c max_tokens=1 save=1 file=+17b", "file", "+1"),
        ("resume case=c max_tokens=1 save=1 file=\u{fc}", "file", "\u{fc}"),
        ("resume case=c max_tokens=1 save=0,2 file=", "save", "2"),
        ("begin case=c prompt=1 max_tokens=3 sampler=greedy save=4", "save", "4"),
        ("begin case=c prompt=1 max_tokens=3 sampler=none save=", "sampler", "none"),
    ] {
        let refused = Request::parse(&format!("bitstate-request version=2 variant=a\n{line}\n"));
        assert_eq!(refused, Err(LineError::BadValue { line: 2, field: field.into(), value: value.into() }), "{line}");
    }
    for (line, field) in [
        ("resume case=c max_tokens=1 save=1", "file"),
        ("resume case=c max_tokens=1 file=", "save"),
        ("begin case=c prompt=1 max_tokens=3 sampler=greedy", "save"),
    ] {
        let refused = Request::parse(&format!("bitstate-request version=2 variant=a\n{line}\n"));
        assert_eq!(refused, Err(LineError::Missing { line: 2, field }), "{line}");
    }
}

#[test]
fn every_nan_has_one_digest() {
    let quiet = f32::from_bits(0x7fc0_0000);
    let other = f32::from_bits(0xffc0_1234);
    assert_eq!(Digest::of_f32s(&[1.0, quiet]), Digest::of_f32s(&[1.0, other]));
    assert_ne!(Digest::of_f32s(&[0.0]), Digest::of_f32s(&[-0.0]));
}
