//! What AWS answers: status, headers, body, and what an error says. Pure.
//!
//! Errors are only shown, so they are read tolerantly: XML of the query and REST protocols, JSON of
//! the JSON protocols. Values that are used (session credentials, an account) are read strictly: the
//! element stands exactly once and holds text alone.

use http::HeaderMap;
use hyper::body::Bytes;
use serde_json::Value;
use signet_protocol::{Code, Refusal};

/// An answer, whatever its status.
#[derive(Debug)]
pub(crate) struct AwsAnswer {
    /// HTTP status.
    pub(crate) status: u16,
    /// Headers.
    pub(crate) headers: HeaderMap,
    /// Body.
    pub(crate) body: Bytes,
}

impl AwsAnswer {
    /// The answer, unless its status is 300 or above: that is `aws_error`, a redirect too.
    pub(crate) fn accepted(self) -> Result<Self, Refusal> {
        if self.status < 300 {
            return Ok(self);
        }
        let status = self.status;
        let (code, message) = self.error();
        let said = match (code, message) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => "no reason given".to_owned(),
        };
        Err(Refusal::bare(Code::AwsError, format!("aws answered {status}, {said}")))
    }

    /// `x-amzn-requestid`.
    pub(crate) fn request_id(&self) -> Option<String> {
        ["x-amzn-requestid", "x-amz-request-id"]
            .iter()
            .find_map(|name| self.headers.get(*name)?.to_str().ok())
            .map(str::to_owned)
    }

    /// The text of an element that must stand exactly once.
    pub(crate) fn element(&self, name: &str) -> Result<String, Refusal> {
        std::str::from_utf8(&self.body).ok().and_then(|text| element(text, name)).ok_or_else(|| {
            Refusal::bare(Code::AwsError, format!("the answer of aws is not understood: no {name} in it"))
        })
    }

    fn error(&self) -> (Option<String>, Option<String>) {
        let text = String::from_utf8_lossy(&self.body);
        if let Ok(Value::Object(object)) = serde_json::from_str(&text) {
            let member = |names: [&str; 3]| {
                names.iter().find_map(|name| object.get(*name)?.as_str()).map(str::to_owned)
            };
            // `namespace#Code:url` of the JSON protocols
            let code = member(["__type", "code", "Code"]).map(|code| {
                let code = code.rsplit('#').next().unwrap_or_default();
                code.split(':').next().unwrap_or_default().to_owned()
            });
            return (code, member(["message", "Message", "errorMessage"]));
        }
        (element(&text, "Code"), element(&text, "Message"))
    }
}

/// The text of `<name>…</name>`, if that stands exactly once and has no elements inside.
fn element(text: &str, name: &str) -> Option<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let (_, rest) = text.split_once(&open)?;
    let (inner, after) = rest.split_once(&close)?;
    if inner.contains('<') || after.contains(&open) {
        return None;
    }
    unescape(inner)
}

/// The five entities of XML 1.0 (section 4.6) and character references.
fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let (name, after) = after.split_once(';')?;
        out.push(match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            _ => char::from_u32(match name.strip_prefix("#x") {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => name.strip_prefix('#')?.parse().ok()?,
            })?,
        });
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn answer(status: u16, body: &str) -> AwsAnswer {
        AwsAnswer { status, headers: HeaderMap::new(), body: Bytes::from(body.to_owned()) }
    }

    #[test]
    fn an_element_that_is_not_exactly_one_text_is_none() {
        for body in [
            "",
            "<A>x",
            "x</A>",
            "<A><B>x</B></A>",
            "<A>x</A><A>y</A>",
            "<A>&bogus;</A>",
            "<A>&#xD800;</A>",
            "<A>&amp</A>",
            "<a>x</a>",
        ] {
            assert!(answer(200, body).element("A").is_err(), "{body}");
        }
        assert_eq!(answer(200, "<R><A>a&amp;b&#x2F;</A></R>").element("A").unwrap(), "a&b/");
    }

    #[test]
    fn an_error_is_told_with_code_and_message() {
        let told = |status, body: &str| answer(status, body).accepted().unwrap_err();
        let xml = "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error></ErrorResponse>";
        assert_eq!(told(403, xml).message, "aws answered 403, SignatureDoesNotMatch: no");
        let json = r#"{"__type":"com.amazon#AccessDenied:http://x","message":"no"}"#;
        assert_eq!(told(400, json).message, "aws answered 400, AccessDenied: no");
        assert_eq!(told(301, "").message, "aws answered 301, no reason given");
        assert_eq!(told(500, "[1]").code, Code::AwsError);
    }
}
