//! A runner that is a shell script, and its golden data.
#![allow(dead_code, clippy::unwrap_used)]

use bitstate_harness::definitions::expected::Expected;
use bitstate_harness::definitions::golden::{Case, Golden, Stream};
use bitstate_harness::records::{Row, Tally};
use bitstate_harness::runs::plan::Plan;
use bitstate_harness::targets::build::Built;
use bitstate_harness::targets::kinds::native::Program;
use bitstate_harness::targets::runner::Runner;
use bitstate_harness::targets::{Cell, ModelFile, model_file};
use bitstate_protocol::{AnswerWriter, Digest, Event, Header, Layout, Metric, Phase, Sampling, StreamAnswer, Workload};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

pub struct Fake {
    pub folder: tempfile::TempDir,
    pub cell: Cell,
    pub model: ModelFile,
    pub golden: Golden,
}

impl Fake {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.bits");
        std::fs::write(&path, b"not read by anyone").unwrap();
        let model = model_file("small", &path).unwrap();
        let workload =
            Workload { case: "small/greedy".into(), prompt: vec![1], max_tokens: 3, sampling: Sampling::Greedy };
        let golden =
            Stream { model: model.digest, tokens: vec![4, 5, 6], digests: [4, 5, 6].map(Digest).to_vec(), stale: None };
        let case = Case { model: "small".into(), workload, bench: true, variants: Vec::new(), sessions: false, golden };
        let golden = Golden { models: Vec::new(), cases: vec![case], kernels: Default::default(), digest: Digest(0) };
        Fake { folder, cell: Cell::named("native", "generic").unwrap(), model, golden }
    }

    pub fn header(&self) -> Header {
        Header { target: "native".into(), variant: "generic".into(), model: self.model.digest }
    }

    pub fn stream(tokens: [u32; 3]) -> Event {
        Event::Stream(StreamAnswer {
            case: "small/greedy".into(),
            tokens: tokens.to_vec(),
            digests: [4, 5, 6].map(Digest).to_vec(),
        })
    }

    pub fn metric(phase: Phase, name: &str, value: u64) -> Event {
        let (case, unit) = ("small/greedy".into(), "ns".into());
        Event::Metric(Metric { case, phase, name: name.into(), unit, value })
    }

    pub fn answer(header: &Header, events: &[Event]) -> String {
        let mut text = String::new();
        let mut writer = AnswerWriter::new(|line| text.push_str(line), header);
        events.iter().for_each(|event| writer.event(event));
        writer.finish();
        text
    }

    /// The events of one take of a case, renamed to those of its `take`-th, from 0.
    pub fn of_take(take: usize, mut events: Vec<Event>) -> Vec<Event> {
        for event in &mut events {
            if let Event::Metric(Metric { case, .. }) | Event::Stream(StreamAnswer { case, .. }) = event
                && take > 0
            {
                *case = format!("small/greedy#{take}");
            }
        }
        events
    }

    /// An answer to a request to verify a case: these events, and the kernel of one matrix.
    pub fn verify_answer(header: &Header, events: &[Event]) -> String {
        let layout = Event::Layout(Layout {
            matrix: "head".into(),
            rows: 101,
            cols: 96,
            count: 1,
            kernel: "plain".into(),
            row_tail: "1 in plain Rust".into(),
            col_tail: "none".into(),
        });
        Fake::answer(header, &[events, &[layout]].concat())
    }

    /// A runner that is this shell script; `$ANSWER` is a file with `answer`.
    pub fn runner(&self, answer: &str, script: &str) -> Runner {
        let file = self.folder.path().join("answer.txt");
        std::fs::write(&file, answer).unwrap();
        let program: PathBuf = self.folder.path().join("runner.sh");
        // For a single take of a case, a runner answers with the file of `one_take`, if it exists.
        let text = format!(
            "#!/bin/sh\nANSWER='{0}'\nONE='{1}'\nif [ -e \"$ONE\" ]; then cat | grep -q '#1' || ANSWER=$ONE; fi\n{script}\n",
            file.display(),
            self.folder.path().join("one.txt").display()
        );
        std::fs::write(&program, text).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        Runner::new(Program(program))
    }

    /// Sets the runner's answer for a single take of a case.
    pub fn one_take(&self, answer: &str) {
        std::fs::write(self.folder.path().join("one.txt"), answer).unwrap();
    }

    pub fn built(runner: Runner) -> Built {
        let mut built = Built::default();
        built.runners.insert("native", runner);
        built
    }

    /// Runs `act` with a plan of only this cell and case.
    pub fn with_plan<T>(&self, built: &Built, act: impl FnOnce(&Plan) -> T) -> T {
        let plan = Plan {
            cells: &[self.cell],
            cases: self.golden.cases.iter().collect(),
            golden: &self.golden,
            models: std::slice::from_ref(&self.model),
            built,
            expected: &Expected::default(),
            can_install: true,
            quick: false,
            in_full: false,
            journal: None,
            processor: None,
        };
        act(&plan)
    }

    /// The rows of the case (without the kernel checks, which the script does not answer), as text and exit code.
    pub fn outcome(rows: &[Row]) -> (String, u8) {
        let about_case: Vec<Row> = rows
            .iter()
            .filter(|row| !matches!(row, Row::Failed { workload: Some(name), .. } if name == "kernels"))
            .filter(|row| !matches!(row, Row::Layout { .. }))
            .cloned()
            .collect();
        let text = about_case.iter().map(|row| match row {
            Row::Failed { error, .. } => error.clone(),
            Row::Verified { workload, .. } => format!("verified {workload}"),
            Row::Skipped { reason, .. } => format!("skipped {reason}"),
            Row::Sample { .. }
            | Row::Pair { .. }
            | Row::Peer { .. }
            | Row::Artifact { .. }
            | Row::Layout { .. }
            | Row::Run(_) => String::new(),
        });
        (text.collect::<Vec<_>>().join("\n"), Tally::of(&about_case).exit.code())
    }
}
