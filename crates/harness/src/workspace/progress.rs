//! Progress of work that takes longer than a second: bars on a terminal, plain lines elsewhere.

use crate::workspace::output;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

/// All that are shown: work in parallel has a line each.
static SHOWN: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// A bar or spinner on standard error, removed when dropped.
pub struct Progress {
    bar: Option<ProgressBar>,
    label: String,
    started: Instant,
    /// The parts that took the longest, the longest first.
    longest: Mutex<Vec<(Duration, String)>>,
}

/// Number of parts that are named.
const NAMED: usize = 5;

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
        Progress { bar, label: label.to_string(), started: Instant::now(), longest: Mutex::default() }
    }

    /// Marks one step as done; `next` is the label shown.
    pub fn step(&self, next: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(next.to_string());
            bar.inc(1);
        }
    }

    /// Remembers what a part of the work took, to name the longest ones where there is no bar to watch.
    pub fn took(&self, part: String, took: Duration) {
        // A poisoned lock means that another worker panicked, which its scope reports.
        if let Ok(mut longest) = self.longest.lock() {
            let at = longest.partition_point(|(other, _)| *other >= took);
            longest.insert(at, (took, part));
            longest.truncate(NAMED);
        }
    }

    /// The longest parts, as the end of a line.
    fn longest(&self) -> String {
        let Ok(longest) = self.longest.lock() else { return String::new() };
        let each = longest.iter().map(|(took, part)| format!("{part} {:.1} s", took.as_secs_f64()));
        let each: Vec<String> = each.collect();
        if each.is_empty() { String::new() } else { format!("; longest: {}", each.join(", ")) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        match &self.bar {
            Some(bar) => bar.finish_and_clear(),
            None if self.started.elapsed() >= Duration::from_secs(1) => {
                let seconds = self.started.elapsed().as_secs_f64();
                output::err(format_args!("{} done in {seconds:.1} s{}\n", self.label, self.longest()));
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_parts_are_named_in_order() {
        let progress = Progress::bar("verify", 7);
        assert_eq!(progress.longest(), "");
        for (part, seconds) in [("a", 1), ("b", 5), ("c", 3), ("d", 4), ("e", 2), ("f", 6)] {
            progress.took(part.into(), Duration::from_secs(seconds));
        }
        assert_eq!(progress.longest(), "; longest: f 6.0 s, b 5.0 s, d 4.0 s, c 3.0 s, e 2.0 s");
    }
}
