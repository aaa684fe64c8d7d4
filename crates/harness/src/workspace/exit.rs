//! The five exit codes of a command, and which takes precedence.

/// The exit codes of every command. A higher [rank](Exit::worst) takes precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything ran and is correct.
    Pass,
    /// Something became slower or larger.
    Regression,
    /// The harness or a measurement failed, so the engine was not judged.
    Harness,
    /// A part could not be measured here, and no rule in `ci/expected.toml` allows that.
    NotMeasurable,
    /// A target's answer differs from the golden one.
    WrongAnswer,
}

impl Exit {
    /// The exit code of the process.
    pub fn code(self) -> u8 {
        match self {
            Exit::Pass => 0,
            Exit::Regression => 1,
            Exit::Harness => 2,
            Exit::NotMeasurable => 3,
            Exit::WrongAnswer => 4,
        }
    }

    /// The one that takes precedence: 4 over 2, 2 over 3, 3 over 1.
    pub fn worst(self, other: Exit) -> Exit {
        let rank = |exit| match exit {
            Exit::Pass => 0,
            Exit::Regression => 1,
            Exit::NotMeasurable => 2,
            Exit::Harness => 3,
            Exit::WrongAnswer => 4,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::Exit::{Harness, NotMeasurable, Pass, Regression, WrongAnswer};

    #[test]
    fn wrong_answers_outrank_errors_outrank_gaps_outrank_regressions() {
        let order = [Pass, Regression, NotMeasurable, Harness, WrongAnswer];
        for (i, a) in order.into_iter().enumerate() {
            for (j, b) in order.into_iter().enumerate() {
                assert_eq!(a.worst(b), order[i.max(j)], "{a:?} and {b:?}");
            }
        }
        assert_eq!(order.map(super::Exit::code), [0, 1, 3, 2, 4]);
    }
}
