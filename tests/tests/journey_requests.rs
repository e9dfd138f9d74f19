//! Requests that are not signed: outside policy, to another host, of another time, with another body, or
//! smuggling something. Each is refused before the token is asked, is in the log, and reaches nobody.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod journey;

use journey::{Desk, IDENTITY, failure, raw, well_said};
use serde_json::{Value, json};
use signet_tests::harness::Ran;
use time::OffsetDateTime;
use time::macros::format_description;

/// SHA-256 of nothing.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// `x-amz-date`, some seconds from now.
fn amz_date(seconds: i64) -> String {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    (OffsetDateTime::now_utc() + time::Duration::seconds(seconds)).format(format).unwrap()
}

/// `signet request prod URL` with flags.
fn request(desk: &Desk, url: &str, flags: &[&str]) -> Ran {
    desk.signet.run(&[&["request", "prod", url, "-o", "json"], flags].concat())
}

/// Refused in the command line's words, without a question, and the card left alone.
#[track_caller]
fn refused(desk: &Desk, code: &str, url: &str, flags: &[&str]) -> Value {
    desk.card.clear_events();
    let asked = desk.signet.asked().len();
    let error = desk.refuses(77, code, |desk| request(desk, url, flags));
    assert_eq!(desk.signet.asked().len(), asked, "nothing is asked for what is not signed");
    assert_eq!(desk.card.events().apdus().count(), 0, "the token is left alone");
    error
}

const STS: [&str; 4] = ["--service", "sts", "--region", "us-east-1"];

#[test]
fn what_policy_does_not_name() {
    let desk = Desk::with_key();
    let url = desk.url("/");
    let delete = "Action=DeleteUser&UserName=alice&Version=2010-05-08";
    let error = refused(&desk, "denied", &url, &["--service", "iam", "--region", "us-east-1", "-d", delete]);
    assert!(error["message"].as_str().unwrap().contains("iam:DeleteUser"), "{error}");
    let last = desk.audit().pop().unwrap();
    assert_eq!((&last["action"], &last["key"]), (&json!("iam:DeleteUser"), &json!("prod")));

    // What is signed counts, not what is said of it.
    let assume = "Action=AssumeRole&RoleArn=x&RoleSessionName=y&Version=2011-06-15";
    let claim = [&STS[..], &["-d", assume, "--reason", "sts:GetCallerIdentity"]].concat();
    refused(&desk, "denied", &url, &claim);
    let list = ["--service", "s3", "--region", "us-east-1", "-X", "DELETE"];
    refused(&desk, "denied", &desk.url("/locked-bucket"), &list);
    // A name that is not that of the key's allowed action, though it begins like one.
    let longer = [&STS[..], &["-d", "Action=GetCallerIdentityX&Version=2011-06-15"]].concat();
    refused(&desk, "denied", &url, &longer);
    let session = [&STS[..], &["-d", "Action=GetSessionToken&Version=2011-06-15"]].concat();
    let error = refused(&desk, "denied", &url, &session);
    assert!(error["hint"].as_str().unwrap().contains("signet policy set prod"), "{error}");
    desk.works();
}

#[test]
fn a_body_that_is_not_the_one_that_was_hashed() {
    let desk = Desk::with_key();
    let header = |value: &str| format!("x-amz-content-sha256: {value}");
    let policy = ["--service", "s3", "--region", "us-east-1", "-X", "PUT", "-d", "{}", "-H"];
    for value in [
        EMPTY,
        "UNSIGNED-PAYLOAD",
        "unsigned-payload",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
        "nonsense",
        "",
    ] {
        let header = header(value);
        let flags = [&policy[..], &[&header]].concat();
        refused(&desk, "bad_request", &desk.url("/locked-bucket?policy"), &flags);
    }
    let header = header(EMPTY);
    let flags = [&STS[..], &["-d", IDENTITY, "-H", &header]].concat();
    refused(&desk, "bad_request", &desk.url("/"), &flags);
    desk.works();
}

