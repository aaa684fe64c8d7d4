//! A runner's answer.

use crate::digest::{Digest, Digester};
use crate::line::{Commas, Fields, LineError, push_field};
#[cfg(feature = "sessions")]
use crate::session::SessionAnswer;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

/// The first line of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Name of the target that ran.
    pub target: String,
    /// Name of the kernel variant that actually ran.
    pub variant: String,
    /// Digest of the model file, as the target read it.
    pub model: Digest,
}

/// The phase of a run that a metric belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// From the file's bytes to a ready engine.
    Load,
    /// The whole prompt.
    Prefill,
    /// All generated tokens.
    Decode,
    /// The run as a whole.
    Run,
    /// The parts of the generated tokens.
    Profile,
    /// A single kernel, without a model.
    Kernel,
}

impl Phase {
    /// All phases: those of a run in chronological order, then the others.
    pub const ALL: [Phase; 6] = [Phase::Load, Phase::Prefill, Phase::Decode, Phase::Run, Phase::Profile, Phase::Kernel];

    /// The phase's name in lines and records.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Load => "load",
            Phase::Prefill => "prefill",
            Phase::Decode => "decode",
            Phase::Run => "run",
            Phase::Profile => "profile",
            Phase::Kernel => "kernel",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Phase {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Phase::ALL.into_iter().find(|phase| phase.name() == text).ok_or(())
    }
}

/// A stream of generated tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamAnswer {
    /// Name of the case.
    pub case: String,
    /// The tokens generated.
    pub tokens: Vec<u32>,
    /// For each of them, the digest of the logits it was chosen from.
    pub digests: Vec<Digest>,
}

/// A metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// Name of the case.
    pub case: String,
    /// Phase of the run.
    pub phase: Phase,
    /// Metric: `time`, `instructions`, `fuel`, `tokens`, `allocations`, `peak_memory`, …
    pub name: String,
    /// Unit of the value: `ns`, `instructions`, `fuel`, `tokens`, `count`, `bytes`, …
    pub unit: String,
    /// The count, over the whole phase.
    pub value: u64,
}

/// The kernel chosen for a matrix of the model, the same in every layer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Layout {
    /// The step that uses the matrix, such as `tm.r`, or another shape.
    pub matrix: String,
    /// Outputs.
    pub rows: u64,
    /// Inputs.
    pub cols: u64,
    /// How many of it a token goes through.
    pub count: u64,
    /// The algorithm.
    pub kernel: String,
    /// How rows that do not fill a block are computed; `none` if there are none.
    pub row_tail: String,
    /// How columns that do not fill a block are computed.
    pub col_tail: String,
}

/// One line of an answer between the first and the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A generated stream.
    Stream(StreamAnswer),
    /// A metric.
    Metric(Metric),
    /// A chosen kernel.
    Layout(Layout),
    /// The digest of a kernel's outputs over irregular shapes.
    Check {
        /// Name of the kernel check.
        case: String,
        /// Digest of every output.
        digest: Digest,
    },
    /// The digest of one step's output.
    Step {
        /// Name of the case.
        case: String,
        /// Position in the session, prompt included.
        position: u32,
        /// Layer, or the number of layers for the final norm and the head.
        layer: u32,
        /// Name of the step, such as `tm.r`.
        step: String,
        /// Digest of its output.
        digest: Digest,
    },
    /// A saved session.
    #[cfg(feature = "sessions")]
    Session(SessionAnswer),
    /// A failed job; the rest of the answer is still valid.
    Error {
        /// Name of the case.
        case: String,
        /// What went wrong and how to fix it.
        message: String,
    },
}

/// A complete answer with a verified closing line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The target, variant and model.
    pub header: Header,
    /// The events, in order.
    pub events: Vec<Event>,
}

impl Answer {
    /// Parses an answer and verifies its closing line.
    ///
    /// # Errors
    /// Names the line and the invalid field; a text without its closing line, or with lines after it, is truncated or
    /// garbled and refused as a whole.
    pub fn parse(text: &str) -> Result<Self, LineError> {
        let mut digester = Digester::default();
        let mut header = None;
        let mut events = Vec::new();
        let mut lines = 0;
        let mut rest = text;
        while let Some((line, after)) = rest.split_once('\n') {
            let number = lines + 1;
            let mut fields = Fields::parse(number, line)?;
            if fields.keyword == "end" {
                let said =
                    format!("{} lines, digest {}", fields.value::<usize>("lines")?, fields.value::<Digest>("digest")?);
                fields.finish()?;
                let found = format!("{lines} lines, digest {}", digester.finish());
                if said != found {
                    return Err(LineError::Closing { said, found });
                }
                if !after.is_empty() {
                    let keyword = after.lines().next().unwrap_or("").into();
                    return Err(LineError::Keyword { line: number + 1, keyword });
                }
                let header = header.ok_or(LineError::Cut { lines })?;
                return Ok(Answer { header, events });
            }
            match header {
                None => header = Some(parse_header(fields)?),
                Some(_) => events.push(parse_event(fields)?),
            }
            digester.push(line.as_bytes());
            digester.push(b"\n");
            lines = number;
            rest = after;
        }
        Err(LineError::Cut { lines })
    }
}

