//! Images for a board: made from a small program, read back, and damaged in every way.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/elf.rs"]
mod elf;

use bitstate_harness::targets::kinds::esp32s3::{FlashImage, ImageError, build_image, read_app, read_flash};
use elf::{elf, sections};

const ENTRY: u32 = 0x4200_0100;
/// Where the application is.
const APP: usize = 0x1_0000;

fn image(constants: usize) -> FlashImage {
    build_image(&elf(ENTRY, &sections(constants))).unwrap()
}

#[test]
fn an_image_has_every_byte_of_the_program_at_its_address() {
    let FlashImage { bytes, flash_mb } = image(200_000);
    assert_eq!(flash_mb, 4);
    let app = read_flash(&bytes).unwrap();
    assert_eq!(app.entry, ENTRY);
    assert_eq!(bytes.len(), APP + app.length);
    for (name, address, content) in sections(200_000) {
        let mut found = app.segments.iter().flat_map(|segment| {
            let start = address.checked_sub(segment.address).map(|start| start as usize);
            start.and_then(|start| segment.bytes.get(start..start + content.len()))
        });
        let found = found.next().unwrap_or_else(|| panic!("{name} is missing"));
        // The descriptor gets the digest of the ELF file.
        let same = if name == ".flash.appdesc" { 144 } else { content.len() };
        assert_eq!(found[..same], content[..same], "{name}");
    }
}

#[test]
fn the_smallest_flash_that_holds_an_image_is_taken() {
    for (constants, flash_mb) in [(3 << 20, 4), (5 << 20, 8), (12 << 20, 16)] {
        assert_eq!(image(constants).flash_mb, flash_mb);
    }
    let error = build_image(&elf(ENTRY, &sections(16 << 20))).unwrap_err();
    let by = error
        .strip_prefix("the image is ")
        .and_then(|rest| rest.strip_suffix(" bytes larger than the 16384000 bytes of 16 MB of flash"));
    assert!(by.is_some_and(|by| by.parse::<u32>().is_ok_and(|by| by > 393_216)), "{error}");
    assert!(build_image(b"no program").is_err());
}

/// The error for the application of an image, changed.
fn refusal(change: impl FnOnce(&mut Vec<u8>)) -> ImageError {
    let mut app = image(1000).bytes.split_off(APP);
    assert!(read_app(&app).is_ok());
    change(&mut app);
    read_app(&app).unwrap_err()
}

/// The same, with checksum and digest made right again.
fn refusal_of(change: impl FnOnce(&mut Vec<u8>)) -> String {
    let error = refusal(|app| {
        change(app);
        let hash = app.len() - 32;
        let digest = <sha2::Sha256 as sha2::Digest>::digest(&app[..hash]);
        app[hash..].copy_from_slice(&digest);
    });
    error.to_string()
}

#[test]
fn damage_is_named() {
    assert!(matches!(refusal(|app| app[0x1000] ^= 1), ImageError::Checksum { .. }));
    assert_eq!(refusal(|app| *app.last_mut().unwrap() ^= 1), ImageError::Hash);
    assert!(matches!(refusal(|app| app.truncate(2000)), ImageError::Short { what: "a segment", has: 2000, .. }));
    assert!(matches!(refusal(|app| app.truncate(9)), ImageError::Short { what: "the header", needs: 24, has: 9 }));
    let length = image(1000).bytes.len() - APP;
    assert!(matches!(refusal(|app| app.truncate(length - 1)), ImageError::Short { what: "the SHA-256", .. }));
    assert_eq!(refusal(|app| app[0] = 0x7f), ImageError::Magic { at: 0, found: 0x7f });
}

#[test]
fn what_the_chip_cannot_start_is_refused() {
    assert_eq!(refusal_of(|app| app[12] = 5), "an image for another chip: ESP32-C3, not ESP32-S3");
    assert_eq!(refusal_of(|app| app[12] = 99), "an image for another chip: number 99, not ESP32-S3");
    assert_eq!(refusal_of(|app| app[1] = 17), "17 segments, but a bootloader accepts 1 to 16");
    assert_eq!(refusal_of(|app| app[23] = 0), "the header announces no SHA-256");
    assert_eq!(refusal_of(|app| app[4..8].fill(0)), "it starts at 0x0, outside of its code");
    let moved = refusal_of(|app| app[24] = 0x40);
    assert!(moved.starts_with("the segment at 0x3c100040 is at 0x20 of the image"), "{moved}");
    let outside = refusal_of(|app| app[24..28].copy_from_slice(&0x3fcd_0000_u32.to_le_bytes()));
    assert!(outside.ends_with("bytes at 0x3fcd0000 are outside of what is loaded or mapped"), "{outside}");
}

/// What the parser says of an image of a program with other addresses.
fn placed(at: &[(&str, u32)]) -> String {
    let mut sections = sections(1000);
    for (name, address) in at {
        sections.iter_mut().find(|section| section.0 == *name).unwrap().1 = *address;
    }
    build_image(&elf(ENTRY, &sections)).unwrap().app().unwrap_err().to_string()
}

#[test]
fn a_page_of_the_address_space_has_one_place_in_flash() {
    let shared = placed(&[(".flash.appdesc", 0x3c00_0020), (".rodata", 0x3c00_0120)]);
    assert_eq!(shared, "page 0 of the mapped addresses serves code and data, but has one place in flash");
    let gap = placed(&[(".rodata", 0x3c10_0200)]);
    assert_eq!(gap, "2 segments of mapped data and 1 of code, but the bootloader maps one of each");
}

#[test]
fn an_image_of_the_flash_has_bootloader_table_and_application() {
    let flash = image(1000).bytes;
    let changed = |at: usize, to: u8| {
        let mut flash = flash.clone();
        flash[at] = to;
        read_flash(&flash).unwrap_err()
    };
    assert_eq!(changed(0, 0xff), ImageError::Magic { at: 0, found: 0xff });
    assert_eq!(changed(12, 0), ImageError::Chip("ESP32".into()));
    assert_eq!(changed(0x8000, 0xff), ImageError::NoApplication);
    assert_eq!(changed(APP, 0xff), ImageError::Magic { at: APP, found: 0xff });
    assert!(matches!(read_flash(&flash[..0x9000]), Err(ImageError::Short { .. })));
    assert!(matches!(read_flash(&flash[..100]), Err(ImageError::Short { .. })));
    // An application alone is an image, but not of a flash.
    assert!(read_flash(&flash[APP..]).is_err());
}

#[test]
fn no_bytes_make_the_parser_panic() {
    let app = image(1000).bytes.split_off(APP);
    for length in (0..app.len()).step_by(61) {
        assert!(read_app(&app[..length]).is_err());
    }
    // Headers of file and segments, each byte in several ways; what is read must be refused or whole.
    for at in (0..64).chain(0x500..0x560) {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut app = app.clone();
            app[at] = value;
            let _ = read_app(&app);
        }
    }
    assert!(read_flash(&[]).is_err() && read_app(&[0xe9; 4096]).is_err());
}

#[test]
fn the_descriptor_has_the_version_of_the_firmware() {
    let start = include_str!("../../runners/esp32s3/start.S");
    let version = format!(".ascii  \"{}\" ", env!("CARGO_PKG_VERSION"));
    assert!(start.contains(version.trim_end()), "start.S does not have {version}");
}
