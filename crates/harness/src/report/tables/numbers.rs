//! Formatting of numbers.

/// A number with three digits, or its whole integer part with thousands separated.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        return "0".into();
    }
    if size < 100.0 {
        let digits = (2 - size.log10().floor() as i32).clamp(0, 9) as usize;
        return format!("{value:.digits$}");
    }
    let digits = format!("{:.0}", size);
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if value < 0.0 { format!("-{out}") } else { out }
}

/// A fraction as a percentage.
pub fn percent(share: f64) -> String {
    let value = 100.0 * share;
    match value {
        v if v > 0.0 && v < 0.05 => "< 0.1 %".into(),
        v if v > 0.0 && v < 9.95 => format!("{v:.1} %"),
        v => format!("{v:.0} %"),
    }
}

/// A number of bytes, in decimal units.
pub fn bytes(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{} MB", number(v / 1e6)),
        v if v >= 1e3 => format!("{} kB", number(v / 1e3)),
        v => format!("{v:.0} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::{bytes, number, percent};

    #[test]
    fn numbers_read_well() {
        let cases = [
            (0.0, "0"),
            (0.01234, "0.0123"),
            (1.5, "1.50"),
            (99.95, "100.0"),
            (1234.6, "1,235"),
            (3_950_000.0, "3,950,000"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!(bytes(9_123_456.0), "9.12 MB");
        assert_eq!(bytes(512.0), "512 B");
        assert_eq!(
            [0.0, 0.0002, 0.0123, 0.0994, 0.58, 1.043].map(percent),
            ["0 %", "< 0.1 %", "1.2 %", "9.9 %", "58 %", "104 %"]
        );
    }
}
