//! Ensures that all processes started by a run end with it, however it ends.
//!
//! Signals that can be handled are handled: see [`interrupt`](super::interrupt). For SIGKILL, a crash or exhausted
//! memory there is a guard, a second process of this program in its own session. It waits for the end of a pipe that
//! only the run can write to, then kills every process with the run's [identity](super::owner) and removes the run's
//! temporary files. It also holds the run's [lock](crate::workspace::places::lock), so that the next run starts only
//! when nothing of this one is left.

use super::owner::{Identity, VARIABLE};
use crate::workspace::places::sweep;
use crate::workspace::programs::environment::this_program_again;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal, setsid};
use rustix::thread::set_name;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// The command of this program that runs the guard.
pub const VERB: &str = "guard";
/// Written by a run that ends normally, before it closes the pipe.
const ENDED: &[u8] = b"ended";
/// Pause between two searches for remaining processes.
const PAUSE: Duration = Duration::from_millis(20);
/// Longest search: a process that still exists then waits for a device, and ends when that responds.
const PATIENCE: Duration = Duration::from_secs(5);

/// The folder of the run's temporary files, if the run is guarded.
static SCRATCH: OnceLock<PathBuf> = OnceLock::new();
static GUARD: Mutex<Option<Child>> = Mutex::new(None);

/// Guards all processes started from now on. `scratch` is the folder whose temporary files are removed.
///
/// Only for a program whose command [`VERB`] calls [`watch`].
pub fn enable(scratch: PathBuf) {
    // A second call is from the same run.
    let _ = SCRATCH.set(scratch);
}

/// The identity that programs started by this process carry, if it is guarded.
pub(crate) fn owner() -> Option<String> {
    SCRATCH.get().map(|_| Identity::own().to_string())
}

/// Starts the guard, if enabled and not yet running; it then holds `lock` too.
///
/// # Errors
/// If it cannot be started.
pub fn start(lock: Option<&File>) -> io::Result<()> {
    let Some(scratch) = SCRATCH.get() else { return Ok(()) };
    let mut guard = GUARD.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if guard.is_some() {
        return Ok(());
    }
    let lock = lock.map(File::try_clone).transpose()?;
    // This executable, even if its file was replaced since.
    let mut command = this_program_again("/proc/self/exe");
    // Without the variables of this run, so that the guard of an enclosing run does not kill it.
    command.env_clear().arg(VERB).arg(Identity::own().to_string()).arg(scratch).current_dir("/");
    command.stdin(Stdio::piped()).stdout(lock.map_or_else(Stdio::null, Stdio::from)).stderr(Stdio::null());
    *guard = Some(command.spawn()?);
    Ok(())
}

/// Ends the guard when the run ends normally. Returns when all processes it started are gone.
pub fn end() {
    let guard = GUARD.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
    if let Some(mut guard) = guard {
        if let Some(mut pipe) = guard.stdin.take() {
            // Fails only if the guard is gone.
            let _ = pipe.write_all(ENDED);
        }
        let _ = guard.wait();
    }
}

/// The guard itself: waits for the end of the run `owner` and kills its remaining processes.
pub fn watch(owner: &str, scratch: &Path) {
    // Another name, so that killing `xtask` by name does not kill the guard; another session, so that it gets no
    // signals from the terminal.
    let _ = set_name(c"bitstate-guard");
    let _ = setsid();
    let mut said = Vec::new();
    let _ = io::stdin().read_to_end(&mut said);
    end_all(owner, said == ENDED);
    if let Some(identity) = Identity::parse(owner) {
        sweep::of_run(scratch, identity);
    }
}

/// Kills all processes with the identity. A run that ended normally starts no more. A run that was killed may have been
/// starting a program, so two searches must find nothing.
fn end_all(owner: &str, ended: bool) {
    let started = Instant::now();
    let mut searches = if ended { 1 } else { 2 };
    while searches > 0 && started.elapsed() < PATIENCE {
        if kill_owned(owner) == 0 {
            searches -= 1;
        }
        if searches > 0 {
            std::thread::sleep(PAUSE);
        }
    }
}

/// Kills all processes with an identity except this one; returns their number.
pub(super) fn kill_owned(owner: &str) -> usize {
    let mark: Vec<u8> = format!("{VARIABLE}={owner}").into_bytes();
    let Ok(entries) = std::fs::read_dir("/proc") else { return 0 };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| *pid != std::process::id() && kill_if_owned(*pid, &mark)).count()
}

fn kill_if_owned(pid: u32, mark: &[u8]) -> bool {
    let Some(process) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    // Opened before its environment is read, so that the same process is checked and killed.
    let handle = pidfd_open(process, PidfdFlags::empty());
    let environment = std::fs::read(Path::new("/proc").join(pid.to_string()).join("environ")).unwrap_or_default();
    if !environment.split(|byte| *byte == 0).any(|variable| variable == mark) {
        return false;
    }
    let killed = match handle {
        Ok(handle) => pidfd_send_signal(handle, Signal::KILL),
        // An old kernel.
        Err(_) => kill_process(process, Signal::KILL),
    };
    killed.is_ok()
}

#[cfg(test)]
mod tests {
    use super::kill_owned;
    use crate::workspace::programs::environment::command;
    use crate::workspace::programs::process::owner::VARIABLE;
    use std::os::unix::process::{CommandExt, ExitStatusExt};

    #[test]
    fn what_carries_an_identity_is_killed_in_any_group_and_nothing_else_is() {
        let identity = format!("{:010}-{:020}", 0, std::process::id());
        let longer = format!("{identity}0");
        let sleep = |owner: &str| {
            let mut command = command("sleep");
            command.arg("300").env(VARIABLE, owner).process_group(0).spawn().unwrap()
        };
        let mut owned = [sleep(&identity), sleep(&identity)];
        let mut other = sleep(&longer);
        assert_eq!(kill_owned(&identity), 2);
        for child in &mut owned {
            assert_eq!(child.wait().unwrap().signal(), Some(9));
        }
        assert_eq!(kill_owned(&identity), 0);
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
