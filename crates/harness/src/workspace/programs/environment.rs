//! The environment of every program that the harness starts.
//!
//! Builds, counters and times depend on the commit and on the fields in the records, never on the shell. So a child
//! does not inherit the environment: it gets the variables declared here and those that its caller sets. That excludes
//! compiler flags (`RUSTFLAGS`, `CARGO_PROFILE_*`, `CARGO_BUILD_*`), wrappers (`RUSTC_WRAPPER`), repositories chosen by
//! a commit hook (`GIT_INDEX_FILE`), tools' own options (`VALGRIND_OPTS`), preloaded libraries (`LD_PRELOAD`) and
//! anything added in future.

use crate::workspace::programs::process::{guard, owner};
use std::ffi::{OsStr, OsString};
use std::process::Command;

/// Variables that are passed on: locations of programs and files and network access, none of which changes a result.
const PASSED: [&str; 24] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "TZ",
    // Selects the toolchain, whose version is in the records.
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "RUSTUP_DIST_SERVER",
    "RUSTUP_UPDATE_ROOT",
    "RUSTUP_AUTO_INSTALL",
    // Access to registries and mirrors.
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

/// Prefixes of variables that are passed on: how cargo reaches its registries.
const PASSED_PREFIXES: [&str; 3] = ["CARGO_NET_", "CARGO_HTTP_", "CARGO_REGISTR"];

/// Whether a variable of the harness's own environment is passed to the programs it starts.
pub fn is_passed(name: &OsStr) -> bool {
    // No name in the lists is non-UTF-8.
    name.to_str().is_some_and(|name| {
        let passed = PASSED.contains(&name) || PASSED_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        passed || name == owner::VARIABLE
    })
}

/// The declared environment, from the harness's own: sorted, so that every child gets the same block.
pub fn declared(own: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<(OsString, OsString)> {
    let mut passed: Vec<(OsString, OsString)> = own.into_iter().filter(|(name, _)| is_passed(name)).collect();
    // The harness parses messages, so they must be in English and UTF-8.
    passed.push(("LC_ALL".into(), "C.UTF-8".into()));
    passed.sort();
    passed
}

/// A command with the declared environment. Every program is started with it: `clippy.toml` forbids other ways.
#[allow(clippy::disallowed_methods, reason = "the one place where a command is made")]
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(declared(std::env::vars_os())).envs(ownership());
    command
}

/// A command that runs this program again with the whole environment; that process declares its children's.
#[allow(clippy::disallowed_methods, reason = "the harness itself is not measured")]
pub fn this_program_again(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.envs(ownership());
    command
}

/// The variable that identifies programs started by this run; see [`owner`].
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
        // Cargo sets variables for a test that no child should see, such as `CARGO_MANIFEST_DIR`.
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        let names = text.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name);
        let other: Vec<&str> = names.filter(|name| !is_passed(name.as_ref()) && *name != "LC_ALL").collect();
        assert_eq!(other, ["OF_THE_CALLER"], "{text}");
    }
}
