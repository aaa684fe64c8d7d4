//! Packs the built modules into the page: a folder for any static file server, including the npm package.
//!
//! ```text
//! index.html, style.css, *.js, sw.js   the page
//! bitstate/                            the npm package: the glue of wasm-bindgen, worker, client, and the modules in builds/
//! models/                              the models, and models.json that lists them
//! ```
#![deny(clippy::print_stdout, clippy::print_stderr, reason = "they panic if the stream cannot be written")]

mod glue;
mod models;
mod site;

use clap::Parser;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Pack the page and the npm package.
#[derive(Parser)]
#[command(version)]
pub struct Flags {
    /// The workspace root, which contains the page's sources and the models.
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// The module for browsers without SIMD.
    #[arg(long, value_name = "FILE")]
    plain: PathBuf,
    /// The module for browsers with SIMD.
    #[arg(long, value_name = "FILE")]
    simd128: PathBuf,
    /// The module for browsers with relaxed SIMD.
    #[arg(long, value_name = "FILE")]
    relaxed_simd: PathBuf,
    /// Output folder: new, empty, or with an earlier page, which is replaced.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

fn main() -> ExitCode {
    match site::make(&Flags::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error cannot be written, the exit code still reports the failure.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::from(2)
        }
    }
}
