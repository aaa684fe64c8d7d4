//! The `bitstate` command, one file per subcommand. It is a library so that `examples/pages.rs` can generate its man pages
//! without adding their dependencies to the command.
#![deny(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic if the stream cannot be written: use `output`"
)]

mod bench;
mod chat;
mod describe;
mod eval;
mod generate;
mod inspect;
mod interrupt;
mod load;
mod logits;
mod map;
mod numbers;
mod output;
mod prompt;
mod recipe;
mod sampling;
#[cfg(feature = "serve")]
mod serve;
mod state;
mod synth;
mod text;
mod threads;
#[cfg(feature = "train")]
mod training;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The exit code of every error: in arguments (as in clap), files or devices. 1 means that an answer is negative, 130 is
/// Ctrl-C.
const FAILED: u8 = 2;

/// Run ternary RWKV models (BITS files): exact, small and fast.
///
/// Every kernel variant gives the same logits on every machine, bit for bit, so `--variant` only changes the speed.
#[derive(Parser)]
#[command(
    name = "bitstate",
    version,
    after_help = after_help()
)]
struct Flags {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Generate(Box<generate::Flags>),
    Replay(generate::replay::Flags),
    Chat(Box<chat::Flags>),
    State(state::Flags),
    Logits(logits::Flags),
    Inspect(inspect::Flags),
    Bench(bench::Flags),
    Synth(synth::Flags),
    Describe(describe::Flags),
    Eval(Box<eval::Flags>),
    Map(map::Flags),
    #[cfg(feature = "serve")]
    Serve(Box<serve::Flags>),
    #[cfg(not(feature = "serve"))]
    #[command(hide = true, disable_help_flag = true)]
    Serve {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<std::ffi::OsString>,
    },
    #[cfg(feature = "train")]
    Data(training::data::Flags),
    #[cfg(feature = "train")]
    Train(training::train::Flags),
    #[cfg(feature = "train")]
    Convert(training::convert::Flags),
    /// Subcommands that this build lacks, to explain how to get them.
    #[cfg(not(feature = "train"))]
    #[command(name = "train", aliases = ["data", "convert"], hide = true, disable_help_flag = true)]
    Absent {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<std::ffi::OsString>,
    },
}

fn after_help() -> String {
    let try_it = "Create a model to try:\n  bitstate synth --preset byte --seed 1 --out byte.bits\n  \
                  bitstate generate --model byte.bits --prompt 'Once upon a time' --max-tokens 64";
    let training = "`data`, `train` and `convert` require a build with --features train.";
    let serving = "`serve`, the model over HTTP, requires a build with --features serve.";
    let absent = [(cfg!(feature = "serve"), serving), (cfg!(feature = "train"), training)];
    let absent: String = absent.iter().filter(|(here, _)| !here).map(|(_, said)| format!("\n\n{said}")).collect();
    format!("{try_it}{absent}")
}

/// The command line with all its flags.
pub fn command() -> clap::Command {
    <Flags as clap::CommandFactory>::command()
}

/// Runs the command with this process's arguments.
pub fn main() -> ExitCode {
    let done = match Flags::try_parse_from(prompt::joined::<Flags>(std::env::args_os())) {
        Ok(flags) => run(flags.command),
        // Requested help or the version is output; errors go to standard error, if it can be written.
        Err(error) if error.use_stderr() => {
            let _ = error.print();
            return ExitCode::from(FAILED);
        }
        Err(answer) => output::printed(answer.print()).map(|()| ExitCode::SUCCESS),
    };
    match done {
        Ok(code) => code,
        Err(error) if output::reader_went_away(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::say(format_args!("error: {error:#}"));
            ExitCode::from(FAILED)
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Generate(flags) => return generate::run(&flags),
        Command::Replay(flags) => return generate::replay::run(&flags),
        Command::Chat(flags) => return chat::run(&flags),
        Command::State(flags) => state::run(&flags),
        Command::Logits(flags) => logits::run(&flags),
        Command::Bench(flags) => bench::run(&flags),
        Command::Inspect(flags) => inspect::run(&flags),
        Command::Synth(flags) => synth::run(&flags),
        Command::Describe(flags) => describe::run(&flags),
        Command::Eval(flags) => eval::run(&flags),
        Command::Map(flags) => return map::run(&flags),
        #[cfg(feature = "serve")]
        Command::Serve(flags) => serve::run(*flags),
        #[cfg(not(feature = "serve"))]
        Command::Serve { .. } => Err(anyhow::anyhow!(
            "this bitstate does not include `serve`; to include it: cargo build --release -p bitstate-cli --features serve"
        )),
        #[cfg(feature = "train")]
        Command::Data(flags) => training::data::run(&flags),
        #[cfg(feature = "train")]
        Command::Train(flags) => training::train::run(&flags),
        #[cfg(feature = "train")]
        Command::Convert(flags) => training::convert::run(&flags),
        #[cfg(not(feature = "train"))]
        Command::Absent { .. } => Err(anyhow::anyhow!(
            "this bitstate does not include training; to include it: cargo build --release -p bitstate-cli --features train"
        )),
    }
    .map(|()| ExitCode::SUCCESS)
}
