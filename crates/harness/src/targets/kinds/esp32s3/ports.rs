//! The peripherals of the chip that the firmware uses, played through the emulator's debugger: QEMU has plain memory at
//! their addresses, each access to a register stops the program, and what the register would do is done here.
//!
//! Registers by the ESP32-S3 Technical Reference Manual. What the chip would not allow is an error: reading an empty FIFO,
//! writing without room, changing a watchdog that is write-protected.

use super::debugger::{Debugger, Stop};
use std::collections::VecDeque;
use std::io::{self, Read, Write};

/// UART_FIFO_REG and UART_STATUS_REG of UART0.
const UART_FIFO: u32 = 0x6000_0000;
const UART_STATUS: u32 = 0x6000_001c;
/// The largest UART_RXFIFO_CNT.
const UART_DEPTH: usize = 128;
/// USB_SERIAL_JTAG_EP1_REG and USB_SERIAL_JTAG_EP1_CONF_REG, with its bits.
const USB_FIFO: u32 = 0x6003_8000;
const USB_CONF: u32 = 0x6003_8004;
const USB_WR_DONE: u32 = 1;
const USB_IN_FREE: u32 = 2;
const USB_OUT_AVAILABLE: u32 = 4;
/// Bytes of a packet.
const USB_PACKET: usize = 64;

/// A watchdog's configuration and write-protection registers, the key, its state after reset, and the bit to have in the
/// end: for RWDT, SWD, MWDT0 and MWDT1.
const WATCHDOGS: [Watchdog; 4] = [
    Watchdog {
        config: 0x6000_8098,
        protection: 0x6000_80b0,
        key: 0x50d8_3aa1,
        at_first: 1 << 31 | 1 << 12,
        in_the_end: 0,
    },
    Watchdog { config: 0x6000_80b4, protection: 0x6000_80b8, key: 0x8f1d_312a, at_first: 0, in_the_end: 1 << 31 },
    Watchdog {
        config: 0x6001_f048,
        protection: 0x6001_f064,
        key: 0x50d8_3aa1,
        at_first: 1 << 31 | 1 << 14,
        in_the_end: 0,
    },
    Watchdog { config: 0x6002_0048, protection: 0x6002_0064, key: 0x50d8_3aa1, at_first: 1 << 31, in_the_end: 0 },
];

struct Watchdog {
    config: u32,
    protection: u32,
    key: u32,
    at_first: u32,
    in_the_end: u32,
}

/// SYSTEM_CPU_PER_CONF_REG: after reset, and for 240 MHz from the PLL of 480 MHz (bits 2 to 0).
const CPU_PER_CONF: (u32, u32, u32) = (0x600c_0010, 0xc, 6);
/// SYSTEM_SYSCLK_CONF_REG: after reset, and for the PLL (bits 11 to 0).
const SYSCLK_CONF: (u32, u32, u32) = (0x600c_0060, 1, 1 << 10);

/// A serial port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// UART0. No host is attached to USB.
    Uart,
    /// USB-Serial-JTAG.
    Usb,
}

/// Both ports, with a terminal at one.
pub(super) struct Ports<R: Read, W> {
    chip: Debugger<R, W>,
    terminal: Port,
    /// What was typed and not yet read.
    typed: VecDeque<u8>,
    /// What the terminal shows.
    shown: Vec<u8>,
    /// Bytes for the next packet.
    packet: Vec<u8>,
    /// What the status register of the terminal's port has.
    status: u32,
}

impl<R: Read, W: Write> Ports<R, W> {
    /// The chip after reset.
    pub fn new(mut chip: Debugger<R, W>, terminal: Port) -> io::Result<Self> {
        for Watchdog { config, at_first, .. } in WATCHDOGS {
            chip.set_word(config, at_first)?;
            chip.watch(Stop::Wrote(config))?;
        }
        for (register, at_first, _) in [CPU_PER_CONF, SYSCLK_CONF] {
            chip.set_word(register, at_first)?;
        }
        for register in [UART_FIFO, USB_FIFO] {
            chip.watch(Stop::Wrote(register))?;
            chip.watch(Stop::Read(register))?;
        }
        chip.watch(Stop::Wrote(USB_CONF))?;
        chip.set_word(UART_STATUS, 0)?;
        let (typed, shown, packet) = (VecDeque::new(), Vec::new(), Vec::new());
        let mut ports = Ports { chip, terminal, typed, shown, packet, status: 0 };
        ports.present_usb()?;
        Ok(ports)
    }

