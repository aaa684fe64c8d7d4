//! Counts the instructions of an emulated program, exactly, and lets the program itself read the count.
//!
//! QEMU translates a program block by block and tells a plugin of each block. Here every instruction of it gets an
//! addition to a counter, which QEMU emits as a part of the translation, so that the count is right at every instruction
//! and not only at the end of a block. The counter lies in a file that is mapped and shared: what runs inside reads its
//! eight bytes like those of any other file.
//!
//! ```text
//! qemu-aarch64 -plugin libbitstate_qemu_plugin.so,count=COUNT runner --instructions COUNT …
//! ```
//!
//! Of the interface of plugins (version 1: QEMU 4.2 to 8.2) it declares the four functions that it calls. With several
//! threads additions may be lost: what is counted has one.

use core::ffi::{CStr, c_char, c_int, c_void};
use memmap2::MmapMut;
use std::fs::OpenOptions;

/// Number that QEMU gives a plugin.
type Id = u64;

/// A block of instructions that is being translated.
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

/// The one operation that QEMU does inline: 64 bits plus a constant.
const ADD: c_int = 0;

/// The version of the interface that is spoken, where QEMU looks for it.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "QEMU gives it its name")]
pub static qemu_plugin_version: c_int = 1;

/// Where the counter is.
static COUNTER: std::sync::OnceLock<usize> = std::sync::OnceLock::new();

/// What QEMU calls when it has loaded the plugin; `argv` are the arguments behind the file's name, here `count=PATH`. Another
/// value than 0 makes QEMU end.
///
/// # Safety
/// `argv` are `argc` strings that end with a zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    id: Id,
    _: *const c_void,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    let arguments = usize::try_from(argc).unwrap_or(0);
    // SAFETY: QEMU passes as many strings as it says.
    let argument = |i| unsafe { CStr::from_ptr(*argv.add(i)) }.to_str().ok();
    let Some(path) = (0..arguments).find_map(|i| argument(i)?.strip_prefix("count=")) else { return 1 };
    let Some(counter) = counter_in(path) else { return 2 };
    COUNTER.get_or_init(|| counter);
    // SAFETY: QEMU's own function, with the number that it gave.
    unsafe { qemu_plugin_register_vcpu_tb_trans_cb(id, count) };
    0
}

/// The address of eight bytes that are those of the file, to the end of the process.
fn counter_in(path: &str) -> Option<usize> {
    let file = OpenOptions::new().read(true).write(true).open(path).ok()?;
    file.set_len(8).ok()?;
    // SAFETY: a file that the harness made for this run; others read it alone.
    let mapping = unsafe { MmapMut::map_mut(&file) }.ok()?;
    Some(Box::leak(Box::new(mapping)).as_mut_ptr() as usize)
}

/// Makes every instruction of a block count itself.
extern "C" fn count(_: Id, block: *mut Block) {
    let Some(&counter) = COUNTER.get() else { return };
    // SAFETY: QEMU's own functions, about the block that it has just handed over; the counter is never unmapped.
    unsafe {
        for i in 0..qemu_plugin_tb_n_insns(block) {
            let instruction = qemu_plugin_tb_get_insn(block, i);
            qemu_plugin_register_vcpu_insn_exec_inline(instruction, ADD, counter as *mut c_void, 1);
        }
    }
}
