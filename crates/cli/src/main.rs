//! The `bitstate` command. Each subcommand is a file of its own.

mod eval;
mod generate;
mod inspect;
mod load;
mod logits;
mod synth;
mod text;
mod threads;
#[cfg(feature = "train")]
mod training;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Run ternary RWKV models (BITS files): exact, small and fast.
///
/// The logits are the same bits for every kernel variant on every machine, so `--variant` changes the speed alone.
#[derive(Parser)]
#[command(
    name = "bitstate",
    version,
    after_help = "Make a model to try:\n  bitstate synth --preset byte --seed 1 --out byte.bits\n  bitstate generate --model byte.bits --prompt 'Once upon a time' --max-tokens 64"
)]
struct Flags {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Generate(generate::Flags),
    Logits(logits::Flags),
    Inspect(inspect::Flags),
    Synth(synth::Flags),
    Eval(eval::Flags),
    #[cfg(feature = "train")]
    Data(training::data::Flags),
    #[cfg(feature = "train")]
    Train(training::train::Flags),
    #[cfg(feature = "train")]
    Convert(training::convert::Flags),
}

fn main() -> ExitCode {
    let done = match Flags::parse().command {
        Command::Generate(flags) => generate::run(&flags),
        Command::Logits(flags) => logits::run(&flags),
        Command::Inspect(flags) => inspect::run(&flags),
        Command::Synth(flags) => synth::run(&flags),
        Command::Eval(flags) => eval::run(&flags),
        #[cfg(feature = "train")]
        Command::Data(flags) => training::data::run(&flags),
        #[cfg(feature = "train")]
        Command::Train(flags) => training::train::run(&flags),
        #[cfg(feature = "train")]
        Command::Convert(flags) => training::convert::run(&flags),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of a pipe went away: that is its right, and no error.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
