//! Runs the jobs of a request in order.

use crate::checks;
use crate::host::Host;
use crate::measured::Measuring;
use crate::profile::{Profile, Shared};
use crate::regions;
#[cfg(feature = "sessions")]
use crate::sessions::Library;
use crate::steps::Digests;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bitstate_engine::{Engine, EngineError, Part, PathOf, Workers};
use bitstate_generate::{Order, Sampling, Session, SessionError};
use bitstate_kernels::{UnknownVariant, Variant};
use bitstate_model::ParseError;
use bitstate_protocol as protocol;
use bitstate_protocol::{
    AnswerWriter, Bias, Digest, Event, Header, Job, Layout, LineError, Metric, Phase, Request, Steps, StreamAnswer,
    Workload,
};
use core::cell::RefCell;

/// A request that could not be started: no answer was written.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The request is malformed.
    #[error("the request cannot be read: {0}")]
    Request(#[from] LineError),
    /// The model file is not valid.
    #[error("the model file is not valid: {0}")]
    Model(#[from] ParseError),
    /// The variant is unknown.
    #[error("{name}: {error}")]
    Variant {
        /// The requested name.
        name: String,
        /// The known names.
        error: UnknownVariant,
    },
    /// The engine cannot run this model with this variant here.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Runs `request` on the bytes of a model file and writes the answer through `host`.
///
/// Returns whether every job succeeded; a failed job is an error event in the answer.
///
/// # Errors
/// If the request, the model or the variant is invalid; then no answer is written.
pub fn run<H: Host>(request: &str, model: &[u8], host: &mut H) -> Result<bool, RunError> {
    run_with(None, request, model, host)
}

/// [`run`] with the work divided among `workers`; the answer is the same except for times.
///
/// # Errors
/// As `run`.
pub fn run_with<H: Host>(
    workers: Option<&dyn Workers>,
    request: &str,
    model: &[u8],
    host: &mut H,
) -> Result<bool, RunError> {
    let request = Request::parse(request)?;
    let variant = Variant::by_name(&request.variant)
        .map_err(|error| RunError::Variant { name: request.variant.clone(), error })?;
    #[cfg(feature = "sessions")]
    let mut library = Library::new(model, variant);
    let start = host.ticks();
    let model = regions::load_parse(model)?;
    let mut engine = regions::load_prepare(&model, variant)?;
    engine.set_workers(workers);
    let copies = copy_weights(&mut engine, host);
    let load = Load { ticks: host.ticks().saturating_sub(start), copies };

    let target = host.target().to_string();
    let header = Header { target, variant: engine.variant().name().into(), model: Digest(engine.model_digest()) };
    // The writer and the jobs use the host alternately.
    let host = RefCell::new(host);
    let mut answer = AnswerWriter::new(|line| host.borrow_mut().line(line), &header);
    let mut all_good = true;
    for job in &request.jobs {
        let mut emit = |event: Event| {
            all_good &= !matches!(event, Event::Error { .. });
            answer.event(&event);
        };
        let done = match job {
            Job::Kernels => {
                checks::run(&mut engine.kernels(), |case, digest| emit(Event::Check { case: case.into(), digest }));
                Ok(())
            }
            Job::Stream(workload) => stream(&engine, workload).map(|(stream, _)| emit(Event::Stream(stream))),
            Job::Bench(workload) => bench(&engine, workload, &load, &host, &mut emit),
            Job::Steps(asked) => steps(&engine, asked, &mut emit),
            Job::Profile(workload) => profile(&engine, workload, &host, &mut emit),
            Job::Parts(workload) => parts(&engine, workload, &host, &mut emit),
            Job::Layout => {
                layout(&engine, &mut emit);
                Ok(())
            }
            Job::Roof(roof) => {
                Measuring { kernels: engine.kernels(), host: &host, emit: &mut emit }.roof(roof);
                Ok(())
            }
            Job::Throughput(throughput) => {
                Measuring { kernels: engine.kernels(), host: &host, emit: &mut emit }.throughput(throughput);
                Ok(())
            }
            #[cfg(feature = "sessions")]
            Job::Begin(begin) => library.begin(begin, &mut emit),
            #[cfg(feature = "sessions")]
            Job::Resume(resume) => library.resume(resume, &mut emit),
            #[cfg(not(feature = "sessions"))]
            #[allow(unreachable_patterns, reason = "another crate of the build may turn the protocol's feature on")]
            sessions => Err((sessions.cases().concat(), "this runner was built without the feature `sessions`".into())),
        };
        if let Err((case, message)) = done {
            emit(Event::Error { case, message });
        }
    }
    answer.finish();
    Ok(all_good)
}

/// What loading the model took.
struct Load {
    ticks: u64,
    copies: Copies,
}

/// Weights in heap that is otherwise free.
#[derive(Default)]
struct Copies {
    bytes: u64,
    /// The heap's peak before they were made.
    peak_before: u64,
}

impl Copies {
    /// The heap's peak without them. They take what is left, so with them a run that needs more would show the same
    /// peak. They stay until the end, so they are part of every later peak.
    fn peak_without(&self, peak: u64) -> u64 {
        peak.saturating_sub(self.bytes).max(self.peak_before)
    }
}

/// Copies weights into the heap that a session leaves free. If there is no session, the first job says why.
fn copy_weights<H: Host>(engine: &mut Engine<'_>, host: &mut H) -> Copies {
    if host.free_for_weights() == 0 {
        return Copies::default();
    }
    let Ok(session) = Session::new(engine, Sampling::greedy()) else { return Copies::default() };
    let left = host.free_for_weights();
    drop(session);
    let peak_before = host.heap().peak_bytes;
    Copies { bytes: engine.copy_weights(left) as u64, peak_before }
}

/// The failed case, and the reason.
pub(crate) type Failure = (String, String);

fn session<'e, 'm>(engine: &'e Engine<'m>, workload: &Workload) -> Result<Session<'e, 'm>, Failure> {
    Session::new(engine, sampling(&workload.sampling)).map_err(|error| (workload.case.clone(), error.to_string()))
}

pub(crate) fn sampling(asked: &protocol::Sampling) -> Sampling {
    match asked {
        protocol::Sampling::Greedy => Sampling::greedy(),
        &protocol::Sampling::Seeded { seed, temperature, top_k, top_p, penalty } => {
            Sampling::seeded(seed).temperature(temperature).top_k(top_k).top_p(top_p).penalty(penalty)
        }
        protocol::Sampling::Chain(chain) => Sampling {
            seed: chain.seed,
            temperature: chain.temperature,
            top_k: chain.top_k,
            typical_p: chain.typical_p,
            top_p: chain.top_p,
            min_p: chain.min_p,
            penalty: chain.penalty,
            repetition: chain.repetition,
            presence: chain.presence,
            frequency: chain.frequency,
            window: chain.window,
            bias: chain.bias.iter().map(|&Bias { token, bias }| (token, bias)).collect(),
            order: if chain.temperature_last { Order::TemperatureLast } else { Order::TemperatureFirst },
        },
    }
}

/// Preallocated space for the results of a workload, so that nothing is allocated while it runs.
fn room(workload: &Workload) -> StreamAnswer {
    let n = workload.max_tokens as usize;
    StreamAnswer { case: workload.case.clone(), tokens: Vec::with_capacity(n), digests: Vec::with_capacity(n) }
}

/// A stream, each token with the digest of its logits, and the session when the last was chosen.
fn stream<'e, 'm>(engine: &'e Engine<'m>, workload: &Workload) -> Result<(StreamAnswer, Session<'e, 'm>), Failure> {
    let failed = |error: SessionError| (workload.case.clone(), error.to_string());
    let mut session = session(engine, workload)?;
    let mut answer = room(workload);
    session.feed(&workload.prompt).map_err(failed)?;
    for i in 1..=workload.max_tokens {
        // Chosen before all logits are computed, so that a choice that needs only some of them is checked against all.
        let token = session.choose().map_err(failed)?;
        answer.tokens.push(token);
        answer.digests.push(Digest::of_f32s(session.logits().map_err(failed)?));
        if i < workload.max_tokens {
            session.advance(token).map_err(failed)?;
        }
    }
    Ok((answer, session))
}

/// A measured stream, as fast as for a caller: only choosing and processing tokens. Hashing logits in between would
/// read the whole head and evict the data of the next token from the caches; so the stream is computed again afterwards
/// for its digests, and must give the same tokens and, after the last of them, the same logits, which depend on the
/// whole state.
fn bench<H: Host>(
    engine: &Engine<'_>,
    workload: &Workload,
    load: &Load,
    host: &RefCell<&mut H>,
    emit: &mut impl FnMut(Event),
) -> Result<(), Failure> {
    let failed = |error: SessionError| (workload.case.clone(), error.to_string());
    let ticks = || host.borrow_mut().ticks();
    let mut session = session(engine, workload)?;
    let mut tokens = Vec::with_capacity(workload.max_tokens as usize);

    let start = ticks();
    regions::prefill(&mut session, &workload.prompt).map_err(failed)?;
    let prefill = ticks().saturating_sub(start);

    let allocations = host.borrow_mut().heap().allocations;
    let mut decode = 0;
    for _ in 0..workload.max_tokens {
        let start = ticks();
        let token = regions::decode_choose(&mut session).map_err(failed)?;
        regions::decode_advance(&mut session, token).map_err(failed)?;
        decode += ticks().saturating_sub(start);
        tokens.push(token);
    }
    let heap = host.borrow_mut().heap();
    let memory = host.borrow_mut().peak_memory();
    let (name, unit) = host.borrow().tick_metric();

    let end = Digest::of_f32s(session.logits().map_err(failed)?);
    // Dropped first, because two sessions may not fit on a small machine.
    drop(session);
    let (answer, mut again) = stream(engine, workload)?;
    if let Some(&last) = answer.tokens.last() {
        again.advance(last).map_err(failed)?;
    }
    if answer.tokens != tokens || Digest::of_f32s(again.logits().map_err(failed)?) != end {
        let message = "the measured run and its repetition gave different tokens or logits";
        return Err((workload.case.clone(), message.into()));
    }
    emit(Event::Stream(answer));
    let mut metric = |phase, name: &str, unit: &str, value| {
        emit(Event::Metric(Metric { case: workload.case.clone(), phase, name: name.into(), unit: unit.into(), value }));
    };
    metric(Phase::Load, name, unit, load.ticks);
    metric(Phase::Prefill, name, unit, prefill);
    metric(Phase::Prefill, "tokens", "tokens", workload.prompt.len() as u64);
    metric(Phase::Decode, name, unit, decode);
    metric(Phase::Decode, "tokens", "tokens", u64::from(workload.max_tokens));
    metric(Phase::Decode, "allocations", "count", heap.allocations - allocations);
    let copies = &load.copies;
    let peak = copies.peak_without(heap.peak_bytes);
    metric(Phase::Run, "heap_peak", "bytes", peak);
    if let Some(memory) = memory {
        metric(Phase::Run, "peak_memory", "bytes", memory - (heap.peak_bytes - peak));
    }
    if copies.bytes > 0 {
        metric(Phase::Run, "weight_copies", "bytes", copies.bytes);
    }
    Ok(())
}

/// A stream with the parts of its generated tokens measured: the time between two boundaries, minus the cost of reading
/// the clock. The clock is stopped while logits are hashed.
fn profile<'h, H: Host>(
    engine: &Engine<'_>,
    workload: &Workload,
    host: &'h RefCell<&'h mut H>,
    emit: &mut impl FnMut(Event),
) -> Result<(), Failure> {
    let failed = |error: SessionError| (workload.case.clone(), error.to_string());
    let mut session = session(engine, workload)?;
    session.feed(&workload.prompt).map_err(failed)?;
    let mut profile = Profile::new(host);
    let answer = continued(&mut session, workload, &mut profile)?;
    let (parts, clock) = profile.finish();
    emit(Event::Stream(answer));
    let unit = host.borrow().tick_metric().1;
    let mut metric = |name: &str, unit: &str, value| {
        let (case, phase) = (workload.case.clone(), Phase::Profile);
        emit(Event::Metric(Metric { case, phase, name: name.into(), unit: unit.into(), value }));
    };
    for (part, ticks) in Part::ALL.into_iter().zip(parts) {
        metric(part.name(), unit, ticks);
    }
    metric("clock", unit, clock);
    metric("tokens", "tokens", u64::from(workload.max_tokens));
    Ok(())
}

/// The generated tokens of a session after its prompt, observed by `profile`.
fn continued<H: Host>(
    session: &mut Session<'_, '_>,
    workload: &Workload,
    profile: &mut Profile<'_, H>,
) -> Result<StreamAnswer, Failure> {
    let failed = |error: SessionError| (workload.case.clone(), error.to_string());
    let mut answer = room(workload);
    for _ in 0..workload.max_tokens {
        let token = session.choose_observed(&mut Shared(profile)).map_err(failed)?;
        profile.pause();
        answer.tokens.push(token);
        answer.digests.push(Digest::of_f32s(session.logits().map_err(failed)?));
        session.advance_observed(token, &mut Shared(profile)).map_err(failed)?;
        profile.pause();
    }
    Ok(answer)
}

/// A stream with the parts of its prompt and its generated tokens counted by the clock, and every boundary marked by a
/// call, for a tool that counts from outside if the clock measures time.
fn parts<'h, H: Host>(
    engine: &Engine<'_>,
    workload: &Workload,
    host: &'h RefCell<&'h mut H>,
    emit: &mut impl FnMut(Event),
) -> Result<(), Failure> {
    let failed = |error: SessionError| (workload.case.clone(), error.to_string());
    let mut session = session(engine, workload)?;
    let mut prefill = Profile::marked(host);
    regions::mark_prefill();
    session.feed_observed(&workload.prompt, &mut Shared(&mut prefill)).map_err(failed)?;
    prefill.pause();
    let mut decode = Profile::marked(host);
    regions::mark_decode();
    let answer = continued(&mut session, workload, &mut decode)?;
    emit(Event::Stream(answer));
    let unit = host.borrow().tick_metric().1;
    for (phase, profile) in [(Phase::Prefill, prefill), (Phase::Decode, decode)] {
        for (part, value) in Part::ALL.into_iter().zip(profile.finish().0) {
            let (case, name) = (workload.case.clone(), part.name().into());
            emit(Event::Metric(Metric { case, phase, name, unit: unit.into(), value }));
        }
    }
    Ok(())
}

