//! Requests to the suite, on a host whose clock counts its own readings.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate_kernels::{Kernels, Variant};
use bitstate_model::{Preset, Version, Weights};
use bitstate_protocol::{
    Answer, Budget, Digest, Event, Job, Metric, Phase, Request, Roof, Sampling, Shape, Steps, Throughput, Workload,
};
use bitstate_suite::{HeapUse, Host, RunError, run};
use std::collections::BTreeMap;
use support::{Counting, ask, ask_of, small, variants};

fn workload() -> Workload {
    Workload { case: "a".into(), prompt: vec![3, 1, 4], max_tokens: 5, sampling: Sampling::Greedy }
}

fn metrics(events: &[Event]) -> Vec<&Metric> {
    let mut metrics = Vec::new();
    for event in events {
        if let Event::Metric(metric) = event {
            metrics.push(metric);
        }
    }
    metrics
}

#[test]
fn a_profile_has_every_part_and_changes_no_answer() {
    for variant in variants() {
        let (plain, _) = ask(variant, vec![Job::Stream(workload())]);
        let (events, good) = ask(variant, vec![Job::Profile(workload())]);
        assert!(good);
        assert_eq!(events[0], plain[0], "{variant:?}");
        let parts: BTreeMap<&str, u64> = metrics(&events).iter().map(|m| (m.name.as_str(), m.value)).collect();
        let names: Vec<&str> = parts.keys().copied().collect();
        assert_eq!(names, ["clock", "head", "norms", "sampling", "steps", "ternary", "tokens", "wkv"]);
        assert!(metrics(&events).iter().all(|m| m.phase == Phase::Profile && m.case == "a"));
        // Only the clock takes time, so nothing is left after subtracting it.
        let work: u64 = parts.iter().filter(|(name, _)| !["clock", "tokens"].contains(name)).map(|(_, v)| v).sum();
        assert_eq!((work, parts["tokens"]), (0, 5));
        // A token has 11 intervals per layer, plus those of the embedding, the final norm and the head.
        let layers = Preset::by_name("small").unwrap().config().n_layer as u64;
        assert_eq!(parts["clock"], 5 * 3 * (layers * 11 + 3), "{variant:?}");
    }
}

#[test]
fn parts_are_of_the_prompt_and_of_the_tokens_and_change_no_answer() {
    let layers = Preset::by_name("small").unwrap().config().n_layer as u64;
    for variant in variants() {
        let (plain, _) = ask(variant, vec![Job::Stream(workload())]);
        let (events, good) = ask(variant, vec![Job::Parts(workload())]);
        assert!(good);
        assert_eq!(events[0], plain[0], "{variant:?}");
        for phase in [Phase::Prefill, Phase::Decode] {
            let parts = metrics(&events).into_iter().filter(|m| m.phase == phase);
            let names: Vec<&str> = parts.map(|m| m.name.as_str()).collect();
            assert_eq!(names, ["ternary", "head", "wkv", "norms", "steps", "sampling"]);
        }
        // Only reading the clock takes time here, and that is subtracted.
        assert!(layers > 0 && metrics(&events).iter().all(|m| m.value == 0), "{variant:?}");
    }
}

/// Digests by position, layer and step.
fn steps(variant: Variant, prompt: &[u32], tokens: &[u32]) -> BTreeMap<(u32, u32, String), Digest> {
    let steps = Steps { case: "a".into(), prompt: prompt.to_vec(), tokens: tokens.to_vec() };
    let (events, good) = ask(variant, vec![Job::Steps(steps)]);
    assert!(good);
    let step = |event| match event {
        Event::Step { position, layer, step, digest, .. } => ((position, layer, step), digest),
        other => panic!("{other:?}"),
    };
    let found: Vec<_> = events.into_iter().map(step).collect();
    let (all, places) = (found.len(), found.into_iter().collect::<BTreeMap<_, _>>());
    assert_eq!(places.len(), all, "no place twice");
    places
}

#[test]
fn a_prompt_at_once_has_the_steps_of_its_tokens_one_by_one() {
    let tokens: Vec<u32> = (0..37).map(|i| i * 7 % 64).collect();
    let layers = Preset::by_name("small").unwrap().config().n_layer as u32;
    let one_by_one = steps(Variant::Generic, &tokens[..1], &tokens[1..]);
    // The embedding, ten steps a layer, and the final norm and the head of every token.
    assert_eq!(one_by_one.len(), 37 * (1 + 10 * layers as usize + 2));
    for variant in variants() {
        let at_once = steps(variant, &tokens, &[]);
        // The head is computed only after the last token.
        let expected = one_by_one.iter().filter(|((position, layer, _), _)| *layer < layers || *position == 36);
        assert!(at_once.iter().eq(expected), "{variant:?}");
        assert_eq!(steps(variant, &tokens[..20], &tokens[20..]).len(), at_once.len() + 2 * 17);
    }
}

