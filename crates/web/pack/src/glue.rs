//! The glue between JavaScript and the modules, by wasm-bindgen's own library.

use anyhow::{Context, ensure};
use std::path::Path;
use wasm_bindgen_cli_support::Bindgen;
use wasmparser::{Validator, WasmFeatures};

/// What wasm-bindgen makes of a module.
pub struct Glued {
    /// The module, as it is loaded.
    pub module: Vec<u8>,
    /// The script that loads any of the three.
    pub script: String,
    /// The types of that script.
    pub types: String,
}

/// Makes the glue of a built module in the folder `scratch`.
///
/// # Errors
/// If the module needs more of WebAssembly than `features`: browsers without it would refuse it as a whole.
pub fn glue(module: &Path, features: WasmFeatures, scratch: &Path) -> anyhow::Result<Glued> {
    let mut bindgen = Bindgen::new();
    bindgen.input_path(module).out_name("bitstate").typescript(true);
    bindgen.web(true)?.omit_default_module_path(true).remove_name_section(true).remove_producers_section(true);
    bindgen.generate(scratch).with_context(|| format!("cannot make the glue of {}", module.display()))?;
    let read = |name: &str| {
        let path = scratch.join(name);
        std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let module_bytes = read("bitstate_bg.wasm")?;
    bitstate_determinism::check(&module_bytes).with_context(|| format!("{}", module.display()))?;
    Validator::new_with_features(features).validate_all(&module_bytes).with_context(|| {
        format!("{} needs more of WebAssembly than the browsers that it is for have", module.display())
    })?;
    Ok(Glued {
        module: module_bytes,
        script: String::from_utf8(read("bitstate.js")?)?,
        types: String::from_utf8(read("bitstate.d.ts")?)?,
    })
}

/// That one script loads all of them: bundlers then see one, and a page loads one.
pub fn same<'a>(all: &'a [(&str, Glued)]) -> anyhow::Result<&'a Glued> {
    let (first, glued) = all.first().context("there is no module")?;
    for (name, other) in all {
        ensure!(
            other.script == glued.script && other.types == glued.types,
            "the builds {first} and {name} need different glue: one script can no longer load both"
        );
    }
    Ok(glued)
}
