//! Makes the page of the built modules: a folder that any file server serves as it is, with the npm package in it.
//!
//! ```text
//! index.html, style.css, *.js, sw.js   the page
//! bitstate/                            the npm package: the glue of wasm-bindgen, worker, client, and the modules in builds/
//! models/                              the models, and models.json that lists them
//! ```
#![deny(clippy::print_stdout, clippy::print_stderr, reason = "they panic where it cannot be written")]

mod glue;
mod models;
mod site;

use clap::Parser;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Make the page and the npm package.
#[derive(Parser)]
#[command(version)]
pub struct Flags {
    /// The root of the workspace, which has the page's sources and the models.
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// The module for browsers without SIMD.
    #[arg(long, value_name = "FILE")]
    plain: PathBuf,
    /// The module for those with SIMD.
    #[arg(long, value_name = "FILE")]
    simd128: PathBuf,
    /// The module for those with relaxed SIMD.
    #[arg(long, value_name = "FILE")]
    relaxed_simd: PathBuf,
    /// Where the page goes: a new folder, an empty one, or one with an earlier page, which is replaced.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

fn main() -> ExitCode {
    match site::make(&Flags::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A standard error that cannot be written changes nothing.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::from(2)
        }
    }
}
