//! Identifies the run of the harness that a process belongs to.
//!
//! Every program that a guarded run starts has that run's identity in its environment, as do its own children, in any
//! process group or session. The variable's length is constant, so that it does not shift the stack of a program whose
//! instructions are counted.

use std::fmt;
use std::path::Path;
use std::sync::OnceLock;

/// The variable.
pub const VARIABLE: &str = "BITSTATE_OWNER";

/// A process, distinguished from a later one with the same PID by its start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Its PID.
    pub pid: u32,
    /// Its start time, in clock ticks since boot.
    started: u64,
}

impl Identity {
    /// This process.
    pub fn own() -> Self {
        static OWN: OnceLock<Identity> = OnceLock::new();
        *OWN.get_or_init(|| {
            let pid = std::process::id();
            Identity { pid, started: Stat::of(pid).map_or(0, |stat| stat.started) }
        })
    }

    /// Parses the output of [`Display`](fmt::Display).
    pub fn parse(text: &str) -> Option<Self> {
        let (pid, started) = text.split_once('-')?;
        Some(Identity { pid: pid.parse().ok()?, started: started.parse().ok()? })
    }

    /// Whether it still runs.
    pub fn is_alive(self) -> bool {
        Stat::of(self.pid).is_some_and(|stat| stat.started == self.started && !stat.ended)
    }

    /// Whether it is an ancestor of this process.
    pub fn is_ancestor(self) -> bool {
        let mut pid = std::process::id();
        // Longer than any chain of processes: a PID reused meanwhile must not cause an infinite loop.
        for _ in 0..1000 {
            let Some(parent) = Stat::of(pid).map(|stat| stat.parent) else { return false };
            if parent == self.pid {
                return self.is_alive();
            }
            pid = parent;
        }
        false
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010}-{:020}", self.pid, self.started)
    }
}

/// The required fields of `/proc/PID/stat` (proc(5)).
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    ended: bool,
    parent: u32,
    started: u64,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        Stat::parse(&std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        // The program's name is in parentheses and may contain anything, including parentheses and spaces.
        let (_, fields) = text.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ended = matches!(*fields.first()?, "Z" | "X");
        Some(Stat { ended, parent: fields.get(1)?.parse().ok()?, started: fields.get(19)?.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::{Identity, Stat};
    use crate::workspace::programs::environment::command;

    #[test]
    fn a_name_with_parentheses_and_spaces_hides_no_field() {
        let text = "12 (a) b (c)) S 7 12 12 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 1 2 3";
        assert_eq!(Stat::parse(text), Some(Stat { ended: false, parent: 7, started: 987_654 }));
        assert!(Stat::parse("12 (a) Z 7 12 12 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 9 1").unwrap().ended);
        assert_eq!(Stat::parse("12 (a) S 7"), None);
    }

    #[test]
    fn an_identity_comes_back_as_it_was_written_and_has_one_length() {
        let own = Identity::own();
        assert_eq!(Identity::parse(&own.to_string()), Some(own));
        let other = Identity { pid: 1, started: u64::MAX };
        assert_eq!(own.to_string().len(), other.to_string().len());
        assert_eq!(["", "1", "1-", "a-1"].map(Identity::parse), [None; 4]);
    }

    #[test]
    fn a_process_that_ended_or_whose_number_is_given_anew_is_not_alive() {
        let own = Identity::own();
        assert!(own.is_alive());
        assert!(!Identity { started: own.started + 1, ..own }.is_alive());
        let mut child = command("true").spawn().unwrap();
        let child_identity = Identity { pid: child.id(), started: Stat::of(child.id()).unwrap().started };
        // A zombie first: it has exited, but was not waited for.
        while child_identity.is_alive() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        child.wait().unwrap();
        assert!(!child_identity.is_alive());
    }

    #[test]
    fn an_ancestor_is_found_at_any_distance_and_oneself_is_none() {
        let parent = Stat::of(std::process::id()).unwrap().parent;
        let of = |pid| Identity { pid, started: Stat::of(pid).unwrap().started };
        assert!(of(parent).is_ancestor());
        assert!(!Identity::own().is_ancestor());
        assert!(!Identity { started: 1, ..of(parent) }.is_ancestor());
    }
}