#[test]
fn a_host_that_is_not_that_of_the_service_and_region() {
    let desk = Desk::with_key();
    for (url, service, region) in [
        ("https://iam.amazonaws.com/", "sts", "us-east-1"),
        ("https://sts.us-east-1.amazonaws.com/", "iam", "us-east-1"),
        ("https://sts.us-east-1.amazonaws.com/", "sts", "eu-west-1"),
        ("https://sts.eu-west-1.amazonaws.com/", "sts", "us-east-1"),
        ("https://sts.us-gov-west-1.amazonaws.com/", "sts", "us-gov-west-1"),
        ("https://sts.cn-north-1.amazonaws.com.cn/", "sts", "cn-north-1"),
        ("https://sts.us-east-1.amazonaws.com.evil.example/", "sts", "us-east-1"),
        ("https://evil.example/sts.us-east-1.amazonaws.com", "sts", "us-east-1"),
        ("https://sts.us-east-1.amazonaws.com:8443/", "sts", "us-east-1"),
        ("http://127.0.0.1:1/", "sts", "us-east-1"),
        ("https://169.254.169.254/", "sts", "us-east-1"),
    ] {
        let flags = ["--service", service, "--region", region, "-d", IDENTITY];
        refused(&desk, "bad_request", url, &flags);
    }
    desk.works();
}

#[test]
fn a_date_that_is_not_now() {
    let desk = Desk::with_key();
    for date in [amz_date(-300), amz_date(300), amz_date(-86_400), "yesterday".into(), "20261122".into()] {
        let header = format!("x-amz-date: {date}");
        refused(&desk, "bad_request", &desk.url("/"), &[&STS[..], &["-d", IDENTITY, "-H", &header]].concat());
    }
    // One within a minute is kept as it was given.
    let date = amz_date(-20);
    let header = format!("x-amz-date: {date}");
    let flags = [&STS[..], &["-d", IDENTITY, "-H", &header]].concat();
    let _identity = request(&desk, &desk.url("/"), &flags).ok();
    let sent = desk.sent().pop().unwrap();
    assert!(sent.headers.iter().any(|(name, value)| name == "x-amz-date" && *value == date), "{sent:?}");
}

#[test]
fn headers_twice_or_smuggled_and_urls_signed_already() {
    let desk = Desk::with_key();
    for headers in [
        &["x-amz-thing: a", "x-amz-thing: b"][..],
        &["X-Amz-Thing: a", "x-amz-thing: a"],
        &["x-amz-date: 20261122T000000Z", "x-amz-date: 20261122T000000Z"],
        &["host: sts.eu-west-1.amazonaws.com"],
        &["authorization: AWS4-HMAC-SHA256 Credential=x"],
        &["x-amz-security-token: x", "x-amz-security-token: y"],
        &["x-amz-thing: a\r\nx-amz-other: b"],
        &["x-amz-thing: a\nx-amz-other: b"],
        &["x-amz-thing\r\nx-amz-other: b"],
        &["x-amz thing: a"],
        &["x-amz-thing: a\u{1}"],
        &["x-amz-thing: \u{fc}"],
        &[": a"],
        &["content-length: 7"],
    ] {
        let headers = headers.iter().flat_map(|header| ["-H", header]);
        let flags: Vec<&str> = STS.into_iter().chain(["-d", IDENTITY]).chain(headers).collect();
        refused(&desk, "bad_request", &desk.url("/"), &flags);
    }
    for query in
        ["X-Amz-Signature=00", "X-Amz-Algorithm=AWS4-HMAC-SHA256", "x-amz-credential=a", "%58-Amz-Date=1"]
    {
        let url = desk.url(&format!("/?Action=GetCallerIdentity&Version=2011-06-15&{query}"));
        refused(&desk, "bad_request", &url, &STS);
    }
    desk.works();
}

