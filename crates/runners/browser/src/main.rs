//! The suite's guest in a browser: a request on standard input, the guest's answer on standard output.
//!
//! A headless browser with a fresh profile opens a page of this program. The page runs the guest in a worker and sends back its
//! output. No driver is needed, so any browser with a command line works.
//!
//! Exit status 0: every job succeeded; 1: a job failed, as the answer says; 2: nothing could be run, the guest trapped, or
//! there was no answer in time; standard error says which.
#![deny(clippy::print_stdout, clippy::print_stderr, reason = "they panic where it cannot be written")]

mod browser;
mod serve;

use anyhow::{Context, bail};
use browser::Kind;
use clap::Parser;
use serve::Said;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Largest request, guest and model in bytes.
const REQUEST_LIMIT: u64 = 64 << 20;
const GUEST_LIMIT: u64 = 256 << 20;
const MODEL_LIMIT: u64 = 1 << 30;

/// Run the suite's jobs in a WebAssembly guest in a browser.
///
/// The request comes on standard input, the answer goes to standard output, both in the line format of bitstate-protocol.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// Format of the browser's command line and profile.
    #[arg(long, value_enum)]
    browser: Kind,
    /// The browser's program.
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// The guest module.
    #[arg(long, value_name = "FILE")]
    guest: PathBuf,
    /// The BITS file to run.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// First repeat the request for this many milliseconds, so that the browser's engine optimises the guest.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    warm_up: u32,
    /// End the browser after this many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout: u64,
}

fn main() -> ExitCode {
    match run(&Flags::parse()) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            // If standard error cannot be written, the exit code still reports the failure.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(flags: &Flags) -> anyhow::Result<u8> {
    let request =
        bitstate_files::read_from(io::stdin(), REQUEST_LIMIT).context("cannot read the request from standard input")?;
    let model = bitstate_files::read(&flags.model, MODEL_LIMIT)
        .with_context(|| format!("cannot read the model {}", flags.model.display()))?;
    let guest = bitstate_files::read(&flags.guest, GUEST_LIMIT)
        .with_context(|| format!("cannot read the guest {}", flags.guest.display()))?;
    bitstate_determinism::check(&guest).with_context(|| format!("cannot load the guest {}", flags.guest.display()))?;

    let warm_up = flags.warm_up.to_string().into();
    let files = [("guest.wasm", guest), ("model.bits", model), ("request.txt", request), ("warm-up.txt", warm_up)];
    let mut site = serve::Site::new(files)?;
    let profile = tempfile::tempdir().context("cannot create a profile for the browser")?;
    let mut browser = browser::start(flags.browser, &flags.program, profile.path(), &site.address)?;
    let said = site.wait(Duration::from_secs(flags.timeout), || browser.has_ended());
    let (has_ended, wrote) = (browser.has_ended(), browser.end());
    match said {
        Some(Said { status: status @ (0..=2), text, reasons }) => {
            let mut err = io::stderr();
            // Failures of standard error are ignored.
            reasons.lines().for_each(|reason| drop(writeln!(err, "guest: {reason}")));
            io::stdout().write_all(text.as_bytes()).context("cannot write the answer")?;
            Ok(status)
        }
        Some(Said { reasons, .. }) => bail!("{reasons}"),
        None if has_ended => bail!("{} ended without an answer: {wrote}", flags.program.display()),
        None => {
            let (limit, fetched) = (flags.timeout, site.fetched());
            bail!("there was no answer within {limit} s: raise --timeout; the browser has fetched {fetched}")
        }
    }
}
