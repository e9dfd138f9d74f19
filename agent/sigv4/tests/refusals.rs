//! What may not be signed: each wrong thing once, with the error it gets.

#![allow(clippy::unwrap_used)]

use signet_sigv4::{DateKey, Error, Request, given_date, prepare, sha256_hex};

const DATE: &str = "20261122T170341Z";
const FORM: &str = "Action=GetCallerIdentity&Version=2011-06-15";

type Headers = Vec<(String, String)>;

fn headers(list: &[(&str, &str)]) -> Headers {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A sound request to STS, changed by the test.
fn sts(change: impl FnOnce(&mut Headers, &mut Request<'_>)) -> Result<String, Error> {
    let mut given = headers(&[("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")]);
    let mut request = Request {
        service: "sts",
        region: "us-east-1",
        method: "POST",
        url: "https://sts.us-east-1.amazonaws.com/",
        headers: &[],
        body: Some(FORM.as_bytes()),
    };
    change(&mut given, &mut request);
    prepare(&Request { headers: &given, ..request }, DATE).map(|prepared| prepared.canonical().to_owned())
}

/// A sound request to S3, with more headers and another body.
fn s3(more: &[(&str, &str)], body: Option<&[u8]>) -> Result<String, Error> {
    let given = headers(more);
    let request = Request {
        service: "s3",
        region: "us-east-1",
        method: "PUT",
        url: "https://s3.us-east-1.amazonaws.com/bucket?policy",
        headers: &given,
        body,
    };
    prepare(&request, DATE).map(|prepared| prepared.canonical().to_owned())
}

fn with_header(name: &str, value: &str) -> Result<String, Error> {
    sts(|headers, _| headers.push((name.to_owned(), value.to_owned())))
}

#[test]
fn the_unchanged_request_is_sound() {
    let hash = sha256_hex(FORM.as_bytes());
    let wanted = format!(
        "POST\n/\n\ncontent-type:application/x-www-form-urlencoded; charset=utf-8\n\
         host:sts.us-east-1.amazonaws.com\nx-amz-date:{DATE}\n\ncontent-type;host;x-amz-date\n{hash}"
    );
    assert_eq!(sts(|_, _| {}), Ok(wanted));
}

#[test]
fn urls() {
    for (url, why) in [
        ("", "is not absolute"),
        ("/", "is not absolute"),
        ("sts.us-east-1.amazonaws.com/", "is not absolute"),
        ("ftp://sts.us-east-1.amazonaws.com/", "is neither http nor https"),
        ("HTTPS://sts.us-east-1.amazonaws.com/", "is neither http nor https"),
        ("https://", "has no sound host"),
        ("https:///path", "has no sound host"),
        ("https://user@sts.us-east-1.amazonaws.com/", "holds user information"),
        ("https://sts.us-east-1.amazonaws.com:443@evil.example/", "holds user information"),
        ("https://sts.us-east-1.amazonaws.com/#top", "has a fragment"),
        ("https://sts.us-east-1.amazonaws.com#/", "has a fragment"),
        ("https://sts..amazonaws.com/", "has no sound host"),
        ("https://sts.us-east-1.amazonaws.com./", "has no sound host"),
        ("https://sts_x.amazonaws.com/", "has no sound host"),
        ("https://-x.amazonaws.com/", "has no sound host"),
        ("https://evil.example%2famazonaws.com/", "has no sound host"),
        ("https://evil.example\\.amazonaws.com/", "has no sound host"),
        ("https://[::1/", "has no sound host"),
        ("https://[::x]/", "has no sound host"),
        ("https://sts.us-east-1.amazonaws.com:/", "has no sound port"),
        ("https://sts.us-east-1.amazonaws.com:0/", "has no sound port"),
        ("https://sts.us-east-1.amazonaws.com:+443/", "has no sound port"),
        ("https://sts.us-east-1.amazonaws.com:0443/", "has no sound port"),
        ("https://sts.us-east-1.amazonaws.com:65536/", "has no sound port"),
        ("https://sts.us-east-1.amazonaws.com/\r\nx: y", "holds a byte that must be percent-encoded"),
        ("https://sts.us-east-1.amazonaws.com/\0", "holds a byte that must be percent-encoded"),
        ("https://sts.us-east-1.amazonaws.com/a b", "holds a byte that must be percent-encoded"),
        ("https://sts.us-east-1.amazonaws.com/é", "holds a byte that must be percent-encoded"),
        ("https://sts.us-east-1.amazonaws.com/{a}", "holds a byte in its path that must be percent-encoded"),
        ("https://sts.us-east-1.amazonaws.com/%", "holds a broken percent escape"),
        ("https://sts.us-east-1.amazonaws.com/%4", "holds a broken percent escape"),
        ("https://sts.us-east-1.amazonaws.com/%4g", "holds a broken percent escape"),
        ("https://sts.us-east-1.amazonaws.com/?a=b+c", "holds a plus in its query: write %20 or %2B"),
        (
            "https://sts.us-east-1.amazonaws.com/?a=<",
            "holds a byte in its query that must be percent-encoded",
        ),
        ("https://sts.us-east-1.amazonaws.com/?a&&b", "holds an empty pair in its query"),
        ("https://sts.us-east-1.amazonaws.com/?a=%zz", "holds a broken percent escape"),
        (
            "https://sts.us-east-1.amazonaws.com/?a=%ff",
            "holds percent escapes in its query that are not utf-8",
        ),
    ] {
        assert_eq!(sts(|_, request| request.url = url), Err(Error::Url(why)), "{url}");
    }
}

#[test]
fn methods_and_scopes() {
    for method in ["", "post", "PO ST", "POST\r\n", "P\u{d6}ST"] {
        assert_eq!(sts(|_, request| request.method = method), Err(Error::Method), "{method:?}");
    }
    for word in ["", "STS", "sts/us-east-1", "s ts", "sts\n", "\u{17f}ts"] {
        assert!(matches!(sts(|_, request| request.service = word), Err(Error::Scope(_))), "{word:?}");
        assert!(matches!(sts(|_, request| request.region = word), Err(Error::Scope(_))), "{word:?}");
    }
}

#[test]
fn headers_that_cannot_go_on_the_wire() {
    for name in ["", "a b", "a:b", "x\r\ny", "\u{e9}", "a\0"] {
        assert!(matches!(with_header(name, "v"), Err(Error::Header { .. })), "{name:?}");
    }
    for value in ["a\r\nx-amz-target: b", "a\n b", "\0", "\t", "\u{e9}", "\u{7f}"] {
        assert!(matches!(with_header("x-note", value), Err(Error::Header { .. })), "{value:?}");
    }
}

#[test]
fn headers_that_are_smuggled() {
    for name in ["Host", "authorization", "Proxy-Authorization", "X-Amz-Security-Token"] {
        assert_eq!(with_header(name, "x"), Err(Error::ReservedHeader(name.to_lowercase())), "{name}");
    }
    let twice = sts(|given, _| given.extend(headers(&[("x-note", "1"), ("X-Note", "1")])));
    assert_eq!(twice, Err(Error::DuplicateHeader("x-note".into())));
    let content_type = with_header("content-TYPE", "application/x-www-form-urlencoded");
    assert_eq!(content_type, Err(Error::DuplicateHeader("content-type".into())));
}

#[test]
fn presigned_queries() {
    for query in [
        "X-Amz-Signature=00",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256",
        "x-amz-security-token=t",
        "a=b&X-Amz-Expires=604800",
        "X%2DAmz-Date=20261122T170341Z",
        "AWSAccessKeyId=AKIDEXAMPLE",
    ] {
        let url = format!("https://sts.us-east-1.amazonaws.com/?{query}");
        let refused = sts(|_, request| request.url = Box::leak(url.into_boxed_str()));
        assert!(matches!(refused, Err(Error::PresignedQuery(_))), "{query}");
    }
}

#[test]
fn dates() {
    assert_eq!(with_header("X-Amz-Date", "20261122T170342Z"), Err(Error::DateMismatch));
    assert!(with_header("X-Amz-Date", DATE).is_ok());
    let request = Request {
        service: "s3",
        region: "r",
        method: "GET",
        url: "https://x.example/",
        headers: &[],
        body: Some(b""),
    };
    for date in ["", "20261122", "20261122T170341", "20261322T170341Z", "now"] {
        assert_eq!(prepare(&request, date), Err(Error::Date), "{date}");
    }
    assert_eq!(given_date(&headers(&[("x-note", "1")])), Ok(None));
    assert_eq!(given_date(&headers(&[("X-Amz-Date", DATE)])), Ok(Some(DATE)));
    assert_eq!(given_date(&headers(&[("x-amz-date", "yesterday")])), Err(Error::Date));
    let twice = headers(&[("x-amz-date", DATE), ("X-AMZ-DATE", DATE)]);
    assert_eq!(given_date(&twice), Err(Error::DuplicateHeader("x-amz-date".into())));
}

#[test]
fn a_key_signs_for_its_own_date_only() {
    let given = headers(&[]);
    let request = Request {
        service: "s3",
        region: "r",
        method: "GET",
        url: "https://x.example/",
        headers: &given,
        body: Some(b""),
    };
    let prepared = prepare(&request, DATE).unwrap();
    assert_eq!(DateKey::derive(b"secret", "20261121").unwrap().sign(&prepared), Err(Error::DateMismatch));
    for date in ["", "2026", "20261301", "2026\u{e9}\u{e9}"] {
        assert!(DateKey::derive(b"secret", date).is_err(), "{date}");
    }
}

#[test]
fn payloads() {
    let hash = sha256_hex(b"body");
    let upper = hash.to_uppercase();
    let sha = "x-amz-content-sha256";
    for (more, body, wanted) in [
        (vec![(sha, "UNSIGNED-PAYLOAD")], Some("body"), Error::UnsignedPayload),
        (vec![(sha, "UNSIGNED-PAYLOAD")], None, Error::UnsignedPayload),
        (vec![(sha, "STREAMING-UNSIGNED-PAYLOAD-TRAILER")], Some("body"), Error::UnsignedPayload),
        (vec![(sha, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")], Some("body"), Error::StreamingPayload),
        (vec![(sha, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")], None, Error::StreamingPayload),
        (vec![("Content-Encoding", "gzip, AWS-Chunked")], Some("body"), Error::StreamingPayload),
        (vec![("x-amz-decoded-content-length", "4")], Some("body"), Error::StreamingPayload),
        (vec![("x-amz-trailer", "x-amz-checksum-crc32")], Some("body"), Error::StreamingPayload),
        (vec![(sha, hash.as_str())], Some("other"), Error::PayloadHash),
        (vec![(sha, upper.as_str())], Some("body"), Error::PayloadHash),
        (vec![(sha, "")], Some("body"), Error::PayloadHash),
        (vec![(sha, "unsigned-payload")], Some("body"), Error::PayloadHash),
        (vec![], None, Error::BodyMissing),
        (vec![("content-length", "5")], Some("body"), Error::Length),
        (vec![("content-length", "+4")], Some("body"), Error::Length),
        (vec![("content-length", "")], Some("body"), Error::Length),
        (vec![("content-length", "4"), ("Transfer-Encoding", "chunked")], Some("body"), Error::Length),
    ] {
        assert_eq!(s3(&more, body.map(str::as_bytes)), Err(wanted), "{more:?}");
    }
    assert_eq!(s3(&[(sha, &hash)], None), s3(&[], Some(b"body")));
    assert!(s3(&[("content-length", "4")], Some(b"body")).is_ok());
    // Only S3 names its action without the body.
    let form = sha256_hex(FORM.as_bytes());
    let no_body = sts(|given, request| {
        given.extend(headers(&[(sha, &form)]));
        request.body = None;
    });
    assert_eq!(no_body, Err(Error::BodyMissing));
}

/// Headers that are not signed reach the wire as they are, and are no part of what is signed.
#[test]
fn unsigned_headers_are_sent() {
    let given = headers(&[("User-Agent", "x  y"), ("Connection", "close"), ("X-Note", " a  b ")]);
    let request = Request {
        service: "s3",
        region: "us-east-1",
        method: "GET",
        url: "https://S3.amazonaws.com",
        headers: &given,
        body: Some(b""),
    };
    let prepared = prepare(&request, DATE).unwrap();
    assert_eq!(prepared.signed_headers(), "host;x-amz-content-sha256;x-amz-date;x-note");
    assert_eq!(prepared.host(), "s3.amazonaws.com");
    let sent: Vec<&str> = prepared.headers().iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(sent, ["user-agent", "connection", "x-note", "x-amz-date", "x-amz-content-sha256", "host"]);
}
