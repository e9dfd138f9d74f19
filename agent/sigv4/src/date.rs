//! `x-amz-date` (`YYYYMMDDTHHMMSSZ`, UTC) and seconds since 1970. Pure: no clock.

use crate::Error;

const SECONDS_A_DAY: i64 = 86_400;
/// 9999-12-31T23:59:59Z: the last second that four digits of a year can name.
const LAST: i64 = 253_402_300_799;

/// Seconds since 1970 of an `x-amz-date`. Strict: exactly sixteen characters, a day that exists.
pub fn to_unix(amz_date: &str) -> Result<i64, Error> {
    let bytes: &[u8; 16] = amz_date.as_bytes().try_into().map_err(|_| Error::Date)?;
    let &[y1, y2, y3, y4, mo1, mo2, d1, d2, t, h1, h2, mi1, mi2, s1, s2, z] = bytes;
    let (year, month, day) = (number(&[y1, y2, y3, y4])?, number(&[mo1, mo2])?, number(&[d1, d2])?);
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[mi1, mi2])?, number(&[s1, s2])?);
    let sound = t == b'T'
        && z == b'Z'
        && year >= 1970
        && (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !sound {
        return Err(Error::Date);
    }
    let days = (1970..year).map(days_in_year).sum::<i64>()
        + (1..month).map(|earlier| days_in(year, earlier)).sum::<i64>()
        + day
        - 1;
    Ok(days * SECONDS_A_DAY + hour * 3600 + minute * 60 + second)
}

/// The `x-amz-date` of a second since 1970, up to the end of the year 9999.
pub fn from_unix(seconds: i64) -> Result<String, Error> {
    if !(0..=LAST).contains(&seconds) {
        return Err(Error::Date);
    }
    let (mut days, rest) = (seconds / SECONDS_A_DAY, seconds % SECONDS_A_DAY);
    let mut year = 1970;
    while days >= days_in_year(year) {
        days -= days_in_year(year);
        year += 1;
    }
    let mut month = 1;
    while days >= days_in(year, month) {
        days -= days_in(year, month);
        month += 1;
    }
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    Ok(format!("{year:04}{month:02}{:02}T{hour:02}{minute:02}{second:02}Z", days + 1))
}

fn number(digits: &[u8]) -> Result<i64, Error> {
    digits.iter().try_fold(0, |sum, digit| match digit {
        b'0'..=b'9' => Ok(sum * 10 + i64::from(digit - b'0')),
        _ => Err(Error::Date),
    })
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_in_year(year: i64) -> i64 {
    if is_leap(year) { 366 } else { 365 }
}

const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use time::{OffsetDateTime, format_description::well_known::Rfc3339};

    #[test]
    fn what_is_no_date_is_refused() {
        for wrong in [
            "",
            "20150830T123600",
            "20150830T123600z",
            "20150830t123600Z",
            "2015-08-30T12:36:00Z",
            "20150830 123600Z",
            "20150832T123600Z",
            "20151330T123600Z",
            "20150030T123600Z",
            "20150830T243600Z",
            "20150830T126000Z",
            "20150830T123660Z",
            "20150229T000000Z",
            "19000228T000000Z",
            "21000229T000000Z",
            "+0150830T123600Z",
            "２０１５",
        ] {
            assert_eq!(to_unix(wrong), Err(Error::Date), "{wrong}");
        }
        assert_eq!(from_unix(-1), Err(Error::Date));
        assert_eq!(from_unix(LAST + 1), Err(Error::Date));
    }

    #[test]
    fn agrees_with_the_time_crate_and_comes_back() {
        let mut seconds = 0;
        while seconds < LAST {
            let ours = from_unix(seconds).unwrap();
            let theirs = OffsetDateTime::from_unix_timestamp(seconds).unwrap().format(&Rfc3339).unwrap();
            assert_eq!(ours, theirs.replace(['-', ':'], ""));
            assert_eq!(to_unix(&ours), Ok(seconds));
            seconds += 40_000_007;
        }
        assert_eq!(to_unix("20150830T123600Z"), Ok(1_440_938_160));
        assert_eq!(from_unix(LAST).as_deref(), Ok("99991231T235959Z"));
    }
}
