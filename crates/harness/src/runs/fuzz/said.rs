//! Parses the standard error of libFuzzer and the sanitizer.

/// Statistics of a run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stats {
    /// Inputs tried.
    pub executions: u64,
    /// Edges reached.
    pub coverage: u64,
}

/// Parses the final statistics and the last progress line.
pub(super) fn stats(stderr: &str) -> Stats {
    let after = |line: &str, word: &str| line.split_once(word)?.1.split_whitespace().next()?.parse::<u64>().ok();
    let last = |word: &str| stderr.lines().rev().find_map(|line| after(line, word));
    Stats { executions: last("stat::number_of_executed_units:").unwrap_or(0), coverage: last(" cov: ").unwrap_or(0) }
}

/// The line with the reason of a failure: the panic's, with its location, or the sanitizer's.
pub(super) fn reason(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().map(str::trim).collect();
    // The last one: an earlier panic was caught and became an error.
    if let Some(at) = lines.iter().rposition(|line| line.contains("panicked at ")) {
        let place = lines[at].split_once("panicked at ").map_or("", |(_, place)| place.trim_end_matches(':'));
        return format!("panicked at {place}: {}", lines.get(at + 1).unwrap_or(&""));
    }
    let of_sanitizer = |line: &&&str| line.starts_with("SUMMARY: ") || line.contains("ERROR: ");
    lines.iter().find(of_sanitizer).map_or("no reason given", |line| line.trim_start_matches("SUMMARY: ")).to_string()
}

#[cfg(test)]
mod tests {
    use super::{Stats, reason, stats};

    #[test]
    fn statistics_are_the_last_ones_said() {
        let said = "INFO: Seed: 1\n#2\tINITED cov: 10 ft: 11 corp: 1/1b exec/s: 0 rss: 30Mb\n\
                    #900\tNEW    cov: 25 ft: 40 corp: 3/9b lim: 4 exec/s: 0 rss: 31Mb L: 3/4 MS: 1 EraseBytes-\n\
                    Done 1000 runs in 2 second(s)\nstat::number_of_executed_units: 1000\nstat::average_exec_per_sec: 500\n";
        assert_eq!(stats(said), Stats { executions: 1000, coverage: 25 });
        assert_eq!(stats("killed"), Stats::default());
    }

    #[test]
    fn the_reason_is_the_panic_or_what_the_sanitizer_says() {
        let panic = "INFO: x\n\nthread '<unnamed>' (7) panicked at crates/model/src/parse.rs:1:2:\nindex out of bounds\n\
                     ==7== ERROR: libFuzzer: deadly signal\nSUMMARY: libFuzzer: deadly signal\n";
        assert_eq!(reason(panic), "panicked at crates/model/src/parse.rs:1:2: index out of bounds");
        let hang = "ALARM: working on the last Unit for 21 seconds\n==7== ERROR: libFuzzer: timeout after 21 seconds\n";
        assert_eq!(reason(hang), "==7== ERROR: libFuzzer: timeout after 21 seconds");
        let caught = format!("panicked at tokenizers/lib.rs:1:1:\nCaught\n{panic}");
        assert_eq!(reason(&caught), reason(panic));
        assert_eq!(reason(""), "no reason given");
    }
}
