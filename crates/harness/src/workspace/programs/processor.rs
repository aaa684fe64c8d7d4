//! The processor that timed runs are pinned to: one of the fastest kind that no other run uses.
//!
//! Two checkouts have two target folders and two locks, but share one machine. So a core is reserved by a name in the
//! abstract namespace of Unix sockets (unix(7)), which needs no file and no privileges, and which the kernel releases
//! when the process exits. Containers with separate network namespaces do not see each other's names.

use crate::workspace::error::Error;
use crate::workspace::output;
use crate::workspace::programs::process;
use rustix::net::sockopt::socket_peercred;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::io::{self, ErrorKind};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

/// Where Linux describes its processors.
const SYSTEM: &str = "/sys/devices/system/cpu";
/// Pause between two attempts to reserve one.
const TURN: Duration = Duration::from_millis(100);

/// A processor that no other run of this harness uses for timed measurements, until it is dropped.
#[derive(Debug)]
pub struct Processor {
    number: usize,
    /// `None` if the system has no such sockets.
    _reserved: Option<UnixListener>,
}

/// The properties of a processor.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    number: usize,
    /// The first processor of its core: two threads of one core slow each other down.
    core: usize,
    /// The speed of its kind relative to others of this machine: capacity, else maximum kHz, else 0.
    speed: u64,
}

impl Processor {
    /// Reserves the processor `wanted`, or the last one of the fastest kind, and prints the choice to standard error.
    /// If other runs use it for timed measurements, another core of that kind is reserved, as long as one core remains
    /// for everything else; otherwise this waits, or refuses without `wait`.
    ///
    /// # Errors
    /// If interrupted, if this process may not run on `wanted`, or if it is in use and `wait` is false.
    pub fn reserve(wanted: Option<usize>, wait: bool) -> Result<Self, Error> {
        let known = here()?;
        Processor::claim(&candidates(&known, wanted)?, &known, wait)
    }

    /// Checks that [`reserve`](Processor::reserve) could reserve the processor `wanted`, before any work is done.
    ///
    /// # Errors
    /// If this process may not run on it.
    pub fn check(wanted: Option<usize>) -> Result<(), Error> {
        candidates(&here()?, wanted).map(drop)
    }

    fn claim(candidates: &[Known], known: &[Known], wait: bool) -> Result<Self, Error> {
        let mut told = false;
        loop {
            for candidate in candidates {
                if let Some(reserved) = reserve(candidate.core) {
                    output::err(format_args!("{}\n", said(candidate, known)));
                    return Ok(Processor { number: candidate.number, _reserved: reserved });
                }
            }
            if !told {
                let text = busy(candidates);
                if !wait {
                    return Err(Error::Refused(format!("{text}; without --no-wait this command waits for it")));
                }
                output::err(format_args!(
                    "{text}; waiting for it to end (Ctrl-C stops waiting, --no-wait refuses instead)\n"
                ));
                told = true;
            }
            if process::interrupted() {
                return Err(Error::Interrupted);
            }
            std::thread::sleep(TURN);
        }
    }

    /// Its number in the system.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Pins this thread, and so the processes it starts, to the processor; `None` if the system refuses.
    pub(crate) fn pin(&self) -> Option<usize> {
        let mut one = CpuSet::new();
        one.set(self.number);
        sched_setaffinity(None, &one).ok()?;
        Some(self.number)
    }
}

/// The processors that this thread may run on.
fn here() -> Result<Vec<Known>, Error> {
    Ok(allowed()?.into_iter().map(|number| Known::of(number, Path::new(SYSTEM))).collect())
}

fn allowed() -> Result<Vec<usize>, Error> {
    let failed = |error: rustix::io::Errno| Error::io("list the processors in", Path::new(SYSTEM))(error.into());
    let set = sched_getaffinity(None).map_err(failed)?;
    Ok((0..CpuSet::MAX_CPU).filter(|&number| set.is_set(number)).collect())
}

