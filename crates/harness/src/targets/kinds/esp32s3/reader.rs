//! Reads an image for the ESP32-S3 and checks it, independently of the library that writes images.
//!
//! The layout is that of the ESP-IDF Programming Guide, "App Image Format" and "Partition Tables". Beyond what every
//! bootloader checks, the segments are checked against the chip: what is mapped keeps its offset in a page of 64 KB, and
//! no page of the address space serves both code and data.

use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::ops::Range;

/// First byte of an image.
const MAGIC: u8 = 0xe9;
/// Bytes of an image's header, and of a segment's.
const HEADER: usize = 24;
const SEGMENT_HEADER: usize = 8;
/// Most segments that the bootloader accepts.
const MOST_SEGMENTS: u8 = 16;
/// The chip in an image's header.
const ESP32S3: u16 = 9;
/// First word of an application descriptor.
const DESCRIPTOR: [u8; 4] = 0xabcd_5432_u32.to_le_bytes();
/// A page of mapped flash.
const PAGE: u32 = 0x1_0000;
/// Addresses of flash as data, and as code; both have one table of pages.
const DATA: Range<u32> = 0x3c00_0000..0x3e00_0000;
const CODE: Range<u32> = 0x4200_0000..0x4400_0000;
/// SRAM that is free while the bootloader runs, as data and as code.
const FREE: [Range<u32>; 2] = [0x3fc8_8000..0x3fcc_9000, 0x4037_8000..0x403b_9000];
/// Where the table of partitions is, its size, and the start of an entry.
const TABLE: Range<usize> = 0x8000..0x8c00;
const ENTRY: usize = 32;
const ENTRY_MAGIC: [u8; 2] = [0xaa, 0x50];

/// The chips by the number in an image's header, as `esp_chip_id_t` of ESP-IDF has them.
const CHIPS: [(u16, &str); 12] = [
    (0, "ESP32"),
    (2, "ESP32-S2"),
    (5, "ESP32-C3"),
    (9, "ESP32-S3"),
    (12, "ESP32-C2"),
    (13, "ESP32-C6"),
    (16, "ESP32-H2"),
    (18, "ESP32-P4"),
    (20, "ESP32-C61"),
    (23, "ESP32-C5"),
    (25, "ESP32-H21"),
    (28, "ESP32-H4"),
];

/// Why bytes are not an image that an ESP32-S3 starts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// They do not begin like an image.
    #[error("not an image for an Espressif chip: byte {at:#x} is {found:#04x}, not 0xe9")]
    Magic {
        /// Offset in the file.
        at: usize,
        /// The byte there.
        found: u8,
    },
    /// The image is for another chip.
    #[error("an image for another chip: {0}, not ESP32-S3")]
    Chip(String),
    /// The file ends in the middle of something.
    #[error("cut short: {what} ends at byte {needs}, the file has {has}")]
    Short {
        /// What is incomplete.
        what: &'static str,
        /// Bytes needed.
        needs: usize,
        /// Bytes there.
        has: usize,
    },
    /// The partition table has no application.
    #[error("the partition table at 0x8000 has no application: not a whole image of the flash")]
    NoApplication,
    /// The application is larger than its partition.
    #[error("the application is {by} bytes larger than its partition of {partition} bytes")]
    Partition {
        /// Bytes too many.
        by: usize,
        /// Size of the partition.
        partition: usize,
    },
    /// A field of the header or of a segment is wrong.
    #[error("{0}")]
    Field(String),
    /// The checksum of the segments.
    #[error("the checksum is {found:#04x}, but the segments give {computed:#04x}: the file is damaged")]
    Checksum {
        /// In the file.
        found: u8,
        /// Of the bytes.
        computed: u8,
    },
    /// The SHA-256 at the end.
    #[error("the SHA-256 at the end is not that of the image: the file is damaged")]
    Hash,
}

/// A part of an image that the bootloader loads or maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Its address on the chip.
    pub address: u32,
    /// Its offset in the image.
    pub offset: usize,
    /// Its bytes.
    pub bytes: &'a [u8],
}

impl Segment<'_> {
    /// The addresses that it occupies.
    pub fn addresses(&self) -> Range<u32> {
        // The parser checks that they do not wrap.
        self.address..self.address + self.bytes.len() as u32
    }
}

/// An application image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App<'a> {
    /// Where it starts.
    pub entry: u32,
    /// Its size in the file.
    pub length: usize,
    /// Its segments, without padding.
    pub segments: Vec<Segment<'a>>,
}

/// The application in an image of the whole flash: bootloader, partition table, application.
///
/// # Errors
/// See [`ImageError`].
pub fn read_flash(flash: &[u8]) -> Result<App<'_>, ImageError> {
    check_start(flash, 0)?;
    let table = part(flash, TABLE, "the partition table")?;
    let entries = table.chunks_exact(ENTRY).take_while(|entry| entry.starts_with(&ENTRY_MAGIC));
    let word = |entry: &[u8], at: usize| u32::from_le_bytes(std::array::from_fn(|i| entry[at + i])) as usize;
    // Type 0 is an application.
    let found = entries.filter(|entry| entry[2] == 0).map(|entry| (word(entry, 4), word(entry, 8))).next();
    let (offset, partition) = found.ok_or(ImageError::NoApplication)?;
    let bytes =
        flash.get(offset..).ok_or(ImageError::Short { what: "the partition", needs: offset, has: flash.len() })?;
    check_start(flash, offset)?;
    let app = read_app(bytes)?;
    match app.length.checked_sub(partition) {
        Some(by) if by > 0 => Err(ImageError::Partition { by, partition }),
        _ => Ok(app),
    }
}

