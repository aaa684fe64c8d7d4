//! A small program for an ESP32-S3, as a linker writes it: 32-bit ELF, with sections and no program headers.

/// A section: name, address, bytes.
pub type Section<'a> = (&'a str, u32, Vec<u8>);

/// The sections of a program with some bytes of constants, at the addresses of the linker script.
pub fn sections(constants: usize) -> Vec<Section<'static>> {
    let mut descriptor = vec![0; 256];
    descriptor[..4].copy_from_slice(&0xabcd_5432_u32.to_le_bytes());
    descriptor[180] = 16;
    let pattern = |length: usize, step: usize| (0..length).map(|i| (i * step % 251) as u8).collect();
    vec![
        (".vectors", 0x4037_8000, pattern(1000, 3)),
        (".data", 0x3fc9_0400, pattern(44, 5)),
        (".text", 0x4200_0020, pattern(3000, 7)),
        (".flash.appdesc", 0x3c10_0020, descriptor),
        (".rodata", 0x3c10_0120, pattern(constants, 11)),
    ]
}

/// The file.
pub fn elf(entry: u32, sections: &[Section]) -> Vec<u8> {
    let strings: Vec<u8> = sections.iter().flat_map(|(name, ..)| name.bytes().chain([0])).collect();
    let strings = [&[0], &strings[..], b".shstrtab\0"].concat();
    let name_of = |name: &str| {
        let quoted = [&[0], name.as_bytes(), &[0]].concat();
        strings.windows(quoted.len()).position(|window| window == quoted).map_or(0, |at| at as u32 + 1)
    };
    // After the header; the table of sections begins with an empty one.
    let (mut bytes, mut table) = (vec![0; 52], vec![0; 40]);
    let mut add = |name: &str, kind: u32, flags: u32, address: u32, content: &[u8]| {
        let (offset, length) = (bytes.len() as u32, content.len() as u32);
        let fields = [name_of(name), kind, flags, address, offset, length, 0, 0, 4, 0];
        table.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
        bytes.extend(content);
    };
    for (name, address, content) in sections {
        // Program bits, allocated.
        add(name, 1, 2, *address, content);
    }
    add(".shstrtab", 3, 0, 0, &strings);
    let (offset, count) = (bytes.len() as u32, table.len() as u32 / 40);
    bytes.extend(table);
    bytes[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', 1, 1, 1]);
    // Executable, Xtensa, version, entry, table of sections, sizes of this header and of a section's, sections, strings.
    let header =
        [(16, 2), (18, 94), (20, 1), (24, entry), (32, offset), (40, 52), (46, 40), (48, count), (50, count - 1)];
    for (at, value) in header {
        let width = if [20, 24, 32].contains(&at) { 4 } else { 2 };
        bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
    }
    bytes
}
