//! The plugin, as QEMU calls it and as it calls QEMU.

use crate::traffic::Watch;
use core::ffi::{CStr, c_char, c_int, c_uint, c_void};
use memmap2::MmapMut;
use std::fs::OpenOptions;
use std::sync::OnceLock;

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
    fn qemu_plugin_insn_vaddr(insn: *const Instruction) -> u64;
    fn qemu_plugin_insn_disas(insn: *const Instruction) -> *mut c_char;
    fn qemu_plugin_register_vcpu_insn_exec_inline(insn: *mut Instruction, op: c_int, at: *mut c_void, add: u64);
    fn qemu_plugin_register_vcpu_insn_exec_cb(
        insn: *mut Instruction,
        executed: extern "C" fn(c_uint, *mut c_void),
        registers: c_int,
        data: *mut c_void,
    );
    fn qemu_plugin_register_vcpu_mem_cb(
        insn: *mut Instruction,
        accessed: extern "C" fn(c_uint, u32, u64, *mut c_void),
        registers: c_int,
        kinds: c_int,
        data: *mut c_void,
    );
    fn qemu_plugin_mem_is_store(info: u32) -> bool;
    fn qemu_plugin_register_atexit_cb(id: Id, ended: extern "C" fn(Id, *mut c_void), data: *mut c_void);
    /// Of the C library: QEMU's texts are allocated by it.
    fn free(text: *mut c_void);
}

/// The only inline operation of QEMU: adds a constant to 64 bits.
const ADD: c_int = 0;
/// A callback that reads no registers.
const NO_REGISTERS: c_int = 0;
/// Loads and stores.
const BOTH: c_int = 3;

/// The interface version that this plugin uses; QEMU looks it up by this name.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "QEMU gives it its name")]
pub static qemu_plugin_version: c_int = 1;

/// The address of the counter.
static COUNTER: OnceLock<usize> = OnceLock::new();
/// What is watched, with `traffic`.
static WATCH: OnceLock<Watch> = OnceLock::new();

/// Called by QEMU when it has loaded the plugin; `argv` are the arguments after the file name. A value other than 0
/// makes QEMU exit.
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
    let Some(arguments) = (0..arguments).map(argument).collect::<Option<Vec<_>>>() else { return 1 };
    let counter = match arguments.iter().find_map(|argument| argument.strip_prefix("count=")) {
        Some(path) => counter_in(path),
        None => Some(Box::leak(Box::new(0_u64)) as *mut u64 as usize),
    };
    let Some(counter) = counter else { return 2 };
    COUNTER.get_or_init(|| counter);
    match Watch::parse(&arguments) {
        Ok(Some(watch)) => {
            WATCH.get_or_init(|| watch);
            // SAFETY: QEMU's own function, with the id it passed.
            unsafe { qemu_plugin_register_atexit_cb(id, end, core::ptr::null_mut()) };
        }
        Ok(None) if arguments.iter().any(|argument| argument.starts_with("count=")) => {}
        _ => return 1,
    }
    // SAFETY: QEMU's own function, with the id it passed.
    unsafe { qemu_plugin_register_vcpu_tb_trans_cb(id, translated) };
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

/// The instructions so far.
fn instructions() -> u64 {
    // SAFETY: eight bytes that are never freed and that only the emulated core changes, on this thread.
    COUNTER.get().map_or(0, |&counter| unsafe { (counter as *const u64).read_volatile() })
}

/// Adds the counter increment to every instruction of a block, and the watch if there is one.
extern "C" fn translated(_: Id, block: *mut Block) {
    let Some(&counter) = COUNTER.get() else { return };
    // SAFETY: QEMU's own functions, on the block that it just passed; the counter is never freed.
    unsafe {
        for i in 0..qemu_plugin_tb_n_insns(block) {
            let instruction = qemu_plugin_tb_get_insn(block, i);
            let function = WATCH.get().map(|watch| watch.place_of(qemu_plugin_insn_vaddr(instruction)));
            // Callbacks of an instruction run in this order: its first is counted, and so is the return.
            if function.is_some_and(|place| place.is_entry) {
                qemu_plugin_register_vcpu_insn_exec_cb(instruction, enter, NO_REGISTERS, core::ptr::null_mut());
            }
            qemu_plugin_register_vcpu_insn_exec_inline(instruction, ADD, counter as *mut c_void, 1);
            if let Some(place) = function {
                if place.is_cached {
                    let address = core::ptr::without_provenance_mut(qemu_plugin_insn_vaddr(instruction) as usize);
                    qemu_plugin_register_vcpu_insn_exec_cb(instruction, fetch, NO_REGISTERS, address);
                }
                qemu_plugin_register_vcpu_mem_cb(instruction, access, NO_REGISTERS, BOTH, core::ptr::null_mut());
                if place.is_inside && is_return(instruction) {
                    qemu_plugin_register_vcpu_insn_exec_cb(instruction, leave, NO_REGISTERS, core::ptr::null_mut());
                }
            }
        }
    }
}

/// Whether an instruction is a return, by its mnemonic: `ret`, `ret.n`, `retw`.
///
/// # Safety
/// An instruction that QEMU is translating.
unsafe fn is_return(instruction: *const Instruction) -> bool {
    // SAFETY: as promised by the caller; the text is a string that the caller of the function frees.
    unsafe {
        let text = qemu_plugin_insn_disas(instruction);
        if text.is_null() {
            return false;
        }
        let is_return = CStr::from_ptr(text).to_bytes().starts_with(b"ret");
        free(text.cast());
        is_return
    }
}

extern "C" fn enter(_: c_uint, _: *mut c_void) {
    if let Some(watch) = WATCH.get() {
        watch.enter(instructions());
    }
}

/// The data is the address of the instruction.
extern "C" fn fetch(_: c_uint, address: *mut c_void) {
    if let Some(watch) = WATCH.get() {
        watch.fetch(address.addr() as u64);
    }
}

extern "C" fn leave(_: c_uint, _: *mut c_void) {
    if let Some(watch) = WATCH.get() {
        watch.leave(instructions());
    }
}

extern "C" fn access(_: c_uint, info: u32, address: u64, _: *mut c_void) {
    if let Some(watch) = WATCH.get() {
        // SAFETY: QEMU's own function, on what it just passed.
        watch.access(address, unsafe { qemu_plugin_mem_is_store(info) });
    }
}

/// Writes what was watched; without a file, the harness reports that it is missing.
extern "C" fn end(_: Id, _: *mut c_void) {
    if let Some(watch) = WATCH.get() {
        let _ = watch.write();
    }
}
