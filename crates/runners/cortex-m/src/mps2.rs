//! The board MPS2 with Arm's image AN386, a Cortex-M4 at 25 MHz, as QEMU's machine `mps2-an386` models it: its UART0 and its
//! timer 0. For a board of your own, write these four functions.
//!
//! Registers by Arm's Cortex-M System Design Kit Technical Reference Manual, "APB UART" and "APB timer"; addresses and clock
//! by Application Note AN386.

use bitstate_runner_console::Board;

/// The clock of the core and of its peripherals, in Hz.
const CLOCK: u32 = 25_000_000;
/// Of the serial port, with 8 data bits, no parity and 1 stop bit.
const BAUD: u32 = 115_200;

/// UART0's DATA: a write sends the byte, a read takes one that was received.
const UART_DATA: *mut u32 = 0x4000_4000 as *mut u32;
/// UART0's STATE.
const UART_STATE: *const u32 = 0x4000_4004 as *const u32;
/// The byte before has not been sent: there is no FIFO.
const TX_FULL: u32 = 1 << 0;
/// A byte was received.
const RX_FULL: u32 = 1 << 1;
/// UART0's CTRL: send in bit 0, receive in bit 1.
const UART_CTRL: *mut u32 = 0x4000_4008 as *mut u32;
/// UART0's BAUDDIV, 16 at least.
const UART_BAUDDIV: *mut u32 = 0x4000_4010 as *mut u32;

/// Timer 0's CTRL: on in bit 0.
const TIMER_CTRL: *mut u32 = 0x4000_0000 as *mut u32;
/// Timer 0's VALUE, which counts cycles down.
const TIMER_VALUE: *mut u32 = 0x4000_0004 as *mut u32;
/// Timer 0's RELOAD, from which it goes on after 0.
const TIMER_RELOAD: *mut u32 = 0x4000_0008 as *mut u32;

/// The board.
pub struct Mps2;

impl Board for Mps2 {
    const TARGET: &'static str = "cortex-m";
    const NAME: &'static str = "a Cortex-M4 (MPS2 with AN386)";
    const HZ: u64 = CLOCK as u64;

    fn start() {
        // SAFETY: registers of UART0 and of timer 0, which are clocked after reset and belong to this program alone.
        unsafe {
            UART_BAUDDIV.write_volatile(CLOCK / BAUD);
            UART_CTRL.write_volatile(0b11);
            // Discards what was received before. QEMU looks for input only once the last byte was taken.
            UART_DATA.read_volatile();
            TIMER_RELOAD.write_volatile(u32::MAX);
            TIMER_VALUE.write_volatile(u32::MAX);
            TIMER_CTRL.write_volatile(1);
        }
    }

    fn read() -> Option<u8> {
        // SAFETY: registers of UART0.
        unsafe { (UART_STATE.read_volatile() & RX_FULL != 0).then(|| UART_DATA.read_volatile() as u8) }
    }

    fn write(bytes: &[u8]) {
        let send = |byte: u8| {
            // SAFETY: registers of UART0.
            unsafe {
                while UART_STATE.read_volatile() & TX_FULL != 0 {}
                UART_DATA.write_volatile(u32::from(byte));
            }
        };
        for &byte in bytes {
            if byte == b'\n' {
                send(b'\r');
            }
            send(byte);
        }
    }

    fn cycles() -> u32 {
        // SAFETY: a register of timer 0.
        unsafe { u32::MAX - TIMER_VALUE.read_volatile() }
    }
}
