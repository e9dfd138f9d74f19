//! Lengths of time as people type them: `55s`, `30m`, `1h`, or bare seconds.

use std::str::FromStr;

/// A length of time in whole seconds, at least one and at most a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seconds(pub(crate) u32);

const LONGEST: u32 = 7 * 24 * 3600;

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (digits, unit) = match text.char_indices().last() {
            Some((at, 's')) => (text.get(..at), 1),
            Some((at, 'm')) => (text.get(..at), 60),
            Some((at, 'h')) => (text.get(..at), 3600),
            Some(_) | None => (Some(text), 1),
        };
        digits
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|digits| digits.parse::<u32>().ok())
            .and_then(|count| count.checked_mul(unit))
            .filter(|seconds| (1..=LONGEST).contains(seconds))
            .map(Self)
            .ok_or_else(|| "a length of time is a number and s, m or h, like 55s, 30m or 1h".to_owned())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn refuses_what_is_not_a_length() {
        for text in
            ["", "s", "h", "1d", "-1s", "+5", "1.5h", "1h30m", "0", "0s", "8000000h", "1 h", "٣s", "169h"]
        {
            assert!(text.parse::<Seconds>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn reads_units() {
        for (text, seconds) in [("55s", 55), ("30m", 1800), ("1h", 3600), ("900", 900), ("168h", 604_800)] {
            assert_eq!(text.parse::<Seconds>().unwrap(), Seconds(seconds));
        }
    }
}
