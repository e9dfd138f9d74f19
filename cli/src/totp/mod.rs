//! Codes of Signet's own second factor (RFC 6238: SHA-1, 30 s, 6 digits), as far as the command line
//! needs them: to make a seed, to read one that was typed, and to confirm it with one code.
//!
//! Promises: a seed stands in memory that is wiped and is shown only where the person asked for it.
//! `ring` and the QR encoder keep copies of their own; this process ends with the command.

mod base32;
mod otpauth;
pub(crate) mod qr;

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use signet_protocol::{Code, Refusal};
use zeroize::Zeroizing;

/// Seconds of a step.
const STEP: u64 = 30;
/// Digits of a code.
const DIGITS: usize = 6;
/// Bytes of a new seed: as long as the hash (RFC 4226, section 4, R6).
const NEW: usize = 20;
/// The least a seed may have: the 80 bits that common authenticators use at least.
const LEAST: usize = 10;
/// The most a seed may have: 128 characters of base32, as the sealed payload holds.
const MOST: usize = 80;

/// A seed, decoded.
pub(crate) struct Seed(Zeroizing<Vec<u8>>);

impl Seed {
    /// A new one.
    pub(crate) fn random() -> Result<Self, Refusal> {
        let mut bytes = Zeroizing::new(vec![0; NEW]);
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| Refusal::bare(Code::Internal, "the system gave no random bytes"))?;
        Ok(Self(bytes))
    }

    /// One that was typed: an `otpauth:` URI, or base32 with or without spaces.
    pub(crate) fn read(text: &[u8]) -> Result<Self, Refusal> {
        let refused = |why: &str| Refusal::bare(Code::BadRequest, format!("the seed is not usable: {why}"));
        let text = text.trim_ascii();
        let secret = if otpauth::is_uri(text) { otpauth::secret(text).map_err(refused)? } else { text };
        let bytes = base32::decode(secret).ok_or_else(|| refused("it is not base32"))?;
        if bytes.len() < LEAST {
            return Err(refused("it has fewer than 80 bits"));
        }
        if bytes.len() > MOST {
            return Err(refused("it has more than 640 bits"));
        }
        Ok(Self(bytes))
    }

    /// Base32 without padding: as it stands in the sealed payload.
    pub(crate) fn base32(&self) -> Zeroizing<Vec<u8>> {
        base32::encode(&self.0)
    }

    /// What an authenticator app reads.
    pub(crate) fn uri(&self, label: &str) -> Zeroizing<Vec<u8>> {
        otpauth::uri(&self.base32(), label)
    }

    /// Whether `code` is that of the time or of the step before or after (RFC 6238, section 5.2). It is
    /// checked to see that the seed was taken over, by the person who holds it: no secret comparison.
    pub(crate) fn matches(&self, code: &[u8], unix: u64) -> bool {
        let step = unix / STEP;
        let code = code.trim_ascii();
        [step.saturating_sub(1), step, step.saturating_add(1)]
            .iter()
            .any(|step| self.code(*step, DIGITS).as_bytes() == code)
    }

    /// HOTP (RFC 4226, section 5.3) at a step.
    fn code(&self, step: u64, digits: usize) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let offset = tag.as_ref().last().map_or(0, |last| usize::from(last & 0x0f));
        let chosen = tag.as_ref().iter().skip(offset).take(4);
        let number = chosen.fold(0_u32, |number, byte| (number << 8) | u32::from(*byte)) & 0x7fff_ffff;
        let all = format!("{number:0>10}");
        all.get(all.len().saturating_sub(digits)..).unwrap_or_default().to_owned()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rfc() -> Seed {
        Seed(Zeroizing::new(b"12345678901234567890".to_vec()))
    }

    /// RFC 6238, appendix B, SHA-1.
    #[test]
    fn codes_of_rfc_6238() {
        let cases = [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ];
        for (time, code) in cases {
            assert_eq!(rfc().code(time / STEP, 8), code);
        }
    }

    #[test]
    fn a_code_is_good_one_step_either_way() {
        for (time, good) in [(0, true), (30, true), (59, true), (60, true), (89, true), (90, false)] {
            // 287082 is the code of step 1 (RFC 4226, appendix D)
            assert_eq!(rfc().matches(b"287082", time), good, "{time}");
        }
        for wrong in [&b""[..], b"28708", b"2870820", b"287083", b"287 082"] {
            assert!(!rfc().matches(wrong, 59));
        }
    }

    #[test]
    fn a_seed_that_is_too_short_or_no_base32_is_refused() {
        for text in [
            "",
            "JBSWY3DPEHPK3P",
            "1234567812345678123456781234",
            "otpauth://totp/x",
            "otpauth://hotp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
        ] {
            assert!(Seed::read(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_seed_is_read_as_base32_and_as_uri() {
        let plain = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        let spaced = "gezd gnbv gy3t qojq gezd gnbv gy3t qojq\n";
        let uri = rfc().uri("Signet: a/b&c");
        for text in [plain.as_bytes(), spaced.as_bytes(), &uri] {
            assert_eq!(*Seed::read(text).unwrap().base32(), plain.as_bytes());
        }
    }

    #[test]
    fn new_seeds_differ() {
        assert_ne!(*Seed::random().unwrap().base32(), *Seed::random().unwrap().base32());
        assert_eq!(Seed::random().unwrap().base32().len(), 32);
    }
}
