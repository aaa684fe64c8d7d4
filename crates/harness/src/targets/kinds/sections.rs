//! Sizes of sections of a built file: an ELF program or a WASM module.

use std::collections::BTreeMap;

/// Sizes by kind of section, in bytes; `None` for another file format or a truncated file.
///
/// An ELF program's sections are grouped by their use when loaded: `text` (code), `rodata`, `data` (initialised) and
/// `bss` (zeros). A WASM module has `code`, `data`, `custom` (names and similar) and `other`.
pub fn sizes(file: &[u8]) -> Option<BTreeMap<&'static str, u64>> {
    match file.get(..4)? {
        b"\x7fELF" => elf(file),
        b"\0asm" => wasm(file),
        _ => None,
    }
}

fn number(file: &[u8], at: u64, bytes: usize) -> Option<u64> {
    let at = usize::try_from(at).ok()?;
    let field = file.get(at..at.checked_add(bytes)?)?;
    Some(field.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// 64-bit little-endian ELF, by the flags of its section headers.
fn elf(file: &[u8]) -> Option<BTreeMap<&'static str, u64>> {
    const WRITE: u64 = 1;
    const ALLOC: u64 = 2;
    const EXEC: u64 = 4;
    const NO_BITS: u64 = 8;
    if number(file, 4, 2)? != 0x0102 {
        return None;
    }
    let table = number(file, 0x28, 8)?;
    let (entry, count) = (number(file, 0x3a, 2)?, number(file, 0x3c, 2)?);
    let mut sizes = BTreeMap::new();
    for index in 0..count {
        let at = table.checked_add(index * entry)?;
        let field = |offset: u64, bytes| number(file, at.checked_add(offset)?, bytes);
        let (kind, flags, size) = (field(4, 4)?, field(8, 8)?, field(32, 8)?);
        if flags & ALLOC == 0 {
            continue;
        }
        let name = match (flags & EXEC != 0, flags & WRITE != 0, kind == NO_BITS) {
            (true, ..) => "text",
            (_, _, true) => "bss",
            (_, true, _) => "data",
            _ => "rodata",
        };
        *sizes.entry(name).or_insert(0) += size;
    }
    Some(sizes)
}

fn wasm(file: &[u8]) -> Option<BTreeMap<&'static str, u64>> {
    let mut sizes = BTreeMap::new();
    let mut rest = file.get(8..)?;
    while let Some((id, after)) = rest.split_first() {
        let (size, body) = leb128(after)?;
        let name = match id {
            0 => "custom",
            10 => "code",
            11 => "data",
            _ => "other",
        };
        *sizes.entry(name).or_insert(0) += u64::from(size);
        rest = body.get(size as usize..)?;
    }
    Some(sizes)
}

/// Decodes an unsigned LEB128 number; returns it with the bytes after it.
fn leb128(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut value = 0;
    for (i, byte) in bytes.iter().take(5).enumerate() {
        value |= u32::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[i + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::sizes;

    #[test]
    fn a_module_is_the_sum_of_its_sections() {
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        module.extend([1, 2, 9, 9]);
        module.extend([10, 0x81, 0x01]);
        module.extend([0; 129]);
        module.extend([11, 1, 0]);
        let found = sizes(&module).unwrap();
        assert_eq!((found["other"], found["code"], found["data"]), (2, 129, 1));
        assert_eq!(sizes(&module[..20]), None);
    }

    #[test]
    fn this_very_program_has_code_and_constants() {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let found = sizes(&program).unwrap();
        assert!(found["text"] > 10_000 && found["rodata"] > 1000, "{found:?}");
        assert_eq!(sizes(&program[..100]), None);
        assert_eq!(sizes(b"something else"), None);
    }
}
