//! Recorded answers to records: what the terminal of a board shows for the same lines, and what `bitstate map` prints.

use crate::workspace::Workspace;
use crate::workspace::error::Error;

/// What the firmware prints before a line is typed.
const PROMPT: &str = "> ";
/// The command after which every line is a record, and the one that ends it.
const BEGIN: &str = ":records";
const END: &str = ":text";

/// What a terminal shows of a session that is as recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// The records.
    pub records: usize,
    /// Cycles of an answer, as the firmware counted them.
    pub cycles: u64,
}

/// Records and their answers, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript(Vec<(String, String)>);

impl Transcript {
    /// The transcript of a golden model, `golden/transcripts/NAME.txt`, if there is one.
    ///
    /// # Errors
    /// If the file cannot be read, or is no transcript.
    pub fn load(workspace: &Workspace, model: &str) -> Result<Option<Self>, Error> {
        let path = workspace.root.join("golden/transcripts").join(format!("{model}.txt"));
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        match Self::parse(&text) {
            Some(transcript) => Ok(Some(transcript)),
            None => Err(Error::Refused(format!("{}: not pairs of a line `> RECORD` and an answer", path.display()))),
        }
    }

    /// Reads pairs of lines: `> ` with a record, and its answer.
    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().collect();
        let (pairs, rest) = lines.as_chunks::<2>();
        let pair = |[record, answer]: &[&str; 2]| Some((record.strip_prefix(PROMPT)?.into(), answer.to_string()));
        let pairs: Vec<_> = pairs.iter().map(pair).collect::<Option<_>>()?;
        (rest.is_empty() && !pairs.is_empty()).then_some(Transcript(pairs))
    }

    /// What to type on a terminal.
    pub fn lines(&self) -> Vec<&str> {
        let records = self.0.iter().map(|(record, _)| record.as_str());
        [BEGIN].into_iter().chain(records).chain([END]).collect()
    }

    /// Compares with what a terminal showed for [`lines`](Transcript::lines); returns what it was.
    ///
    /// # Errors
    /// The first difference.
    pub fn check(&self, shown: &str) -> Result<Answered, String> {
        let typed = format!("{PROMPT}{BEGIN}\n");
        let mut rest = shown.split_once(&typed).ok_or("the terminal shows no `:records`")?.1;
        for (record, answer) in &self.0 {
            let wanted = format!("{PROMPT}{record}\n{answer}\n");
            rest = rest.strip_prefix(&wanted).ok_or_else(|| {
                let shown: Vec<&str> = rest.lines().take(2).collect();
                format!("the recorded session has {wanted:?}, the terminal shows {:?}", shown.join("\n"))
            })?;
        }
        let rest = rest
            .strip_prefix(&format!("{PROMPT}{END}\n"))
            .ok_or("the terminal shows more than the recorded session")?;
        let records = self.0.len();
        let counted =
            rest.strip_prefix(&format!("[{records} answers, ")).and_then(|rest| rest.split_once(" cycles each"));
        match counted.and_then(|(cycles, _)| cycles.parse().ok()) {
            Some(cycles) => Ok(Answered { records, cycles }),
            None => Err(format!("at the end, the terminal shows {:?}", rest.lines().next().unwrap_or_default())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Answered, Transcript};

    #[test]
    fn a_terminal_shows_exactly_what_is_recorded() {
        let transcript = Transcript::parse("> a=1\nA: 1.\n> b=2\nB: 2.\n").unwrap();
        assert_eq!(transcript.lines(), [":records", "a=1", "b=2", ":text"]);
        let shown = |answers: &str| {
            transcript.check(&format!("hello\n> :records\n{answers}> :text\n[2 answers, 70 cycles each: 1 ms]\n> "))
        };
        assert_eq!(shown("> a=1\nA: 1.\n> b=2\nB: 2.\n"), Ok(Answered { records: 2, cycles: 70 }));
        let wrong = shown("> a=1\nA: 1.\n> b=2\nB: 3.\n").unwrap_err();
        assert!(wrong.contains("B: 2.") && wrong.contains("B: 3."), "{wrong}");
        assert!(shown("> a=1\nA: 1.\n").is_err() && shown("> a=1\nA: 1.\n> b=2\nB: 2.\n> c\nC\n").is_err());
        assert!(transcript.check("").is_err());
        let unfinished =
            transcript.check("> :records\n> a=1\nA: 1.\n> b=2\nB: 2.\n> :text\n[1 answers, 70 cycles each");
        assert!(unfinished.unwrap_err().contains("[1 answers"));
    }

    #[test]
    fn half_a_pair_or_none_is_no_transcript() {
        for text in ["", "> a=1\n", "a=1\nA: 1.\n", "> a=1\nA: 1.\n> b=2\n"] {
            assert_eq!(Transcript::parse(text), None, "{text:?}");
        }
    }
}
