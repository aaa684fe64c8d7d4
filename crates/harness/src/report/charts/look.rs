//! The properties that all drawings share: width, text and header.

use super::chart::Chart;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Width and background of a drawing.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    pub(super) width: u32,
    /// White and with a title, for a file of its own; otherwise transparent, for a page that has its own.
    pub(super) alone: bool,
    pub(super) font: i32,
}

/// A file of its own.
pub const PAGE: Look = Look { width: 860, alone: true, font: 15 };
/// A part of an HTML page, narrow enough for a phone.
pub const INLINE: Look = Look { width: 460, alone: false, font: 13 };
pub(super) const GRID: RGBColor = RGBColor(0x99, 0x99, 0x99);
pub(super) const TEXT: RGBColor = RGBColor(0x1a, 0x1a, 0x1a);

/// The title and the subtitle of a chart that stands alone, on white.
pub(super) fn header<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    chart: &Chart,
    font: i32,
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    area.fill(&WHITE)?;
    let title = ("sans-serif", font * 5 / 4, FontStyle::Bold).into_font().color(&TEXT);
    area.draw(&Text::new(chart.title.clone(), (font / 2, font / 2), title))?;
    let subtitle = ("sans-serif", font).into_font().color(&TEXT).pos(Pos::new(HPos::Left, VPos::Top));
    area.draw(&Text::new(chart.subtitle.clone(), (font / 2, font * 9 / 4), subtitle))
}

/// Width of a text in the font.
pub(super) fn text_width(text: &str, size: i32) -> i32 {
    let font = ("sans-serif", size).into_font();
    font.box_size(text).map_or(size * text.len() as i32 * 3 / 5, |(width, _)| width as i32)
}

/// The text, shortened to the available width; the tables have all of it.
pub(super) fn shortened(text: &str, size: i32, room: i32) -> String {
    if text_width(text, size) <= room {
        return text.to_string();
    }
    let mut short = text.to_string();
    while short.pop().is_some() && text_width(&format!("{short}…"), size) > room {}
    format!("{}…", short.trim_end())
}
