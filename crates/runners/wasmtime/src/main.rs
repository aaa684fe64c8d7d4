//! The suite's guest under wasmtime: a request on standard input, the guest's answer on standard output.
//!
//! Exit status 0: every job succeeded; 1: a job failed, as the answer reports; 2: nothing could be run, the guest
//! trapped or reached a limit; the reason is on standard error.
#![deny(clippy::print_stdout, clippy::print_stderr, reason = "they panic where it cannot be written")]

use clap::Parser;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use wasmtime::error::Context;
use wasmtime::{Caller, Config, Engine, Extern, Linker, Module, Store, StoreLimits, StoreLimitsBuilder, Trap};
use wasmtime::{Result, format_err};

/// Largest accepted request and guest, in bytes.
const REQUEST_LIMIT: u64 = 64 << 20;
const GUEST_LIMIT: u64 = 256 << 20;

/// Run the suite's jobs in a WebAssembly guest.
///
/// The request comes on standard input, the answer goes to standard output, both in the line format of
/// bitstate-protocol. Memory and time are always limited. Fuel is metered only with --fuel or --count-fuel, because
/// metering slows the guest down: measure time without it, and count fuel in a separate run.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// The guest module.
    #[arg(long, value_name = "FILE")]
    guest: PathBuf,
    /// The BITS file to run.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Stop the guest when it has used this much fuel (about one unit per instruction).
    #[arg(long, value_name = "UNITS")]
    fuel: Option<u64>,
    /// Let the guest's clock count fuel instead of nanoseconds.
    #[arg(long)]
    count_fuel: bool,
    /// Limit of the guest's linear memory.
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20)]
    memory_limit: usize,
    /// Stop the guest after this many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout: u64,
}

struct Host {
    limits: StoreLimits,
    start: Instant,
    /// Initial fuel, if the clock counts it.
    fuel: Option<u64>,
    out: io::BufWriter<io::Stdout>,
}

fn main() -> ExitCode {
    match run(&Flags::parse()) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            // Nothing can be done if standard error cannot be written.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(flags: &Flags) -> Result<u8> {
    let request =
        bitstate_files::read_from(io::stdin(), REQUEST_LIMIT).context("cannot read the request from standard input")?;
    let model = bitstate_files::read(&flags.model, flags.memory_limit as u64)
        .with_context(|| format!("cannot read the model {}, which must fit --memory-limit", flags.model.display()))?;

    let metered = flags.count_fuel || flags.fuel.is_some();
    let mut config = Config::new();
    config.consume_fuel(metered).epoch_interruption(true);
    let engine = Engine::new(&config)?;
    let guest = bitstate_files::read(&flags.guest, GUEST_LIMIT)
        .with_context(|| format!("cannot read the guest {}", flags.guest.display()))?;
    let module = bitstate_determinism::check(&guest)
        .map_err(wasmtime::Error::from)
        .and_then(|()| Module::new(&engine, &guest))
        .with_context(|| format!("cannot load the guest {}", flags.guest.display()))?;

    let limits = StoreLimitsBuilder::new().memory_size(flags.memory_limit).trap_on_grow_failure(true).build();
    let fuel = flags.fuel.unwrap_or(u64::MAX);
    let host = Host {
        limits,
        start: Instant::now(),
        fuel: flags.count_fuel.then_some(fuel),
        out: io::BufWriter::new(io::stdout()),
    };
    let mut store = Store::new(&engine, host);
    store.limiter(|host| &mut host.limits);
    if metered {
        store.set_fuel(fuel)?;
    }
    store.set_epoch_deadline(1);
    let timer = engine.clone();
    let timeout = Duration::from_secs(flags.timeout);
    // Not joined: it ends with the process.
    std::thread::spawn(move || {
        std::thread::sleep(timeout);
        timer.increment_epoch();
    });

    let status = guest_run(&mut store, &module, &request, &model).map_err(|error| explain(error, flags))?;
    store.data_mut().out.flush().context("cannot write the answer")?;
    u8::try_from(status)
        .ok()
        .filter(|&status| status <= 2)
        .ok_or(format_err!("the guest answered with status {status}"))
}

/// Instantiates the guest, passes its inputs and calls it.
fn guest_run(store: &mut Store<Host>, module: &Module, request: &[u8], model: &[u8]) -> Result<u32> {
    let mut linker = Linker::new(store.engine());
    linker.func_wrap("bitstate", "ticks", |caller: Caller<'_, Host>| ticks(&caller))?;
    linker.func_wrap("bitstate", "tick_kind", |caller: Caller<'_, Host>| u32::from(caller.data().fuel.is_some()))?;
    linker.func_wrap("bitstate", "text", text)?;
    let instance = linker.instantiate(&mut *store, module).context("the guest does not fit this host")?;

    let reserve = instance.get_typed_func::<u32, u32>(&mut *store, "reserve")?;
    let memory = instance.get_memory(&mut *store, "memory").context("the guest has no memory")?;
    let mut hand_over = |bytes: &[u8]| -> Result<(u32, u32)> {
        let length = u32::try_from(bytes.len()).context("too large for a 32-bit guest")?;
        let address = reserve.call(&mut *store, length)?;
        memory.write(&mut *store, address as usize, bytes)?;
        Ok((address, length))
    };
    let (request, request_length) = hand_over(request)?;
    let (model, model_length) = hand_over(model)?;
    let run = instance.get_typed_func::<(u32, u32, u32, u32), u32>(&mut *store, "run")?;
    run.call(&mut *store, (request, request_length, model, model_length))
}

fn ticks(caller: &Caller<'_, Host>) -> Result<u64> {
    match caller.data().fuel {
        Some(start) => Ok(start - caller.get_fuel()?),
        None => Ok(caller.data().start.elapsed().as_nanos() as u64),
    }
}

/// Receives a line of the answer, or the reason why there is none.
fn text(mut caller: Caller<'_, Host>, kind: u32, address: u32, length: u32) -> Result<()> {
    let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
        wasmtime::bail!("the guest has no memory");
    };
    let (data, host) = memory.data_and_store_mut(&mut caller);
    let bytes = data.get(address as usize..).and_then(|data| data.get(..length as usize));
    let Some(bytes) = bytes else {
        wasmtime::bail!("the guest's text lies outside its memory");
    };
    match kind {
        0 => host.out.write_all(bytes)?,
        _ => {
            let _ = writeln!(io::stderr(), "guest: {}", String::from_utf8_lossy(bytes));
        }
    }
    Ok(())
}

/// Names the limit that stopped the guest, and the flag that changes it.
fn explain(error: wasmtime::Error, flags: &Flags) -> wasmtime::Error {
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => {
            format_err!("the guest ran out of fuel after {} units: raise --fuel", flags.fuel.unwrap_or(u64::MAX))
        }
        Some(Trap::Interrupt) => format_err!("the guest did not end within {} s: raise --timeout", flags.timeout),
        _ if format!("{error:?}").contains("memory") => error.context(format!(
            "the guest failed; its memory is limited to {} bytes, which --memory-limit raises",
            flags.memory_limit
        )),
        _ => error.context("the guest failed"),
    }
}
