//! HTTP/1.1 as far as AWS's clients speak it (RFC 9112), read to the byte: the signature is checked over
//! what came, so nothing is decoded, joined or repaired here.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use time::OffsetDateTime;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;

const HEAD_LIMIT: u64 = 64 * 1024;
const BODY_LIMIT: u64 = 1024 * 1024;

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) method: String,
    /// Path of the request line, raw.
    pub(super) path: String,
    /// Query of the request line, raw, without `?`.
    pub(super) query: String,
    /// Header lines in the order of the wire; values without the white space around them.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Message {
    /// The values of a header, by its lower-case name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The value of a header that stands once.
    pub(super) fn one<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        let mut values = self.all(name);
        values.next().filter(|_| values.next().is_none())
    }
}

/// What came next on a connection.
pub(super) enum Next {
    Message(Message),
    /// The client is gone, or wants nothing more.
    End,
    /// Not a request that could be read; the word says why.
    Broken(&'static str),
}

/// Reads one request; answers `expect: 100-continue` on the way.
pub(super) fn read(stream: &TcpStream, reader: &mut BufReader<TcpStream>) -> Next {
    let mut limited = reader.by_ref().take(HEAD_LIMIT);
    let mut line = || {
        let mut raw = Vec::new();
        limited.read_until(b'\n', &mut raw).ok()?;
        let raw = raw.strip_suffix(b"\r\n")?;
        String::from_utf8(raw.to_vec()).ok()
    };
    let Some(first) = line() else { return Next::End };
    let mut words = first.split(' ');
    let (Some(method), Some(target), Some("HTTP/1.1"), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Next::Broken("the request line is not of HTTP/1.1");
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = Vec::new();
    loop {
        let Some(text) = line() else { return Next::Broken("a header line is cut off or too long") };
        if text.is_empty() {
            break;
        }
        match text.split_once(':') {
            Some((name, value)) if !name.is_empty() && !name.contains([' ', '\t']) => {
                headers.push((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()));
            }
            _ => return Next::Broken("a header line has no sound name"),
        }
    }
    let (method, path, query) = (method.to_owned(), path.to_owned(), query.to_owned());
    let mut message = Message { method, path, query, headers, body: Vec::new() };
    if message.all("transfer-encoding").next().is_some() {
        return Next::Broken("transfer-encoding is not taken");
    }
    let length = message.one("content-length").unwrap_or("0").parse::<u64>();
    let Some(length) = length.ok().filter(|length| *length <= BODY_LIMIT) else {
        return Next::Broken("content-length is wrong or too large");
    };
    if message.one("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
        && (&*stream).write_all(b"HTTP/1.1 100 Continue\r\n\r\n").is_err()
    {
        return Next::End;
    }
    match reader.by_ref().take(length).read_to_end(&mut message.body) {
        Ok(read) if u64::try_from(read) == Ok(length) => Next::Message(message),
        Ok(_) | Err(_) => Next::End,
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

/// IMF-fixdate (RFC 9110, 5.6.7).
const DATE: StaticFormatDescription =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

/// Writes an answer; an error is the client's hanging up.
pub(super) fn write(mut stream: &TcpStream, reply: &Reply, request_id: &str) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} {}\r\n", reply.status, reason(reply.status));
    let now = OffsetDateTime::now_utc().format(DATE).map_err(std::io::Error::other)?;
    head.push_str(&format!("server: strict-aws\r\ndate: {now}\r\n"));
    for name in ["x-amzn-requestid", "x-amz-request-id"] {
        head.push_str(&format!("{name}: {request_id}\r\n"));
    }
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if reply.status != 204 {
        head.push_str(&format!(
            "content-type: {}\r\ncontent-length: {}\r\n",
            reply.content_type,
            reply.body.len()
        ));
    }
    head.push_str("\r\n");
    stream.write_all(format!("{head}{}", reply.body).as_bytes())
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        409 => "Conflict",
        _ => "Error",
    }
}
