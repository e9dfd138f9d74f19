//! Random requests, signed by us and by `aws_sigv4::http_request::sign`: ten thousand, no
//! difference.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use proptest::collection::vec;
use proptest::prelude::*;
use signet_sigv4::{DateKey, Request, UNSIGNED_HEADERS, authorization, date, prepare, sha256_hex};
use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

#[derive(Debug, Clone)]
struct Case {
    service: &'static str,
    region: String,
    method: &'static str,
    url: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    seconds: i64,
    secret: String,
}

/// One segment of a path: every byte that may stand there, escapes, dots.
fn segment() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "([A-Za-z0-9._~!$&'()*+,;=:@-]|%[2-7][0-9A-Fa-f]){1,12}",
        1 => Just(".".to_owned()),
        1 => Just("..".to_owned()),
        1 => Just(String::new()),
    ]
}

/// Names and values of a query; escapes are those of UTF-8 text.
fn pair() -> impl Strategy<Value = String> {
    let text = "([A-Za-z0-9._~!$'()*,:@/?-]|%[2-7][0-9A-Fa-f]|%C3%A9|%e1%88%b4){1,10}";
    (text, prop_oneof![Just(String::new()), Just("=".to_owned()), text.prop_map(|value| format!("={value}"))])
        .prop_map(|(name, value)| name + &value)
}

fn header_map() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof![
        6 => "[a-z][a-z0-9-]{0,12}",
        2 => "X-Amz-Meta-[A-Za-z]{1,8}",
        1 => Just("User-Agent".to_owned()),
        1 => Just("Connection".to_owned()),
        1 => Just("X-Amzn-Trace-Id".to_owned()),
    ];
    vec((name, "[ -~]{0,40}"), 0..6).prop_map(|mut pairs| {
        let taken = ["host", "te", "content-length", "content-type", "content-encoding", "authorization"];
        // Names of headers are case-blind (RFC 9110, 5.1): a name in two spellings is one name twice, and refused.
        let mut seen: BTreeSet<String> = taken.into_iter().map(Into::into).collect();
        pairs.retain(|(name, _)| seen.insert(name.to_ascii_lowercase()));
        pairs
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..200)
}

fn case() -> impl Strategy<Value = Case> {
    let shape = prop_oneof![
        // S3: neither normalised nor encoded again; with the body, or with its hash.
        (vec(segment(), 0..5), vec(pair(), 0..4), body(), any::<bool>()).prop_map(
            |(segments, pairs, body, hash)| {
                let hash = hash.then(|| ("x-amz-content-sha256".to_owned(), sha256_hex(&body)));
                let path = format!("/some-bucket/{}", segments.join("/"));
                ("s3", "PUT", path, pairs, hash, body)
            }
        ),
        // SQS in the query form: any path, the action in the query.
        (vec(segment(), 1..5), vec(pair(), 0..4)).prop_map(|(segments, mut pairs)| {
            pairs.push("Action=GetQueueAttributes".to_owned());
            ("sqs", "GET", format!("/{}", segments.join("/")), pairs, None, Vec::new())
        }),
        // IAM: the action in the body.
        (vec(pair(), 0..4), "[A-Za-z0-9=&%-]{0,30}").prop_map(|(pairs, more)| {
            let form =
                ("content-type".to_owned(), "application/x-www-form-urlencoded; charset=utf-8".to_owned());
            let body = format!("Action=ListAccessKeys&Version=2010-05-08&X{more}");
            ("iam", "POST", "/".to_owned(), pairs, Some(form), body.into_bytes())
        }),
        // A service without a decoder; empty path too.
        (vec("[A-Za-z0-9_~!$&'()*+,;=:@%-]{1,12}", 0..4), vec(pair(), 0..4), body()).prop_map(
            |(segments, pairs, body)| {
                let path = segments.iter().map(|one| format!("/{}", one.replace('%', "%2F"))).collect();
                ("lambda", "POST", path, pairs, None, body)
            }
        ),
    ];
    let port = prop_oneof![Just(""), Just(":443"), Just(":8443")];
    (shape, header_map(), 0..4_000_000_000_i64, "[!-~]{1,100}", "[a-z]{2}-[a-z]{4,9}-[1-9]", port).prop_map(
        |((service, method, path, pairs, extra, body), mut headers, seconds, secret, region, port)| {
            headers.extend(extra);
            let query = if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) };
            let url = format!("https://service.example{port}{path}{query}");
            Case { service, region, method, url, headers, body, seconds, secret }
        },
    )
}

