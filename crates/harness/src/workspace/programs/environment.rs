//! The environment of every program that the harness starts.
//!
//! What is built, counted and timed depends on the commit and on what the records name, never on the shell. So a child
//! does not inherit the environment: it gets the variables declared here, and those that its caller sets. That keeps
//! out compiler flags (`RUSTFLAGS`, `CARGO_PROFILE_*`, `CARGO_BUILD_*`), wrappers (`RUSTC_WRAPPER`), repositories chosen
//! by a commit hook (`GIT_INDEX_FILE`), tools' own options (`VALGRIND_OPTS`), preloaded libraries (`LD_PRELOAD`) and
//! whatever comes next.

use crate::workspace::programs::process::{guard, owner};
use std::ffi::{OsStr, OsString};
use std::process::Command;

/// Variables that are passed on: where programs, files and the network are, and nothing that changes what is made.
const PASSED: [&str; 24] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "TZ",
    // Which toolchain: its version stands in the records.
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "RUSTUP_DIST_SERVER",
    "RUSTUP_UPDATE_ROOT",
    "RUSTUP_AUTO_INSTALL",
    // The way to registries and mirrors.
    "http_proxy",
    "HTTP_PROXY",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
];

/// Families of variables that are passed on: how cargo reaches its registries.
const PASSED_PREFIXES: [&str; 3] = ["CARGO_NET_", "CARGO_HTTP_", "CARGO_REGISTR"];

/// Whether a variable of the harness's own environment reaches the programs that it starts.
pub fn is_passed(name: &OsStr) -> bool {
    // A name that is not UTF-8 is none of ours.
    name.to_str().is_some_and(|name| {
        let passed = PASSED.contains(&name) || PASSED_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        passed || name == owner::VARIABLE
    })
}

/// The declared environment, made from the harness's own: sorted, so that a child sees the same block each time.
pub fn declared(own: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<(OsString, OsString)> {
    let mut passed: Vec<(OsString, OsString)> = own.into_iter().filter(|(name, _)| is_passed(name)).collect();
    // Messages are read by the harness: in English, and as UTF-8.
    passed.push(("LC_ALL".into(), "C.UTF-8".into()));
    passed.sort();
    passed
}

/// A command with the declared environment. Every program is started by one of these: `clippy.toml` forbids others.
#[allow(clippy::disallowed_methods, reason = "the one place where a command is made")]
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(declared(std::env::vars_os())).envs(ownership());
    command
}

/// A command that runs this very program again, which declares what its own children get: it inherits everything.
#[allow(clippy::disallowed_methods, reason = "the harness itself is no child that is measured")]
pub fn this_program_again(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.envs(ownership());
    command
}

/// By what a program is found again that this run started; see [`owner`].
fn ownership() -> Option<(&'static str, String)> {
    guard::owner().map(|owner| (owner::VARIABLE, owner))
}

#[cfg(test)]
mod tests {
    use super::{command, declared, is_passed};
    use std::ffi::OsString;

    const HOSTILE: [&str; 22] = [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "CARGO_BUILD_TARGET_DIR",
        "CARGO_TARGET_DIR",
        "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS",
        "CARGO_PROFILE_RELEASE_OPT_LEVEL",
        "CARGO_INCREMENTAL",
        "CARGO_UNSTABLE_BUILD_STD",
        "RUSTC",
        "RUSTC_WRAPPER",
        "RUSTC_BOOTSTRAP",
        "RUSTDOCFLAGS",
        "VALGRIND_OPTS",
        "GIT_INDEX_FILE",
        "GIT_DIR",
        "GIT_WORK_TREE",
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "MALLOC_ARENA_MAX",
        "GLIBC_TUNABLES",
    ];

    #[test]
    fn what_changes_a_build_or_a_count_is_kept_out() {
        for name in HOSTILE {
            assert!(!is_passed(name.as_ref()), "{name}");
        }
        let own = HOSTILE.iter().chain(&["PATH", "HOME", "CARGO_NET_OFFLINE"]);
        let own = own.map(|name| (OsString::from(name), OsString::from("x")));
        let names: Vec<OsString> = declared(own).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["CARGO_NET_OFFLINE", "HOME", "LC_ALL", "PATH"]);
    }

    #[test]
    fn a_child_has_the_declared_variables_and_those_of_its_caller_alone() {
        let output = command("env").env("OF_THE_CALLER", "1").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        // Cargo sets variables for a test that no child should see, `CARGO_MANIFEST_DIR` for one.
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        let names = text.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name);
        let other: Vec<&str> = names.filter(|name| !is_passed(name.as_ref()) && *name != "LC_ALL").collect();
        assert_eq!(other, ["OF_THE_CALLER"], "{text}");
    }
}
