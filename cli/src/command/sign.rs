//! `signet sign`: an HTTP/1.1 message in, the same message signed out.

use super::Done;
use crate::args::{Format, Sign};
use crate::context::Context;
use crate::courier;
use crate::message::{self, Message};
use crate::output;
use serde::Serialize;
use signet_protocol::{Code, Refusal, VERSION};
use std::io::Read;
use std::process::ExitCode;

/// How long AWS takes a signed request, in seconds after its date.
const HONOURED: i64 = 300;

/// The JSON document.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    headers: &'a [(String, String)],
    url: &'a str,
    action: &'a str,
    expires: String,
}

/// Does the command.
pub(crate) fn run(cx: &Context, args: &Sign) -> Done {
    let message = Message::parse(&read()?)?;
    let outgoing = message.outgoing(&args.service, &args.region)?;
    let signed = cx.block_on(courier::sign(cx, &args.name, &outgoing, args.reason.clone(), None))?;
    match cx.format() {
        Format::Text | Format::Csv => output::bytes_out(&message.with(&signed.headers))?,
        Format::Json => output::json(&Document {
            version: VERSION,
            headers: &signed.headers,
            url: &signed.url,
            action: &signed.action,
            expires: expires(&signed.amz_date)?,
        })?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The whole of standard input, up to the cap.
pub(super) fn read() -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(message::LIMIT).unwrap_or(u64::MAX);
    std::io::stdin()
        .lock()
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Refusal::bare(Code::BadRequest, format!("standard input: {error}")))?;
    if bytes.len() > message::LIMIT {
        return Err(Refusal::bare(Code::BadRequest, "the message is too large"));
    }
    Ok(bytes)
}

/// Until when AWS takes it, RFC 3339.
fn expires(amz_date: &str) -> Result<String, Refusal> {
    signet_sigv4::date::to_unix(amz_date)
        .ok()
        .and_then(|seconds| time::OffsetDateTime::from_unix_timestamp(seconds + HONOURED).ok())
        .and_then(|time| time.format(&time::format_description::well_known::Rfc3339).ok())
        .ok_or_else(|| Refusal::bare(Code::Internal, "the agent gave no sound date"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn expires_is_five_minutes_after_the_date() {
        assert_eq!(expires("20261122T235900Z").unwrap(), "2026-11-23T00:04:00Z");
        assert!(expires("").is_err());
    }
}
