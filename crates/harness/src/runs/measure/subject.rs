//! One subject to measure: a run in its own process, the check of its answer, and its rows.

use crate::definitions::golden::{Case, Divergence};
use crate::definitions::metrics::{KERNELS, METRICS};
use crate::definitions::workloads;
use crate::records::Row;
use crate::records::journal::Done;
use crate::runs::measure::probe::{self, Computed};
use crate::runs::plan::{Plan, stale, time_limit};
use crate::targets::runner::{Reply, Runner};
use crate::targets::{Cell, Clock, ModelFile, RunRequest};
use crate::workspace::error::Error;
use crate::workspace::exit::Exit;
use crate::workspace::process;
use bitstate_protocol::{Job, Metric, Phase, Workload};

/// Metrics that the runner never counts for a workload: the harness adds them, or only probes have them.
const PROBED: [&str; 9] = ["bytes", "weights", "ternary", "head", "wkv", "norms", "steps", "sampling", "clock"];

/// An answer whose numbers count, or the row that says why there is none.
pub(crate) type Sampled = Result<Reply, Box<Row>>;

/// One subject to measure.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub cell: Cell,
    pub runner: &'a Runner,
    pub what: What<'a>,
    pub model: &'a ModelFile,
    /// A case is limited to this many tokens.
    pub most_tokens: u32,
}

