//! Pairs of runners with planted differences: which are reported as a change, and which are not.
#![allow(clippy::unwrap_used)]

mod support;

use bitstate_harness::definitions::thresholds::TimeLimits;
use bitstate_harness::records::{Row, Tally};
use bitstate_harness::runs::pairs::{Pairs, Settings, Side, compare};
use bitstate_harness::verdicts::comparison::{self, Comparison};
use bitstate_harness::verdicts::stats::verdict::Verdict;
use bitstate_protocol::Phase;
use support::Fake;

const LIMITS: TimeLimits = TimeLimits { floor: 0.01, ceiling: 0.05 };

/// A runner whose decode takes `decode` ns, with additions to the script.
fn fake(decode: u64, script: &str) -> (Fake, String) {
    let fake = Fake::new();
    fake.one_take(&takes(&fake, &[decode]));
    let answer = takes(&fake, &[3 * decode, decode, 2 * decode]);
    fake.runner(&answer, script);
    (fake, answer)
}

/// An answer with one take per time.
fn takes(fake: &Fake, decode: &[u64]) -> String {
    let mut events = Vec::new();
    for (take, decode) in decode.iter().enumerate() {
        let of_take = [
            Fake::metric(Phase::Load, "time", 1000),
            Fake::metric(Phase::Prefill, "time", 5000),
            Fake::metric(Phase::Prefill, "tokens", 1),
            Fake::metric(Phase::Decode, "time", *decode),
            Fake::metric(Phase::Decode, "tokens", 3),
            Fake::stream([4, 5, 6]),
        ];
        events.extend(Fake::of_take(take, of_take.to_vec()));
    }
    Fake::answer(&fake.header(), &events)
}

fn compared(a: (Fake, String), b: (Fake, String), scripts: [&str; 2]) -> (Vec<Row>, Vec<Comparison>) {
    let (built_a, built_b) = (Fake::built(a.0.runner(&a.1, scripts[0])), Fake::built(b.0.runner(&b.1, scripts[1])));
    let rows = a.0.with_plan(&built_a, |plan_a| {
        b.0.with_plan(&built_b, |plan_b| {
            let sides = [
                Side { label: "old", plan: plan_a, cell: a.0.cell },
                Side { label: "new", plan: plan_b, cell: b.0.cell },
            ];
            let settings = Settings { pairs: Pairs::Exactly(20), seed: 1, limits: LIMITS };
            compare(&[sides], &settings).unwrap().rows
        })
    });
    let comparisons = comparison::of(&rows, LIMITS);
    (rows, comparisons)
}

fn decode(comparisons: &[Comparison]) -> &Comparison {
    comparisons.iter().find(|comparison| comparison.phase == "decode").unwrap()
}

#[test]
fn a_planted_slowdown_is_a_regression_after_two_rounds() {
    let cat = ["cat $ANSWER"; 2];
    let (rows, comparisons) = compared(fake(100_000, cat[0]), fake(105_000, cat[1]), cat);
    assert_eq!(decode(&comparisons).verdict, Verdict::Regression);
    assert_eq!(decode(&comparisons).sides, ["native/generic old", "native/generic new"]);
    assert_eq!(decode(&comparisons).rounds.len(), 2);
    let prefill = comparisons.iter().find(|comparison| comparison.phase == "prefill").unwrap();
    assert_eq!(
        (prefill.verdict, prefill.rounds.len()),
        (Verdict::Noise, 2),
        "not only what looks bad is measured again"
    );
    // Half of the pairs of each kind and round start with the second side.
    for noise in [false, true] {
        let swapped = rows.iter().filter(|row| {
            matches!(row, Row::Pair { noise: n, round: 0, second_first: true, phase, .. } if *n == noise && phase == "decode")
        });
        assert_eq!(swapped.count(), 10);
    }
}

#[test]
fn no_change_is_noise_after_one_round() {
    let cat = ["cat $ANSWER"; 2];
    let (rows, comparisons) = compared(fake(100_000, cat[0]), fake(100_000, cat[1]), cat);
    assert_eq!((decode(&comparisons).verdict, decode(&comparisons).rounds.len()), (Verdict::Noise, 1));
    assert_eq!(Tally::of(&rows).exit.code(), 0);
}

#[test]
fn a_side_that_fails_is_a_failure_and_no_comparison() {
    for (script, code, sentence) in [
        ("echo hello", 2, "is not a message expected here"),
        ("kill -KILL $$", 2, "ended by signal 9"),
        ("exit 2", 2, "ended with status"),
        ("sed 's/tokens=4/tokens=7/' $ANSWER", 2, "altered on its way"),
    ] {
        let (rows, comparisons) =
            compared(fake(100_000, "cat $ANSWER"), fake(100_000, script), ["cat $ANSWER", script]);
        let (text, found) = Fake::outcome(&rows);
        assert_eq!(found, code, "{script}: {text}");
        assert!(text.contains(sentence), "{script}: {text}");
        assert!(comparisons.is_empty());
    }
}

#[test]
fn a_side_that_fails_on_the_way_ends_its_contest() {
    // The fifth run finds four marks and fails.
    let script = "n=$(ls $ANSWER.* 2>/dev/null | wc -l); touch $ANSWER.$n; [ $n -lt 4 ] && cat $ANSWER || exit 2";
    let (rows, _) = compared(fake(100_000, "cat $ANSWER"), fake(100_000, script), ["cat $ANSWER", script]);
    let failures = rows.iter().filter(|row| matches!(row, Row::Failed { .. })).count();
    assert_eq!((failures, Tally::of(&rows).exit.code()), (1, 2));
}

#[test]
fn sides_that_answer_another_question_are_not_comparable() {
    let cat = ["cat $ANSWER"; 2];
    let mut b = fake(100_000, cat[1]);
    b.0.golden.cases[0].workload.prompt = vec![2];
    let (rows, comparisons) = compared(fake(100_000, cat[0]), b, cat);
    let (text, code) = Fake::outcome(&rows);
    assert_eq!((code, comparisons.len()), (3, 0), "{text}");
    assert!(text.contains("the prompt, the length or the sampler of `new` is not that of `old`"), "{text}");
}
