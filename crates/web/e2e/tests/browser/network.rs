//! Network use: no other host, few bytes; and the npm package in other projects.

use crate::Verdict::{self, Passed, Skipped};
use crate::page::Page;
use crate::{Test, target};
use anyhow::{Context, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const TESTS: &[Test] = &[
    ("no request goes to another host", hosts),
    ("the first load is small", sizes),
    ("the npm package packs", packs),
    ("the npm package works in a Vite bundle", vite),
    ("TypeScript accepts the types of the npm package", types),
];

fn hosts(page: &Page<'_>) -> anyhow::Result<Verdict> {
    page.open("")?;
    page.model(1)?;
    page.golden_settings(30)?;
    page.generate()?;
    page.browser.click("#race")?;
    page.browser.wait("/checksum/.test(document.getElementById('race-text').textContent)")?;
    let requests = page.browser.requests()?;
    ensure!(requests.len() > 10, "the log has only {requests:?}");
    // The browser's own pages, such as an empty tab, are not the network.
    let inner = ["blob:", "about:", "data:", "chrome:"];
    let own = |url: &String| url.starts_with(&page.site.origin) || inner.iter().any(|kind| url.starts_with(kind));
    let foreign: Vec<&String> = requests.iter().filter(|url| !own(url)).collect();
    ensure!(foreign.is_empty(), "{foreign:?}");
    // The policy allows no other host and no `eval`.
    let refused = page.browser.eval("fetch('https://example.org/').then(() => 'went out', () => 'refused')")?;
    ensure!(refused == "refused");
    let policy = page.browser.text("document.querySelector('meta[http-equiv]').content")?;
    ensure!(policy.contains("script-src 'self' 'wasm-unsafe-eval';") && !policy.contains("'unsafe-"), "{policy}");
    Ok(Passed)
}

/// Largest uncompressed module in bytes. Kernels of up to four variants take 100 kB; sorting, float formatting and JSON as much.
const LARGEST_MODULE: u64 = 500_000;
/// Largest first visit in bytes: all that it loads, compressed.
const LARGEST_LOAD: usize = 600_000;

fn compressed(bytes: &[u8]) -> anyhow::Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}

fn sizes(page: &Page<'_>) -> anyhow::Result<Verdict> {
    page.open("")?;
    page.golden_settings(10)?;
    page.generate()?;
    let loaded = page.browser.eval(
        "['', ...performance.getEntriesByType('resource').map((entry) => new URL(entry.name).pathname.slice(1))]",
    )?;
    let mut names: Vec<String> = serde_json::from_value(loaded)?;
    // Files that the worker loads itself.
    names.extend(
        ["bitstate/bitstate.js", "bitstate/builds/relaxed_simd.wasm", "models/stories-byte/model.bits"]
            .map(String::from),
    );
    names.sort();
    names.dedup();
    let mut all = 0;
    for name in &names {
        let path = page.folder.join(if name.is_empty() { "index.html" } else { name });
        all += compressed(&std::fs::read(&path).with_context(|| path.display().to_string())?)?;
    }
    println!("    {} files of {all} bytes compressed", names.len());
    ensure!(names.len() > 10 && all < LARGEST_LOAD, "the first load has {all} bytes compressed: {names:?}");
    for build in ["plain", "simd128", "relaxed_simd"] {
        let size = std::fs::metadata(page.folder.join(format!("bitstate/builds/{build}.wasm")))?.len();
        println!("    {build}.wasm has {size} bytes");
        ensure!(size < LARGEST_MODULE, "{build}.wasm has {size} bytes");
    }
    Ok(Passed)
}