#[test]
fn kernels_by_shape_compute_the_same_on_every_variant() {
    let shapes = vec![Shape { rows: 33, cols: 101 }, Shape { rows: 1, cols: 1 }, Shape { rows: 128, cols: 64 }];
    let throughput = Throughput {
        ternary: shapes.clone(),
        tokens: vec![1, 3],
        heads: shapes,
        budget: Budget { ticks: 6, slices: 3 },
    };
    let job = Job::Throughput(throughput);
    let digests = |events: &[Event]| -> BTreeMap<String, Digest> {
        let check = |event: &Event| {
            if let Event::Check { case, digest } = event { Some((case.clone(), *digest)) } else { None }
        };
        events.iter().filter_map(check).collect()
    };
    let (events, _) = ask(Variant::Generic, vec![job.clone()]);
    let expected = digests(&events);
    assert_eq!(expected.len(), 9);
    for variant in variants() {
        let (events, good) = ask(variant, vec![job.clone()]);
        assert!(good);
        assert_eq!(digests(&events), expected, "{variant:?}");
        for case in job.cases() {
            let of_case: Vec<&Metric> = metrics(&events).into_iter().filter(|m| m.case == case).collect();
            let [time, amount] = of_case[..] else { panic!("{case}: {of_case:?}") };
            assert_eq!((time.name.as_str(), time.unit.as_str(), time.value), ("time", "ns", 3));
            let unit = if case.starts_with("head/") { "bytes" } else { "weights" };
            assert_eq!((amount.name.as_str(), amount.phase), (unit, Phase::Kernel), "{case}");
            assert!(amount.value > 0, "{case}");
        }
    }
}

#[test]
fn a_budget_of_nothing_is_one_repetition() {
    let shape = Shape { rows: 128, cols: 512 };
    let budget = Budget { ticks: 0, slices: 5 };
    let jobs = vec![
        Job::Throughput(Throughput { ternary: vec![shape], tokens: vec![2], heads: vec![shape], budget }),
        Job::Roof(Roof { bytes: vec![1000], budget }),
    ];
    let (events, _) = ask(Variant::Generic, jobs);
    let amounts: Vec<u64> = metrics(&events).iter().filter(|m| m.name != "time").map(|m| m.value).collect();
    assert_eq!(amounts, [2 * 128 * 512, 128 * 512, 1000]);
}

#[test]
fn the_layout_names_every_matrix_once() {
    for variant in variants() {
        let (events, _) = ask(variant, vec![Job::Layout]);
        let layouts =
            events.iter().map(|event| if let Event::Layout(layout) = event { layout } else { panic!("{event:?}") });
        let names: Vec<&str> = layouts.clone().map(|layout| layout.matrix.as_str()).collect();
        assert_eq!(
            names,
            [
                "tm.r", "tm.k", "tm.v", "tm.g", "tm.o", "cm.k", "cm.r", "cm.v", "head", "head.top", "wkv", "vectors",
                "vectors", "vectors"
            ]
        );
        // The small preset fits every block.
        for layout in layouts {
            assert_eq!(
                (layout.row_tail.as_str(), layout.col_tail.as_str()),
                ("none", "none"),
                "{variant:?} {layout:?}"
            );
        }
    }
}

#[test]
fn a_variant_that_cannot_run_here_gives_no_answer_and_names_what_is_missing() {
    let mut refused = 0;
    for variant in Variant::ALL {
        let Err(unavailable) = Kernels::new(variant) else { continue };
        let mut host = Counting::default();
        let request = Request { variant: variant.name().into(), jobs: vec![Job::Kernels] };
        let error = run(&request.to_text(), &small(), &mut host).unwrap_err();
        assert!(matches!(error, RunError::Engine(_)), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(variant.name()) && text.contains(unavailable.missing), "{text}");
        assert_eq!(host.text, "");
        refused += 1;
    }
    // No target has the SIMD of both families.
    assert!(refused > 0);
}

