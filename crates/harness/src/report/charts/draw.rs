//! Drawing, with one layout for pages, pictures and phones.
//!
//! The font is part of the program, so a picture is the same on a machine without fonts.

use super::axis::Axis;
use super::chart::{Chart, Mark};
use super::draw_trend::TrendLayout;
use super::labels::{self, Label, below};
use super::look::{GRID, Look, TEXT, header, shortened, text_width};
use super::smaller::smaller;
use crate::workspace::error::Error;
use plotters::backend::{BitMapBackend, SVGBackend};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::sync::Once;

/// PNG pixels per pixel of the drawing, for high-density screens.
const PNG_SCALE: u32 = 2;

/// The chart as SVG.
///
/// # Errors
/// If plotters cannot draw it.
pub fn svg(chart: &Chart, look: Look) -> Result<String, Error> {
    let layout = AnyLayout::of(chart, look, 1);
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, layout.size()).into_drawing_area();
        layout.draw(&area).map_err(|error| draw_error(chart, &error))?;
        area.present().map_err(|error| draw_error(chart, &error))?;
    }
    let title = chart.title.replace('&', "&amp;").replace('<', "&lt;");
    let root = format!("<svg role=\"img\" aria-label=\"{title}\" font-family=\"sans-serif\" ");
    Ok(smaller(&text).replacen("<svg ", &root, 1))
}

/// The chart as PNG.
///
/// # Errors
/// If plotters cannot draw it or the picture cannot be encoded.
pub fn png(chart: &Chart, look: Look) -> Result<Vec<u8>, Error> {
    let layout = AnyLayout::of(chart, look, PNG_SCALE);
    let (width, height) = layout.size();
    let mut pixels = vec![255; (width * height * 3) as usize];
    {
        let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
        layout.draw(&area).map_err(|error| draw_error(chart, &error))?;
        area.present().map_err(|error| draw_error(chart, &error))?;
    }
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&pixels));
    written.map_err(|error| draw_error(chart, &error))?;
    Ok(out)
}

fn draw_error(chart: &Chart, error: &dyn std::fmt::Display) -> Error {
    Error::Draw { what: format!("chart {}", chart.name), message: error.to_string() }
}

/// The layout of a chart: rows, or runs from left to right.
enum AnyLayout<'a> {
    Rows(Layout<'a>),
    Trend(TrendLayout<'a>),
}

impl<'a> AnyLayout<'a> {
    fn of(chart: &'a Chart, look: Look, scale: u32) -> Self {
        static FONT: Once = Once::new();
        FONT.call_once(|| {
            // The font is part of the program; an unreadable one would show in every chart.
            let _ = register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular());
            let _ = register_font("sans-serif", FontStyle::Bold, dejavu::sans::bold());
        });
        match &chart.trend {
            Some(trend) => AnyLayout::Trend(TrendLayout::of(chart, trend, look, scale as i32)),
            None => AnyLayout::Rows(Layout::of(chart, look, scale)),
        }
    }

    fn size(&self) -> (u32, u32) {
        match self {
            AnyLayout::Rows(layout) => layout.size(),
            AnyLayout::Trend(layout) => layout.size(),
        }
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        match self {
            AnyLayout::Rows(layout) => layout.draw(area),
            AnyLayout::Trend(layout) => layout.draw(area),
        }
    }
}

/// A chart with all positions computed. Lengths are in pixels of the result.
struct Layout<'a> {
    chart: &'a Chart,
    look: Look,
    scale: i32,
    /// Left and right end of the axis.
    plot: (i32, i32),
    row: i32,
    top: i32,
    /// The entries of the legend: text, left end and line.
    legend: Vec<(&'static str, i32, i32)>,
    /// The colours in the legend, one per target in the chart.
    colours: Vec<(u8, u8, u8)>,
}