fn theirs(case: &Case, prepared: &signet_sigv4::Prepared) -> (String, String) {
    let s3 = case.service == "s3";
    let mut settings = SigningSettings::default();
    settings.excluded_headers = Some(UNSIGNED_HEADERS.into_iter().map(Into::into).collect());
    if s3 {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    }
    let identity: Identity = Credentials::new("AKIDEXAMPLE", &case.secret, None, None, "test").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(&case.region)
        .name(case.service)
        .time(UNIX_EPOCH + Duration::from_secs(case.seconds.unsigned_abs()))
        .settings(settings)
        .build()
        .unwrap()
        .into();
    // It adds these itself.
    let headers = prepared.headers().iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let headers =
        headers.filter(|(name, _)| *name != "x-amz-date" && !(s3 && *name == "x-amz-content-sha256"));
    let body = SignableBody::Bytes(&case.body);
    let request = SignableRequest::new(case.method, &case.url, headers, body).unwrap();
    let (instructions, signature) = sign(request, &params).unwrap().into_parts();
    let authorization =
        instructions.headers().find(|(name, _)| *name == "authorization").unwrap().1.to_owned();
    (signature, authorization)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ten_thousand_random_requests(case in case()) {
        let amz_date = date::from_unix(case.seconds).unwrap();
        let request = Request {
            service: case.service,
            region: &case.region,
            method: case.method,
            url: &case.url,
            headers: &case.headers,
            // Where the hash is given, we get nothing else.
            body: (!case.headers.iter().any(|(name, _)| name == "x-amz-content-sha256")).then_some(&case.body),
        };
        let prepared = prepare(&request, &amz_date).expect("the generator makes sound requests only");
        let signature = DateKey::derive(case.secret.as_bytes(), &amz_date).unwrap().sign(&prepared).unwrap();
        let ours = authorization("AKIDEXAMPLE", &prepared, &signature);
        prop_assert_eq!((signature, ours), theirs(&case, &prepared), "{}", prepared.canonical());
    }
    /// Whatever comes, the answer is a value: nothing panics, and what is prepared can be signed.
    #[test]
    fn any_input_gets_an_answer(
        service in prop_oneof!["s3|sts|iam|sqs|lambda", any::<String>()],
        region in prop_oneof![Just("us-east-1".to_owned()), any::<String>()],
        method in prop_oneof!["GET|PUT|POST|DELETE", any::<String>()],
        url in prop_oneof!["https?://[a-z0-9.:@\\[\\]-]{0,20}[/?#][ -~]{0,40}", any::<String>()],
        headers in vec(("[A-Za-z0-9-]{0,20}|x-amz-date|x-amz-target|content-length", any::<String>()), 0..4),
        body in proptest::option::of(prop_oneof!["[A-Za-z=&%;+]{0,40}", any::<String>()]),
        date in prop_oneof!["[0-9]{8}T[0-9]{6}Z", any::<String>()],
    ) {
        let body = body.as_deref().map(str::as_bytes);
        let request = Request { service: &service, region: &region, method: &method, url: &url, headers: &headers, body };
        if let Ok(prepared) = prepare(&request, &date) {
            prop_assert!(DateKey::derive(b"secret", &date).unwrap().sign(&prepared).is_ok());
        }
        let anywhere = signet_sigv4::endpoint::check(&request, signet_sigv4::endpoint::Partition::Aws, &[]);
        prop_assert!(anywhere.is_err() || url.contains(".amazonaws.com") || url.contains(".api.aws"));
    }
}