/// A stream of tokens chosen from NaN logits would look like any other.
#[test]
fn logits_that_are_no_numbers_are_an_error_and_no_stream() {
    let mut weights = Weights::synthetic(&Preset::by_name("small").unwrap().config(), 1).unwrap();
    weights.ln_f.weight.fill(3e38);
    let seeded = Sampling::Seeded { seed: 1, temperature: 0.8, top_k: 50, top_p: 0.9, penalty: 1.1 };
    for version in [Version::V1_1, Version::V1_2] {
        let file = weights.write(version).unwrap();
        for variant in variants() {
            for sampling in [Sampling::Greedy, seeded.clone()] {
                let workload = || Workload { sampling: sampling.clone(), ..workload() };
                let steps = Steps { case: "a".into(), prompt: vec![3, 1, 4], tokens: vec![5] };
                let jobs = vec![
                    Job::Stream(workload()),
                    Job::Bench(workload()),
                    Job::Profile(workload()),
                    Job::Parts(workload()),
                    Job::Steps(steps),
                ];
                let (events, good) = ask_of(&file, variant, jobs);
                let is_step = |event: &Event| matches!(event, Event::Step { .. });
                let mut errors = 0;
                for event in events.iter().filter(|event| !is_step(event)) {
                    let Event::Error { case, message } = event else { panic!("{variant:?}: {event:?}") };
                    let placed = errors == 4 || message.contains("position 3");
                    assert!(case == "a" && placed && message.contains("NaN or infinite"), "{message}");
                    errors += 1;
                }
                assert!(!good && errors == 5, "{variant:?}: {events:?}");
            }
        }
    }
}

/// Whether they are parsed at all depends on the protocol's feature, which another crate of the build may turn on.
#[cfg(not(feature = "sessions"))]
#[test]
fn a_runner_without_the_library_refuses_sessions_and_names_the_feature() {
    for line in
        ["begin case=a prompt=1 max_tokens=1 sampler=greedy save=0", "resume case=a max_tokens=1 save=0 file=7b"]
    {
        let request = format!("bitstate-request version=2 variant=generic\n{line}\n");
        let mut host = Counting::default();
        let refused = match run(&request, &small(), &mut host) {
            Err(error) => error.to_string(),
            Ok(good) => match &Answer::parse(&host.text).unwrap().events[..] {
                [Event::Error { message, .. }] if !good => message.clone(),
                events => panic!("{events:?}"),
            },
        };
        assert!(refused.contains("the feature `sessions`"), "{refused}");
    }
}

/// A host with slow weights and a heap of `room` bytes: a session and what loads it take 100,000, copies what they take,
/// and a later job 5,000 more.
struct Slow {
    text: String,
    room: usize,
    copies: u64,
    is_loaded: bool,
}

impl Host for Slow {
    fn target(&self) -> &str {
        "test"
    }

    fn tick_metric(&self) -> (&'static str, &'static str) {
        ("time", "ns")
    }

    fn ticks(&mut self) -> u64 {
        0
    }

    fn heap(&mut self) -> HeapUse {
        let before = self.room > 0 && !std::mem::replace(&mut self.is_loaded, true);
        let peak_bytes = if before { 100_000 } else { 105_000 + self.copies };
        HeapUse { peak_bytes, ..HeapUse::default() }
    }

    fn peak_memory(&mut self) -> Option<u64> {
        Some(9_000 + self.heap().peak_bytes)
    }

    fn free_for_weights(&mut self) -> usize {
        self.room
    }

    fn line(&mut self, line: &str) {
        self.text += line;
    }
}

#[test]
fn copied_weights_are_no_part_of_the_peaks() {
    let config = Preset::by_name("small").unwrap().config();
    let (d, f) = (config.n_embd, config.ff_dim());
    let all = (config.n_layer * (6 * d * d + 2 * d * f) / 4) as u64;
    let measured = |room, copies| {
        let mut host = Slow { text: String::new(), room, copies, is_loaded: false };
        let request = Request { variant: "generic".into(), jobs: vec![Job::Bench(workload())] };
        assert!(run(&request.to_text(), &small(), &mut host).unwrap());
        let events = Answer::parse(&host.text).unwrap().events;
        let values = metrics(&events).into_iter().filter(|m| m.unit == "bytes").map(|m| (m.name.clone(), m.value));
        values.collect::<BTreeMap<_, _>>()
    };
    let without = [("heap_peak".to_string(), 105_000), ("peak_memory".to_string(), 114_000)].into();
    assert_eq!(measured(0, 0), without);
    let mut with = measured(usize::MAX, all);
    assert_eq!(with.remove("weight_copies"), Some(all));
    assert_eq!(with, without);
}
