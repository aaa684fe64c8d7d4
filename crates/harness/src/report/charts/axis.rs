//! Positions on an axis, and its labels.

/// From this ratio of highest to lowest value on, labels are factors: even steps of a percentage would crowd on one
/// side.
const WIDE: f64 = 5.0;

/// An axis from `low` to `high`.
pub(super) struct Axis {
    low: f64,
    high: f64,
    logarithmic: bool,
    /// For ratios near this one: ticks lie in even steps from it.
    reference: Option<f64>,
}

impl Axis {
    /// An axis that contains all values: from zero, or between round powers of ten.
    pub fn over(values: impl Iterator<Item = f64>, logarithmic: bool, reference: Option<f64>) -> Self {
        let values: Vec<f64> = values.filter(|value| *value > 0.0 || !logarithmic).collect();
        let high = values.iter().copied().fold(0.0, f64::max);
        if !logarithmic {
            let high = if high > 0.0 { high * 1.02 } else { 1.0 };
            return Axis { low: 0.0, high, logarithmic, reference: None };
        }
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        if let Some(middle) = reference.filter(|_| low.is_finite()) {
            // At least a percent on both sides, so that noise does not fill the chart.
            let (low, high) = (low.min(middle * 0.99), high.max(middle * 1.01));
            let air = (high / low).powf(0.05);
            return Axis { low: low / air, high: high * air, logarithmic, reference };
        }
        if !low.is_finite() {
            return Axis { low: 1.0, high: 10.0, logarithmic, reference: None };
        }
        // A margin of a twentieth of a decade, so that no dot lies on the frame, rounded out to the next step of 1-2-5.
        Axis { low: step_down(low / 1.12), high: step_up(high * 1.12), logarithmic, reference: None }
    }

    /// Position of a value, from 0 to 1.
    pub fn place(&self, value: f64) -> f64 {
        let at = if self.logarithmic {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        at.clamp(0.0, 1.0)
    }

    /// Whether values are ratios, all near their reference.
    fn is_near(&self) -> bool {
        self.reference.is_some() && self.high / self.low <= WIDE
    }

    /// The values to label: the densest set of round ones, at most `most`, that `fits`.
    pub fn ticks(&self, most: usize, fits: impl Fn(&[f64]) -> bool) -> Vec<f64> {
        let sets = self.sets(most);
        let chosen = sets.iter().find(|ticks| (2..=most).contains(&ticks.len()) && fits(ticks));
        chosen.or_else(|| sets.iter().find(|ticks| !ticks.is_empty() && fits(ticks))).cloned().unwrap_or_default()
    }

    /// Sets of round values within the axis, each with fewer than the one before it.
    fn sets(&self, most: usize) -> Vec<Vec<f64>> {
        if let Some(middle) = self.reference.filter(|_| self.is_near()) {
            let even = |step: f64| {
                let first = ((self.low - middle) / step).ceil() as i32;
                let last = ((self.high - middle) / step).floor() as i32;
                (first..=last).map(|i| middle + f64::from(i) * step).collect()
            };
            return steps((self.high - self.low) / most as f64).map(even).collect();
        }
        if !self.logarithmic {
            let even = |step: f64| (0..).map(|i| i as f64 * step).take_while(|tick| *tick <= self.high).collect();
            return steps(self.high / most as f64).map(even).collect();
        }
        let decades = |steps: &[f64], every: i32| {
            let first = self.low.log10().floor() as i32;
            let last = self.high.log10().ceil() as i32;
            let of_decade = |decade: i32| steps.iter().map(move |step| step * 10f64.powi(decade)).collect::<Vec<_>>();
            let ticks = (first..=last).filter(|decade| decade % every == 0).flat_map(of_decade);
            ticks.filter(|tick| *tick >= self.low * 0.999 && *tick <= self.high * 1.001).collect::<Vec<f64>>()
        };
        let within = [decades(&[1.0, 2.0, 5.0], 1), decades(&[1.0, 3.0], 1)];
        within.into_iter().chain([1, 2, 3, 6, 12, 24].map(|every| decades(&[1.0], every))).collect()
    }

    /// The label of a value; for a ratio, its difference from the reference.
    pub fn label(&self, value: f64) -> String {
        match self.reference {
            Some(_) if self.is_near() => percent_text(value),
            Some(_) => format!("× {}", round_text(value)),
            None => tick_text(value),
        }
    }
}

/// The difference from 1 as a percentage.
fn percent_text(ratio: f64) -> String {
    let percent = (ratio - 1.0) * 100.0;
    if percent.abs() < 0.001 {
        return "0 %".into();
    }
    let text = format!("{percent:+.2}");
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A number with one significant digit.
fn round_text(value: f64) -> String {
    let decade = value.log10().floor() as i32;
    match decade {
        -4..0 => format!("{value:.*}", decade.unsigned_abs() as usize),
        0..5 => format!("{value:.0}"),
        _ => format!("{value:.0e}"),
    }
}

/// A number with a suffix for thousands.
fn tick_text(value: f64) -> String {
    let (scaled, letter) = match value {
        v if v >= 1e9 => (v / 1e9, " G"),
        v if v >= 1e6 => (v / 1e6, " M"),
        v if v >= 1e3 => (v / 1e3, " k"),
        v => (v, ""),
    };
    if scaled > 0.0 && scaled < 0.001 {
        return round_text(value);
    }
    let digits = if scaled >= 1.0 || scaled == 0.0 { 1 } else { 3 };
    let text = format!("{scaled:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{letter}")
}

/// Steps of 1-2-5, starting at the value or above.
fn steps(value: f64) -> impl Iterator<Item = f64> {
    let longer = |step: &f64| Some(step_up(step * 1.5));
    std::iter::successors(Some(step_up(value)), longer).take(8)
}

/// The largest of 1, 2, 5 times a power of ten that is at most the value.
fn step_down(value: f64) -> f64 {
    let decade = 10f64.powf(value.log10().floor());
    [5.0, 2.0, 1.0].into_iter().map(|step| step * decade).find(|step| *step <= value).unwrap_or(decade)
}

/// The smallest of 1, 2, 5 times a power of ten that is at least the value.
fn step_up(value: f64) -> f64 {
    let decade = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|step| step * decade).find(|step| *step >= value).unwrap_or(10.0 * decade)
}

#[cfg(test)]
mod tests {
    use super::Axis;

