//! A picture of the ternary weights.

use anyhow::{Context, Result};
use bitstate::bits::Matrix;

/// Pixels between two matrices.
const GAP: usize = 8;
/// Colours of 0, +1 and -1, in the file's order, and of the gaps: red, green, blue.
const PALETTE: [u8; 12] = [250, 250, 250, 200, 70, 30, 30, 80, 160, 128, 128, 128];
const BETWEEN: u8 = 3;
const PER_BYTE: usize = 4;

/// A PNG: one row of matrices per layer, one pixel per weight.
pub fn png(layers: &[Vec<Matrix<'_>>]) -> Result<Vec<u8>> {
    let wide = |row: &Vec<Matrix<'_>>| row.iter().map(|matrix| matrix.cols + GAP).sum::<usize>() + GAP;
    let high = |row: &Vec<Matrix<'_>>| row.iter().map(|matrix| matrix.rows).max().unwrap_or(0) + GAP;
    let width = layers.iter().map(wide).max().unwrap_or(GAP);
    let height = layers.iter().map(high).sum::<usize>() + GAP;
    let stride = width.div_ceil(PER_BYTE);
    let mut pixels = vec![BETWEEN * 0b0101_0101; stride * height];
    let mut top = GAP;
    for row in layers {
        let mut left = GAP;
        for matrix in row {
            for (y, x) in (0..matrix.rows).flat_map(|y| (0..matrix.cols).map(move |x| (y, x))) {
                let colour = match matrix.get(y, x) {
                    0 => 0,
                    1 => 1,
                    _ => 2,
                };
                let (byte, shift) = ((top + y) * stride + (left + x) / PER_BYTE, 6 - 2 * ((left + x) % PER_BYTE));
                pixels[byte] = pixels[byte] & !(3 << shift) | colour << shift;
            }
            left += matrix.cols + GAP;
        }
        top += high(row);
    }
    let mut png = Vec::new();
    let size = |pixels: usize| u32::try_from(pixels).context("the picture is too large for a PNG");
    let mut encoder = png::Encoder::new(&mut png, size(width)?, size(height)?);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Two);
    encoder.set_palette(&PALETTE[..]);
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(png)
}
