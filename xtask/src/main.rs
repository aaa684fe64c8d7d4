//! `cargo xtask`: the commands of the workspace. Each is one file here; `bitstate-harness` does the work.

#![deny(clippy::print_stdout, clippy::print_stderr)]

// First, so that its macros replace those of the standard library everywhere.
#[macro_use]
mod print;

mod ab;
mod bench;
mod build;
mod ci;
mod compare;
mod context;
mod dist;
mod doctor;
mod eval;
mod flags;
mod fuzz;
mod gate;
mod golden;
mod house;
mod image;
mod list;
mod report;
mod resume;
mod selftest;
mod setup;
mod test;
mod train_smoke;
mod verify;
mod web;

use bitstate_harness::definitions::workloads;
use bitstate_harness::workspace::lock::Lock;
use bitstate_harness::workspace::process::{self, guard};
use bitstate_harness::workspace::{Workspace, output};
use bitstate_harness::{Error, Exit, targets};
use clap::Parser;
use flags::{Cli, Command};
use std::io::IsTerminal;
use std::process::ExitCode;

fn main() -> ExitCode {
    let exit = match Cli::try_parse() {
        Ok(cli) => run(&cli).unwrap_or_else(|error| report_error(&error)),
        // A usage error.
        Err(error) if error.use_stderr() => {
            let _ = error.print();
            Exit::Harness
        }
        // Help and version.
        Err(error) => {
            let text = error.render();
            if std::io::stdout().is_terminal() {
                print!("{}", text.ansi())
            } else {
                print!("{text}")
            }
            Exit::Pass
        }
    };
    let exit = output::finish().map_or_else(|error| exit.worst(report_error(&error.into())), |()| exit);
    ExitCode::from(exit.code())
}

/// Prints an error; returns its exit code.
fn report_error(error: &anyhow::Error) -> Exit {
    eprintln!("error: {}", sentence(error));
    error.downcast_ref::<Error>().map_or(Exit::Harness, Error::exit)
}

fn run(cli: &Cli) -> anyhow::Result<Exit> {
    if let Err(error) = ctrlc::set_handler(process::interrupt) {
        eprintln!("warning: Ctrl-C will end this at once: {error}");
    }
    // Child processes of a run that has already done what follows.
    if matches!(cli.command, Command::Plant(_) | Command::Guard { .. }) {
        return verb(&cli.command);
    }
    // Errors in the definitions are reported before anything else.
    let workspace = Workspace::find()?;
    targets::load(&workspace)?;
    workloads::load(&workspace)?;
    context::set_waiting(!cli.no_wait);
    guard::enable(workspace.scratch());
    let lock = match cli.command.writes() {
        true => Some(Lock::take(&workspace, &context::command_line(), context::waiting())?),
        false => None,
    };
    let ended = verb(&cli.command);
    // All child processes have exited before the lock is released.
    guard::end();
    drop(lock);
    ended
}

fn verb(command: &Command) -> anyhow::Result<Exit> {
    match command {
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
        // Its status is the runner's, which has its own codes.
        Command::Plant(flags) => std::process::exit(i32::from(selftest::plant(flags)?)),
        Command::Guard { owner, scratch } => {
            guard::watch(owner, scratch);
            Ok(Exit::Pass)
        }
        Command::Compare(flags) => compare::run(flags),
        Command::Ab(flags) => ab::run(flags),
        Command::Report(flags) => report::run(flags),
        Command::Golden(flags) => golden::run(flags),
        Command::Ci(flags) => ci::run(flags),
        Command::Test(flags) if flags.trainer => test::trainer(),
        Command::Test(flags) if flags.emulated => test::emulated(),
        Command::Test(_) => test::run(),
        Command::TrainSmoke => train_smoke::run(),
        Command::Fuzz(flags) => fuzz::run(flags),
        Command::Web(flags) => web::run(flags),
        Command::Dist => dist::run(),
        Command::Image(flags) => image::run(flags),
    }
}

/// An error with its causes, without repeating a cause that the message already includes.
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
