//! Draws values over several runs: panels one above the other, runs from left to right.
//!
//! A colour identifies a target, so variants are distinguished by signs, with their names beside them.

use super::axis::Axis;
use super::chart::{Chart, Series, Trend, TrendPanel};
use super::look::{GRID, Look, TEXT, header, shortened, text_width};
use plotters::coord::Shift;
use plotters::element::Polygon;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// A chart with all positions computed. Lengths are in pixels of the result.
pub(super) struct TrendLayout<'a> {
    chart: &'a Chart,
    trend: &'a Trend,
    look: Look,
    scale: i32,
    /// Left and right end of the plots.
    plot: (i32, i32),
    row: i32,
    panels: Vec<Placed<'a>>,
    /// Top of the list of runs.
    bottom: i32,
}

/// A panel with its position.
struct Placed<'a> {
    panel: &'a TrendPanel,
    axis: Axis,
    title: i32,
    /// Left end and line of each series' name.
    names: Vec<(i32, i32)>,
    /// Upper and lower end of the plot.
    plot: (i32, i32),
}

impl<'a> TrendLayout<'a> {
    pub fn of(chart: &'a Chart, trend: &'a Trend, look: Look, scale: i32) -> Self {
        let font = look.font * scale;
        let (row, gap, width) = (font * 8 / 5, font / 2, look.width as i32 * scale);
        let mut layout = TrendLayout { chart, trend, look, scale, plot: (0, 0), row, panels: Vec::new(), bottom: 0 };
        let mut y = if look.alone { font * 4 } else { 0 };
        for panel in &trend.panels {
            let title = y;
            let (mut x, mut line, mut names) = (gap, y + row, Vec::new());
            for series in &panel.series {
                let entry = 2 * font + text_width(&series.label, font);
                if x > gap && x + entry > width - gap {
                    (x, line) = (gap, line + row);
                }
                names.push((x, line));
                x += entry + font;
            }
            let values = panel.series.iter().flat_map(|series| &series.points).flatten().map(|(value, _)| *value);
            let axis = Axis::over(values, true, trend.relative.then_some(1.0));
            let top = line + row + gap;
            let plot = (top, top + 4 * row);
            layout.panels.push(Placed { panel, axis, title, names, plot });
            y = plot.1 + 2 * row;
        }
        let ticks = layout.panels.iter().flat_map(|placed| layout.ticks(placed));
        let widest = ticks.map(|(text, _)| text_width(&text, font)).max().unwrap_or(0);
        layout.plot = (gap + widest + gap, width - font);
        layout.bottom = y;
        layout
    }

    pub fn size(&self) -> (u32, u32) {
        let lines = 1 + self.trend.runs.len() as i32 + i32::from(!self.trend.moves.is_empty());
        (self.look.width * self.scale as u32, (self.bottom + lines * self.row + self.row / 2) as u32)
    }

    /// Labels of a panel's axis, and their positions.
    fn ticks(&self, placed: &Placed) -> Vec<(String, i32)> {
        let apart = |ticks: &[f64]| ticks.windows(2).all(|two| y(placed, two[0]) - y(placed, two[1]) >= self.font());
        placed.axis.ticks(5, apart).into_iter().map(|tick| (placed.axis.label(tick), y(placed, tick))).collect()
    }

    /// Horizontal position of a run; series of a panel are side by side, so that equal values do not hide one another.
    fn x(&self, run: usize, series: usize, of: usize) -> i32 {
        let wide = f64::from(self.plot.1 - self.plot.0) / self.trend.runs.len() as f64;
        let step = f64::from(self.font()).min(wide / (of as f64 + 1.0));
        let aside = (series as f64 - (of as f64 - 1.0) / 2.0) * step;
        self.plot.0 + (wide * (run as f64 + 0.5) + aside).round() as i32
    }

    fn font(&self) -> i32 {
        self.look.font * self.scale
    }

