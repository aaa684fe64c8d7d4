//! Published crates can be packaged: this crate and all its workspace dependencies, without a network.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::Command;

/// In dependency order.
const PUBLISHED: [&str; 9] = [
    "bitstate-files",
    "bitstate-model",
    "bitstate-protocol",
    "bitstate-kernels",
    "bitstate-engine",
    "bitstate-threads",
    "bitstate-generate",
    "bitstate-tokenizer",
    "bitstate",
];

#[test]
fn every_published_crate_packages_with_its_licences() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // If this runs from a package, there is no workspace around it.
    assert!(root.join("Cargo.lock").exists(), "run this in the repository");
    let target = tempfile::tempdir().unwrap();
    let cargo = |flags: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        command.current_dir(&root).args(["package", "--offline", "--no-verify", "--allow-dirty"]);
        command.arg("--target-dir").arg(target.path()).args(flags);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{flags:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    cargo(&PUBLISHED.map(|name| ["--package", name]).concat());
    for name in PUBLISHED {
        assert!(target.path().join(format!("package/{name}-0.1.0.crate")).is_file(), "{name}");
        let files = cargo(&["--list", "--package", name]);
        for wanted in ["LICENSE-MIT", "LICENSE-APACHE", "src/lib.rs"] {
            assert!(files.lines().any(|file| file == wanted), "{name} has no {wanted}: {files}");
        }
        let folder = name.strip_prefix("bitstate-").unwrap_or(name);
        let manifest = std::fs::read_to_string(root.join("crates").join(folder).join("Cargo.toml")).unwrap();
        for wanted in ["description = ", "keywords = ", "categories = "] {
            assert!(manifest.contains(wanted), "{name} has no {wanted}");
        }
    }
}
