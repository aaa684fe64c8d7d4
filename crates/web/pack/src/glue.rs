//! The glue between JavaScript and the modules, generated with the wasm-bindgen library.

use anyhow::{Context, ensure};
use std::path::Path;
use wasm_bindgen_cli_support::Bindgen;
use wasmparser::{Validator, WasmFeatures};

/// What wasm-bindgen generates from a module.
pub struct Glued {
    /// The module to load.
    pub module: Vec<u8>,
    /// The script that loads any of the three modules.
    pub script: String,
    /// The types of that script.
    pub types: String,
}

/// Generates the glue of a built module in the folder `scratch`.
///
/// # Errors
/// If the module needs WebAssembly features beyond `features`: browsers without them would reject the whole module.
pub fn glue(module: &Path, features: WasmFeatures, scratch: &Path) -> anyhow::Result<Glued> {
    let mut bindgen = Bindgen::new();
    bindgen.input_path(module).out_name("bitstate").typescript(true);
    bindgen.web(true)?.omit_default_module_path(true).remove_name_section(true).remove_producers_section(true);
    bindgen.generate(scratch).with_context(|| format!("cannot generate the glue of {}", module.display()))?;
    let read = |name: &str| {
        let path = scratch.join(name);
        std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let module_bytes = read("bitstate_bg.wasm")?;
    bitstate_determinism::check(&module_bytes).with_context(|| format!("{}", module.display()))?;
    Validator::new_with_features(features)
        .validate_all(&module_bytes)
        .with_context(|| format!("{} needs WebAssembly features that its target browsers lack", module.display()))?;
    Ok(Glued {
        module: module_bytes,
        script: String::from_utf8(read("bitstate.js")?)?,
        types: String::from_utf8(read("bitstate.d.ts")?)?,
    })
}

/// Checks that one script can load all modules: bundlers then see one script, and a page loads one.
pub fn same<'a>(all: &'a [(&str, Glued)]) -> anyhow::Result<&'a Glued> {
    let (first, glued) = all.first().context("no modules given")?;
    for (name, other) in all {
        ensure!(
            other.script == glued.script && other.types == glued.types,
            "the builds {first} and {name} need different glue: one script cannot load both"
        );
    }
    Ok(glued)
}
