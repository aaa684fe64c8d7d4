//! Metrics in Prometheus' text format.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds of the histogram buckets, in microseconds.
const BOUNDS: [u64; 12] =
    [1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 10_000_000, 100_000_000];

/// Statuses that are counted individually; others are counted by class.
const STATUSES: [u16; 16] = [200, 400, 401, 403, 404, 405, 408, 413, 415, 421, 429, 431, 500, 503, 504, 599];

/// Counters of a server, and the size of everything that can grow.
pub(crate) struct Metrics {
    pub prompt_tokens: AtomicU64,
    pub cached_tokens: AtomicU64,
    pub generated_tokens: AtomicU64,
    pub steps: AtomicU64,
    /// Requests whose client disconnected before the end.
    pub left: AtomicU64,
    /// Requests cut because the server was stopped.
    pub cut: AtomicU64,
    /// Requests completed.
    pub complete: AtomicU64,
    pub panics: AtomicU64,
    pub cache_bytes: AtomicU64,
    pub cache_limit: u64,
    pub connections: AtomicU64,
    pub waiting: AtomicU64,
    pub slots: u64,
    /// The limit of the cache.
    pub answer_seconds: u64,
    pub first_token: Times,
    pub answer: Times,
    statuses: [AtomicU64; STATUSES.len()],
}

/// A histogram of durations.
#[derive(Default)]
pub(crate) struct Times {
    counts: [AtomicU64; BOUNDS.len() + 1],
    microseconds: AtomicU64,
}

impl Times {
    pub fn took(&self, time: Duration) {
        let microseconds = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let at = BOUNDS.partition_point(|&bound| bound < microseconds);
        self.counts[at].fetch_add(1, Relaxed);
        self.microseconds.fetch_add(microseconds, Relaxed);
    }

    fn write(&self, out: &mut String, name: &str, help: &str) -> std::fmt::Result {
        writeln!(out, "# HELP {name} {help}\n# TYPE {name} histogram")?;
        let mut sum = 0;
        for (i, count) in self.counts.iter().enumerate() {
            sum += count.load(Relaxed);
            match BOUNDS.get(i) {
                Some(&bound) => writeln!(out, "{name}_bucket{{le=\"{}\"}} {sum}", bound as f64 / 1e6)?,
                None => writeln!(out, "{name}_bucket{{le=\"+Inf\"}} {sum}")?,
            }
        }
        writeln!(out, "{name}_sum {}\n{name}_count {sum}", self.microseconds.load(Relaxed) as f64 / 1e6)
    }
}

impl Metrics {
    pub fn new(slots: usize, cache_limit: usize, answer_time: Duration) -> Self {
        Metrics {
            prompt_tokens: AtomicU64::default(),
            cached_tokens: AtomicU64::default(),
            generated_tokens: AtomicU64::default(),
            steps: AtomicU64::default(),
            left: AtomicU64::default(),
            cut: AtomicU64::default(),
            complete: AtomicU64::default(),
            panics: AtomicU64::default(),
            cache_bytes: AtomicU64::default(),
            cache_limit: cache_limit as u64,
            connections: AtomicU64::default(),
            waiting: AtomicU64::default(),
            slots: slots as u64,
            answer_seconds: answer_time.as_secs(),
            first_token: Times::default(),
            answer: Times::default(),
            statuses: Default::default(),
        }
    }

    /// Counts a response by status.
    pub fn answered(&self, status: u16) {
        let at = STATUSES.iter().position(|&known| known == status).unwrap_or(STATUSES.len() - 1);
        self.statuses[at].fetch_add(1, Relaxed);
    }

    /// All metrics in Prometheus' text format; `taken` slots are in use, `reserved` bytes are reserved for answers.
    pub fn text(&self, taken: usize, reserved: usize) -> String {
        let mut out = String::new();
        // Writing to a `String` cannot fail.
        let _ = self.write(&mut out, taken as u64, reserved as u64);
        out
    }

    fn write(&self, out: &mut String, taken: u64, reserved: u64) -> std::fmt::Result {
        let name = "bitstate_http_responses_total";
        writeln!(out, "# HELP {name} Responses by status; 599 is any other.\n# TYPE {name} counter")?;
        for (status, count) in STATUSES.iter().zip(&self.statuses) {
            writeln!(out, "{name}{{status=\"{status}\"}} {}", count.load(Relaxed))?;
        }
        let counters = [
            ("prompt_tokens_total", "Prompt tokens processed.", &self.prompt_tokens),
            ("cached_prompt_tokens_total", "Prompt tokens found in the prompt cache.", &self.cached_tokens),
            ("generated_tokens_total", "Tokens generated in completed answers.", &self.generated_tokens),
            ("steps_total", "Decoding steps of batches.", &self.steps),
            ("clients_left_total", "Requests whose client disconnected before the end.", &self.left),
            ("answers_cut_total", "Requests cut because the server was stopped.", &self.cut),
            ("requests_complete_total", "Requests completed.", &self.complete),
            ("engine_panics_total", "Panics of a generation thread; each is a bug.", &self.panics),
        ];
        for (name, help, value) in counters {
            let value = value.load(Relaxed);
            writeln!(out, "# HELP bitstate_{name} {help}\n# TYPE bitstate_{name} counter\nbitstate_{name} {value}")?;
        }
        let gauges = [
            ("slots", "Answers that can be generated concurrently.", self.slots),
            ("slots_taken", "Answers being generated.", taken),
            ("requests_queued", "Requests waiting for a slot.", self.waiting.load(Relaxed)),
            ("connections", "Open connections.", self.connections.load(Relaxed)),
            ("answer_bytes", "Memory reserved for answers that are being generated or not sent yet.", reserved),
            ("prompt_cache_bytes", "Size of the prompt cache.", self.cache_bytes.load(Relaxed)),
            ("prompt_cache_limit_bytes", "Maximum size of the prompt cache; 0 if it is disabled.", self.cache_limit),
        ];
        for (name, help, value) in gauges {
            writeln!(out, "# HELP bitstate_{name} {help}\n# TYPE bitstate_{name} gauge\nbitstate_{name} {value}")?;
        }
        self.first_token.write(
            out,
            "bitstate_first_token_seconds",
            "Time to the first token, including the time in the queue.",
        )?;
        self.answer.write(out, "bitstate_answer_seconds", "Time to the last token, including the time in the queue.")
    }
}
