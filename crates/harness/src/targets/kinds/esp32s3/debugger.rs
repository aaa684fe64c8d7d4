//! The client's side of GDB's remote protocol, as far as it takes to watch addresses and to change memory: over the pipes
//! of an emulator that was started with `-gdb stdio`.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};

/// Largest packet accepted.
const LARGEST: usize = 1 << 16;

/// An access of the program to a watched address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// It wrote there.
    Wrote(u32),
    /// It read from there.
    Read(u32),
}

impl fmt::Display for Stop {
    /// As packets have it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Wrote(address) => write!(f, "2,{address:x},4"),
            Stop::Read(address) => write!(f, "3,{address:x},4"),
        }
    }
}

/// A connection to a stopped emulator.
pub(super) struct Debugger<R: Read, W> {
    from: BufReader<R>,
    to: W,
    /// There is an answer to acknowledge.
    answered: bool,
}

impl<R: Read, W: Write> Debugger<R, W> {
    pub fn new(from: R, to: W) -> Self {
        Debugger { from: BufReader::new(from), to, answered: false }
    }

    /// Stops the program at each write to, or each read of, the word at an address.
    pub fn watch(&mut self, stop: Stop) -> io::Result<()> {
        self.ask_ok(&format!("Z{stop}"))
    }

    pub fn word(&mut self, address: u32) -> io::Result<u32> {
        let answer = self.ask(&format!("m{address:x},4"))?;
        let bytes = u32::from_str_radix(&answer, 16).ok().filter(|_| answer.len() == 8);
        bytes.map(u32::swap_bytes).ok_or_else(|| unexpected(&answer))
    }

    pub fn set_word(&mut self, address: u32, word: u32) -> io::Result<()> {
        self.ask_ok(&format!("M{address:x},4:{:08x}", word.swap_bytes()))
    }

    /// Lets the program run up to an access to a watched address, which is done when this returns. The emulator stops
    /// before it, as this core does, so it takes a step in which the address is not watched.
    pub fn run(&mut self) -> io::Result<Stop> {
        let answer = self.ask("c")?;
        let address = |key: &str| {
            let hex = answer.split(';').find_map(|field| field.strip_prefix(key))?;
            u32::from_str_radix(hex, 16).ok()
        };
        let stop = address("watch:").map(Stop::Wrote).or_else(|| address("rwatch:").map(Stop::Read));
        let stop = stop.ok_or_else(|| unexpected(&answer))?;
        self.ask_ok(&format!("z{stop}"))?;
        match self.ask("s")? {
            answer if answer.starts_with("T05") => self.watch(stop).map(|()| stop),
            answer => Err(unexpected(&answer)),
        }
    }

    fn ask_ok(&mut self, packet: &str) -> io::Result<()> {
        match self.ask(packet)? {
            answer if answer == "OK" => Ok(()),
            answer => Err(unexpected(&answer)),
        }
    }

    /// Sends a packet and receives the answer.
    fn ask(&mut self, packet: &str) -> io::Result<String> {
        // At once, because the other side is a pipe; with the acknowledgement of the answer before.
        let acknowledged = std::mem::replace(&mut self.answered, true);
        let acknowledgement = if acknowledged { "+" } else { "" };
        let packet = format!("{acknowledgement}${packet}#{:02x}", sum(packet.as_bytes()));
        self.to.write_all(packet.as_bytes())?;
        self.to.flush()?;
        // Acknowledgements, `+`, come before the answer.
        let mut skipped = Vec::new();
        (&mut self.from).take(LARGEST as u64).read_until(b'$', &mut skipped)?;
        let mut answer = Vec::new();
        (&mut self.from).take(LARGEST as u64).read_until(b'#', &mut answer)?;
        let mut check = [0; 2];
        self.from.read_exact(&mut check)?;
        if answer.pop() != Some(b'#') || format!("{:02x}", sum(&answer)).as_bytes() != check {
            return Err(unexpected(&String::from_utf8_lossy(&answer)));
        }
        String::from_utf8(answer).map_err(|_| unexpected("bytes that are not text"))
    }
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

fn unexpected(answer: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the emulator's debugger answered `{answer}`"))
}

#[cfg(test)]
mod tests {
    use super::super::fake::Chip;
    use super::{Debugger, Stop};

    #[test]
    fn memory_is_read_and_changed_and_the_program_stops_where_it_is_watched() {
        let chip = Chip::default();
        chip.0.borrow_mut().program.extend([(Stop::Wrote(0x10), 7), (Stop::Wrote(0x20), 8), (Stop::Read(0x30), 0)]);
        let mut debugger = chip.debugger();
        debugger.set_word(0x30, 0x1234_5678).unwrap();
        assert_eq!(debugger.word(0x30).unwrap(), 0x1234_5678);
        debugger.watch(Stop::Wrote(0x20)).unwrap();
        debugger.watch(Stop::Read(0x30)).unwrap();
        assert_eq!(debugger.run().unwrap(), Stop::Wrote(0x20));
        assert_eq!((debugger.word(0x10).unwrap(), debugger.word(0x20).unwrap()), (7, 8));
        assert_eq!(debugger.run().unwrap(), Stop::Read(0x30));
        assert_eq!(chip.0.borrow().read, [0x1234_5678]);
        assert_eq!(debugger.run().unwrap_err().to_string(), "the emulator's debugger answered `W00`");
    }

    #[test]
    fn garbage_and_silence_are_errors() {
        for said in [&b""[..], b"+", b"+$OK", b"+$OK#", b"+$OK#00", b"+$E01#a6", b"+$\xff#ff"] {
            let mut debugger = Debugger::new(said, Vec::new());
            assert!(debugger.set_word(0, 0).is_err(), "{said:?}");
        }
        assert!(Debugger::new(&b"+$OK#9a"[..], Vec::new()).set_word(0, 0).is_ok());
        assert!(Debugger::new(&b"+$T05thread:01;#07"[..], Vec::new()).run().is_err());
    }
}