/// The processors to try, in order.
fn candidates(known: &[Known], wanted: Option<usize>) -> Result<Vec<Known>, Error> {
    if let Some(wanted) = wanted {
        let found: Vec<Known> = known.iter().filter(|cpu| cpu.number == wanted).cloned().collect();
        if found.is_empty() {
            let all = ranges(&known.iter().map(|cpu| cpu.number).collect::<Vec<_>>());
            let text = format!("processor {wanted}: this process may not run there; --cpu takes one of {all}");
            return Err(Error::Refused(text));
        }
        return Ok(found);
    }
    let fastest = known.iter().map(|cpu| cpu.speed).max().unwrap_or(0);
    let mut candidates: Vec<Known> = Vec::new();
    for cpu in known.iter().rev().filter(|cpu| cpu.speed == fastest) {
        if candidates.iter().all(|other| other.core != cpu.core) {
            candidates.push(cpu.clone());
        }
    }
    let mut cores: Vec<usize> = known.iter().map(|cpu| cpu.core).collect();
    cores.sort_unstable();
    cores.dedup();
    candidates.truncate(cores.len().saturating_sub(1).max(1));
    Ok(candidates)
}

/// The chosen processor and, if there are several kinds, its kind.
fn said(chosen: &Known, known: &[Known]) -> String {
    let number = chosen.number;
    let of_kind = |faster: bool| -> Vec<usize> {
        known.iter().filter(|cpu| (cpu.speed == chosen.speed) != faster).map(|cpu| cpu.number).collect()
    };
    let (same, other) = (of_kind(false), of_kind(true));
    if other.is_empty() {
        return format!("timed runs are pinned to processor {number}");
    }
    let kind = if known.iter().all(|cpu| cpu.speed <= chosen.speed) { "the fastest kind" } else { "a slower kind" };
    format!("timed runs are pinned to processor {number}, of {kind} ({}; others: {})", ranges(&same), ranges(&other))
}

/// Sorted numbers as ranges, in the system's format: `0-3,6`.
fn ranges(numbers: &[usize]) -> String {
    let runs = numbers.chunk_by(|a, b| a + 1 == *b);
    let show = |run: &[usize]| match run {
        [one] => one.to_string(),
        [first, .., last] => format!("{first}-{last}"),
        [] => String::new(),
    };
    runs.map(show).collect::<Vec<_>>().join(",")
}

impl Known {
    fn of(number: usize, system: &Path) -> Self {
        let read = |name: &str| std::fs::read_to_string(system.join(format!("cpu{number}")).join(name)).ok();
        let count = |name: &str| read(name)?.trim().parse::<u64>().ok();
        let siblings = read("topology/core_cpus_list").or_else(|| read("topology/thread_siblings_list"));
        let first = siblings.and_then(|list| list.split(['-', ',']).next()?.trim().parse().ok());
        let speed = count("cpu_capacity").or_else(|| count("cpufreq/cpuinfo_max_freq"));
        Known { number, core: first.unwrap_or(number), speed: speed.unwrap_or(0) }
    }
}

fn address(core: usize) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(format!("bitstate-core-{core}"))
}

/// Reserves a core; `None` if another process has it. Without such sockets nothing is reserved.
fn reserve(core: usize) -> Option<Option<UnixListener>> {
    match address(core).and_then(|address| UnixListener::bind_addr(&address)) {
        Ok(listener) => Some(Some(listener)),
        Err(error) if error.kind() == ErrorKind::AddrInUse => None,
        Err(_) => Some(None),
    }
}

/// A message that processors are in use, with the process that uses the first one.
fn busy(candidates: &[Known]) -> String {
    let numbers: Vec<usize> = candidates.iter().rev().map(|cpu| cpu.number).collect();
    let holder = candidates.first().and_then(|cpu| {
        let stream = UnixStream::connect_addr(&address(cpu.core).ok()?).ok()?;
        let pid = socket_peercred(&stream).ok()?.pid.as_raw_nonzero();
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).trim_end_matches('\0').replace('\0', " ");
        Some(format!("process {pid} (`{line}`)"))
    });
    let holder = holder.unwrap_or_else(|| "another run".into());
    format!("processor {} is in use: {holder} takes timed measurements on it", ranges(&numbers))
}

#[cfg(test)]
mod tests {
    use super::{Known, Processor, candidates, ranges, said};
    use crate::workspace::places::files::write_atomic;

    /// Processors with their cores and speeds.
    fn machine(all: &[(usize, usize, u64)]) -> Vec<Known> {
        all.iter().map(|&(number, core, speed)| Known { number, core, speed }).collect()
    }

    fn numbers(known: &[Known]) -> Vec<usize> {
        candidates(known, None).unwrap().iter().map(|cpu| cpu.number).collect()
    }