/// What is measured.
#[derive(Clone, Copy)]
pub(crate) enum What<'a> {
    /// Load, prefill and decode of a case.
    Workload(&'a Case),
    /// The parts of a case's decode.
    Parts(&'a Case),
    /// Kernels by shape, and reads of memory.
    Kernels,
}

/// A run of a subject.
#[derive(Clone, Copy)]
pub(super) enum Run {
    /// A sample, by index from 0.
    Sample(u32),
    /// The run that counts fuel.
    Fuel,
}

impl<'a> Subject<'a> {
    pub(super) fn has_fuel(&self) -> bool {
        self.runner.counts_fuel() && matches!(self.what, What::Workload(_))
    }

    /// Number of samples of a wall-clock quantity.
    pub(super) fn rounds(&self, quick: bool) -> u32 {
        let settings = workloads::settings();
        let samples = if matches!(self.what, What::Workload(_)) { settings.samples } else { settings.probe_samples };
        samples.of(quick).min(self.cell.target.samples.unwrap_or(u32::MAX))
    }

    /// The `workload` of a row about the whole run.
    pub fn workload(&self) -> &'a str {
        match self.what {
            What::Workload(case) | What::Parts(case) => case.name(),
            What::Kernels => KERNELS,
        }
    }

    /// The `during` of a row.
    fn during(&self) -> &'static str {
        match self.what {
            What::Workload(_) => "bench",
            What::Parts(_) => "profile",
            What::Kernels => "throughput",
        }
    }

    pub(super) fn failed(&self, error: String, exit: Exit) -> Row {
        Row::failed(self.cell, Some(self.workload()), self.during(), error, exit)
    }

    fn void(&self, error: String, exit: Exit) -> Box<Row> {
        Box::new(self.failed(error, exit))
    }

    /// The rows of a run: from the journal, or from a run made now and then recorded there.
    pub(super) fn once(&self, plan: &Plan, run: Run, computed: &Computed) -> Result<Vec<Row>, Error> {
        let (name, sample, fuel) = match run {
            Run::Sample(sample) => (format!("{self}, sample {sample}"), sample, false),
            Run::Fuel => (format!("{self}, fuel"), 0, true),
        };
        if let Some(done) = plan.journal.and_then(|journal| journal.done(&name)) {
            let differing = computed.differing(self.cell, &done.checks);
            let void = |error| vec![self.failed(format!("the sample is void: {error}"), Exit::WrongAnswer)];
            return Ok(differing.map_or_else(|| done.rows.clone(), void));
        }
        let done = match self.sample(plan, fuel, computed) {
            Ok(reply) => {
                let counts = |metric: &Metric| !fuel || metric.name == "fuel";
                let metrics: Vec<Metric> = reply.metrics.into_iter().filter(counts).collect();
                Done { rows: self.rows(sample, &metrics), checks: reply.checks, decided: None }
            }
            Err(_) if process::interrupted() => return Err(Error::Interrupted),
            Err(row) => Done { rows: vec![*row], ..Done::default() },
        };
        if let Some(journal) = plan.journal {
            journal.record(&name, &done)?;
        }
        Ok(done.rows)
    }

    /// One run; its numbers count only if its results are right.
    pub fn sample(&self, plan: &Plan, fuel: bool, computed: &Computed) -> Sampled {
        match self.what {
            What::Workload(case) => self.sample_workload(plan, case, fuel),
            What::Parts(case) => {
                let workload = self.shortened(case);
                let tokens = u64::from(workload.max_tokens);
                let reply = self.ask(plan, vec![Job::Profile(workload)], false)?;
                self.check_stream(case, case.name(), tokens as usize, &reply)?;
                match probe::check_parts(tokens, self.cell.target.clock, &reply.metrics) {
                    Some(error) => Err(self.void(error, Exit::Harness)),
                    None => Ok(reply),
                }
            }
            What::Kernels => {
                let jobs = probe::kernel_jobs(self.cell);
                let reply = self.ask(plan, jobs.clone(), false)?;
                if let Some((case, message)) = reply.failures.first_key_value() {
                    return Err(self.void(format!("the runner says of {case}: {message}"), Exit::Harness));
                }
                if let Some(error) = computed.differing(self.cell, &reply.checks) {
                    return Err(self.void(format!("the sample is void: {error}"), Exit::WrongAnswer));
                }
                match probe::check_kernels(&jobs, self.cell.target.clock, &reply.metrics) {
                    Some(error) => Err(self.void(error, Exit::Harness)),
                    None => Ok(reply),
                }
            }
        }
    }

    /// Runs the jobs in a fresh process.
    fn ask(&self, plan: &Plan, jobs: Vec<Job>, fuel: bool) -> Sampled {
        let ask = RunRequest { model: self.model, jobs, fuel, timeout: time_limit(self.cell) };
        let reply = self.runner.run(self.cell, &ask);
        let failure =
            |error| Box::new(plan.failure(self.cell, self.workload(), &self.model.name, self.during(), &error));
        reply.map_err(failure)
    }

    /// The case with this cell's number of tokens.
    fn shortened(&self, case: &Case) -> Workload {
        case.workload.limited(self.most_tokens)
    }

    /// Checks that the first `steps` of the stream are golden; `name` is the case's name in the request.
    fn check_stream(&self, case: &Case, name: &str, steps: usize, reply: &Reply) -> Result<(), Box<Row>> {
        if let Some(message) = reply.failures.get(name) {
            return Err(self.void(format!("the runner says: {message}"), Exit::Harness));
        }
        let limit = (steps < case.workload.max_tokens as usize).then_some(steps);
        let divergence = reply.streams.get(name).and_then(|stream| Divergence::find(&case.golden, stream, limit));
        if let Some(divergence) = divergence {
            let error = format!("the sample is void, its answer is wrong: {divergence}");
            return Err(self.void(error, Exit::WrongAnswer));
        }
        match stale(case, self.model) {
            Some(text) => Err(self.void(text, Exit::Harness)),
            None => Ok(()),
        }
    }

    fn sample_workload(&self, plan: &Plan, case: &Case, fuel: bool) -> Sampled {
        let workload = self.shortened(case);
        let tokens = workload.max_tokens;
        let mut reply = self.ask(plan, vec![Job::Bench(workload)], fuel)?;
        self.check_stream(case, case.name(), tokens as usize, &reply)?;
        self.check_counts(case.name(), fuel, &reply)?;
        // A token must read the whole model once; the head is the embedding, so that is read whole as well.
        reply.metrics.push(Metric {
            case: case.name().to_string(),
            phase: Phase::Decode,
            name: "bytes".into(),
            unit: "bytes".into(),
            value: self.model.bytes * u64::from(tokens),
        });
        Ok(reply)
    }

    /// The least time of each of `phases` over several takes of a case in one process, each with its answer checked:
    /// disturbances only make a take slower.
    pub fn least_times<const N: usize>(
        &self,
        plan: &Plan,
        case: &Case,
        takes: u32,
        phases: &[&str; N],
    ) -> Result<[u64; N], Box<Row>> {
        let workload = self.shortened(case);
        let steps = workload.max_tokens as usize;
        let name = |take: u32| if take == 0 { case.name().to_string() } else { format!("{}#{take}", case.name()) };
        let names: Vec<String> = (0..takes).map(name).collect();
        let job = |name: &String| Job::Bench(Workload { case: name.clone(), ..workload.clone() });
        let reply = self.ask(plan, names.iter().map(job).collect(), false)?;
        for name in &names {
            self.check_stream(case, name, steps, &reply)?;
            self.check_counts(name, false, &reply)?;
        }
        let times = |phase: &str| {
            reply.metrics.iter().filter(|m| m.phase.name() == phase && m.name == "time").map(|m| m.value).min()
        };
        // Each take was checked to have them.
        Ok(phases.map(|phase| times(phase).unwrap_or(0)))
    }

    /// The cost of each part of a case's prompt and tokens, counted by the target; natively the parts are counted from
    /// outside, and only the answer is used.
    pub fn parts(&self, plan: &Plan, case: &Case, fuel: bool) -> Sampled {
        let workload = self.shortened(case);
        let steps = workload.max_tokens as usize;
        let reply = self.ask(plan, vec![Job::Parts(workload)], fuel)?;
        self.check_stream(case, case.name(), steps, &reply)?;
        Ok(reply)
    }

    /// Checks that a run of the case named `asked` has the required counts, and no unknown ones.
    fn check_counts(&self, asked: &str, fuel: bool, reply: &Reply) -> Result<(), Box<Row>> {
        let known = |metric: &&Metric| {
            let of_parts = matches!(metric.phase, Phase::Profile | Phase::Kernel);
            !of_parts && !PROBED.contains(&metric.name.as_str()) && METRICS.iter().any(|(name, _)| *name == metric.name)
        };
        if let Some(metric) = reply.metrics.iter().find(|metric| !known(metric)) {
            let error = format!("the runner counts `{}`, which the harness does not know", metric.name);
            return Err(self.void(error, Exit::Harness));
        }
        let tick = match (self.cell.target.clock, fuel) {
            (Clock::Instructions, _) => "instructions",
            (Clock::Wall, true) => "fuel",
            (Clock::Wall, false) => "time",
        };
        for (phase, name) in
            [("load", tick), ("prefill", tick), ("prefill", "tokens"), ("decode", tick), ("decode", "tokens")]
        {
            let is_it = |m: &Metric| m.case == asked && m.phase.name() == phase && m.name == name;
            if !reply.metrics.iter().any(is_it) {
                return Err(self.void(format!("the answer has no {name} of {phase}"), Exit::Harness));
            }
        }
        self.check_watched(asked, reply)
    }

    /// Checks that what was watched from outside is what the target counted itself.
    fn check_watched(&self, asked: &str, reply: &Reply) -> Result<(), Box<Row>> {
        let decode = |name: &str| {
            let is_it = |m: &&Metric| m.case == asked && m.phase == Phase::Decode && m.name == name;
            reply.metrics.iter().find(is_it).map(|m| m.value)
        };
        let Some((watched, counted)) = decode("watched_instructions").zip(decode("instructions")) else {
            return Ok(());
        };
        if !agree(watched, counted) {
            let error = format!("the emulator's plugin saw {watched} instructions, and the target counted {counted}");
            return Err(self.void(error, Exit::Harness));
        }
        Ok(())
    }

    fn rows(&self, sample: u32, metrics: &[Metric]) -> Vec<Row> {
        let row = |metric: &Metric| {
            let known = METRICS.iter().find(|(name, _)| *name == metric.name)?;
            Some(Row::Sample {
                target: self.cell.target.name.into(),
                variant: self.cell.variant.name.into(),
                workload: metric.case.clone(),
                model: self.model.digest.to_string(),
                sample,
                phase: metric.phase.name().into(),
                metric: metric.name.clone(),
                unit: metric.unit.clone(),
                direction: known.1,
                value: metric.value,
            })
        };
        metrics.iter().filter_map(row).collect()
    }
}

impl std::fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.cell, self.during(), self.workload())
    }
}

/// Whether two counts of the same instructions agree within 0.1 %: the target's own includes calls of its clock.
fn agree(watched: u64, counted: u64) -> bool {
    watched.abs_diff(counted) <= counted / 1000
}

#[cfg(test)]
mod tests {
    use super::agree;

    #[test]
    fn counts_from_inside_and_outside_agree_within_a_thousandth() {
        // Sixteen tokens on Xtensa: the plugin's count, and that of the core.
        assert!(agree(33_356_788, 33_358_400));
        assert!(agree(0, 0));
        assert!(!agree(33_356_788, 33_400_000) && !agree(0, 33_358_400) && !agree(1, 0));
    }
}
