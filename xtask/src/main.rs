//! `cargo xtask`: the commands of the workspace. Each is a page here; the work is in `bitstate-harness`.

mod ab;
mod bench;
mod build;
mod ci;
mod compare;
mod context;
mod doctor;
mod eval;
mod flags;
mod fuzz;
mod gate;
mod golden;
mod list;
mod report;
mod resume;
mod selftest;
mod setup;
mod test;
mod train_smoke;
mod verify;

use bitstate_harness::workspace::Workspace;
use bitstate_harness::{Error, Exit, process, target, workloads};
use clap::Parser;
use flags::{Cli, Command};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are what was asked for; anything else is a question that cannot be answered.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { Exit::Harness.code() } else { 0 });
        }
    };
    if let Err(error) = ctrlc::set_handler(process::interrupt) {
        eprintln!("warning: Ctrl-C will end this at once: {error}");
    }
    match run(&cli) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(error) => {
            eprintln!("error: {}", sentence(&error));
            let exit = error.downcast_ref::<Error>().map_or(Exit::Harness, Error::exit);
            ExitCode::from(exit.code())
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<Exit> {
    // What is wrong with the definitions is told before anything else is done.
    if !matches!(cli.command, Command::Plant(_)) {
        let workspace = Workspace::find()?;
        target::load(&workspace)?;
        workloads::load(&workspace)?;
    }
    match &cli.command {
        Command::Setup(flags) => setup::run(flags),
        Command::Doctor(flags) => doctor::run(flags),
        Command::List(flags) => list::run(flags),
        Command::Build(flags) => build::run(flags),
        Command::Verify(flags) => verify::run(flags),
        Command::Eval(flags) => eval::run(flags),
        Command::Bench(flags) => bench::run(flags),
        Command::Gate(flags) => gate::run(flags),
        Command::Baseline { command } => gate::baseline(command),
        Command::Selftest(flags) => selftest::run(flags),
        // Its status is the runner's, whose codes are its own.
        Command::Plant(flags) => std::process::exit(i32::from(selftest::plant(flags)?)),
        Command::Compare(flags) => compare::run(flags),
        Command::Ab(flags) => ab::run(flags),
        Command::Report(flags) => report::run(flags),
        Command::Golden(flags) => golden::run(flags),
        Command::Ci(flags) => ci::run(flags),
        Command::Test(flags) if flags.trainer => test::trainer(),
        Command::Test(_) => test::run(),
        Command::TrainSmoke => train_smoke::run(),
        Command::Fuzz(flags) => fuzz::run(flags),
    }
}

/// An error with its causes. Many say their cause themselves, and it is not said twice.
fn sentence(error: &anyhow::Error) -> String {
    let mut sentence = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if sentence.is_empty() {
            sentence = cause;
        } else if !sentence.ends_with(&cause) {
            sentence = format!("{sentence}: {cause}");
        }
    }
    sentence
}