/// Runs npm in a folder; returns its output, or what it reports if it fails.
fn npm(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("npm").args(arguments).current_dir(folder).output();
    let output = output.map_err(|error| format!("cannot run npm: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("`npm {}` failed: {}", arguments.join(" "), said.lines().take(3).collect::<Vec<_>>().join(" ")))
}

/// The folder of a package, downloaded once, or the reason why that is not possible.
pub fn package(name: &str) -> Result<PathBuf, String> {
    let folder = target().join("npm").join(name.replace(['@', '/'], "-"));
    let own = name.rsplit_once('@').map_or(name, |(own, _)| own);
    let package = folder.join("node_modules").join(own);
    if !package.exists() {
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        std::fs::write(folder.join("package.json"), "{}").map_err(|error| error.to_string())?;
        npm(&folder, &["install", "--no-audit", "--no-fund", "--ignore-scripts", name])?;
    }
    Ok(package)
}

fn packs(page: &Page<'_>) -> anyhow::Result<Verdict> {
    if Command::new("npm").arg("--version").output().is_err() {
        return Ok(Skipped("npm is not installed".into()));
    }
    let said = npm(&page.folder.join("bitstate"), &["pack", "--dry-run", "--json"]).map_err(anyhow::Error::msg)?;
    for file in
        ["index.js", "index.d.ts", "worker.js", "bitstate.js", "bitstate.d.ts", "builds/plain.wasm", "LICENSE-MIT"]
    {
        ensure!(said.contains(&format!("\"{file}\"")), "the package lacks {file}: {said}");
    }
    Ok(Passed)
}

const TYPESCRIPT: &str = "typescript@7.0.2";
const MAIN: &str = r#"
import { Engine } from "bitstate";
const engine = await Engine.start();
await engine.load({ file: "model.bits" });
const session = await engine.session({ seed: 42, temperature: 0.8, topK: 50, topP: 0.9, minP: 0, penalty: 1.1 });
await session.feed("Once upon a time");
document.body.dataset.checksum = (await session.generate(128)).checksum;
"#;

/// Installs our package, packed as for the registry, in the npm project `folder`.
fn install_ours(page: &Page<'_>, folder: &Path) -> anyhow::Result<()> {
    let packed = npm(&page.folder.join("bitstate"), &["pack", "--pack-destination", &folder.display().to_string()]);
    let archive = packed.map_err(anyhow::Error::msg)?;
    let archive = archive.trim().lines().last().context("an archive")?.to_string();
    let install =
        ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-save", "--force", &format!("./{archive}")];
    npm(folder, &install).map_err(anyhow::Error::msg)?;
    Ok(())
}

fn types(page: &Page<'_>) -> anyhow::Result<Verdict> {
    if let Err(reason) = package(TYPESCRIPT) {
        return Ok(Skipped(reason));
    }
    let folder = target().join("npm").join(TYPESCRIPT.replace('@', "-"));
    install_ours(page, &folder)?;
    let check = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).map_err(|error| error.to_string())?;
        let strict = ["exec", "--offline", "--", "tsc", "--noEmit", "--strict", "--target", "esnext", "--module"];
        let modules = ["esnext", "--moduleResolution", "bundler", "--lib", "esnext,dom", "--types", "", name];
        npm(&folder, &[&strict[..], &modules].concat())
    };
    check("right.ts", &format!("{MAIN}\nexport {{}};")).map_err(anyhow::Error::msg)?;
    for (name, right, wrong) in [
        ("word.ts", "temperature: 0.8", "temperature: \"hot\""),
        ("key.ts", "topK: 50", "top_k: 50"),
        ("result.ts", ").checksum", ").digest"),
    ] {
        ensure!(MAIN.contains(right), "{right} is not in the example");
        let said = check(name, &format!("{}\nexport {{}};", MAIN.replace(right, wrong)));
        ensure!(said.is_err(), "{wrong} is accepted");
    }
    Ok(Passed)
}

fn vite(page: &Page<'_>) -> anyhow::Result<Verdict> {
    if let Err(reason) = package("vite@8.3.8") {
        return Ok(Skipped(reason));
    }
    let folder = target().join("npm/vite-8.3.8");
    install_ours(page, &folder)?;
    std::fs::write(folder.join("main.js"), MAIN)?;
    std::fs::write(folder.join("index.html"), "<!doctype html><body><script type=module src=./main.js></script>")?;
    std::fs::write(
        folder.join("vite.config.js"),
        "export default { worker: { format: 'es' }, build: { target: 'esnext' } };",
    )?;
    std::fs::create_dir_all(folder.join("public"))?;
    std::fs::copy(page.folder.join("models/stories-byte/model.bits"), folder.join("public/model.bits"))?;
    npm(&folder, &["exec", "--offline", "--", "vite", "build"]).map_err(anyhow::Error::msg)?;
    let site = crate::server::Site::new(&folder.join("dist"))?;
    page.browser.open(&site.origin)?;
    page.browser.wait("document.body.dataset.checksum")?;
    let checksum = page.browser.text("document.body.dataset.checksum")?;
    ensure!(checksum == crate::page::Golden::new("stories-byte")?.checksum(), "{checksum}");
    Ok(Passed)
}
