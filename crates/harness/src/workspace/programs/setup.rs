//! Installs missing tools if possible, and otherwise prints the exact command.

use crate::workspace::error::Error;
use crate::workspace::places::files::write_atomic;
use crate::workspace::places::folders::Workspace;
use crate::workspace::programs::environment::command;
use crate::workspace::programs::process::{Limits, run};
use crate::workspace::programs::tools::{Tool, said};
use crate::workspace::progress::Progress;
use std::time::Duration;

/// The result of a set-up.
#[derive(Debug, Default)]
pub struct Setup {
    /// Packages installed by it.
    pub installed: Vec<String>,
    /// Tools still missing, with the command that installs each.
    pub missing: Vec<(&'static Tool, String)>,
    /// Whether the harness may install packages on this machine.
    pub can_install: bool,
    /// The installation error, if any.
    pub trouble: Option<String>,
}

/// Whether the harness may install Debian packages: root, with apt.
pub fn can_install() -> bool {
    let debian = std::fs::read_to_string("/etc/os-release").is_ok_and(|text| is_debian(&text));
    debian && rustix::process::geteuid().is_root()
}

fn is_debian(os_release: &str) -> bool {
    os_release.lines().any(|line| line == "ID=debian")
}

/// The command that installs a tool.
pub fn advice(tool: &Tool) -> String {
    let debian = (!tool.packages.is_empty())
        .then(|| format!("on Debian 12, as root: apt-get install --no-install-recommends {}", tool.packages.join(" ")));
    let rustup = tool.rustup_target().map(|triple| format!("rustup target add {triple}"));
    rustup.into_iter().chain(debian).collect::<Vec<_>>().join("; or ")
}

/// Installs the missing tools among `needed`. On a machine where that is not possible nothing is changed.
///
/// # Errors
/// If the log cannot be written, or if interrupted. A failed installation is not an error: the result lists what is
/// missing, and the cells that need it are skipped by name.
pub fn set_up(workspace: &Workspace, needed: &[&'static Tool]) -> Result<Setup, Error> {
    let mut setup = Setup { can_install: can_install(), ..Setup::default() };
    let missing = || needed.iter().copied().filter(|tool| tool.find().is_none()).collect::<Vec<_>>();
    let before = missing();
    if before.is_empty() {
        return Ok(setup);
    }
    if setup.can_install {
        let mut packages: Vec<&'static str> = before.iter().flat_map(|tool| &tool.packages).copied().collect();
        packages.sort_unstable();
        packages.dedup();
        if !packages.is_empty() {
            match install(workspace, &packages)? {
                Some(trouble) => setup.trouble = Some(trouble),
                None => setup.installed.extend(packages.into_iter().map(str::to_string)),
            }
        }
    }
    // The rest may come from rustup, which needs no root, only a network.
    for triple in missing().iter().filter_map(|tool| tool.rustup_target()) {
        if said(command("rustup").arg("--version")).is_none() {
            break;
        }
        let _spinner = Progress::spinner(&format!("rustup target add {triple}"));
        let limits = Limits { time: Duration::from_secs(120), output: 1 << 20 };
        let ran = run(command("rustup").args(["target", "add", triple]), b"", limits);
        if ran.is_ok_and(|output| output.status.success()) {
            setup.installed.push(format!("rustup target {triple}"));
        }
    }
    setup.missing = missing().into_iter().map(|tool| (tool, advice(tool))).collect();
    Ok(setup)
}

/// Runs apt; returns the error message, if any.
fn install(workspace: &Workspace, packages: &[&str]) -> Result<Option<String>, Error> {
    let log_path = workspace.logs().join("setup.log");
    let limits = Limits { time: Duration::from_secs(1200), output: 16 << 20 };
    let mut log = String::new();
    let mut trouble = None;
    let install = [&["install", "--yes", "--no-install-recommends"][..], packages].concat();
    for (label, arguments) in
        [("apt-get update".to_string(), vec!["update"]), (format!("apt-get install {}", packages.join(" ")), install)]
    {
        let _spinner = Progress::spinner(&label);
        let mut command = command("apt-get");
        command.args(&arguments).env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C");
        match run(&mut command, b"", limits) {
            Ok(output) => {
                log += &format!("$ {label}\n{}{}\n", String::from_utf8_lossy(&output.stdout), output.stderr);
                // After a failed `update`, the lists of an earlier one may still suffice.
                if !output.status.success() && arguments[0] == "install" {
                    trouble = Some(format!("{label} failed; the log is {}", log_path.display()));
                }
            }
            Err(crate::workspace::programs::process::ProcessError::Interrupted) => return Err(Error::Interrupted),
            Err(error) => trouble = Some(format!("{label}: {error}")),
        }
    }
    write_atomic(&log_path, log.as_bytes())?;
    Ok(trouble)
}

#[cfg(test)]
mod tests {
    use super::is_debian;

    #[test]
    fn debian_is_distinguished_from_its_derivatives() {
        assert!(is_debian("PRETTY_NAME=\"Debian\"\nID=debian\n"));
        assert!(!is_debian("ID=ubuntu\nID_LIKE=debian\n"));
    }
}
