//! The loss of a run over its tokens, as `loss.svg` and `loss.png` beside its log.

use crate::error::Error;
use crate::file::{LOG_LIMIT, read, write_atomically};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Once;

/// Width and height in pixels; a PNG has twice as many, for high-density screens.
const SIZE: (u32, u32) = (860, 480);
/// Points of the training curve: each is the mean of an equal number of lines of the log.
const POINTS: usize = 300;
// From the Okabe–Ito palette, which colour-blind readers can distinguish.
const TRAINING: RGBColor = RGBColor(0x56, 0xb4, 0xe9);
const HELD_OUT: RGBColor = RGBColor(0xd5, 0x5e, 0x00);

/// Tokens seen, and nats per token.
type Curve = Vec<(f64, f64)>;

/// Draws the log at `path`; nothing if it contains no loss yet.
///
/// # Errors
/// If the log cannot be read or a chart cannot be written.
pub fn draw(path: &Path) -> Result<(), Error> {
    let text = read(path, LOG_LIMIT)?;
    let text = String::from_utf8_lossy(&text);
    let (training, held_out) = (thinned(&curve(&text, "step")), curve(&text, "validated"));
    if training.is_empty() && held_out.is_empty() {
        return Ok(());
    }
    let chart = Chart { training, held_out };
    let failed = |error: String| Error::content(path, format_args!("its chart cannot be drawn: {error}"));
    let (svg, png) = (chart.svg().map_err(failed)?, chart.png().map_err(failed)?);
    write_atomically(&path.with_file_name("loss.svg"), |file| file.write_all(svg.as_bytes()))?;
    write_atomically(&path.with_file_name("loss.png"), |file| file.write_all(&png))
}

/// The cross entropies of the events of one kind. A run that was killed and resumed logs steps twice: the later line
/// counts. A truncated line is skipped.
fn curve(log: &str, event: &str) -> Curve {
    let mut steps = BTreeMap::new();
    for line in log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let number = |name: &str| line[name].as_f64().filter(|value| value.is_finite());
        if let (true, Some(step), Some(tokens), Some(loss)) =
            (line["event"] == event, line["step"].as_u64(), number("tokens"), number("cross_entropy"))
        {
            // Later steps were logged before the run was resumed.
            steps.split_off(&step);
            steps.insert(step, (tokens, loss));
        }
    }
    steps.into_values().collect()
}

/// At most [`POINTS`] points: means of equally many values.
fn thinned(curve: &Curve) -> Curve {
    let run = curve.len().div_ceil(POINTS).max(1);
    let mean = |of: &[(f64, f64)]| {
        let sum = of.iter().fold((0.0, 0.0), |sum, at| (sum.0 + at.0, sum.1 + at.1));
        (sum.0 / of.len() as f64, sum.1 / of.len() as f64)
    };
    curve.chunks(run).map(mean).collect()
}

struct Chart {
    training: Curve,
    held_out: Curve,
}

impl Chart {
    fn svg(&self) -> Result<String, String> {
        let mut text = String::new();
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        self.on(&area, 1)?;
        area.present().map_err(|error| error.to_string())?;
        drop(area);
        Ok(text)
    }

    fn png(&self) -> Result<Vec<u8>, String> {
        let (width, height) = (SIZE.0 * 2, SIZE.1 * 2);
        let mut pixels = vec![255; (width * height * 3) as usize];
        let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
        self.on(&area, 2)?;
        area.present().map_err(|error| error.to_string())?;
        drop(area);
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&pixels));
        written.map_err(|error| error.to_string())?;
        Ok(out)
    }

    fn on<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, scale: u32) -> Result<(), String> {
        fonts();
        self.plot(area, scale).map_err(|error| error.to_string())
    }

    fn plot<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        scale: u32,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let font = |size: u32| ("sans-serif", size * scale).into_font();
        area.fill(&WHITE)?;
        let all = || self.training.iter().chain(&self.held_out);
        let right = all().fold(1.0, |right: f64, at| right.max(at.0));
        let (low, high) =
            all().fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), at| (low.min(at.1), high.max(at.1)));
        let room = ((high - low) * 0.05).max(0.01);
        let mut chart = ChartBuilder::on(area)
            .margin(12 * scale)
            .caption("Loss", font(20))
            .x_label_area_size(44 * scale)
            .y_label_area_size(60 * scale)
            .build_cartesian_2d(0.0..right, (low - room).max(0.0)..high + room)?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .bold_line_style(RGBColor(0xdd, 0xdd, 0xdd).stroke_width(scale))
            .label_style(font(13))
            .axis_desc_style(font(14))
            .x_desc("tokens seen")
            .y_desc("cross entropy, nats per token")
            .x_label_formatter(&|tokens| amount(*tokens))
            .y_label_formatter(&|nats| format!("{nats:.2}"))
            .draw()?;
        for (name, curve, colour) in
            [("training", &self.training, TRAINING), ("held-out text", &self.held_out, HELD_OUT)]
        {
            let line = PathElement::new(curve.clone(), colour.stroke_width(2 * scale));
            chart.draw_series([line])?.label(name).legend(move |(x, y)| {
                PathElement::new(vec![(x, y), (x + 18 * scale as i32, y)], colour.stroke_width(2 * scale))
            });
        }
        chart.draw_series(self.held_out.iter().map(|&at| Circle::new(at, 3 * scale, HELD_OUT.filled())))?;
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .legend_area_size(24 * scale)
            .label_font(font(14))
            .background_style(WHITE)
            .draw()?;
        Ok(())
    }
}

/// The font is part of the program, so a chart is the same on a machine without fonts.
pub fn fonts() {
    static FONT: Once = Once::new();
    FONT.call_once(|| {
        let _ = register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular());
    });
}

/// A number of tokens as text.
fn amount(tokens: f64) -> String {
    match tokens {
        0.0 => "0".into(),
        t if t >= 1e6 => format!("{} M", (t / 1e5).round() / 10.0),
        t if t >= 1e3 => format!("{} k", (t / 1e2).round() / 10.0),
        t => format!("{t:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{amount, curve, thinned};

    #[test]
    fn a_resumed_run_is_drawn_once_and_a_cut_line_not_at_all() {
        let line = |step: u64, loss: f64| {
            format!("{{\"event\":\"step\",\"step\":{step},\"tokens\":{},\"cross_entropy\":{loss}}}\n", step * 10)
        };
        let mut log: String = [line(1, 5.0), line(2, 4.0), line(3, 3.0), line(2, 4.5)].concat();
        log += "{\"event\":\"validated\",\"step\":2,\"tokens\":20,\"cross_entropy\":4.2}\n{\"event\":\"st";
        assert_eq!(curve(&log, "step"), [(10.0, 5.0), (20.0, 4.5)]);
        assert_eq!(curve(&log, "validated"), [(20.0, 4.2)]);
    }

    #[test]
    fn many_points_become_means() {
        let curve: Vec<(f64, f64)> = (0..600).map(|i| (f64::from(i), f64::from(i % 2))).collect();
        let thin = thinned(&curve);
        assert_eq!((thin.len(), thin[0], thin[299]), (300, (0.5, 0.5), (598.5, 0.5)));
        assert_eq!(thinned(&curve[..10].to_vec()), curve[..10]);
        assert_eq!([0.0, 950.0, 1500.0, 2.25e6].map(amount), ["0", "950", "1.5 k", "2.3 M"]);
    }
}