    /// What the terminal shows so far.
    pub fn shown(&self) -> &[u8] {
        &self.shown
    }

    /// Types a text.
    pub fn enter(&mut self, text: &str) -> io::Result<()> {
        self.typed.extend(text.bytes());
        self.present()
    }

    /// Lets the program run up to its next access to a register.
    pub fn step(&mut self) -> io::Result<()> {
        match self.chip.run()? {
            Stop::Wrote(UART_FIFO) => {
                let byte = self.chip.word(UART_FIFO)? as u8;
                if self.terminal == Port::Uart {
                    self.shown.push(byte);
                }
            }
            Stop::Wrote(USB_FIFO) => {
                self.packet.push(self.chip.word(USB_FIFO)? as u8);
                if self.terminal != Port::Usb || self.packet.len() > USB_PACKET {
                    return Err(fault("wrote to USB_SERIAL_JTAG_EP1_REG without room"));
                }
            }
            Stop::Wrote(USB_CONF) => {
                if self.chip.word(USB_CONF)? & USB_WR_DONE != 0 {
                    self.shown.append(&mut self.packet);
                }
                return self.present_usb();
            }
            Stop::Read(UART_FIFO) if self.terminal == Port::Uart => self.take()?,
            Stop::Read(USB_FIFO) if self.terminal == Port::Usb => self.take()?,
            Stop::Read(register) => return Err(fault(&format!("read the empty FIFO at {register:#x}"))),
            Stop::Wrote(register) => self.check_protection(register)?,
        }
        self.present()
    }

    fn take(&mut self) -> io::Result<()> {
        match self.typed.pop_front() {
            Some(_) => Ok(()),
            None => Err(fault("read an empty FIFO")),
        }
    }

    /// Sets the registers of the terminal's port to what the program reads next, where that changed: each change is a
    /// packet to the emulator and back.
    fn present(&mut self) -> io::Result<()> {
        if let Some(next) = self.typed.front().copied() {
            let fifo = if self.terminal == Port::Uart { UART_FIFO } else { USB_FIFO };
            self.chip.set_word(fifo, next.into())?;
        }
        match self.terminal {
            Port::Uart => {
                let waiting = self.typed.len().min(UART_DEPTH) as u32;
                if std::mem::replace(&mut self.status, waiting) != waiting {
                    self.chip.set_word(UART_STATUS, waiting)?;
                }
                Ok(())
            }
            Port::Usb if self.usb_conf() != self.status => self.present_usb(),
            Port::Usb => Ok(()),
        }
    }

    /// Sets USB_SERIAL_JTAG_EP1_CONF_REG, which the program also writes.
    fn present_usb(&mut self) -> io::Result<()> {
        let conf = self.usb_conf();
        if self.terminal == Port::Usb {
            self.status = conf;
        }
        self.chip.set_word(USB_CONF, conf)
    }

    /// Without a host there is never room.
    fn usb_conf(&self) -> u32 {
        let free = if self.packet.len() < USB_PACKET { USB_IN_FREE } else { 0 };
        let available = if self.typed.is_empty() { 0 } else { USB_OUT_AVAILABLE };
        if self.terminal == Port::Usb { free | available } else { 0 }
    }

    fn check_protection(&mut self, register: u32) -> io::Result<()> {
        let watchdog = WATCHDOGS.iter().find(|watchdog| watchdog.config == register);
        let Watchdog { protection, key, .. } = watchdog.ok_or_else(|| fault("stopped where nothing is watched"))?;
        match self.chip.word(*protection)? == *key {
            true => Ok(()),
            false => Err(fault(&format!("wrote to {register:#x}, which is write-protected"))),
        }
    }

    /// Checks that start-up set what it has to: watchdogs off and protected again, the clock at 240 MHz.
    pub fn check_start(&mut self) -> io::Result<()> {
        for Watchdog { config, protection, in_the_end, .. } in WATCHDOGS {
            if self.chip.word(config)? & 1 << 31 != in_the_end || self.chip.word(protection)? != 0 {
                return Err(fault(&format!(
                    "the watchdog at {config:#x} is on, or its configuration is not protected"
                )));
            }
        }
        for ((register, _, wanted), bits) in [(CPU_PER_CONF, 0x7), (SYSCLK_CONF, 0xfff)] {
            let found = self.chip.word(register)? & bits;
            if found != wanted {
                return Err(fault(&format!("clock register {register:#x} is {found:#x}, not {wanted:#x}")));
            }
        }
        Ok(())
    }
}

