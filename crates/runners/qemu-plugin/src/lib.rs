//! A QEMU plugin that counts the instructions of an emulated program exactly, and models what a cache in front of slow
//! memory would do.
//!
//! QEMU translates a program block by block and reports each block to its plugins. This plugin adds to every
//! instruction of it an inline increment of a counter, which QEMU emits as a part of the translation, so that the count
//! is exact at every instruction and not only at the end of a block.
//!
//! With `count=FILE` the counter is in a shared file mapping: the program reads its eight bytes like those of any other
//! file.
//!
//! ```text
//! qemu-aarch64 -plugin libbitstate_qemu_plugin.so,count=COUNT runner --instructions COUNT …
//! ```
//!
//! With `traffic=FILE` it works for whole machines too, without the help of the program: every load and store between
//! two addresses goes through the model of a cache, with `code=…,code_cache=…` every instruction between two others
//! through a second one, and what happens in some functions is summed, from their first instruction to their return. At
//! the end the file has five numbers: instructions, accesses, misses and write-backs, and misses of the second cache.
//!
//! ```text
//! qemu-system-xtensa -plugin libbitstate_qemu_plugin.so,traffic=FILE,memory=0x1000000:0x1800000,\
//!     cache=32768:8:32,code=0x1800000:0x1a00000,code_cache=16384:8:32,function=0xfe002000:0xfe002040,function=… …
//! ```
//!
//! It declares the functions that it calls of the plugin interface (version 1: QEMU 4.2 to 8.2). With several threads
//! increments may be lost, so only single-threaded programs and machines with one core are counted.

mod cache;
// Its functions are QEMU's, which a test is not linked with.
#[cfg(not(test))]
mod qemu;
mod traffic;
