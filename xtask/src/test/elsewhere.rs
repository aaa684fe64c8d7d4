//! Checks under emulators and in a browser.

use super::score::Score;
use super::{PAGE, together};
use crate::context::{Context, Ready};
use crate::house;
use crate::image::{Board, try_out};
use bitstate_harness::records::Tally;
use bitstate_harness::records::provenance::cpu_features;
use bitstate_harness::targets::Cell;
use bitstate_harness::targets::build::obstacle;
use bitstate_harness::targets::skip::Cause;
use bitstate_harness::workspace::cargo::cargo;
use bitstate_harness::workspace::setup::can_install;
use bitstate_harness::{Error, Exit};

/// The package with CPU-specific code.
const KERNELS: &str = "bitstate-kernels";

/// The tests under emulators and in a browser, and the builds of every target.
pub fn other_machines(context: Context) -> anyhow::Result<(Tally, Ready)> {
    let mut score = Score::new();
    foreign_tests(&mut score, &context)?;
    page_tests(&mut score, &context)?;
    for board in [Board::Esp32s3, Board::CortexM4] {
        board_image(&mut score, &context, board);
    }
    let ready = context.prepare()?;
    println!("ok  every target is built ({})", score.time());
    Ok((score.total, ready))
}

/// Runs the tests of the kernels on every emulated CPU with `tests = true`.
pub fn foreign_tests(score: &mut Score, context: &Context) -> Result<(), Error> {
    let features = cpu_features();
    for (i, cell) in context.cells.iter().enumerate() {
        // The first cell of each target, which runs on every CPU.
        if context.cells[..i].iter().any(|before| before.target == cell.target) {
            continue;
        }
        let what = format!("tests of {KERNELS} on {}", cell.target.name);
        if let Some(skip) = obstacle(*cell, &features) {
            // A kind without tests has nothing to report.
            if cell.target.kind.has_tests() {
                score.skip(&what, &skip.reason, exit(context, *cell, skip.cause));
            }
        } else if let Some(mut command) = cell.target.kind.tests(&context.workspace, KERNELS)? {
            score.tests_by(&context.workspace, &what, &mut command)?;
        }
    }
    Ok(())
}

/// Makes the image for a board and runs it.
fn board_image(score: &mut Score, context: &Context, board: Board) {
    let what = format!("image for a board, {}", board.target());
    let Some(cell) = context.cells.iter().find(|cell| cell.target.name == board.target()) else { return };
    if let Some(skip) = obstacle(*cell, &cpu_features()) {
        return score.skip(&what, &skip.reason, exit(context, *cell, skip.cause));
    }
    match try_out(&context.workspace, board) {
        Ok(said) => score.check(&format!("{what}: {said}"), Ok(())),
        Err(error) => score.check(&what, Err(error)),
    }
}

/// Builds the page and runs its tests in a browser.
fn page_tests(score: &mut Score, context: &Context) -> anyhow::Result<()> {
    let (what, workspace) = ("tests of the page", &context.workspace);
    let cell = context.cells.iter().find(|cell| cell.target.name == "chromium");
    let missing = house::driver().filter(|tool| tool.find().is_none());
    if let (Some(cell), Some(tool)) = (cell, missing) {
        score.skip(what, &format!("not installed: {}", tool.title), exit(context, *cell, Cause::Tools));
        return Ok(());
    }
    let page = workspace.scratch().join("web");
    if let Err(error) = crate::web::make(workspace, &page) {
        println!("FAILED  the page: {error:#}");
        score.add(Exit::Harness);
        return Ok(());
    }
    let mut command = cargo(workspace, "test")?;
    // Selected with everything that is tested together, so that it uses the same builds.
    command.args(["--release", "--no-fail-fast", "--test", PAGE.1]).args(together()).env("BITSTATE_WEB", &page);
    Ok(score.tests_by(workspace, what, &mut command)?)
}

/// The exit code of a skipped check.
fn exit(context: &Context, cell: Cell, cause: Cause) -> Exit {
    context.expected.exit(cell, None, cause, can_install())
}
