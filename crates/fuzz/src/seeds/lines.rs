//! Requests and answers.

use super::text;
use crate::Inputs;
use bitstate_harness::definitions::golden::{parse_cases, parse_stream};
use bitstate_protocol::{
    AnswerWriter, Begin, Budget, Digest, Event, Header, Job, Layout, Metric, Phase, Request, Resume, Roof,
    SessionAnswer, Shape, Steps, StreamAnswer, Throughput, Workload,
};
use std::path::Path;

/// The workloads of `golden/cases.toml`, with truncated prompts.
fn workloads(root: &Path) -> anyhow::Result<Vec<(String, Workload)>> {
    let (_, questions) = parse_cases(&text(root, "golden/cases.toml")?).map_err(anyhow::Error::msg)?;
    Ok(questions.into_iter().map(|question| (question.model, question.workload)).collect())
}

fn cut(workload: &Workload) -> Workload {
    let prompt = workload.prompt.iter().take(8).copied().collect();
    Workload { prompt, ..workload.clone() }
}

/// Every job, and the golden cases.
///
/// # Errors
/// If `golden/cases.toml` cannot be read.
pub fn request(root: &Path) -> anyhow::Result<Inputs> {
    let workloads: Vec<Workload> = workloads(root)?.iter().map(|(_, workload)| cut(workload)).collect();
    let budget = Budget { ticks: 20_000_000, slices: 5 };
    let shape = |rows, cols| Shape { rows, cols };
    let mut jobs: Vec<(String, Job)> = vec![
        ("kernels".into(), Job::Kernels),
        ("layout".into(), Job::Layout),
        (
            "resume".into(),
            Job::Resume(Resume { case: "a".into(), max_tokens: 3, save: vec![0, 3], file: vec![0x7b, 0] }),
        ),
        ("steps".into(), Job::Steps(Steps { case: "a %b".into(), prompt: vec![1, 2], tokens: vec![3] })),
        ("roof".into(), Job::Roof(Roof { bytes: vec![16_384, 8_850_000], budget })),
        (
            "throughput".into(),
            Job::Throughput(Throughput {
                ternary: vec![shape(256, 256), shape(512, 128)],
                tokens: vec![1, 16],
                heads: vec![shape(64, 64)],
                budget,
            }),
        ),
    ];
    let begun = workloads.first().map(|workload| Begin { workload: workload.clone(), save: vec![0, 1] });
    jobs.extend(begun.map(|begin| ("begin".into(), Job::Begin(begin))));
    for (i, workload) in workloads.iter().enumerate() {
        let job = [Job::Stream, Job::Bench, Job::Profile, Job::Parts][i % 4](workload.clone());
        jobs.push((format!("case-{i}"), job));
    }
    let all = Request { variant: "avx2".into(), jobs: jobs.iter().map(|(_, job)| job.clone()).collect() };
    let one = |(name, job)| (name, Request { variant: "lut".into(), jobs: vec![job] });
    let requests = jobs.into_iter().map(one).chain([("all".into(), all)]);
    Ok(requests.map(|(name, request)| (name, request.to_text().into_bytes())).collect())
}

/// Every event, and the golden streams.
///
/// # Errors
/// If a file of `golden/` cannot be read.
pub fn answer(root: &Path) -> anyhow::Result<Inputs> {
    let digest = Digest(1);
    let case = String::from("a case %");
    let mut events: Vec<(String, Event)> = vec![
        ("check".into(), Event::Check { case: case.clone(), digest }),
        ("step".into(), Event::Step { case: case.clone(), position: 1, layer: 0, step: "tm.r".into(), digest }),
        ("session".into(), Event::Session(SessionAnswer { case: case.clone(), tokens: 3, file: vec![0x7b, 0] })),
        ("error".into(), Event::Error { case: case.clone(), message: "it does not\nfit".into() }),
        (
            "layout".into(),
            Event::Layout(Layout {
                matrix: "tm.r".into(),
                rows: 96,
                cols: 101,
                count: 4,
                kernel: "madd".into(),
                row_tail: "none".into(),
                col_tail: "padded".into(),
            }),
        ),
    ];
    for phase in Phase::ALL {
        let metric = Metric { case: case.clone(), phase, name: "time".into(), unit: "ns".into(), value: 12_345 };
        events.push((format!("metric-{phase}"), Event::Metric(metric)));
    }
    for (model, workload) in workloads(root)? {
        let name = workload.case.replace('/', "__");
        let stream = text(root, &format!("golden/streams/{name}.json"))?;
        let stream = parse_stream(&stream, &model, &workload).map_err(anyhow::Error::msg)?;
        let [tokens, digests] = [4, 4].map(|count: usize| count);
        let event = StreamAnswer {
            case: workload.case,
            tokens: stream.tokens.into_iter().take(tokens).collect(),
            digests: stream.digests.into_iter().take(digests).collect(),
        };
        events.push((format!("stream-{name}"), Event::Stream(event)));
    }
    let all = ("all".to_string(), events.iter().map(|(_, event)| event.clone()).collect::<Vec<_>>());
    let answers = events.into_iter().map(|(name, event)| (name, vec![event])).chain([all]);
    Ok(answers.map(|(name, events)| (name, written(&events))).collect())
}

fn written(events: &[Event]) -> Vec<u8> {
    let header = Header { target: "native".into(), variant: "avx2".into(), model: Digest(7) };
    let mut text = String::new();
    let mut writer = AnswerWriter::new(|line: &str| text.push_str(line), &header);
    events.iter().for_each(|event| writer.event(event));
    // The target also adds the closing line, so half of its inputs are complete.
    writer.finish();
    text.into_bytes()
}
