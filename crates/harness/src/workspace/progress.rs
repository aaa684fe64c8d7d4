//! Progress of work that takes longer than a second: bars on a terminal, plain lines elsewhere.

use crate::workspace::output;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// All that are shown: work in parallel has a line each.
static SHOWN: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// A bar or spinner on standard error, removed when dropped.
pub struct Progress {
    bar: Option<ProgressBar>,
    label: String,
    started: Instant,
}

impl Progress {
    /// For work of unknown length.
    pub fn spinner(label: &str) -> Self {
        Progress::new(label, None)
    }

    /// For work of `steps` steps.
    pub fn bar(label: &str, steps: u64) -> Self {
        Progress::new(label, Some(steps))
    }

    fn new(label: &str, steps: Option<u64>) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let (bar, template) = match steps {
                Some(steps) => (ProgressBar::new(steps), "{prefix} [{bar:30}] {pos}/{len} {elapsed} {wide_msg}"),
                None => (ProgressBar::new_spinner(), "{spinner} {prefix} {elapsed}"),
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("=> "));
            }
            let bar = SHOWN.add(bar.with_prefix(label.to_string()));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        if bar.is_none() {
            output::err(format_args!("{label} ...\n"));
        }
        Progress { bar, label: label.to_string(), started: Instant::now() }
    }

    /// Marks one step as done; `next` is the label shown.
    pub fn step(&self, next: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(next.to_string());
            bar.inc(1);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        match &self.bar {
            Some(bar) => bar.finish_and_clear(),
            None if self.started.elapsed() >= Duration::from_secs(1) => {
                let seconds = self.started.elapsed().as_secs_f64();
                output::err(format_args!("{} done in {seconds:.1} s\n", self.label));
            }
            None => {}
        }
    }
}
