//! The hash that stands for the body in the canonical request.

use crate::{Error, Request, headers, sha256_hex};

/// Hex SHA-256 of the payload, with everything the headers say of it found true.
pub(crate) fn sha256_of(request: &Request<'_>, headers: &[(String, String)]) -> Result<String, Error> {
    let claimed = headers::value(headers, "x-amz-content-sha256");
    match claimed {
        Some("UNSIGNED-PAYLOAD" | "STREAMING-UNSIGNED-PAYLOAD-TRAILER") => {
            return Err(Error::UnsignedPayload);
        }
        Some(value) if value.starts_with("STREAMING-") => return Err(Error::StreamingPayload),
        Some(value) if !is_sha256_hex(value) => return Err(Error::PayloadHash),
        Some(_) | None => {}
    }
    if let Some(encoding) = headers::value(headers, "content-encoding")
        && encoding.split(',').any(|one| one.trim().eq_ignore_ascii_case("aws-chunked"))
    {
        return Err(Error::StreamingPayload);
    }
    check_length(request, headers)?;
    match (request.body, claimed) {
        (Some(body), claimed) => {
            let hash = sha256_hex(body);
            if claimed.is_some_and(|claimed| claimed != hash) { Err(Error::PayloadHash) } else { Ok(hash) }
        }
        // Where the action shows without the body, its hash may stand for it.
        (None, Some(claimed)) if request.service == "s3" => Ok(claimed.to_owned()),
        (None, Some(_) | None) => Err(Error::BodyMissing),
    }
}

fn check_length(request: &Request<'_>, headers: &[(String, String)]) -> Result<(), Error> {
    let Some(length) = headers::value(headers, "content-length") else {
        return Ok(());
    };
    // Two ways to say where the body ends are one too many (RFC 9112, 6.1).
    if headers::value(headers, "transfer-encoding").is_some() || !length.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Error::Length);
    }
    let length: u64 = length.parse().map_err(|_| Error::Length)?;
    let wrong = request.body.is_some_and(|body| u64::try_from(body.len()) != Ok(length));
    if wrong { Err(Error::Length) } else { Ok(()) }
}

fn is_sha256_hex(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