#[test]
fn a_caller_who_speaks_to_the_socket_himself_gets_no_further() {
    let desk = Desk::with_key();
    let host = desk.aws.addr().to_string();
    let socket = desk.signet.socket();
    let edits: [fn(&mut Value); 17] = [
        |it| it["headers"] = json!([["host", "other"]]),
        |it| it["headers"] = json!([["authorization", "x"]]),
        |it| it["headers"] = json!([["a", "1"], ["A", "1"]]),
        |it| it["headers"] = json!([["a", "1\r\nb: 2"]]),
        |it| it["headers"] = json!([["a\r\nb", "1"]]),
        |it| it["headers"] = json!([["a: b", "1"]]),
        |it| it["headers"] = json!([["transfer-encoding", "chunked"], ["content-length", "1"]]),
        |it| it["headers"] = json!([["x-amz-content-sha256", "UNSIGNED-PAYLOAD"]]),
        |it| it["method"] = json!("POST / HTTP/1.1\r\nx: "),
        |it| it["method"] = json!(""),
        |it| it["url"] = json!(format!("{}a b", it["url"].as_str().unwrap())),
        |it| it["url"] = json!(format!("{}\r\nhost: x", it["url"].as_str().unwrap())),
        |it| it["url"] = json!(it["url"].as_str().unwrap().replace("http://", "http://u:p@")),
        |it| it["url"] = json!(format!("{}#x", it["url"].as_str().unwrap())),
        |it| it["service"] = json!("sts/us-east-1"),
        |it| it["body"] = Value::Null,
        |it| it["extra"] = json!(1),
    ];
    for (at, edit) in edits.into_iter().enumerate() {
        let (sent, lines) = (desk.sent().len(), desk.audit().len());
        let (status, answer) = raw::post(&socket, "/v1/uses", &raw::sign(&host, edit));
        assert!((400..500).contains(&status), "{at}: {status} {answer}");
        assert_eq!(answer["error"]["code"], "bad_request", "{at}: {answer}");
        well_said(&answer["error"]);
        desk.nothing_signed(sent, lines, "bad_request");
    }
    desk.works();
}

#[test]
fn messages_that_can_be_read_in_two_ways() {
    let desk = Desk::with_key();
    let host = desk.aws.addr();
    let length = IDENTITY.len();
    let kind = "content-type: application/x-www-form-urlencoded";
    for message in [
        format!("POST / HTTP/1.1\r\nhost: {host}\r\nhost: {host}\r\n{kind}\r\n\r\n{IDENTITY}"),
        format!("POST / HTTP/1.1\r\nhost: {host}\r\n{kind}\r\ncontent-length: 3\r\n\r\n{IDENTITY}"),
        format!("POST / HTTP/1.1\r\nhost: {host}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("POST / HTTP/1.1\r\nhost: {host}\n{kind}\r\n\r\n{IDENTITY}"),
        format!("POST / HTTP/1.1\r\nhost: {host}\r\nx-a: b\r\n c\r\n{kind}\r\n\r\n{IDENTITY}"),
        format!("POST / HTTP/1.1\r\nhost: {host}\r\nauthorization: x\r\n{kind}\r\n\r\n{IDENTITY}"),
        format!("POST / HTTP/1.0\r\nhost: {host}\r\n{kind}\r\n\r\n{IDENTITY}"),
        format!("POST http://other/ HTTP/1.1\r\nhost: {host}\r\n{kind}\r\n\r\n{IDENTITY}"),
    ] {
        let lines = desk.audit().len();
        let sign = [&["sign", "prod", "-o", "json"], &STS[..]].concat();
        let error = failure(&desk.signet.run_with(&sign, message.as_bytes()), 77, "bad_request");
        assert!(error["hint"].is_string(), "{message:?}");
        // What is no one message is no request either: the agent never hears of it.
        assert!(desk.audit().iter().skip(lines).all(|line| line["result"] != "signed"));
    }
    let good =
        format!("POST / HTTP/1.1\r\nhost: {host}\r\n{kind}\r\ncontent-length: {length}\r\n\r\n{IDENTITY}");
    let signed = desk.signet.run_with(&[&["sign", "prod"], &STS[..]].concat(), good.as_bytes()).ok();
    assert!(signed.contains("authorization: AWS4-HMAC-SHA256 Credential="), "{signed}");
    assert!(signed.ends_with(IDENTITY));
}