impl<'a> Layout<'a> {
    fn of(chart: &'a Chart, look: Look, scale: u32) -> Self {
        let scale = scale as i32;
        let font = look.font * scale;
        let marks = || chart.panels.iter().flat_map(|panel| &panel.rows);
        let widest =
            |texts: &mut dyn Iterator<Item = &str>| texts.map(|text| text_width(text, font)).max().unwrap_or(0);
        let labels = widest(&mut marks().map(|mark| mark.label.as_str()));
        let values = widest(&mut marks().filter(|mark| mark.value.is_some()).map(|mark| mark.text.as_str()));
        let width = look.width as i32 * scale;
        let gap = font / 2;
        let head = if look.alone { font * 4 } else { 0 };
        let mut colours = Vec::new();
        for mark in marks() {
            if !colours.contains(&mark.colour) {
                colours.push(mark.colour);
            }
        }
        let mut layout = Layout {
            chart,
            look,
            scale,
            plot: (labels + 2 * gap, width - values - 3 * gap),
            row: font * 8 / 5,
            top: head,
            legend: Vec::new(),
            colours,
        };
        let (mut x, mut line) = (gap, 0);
        for &text in &chart.legend {
            let entry = layout.swatches() + gap + text_width(text, font);
            if x > gap && x + entry > width - gap {
                (x, line) = (gap, line + 1);
            }
            layout.legend.push((text, x, head + layout.row * line));
            x += entry + 3 * gap;
        }
        layout.top += if chart.legend.is_empty() { 0 } else { layout.row * (line + 1) + gap };
        layout
    }

    /// Width of the colour samples of a legend entry.
    fn swatches(&self) -> i32 {
        self.font() * self.colours.len() as i32
    }

    fn font(&self) -> i32 {
        self.look.font * self.scale
    }

    /// Height of a panel: its title and its marks.
    fn panel_height(&self, rows: usize) -> i32 {
        self.row * (rows as i32 + 1) + self.row / 2
    }

    fn size(&self) -> (u32, u32) {
        let panels: i32 = self.chart.panels.iter().map(|panel| self.panel_height(panel.rows.len())).sum();
        let height = self.top + panels + 5 * self.row / 2;
        (self.look.width * self.scale as u32, height as u32)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let font = self.font();
        if self.look.alone {
            header(area, self.chart, font)?;
        }
        self.draw_legend(area)?;
        let marks = || self.chart.panels.iter().flat_map(|panel| &panel.rows);
        let values = marks().filter_map(|mark| mark.value).flat_map(|(low, middle, high)| [low, middle, high]);
        let values =
            values.chain(marks().filter_map(|mark| mark.ring)).chain(marks().flat_map(|mark| mark.dots.clone()));
        let axis = Axis::over(values, self.chart.logarithmic, self.chart.reference);
        let labels = below(&axis, self.plot, self.look.width as i32 * self.scale, font);
        let mut y = self.top;
        for panel in &self.chart.panels {
            let bold = ("sans-serif", font, FontStyle::Bold).into_font().color(&TEXT);
            area.draw(&Text::new(panel.title.clone(), (font / 2, y + self.row / 4), bold))?;
            let rows = y + self.row;
            for (i, mark) in panel.rows.iter().enumerate() {
                let top = rows + self.row * i as i32;
                if mark.value.is_some() {
                    self.grid(area, &axis, &labels, top)?;
                }
                self.mark(area, &axis, mark, top + self.row / 2)?;
            }
            y += self.panel_height(panel.rows.len());
        }
        let y = y - self.row / 4;
        for Label { text, ends, .. } in &labels {
            self.text(area, text, ((ends.0 + ends.1) / 2, y), HPos::Center, VPos::Top)?;
        }
        let centre = (self.plot.0 + self.plot.1) / 2;
        self.text(area, &self.chart.axis, (centre, y + self.row), HPos::Center, VPos::Top)
    }

