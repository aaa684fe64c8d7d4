//! The suite as a process: a request on standard input, the answer on standard output.
//!
//! Exit status 0: every job succeeded; 1: a job failed, as the answer reports; 2: nothing could be run; the reason is
//! on standard error.
#![deny(clippy::print_stdout, clippy::print_stderr, reason = "they panic where it cannot be written")]

use anyhow::{Context, Result, ensure};
use bitstate_kernels::{Kernels, Variant};
use bitstate_model::AlignedBytes;
use bitstate_suite::{HeapCounter, HeapUse, Host};
use bitstate_threads::{Pool, Workers};
use clap::Parser;
use std::alloc::{GlobalAlloc, Layout, System};
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// Largest accepted request, in bytes.
const REQUEST_LIMIT: u64 = 64 << 20;

/// Run the suite's jobs on this machine.
///
/// The request comes on standard input, the answer goes to standard output, both in the line format of
/// bitstate-protocol.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// The BITS file to run.
    #[arg(long, value_name = "FILE", required_unless_present = "variants")]
    model: Option<PathBuf>,
    /// Number of threads that share a token's largest matrices.
    #[arg(long, value_name = "N", default_value = "1")]
    threads: NonZeroUsize,
    /// Read ticks from this file of eight bytes, where an emulator counts the instructions of this process
    #[arg(long, value_name = "FILE")]
    instructions: Option<PathBuf>,
    /// Only list the kernel variants that run on this CPU, one per line, with the default last.
    #[arg(long, conflicts_with_all = ["model", "threads", "instructions"])]
    variants: bool,
}

/// The system's allocator, with counters.
struct Counted(HeapCounter);

#[global_allocator]
static HEAP: Counted = Counted(HeapCounter::new());

// SAFETY: every block comes from the system's allocator and goes back to it with its own layout.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.allocated(layout.size());
        // SAFETY: the caller upholds the contract, which is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.0.allocated(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.0.freed(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Source of the suite's clock.
enum Clock {
    Time(Instant),
    /// Counted by an emulator. The emulator's own memory is not counted as this process's.
    Instructions(File),
}

struct Process {
    clock: Clock,
    out: io::StdoutLock<'static>,
    failed: Option<io::Error>,
}

impl Host for Process {
    fn target(&self) -> &str {
        "native"
    }

    fn tick_metric(&self) -> (&'static str, &'static str) {
        match self.clock {
            Clock::Time(_) => ("time", "ns"),
            Clock::Instructions(_) => ("instructions", "instructions"),
        }
    }

    fn ticks(&mut self) -> u64 {
        match &mut self.clock {
            Clock::Time(start) => start.elapsed().as_nanos() as u64,
            Clock::Instructions(counter) => {
                let mut count = [0; 8];
                if let Err(error) = counter.rewind().and_then(|()| counter.read_exact(&mut count)) {
                    self.failed.get_or_insert(error);
                }
                u64::from_le_bytes(count)
            }
        }
    }

    fn heap(&mut self) -> HeapUse {
        HEAP.0.used()
    }

    /// The largest resident set so far, as Linux counts it.
    fn peak_memory(&mut self) -> Option<u64> {
        if matches!(self.clock, Clock::Instructions(_)) {
            return None;
        }
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kilobytes * 1024)
    }

    fn line(&mut self, line: &str) {
        if let Err(error) = self.out.write_all(line.as_bytes()) {
            self.failed.get_or_insert(error);
        }
    }
}

fn main() -> ExitCode {
    match run(&Flags::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            // Nothing can be done if standard error cannot be written.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(flags: &Flags) -> Result<bool> {
    let Some(path) = &flags.model else { return list_variants() };
    let clock = match &flags.instructions {
        None => Clock::Time(Instant::now()),
        Some(path) => Clock::Instructions(
            File::open(path).with_context(|| format!("cannot read the instruction count in {}", path.display()))?,
        ),
    };
    let mut request = String::new();
    let read = io::stdin().take(REQUEST_LIMIT + 1).read_to_string(&mut request);
    read.context("cannot read the request from standard input")?;
    ensure!(request.len() as u64 <= REQUEST_LIMIT, "the request is larger than {} MiB", REQUEST_LIMIT >> 20);
    let model = AlignedBytes::read_model(path).with_context(|| format!("cannot read the model {}", path.display()))?;
    let threads = flags.threads.get();
    let pool = (threads > 1).then(|| Pool::new(threads)).transpose();
    let pool = pool.with_context(|| format!("cannot start {threads} threads"))?;
    let workers = pool.as_ref().map(|pool| pool as &dyn Workers);
    let mut host = Process { clock, out: io::stdout().lock(), failed: None };
    let all_good = bitstate_suite::run_with(workers, &request, &model, &mut host)
        .with_context(|| format!("cannot run {}", path.display()))?;
    host.failed.map_or(Ok(()), Err).and_then(|()| host.out.flush()).context("cannot write the answer")?;
    Ok(all_good)
}

/// Prints the variants that run here, the default last.
fn list_variants() -> Result<bool> {
    let mut out = io::stdout().lock();
    let picked = Variant::best();
    let others = Variant::ALL.into_iter().filter(|&variant| variant != picked && Kernels::new(variant).is_ok());
    for variant in others.chain([picked]) {
        writeln!(out, "{}", variant.name()).context("cannot write the answer")?;
    }
    Ok(true)
}
