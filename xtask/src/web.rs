//! `cargo xtask web`: the page and the npm package.

use anyhow::ensure;
use bitstate_harness::targets::kinds::modules::{Module, module};
use bitstate_harness::workspace::Workspace;
use bitstate_harness::workspace::cargo::host_program;
use bitstate_harness::workspace::environment::command;
use bitstate_harness::workspace::log::logged;
use bitstate_harness::{Error, Exit, targets};
use clap::Args;
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// Flags of `web`.
#[derive(Debug, Args)]
pub struct WebFlags {
    /// Output folder: new, empty, or with an earlier page, which is replaced
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// The builds: name, compiler flags and features, as in the variants of the target `wasm`.
const BUILDS: [(&str, &str, &str); 3] =
    [("plain", "", ""), ("simd128", "-Ctarget-feature=+simd128", "simd128"), ("relaxed_simd", "", "relaxed_simd")];
/// Smaller code for SHA-256, which a page computes only once per model.
const COMPACT: &str = r#"--cfg sha2_backend_soft="compact""#;

pub fn run(flags: &WebFlags) -> anyhow::Result<Exit> {
    let workspace = Workspace::find()?;
    let out = std::path::absolute(&flags.out)?;
    make(&workspace, &out)?;
    println!("the page is in {}: any static file server can serve it", out.display());
    println!("the npm package is in {}", out.join("bitstate").display());
    Ok(Exit::Pass)
}

/// Builds the three modules and packs them into the page at `out`.
pub fn make(workspace: &Workspace, out: &Path) -> anyhow::Result<()> {
    let tool = targets::tools().iter().find(|tool| tool.name == "rust-wasm32");
    ensure!(tool.is_some_and(|tool| tool.find().is_some()), "no compiler for WebAssembly: run `cargo xtask setup`");
    let program = host_program(workspace, "bitstate-web-pack")?;
    let mut pack = command(program);
    pack.arg("--root").arg(&workspace.root).arg("--out").arg(out);
    let built = BUILDS.par_iter().map(|&(name, rustflags, features)| {
        let of = Module {
            package: "bitstate-web",
            profile: "page",
            triple: "wasm32-unknown-unknown",
            rustflags: &format!("{rustflags} {COMPACT}"),
            features,
            page: true,
            folder: &format!("page-{name}"),
        };
        Ok((name, module(workspace, &of)?))
    });
    for (name, module) in built.collect::<Result<Vec<_>, Error>>()? {
        pack.arg(format!("--{}", name.replace('_', "-"))).arg(module);
    }
    logged(workspace, "page", &mut pack)?;
    Ok(())
}
