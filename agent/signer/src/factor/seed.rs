//! Seeds of TOTP factors: base32 (RFC 4648, 6) in the payload, an `otpauth:` URI or base32 as typed.
//!
//! Promises: a seed in the clear stands in memory that is wiped and was large enough from the start.

use signet_protocol::refusal::{Code, Refusal};
use zeroize::Zeroizing;

/// Shortest seed: the 80 bits that common authenticators use at least.
const SHORTEST: usize = 10;
/// Longest seed that the payload holds: 128 characters of base32.
const LONGEST: usize = 80;
const LONGEST_TEXT: usize = 128;

/// A seed's base32 text in its one form: capitals, no padding, no spaces. Not `Debug`.
pub struct Text(Zeroizing<Vec<u8>>);

impl Text {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Always ASCII: only base32's alphabet was let in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Reads what a person gave as a seed: an `otpauth://totp/…` URI, or base32 with or without spaces.
///
/// # Errors
/// `bad_request` for what is no seed, `unsupported` for parameters other than SHA-1, 6 digits, 30 s.
pub fn typed(given: &[u8]) -> Result<Text, Refusal> {
    let given = std::str::from_utf8(given).map_err(|_| no_seed())?.trim();
    let base32 = match split_scheme(given) {
        Some(rest) => from_uri(rest)?,
        None => given,
    };
    let mut text = Zeroizing::new(Vec::with_capacity(LONGEST_TEXT));
    let letters = base32.trim_end_matches('=').bytes().filter(|byte| !matches!(byte, b' ' | b'-'));
    for byte in letters {
        if text.len() == LONGEST_TEXT {
            return Err(no_seed());
        }
        text.push(byte.to_ascii_uppercase());
    }
    let text = Text(text);
    decode(text.as_str()).ok_or_else(no_seed)?;
    Ok(text)
}

/// The bytes of a seed's base32 text; `None` for anything else, or for too short or long a seed.
#[must_use]
pub fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST));
    let (mut bits, mut held) = (0_u32, 0_u32);
    for letter in text.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'2'..=b'7' => letter - b'2' + 26,
            _ => return None,
        };
        bits = (bits << 5 | u32::from(value)) & 0xfff;
        held += 5;
        if held >= 8 {
            held -= 8;
            if bytes.len() == LONGEST {
                return None;
            }
            // The mask leaves the eight bits that are whole.
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    (bytes.len() >= SHORTEST).then_some(bytes)
}

/// What follows `otpauth://`, the scheme case-blind (RFC 3986, 3.1).
fn split_scheme(given: &str) -> Option<&str> {
    let (scheme, rest) = given.split_once("://")?;
    scheme.eq_ignore_ascii_case("otpauth").then_some(rest)
}

/// The secret of `totp/LABEL?secret=…&…`, if its other parameters are the ones we compute.
fn from_uri(rest: &str) -> Result<&str, Refusal> {
    let (path, query) = rest.split_once('?').ok_or_else(no_seed)?;
    let kind = path.split('/').next().unwrap_or_default();
    if !kind.eq_ignore_ascii_case("totp") {
        return Err(other_parameters());
    }
    let query = query.split('#').next().unwrap_or_default();
    let mut secret = None;
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let fits = match name {
            "secret" => secret.replace(value).is_none(),
            "algorithm" => value.eq_ignore_ascii_case("sha1"),
            "digits" => value == "6",
            "period" => value == "30",
            _ => true,
        };
        if !fits {
            return Err(other_parameters());
        }
    }
    secret.ok_or_else(no_seed)
}

fn no_seed() -> Refusal {
    Refusal::bare(
        Code::BadRequest,
        "this is no seed: neither an otpauth uri nor base32 of at least 16 characters",
    )
}

fn other_parameters() -> Refusal {
    Refusal::bare(Code::Unsupported, "only totp seeds with sha1, 6 digits and 30 seconds can be used")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// `12345678901234567890` of RFC 4226.
    const TEXT: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    #[test]
    fn all_ways_to_write_one_seed_are_one_text() {
        for given in [
            TEXT,
            "gezdgnbvgy3tqojqgezdgnbvgy3tqojq",
            " GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ \n",
            "otpauth://totp/Signet:prod?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Signet",
            "OTPAUTH://TOTP/x?issuer=a&algorithm=SHA1&digits=6&period=30&secret=gezdgnbvgy3tqojqgezdgnbvgy3tqojq",
            "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ======",
        ] {
            let text = typed(given.as_bytes()).map_err(|refusal| refusal.message).unwrap();
            assert_eq!(text.as_str(), TEXT, "{given}");
            assert_eq!(decode(text.as_str()).unwrap().as_slice(), b"12345678901234567890");
        }
    }

    #[test]
    fn what_is_no_seed_is_refused() {
        for (given, code) in [
            ("", Code::BadRequest),
            ("GEZDGNB", Code::BadRequest),
            ("GEZDGNBVGY3TQOJ1", Code::BadRequest),
            ("GEZDGNBVGY3TQOJ=GEZDGNBV", Code::BadRequest),
            ("otpauth://totp/x", Code::BadRequest),
            ("otpauth://totp/x?issuer=a", Code::BadRequest),
            ("otpauth://hotp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&counter=0", Code::Unsupported),
            ("otpauth://totp/x?secret=GEZDGNBVGY3TQOJQ&algorithm=SHA256", Code::Unsupported),
            ("otpauth://totp/x?secret=GEZDGNBVGY3TQOJQ&digits=8", Code::Unsupported),
            ("otpauth://totp/x?secret=GEZDGNBVGY3TQOJQ&period=60", Code::Unsupported),
            ("otpauth://totp/x?secret=GEZDGNBVGY3TQOJQ&secret=GEZDGNBVGY3TQOJQ", Code::Unsupported),
        ] {
            assert_eq!(typed(given.as_bytes()).err().map(|refusal| refusal.code), Some(code), "{given}");
        }
        assert!(typed("A".repeat(1000).as_bytes()).is_err());
        assert!(typed(&[0xff, 0xfe]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, text: String) {
            let _ = typed(&bytes);
            let _ = typed(format!("otpauth://totp/{text}").as_bytes());
            let _ = decode(&text);
        }
    }
}
