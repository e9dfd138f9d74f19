//! Sizes and times as people write them.

use std::time::Duration;

/// `512B`, `64KiB`, `1MiB`.
pub(super) fn bytes(text: &str) -> Option<usize> {
    let (number, unit) = split(text)?;
    let unit = match unit {
        "B" => 1,
        "KiB" => 1024,
        "MiB" => 1024 * 1024,
        _ => return None,
    };
    usize::try_from(number).ok()?.checked_mul(unit)
}

/// `90s`, `30m`, `2h`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    number.checked_mul(unit).map(Duration::from_secs)
}

fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_a_unit() {
        assert_eq!(bytes("64KiB"), Some(65536));
        assert_eq!((bytes("1MiB"), bytes("7B")), (Some(1_048_576), Some(7)));
        assert_eq!(duration("120s"), Some(Duration::from_secs(120)));
        assert_eq!((duration("30m"), duration("2h")), (duration("1800s"), duration("120m")));
        for bad in ["", "64", "KiB", "64 KiB", "64kb", "-1s", "1.5h", "s", "18446744073709551615h", "1s1"] {
            assert_eq!((bytes(bad), duration(bad)), (None, None), "{bad}");
        }
    }
}
