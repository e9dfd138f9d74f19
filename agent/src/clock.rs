//! The clock, and how times are written.
//!
//! Promises: one way to write a time (RFC 3339, UTC, whole seconds) and one place that asks the
//! machine for it; every other room is given the time as an argument.

#![forbid(unsafe_code)]

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// Now, in whole seconds.
#[must_use]
pub fn now() -> OffsetDateTime {
    whole_seconds(OffsetDateTime::now_utc())
}

/// Now, as exactly as the machine tells: for what is measured, where a second lost at the beginning
/// would be one too few.
#[must_use]
pub fn exact() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

fn whole_seconds(time: OffsetDateTime) -> OffsetDateTime {
    time.replace_nanosecond(0).unwrap_or(time)
}

/// `2026-11-22T17:03:41Z`.
#[must_use]
pub fn rfc3339(time: OffsetDateTime) -> String {
    // The only failures are a year beyond 9999 and an offset with seconds: neither is now, in UTC.
    whole_seconds(time.to_offset(UtcOffset::UTC)).format(&Rfc3339).unwrap_or_default()
}

/// The day of a time that [`rfc3339`] wrote: `2026-11-22`.
#[must_use]
pub fn day(rfc3339: &str) -> &str {
    rfc3339.split_once('T').map_or(rfc3339, |(day, _)| day)
}

/// Reads a time in any offset; `None` for anything else.
#[must_use]
pub fn parse(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok().map(|time| time.to_offset(UtcOffset::UTC))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_time_is_written_in_utc_and_whole_seconds() {
        let time = parse("2026-11-22T18:03:41.999+01:00").unwrap();
        assert_eq!(rfc3339(time), "2026-11-22T17:03:41Z");
        assert_eq!(day(&rfc3339(time)), "2026-11-22");
        let now = now();
        assert_eq!(parse(&rfc3339(now)), Some(now));
        assert_eq!(parse("yesterday"), None);
        assert_eq!(parse("2026-11-22"), None);
    }
}
