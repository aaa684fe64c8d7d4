//! Firmware for a real board with an ESP32-S3: an image of its flash, and, for want of a board, a run of the image's own
//! bytes at the chip's addresses under QEMU, whose peripherals are played through its debugger.
//!
//! `crates/runners/esp32s3/README.md` says what that shows and what it does not.

mod board;
mod debugger;
mod emulate;
#[cfg(test)]
mod fake;
mod flash;
mod launch;
mod ports;
mod reader;

pub use board::Board;
pub use flash::{FlashImage, build_image};
pub use reader::{App, ImageError, Segment, read_app, read_flash};
