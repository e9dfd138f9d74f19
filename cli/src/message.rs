//! An HTTP/1.1 message as `sign` and `policy explain` read it from standard input (RFC 9112).
//!
//! Strict: what two readers could read in two ways is refused, because what is shown to the person,
//! what is signed and what is sent later must be one thing. Pure.

use crate::courier::Outgoing;
use signet_protocol::{Code, Refusal};

/// Longest message: what cannot be sent to the agent need not be read.
pub(crate) const LIMIT: usize = 8 << 20;

/// A message that was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    line_end: &'static str,
}

impl Message {
    /// Reads a whole message. Lines end in CRLF, or all of them in LF as an editor leaves them.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let line_end = match bytes.iter().position(|&b| b == b'\n') {
            Some(at) if at > 0 && bytes.get(at - 1) == Some(&b'\r') => "\r\n",
            Some(_) => "\n",
            None => return Err(bad("the message has no lines")),
        };
        let (head, body) = split_head(bytes, line_end)?;
        let head = std::str::from_utf8(head).map_err(|_| bad("the head of the message is not ascii"))?;
        let mut lines = head.split(line_end);
        let (method, target) = request_line(lines.next().unwrap_or_default())?;
        let headers = lines.map(header).collect::<Result<Vec<_>, _>>()?;
        let message = Self { method, target, headers, body: body.to_vec(), line_end };
        message.check()?;
        Ok(message)
    }

    /// The request that is to be signed.
    pub(crate) fn outgoing(&self, service: &str, region: &str) -> Result<Outgoing, Refusal> {
        Ok(Outgoing {
            service: service.to_owned(),
            region: region.to_owned(),
            method: self.method.clone(),
            url: self.url()?,
            headers: self
                .headers
                .iter()
                .filter(|(name, _)| !name.eq_ignore_ascii_case("host"))
                .cloned()
                .collect(),
            body: self.body.clone(),
        })
    }

    /// The host of the message, for guessing service and region.
    pub(crate) fn url(&self) -> Result<String, Refusal> {
        let host = self.one("host")?;
        if !self.target.starts_with('/') {
            return if authority(&self.target) == host {
                Ok(self.target.clone())
            } else {
                Err(bad("the host header is not the host of the request line"))
            };
        }
        let host = host.ok_or_else(|| bad("the message has no host header"))?;
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let scheme = if signet_sigv4::endpoint::is_loopback(name) { "http" } else { "https" };
        Ok(format!("{scheme}://{host}{}", self.target))
    }

    /// The same message with the headers of `signed` that it did not have.
    pub(crate) fn with(&self, signed: &[(String, String)]) -> Vec<u8> {
        let has = |name: &str| self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        let added = signed.iter().filter(|(name, _)| !has(name));
        let mut head = format!("{} {} HTTP/1.1{}", self.method, self.target, self.line_end);
        for (name, value) in self.headers.iter().chain(added) {
            head += &format!("{name}: {value}{}", self.line_end);
        }
        head += self.line_end;
        let mut out = head.into_bytes();
        out.extend_from_slice(&self.body);
        out
    }

    fn check(&self) -> Result<(), Refusal> {
        self.one("host")?;
        if self.one("transfer-encoding")?.is_some() {
            return Err(bad("a transfer coding is not signed: send the body as it is, with content-length"));
        }
        if self.one("authorization")?.is_some() {
            return Err(bad("the message is signed already: take out its authorization header"));
        }
        match self.one("content-length")? {
            Some(length) if length != self.body.len().to_string() => {
                Err(bad(format!("content-length says {length}, and the body has {} bytes", self.body.len())))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The value of a header that may stand once.
    fn one(&self, name: &str) -> Result<Option<&str>, Refusal> {
        let mut found = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(bad(format!("header {name} stands twice"))),
            (first, None) => Ok(first.map(|(_, value)| value.as_str())),
        }
    }
}

/// Head and body, around the first empty line. No line of the head may end otherwise than the first.
fn split_head<'a>(bytes: &'a [u8], line_end: &str) -> Result<(&'a [u8], &'a [u8]), Refusal> {
    let blank = line_end.repeat(2);
    let at = bytes
        .windows(blank.len())
        .position(|window| window == blank.as_bytes())
        .ok_or_else(|| bad("the message has no empty line after its headers"))?;
    let head = bytes.get(..at).unwrap_or_default();
    let body = bytes.get(at + blank.len()..).unwrap_or_default();
    let count = |byte: u8| head.iter().filter(|&&b| b == byte).count();
    let feeds = count(b'\n');
    let pairs = head.windows(2).filter(|window| *window == b"\r\n").count();
    let returns = if line_end == "\r\n" { feeds } else { 0 };
    if count(b'\r') != returns || pairs != returns {
        return Err(bad("the lines of the message end in different ways"));
    }
    Ok((head, body))
}