    /// For each part, a sample in every target's colour and the part's name.
    fn draw_legend<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let (font, count) = (self.font(), self.chart.legend.len());
        for (part, &(text, x, y)) in self.legend.iter().enumerate() {
            for (i, &colour) in self.colours.iter().enumerate() {
                let left = x + font * i as i32;
                self.segment(area, (left, left + font), (y + font / 4, y + font * 5 / 4), shade(colour, part, count))?;
            }
            let at = (x + self.swatches() + font / 2, y + self.row / 2);
            self.text(area, text, at, HPos::Left, VPos::Center)?;
        }
        Ok(())
    }

    /// A part of a stacked bar, with a thin white line at its end.
    fn segment<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        (left, right): (i32, i32),
        (top, bottom): (i32, i32),
        colour: RGBColor,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        area.draw(&Rectangle::new([(left, top), (right, bottom)], colour.filled()))?;
        let line = ShapeStyle { color: WHITE.to_rgba(), filled: false, stroke_width: self.scale as u32 };
        area.draw(&PathElement::new([(right, top), (right, bottom)], line))
    }

    /// The grid behind one row; a row that holds text instead of a mark has none.
    fn grid<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        axis: &Axis,
        labels: &[Label],
        top: i32,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let style = ShapeStyle { color: GRID.mix(0.45), filled: false, stroke_width: self.scale as u32 };
        for &Label { at: x, .. } in labels {
            area.draw(&PathElement::new([(x, top), (x, top + self.row)], style))?;
        }
        if let Some(reference) = self.chart.reference {
            let x = self.x(axis, reference);
            let style = ShapeStyle { color: GRID.to_rgba(), filled: false, stroke_width: 2 * self.scale as u32 };
            area.draw(&PathElement::new([(x, top), (x, top + self.row)], style))?;
        }
        Ok(())
    }

    fn mark<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        axis: &Axis,
        mark: &Mark,
        y: i32,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let font = self.font();
        let colour = RGBColor(mark.colour.0, mark.colour.1, mark.colour.2);
        self.text(area, &mark.label, (self.plot.0 - font / 2, y), HPos::Right, VPos::Center)?;
        let Some((low, middle, high)) = mark.value else {
            let room = self.look.width as i32 * self.scale - self.plot.0 - font;
            let text = shortened(&mark.text, font, room);
            return self.text(area, &text, (self.plot.0 + font / 2, y), HPos::Left, VPos::Center);
        };
        let x = self.x(axis, middle);
        // The middle of letters without descenders is a little above that of their line.
        let text_y = y;
        let y = y - font / 6;
        if self.chart.logarithmic {
            for (i, &dot) in mark.dots.iter().enumerate() {
                // Alternating offsets, so that equal values are visible as several dots.
                let y = y + (i as i32 * 2 % 5 - 2) * self.row / 10;
                area.draw(&Circle::new((self.x(axis, dot), y), self.scale * 3 / 2, colour.mix(0.35).filled()))?;
            }
            let whisker = ShapeStyle { color: colour.mix(0.5), filled: true, stroke_width: (self.scale * 5) as u32 };
            area.draw(&PathElement::new([(self.x(axis, low), y), (self.x(axis, high), y)], whisker))?;
            // Among dots the interval matters, so the median must not hide it.
            let radius = if mark.dots.is_empty() { font * 2 / 5 } else { font / 5 };
            area.draw(&Circle::new((x, y), radius, colour.filled()))?;
            if let Some(ring) = mark.ring {
                let line = ShapeStyle { color: colour.to_rgba(), filled: false, stroke_width: (self.scale * 2) as u32 };
                area.draw(&Circle::new((self.x(axis, ring), y), font * 2 / 5, line))?;
            }
        } else if !mark.parts.is_empty() {
            let half = self.row * 3 / 10;
            let mut before = 0.0;
            for (i, part) in mark.parts.iter().enumerate() {
                let ends = (self.x(axis, before), self.x(axis, before + part));
                // A part less than a pixel wide is omitted; the table has it.
                if ends.1 > ends.0 {
                    self.segment(area, ends, (y - half, y + half), shade(mark.colour, i, mark.parts.len()))?;
                }
                before += part;
            }
        } else {
            let half = self.row * 3 / 10;
            area.draw(&Rectangle::new([(self.plot.0, y - half), (x, y + half)], colour.filled()))?;
        }
        self.text(area, &mark.text, (self.plot.1 + font, text_y), HPos::Left, VPos::Center)
    }

    fn text<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        text: &str,
        at: (i32, i32),
        horizontal: HPos,
        vertical: VPos,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let style = ("sans-serif", self.font()).into_font().color(&TEXT).pos(Pos::new(horizontal, vertical));
        area.draw(&Text::new(text.to_string(), at, style))
    }

    fn x(&self, axis: &Axis, value: f64) -> i32 {
        labels::x(axis, self.plot, value)
    }
}

/// A target's colour for one of its parts: from the full colour to nearly white, in visually even steps.
fn shade((r, g, b): (u8, u8, u8), part: usize, parts: usize) -> RGBColor {
    let strength = (1.0 - part as f64 / parts.max(1) as f64).powf(1.25);
    let mix = |channel: u8| (255.0 - (255.0 - f64::from(channel)) * strength).round() as u8;
    RGBColor(mix(r), mix(g), mix(b))
}