/// The kernels chosen for everything in the model that has a shape.
fn layout(engine: &Engine<'_>, emit: &mut impl FnMut(Event)) {
    for PathOf { name, rows, cols, count, path } in engine.paths() {
        emit(Event::Layout(Layout {
            matrix: name.into(),
            rows: rows as u64,
            cols: cols as u64,
            count: count as u64,
            kernel: path.kernel.into(),
            row_tail: path.rows.to_string(),
            col_tail: path.cols.to_string(),
        }));
    }
}

/// The digest of every step of every token: the prompt in batches, the other tokens one at a time.
fn steps(engine: &Engine<'_>, asked: &Steps, emit: &mut impl FnMut(Event)) -> Result<(), Failure> {
    let failed = |error: bitstate_engine::ForwardError| (asked.case.clone(), error.to_string());
    let mut state = engine.new_state();
    let mut logits = alloc::vec![0.0; engine.config().vocab_size];
    let mut digests = Digests::new(&asked.case, engine.config().n_embd, emit);
    let mut digests = Shared(&mut digests);
    engine.advance_observed(&asked.prompt, &mut state, &mut digests).map_err(failed)?;
    engine.logits_observed(&mut state, &mut logits, &mut digests).map_err(failed)?;
    for &token in &asked.tokens {
        engine.advance_observed(&[token], &mut state, &mut digests).map_err(failed)?;
        engine.logits_observed(&mut state, &mut logits, &mut digests).map_err(failed)?;
    }
    Ok(())
}
