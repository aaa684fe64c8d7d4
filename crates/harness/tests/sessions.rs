//! Session files between targets, with runners that are scripts.
#![allow(clippy::unwrap_used)]

mod support;

use bitstate_harness::definitions::golden::{RESUMED_TOKENS, SAVED_TOKENS};
use bitstate_harness::records::Row;
use bitstate_harness::runs::plan::Plan;
use bitstate_harness::runs::verify::{sessions, verify};
use bitstate_harness::targets::Cell;
use bitstate_harness::targets::build::Built;
use bitstate_protocol::{Digest, Event, Header, SessionAnswer, StreamAnswer};
use support::Fake;

const TOKENS: u32 = SAVED_TOKENS + RESUMED_TOKENS;
/// In a quick run.
const KS: [u32; 5] = [0, 1, 2, 16, 64];

/// A case with sessions.
fn fake() -> Fake {
    let mut fake = Fake::new();
    let case = &mut fake.golden.cases[0];
    (case.sessions, case.workload.max_tokens) = (true, TOKENS);
    case.golden.tokens = (0..TOKENS).collect();
    case.golden.digests = (0..u64::from(TOKENS)).map(Digest).collect();
    fake
}

fn stream(name: &str, from: u32, to: u32) -> Event {
    let digests = (from..to).map(|step| Digest(u64::from(step))).collect();
    Event::Stream(StreamAnswer { case: name.into(), tokens: (from..to).collect(), digests })
}

fn session(name: &str, tokens: u32, k: u32) -> Event {
    let file = format!("the file after {k} tokens").into_bytes();
    Event::Session(SessionAnswer { case: name.into(), tokens, file })
}

/// The right answer to the request that begins a session.
fn begun() -> Vec<Event> {
    let mut saved: Vec<u32> = KS.iter().flat_map(|&k| [k, k + RESUMED_TOKENS]).collect();
    saved.sort();
    let mut events: Vec<Event> = saved.into_iter().map(|k| session("small/greedy", k, k)).collect();
    events.push(stream("small/greedy", 0, TOKENS));
    events
}

/// The right answer to the request that resumes all.
fn resumed() -> Vec<Event> {
    let one = |&k: &u32| {
        let (name, end) = (format!("small/greedy+{k}"), k + RESUMED_TOKENS);
        [session(&name, 0, k), session(&name, RESUMED_TOKENS, end), stream(&name, k, end)]
    };
    KS.iter().flat_map(one).collect()
}

/// What `judge` says of a runner with these answers.
fn judged<T>(begun: &[Event], resumed: &[Event], judge: impl FnOnce(&Plan, &[Row]) -> T) -> T {
    let fake = fake();
    for (name, events) in [("begun", begun), ("resumed", resumed)] {
        std::fs::write(fake.folder.path().join(name), Fake::answer(&fake.header(), events)).unwrap();
    }
    let streams = Fake::verify_answer(&fake.header(), &[stream("small/greedy", 0, 16)]);
    // A request with a failed job ends with 1.
    // Several run at once, each with a request of its own.
    let script = r#"cd "$(dirname "$0")"; KIND=$(grep -oE '^(begin|resume)' | head -n 1)
case $KIND in
begin) cat begun; ! grep -q ^error begun ;;
resume) cat resumed; ! grep -q ^error resumed ;;
*) cat $ANSWER ;;
esac"#;
    let built = Fake::built(fake.runner(&streams, script));
    fake.with_plan(&built, |plan| {
        let plan = Plan { cases: plan.cases.clone(), quick: true, ..*plan };
        judge(&plan, &verify(&plan).unwrap())
    })
}

fn verified(begun: &[Event], resumed: &[Event]) -> (String, u8) {
    judged(begun, resumed, |_, rows| Fake::outcome(rows))
}

#[test]
fn equal_files_and_streams_pass_and_the_cells_are_named() {
    assert_eq!(verified(&begun(), &resumed()), ("verified sessions\nverified small/greedy".into(), 0));
    let (steps, sentence) = judged(&begun(), &resumed(), |plan, rows| {
        let steps = rows.iter().find_map(|row| match row {
            Row::Verified { workload, steps, .. } if workload == "sessions" => Some(*steps),
            _ => None,
        });
        (steps, sessions::in_words(plan, rows))
    });
    assert_eq!(steps, Some(68 + 5 * 4));
    let sentence = sentence.unwrap();
    let expected = "session files of native/generic, made and resumed after 0, 1, 2, 16, 64 tokens by native/generic";
    assert_eq!(sentence, expected);
}

