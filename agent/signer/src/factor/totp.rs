//! TOTP (RFC 6238) with what its section 5 and RFC 4226 recommend: SHA-1, 30 s, 6 digits, one step to
//! either side, and no step twice.

use ring::hmac;

/// Seconds a code lives (RFC 6238, 4.1, the default of X).
const STEP: u64 = 30;

/// Digits of a code (RFC 4226, 5.3).
const DIGITS: usize = 6;

/// What a code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// That of this step, and later than the last one.
    Good(u64),
    /// A right one, of a step that is not later than the last one: that was used, or passed over.
    Used,
    /// None of this time.
    Wrong,
}

/// What `code` is at `now` (seconds since 1970), where `last` is the last step that was used.
///
/// All three candidates are computed and compared whatever matches; the time taken tells nothing.
#[must_use]
pub fn check(seed: &[u8], code: &[u8], now: u64, last: Option<u64>) -> Code {
    let Some(typed) = number(code) else { return Code::Wrong };
    let step = now / STEP;
    // Two steps may share a code: the later one is taken, so that neither is good again.
    [step.saturating_sub(1), step, step.saturating_add(1)].into_iter().fold(Code::Wrong, |found, step| {
        let fits = same(hotp(seed, step), typed) == 1;
        match (fits, last.is_none_or(|last| step > last)) {
            (true, true) => Code::Good(step),
            (true, false) => Code::Used,
            (false, _) => found,
        }
    })
}

/// 1 if equal, without a branch.
const fn same(one: u32, other: u32) -> u8 {
    let difference = (one ^ other) as u64;
    (difference.wrapping_sub(1) >> 63) as u8
}

/// What was typed, as a number: six digits, spaces apart.
fn number(code: &[u8]) -> Option<u32> {
    let mut digits = code.iter().filter(|byte| **byte != b' ');
    let mut value: u32 = 0;
    for _ in 0..DIGITS {
        let digit = digits.next().filter(|byte| byte.is_ascii_digit())?;
        value = value * 10 + u32::from(digit - b'0');
    }
    digits.next().is_none().then_some(value)
}

/// HOTP of six digits (RFC 4226, 5.3).
fn hotp(seed: &[u8], counter: u64) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, seed);
    let tag = hmac::sign(&key, &counter.to_be_bytes());
    // Dynamic truncation (RFC 4226, 5.3): the low four bits of the last byte say where.
    let at = usize::from(tag.as_ref().last().map_or(0, |byte| byte & 0x0f));
    let four = tag.as_ref().iter().skip(at).take(4).fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
    (four & 0x7fff_ffff) % 10_u32.pow(DIGITS as u32)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SEED: &[u8] = b"12345678901234567890";

    #[test]
    fn hotp_of_rfc_4226_appendix_d() {
        let expected = [755224, 287082, 359152, 969429, 338314, 254676, 287922, 162583, 399871, 520489];
        for (counter, code) in expected.into_iter().enumerate() {
            assert_eq!(hotp(SEED, counter as u64), code);
        }
    }

    /// RFC 6238, appendix B, the last six of its eight digits.
    #[test]
    fn totp_of_rfc_6238_appendix_b() {
        for (now, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(check(SEED, code.as_bytes(), now, None), Code::Good(now / 30), "{now}");
        }
    }

    fn code(step: u64) -> String {
        format!("{:06}", hotp(SEED, step))
    }

    #[test]
    fn one_step_to_either_side_and_no_further() {
        let (step, now) = (1000, 1000 * 30 + 7);
        for near in [step - 1, step, step + 1] {
            assert_eq!(check(SEED, code(near).as_bytes(), now, None), Code::Good(near));
        }
        for far in [step - 2, step + 2] {
            assert_eq!(check(SEED, code(far).as_bytes(), now, None), Code::Wrong);
        }
    }

    #[test]
    fn no_step_twice_and_none_before_the_last() {
        let (step, now) = (1000, 1000 * 30);
        assert_eq!(check(SEED, code(step).as_bytes(), now, Some(step)), Code::Used);
        assert_eq!(check(SEED, code(step - 1).as_bytes(), now, Some(step)), Code::Used);
        assert_eq!(check(SEED, code(step + 1).as_bytes(), now, Some(step)), Code::Good(step + 1));
        assert_eq!(check(SEED, code(step).as_bytes(), now, Some(u64::MAX)), Code::Used);
        let wrong = if code(step) == "000000" { "000001" } else { "000000" };
        assert_eq!(check(SEED, wrong.as_bytes(), now, Some(u64::MAX)), Code::Wrong);
    }

    #[test]
    fn what_is_not_six_digits_is_no_code() {
        for wrong in ["", "28708", "2870822", "28708a", "+28708", "２８７０８２", "-1", "287082\n"] {
            assert_eq!(check(SEED, wrong.as_bytes(), 59, None), Code::Wrong, "{wrong}");
        }
        assert_eq!(check(SEED, b"287 082", 59, None), Code::Good(1));
        assert_eq!(check(SEED, b"287083", 59, None), Code::Wrong);
    }

    #[test]
    fn the_ends_of_time_do_not_panic() {
        assert_eq!(check(SEED, code(0).as_bytes(), 0, None), Code::Good(0));
        let _ = check(SEED, b"000000", u64::MAX, None);
    }
}
