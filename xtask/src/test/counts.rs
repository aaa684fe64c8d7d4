//! What cargo's test programs say.

/// The totals of cargo's tests.
#[derive(Debug, PartialEq, Eq)]
pub struct Counts {
    pub passed: usize,
    pub ignored: usize,
    /// The tests that failed.
    pub failed: Vec<String>,
    /// The tests that were ignored, with their reasons.
    pub skips: Vec<String>,
}

impl Counts {
    /// Adds up all `test result:` lines and collects the names of the tests that failed or were ignored.
    pub fn of(said: &str) -> Self {
        let count = |line: &str, word: &str| {
            let mut parts = line.split([';', '.']).map(str::trim);
            parts.find_map(|part| part.strip_suffix(word)?.trim().parse::<usize>().ok()).unwrap_or(0)
        };
        let mut counts = Counts { passed: 0, ignored: 0, failed: Vec::new(), skips: Vec::new() };
        for line in said.lines() {
            if line.starts_with("test result:") {
                counts.passed += count(line, "passed");
                counts.ignored += count(line, "ignored");
            } else if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
                counts.failed.push(name.trim_end().to_string());
            } else if let Some((name, reason)) =
                line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ignored"))
            {
                let reason = reason.trim_start_matches([',', ' ', '(']).trim_end_matches(')');
                counts.skips.push(format!("{}: {reason}", name.trim_end()));
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn cargo_counts_are_added_up() {
        let said = "running 3 tests\ntest result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n\
                    test a::b ... FAILED\n\
                    test c   ... ignored (no python3)\ntest d ... ignored, slow\n\
                    test result: FAILED. 10 passed; 1 failed; 0 ignored; 0 measured; finished in 0.1s\n";
        let skips = vec!["c: no python3".into(), "d: slow".into()];
        let expected = Counts { passed: 12, ignored: 1, failed: vec!["a::b".into()], skips };
        assert_eq!(Counts::of(said), expected);
    }
}