    pub fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        if self.look.alone {
            header(area, self.chart, self.font())?;
        }
        for placed in &self.panels {
            self.draw_panel(area, placed)?;
        }
        self.draw_runs(area)
    }

    fn draw_panel<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, placed: &Placed) -> Drawn<B> {
        let (font, (top, bottom)) = (self.font(), placed.plot);
        let room = self.look.width as i32 * self.scale - font;
        let bold = ("sans-serif", font, FontStyle::Bold).into_font().color(&TEXT);
        let title = shortened(&placed.panel.title, font, room * 9 / 10);
        area.draw(&Text::new(title, (font / 2, placed.title + self.row / 4), bold))?;
        let line = |strength: f64, width: i32| ShapeStyle {
            color: GRID.mix(strength),
            filled: false,
            stroke_width: (self.scale * width) as u32,
        };
        for (text, y) in self.ticks(placed) {
            area.draw(&PathElement::new([(self.plot.0, y), (self.plot.1, y)], line(0.45, 1)))?;
            self.text(area, &text, (self.plot.0 - font / 2, y + font / 6), HPos::Right, VPos::Center)?;
        }
        for &run in &self.trend.moves {
            let x = (self.x(run - 1, 0, 1) + self.x(run, 0, 1)) / 2;
            area.draw(&PathElement::new([(x, top), (x, bottom)], line(1.0, 2)))?;
        }
        for run in 0..self.trend.runs.len() {
            let at = (self.x(run, 0, 1), bottom + self.row / 4);
            self.text(area, &(run + 1).to_string(), at, HPos::Center, VPos::Top)?;
        }
        for (i, (series, &(x, line))) in placed.panel.series.iter().zip(&placed.names).enumerate() {
            self.sign(area, placed.panel.colour, series.sign, (x + font / 2, line + self.row / 2 - font / 6))?;
            self.text(area, &series.label, (x + font * 3 / 2, line + self.row / 2), HPos::Left, VPos::Center)?;
            self.draw_series(area, placed, series, i)?;
        }
        Ok(())
    }

    fn draw_series<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        placed: &Placed,
        series: &Series,
        index: usize,
    ) -> Drawn<B> {
        let colour = placed.panel.colour;
        let style = ShapeStyle {
            color: RGBColor(colour.0, colour.1, colour.2).mix(0.6),
            filled: false,
            stroke_width: (2 * self.scale) as u32,
        };
        let mut last: Option<(i32, i32)> = None;
        for (run, point) in series.points.iter().enumerate() {
            let Some((value, connected)) = *point else { continue };
            let at = (self.x(run, index, placed.panel.series.len()), y(placed, value));
            if let Some(last) = last.filter(|_| connected) {
                area.draw(&PathElement::new([last, at], style))?;
            }
            self.sign(area, colour, series.sign, at)?;
            last = Some(at);
        }
        Ok(())
    }

    /// One of five signs of about the same visual weight.
    fn sign<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        (r, g, b): (u8, u8, u8),
        which: usize,
        (x, y): (i32, i32),
    ) -> Drawn<B> {
        let (colour, size) = (RGBColor(r, g, b), self.font() * 2 / 5);
        let polygon = |points: Vec<(i32, i32)>| Polygon::new(points, colour.filled());
        match which % 5 {
            0 => area.draw(&Circle::new((x, y), size, colour.filled())),
            1 => area.draw(&Rectangle::new([(x - size, y - size), (x + size, y + size)], colour.filled())),
            2 => area.draw(&polygon(vec![(x, y - size - 1), (x + size + 1, y + size), (x - size - 1, y + size)])),
            3 => {
                let size = size * 13 / 10;
                area.draw(&polygon(vec![(x, y - size), (x + size, y), (x, y + size), (x - size, y)]))
            }
            _ => {
                let line = ShapeStyle { color: colour.into(), filled: false, stroke_width: 3 * self.scale as u32 };
                area.draw(&PathElement::new([(x - size, y - size), (x + size, y + size)], line))?;
                area.draw(&PathElement::new([(x - size, y + size), (x + size, y - size)], line))
            }
        }
    }

    /// The list of runs by number.
    fn draw_runs<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let font = self.font();
        let room = self.look.width as i32 * self.scale - font;
        let mut lines = vec![format!("{}:", self.chart.axis)];
        lines.extend(self.trend.runs.iter().enumerate().map(|(i, run)| format!("{}  {run}", i + 1)));
        if !self.trend.moves.is_empty() {
            lines.push("Vertical grey line: another machine from here on".into());
        }
        for (i, line) in lines.iter().enumerate() {
            let at = (font / 2, self.bottom + self.row * i as i32);
            self.text(area, &shortened(line, font, room), at, HPos::Left, VPos::Top)?;
        }
        Ok(())
    }

    fn text<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        text: &str,
        at: (i32, i32),
        horizontal: HPos,
        vertical: VPos,
    ) -> Drawn<B> {
        let style = ("sans-serif", self.font()).into_font().color(&TEXT).pos(Pos::new(horizontal, vertical));
        area.draw(&Text::new(text.to_string(), at, style))
    }
}

/// Vertical position of a value in a panel.
fn y(placed: &Placed, value: f64) -> i32 {
    let (top, bottom) = placed.plot;
    bottom - (placed.axis.place(value) * f64::from(bottom - top)).round() as i32
}
