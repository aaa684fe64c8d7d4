//! The two serial ports that a board has: UART0, and the USB-Serial-JTAG controller.
//!
//! ROM and bootloader leave both ready: UART0 at 115,200 baud, 8 data bits, no parity, 1 stop bit. Everything is written
//! to both and read from either, so that it does not matter which connector a board has. Registers by the ESP32-S3
//! Technical Reference Manual, chapters "UART Controller (UART)" and "USB Serial/JTAG Controller (USB_SERIAL_JTAG)".

use core::cell::Cell;

/// UART_FIFO_REG: a write sends the byte, a read takes one that was received.
const UART_FIFO: *mut u32 = 0x6000_0000 as *mut u32;
/// UART_STATUS_REG: UART_RXFIFO_CNT in bits 9 to 0, UART_TXFIFO_CNT in bits 25 to 16.
const UART_STATUS: *const u32 = 0x6000_001c as *const u32;
/// Bytes that may wait to be sent: the FIFO of 128 bytes, less some room.
const UART_ROOM: u32 = 120;

/// USB_SERIAL_JTAG_EP1_REG: as UART_FIFO_REG.
const USB_FIFO: *mut u32 = 0x6003_8000 as *mut u32;
/// USB_SERIAL_JTAG_EP1_CONF_REG.
const USB_CONF: *mut u32 = 0x6003_8004 as *mut u32;
/// USB_SERIAL_JTAG_WR_DONE: sends what was written, as a packet.
const USB_WR_DONE: u32 = 1 << 0;
/// USB_SERIAL_JTAG_SERIAL_IN_EP_DATA_FREE: there is room to write.
const USB_IN_FREE: u32 = 1 << 1;
/// USB_SERIAL_JTAG_SERIAL_OUT_EP_DATA_AVAIL: a byte was received.
const USB_OUT_AVAILABLE: u32 = 1 << 2;

/// How often to look whether a port has room: some tens of milliseconds, longer than a host takes to fetch a packet.
const PATIENCE: u32 = 200_000;

/// A variable of a program with one thread; the back end has no atomic ones.
struct Variable<T>(Cell<T>);

// SAFETY: firmware has one core and one thread, and nothing runs in interrupts.
unsafe impl<T> Sync for Variable<T> {}

/// Nobody fetches what is written to USB, so nothing waits for it.
static USB_IS_DEAF: Variable<bool> = Variable(Cell::new(false));

/// Writes to both ports, `\n` as `\r\n`. What a port does not take in time is lost there.
pub fn write(bytes: &[u8]) {
    for &byte in bytes {
        if byte == b'\n' {
            write_byte(b'\r');
        }
        write_byte(byte);
    }
    // SAFETY: a register of the USB-Serial-JTAG controller; sends an empty packet at worst.
    unsafe { USB_CONF.write_volatile(USB_WR_DONE) };
}

fn write_byte(byte: u8) {
    // SAFETY: registers of UART0, which is clocked after reset.
    unsafe {
        if waits_for(PATIENCE, || (UART_STATUS.read_volatile() >> 16) & 0x3ff < UART_ROOM) {
            UART_FIFO.write_volatile(u32::from(byte));
        }
    }
    let patience = if USB_IS_DEAF.0.get() { 1 } else { PATIENCE };
    // SAFETY: registers of the USB-Serial-JTAG controller, which is clocked after reset.
    unsafe {
        let free = waits_for(patience, || USB_CONF.read_volatile() & USB_IN_FREE != 0);
        if free {
            USB_FIFO.write_volatile(u32::from(byte));
        }
        USB_IS_DEAF.0.set(!free);
    }
}

fn waits_for(patience: u32, ready: impl Fn() -> bool) -> bool {
    (0..patience).any(|_| ready())
}

/// The next byte that was received, if any.
pub fn read() -> Option<u8> {
    // SAFETY: registers of UART0 and of the USB-Serial-JTAG controller. A FIFO is read only if it has a byte.
    unsafe {
        if UART_STATUS.read_volatile() & 0x3ff != 0 {
            return Some(UART_FIFO.read_volatile() as u8);
        }
        if USB_CONF.read_volatile() & USB_OUT_AVAILABLE != 0 {
            return Some(USB_FIFO.read_volatile() as u8);
        }
    }
    None
}
