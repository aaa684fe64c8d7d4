//! Makes the image of a board's flash from a linked program.

use super::reader::{App, ImageError, read_flash};
use espflash::flasher::{FlashData, FlashFrequency, FlashMode, FlashSettings, FlashSize};
use espflash::image_format::idf::IdfBootloaderFormat;
use espflash::target::{Chip, XtalFrequency};

/// Sizes of flash that boards have, the smallest first.
const SIZES: [(u32, FlashSize); 3] = [(4, FlashSize::_4Mb), (8, FlashSize::_8Mb), (16, FlashSize::_16Mb)];
/// Unwritten flash.
const ERASED: u8 = 0xff;

/// The flash of a board, from its first byte: bootloader, partition table, application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlashImage {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The flash that it needs, in MB.
    pub flash_mb: u32,
}

impl FlashImage {
    /// The application in it, checked.
    ///
    /// # Errors
    /// See [`ImageError`].
    pub fn app(&self) -> Result<App<'_>, ImageError> {
        read_flash(&self.bytes)
    }
}

/// The image for the smallest flash that holds it. Bootloader and partition table are those that espflash carries.
///
/// # Errors
/// The message, if no flash is large enough or the program is not one for this chip.
pub fn build_image(elf: &[u8]) -> Result<FlashImage, String> {
    let mut refused = String::new();
    for (flash_mb, size) in SIZES {
        let settings = FlashSettings::new(Some(FlashMode::Dio), Some(size), Some(FlashFrequency::_80Mhz));
        let flash = FlashData::new(settings, 0, None, Chip::Esp32s3, XtalFrequency::_40Mhz);
        match IdfBootloaderFormat::new(elf, &flash, None, None, None, None) {
            Ok(format) => return Ok(FlashImage { bytes: merge(format), flash_mb }),
            Err(espflash::Error::ElfTooBig(image, partition)) => {
                let by = image.saturating_sub(partition);
                refused =
                    format!("the image is {by} bytes larger than the {partition} bytes of {flash_mb} MB of flash");
            }
            Err(error) => return Err(format!("espflash cannot make an image: {error}")),
        }
    }
    Err(refused)
}

/// The parts at their offsets, with what is between them as erased flash has it.
fn merge(format: IdfBootloaderFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in format.flash_segments() {
        let (start, data) = (part.addr as usize, part.data());
        if bytes.len() < start + data.len() {
            bytes.resize(start + data.len(), ERASED);
        }
        bytes[start..start + data.len()].copy_from_slice(data);
    }
    bytes
}
