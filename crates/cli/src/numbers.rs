//! Numeric values of flags; errors name the valid range.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Seeds: 64 bits. Seeds drawn at random have 53 bits, which every JSON parser keeps.
pub fn seed(text: &str) -> Result<u64, String> {
    whole(text, 0..=u64::MAX)
}

/// A whole number from 0 up.
pub fn count(text: &str) -> Result<u32, String> {
    whole(text, 0..=u32::MAX)
}

/// A whole number from 1 up.
pub fn positive(text: &str) -> Result<u32, String> {
    whole(text, 1..=u32::MAX)
}

fn whole<T: FromStr + PartialOrd + Display>(text: &str, range: RangeInclusive<T>) -> Result<T, String> {
    let found = text.parse().ok().filter(|found| range.contains(found));
    found.ok_or_else(|| format!("give a whole number from {} to {}", range.start(), range.end()))
}

/// From 0 up.
pub fn temperature(text: &str) -> Result<f32, String> {
    number(text, |t| t >= 0.0, "a number from 0 (greedy) up")
}

/// Above 0 and at most 1.
pub fn share(text: &str) -> Result<f32, String> {
    number(text, |p| p > 0.0 && p <= 1.0, "a number above 0 and at most 1")
}

/// From 1 up.
pub fn penalty(text: &str) -> Result<f32, String> {
    number(text, |penalty| penalty >= 1.0, "a number from 1 (none) up")
}

/// From 0 to 1.
pub fn share_or_none(text: &str) -> Result<f32, String> {
    number(text, |p| (0.0..=1.0).contains(&p), "a number from 0 (none) to 1")
}

/// Above 0.
pub fn factor(text: &str) -> Result<f32, String> {
    number(text, |factor| factor > 0.0, "a number above 0 (1 is none)")
}

/// Any finite number.
pub fn finite(text: &str) -> Result<f32, String> {
    number(text, |_| true, "a number")
}

/// Size of the penalty window in tokens.
pub fn window(text: &str) -> Result<u32, String> {
    whole(text, 0..=bitstate::Sampling::MAX_WINDOW)
}

fn number(text: &str, range: impl Fn(f32) -> bool, what: &str) -> Result<f32, String> {
    // A number too large for an f32 parses as infinity.
    let found = text.parse().ok().filter(|&found: &f32| found.is_finite() && range(found));
    found.ok_or_else(|| format!("give {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_is_answered_with_the_range() {
        assert_eq!(seed("18446744073709551615"), Ok(u64::MAX));
        for text in ["-1", "18446744073709551616", "1.5", "", "one", "0x1", " 1"] {
            let said = seed(text).unwrap_err();
            assert!(said.contains("from 0 to 18446744073709551615"), "{text}: {said}");
            assert!(count(text).unwrap_err().contains("from 0 to 4294967295"), "{text}");
            assert!(positive(text).unwrap_err().contains("from 1 to 4294967295"), "{text}");
        }
        assert_eq!((count("0"), positive("1")), (Ok(0), Ok(1)));
        assert!(positive("0").is_err());
        assert_eq!((temperature("0"), temperature("-0"), temperature("1e-45")), (Ok(0.0), Ok(-0.0), Ok(1e-45)));
        for text in ["nan", "inf", "-inf", "-1e-9", "1e39", "warm", ""] {
            assert!(temperature(text).unwrap_err().contains("from 0"), "{text}");
            assert!(share(text).unwrap_err().contains("above 0 and at most 1"), "{text}");
            assert!(penalty(text).unwrap_err().contains("from 1"), "{text}");
        }
        assert_eq!((share("1"), share("1e-30"), penalty("1")), (Ok(1.0), Ok(1e-30), Ok(1.0)));
        assert_eq!(
            (share_or_none("0"), factor("0.5"), finite("-100"), window("65536")),
            (Ok(0.0), Ok(0.5), Ok(-100.0), Ok(65536))
        );
        assert!(
            share_or_none("1.1").is_err() && factor("0").is_err() && finite("inf").is_err() && window("65537").is_err()
        );
        assert!(share("0").is_err() && share("1.001").is_err() && penalty("0.999").is_err());
    }
}