/// Parses and checks an application image.
///
/// # Errors
/// See [`ImageError`].
pub fn read_app(image: &[u8]) -> Result<App<'_>, ImageError> {
    let header = check_start(image, 0)?;
    let count = header[1];
    if count == 0 || count > MOST_SEGMENTS {
        return Err(ImageError::Field(format!("{count} segments, but a bootloader accepts 1 to {MOST_SEGMENTS}")));
    }
    if header[23] != 1 {
        return Err(ImageError::Field("the header announces no SHA-256".into()));
    }
    let entry = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
    let (segments, end) = segments(image, count)?;
    check_segments(&segments, entry)?;

    // The last of 16 bytes is the checksum of all segments' bytes, padding included.
    let checked = end / 16 * 16 + 16;
    let hashed = part(image, checked..checked + 32, "the SHA-256")?;
    let computed = segments.iter().flat_map(|segment| segment.bytes).fold(0xef, |sum, byte| sum ^ byte);
    let found = image[checked - 1];
    if found != computed {
        return Err(ImageError::Checksum { found, computed });
    }
    if Sha256::digest(&image[..checked]).as_slice() != hashed {
        return Err(ImageError::Hash);
    }
    let segments = segments.into_iter().filter(|segment| segment.address != 0 && !segment.bytes.is_empty()).collect();
    Ok(App { entry, length: checked + 32, segments })
}

/// The header at an offset, if it is that of an image for this chip.
fn check_start(bytes: &[u8], at: usize) -> Result<&[u8], ImageError> {
    let header = part(bytes, at..at.saturating_add(HEADER), "the header")?;
    if header[0] != MAGIC {
        return Err(ImageError::Magic { at, found: header[0] });
    }
    match u16::from_le_bytes([header[12], header[13]]) {
        ESP32S3 => Ok(header),
        other => {
            let name = CHIPS.iter().find(|(id, _)| *id == other).map(|(_, name)| (*name).to_string());
            Err(ImageError::Chip(name.unwrap_or_else(|| format!("number {other}"))))
        }
    }
}

/// All segments, and the offset after the last.
fn segments(image: &[u8], count: u8) -> Result<(Vec<Segment<'_>>, usize), ImageError> {
    let (mut found, mut at) = (Vec::new(), HEADER);
    for number in 0..count {
        let header = part(image, at..at + SEGMENT_HEADER, "a segment's header")?;
        let word = |i: usize| u32::from_le_bytes([header[i], header[i + 1], header[i + 2], header[i + 3]]);
        let (address, length) = (word(0), word(4));
        let offset = at + SEGMENT_HEADER;
        if length % 4 != 0 || address.checked_add(length).is_none() {
            let what = format!("segment {number} has {length} bytes at {address:#x}, which cannot be loaded");
            return Err(ImageError::Field(what));
        }
        at = offset + length as usize;
        let bytes = part(image, offset..at, "a segment")?;
        found.push(Segment { address, offset, bytes });
    }
    Ok((found, at))
}

/// Checks that the chip can load or map every segment at its address, and that the program starts in one of code.
fn check_segments(segments: &[Segment], entry: u32) -> Result<(), ImageError> {
    let wrong = |what: String| Err(ImageError::Field(what));
    let within = |range: &Range<u32>, segment: &Segment| {
        range.contains(&segment.address) && segment.addresses().end <= range.end
    };
    let (mut data, mut code) = (Vec::new(), Vec::new());
    for segment in segments.iter().filter(|segment| segment.address != 0 && !segment.bytes.is_empty()) {
        let Segment { address, offset, bytes } = segment;
        let kind = match segment {
            segment if within(&DATA, segment) => &mut data,
            segment if within(&CODE, segment) => &mut code,
            segment if FREE.iter().any(|range| within(range, segment)) => continue,
            _ => {
                return wrong(format!("{} bytes at {address:#x} are outside of what is loaded or mapped", bytes.len()));
            }
        };
        if *offset as u64 % u64::from(PAGE) != u64::from(address % PAGE) {
            return wrong(format!(
                "the segment at {address:#x} is at {offset:#x} of the image: not the same place of a page"
            ));
        }
        kind.push(segment);
    }
    let ([data], [code]) = (&data[..], &code[..]) else {
        let (data, code) = (data.len(), code.len());
        return wrong(format!(
            "{data} segments of mapped data and {code} of code, but the bootloader maps one of each"
        ));
    };
    let pages = |segment: &Segment, base: &Range<u32>| -> BTreeSet<u32> {
        let addresses = segment.addresses();
        ((addresses.start - base.start) / PAGE..=(addresses.end - 1 - base.start) / PAGE).collect()
    };
    if let Some(page) = pages(data, &DATA).intersection(&pages(code, &CODE)).next() {
        return wrong(format!("page {page} of the mapped addresses serves code and data, but has one place in flash"));
    }
    if !code.addresses().contains(&entry) {
        return wrong(format!("it starts at {entry:#x}, outside of its code"));
    }
    match data.bytes.starts_with(&DESCRIPTOR) {
        true => Ok(()),
        false => wrong("the mapped data does not begin with an application descriptor".into()),
    }
}

fn part<'a>(bytes: &'a [u8], range: Range<usize>, what: &'static str) -> Result<&'a [u8], ImageError> {
    let (needs, has) = (range.end, bytes.len());
    bytes.get(range).ok_or(ImageError::Short { what, needs, has })
}
