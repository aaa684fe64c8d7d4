//! Starts browsers: headless, with a temporary profile and without background downloads.

use anyhow::Context;
use clap::ValueEnum;
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread::JoinHandle;

/// A family of browsers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Chromium and browsers based on it.
    Chromium,
    /// Firefox.
    Firefox,
}

/// Precise timers, no start pages, no updates.
const FIREFOX: &str = r#"
user_pref("privacy.reduceTimerPrecision", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.startup.homepage_override.mstone", "ignore");
user_pref("browser.aboutwelcome.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("toolkit.telemetry.reportingpolicy.firstRun", false);
user_pref("app.update.enabled", false);
user_pref("app.normandy.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "http://127.0.0.1:1/");
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
"#;

/// A running browser; dropping it ends it.
pub struct Browser {
    child: Child,
    errors: Option<JoinHandle<String>>,
}

/// Starts the browser at `program` with the profile folder `profile` on the page at `address`.
pub fn start(kind: Kind, program: &Path, profile: &Path, address: &str) -> anyhow::Result<Browser> {
    let mut command = Command::new(program);
    match kind {
        Kind::Chromium => {
            command.arg(format!("--user-data-dir={}", profile.display())).args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--no-default-browser-check",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                // Do not treat a headless page as a background page.
                "--disable-renderer-backgrounding",
                "--disable-background-timer-throttling",
            ]);
        }
        Kind::Firefox => {
            std::fs::write(profile.join("user.js"), FIREFOX).context("cannot write the profile of the browser")?;
            command.args(["--headless", "--no-remote", "--profile"]).arg(profile);
        }
    }
    // In its own process group, because a browser has many processes. Its home is also the profile.
    command.arg(address).env("HOME", profile).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
    let errors = child.stderr.take().map(|errors| std::thread::spawn(|| tail(errors)));
    Ok(Browser { child, errors })
}

/// The end of a browser's standard error, which may be long.
fn tail(errors: ChildStderr) -> String {
    const KEPT: usize = 2000;
    let mut kept = Vec::new();
    let mut some = [0; 4096];
    let mut errors = errors;
    while let Ok(length @ 1..) = errors.read(&mut some) {
        kept.extend_from_slice(&some[..length]);
        let spare = kept.len().saturating_sub(KEPT);
        kept.drain(..spare);
    }
    String::from_utf8_lossy(&kept).trim().to_string()
}

impl Browser {
    /// Whether it has exited.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Ends all its processes, and returns the end of its output.
    pub fn end(&mut self) -> String {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may have exited since.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
        self.errors.take().and_then(|errors| errors.join().ok()).unwrap_or_default()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.end();
    }
}