#[test]
fn a_target_without_the_library_is_left_out() {
    let mut fake = fake();
    fake.cell = Cell::named("cortex-m4", "generic").unwrap();
    let header = Header { target: "cortex-m".into(), ..fake.header() };
    let answer = Fake::verify_answer(&header, &[stream("small/greedy", 0, TOKENS)]);
    let mut built = Built::default();
    built.runners.insert("cortex-m4", fake.runner(&answer, "cat $ANSWER"));
    fake.with_plan(&built, |plan| {
        let rows = verify(plan).unwrap();
        let has = |name: &str| rows.iter().any(|row| matches!(row, Row::Verified { workload, .. } if workload == name));
        assert!(has("small/greedy") && Fake::outcome(&rows).0 == "verified small/greedy", "{rows:?}");
        assert_eq!(sessions::in_words(plan, &rows), None);
    });
}

#[test]
fn each_difference_is_a_wrong_answer_with_its_place() {
    let fails = |begun: &[Event], resumed: &[Event], sentence: &str| {
        let (text, code) = verified(begun, resumed);
        assert!(text.contains(sentence) && code == 4, "{code}: {text}");
    };
    let of = |name: &str, change: &dyn Fn(&mut Event)| {
        let mut events = if name.is_empty() { begun() } else { resumed() };
        for event in &mut events {
            if let Event::Stream(StreamAnswer { case, .. }) | Event::Session(SessionAnswer { case, .. }) = &*event
                && (name.is_empty() || case == name)
            {
                change(event);
            }
        }
        events
    };
    let wrong_token: &dyn Fn(&mut Event) = &|event| {
        if let Event::Stream(stream) = event {
            stream.tokens[1] += 1;
        }
    };
    let wrong_digest: &dyn Fn(&mut Event) = &|event| {
        if let Event::Stream(stream) = event {
            stream.digests[3].0 ^= 1;
        }
    };
    let lost_bit = |after: u32| {
        move |event: &mut Event| {
            if let Event::Session(session) = event
                && session.tokens == after
            {
                session.file[9] ^= 1;
            }
        }
    };
    fails(&of("", wrong_token), &resumed(), "small/greedy, continued after 0 tokens: first divergent step 1: token 2");
    let resumed_with = |name: &str, change: &dyn Fn(&mut Event)| of(name, change);
    let wrong = resumed_with("small/greedy+16", wrong_token);
    fails(&begun(), &wrong, "small/greedy, continued after 16 tokens: first divergent step 17: token 18, golden 17");
    let wrong = resumed_with("small/greedy+64", wrong_digest);
    fails(&begun(), &wrong, "continued after 64 tokens: first divergent step 67: logits digest");
    let wrong = resumed_with("small/greedy+2", &lost_bit(0));
    fails(
        &begun(),
        &wrong,
        "resumed after 2 tokens and saved 0 later: the file of 23 bytes differs from that of native/generic, of 23 bytes, from byte 9 on",
    );
    let wrong = resumed_with("small/greedy+1", &lost_bit(RESUMED_TOKENS));
    fails(&begun(), &wrong, "resumed after 1 tokens and saved 4 later");
}

#[test]
fn a_refused_or_missing_session_is_a_failure() {
    let mut refused = resumed();
    refused.retain(|event| !matches!(event, Event::Stream(StreamAnswer { case, .. }) | Event::Session(SessionAnswer { case, .. }) if case == "small/greedy+1"));
    let missing = verified(&begun(), &refused);
    assert!(missing.0.contains("there is no answer to `small/greedy+1`") && missing.1 == 2, "{missing:?}");
    refused.push(Event::Error { case: "small/greedy+1".into(), message: "the session file is damaged".into() });
    let (text, code) = verified(&begun(), &refused);
    assert!(text.contains("continued after 1 tokens: the runner says: the session file is damaged"), "{text}");
    assert_eq!(code, 2);
    let mut unsaved = resumed();
    unsaved.remove(1);
    assert!(verified(&begun(), &unsaved).0.contains("there is no answer to `small/greedy+0`"));
    let mut twice = resumed();
    twice.push(twice[0].clone());
    assert!(verified(&begun(), &twice).0.contains("`small/greedy+0` is answered twice"));
    assert!(verified(&[], &resumed()).0.contains("there is no answer to `small/greedy`"));
}
