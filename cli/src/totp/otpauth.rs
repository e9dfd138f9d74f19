//! The `otpauth:` URI that authenticator apps exchange (Google Authenticator's "Key URI Format").
//!
//! Read strictly: a URI that asks for another algorithm, step or length than the signer checks would
//! make codes that never match.

use zeroize::Zeroizing;

const SCHEME: &[u8] = b"otpauth://";
const ISSUER: &str = "Signet";

/// Whether it is such a URI.
pub(super) fn is_uri(text: &[u8]) -> bool {
    text.get(..SCHEME.len()).is_some_and(|head| head.eq_ignore_ascii_case(SCHEME))
}

/// The `secret` of a URI, still in base32; the error says what the signer could not check.
pub(super) fn secret(uri: &[u8]) -> Result<&[u8], &'static str> {
    let rest = uri.get(SCHEME.len()..).unwrap_or_default();
    let (path, query) = split(rest, b'?').ok_or("the uri has no secret")?;
    let kind = split(path, b'/').map_or(path, |(kind, _)| kind);
    if !kind.eq_ignore_ascii_case(b"totp") {
        return Err("the uri is not for time-based codes");
    }
    let mut found = None;
    for pair in query.split(|byte| *byte == b'&') {
        let (name, value) = split(pair, b'=').unwrap_or((pair, b""));
        match name.to_ascii_lowercase().as_slice() {
            b"secret" if found.is_some() => return Err("the uri has two secrets"),
            b"secret" => found = Some(value),
            b"algorithm" if !value.eq_ignore_ascii_case(b"SHA1") => return Err("only SHA1 is checked"),
            b"digits" if value != b"6" => return Err("only codes of 6 digits are checked"),
            b"period" if value != b"30" => return Err("only a step of 30 s is checked"),
            // issuer, image and the like say nothing about the codes
            _ => {}
        }
    }
    found.ok_or("the uri has no secret")
}

/// A URI for a seed in base32.
pub(super) fn uri(base32: &[u8], label: &str) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(128 + base32.len() + 3 * label.len()));
    out.extend_from_slice(b"otpauth://totp/");
    out.extend_from_slice(encoded(&format!("{ISSUER}:{label}")).as_bytes());
    out.extend_from_slice(b"?secret=");
    out.extend_from_slice(base32);
    out.extend_from_slice(format!("&issuer={ISSUER}&algorithm=SHA1&digits=6&period=30").as_bytes());
    out
}

/// Percent-encodes everything that is not unreserved (RFC 3986, section 2.3) or the label's colon.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

fn split(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = text.iter().position(|byte| *byte == at)?;
    Some((text.get(..place)?, text.get(place + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_that_the_signer_could_not_check_is_refused() {
        for uri in [
            "otpauth://hotp/a?secret=ABC&counter=1",
            "otpauth://totp/a?secret=ABC&digits=8",
            "otpauth://totp/a?secret=ABC&period=60",
            "otpauth://totp/a?secret=ABC&algorithm=SHA256",
            "otpauth://totp/a?secret=ABC&secret=DEF",
            "otpauth://totp/a?issuer=x",
            "otpauth://totp/a",
            "otpauth://",
        ] {
            assert!(secret(uri.as_bytes()).is_err(), "{uri}");
        }
    }

    #[test]
    fn the_secret_is_found() {
        for uri in [
            "otpauth://totp/Signet:a?secret=ABC",
            "OTPAUTH://TOTP/a?issuer=AWS&SECRET=ABC&algorithm=sha1&digits=6&period=30",
            "otpauth://totp?secret=ABC",
        ] {
            assert!(is_uri(uri.as_bytes()));
            assert_eq!(secret(uri.as_bytes()), Ok(&b"ABC"[..]), "{uri}");
        }
    }

    #[test]
    fn a_label_cannot_add_a_parameter() {
        let text = uri(b"ABC", "prod?secret=X&a b/é");
        assert_eq!(secret(&text), Ok(&b"ABC"[..]));
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(text.starts_with("otpauth://totp/Signet:prod%3Fsecret%3DX%26a%20b%2F%C3%A9?secret=ABC&"));
    }
}
