//! A QEMU plugin that counts the instructions of an emulated program exactly and lets the program read the count.
//!
//! QEMU translates a program block by block and reports each block to its plugins. This plugin adds to every
//! instruction of it an inline increment of a counter, which QEMU emits as a part of the translation, so that the count
//! is exact at every instruction and not only at the end of a block. The counter is in a shared file mapping: the
//! program reads its eight bytes like those of any other file.
//!
//! ```text
//! qemu-aarch64 -plugin libbitstate_qemu_plugin.so,count=COUNT runner --instructions COUNT …
//! ```
//!
//! It declares the four functions that it calls of the plugin interface (version 1: QEMU 4.2 to 8.2). With several
//! threads increments may be lost, so only single-threaded programs are counted.

use core::ffi::{CStr, c_char, c_int, c_void};
use memmap2::MmapMut;
use std::fs::OpenOptions;

/// QEMU's id of a plugin.
type Id = u64;

/// A block of instructions during translation.
#[repr(C)]
struct Block {
    _opaque: [u8; 0],
}

/// An instruction of a block.
#[repr(C)]
struct Instruction {
    _opaque: [u8; 0],
}

unsafe extern "C" {
    fn qemu_plugin_register_vcpu_tb_trans_cb(id: Id, translated: extern "C" fn(Id, *mut Block));
    fn qemu_plugin_tb_n_insns(block: *const Block) -> usize;
    fn qemu_plugin_tb_get_insn(block: *const Block, index: usize) -> *mut Instruction;
    fn qemu_plugin_register_vcpu_insn_exec_inline(insn: *mut Instruction, op: c_int, at: *mut c_void, add: u64);
}

/// The only inline operation of QEMU: adds a constant to 64 bits.
const ADD: c_int = 0;

/// The interface version that this plugin uses; QEMU looks it up by this name.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "QEMU gives it its name")]
pub static qemu_plugin_version: c_int = 1;

/// The address of the counter.
static COUNTER: std::sync::OnceLock<usize> = std::sync::OnceLock::new();

/// Called by QEMU when it has loaded the plugin; `argv` are the arguments after the file name, here `count=PATH`. A
/// value other than 0 makes QEMU exit.
///
/// # Safety
/// `argv` points to `argc` zero-terminated strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    id: Id,
    _: *const c_void,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    let arguments = usize::try_from(argc).unwrap_or(0);
    // SAFETY: QEMU passes `argc` strings.
    let argument = |i| unsafe { CStr::from_ptr(*argv.add(i)) }.to_str().ok();
    let Some(path) = (0..arguments).find_map(|i| argument(i)?.strip_prefix("count=")) else { return 1 };
    let Some(counter) = counter_in(path) else { return 2 };
    COUNTER.get_or_init(|| counter);
    // SAFETY: QEMU's own function, with the id it passed.
    unsafe { qemu_plugin_register_vcpu_tb_trans_cb(id, count) };
    0
}

/// Maps the file until the end of the process, and returns the address of its eight bytes.
fn counter_in(path: &str) -> Option<usize> {
    let file = OpenOptions::new().read(true).write(true).open(path).ok()?;
    file.set_len(8).ok()?;
    // SAFETY: a file that the harness created for this run; others only read it.
    let mapping = unsafe { MmapMut::map_mut(&file) }.ok()?;
    Some(Box::leak(Box::new(mapping)).as_mut_ptr() as usize)
}

/// Adds the counter increment to every instruction of a block.
extern "C" fn count(_: Id, block: *mut Block) {
    let Some(&counter) = COUNTER.get() else { return };
    // SAFETY: QEMU's own functions, on the block that it just passed; the counter is never unmapped.
    unsafe {
        for i in 0..qemu_plugin_tb_n_insns(block) {
            let instruction = qemu_plugin_tb_get_insn(block, i);
            qemu_plugin_register_vcpu_insn_exec_inline(instruction, ADD, counter as *mut c_void, 1);
        }
    }
}
