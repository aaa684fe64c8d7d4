//! A chip for tests: memory behind GDB's protocol, with a program that is a list of accesses.

use super::debugger::{Debugger, Stop};
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::rc::Rc;

#[derive(Default)]
pub(super) struct State {
    pub memory: HashMap<u32, u32>,
    /// What the program does next: it writes a value, or reads.
    pub program: VecDeque<(Stop, u32)>,
    /// What it read.
    pub read: Vec<u32>,
    watched: Vec<Stop>,
    request: Vec<u8>,
    answer: VecDeque<u8>,
}

/// One end of a pipe to it.
#[derive(Clone, Default)]
pub(super) struct Chip(pub Rc<RefCell<State>>);

impl Chip {
    pub fn debugger(&self) -> Debugger<Chip, Chip> {
        Debugger::new(self.clone(), self.clone())
    }
}

impl State {
    fn obey(&mut self, packet: &str) -> String {
        let number = |hex: &str| u32::from_str_radix(hex, 16).expect("hex");
        let (kind, rest) = packet.split_at(1);
        let mut fields = rest.split([',', ':']);
        let mut next = || fields.next().expect("a field");
        match kind {
            "m" => format!("{:08x}", self.memory.get(&number(next())).copied().unwrap_or(0).swap_bytes()),
            "M" => {
                let (address, _, word) = (number(next()), next(), number(next()));
                self.memory.insert(address, word.swap_bytes());
                "OK".into()
            }
            "Z" | "z" => {
                let (write, address) = (next() == "2", number(next()));
                let watched = if write { Stop::Wrote(address) } else { Stop::Read(address) };
                self.watched.retain(|other| *other != watched);
                self.watched.extend((kind == "Z").then_some(watched));
                "OK".into()
            }
            "s" => {
                self.step();
                "T05thread:p01.01;".into()
            }
            _ => self.run(),
        }
    }

    /// The next access.
    fn step(&mut self) {
        match self.program.pop_front() {
            Some((Stop::Wrote(address), value)) => drop(self.memory.insert(address, value)),
            Some((Stop::Read(address), _)) => self.read.push(self.memory.get(&address).copied().unwrap_or(0)),
            None => {}
        }
    }

    /// Up to a watched access.
    fn run(&mut self) -> String {
        while let Some((access, _)) = self.program.front() {
            match access {
                access if !self.watched.contains(access) => self.step(),
                Stop::Wrote(address) => return format!("T05thread:p01.01;watch:{address:x};"),
                Stop::Read(address) => return format!("T05thread:p01.01;rwatch:{address:x};"),
            }
        }
        "W00".into()
    }
}

impl Write for Chip {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.borrow_mut();
        for &byte in bytes {
            state.request.push(byte);
            let text = String::from_utf8_lossy(&state.request).into_owned();
            // A packet ends with two digits after `#`.
            if let Some((packet, _)) = text.trim_start_matches('+').split_once('#').filter(|(_, sum)| sum.len() == 2) {
                let answer = state.obey(packet.trim_start_matches('$'));
                let sum = answer.bytes().fold(0_u8, u8::wrapping_add);
                state.answer.extend(format!("+${answer}#{sum:02x}").bytes());
                state.request.clear();
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Chip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().answer.read(buffer)
    }
}
