//! The labels below an axis: as many as fit without overlapping, all inside the picture.

use super::axis::Axis;
use super::look::text_width;

/// A labelled value of a horizontal axis. Lengths are in pixels of the result.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Label {
    pub text: String,
    /// Position of the value.
    pub at: i32,
    /// Left and right end of the text.
    pub ends: (i32, i32),
}

/// Position of a value between the ends of an axis.
pub(super) fn x(axis: &Axis, (left, right): (i32, i32), value: f64) -> i32 {
    left + (axis.place(value) * f64::from(right - left)).round() as i32
}

/// The labels of an axis that has these ends in a picture of this width.
pub(super) fn below(axis: &Axis, ends: (i32, i32), width: i32, font: i32) -> Vec<Label> {
    // Labels are about five letters wide, with as much between them.
    let most = ((ends.1 - ends.0) / (font * 4)).max(2) as usize;
    let place = |ticks: &[f64]| -> Vec<Label> {
        let place = |&tick: &f64| {
            let (text, at) = (axis.label(tick), x(axis, ends, tick));
            let wide = text_width(&text, font);
            // Centred on its value, but not beyond the picture.
            let left = (at - wide / 2).min(width - font / 4 - wide).max(font / 4);
            Label { text, at, ends: (left, left + wide) }
        };
        ticks.iter().map(place).collect()
    };
    let apart = |ticks: &[f64]| place(ticks).windows(2).all(|two| two[0].ends.1 + font / 2 <= two[1].ends.0);
    place(&axis.ticks(most, apart))
}

#[cfg(test)]
mod tests {
    use super::{Label, below};
    use crate::report::charts::axis::Axis;

    /// Pictures: width, ends of the axis, size of the font. A page, a page with long names, a phone, a picture.
    const LOOKS: [(i32, (i32, i32), i32); 4] =
        [(860, (180, 720), 15), (860, (430, 720), 15), (460, (140, 360), 13), (1720, (360, 1690), 30)];
    const RANGES: [(f64, f64); 7] =
        [(0.01, 1.0), (0.5, 2.0), (1.0, 1.0), (0.001, 1000.0), (0.98, 1.013), (0.2, 1.1), (1e-9, 1e9)];

    fn labels(values: (f64, f64), reference: Option<f64>, look: (i32, (i32, i32), i32)) -> Vec<Label> {
        let axis = Axis::over([values.0, values.1].into_iter(), true, reference);
        below(&axis, look.1, look.0, look.2)
    }

    #[test]
    fn labels_of_ratios_never_overlap_stay_inside_and_leave_no_half_of_the_axis_bare() {
        for range in RANGES {
            for look in LOOKS {
                let (width, (left, right), font) = look;
                let labels = labels(range, Some(1.0), look);
                let of = format!("{range:?} in {look:?}: {labels:?}");
                assert!(labels.len() >= 2, "{of}");
                assert!(labels.iter().all(|label| label.ends.0 >= 0 && label.ends.1 <= width), "{of}");
                assert!(labels.windows(2).all(|two| two[0].ends.1 + font / 2 <= two[1].ends.0), "{of}");
                assert!((1..labels.len()).all(|i| labels[i - 1].text != labels[i].text), "{of}");
                let mut at: Vec<i32> = labels.iter().map(|label| label.at).collect();
                at.insert(0, left);
                at.push(right);
                assert!(at.windows(2).all(|two| two[1] - two[0] <= (right - left) / 2), "{of}");
                let reference = labels.iter().any(|label| ["0 %", "× 1"].contains(&label.text.as_str()));
                assert!(reference, "no difference is labelled: {of}");
            }
        }
    }

    #[test]
    fn labels_of_other_axes_never_overlap_either() {
        for range in [(1e-6, 3e9), (28.0, 31.0), (950.0, 12_000_000.0), (7.0, 7.0)] {
            for look in LOOKS {
                let labels = labels(range, None, look);
                let of = format!("{range:?} in {look:?}: {labels:?}");
                assert!(!labels.is_empty() && labels.iter().all(|l| l.ends.0 >= 0 && l.ends.1 <= look.0), "{of}");
                assert!(labels.windows(2).all(|two| two[0].ends.1 < two[1].ends.0), "{of}");
            }
        }
    }

    #[test]
    fn near_ratios_are_percentages_and_far_ones_factors() {
        let texts =
            |range| -> Vec<String> { labels(range, Some(1.0), LOOKS[0]).into_iter().map(|label| label.text).collect() };
        assert_eq!(texts((0.985, 1.01)), ["-1.5 %", "-1 %", "-0.5 %", "0 %", "+0.5 %", "+1 %"]);
        assert_eq!(texts((0.01, 1.0)), ["× 0.01", "× 0.02", "× 0.05", "× 0.1", "× 0.2", "× 0.5", "× 1"]);
        assert_eq!(texts((0.001, 1000.0))[..3], ["× 0.001", "× 0.01", "× 0.1"]);
    }
}
