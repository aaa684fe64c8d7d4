//! The shell, the home and the folders above a checkout change nothing that is built or counted.
#![allow(clippy::unwrap_used)]

use bitstate_harness::targets::kinds::native::callgrind::Counted;
use bitstate_harness::workspace::cargo::{Wanted, built, cargo};
use bitstate_harness::workspace::environment::{command, this_program_again};
use bitstate_harness::workspace::tools::program;
use bitstate_harness::workspace::{Workspace, write_atomic};
use std::path::Path;

/// The folder of the process with the hostile environment, which runs the same test.
const FOLDER: &str = "BITSTATE_TEST_FOLDER";

/// Variables that users have in their shells, and hostile ones.
const HOSTILE: [(&str, &str); 14] = [
    ("RUSTFLAGS", "--cfg hostile"),
    ("CARGO_ENCODED_RUSTFLAGS", "--cfg\u{1f}hostile"),
    ("CARGO_BUILD_RUSTFLAGS", "--cfg hostile"),
    ("CARGO_BUILD_TARGET", "no-such-triple"),
    ("CARGO_BUILD_TARGET_DIR", "elsewhere"),
    ("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS", "--cfg hostile"),
    ("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
    ("RUSTC_WRAPPER", "/nowhere/wrapper"),
    ("CARGO_BUILD_RUSTC", "/nowhere/rustc"),
    ("VALGRIND_OPTS", "--leak-check=full --cache-sim=yes"),
    ("LD_LIBRARY_PATH", "/nowhere"),
    ("GIT_DIR", "/nowhere"),
    ("MALLOC_ARENA_MAX", "1"),
];

/// A workspace whose program prints its build's flags and its own number.
fn probe(folder: &Path) -> Workspace {
    let root = folder.join("above/root");
    let manifest = "[package]\nname = \"probe\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
    write_atomic(&root.join("Cargo.toml"), manifest.as_bytes()).unwrap();
    Workspace { target: folder.join("target"), root }
}

fn build_and_run(workspace: &Workspace, number: u32) -> String {
    let source = format!("fn main() {{ println!(\"{number} {{}} {{}}\", cfg!(hostile), cfg!(debug_assertions)) }}");
    write_atomic(&workspace.root.join("src/main.rs"), source.as_bytes()).unwrap();
    let mut build = cargo(workspace, "build").unwrap();
    let wanted = Wanted { name: "probe", ending: "" };
    let program = built(workspace, "probe", build.args(["--release", "--offline"]), wanted).unwrap();
    String::from_utf8(command(program).output().unwrap().stdout).unwrap()
}

#[test]
fn what_is_built_depends_on_the_checkout_alone_and_what_was_just_built_runs() {
    let this = "what_is_built_depends_on_the_checkout_alone_and_what_was_just_built_runs";
    if let Some(folder) = std::env::var_os(FOLDER) {
        let workspace = probe(Path::new(&folder));
        // Each run is of the new source, not of the build before.
        for number in [2, 3] {
            assert_eq!(build_and_run(&workspace, number), format!("{number} false false\n"));
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let hostile = b"[build]\nrustflags = [\"--cfg\", \"hostile\"]\ntarget = \"no-such-triple\"\n";
    for place in ["above/.cargo/config.toml", "home/.cargo/config.toml"] {
        write_atomic(&folder.path().join(place), hostile).unwrap();
    }
    // Built once in the normal environment, so that there is an old program that could run instead of the new one.
    assert_eq!(build_and_run(&probe(folder.path()), 1), "1 false false\n");
    let mut again = this_program_again(std::env::current_exe().unwrap());
    // Rustup finds its toolchain in the real home, while cargo's home is the hostile one.
    if let Some(home) = std::env::var_os("HOME").filter(|_| std::env::var_os("RUSTUP_HOME").is_none()) {
        again.env("RUSTUP_HOME", Path::new(&home).join(".rustup"));
    }
    again.args(["--exact", this, "--nocapture"]).envs(HOSTILE);
    again.env("CARGO_HOME", folder.path().join("home/.cargo")).env(FOLDER, folder.path());
    let output = again.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn callgrind_counts_as_told_whatever_its_own_options_are() {
    let this = "callgrind_counts_as_told_whatever_its_own_options_are";
    assert!(program("valgrind", "valgrind").is_some(), "valgrind is not installed: `cargo xtask setup` installs it");
    if let Some(folder) = std::env::var_os(FOLDER) {
        let counted = Counted::new(Path::new("/bin/true"), Path::new(&folder)).unwrap();
        let output = command(counted.program()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // It has no region of the suite, which is the error if callgrind's counts are correct.
        let error = counted.instructions().unwrap_err().to_string();
        assert!(error.contains("was never called"), "{error}");
        return;
    }
    // Valgrind expands `%`, and the shell the others.
    let folder = tempfile::Builder::new().prefix("100 % 'ü' \"x\"").tempdir().unwrap();
    std::fs::write(folder.path().join(".valgrindrc"), "--tool=memcheck\n--leak-check=full\n").unwrap();
    let mut again = this_program_again(std::env::current_exe().unwrap());
    again.args(["--exact", this, "--nocapture"]).envs(HOSTILE);
    again.env("HOME", folder.path()).env(FOLDER, folder.path()).current_dir(folder.path());
    let output = again.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