fn parse_header(mut fields: Fields<'_>) -> Result<Header, LineError> {
    if fields.keyword != "bitstate" {
        return Err(fields.unknown());
    }
    let found = fields.value("version")?;
    if found != crate::VERSION {
        return Err(LineError::Version { found, ours: crate::VERSION });
    }
    let header =
        Header { target: fields.text("target")?, variant: fields.text("variant")?, model: fields.value("model")? };
    fields.finish()?;
    Ok(header)
}

fn parse_event(mut fields: Fields<'_>) -> Result<Event, LineError> {
    let event = match fields.keyword {
        "stream" => {
            let stream = StreamAnswer {
                case: fields.text("case")?,
                tokens: fields.list("tokens")?,
                digests: fields.list("digests")?,
            };
            if stream.tokens.len() != stream.digests.len() {
                let value = format!("{} digests for {} tokens", stream.digests.len(), stream.tokens.len());
                return Err(LineError::BadValue { line: fields.line, field: "digests".into(), value });
            }
            Event::Stream(stream)
        }
        "metric" => Event::Metric(Metric {
            case: fields.text("case")?,
            phase: fields.value("phase")?,
            name: fields.text("name")?,
            unit: fields.text("unit")?,
            value: fields.value("value")?,
        }),
        "layout" => Event::Layout(Layout {
            matrix: fields.text("matrix")?,
            rows: fields.value("rows")?,
            cols: fields.value("cols")?,
            count: fields.value("count")?,
            kernel: fields.text("kernel")?,
            row_tail: fields.text("row_tail")?,
            col_tail: fields.text("col_tail")?,
        }),
        "check" => Event::Check { case: fields.text("case")?, digest: fields.value("digest")? },
        "step" => Event::Step {
            case: fields.text("case")?,
            position: fields.value("position")?,
            layer: fields.value("layer")?,
            step: fields.text("step")?,
            digest: fields.value("digest")?,
        },
        #[cfg(feature = "sessions")]
        "session" => Event::Session(SessionAnswer::take(&mut fields)?),
        "error" => Event::Error { case: fields.text("case")?, message: fields.text("message")? },
        _ => return Err(fields.unknown()),
    };
    fields.finish()?;
    Ok(event)
}

/// Writes an answer line by line through `write`, counting and hashing the lines.
pub struct AnswerWriter<W: FnMut(&str)> {
    write: W,
    digester: Digester,
    lines: usize,
}

impl<W: FnMut(&str)> AnswerWriter<W> {
    /// Starts an answer with its first line.
    pub fn new(write: W, header: &Header) -> Self {
        let mut writer = AnswerWriter { write, digester: Digester::default(), lines: 0 };
        let mut line = String::from("bitstate");
        push_field(&mut line, "version", crate::VERSION);
        push_field(&mut line, "target", &header.target);
        push_field(&mut line, "variant", &header.variant);
        push_field(&mut line, "model", header.model);
        writer.line(line);
        writer
    }

    /// Adds one event.
    pub fn event(&mut self, event: &Event) {
        let mut line = String::new();
        match event {
            Event::Stream(stream) => {
                line.push_str("stream");
                push_field(&mut line, "case", &stream.case);
                push_field(&mut line, "tokens", Commas(&stream.tokens));
                push_field(&mut line, "digests", Commas(&stream.digests));
            }
            Event::Metric(metric) => {
                line.push_str("metric");
                push_field(&mut line, "case", &metric.case);
                push_field(&mut line, "phase", metric.phase);
                push_field(&mut line, "name", &metric.name);
                push_field(&mut line, "unit", &metric.unit);
                push_field(&mut line, "value", metric.value);
            }
            Event::Layout(layout) => {
                line.push_str("layout");
                push_field(&mut line, "matrix", &layout.matrix);
                push_field(&mut line, "rows", layout.rows);
                push_field(&mut line, "cols", layout.cols);
                push_field(&mut line, "count", layout.count);
                push_field(&mut line, "kernel", &layout.kernel);
                push_field(&mut line, "row_tail", &layout.row_tail);
                push_field(&mut line, "col_tail", &layout.col_tail);
            }
            Event::Check { case, digest } => {
                line.push_str("check");
                push_field(&mut line, "case", case);
                push_field(&mut line, "digest", digest);
            }
            Event::Step { case, position, layer, step, digest } => {
                line.push_str("step");
                push_field(&mut line, "case", case);
                push_field(&mut line, "position", position);
                push_field(&mut line, "layer", layer);
                push_field(&mut line, "step", step);
                push_field(&mut line, "digest", digest);
            }
            #[cfg(feature = "sessions")]
            Event::Session(session) => session.push(&mut line),
            Event::Error { case, message } => {
                line.push_str("error");
                push_field(&mut line, "case", case);
                push_field(&mut line, "message", message);
            }
        }
        self.line(line);
    }

    /// Ends the answer with its closing line.
    pub fn finish(mut self) {
        let mut line = String::from("end");
        push_field(&mut line, "lines", self.lines);
        push_field(&mut line, "digest", self.digester.finish());
        self.line(line);
    }

    fn line(&mut self, mut line: String) {
        line.push('\n');
        self.digester.push(line.as_bytes());
        self.lines += 1;
        (self.write)(&line);
    }
}