    #[test]
    fn the_last_of_the_fastest_kind_comes_first_and_a_core_is_left_for_the_rest() {
        assert_eq!(numbers(&machine(&[(0, 0, 1024), (1, 1, 1024)])), [1]);
        assert_eq!(numbers(&machine(&[(3, 3, 0)])), [3], "there is only one");
        // Two threads per core.
        assert_eq!(numbers(&machine(&[(0, 0, 5), (1, 1, 5), (2, 0, 5), (3, 1, 5)])), [3]);
        // Two fast cores with two threads, then two slow ones.
        let hybrid = machine(&[(0, 0, 5700), (1, 0, 5700), (2, 2, 5700), (3, 2, 5700), (4, 4, 4300), (5, 5, 4300)]);
        assert_eq!(numbers(&hybrid), [3, 1]);
        assert_eq!(
            said(&hybrid[3], &hybrid),
            "timed runs are pinned to processor 3, of the fastest kind (0-3; others: 4-5)"
        );
        let slow = candidates(&hybrid, Some(4)).unwrap();
        assert_eq!(
            said(&slow[0], &hybrid),
            "timed runs are pinned to processor 4, of a slower kind (4-5; others: 0-3)"
        );
        assert_eq!(said(&hybrid[1], &hybrid[..4]), "timed runs are pinned to processor 1");
    }

    #[test]
    fn a_processor_that_is_not_allowed_is_refused_with_those_that_are() {
        let known = machine(&[(0, 0, 0), (1, 1, 0), (2, 2, 0), (6, 6, 0)]);
        let error = candidates(&known, Some(3)).unwrap_err();
        assert_eq!(error.exit().code(), 2);
        let sentence = "processor 3: this process may not run there; --cpu takes one of 0-2,6";
        assert_eq!(error.to_string(), sentence);
        assert_eq!(ranges(&[]), "");
    }

    #[test]
    fn kind_and_core_are_read_from_where_the_system_has_them() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| write_atomic(&folder.path().join(name), text.as_bytes()).unwrap();
        put("cpu5/topology/thread_siblings_list", "1,5\n");
        put("cpu5/cpufreq/cpuinfo_max_freq", "5700000\n");
        assert_eq!(Known::of(5, folder.path()), Known { number: 5, core: 1, speed: 5_700_000 });
        put("cpu5/topology/core_cpus_list", "4-5\n");
        put("cpu5/cpu_capacity", "1024\n");
        assert_eq!(Known::of(5, folder.path()), Known { number: 5, core: 4, speed: 1024 });
        assert_eq!(Known::of(6, folder.path()), Known { number: 6, core: 6, speed: 0 });
    }

    #[test]
    fn a_core_that_is_taken_is_waited_for_or_refused_and_another_one_is_taken_first() {
        // No machine has such numbers, so no run on this one can conflict.
        let core = 1 << 30 | std::process::id() as usize;
        let known = machine(&[(7, core, 0)]);
        let first = Processor::claim(&known, &known, false).unwrap();
        let error = Processor::claim(&known, &known, false).unwrap_err();
        assert_eq!(error.exit().code(), 2);
        let (said, pid) = (error.to_string(), std::process::id());
        assert!(said.starts_with(&format!("processor 7 is in use: process {pid} (`")), "{said}");
        assert!(
            said.ends_with("takes timed measurements on it; without --no-wait this command waits for it"),
            "{said}"
        );

        let two = machine(&[(7, core, 0), (5, core | 1 << 29, 0)]);
        assert_eq!(Processor::claim(&two, &two, false).unwrap().number(), 5);
        std::thread::scope(|scope| {
            let second = scope.spawn(|| Processor::claim(&known, &known, true));
            std::thread::sleep(std::time::Duration::from_millis(250));
            assert!(!second.is_finished());
            drop(first);
            assert_eq!(second.join().unwrap().unwrap().number(), 7);
        });
    }

    #[test]
    fn pinning_leaves_one_processor() {
        let last = *super::allowed().unwrap().last().unwrap();
        std::thread::spawn(move || {
            assert_eq!(Processor { number: last, _reserved: None }.pin(), Some(last));
            assert_eq!(super::allowed().unwrap(), [last]);
        })
        .join()
        .unwrap();
    }
}
