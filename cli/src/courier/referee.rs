//! The referee: before the agent is asked, the request is signed twice with a random secret that is
//! nobody's, by `signet-sigv4` and by AWS's own `aws-sigv4`; when the two differ, nothing is asked.
//!
//! A check of correctness, no boundary: it catches a request that our canonical form gets wrong
//! before a touch is spent on it. `aws-sigv4` panics on some input (a URL without a host, a header
//! that is not text); `signet_sigv4::prepare` refuses all of that, and stands before it here. What
//! `prepare` refuses is passed on to the agent all the same: it refuses too, and its log shall tell.

use super::Outgoing;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::identity::Identity;
use ring::rand::{SecureRandom, SystemRandom};
use signet_protocol::{Code, Refusal};
use signet_sigv4::{DateKey, Prepared, Request, UNSIGNED_HEADERS, authorization, date, given_date, prepare};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Access key id of the signatures that are compared; it belongs to nobody.
const NOBODY: &str = "AKIDREFEREE";

/// Refuses what the two would sign differently (`internal`).
pub(super) fn check(outgoing: &Outgoing) -> Result<(), Refusal> {
    match prepared(outgoing) {
        Ok(prepared) => compare(outgoing, &prepared),
        Err(_) => Ok(()),
    }
}

fn prepared(outgoing: &Outgoing) -> Result<Prepared, signet_sigv4::Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = date::from_unix(i64::try_from(now).unwrap_or(i64::MAX))?;
    let amz_date = given_date(&outgoing.headers)?.unwrap_or(&now);
    let request = Request {
        service: &outgoing.service,
        region: &outgoing.region,
        method: &outgoing.method,
        url: &outgoing.url,
        headers: &outgoing.headers,
        body: Some(&outgoing.body),
    };
    prepare(&request, amz_date)
}

fn compare(outgoing: &Outgoing, prepared: &Prepared) -> Result<(), Refusal> {
    let mut secret = [0_u8; 20];
    SystemRandom::new()
        .fill(&mut secret)
        .map_err(|_| Refusal::bare(Code::Internal, "there is no randomness"))?;
    let secret = signet_sigv4::sha256_hex(&secret);
    let signature = DateKey::derive(secret.as_bytes(), prepared.amz_date())
        .and_then(|key| key.sign(prepared))
        .map_err(|error| Refusal::bare(Code::Internal, error.to_string()))?;
    let ours = authorization(NOBODY, prepared, &signature);
    let theirs = theirs(outgoing, prepared, &secret)?;
    if ours == theirs {
        Ok(())
    } else {
        Err(Refusal::bare(
            Code::Internal,
            "signet and aws-sigv4 would sign this request differently: not asked",
        ))
    }
}

/// `authorization` as `aws-sigv4` computes it.
fn theirs(outgoing: &Outgoing, prepared: &Prepared, secret: &str) -> Result<String, Refusal> {
    let failed =
        |why: String| Refusal::bare(Code::Internal, format!("aws-sigv4 does not sign this request: {why}"));
    let mut settings = SigningSettings::default();
    settings.excluded_headers = Some(UNSIGNED_HEADERS.into_iter().map(Into::into).collect());
    if outgoing.service == "s3" {
        // S3 encodes a path once and takes it as it stands
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    }
    let has_hash = prepared.headers().iter().any(|(name, _)| name == "x-amz-content-sha256");
    if has_hash {
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    let seconds = date::to_unix(prepared.amz_date()).map_err(|error| failed(error.to_string()))?;
    let identity: Identity = Credentials::new(NOBODY, secret, None, None, "referee").into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(prepared.region())
        .name(prepared.service())
        .time(UNIX_EPOCH + Duration::from_secs(seconds.unsigned_abs()))
        .settings(settings)
        .build()
        .map_err(|error| failed(error.to_string()))?
        .into();
    // it adds these two itself, and would sign them twice
    let headers = prepared
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| !matches!(*name, "x-amz-date" | "x-amz-content-sha256"));
    let body = SignableBody::Bytes(&outgoing.body);
    let request = SignableRequest::new(&outgoing.method, outgoing.url.as_str(), headers, body)
        .map_err(|error| failed(error.to_string()))?;
    let (instructions, _) = sign(request, &params).map_err(|error| failed(error.to_string()))?.into_parts();
    let mut headers = instructions.headers();
    let found = headers.find(|(name, _)| *name == "authorization").map(|(_, value)| value.to_owned());
    found.ok_or_else(|| failed("it gives no authorization".to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn outgoing(service: &str, method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Outgoing {
        Outgoing {
            service: service.into(),
            region: "us-east-1".into(),
            method: method.into(),
            url: url.into(),
            headers: headers.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            body: body.into(),
        }
    }

    #[test]
    fn what_would_panic_aws_sigv4_never_reaches_it() {
        for url in ["", "/", "https:///x", "mailto:x", "https://h/\u{fc}", "https://a b/"] {
            let request = outgoing("sts", "GET", url, &[], "");
            assert!(prepared(&request).is_err(), "{url:?}");
            check(&request).unwrap();
        }
        for header in [("x", "\u{1}"), ("x y", "z"), ("x", "\u{fc}"), ("x-amz-date", "yesterday")] {
            let request = outgoing("sts", "GET", "https://h/", &[header], "");
            assert!(prepared(&request).is_err(), "{header:?}");
            check(&request).unwrap();
        }
    }

    #[test]
    fn the_two_agree_on_what_root_does() {
        let form = "Action=GetCallerIdentity&Version=2011-06-15";
        let kind = ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
        for request in [
            outgoing("sts", "POST", "https://sts.us-east-1.amazonaws.com/", &[kind], form),
            outgoing(
                "iam",
                "GET",
                "https://iam.amazonaws.com/?Action=ListAccessKeys&Version=2010-05-08",
                &[],
                "",
            ),
            outgoing(
                "s3",
                "GET",
                "https://bucket.s3.us-east-1.amazonaws.com/a%20b//../c?policy",
                &[("X-Amz-Mfa", "arn 123456")],
                "",
            ),
            outgoing(
                "s3",
                "PUT",
                "https://s3.us-east-1.amazonaws.com/bucket?versioning",
                &[("user-agent", "x")],
                "<x/>",
            ),
            outgoing(
                "sqs",
                "POST",
                "http://127.0.0.1:4566/queue/./a/../b",
                &[kind, ("X-Two", "a   b"), ("Connection", "close")],
                form,
            ),
            outgoing("lambda", "GET", "https://lambda.us-east-1.amazonaws.com/a%3Ab?z=1&a=%20&a=", &[], ""),
        ] {
            let prepared = prepared(&request).unwrap();
            compare(&request, &prepared).unwrap();
        }
    }

    #[test]
    fn a_difference_is_found() {
        let url = "https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15";
        let request = outgoing("sts", "GET", url, &[("x-thing", "a")], "");
        let prepared = prepared(&request).unwrap();
        let other = Outgoing { url: format!("{url}&Extra=1"), ..request.clone() };
        assert_eq!(compare(&other, &prepared).unwrap_err().code, Code::Internal);
        let other = Outgoing { body: b"x".to_vec(), ..request };
        assert_eq!(compare(&other, &prepared).unwrap_err().code, Code::Internal);
    }
}
