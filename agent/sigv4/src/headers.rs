//! The headers of a request: which may be given, which are signed, which are added.

use crate::{Error, date};

/// Headers that are never signed: the connection's own, and what a proxy may change on the way. They
/// are sent as they are given, and decide nothing. Another signer that is to agree with this one
/// leaves out the same.
pub const UNSIGNED_HEADERS: [&str; 6] =
    ["connection", "expect", "transfer-encoding", "user-agent", "x-amzn-trace-id", "authorization"];

/// Only the signer sets these (`host` is the URL's), and a long-term key has no session token.
const RESERVED: [&str; 4] = ["authorization", "host", "proxy-authorization", "x-amz-security-token"];

/// Headers that announce a body other than the one that was hashed.
const STREAMING: [&str; 2] = ["x-amz-decoded-content-length", "x-amz-trailer"];

/// Whether a header of this (lower-case) name is signed.
pub(crate) fn is_signed(name: &str) -> bool {
    !UNSIGNED_HEADERS.contains(&name)
}

/// The `x-amz-date` that the request brings, if it brings one.
///
/// Reads the headers as strictly as [`crate::prepare()`] does as far as the date goes: two dates, or
/// one that is none, are an error.
pub fn given_date(headers: &[(String, String)]) -> Result<Option<&str>, Error> {
    let mut found = None;
    for (name, value) in headers {
        if name.eq_ignore_ascii_case("x-amz-date") {
            date::to_unix(value)?;
            if found.replace(value.as_str()).is_some() {
                return Err(Error::DuplicateHeader("x-amz-date".into()));
            }
        }
    }
    Ok(found)
}

/// The headers with lower-case names and trimmed values, or why they may not be signed.
pub(crate) fn checked(given: &[(String, String)]) -> Result<Vec<(String, String)>, Error> {
    let mut headers: Vec<(String, String)> = Vec::with_capacity(given.len() + 4);
    for (name, value) in given {
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(Error::Header { name: String::new(), why: "has a name that is no token" });
        }
        let name = name.to_ascii_lowercase();
        if !value.bytes().all(|b| matches!(b, 0x20..=0x7e)) {
            return Err(Error::Header { name, why: "holds a byte that is not printable ASCII" });
        }
        if RESERVED.contains(&name.as_str()) {
            return Err(Error::ReservedHeader(name));
        }
        if STREAMING.contains(&name.as_str()) {
            return Err(Error::StreamingPayload);
        }
        if headers.iter().any(|(earlier, _)| *earlier == name) {
            return Err(Error::DuplicateHeader(name));
        }
        headers.push((name, value.trim_matches(' ').to_owned()));
    }
    Ok(headers)
}

/// The value of a header, by its lower-case name.
pub(crate) fn value<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// RFC 9110, 5.6.2.
fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}
