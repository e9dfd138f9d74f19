//! What a request asks AWS to do, read only from what the signature covers: method, path, query,
//! `host`, signed headers and body.
//!
//! | service | how | name |
//! |---|---|---|
//! | `sts`, `iam` | query protocol: one `Action` in the query or in the form body | `iam:CreateAccessKey` |
//! | `sqs` | the same, or JSON: `x-amz-target: AmazonSQS.SetQueueAttributes` | `sqs:SetQueueAttributes` |
//! | `s3` | REST: see [`s3`] | `s3:PutBucketPolicy`, else `s3:PUT /bucket/key?query` |
//! | any other | | `lambda:GET /2015-03-31/functions/` |
//!
//! Where a request could mean two things it is refused, not guessed at.

mod s3;

use crate::url::percent_decode;
use crate::{Error, Request, Url, headers};

/// The action of a request.
pub(crate) fn name(
    request: &Request<'_>,
    url: &Url<'_>,
    given: &[(String, String)],
) -> Result<String, Error> {
    let target = headers::value(given, "x-amz-target");
    match (request.service, target) {
        ("s3", None) => s3::name(request, url, given),
        ("sqs", Some(target)) => json(request, url, given, target),
        ("sts" | "iam" | "sqs", None) => query(request, url, given),
        ("sts" | "iam" | "s3", Some(_)) => Err(Error::Action("this service takes no x-amz-target")),
        (_, Some(_) | None) => rest(request, url),
    }
}

/// A name for what cannot be decoded: method and path.
fn rest(request: &Request<'_>, url: &Url<'_>) -> Result<String, Error> {
    // What a server makes of `/a/../b` nobody can say: neither a rule nor a person could judge it.
    let mut segments = url.path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        let decoded = percent_decode(segment);
        if matches!(decoded.as_slice(), b"." | b"..") || (decoded.is_empty() && !last) {
            return Err(Error::Action("the path holds an empty segment, or one of dots"));
        }
    }
    Ok(format!("{}:{} {}", request.service, request.method, url.path))
}

/// AWS JSON: the operation stands in a header.
fn json(
    request: &Request<'_>,
    url: &Url<'_>,
    given: &[(String, String)],
    target: &str,
) -> Result<String, Error> {
    let json_body =
        headers::value(given, "content-type").is_some_and(|kind| kind == "application/x-amz-json-1.0");
    if request.method != "POST" || !json_body {
        return Err(Error::Action("x-amz-target goes with POST and content-type application/x-amz-json-1.0"));
    }
    if actions(url.query)?.next().is_some() {
        return Err(Error::Action("x-amz-target and Action stand side by side"));
    }
    let operation =
        target.strip_prefix("AmazonSQS.").ok_or(Error::Action("x-amz-target is not of this service"))?;
    named(request.service, operation)
}

/// AWS query: the operation is the parameter `Action`.
fn query(request: &Request<'_>, url: &Url<'_>, given: &[(String, String)]) -> Result<String, Error> {
    let body = request.body.unwrap_or_default();
    match request.method {
        "POST" if body.is_empty() => {}
        "POST" if headers::value(given, "content-type").is_some_and(is_form) => {}
        "POST" => {
            return Err(Error::Action("the body is not of content-type application/x-www-form-urlencoded"));
        }
        "GET" if body.is_empty() => {}
        "GET" => return Err(Error::Action("a GET brings a body")),
        _ => return Err(Error::Action("this service takes GET and POST")),
    }
    if request.service != "sqs" && url.path != "/" {
        return Err(Error::Action("this service has no path but /"));
    }
    let form = std::str::from_utf8(body).ok().filter(|text| text.bytes().all(|b| b.is_ascii_graphic()));
    let form = form.ok_or(Error::Action("the form holds a byte that must be percent-encoded"))?;
    let mut found = actions(url.query)?.chain(actions(form)?);
    match (found.next(), found.next()) {
        (Some((name, value)), None) if name == b"Action" => {
            let value = String::from_utf8(value).map_err(|_| NO_OPERATION)?;
            named(request.service, &value)
        }
        (Some(_), None) => Err(Error::Action("the parameter is spelt Action")),
        (Some(_), Some(_)) => Err(Error::Action("Action stands twice")),
        (None, _) => Err(Error::Action("there is no Action")),
    }
}

const NO_OPERATION: Error = Error::Action("the operation is not a word of letters and digits");

/// The pairs that a server, however lenient, could take for `Action`: name and value, decoded.
fn actions(text: &str) -> Result<impl Iterator<Item = (Vec<u8>, Vec<u8>)>, Error> {
    if text.contains(';') {
        return Err(Error::Action("a semicolon in parameters must be percent-encoded"));
    }
    let decoded = |part: &str| percent_decode(&part.replace('+', " "));
    Ok(text
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(move |(name, value)| (decoded(name), value))
        .filter(|(name, _)| name.trim_ascii().eq_ignore_ascii_case(b"Action"))
        .map(move |(name, value)| (name, decoded(value))))
}

fn is_form(content_type: &str) -> bool {
    let (kind, parameter) = content_type.split_once(';').unwrap_or((content_type, ""));
    kind.trim_ascii().eq_ignore_ascii_case("application/x-www-form-urlencoded")
        && matches!(parameter.trim_ascii().to_ascii_lowercase().as_str(), "" | "charset=utf-8")
}

fn named(service: &str, operation: &str) -> Result<String, Error> {
    let word = (1..=128).contains(&operation.len()) && operation.bytes().all(|b| b.is_ascii_alphanumeric());
    if word { Ok(format!("{service}:{operation}")) } else { Err(NO_OPERATION) }
}
