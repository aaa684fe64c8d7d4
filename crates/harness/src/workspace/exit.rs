//! How a command ends: five codes, and which one wins when several apply.

/// The exit codes of every verb. A higher [rank](Exit::worst) outranks the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything that was asked for ran and is right.
    Pass,
    /// Something became slower or larger.
    Regression,
    /// The harness or a measurement failed: nothing can be said about the engine.
    Harness,
    /// A part could not be measured here, and no rule in `ci/expected.toml` allows that.
    NotMeasurable,
    /// A target gave another answer than the golden one.
    WrongAnswer,
}

impl Exit {
    /// The number the process ends with.
    pub fn code(self) -> u8 {
        match self {
            Exit::Pass => 0,
            Exit::Regression => 1,
            Exit::Harness => 2,
            Exit::NotMeasurable => 3,
            Exit::WrongAnswer => 4,
        }
    }

    /// The one of two that is returned: 4 outranks 2, 2 outranks 3, 3 outranks 1.
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
