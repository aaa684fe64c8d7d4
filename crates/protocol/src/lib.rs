//! The protocol between harness and runner: a request of a few lines, and an answer of a few lines.
//!
//! Both are text, one message per line: a keyword, then `key=value` fields in any order, with values percent-encoded if
//! they contain a space, a `%` or a control character. A line with an unknown keyword, an unknown field or a missing
//! one is an error: a harness that ignored unknown input would accept answers it did not check.
//!
//! ```text
//! request                                              answer
//! bitstate-request version=2 variant=avx2              bitstate version=2 target=native variant=avx2 model=9f…
//! stream case=a prompt=1,2 max_tokens=3 sampler=greedy stream case=a tokens=5,6,7 digests=…,…,…
//! bench case=b prompt=1,2 max_tokens=64 …              metric case=b phase=decode name=time unit=ns value=123
//! kernels                                              check case=exp digest=…
//! steps case=a prompt=1,2 tokens=5,6,7                 step case=a position=0 layer=0 step=tm.r digest=…
//! profile case=b prompt=1,2 max_tokens=64 …            metric case=b phase=profile name=head unit=ns value=123
//! parts case=b prompt=1,2 max_tokens=8 …               metric case=b phase=prefill name=head unit=fuel value=123
//! layout                                               layout matrix=head rows=101 cols=96 kernel=madd …
//! roof bytes=16384 ticks=20000000 slices=5             metric case=roof/16384 phase=kernel name=bytes …
//! throughput ternary=256x256 tokens=1 heads= …         metric case=ternary/256x256/1 phase=kernel name=weights …
//! begin case=c prompt=1,2 max_tokens=3 … save=0,3       session case=c tokens=3 file=7b22…
//! resume case=d max_tokens=2 save=2 file=7b22…          session case=d tokens=2 file=7b22…
//!                                                      end lines=5 digest=…
//! ```
//!
//! The first line of an answer has the target, the variant that actually ran and the digest of the model file; the last
//! one has the number of lines before it and the digest of their bytes (including newlines), so that a truncated,
//! spliced or garbled answer is never accepted.
//!
//! `begin`, `resume` and `session` need the feature `sessions`.
//!
//! ```
//! use bitstate_protocol::{Job, Request};
//!
//! let text = "bitstate-request version=2 variant=avx2\nstream case=a prompt=1,2 max_tokens=3 sampler=greedy\n";
//! let request = Request::parse(text)?;
//! assert!(matches!(&request.jobs[..], [Job::Stream(workload)] if workload.prompt == [1, 2]));
//! assert_eq!(request.to_text(), text);
//! // An unknown field is an error.
//! assert!(Request::parse(&text.replace("case=", "kase=")).is_err());
//! # Ok::<(), bitstate_protocol::LineError>(())
//! ```
#![no_std]
extern crate alloc;

mod answer;
mod chain;
mod digest;
mod line;
mod measured;
mod request;
#[cfg(feature = "sessions")]
mod session;

pub use answer::{Answer, AnswerWriter, Event, Header, Layout, Metric, Phase, StreamAnswer};
pub use chain::{Bias, Chain};
pub use digest::{Digest, Digester};
pub use line::LineError;
pub use measured::{Budget, Roof, Shape, Throughput};
pub use request::{Job, Request, Sampling, Steps, Workload};
#[cfg(feature = "sessions")]
pub use session::{Begin, Resume, SessionAnswer};

/// Version of the line format, in the first line of both directions.
pub const VERSION: u32 = 2;
