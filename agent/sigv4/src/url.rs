//! A strict reading of the URL, as it goes on the wire (RFC 3986; nothing is repaired).

use crate::Error;

/// How the request travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear: only for the loopback endpoints that a configuration names.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// The parts of an absolute URL. `path` and `query` are the bytes of the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url<'a> {
    /// How it travels.
    pub scheme: Scheme,
    /// Host name or address, lower case, without port; an IPv6 address stands in brackets.
    pub host: String,
    /// Port, where the URL names one that is not the scheme's own.
    pub port: Option<u16>,
    /// Path, `/` where the URL has none.
    pub path: &'a str,
    /// Query without `?`; empty where the URL has none.
    pub query: &'a str,
}

impl<'a> Url<'a> {
    /// Reads an absolute `http` or `https` URL: no user information, no fragment, nothing that
    /// would have to be encoded first.
    pub fn parse(text: &'a str) -> Result<Self, Error> {
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::Url("holds a byte that must be percent-encoded"));
        }
        let (scheme, rest) = text.split_once("://").ok_or(Error::Url("is not absolute"))?;
        let scheme = match scheme {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(Error::Url("is neither http nor https")),
        };
        if rest.contains('#') {
            return Err(Error::Url("has a fragment"));
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let (host, port) = authority_parts(authority)?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let path = if path.is_empty() { "/" } else { path };
        check_path(path)?;
        check_query(query)?;
        let port = port.filter(|port| *port != scheme.default_port());
        Ok(Self { scheme, host: host.to_ascii_lowercase(), port, path, query })
    }

    /// The value of the `host` header (RFC 9110, 7.2): the scheme's own port is left out.
    #[must_use]
    pub fn host_header(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }
}

fn authority_parts(authority: &str) -> Result<(&str, Option<u16>), Error> {
    if authority.contains('@') {
        return Err(Error::Url("holds user information"));
    }
    let bracket = authority.rfind(']').map_or(0, |at| at + 1);
    let colon = authority.get(bracket..).and_then(|after| after.find(':')).map(|at| bracket + at);
    let (host, port) = match colon {
        Some(at) => (authority.get(..at), authority.get(at + 1..)),
        None => (Some(authority), None),
    };
    let host = host.filter(|host| is_host(host)).ok_or(Error::Url("has no sound host"))?;
    let port = match port {
        None => None,
        // No sign, no leading zero: one spelling a port.
        Some(digits) if digits.starts_with(|c: char| matches!(c, '1'..='9')) => {
            Some(digits.parse().map_err(|_| Error::Url("has no sound port"))?)
        }
        Some(_) => return Err(Error::Url("has no sound port")),
    };
    Ok((host, port))
}

/// A DNS name or IPv4 address of sound labels, or an IPv6 address in brackets.
fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= 253 && host.split('.').all(label)
}

/// `pchar` and `/` of RFC 3986, with whole percent escapes.
fn check_path(path: &str) -> Result<(), Error> {
    let sound = |b: u8| is_unreserved(b) || b"!$&'()*+,;=:@/%".contains(&b);
    if !path.bytes().all(sound) {
        return Err(Error::Url("holds a byte in its path that must be percent-encoded"));
    }
    escapes_are_whole(path)
}

/// As for the path, with `?`; `+` is refused, because it is a space to some and a plus to others.
/// Empty pairs are refused, because a canonical query has none.
fn check_query(query: &str) -> Result<(), Error> {
    let sound = |b: u8| is_unreserved(b) || b"!$&'()*,;=:@/?%".contains(&b);
    if query.contains('+') {
        return Err(Error::Url("holds a plus in its query: write %20 or %2B"));
    }
    if !query.bytes().all(sound) {
        return Err(Error::Url("holds a byte in its query that must be percent-encoded"));
    }
    if !query.is_empty() && query.split('&').any(str::is_empty) {
        return Err(Error::Url("holds an empty pair in its query"));
    }
    escapes_are_whole(query)?;
    // AWS decodes the query as text; other signers put a replacement for what is none.
    if query.contains('%') && std::str::from_utf8(&percent_decode(query)).is_err() {
        return Err(Error::Url("holds percent escapes in its query that are not utf-8"));
    }
    Ok(())
}

fn escapes_are_whole(text: &str) -> Result<(), Error> {
    let whole = |after: &str| {
        let mut digits = after.bytes();
        let mut digit = || digits.next().is_some_and(|b| b.is_ascii_hexdigit());
        digit() && digit()
    };
    if text.split('%').skip(1).all(whole) { Ok(()) } else { Err(Error::Url("holds a broken percent escape")) }
}

/// RFC 3986, 2.3.
pub(crate) const fn is_unreserved(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~')
}

/// Percent escapes undone; `+` stays a plus. A broken escape stays as it is.
pub(crate) fn percent_decode(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    loop {
        rest = match rest {
            [] => return out,
            [b'%', high, low, after @ ..] => match (hex_digit(*high), hex_digit(*low)) {
                (Some(high), Some(low)) => {
                    out.push(high << 4 | low);
                    after
                }
                _ => {
                    out.push(b'%');
                    rest.get(1..).unwrap_or_default()
                }
            },
            [byte, after @ ..] => {
                out.push(*byte);
                after
            }
        };
    }
}

const fn hex_digit(b: u8) -> Option<u8> {
    match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        b'A'..=b'F' => Some(b - b'A' + 10),
        _ => None,
    }
}