fn fault(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the firmware {what}"))
}

#[cfg(test)]
mod tests {
    use super::super::fake::Chip;
    use super::*;

    /// The ports of a chip whose program does some accesses, after `steps` of those that stop it.
    fn after(program: &[(Stop, u32)], steps: usize, terminal: Port, typed: &str) -> (Chip, io::Result<Vec<u8>>) {
        let chip = Chip::default();
        chip.0.borrow_mut().program.extend(program.iter().copied());
        let run = || {
            let mut ports = Ports::new(chip.debugger(), terminal)?;
            ports.enter(typed)?;
            (0..steps).try_for_each(|_| ports.step())?;
            Ok(ports.shown().to_vec())
        };
        let shown = run();
        (chip, shown)
    }

    #[test]
    fn what_is_typed_is_read_and_what_is_written_is_shown() {
        let program = [
            (Stop::Read(UART_STATUS), 0),
            (Stop::Read(UART_FIFO), 0),
            (Stop::Wrote(UART_FIFO), u32::from(b'!')),
            (Stop::Read(UART_FIFO), 0),
            (Stop::Read(UART_STATUS), 0),
            (Stop::Wrote(UART_FIFO), u32::from(b'?')),
        ];
        let (chip, shown) = after(&program, 4, Port::Uart, "ab");
        assert_eq!(shown.unwrap(), b"!?");
        assert_eq!(chip.0.borrow().read, [2, b'a'.into(), b'b'.into(), 0]);
    }

    #[test]
    fn usb_shows_a_packet_when_it_is_sent() {
        let byte = |byte: u8| (Stop::Wrote(USB_FIFO), u32::from(byte));
        let send = (Stop::Wrote(USB_CONF), USB_WR_DONE);
        let program = [byte(b'O'), byte(b'n'), send, byte(b'c'), (Stop::Read(USB_CONF), 0), (Stop::Read(USB_FIFO), 0)];
        let (chip, shown) = after(&program, 5, Port::Usb, "x");
        assert_eq!(shown.unwrap(), b"On");
        assert_eq!(chip.0.borrow().read, [USB_IN_FREE | USB_OUT_AVAILABLE, b'x'.into()]);
        let full = [byte(b'x'); USB_PACKET + 1];
        assert!(after(&full, USB_PACKET, Port::Usb, "").1.is_ok());
        assert!(after(&full, USB_PACKET + 1, Port::Usb, "").1.is_err());
    }

    #[test]
    fn what_the_chip_does_not_allow_is_an_error() {
        let of = |access, terminal| after(&[access], 1, terminal, "").1.unwrap_err().to_string();
        assert_eq!(of((Stop::Read(UART_FIFO), 0), Port::Uart), "the firmware read an empty FIFO");
        assert!(of((Stop::Read(USB_FIFO), 0), Port::Uart).contains("empty FIFO at 0x60038000"));
        assert!(of((Stop::Wrote(USB_FIFO), 0), Port::Uart).contains("without room"));
        let [rwdt, ..] = WATCHDOGS;
        assert!(of((Stop::Wrote(rwdt.config), 0), Port::Uart).contains("write-protected"));
        let unlocked = [(Stop::Wrote(rwdt.protection), rwdt.key), (Stop::Wrote(rwdt.config), 0)];
        assert!(after(&unlocked, 1, Port::Uart, "").1.is_ok());
    }

    #[test]
    fn start_up_has_to_leave_watchdogs_and_clock_as_they_should_be() {
        let mut right: Vec<(u32, u32)> =
            WATCHDOGS.iter().map(|watchdog| (watchdog.config, watchdog.in_the_end)).collect();
        right.extend(WATCHDOGS.iter().map(|watchdog| (watchdog.protection, 0)));
        right.extend([(CPU_PER_CONF.0, 0xe), (SYSCLK_CONF.0, 0x400)]);
        let check = |words: &[(u32, u32)]| {
            let chip = Chip::default();
            let mut ports = Ports::new(chip.debugger(), Port::Uart).unwrap();
            chip.0.borrow_mut().memory.extend(words.iter().copied());
            ports.check_start().map_err(|error| error.to_string())
        };
        assert_eq!(check(&right), Ok(()));
        for i in 0..right.len() {
            let mut wrong = right.clone();
            wrong[i].1 ^= if i < 4 { 1 << 31 } else { 1 };
            assert!(check(&wrong).is_err(), "{:#x}", wrong[i].0);
        }
    }
}
