//! What a runner and the harness say to each other: a request of a few lines in, a log of a few lines out.
//!
//! Both are text, one message a line: a keyword, then `key=value` fields in any order, values percent-encoded
//! where they hold a space, a `%` or a control character. A line with an unknown keyword, an unknown field or a
//! missing one is an error: a harness that skips what it does not know would pass what it never saw.
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
//!                                                      end lines=5 digest=…
//! ```
//!
//! The first line of an answer names the target, the variant that really ran and the digest of the model file;
//! the last one counts the lines before it and digests their bytes (newlines included), so that a log cut short,
//! spliced or garbled is never taken for a whole one.
#![no_std]
extern crate alloc;

mod answer;
mod chain;
mod digest;
mod line;
mod measured;
mod request;

pub use answer::{Answer, AnswerWriter, Event, Header, Layout, Metric, Phase, StreamAnswer};
pub use chain::{Bias, Chain};
pub use digest::{Digest, Digester};
pub use line::LineError;
pub use measured::{Budget, Roof, Shape, Throughput};
pub use request::{Job, Request, Sampling, Steps, Workload};

/// Version of the line format, in the first line of both directions.
pub const VERSION: u32 = 2;
