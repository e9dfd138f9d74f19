//! The canonical request, exactly as the specification has it and as lenient: repeated headers are
//! joined, odd bytes encoded. What may not be signed at all is refused before, by
//! [`crate::prepare()`].

use crate::url::{is_unreserved, percent_decode};
use std::borrow::Cow;

/// What becomes of the path. AWS wants [`PathRule::S3`] of S3 and [`PathRule::OTHERS`] of every
/// other service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathRule {
    /// Remove `.`, `..` and empty segments (RFC 3986, 5.2.4).
    pub normalise: bool,
    /// Percent-encode the path of the wire once more.
    pub encode_again: bool,
}

impl PathRule {
    /// As it goes on the wire.
    pub const S3: Self = Self { normalise: false, encode_again: false };
    /// Normalised and encoded twice.
    pub const OTHERS: Self = Self { normalise: true, encode_again: true };
}

/// What a canonical request is made of.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// HTTP method.
    pub method: &'a str,
    /// Path of the wire.
    pub path: &'a str,
    /// What becomes of it.
    pub path_rule: PathRule,
    /// Query of the wire, without `?`.
    pub query: &'a str,
    /// The headers to be signed, names in lower case, in the order of the wire.
    pub headers: &'a [(&'a str, &'a str)],
    /// Hex SHA-256 of the payload.
    pub payload_sha256: &'a str,
}

/// A canonical request and the list of headers it signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canonical {
    /// The canonical request.
    pub text: String,
    /// `host;x-amz-date;…`.
    pub signed_headers: String,
}

/// Builds the canonical request.
#[must_use]
pub fn canonical(parts: &Parts<'_>) -> Canonical {
    let mut headers = parts.headers.to_vec();
    // Stable: repeated headers keep the order of the wire.
    headers.sort_by_key(|(name, _)| *name);
    let mut signed_headers = String::with_capacity(16 * headers.len());
    let mut text = String::with_capacity(256 + parts.path.len() + parts.query.len() + 64 * headers.len());
    text.push_str(parts.method);
    text.push('\n');
    push_path(&mut text, parts.path, parts.path_rule);
    text.push('\n');
    push_query(&mut text, parts.query);
    let mut previous = "";
    for (name, value) in headers {
        if name == previous {
            text.push(',');
        } else {
            text.push('\n');
            text.push_str(name);
            text.push(':');
            if !signed_headers.is_empty() {
                signed_headers.push(';');
            }
            signed_headers.push_str(name);
            previous = name;
        }
        push_folded(&mut text, value);
    }
    text.push_str("\n\n");
    text.push_str(&signed_headers);
    text.push('\n');
    text.push_str(parts.payload_sha256);
    Canonical { text, signed_headers }
}

fn push_path(out: &mut String, path: &str, rule: PathRule) {
    let path = if rule.normalise { normalised(path) } else { Cow::Borrowed(path) };
    let path = if path.is_empty() { "/" } else { &path };
    if rule.encode_again {
        push_encoded(out, path.as_bytes(), b"/");
    } else {
        out.push_str(path);
    }
}

/// RFC 3986, 5.2.4; AWS drops empty segments too.
fn normalised(path: &str) -> Cow<'_, str> {
    if !path.contains("//") && !path.contains("/.") {
        return Cow::Borrowed(path);
    }
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            name => kept.push(name),
        }
    }
    let open_end = matches!(path.rsplit('/').next(), Some("" | "." | ".."));
    let mut out = String::with_capacity(path.len());
    for name in &kept {
        out.push('/');
        out.push_str(name);
    }
    if open_end || out.is_empty() {
        out.push('/');
    }
    Cow::Owned(out)
}

/// Pairs decoded, encoded in AWS's one way, sorted by encoded name and then value.
fn push_query(out: &mut String, query: &str) {
    if query.is_empty() {
        return;
    }
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (encoded_once(name), encoded_once(value)))
        .collect();
    pairs.sort_unstable();
    for (at, (name, value)) in pairs.iter().enumerate() {
        if at > 0 {
            out.push('&');
        }
        out.push_str(name);
        out.push('=');
        out.push_str(value);
    }
}

fn encoded_once(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_encoded(&mut out, &percent_decode(text), b"");
    out
}

/// Everything but RFC 3986's unreserved bytes and `kept` as `%XX`, capital hex.
fn push_encoded(out: &mut String, bytes: &[u8], kept: &[u8]) {
    let digit = |nibble: u8| char::from(if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 });
    for &b in bytes {
        if is_unreserved(b) || kept.contains(&b) {
            out.push(char::from(b));
        } else {
            out.extend(['%', digit(b >> 4), digit(b & 15)]);
        }
    }
}

/// Trimmed, and runs of white space as one space.
fn push_folded(out: &mut String, value: &str) {
    for (at, word) in value.split_ascii_whitespace().enumerate() {
        if at > 0 {
            out.push(' ');
        }
        out.push_str(word);
    }
}
