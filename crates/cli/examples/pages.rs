//! Writes the man pages and shell completions of the command to a folder: `cargo run -p bitstate-cli --example pages -- DIR`.

use clap_complete::{Shell, generate_to};
use std::error::Error;
use std::fs;
use std::path::Path;

#[allow(dead_code, reason = "the test calls `write` itself")]
fn main() -> Result<(), Box<dyn Error>> {
    write(Path::new(&std::env::args_os().nth(1).ok_or("give the folder to write")?))
}

/// Writes the subfolders `man` and `completions`.
pub fn write(folder: &Path) -> Result<(), Box<dyn Error>> {
    let (man, completions) = (folder.join("man"), folder.join("completions"));
    fs::create_dir_all(&man)?;
    fs::create_dir_all(&completions)?;
    // `bitstate.1`, and `bitstate-generate.1` for a subcommand.
    clap_mangen::generate_to(bitstate_cli::command().disable_help_subcommand(true), &man)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell] {
        generate_to(shell, &mut bitstate_cli::command(), "bitstate", &completions)?;
    }
    Ok(())
}