fn request_line(line: &str) -> Result<(String, String), Refusal> {
    let parts: Vec<&str> = line.split(' ').collect();
    let [method, target, "HTTP/1.1"] = parts.as_slice() else {
        return Err(bad("the first line is not METHOD TARGET HTTP/1.1"));
    };
    if method.is_empty() || !method.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(bad("the method is not a word of capital letters"));
    }
    let absolute = target.starts_with("https://") || target.starts_with("http://");
    if !(absolute || target.starts_with('/')) {
        return Err(bad("the target is neither a path nor an absolute url"));
    }
    Ok(((*method).to_owned(), (*target).to_owned()))
}

fn header(line: &str) -> Result<(String, String), Refusal> {
    if line.starts_with([' ', '\t']) {
        return Err(bad("a folded header line is not signed"));
    }
    let (name, value) = line.split_once(':').ok_or_else(|| bad("a header line has no colon"))?;
    // RFC 9112, 5.1: no space between name and colon
    if name.is_empty() || name.ends_with([' ', '\t']) {
        return Err(bad("a header has no sound name"));
    }
    Ok((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
}

/// The authority of an absolute URL.
fn authority(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    rest.split(['/', '?']).next()
}

fn bad(message: impl Into<String>) -> Refusal {
    Refusal::new(Code::BadRequest, message, "signet sign --help")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for text in [
            "",
            "GET / HTTP/1.1",
            "GET / HTTP/1.1\r\nhost: a\r\n",
            "GET / HTTP/1.0\r\nhost: a\r\n\r\n",
            "get / HTTP/1.1\r\nhost: a\r\n\r\n",
            "GET  / HTTP/1.1\r\nhost: a\r\n\r\n",
            "GET * HTTP/1.1\r\nhost: a\r\n\r\n",
            "GET ftp://a/ HTTP/1.1\r\nhost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: a\nx: y\r\n\r\n",
            "GET / HTTP/1.1\nhost: a\r\nx: y\n\n",
            "GET / HTTP/1.1\r\nhost: a\rx: y\r\n\r\n",
            "GET / HTTP/1.1\r\nhost : a\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\n b\r\n\r\n",
            "GET / HTTP/1.1\r\nhost\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\nHost: b\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\nauthorization: x\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nab",
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +2\r\n\r\nab",
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nab",
        ] {
            let refused =
                Message::parse(text.as_bytes()).is_err_and(|refusal| refusal.code == Code::BadRequest);
            assert!(refused, "{text:?}");
        }
        assert!(Message::parse(b"GET / HTTP/1.1\r\nhost: \xff\r\n\r\n").is_err());
    }

    #[test]
    fn the_host_must_be_there_and_be_one() {
        for text in [
            "GET / HTTP/1.1\r\nx: y\r\n\r\n",
            "GET https://b/ HTTP/1.1\r\nhost: a\r\n\r\n",
            "GET https://b/ HTTP/1.1\r\nx: y\r\n\r\n",
        ] {
            assert!(Message::parse(text.as_bytes()).unwrap().url().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_scheme_is_plain_on_loopback_only() {
        let url = |host: &str| {
            Message::parse(format!("GET /p?q=1 HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes())
                .unwrap()
                .url()
                .unwrap()
        };
        assert_eq!(url("sts.us-east-1.amazonaws.com"), "https://sts.us-east-1.amazonaws.com/p?q=1");
        assert_eq!(url("127.0.0.1:4566"), "http://127.0.0.1:4566/p?q=1");
        assert_eq!(url("127.0.0.1.example.com"), "https://127.0.0.1.example.com/p?q=1");
    }

    #[test]
    fn the_signed_message_is_the_same_message_with_more_headers() {
        for end in ["\r\n", "\n"] {
            let text = format!("POST / HTTP/1.1{end}Host: a{end}X-Thing:  b {end}{end}body\r\n\n");
            let message = Message::parse(text.as_bytes()).unwrap();
            let signed = [("host", "a"), ("x-thing", "b"), ("x-amz-date", "d"), ("authorization", "z")];
            let signed: Vec<_> = signed.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let expected = format!(
                "POST / HTTP/1.1{end}Host: a{end}X-Thing: b{end}x-amz-date: d{end}authorization: z{end}{end}body\r\n\n"
            );
            assert_eq!(String::from_utf8(message.with(&signed)).unwrap(), expected);
        }
    }

    #[test]
    fn cutting_or_flipping_any_byte_never_panics() {
        let text = b"POST https://a/x?y=z HTTP/1.1\r\nHost: a\r\ncontent-length: 2\r\n\r\nab";
        for at in 0..text.len() {
            for byte in [0, b'\r', b'\n', b':', b' ', 0xff] {
                let mut changed = text.to_vec();
                changed[at] = byte;
                for end in [at, text.len()] {
                    let _ = Message::parse(&changed[..end]).and_then(|message| message.url());
                }
            }
        }
    }
}