    #[test]
    fn a_logarithmic_axis_holds_its_values_in_order() {
        let axis = Axis::over([30.0, 4000.0, 250.0].into_iter(), true, None);
        let places: Vec<f64> = [30.0, 250.0, 4000.0].iter().map(|value| axis.place(*value)).collect();
        assert!(places[0] > 0.0 && places[0] < places[1] && places[1] < places[2] && places[2] < 1.0, "{places:?}");
        assert_eq!(axis.ticks(5, |_| true), [30.0, 100.0, 300.0, 1000.0, 3000.0]);
    }

    #[test]
    fn a_linear_axis_starts_at_zero() {
        let axis = Axis::over([30.0, 61.0].into_iter(), false, None);
        assert_eq!(axis.place(0.0), 0.0);
        assert_eq!(axis.ticks(4, |_| true), [0.0, 20.0, 40.0, 60.0]);
    }

    #[test]
    fn an_axis_around_a_reference_has_even_steps_from_it() {
        let axis = Axis::over([0.97, 1.06].into_iter(), true, Some(1.0));
        let percents: Vec<f64> = axis.ticks(5, |_| true).iter().map(|tick| ((tick - 1.0) * 100.0).round()).collect();
        assert_eq!(percents, [-2.0, 0.0, 2.0, 4.0, 6.0]);
        assert!(axis.place(0.97) > 0.0 && axis.place(1.06) < 1.0 && axis.place(1.0) > axis.place(0.98));
        let still = Axis::over([1.0].into_iter(), true, Some(1.0));
        assert!((still.place(1.0) - 0.5).abs() < 0.01 && still.ticks(5, |_| true).len() >= 3);
    }

    #[test]
    fn labels_that_do_not_fit_are_replaced_by_fewer() {
        let axis = Axis::over([0.5, 2.0].into_iter(), true, Some(1.0));
        let counts: Vec<usize> = (1..9).rev().map(|room| axis.ticks(20, |ticks| ticks.len() <= room).len()).collect();
        assert!(counts.windows(2).all(|two| two[0] >= two[1]) && counts.iter().all(|count| *count > 0), "{counts:?}");
        assert!(axis.ticks(5, |_| false).is_empty());
    }

    #[test]
    fn labels_say_their_value() {
        let near = Axis::over([0.99].into_iter(), true, Some(1.0));
        let values = [0.985, 0.99, 0.998, 1.0, 1.015, 1.2];
        assert_eq!(values.map(|value| near.label(value)), ["-1.5 %", "-1 %", "-0.2 %", "0 %", "+1.5 %", "+20 %"]);
        let far = Axis::over([0.01].into_iter(), true, Some(1.0));
        let values = [1e-6, 0.0001, 0.003, 0.3, 1.0, 30.0, 10_000.0, 1e6];
        let texts = ["× 1e-6", "× 0.0001", "× 0.003", "× 0.3", "× 1", "× 30", "× 10000", "× 1e6"];
        assert_eq!(values.map(|value| far.label(value)), texts);
        let plain = Axis::over([1.0].into_iter(), true, None);
        let values = [0.0, 1e-6, 0.05, 2.5, 3000.0, 1e10];
        assert_eq!(values.map(|value| plain.label(value)), ["0", "1e-6", "0.05", "2.5", "3 k", "10 G"]);
    }

    #[test]
    fn no_values_or_one_value_make_an_axis_too() {
        assert!(Axis::over(std::iter::empty(), true, None).ticks(5, |_| true).len() >= 2);
        let one = Axis::over([7.0].into_iter(), true, None);
        assert!(one.place(7.0) > 0.0 && one.place(7.0) < 1.0);
        assert!(!one.ticks(5, |_| true).is_empty());
    }
}
