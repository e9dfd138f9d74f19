//! Our signing beside `aws-sigv4` and beside the bare chain of `ring` (two SHA-256, four or five
//! HMACs over ready strings): `GetCallerIdentity` at STS, 43 bytes of body. The figures that count
//! are the ratios of one run.

#![allow(clippy::unwrap_used, missing_docs)]

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use criterion::{Criterion, criterion_group, criterion_main};
use ring::{digest, hmac};
use signet_sigv4::{DateKey, Request, authorization, prepare, string_to_sign};
use std::hint::black_box;
use std::time::{Duration, UNIX_EPOCH};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const AMZ_DATE: &str = "20261122T170341Z";
const SECONDS: u64 = 1_795_367_021;
const URL: &str = "https://sts.us-east-1.amazonaws.com/";
const BODY: &[u8] = b"Action=GetCallerIdentity&Version=2011-06-15";
const CONTENT_TYPE: &str = "application/x-www-form-urlencoded; charset=utf-8";

fn chain(key: &[u8], words: &[&[u8]]) -> hmac::Tag {
    let first = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), words.first().unwrap());
    words
        .iter()
        .skip(1)
        .fold(first, |key, word| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()), word))
}

fn benches(c: &mut Criterion) {
    let headers = vec![("content-type".to_owned(), CONTENT_TYPE.to_owned())];
    let request = Request {
        service: "sts",
        region: "us-east-1",
        method: "POST",
        url: URL,
        headers: &headers,
        body: Some(BODY),
    };
    let date_key = DateKey::derive(SECRET.as_bytes(), AMZ_DATE).unwrap();
    let prepared = prepare(&request, AMZ_DATE).unwrap();
    let to_sign = string_to_sign(&prepared);
    let mut group = c.benchmark_group("sigv4");

    group.bench_function("ring chain, key derived", |b| {
        let prefixed = format!("AWS4{SECRET}");
        let words: [&[u8]; 5] = [b"20261122", b"us-east-1", b"sts", b"aws4_request", to_sign.as_bytes()];
        b.iter(|| {
            black_box(digest::digest(&digest::SHA256, black_box(BODY)));
            black_box(digest::digest(&digest::SHA256, black_box(prepared.canonical().as_bytes())));
            chain(black_box(prefixed.as_bytes()), &words)
        });
    });
    group.bench_function("ring chain, from the date key", |b| {
        let words: [&[u8]; 4] = [b"us-east-1", b"sts", b"aws4_request", to_sign.as_bytes()];
        b.iter(|| {
            black_box(digest::digest(&digest::SHA256, black_box(BODY)));
            black_box(digest::digest(&digest::SHA256, black_box(prepared.canonical().as_bytes())));
            chain(black_box(&[7; 32]), &words)
        });
    });
    group.bench_function("ring chain, signing key given", |b| {
        b.iter(|| {
            black_box(digest::digest(&digest::SHA256, black_box(BODY)));
            black_box(digest::digest(&digest::SHA256, black_box(prepared.canonical().as_bytes())));
            chain(black_box(&[7; 32]), &[to_sign.as_bytes()])
        });
    });
    group.bench_function("signet, key derived", |b| {
        b.iter(|| {
            let prepared = prepare(black_box(&request), AMZ_DATE).unwrap();
            let key = DateKey::derive(black_box(SECRET.as_bytes()), AMZ_DATE).unwrap();
            authorization("AKIDEXAMPLE", &prepared, &key.sign(&prepared).unwrap())
        });
    });
    group.bench_function("signet, from the date key", |b| {
        b.iter(|| {
            let prepared = prepare(black_box(&request), AMZ_DATE).unwrap();
            authorization("AKIDEXAMPLE", &prepared, &date_key.sign(&prepared).unwrap())
        });
    });
    group.bench_function("signet, prepare only", |b| {
        b.iter(|| prepare(black_box(&request), AMZ_DATE).unwrap());
    });
    group.bench_function("aws-sigv4", |b| {
        let identity: Identity = Credentials::new("AKIDEXAMPLE", SECRET, None, None, "bench").into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name("sts")
            .time(UNIX_EPOCH + Duration::from_secs(SECONDS))
            .settings(SigningSettings::default())
            .build()
            .unwrap()
            .into();
        b.iter(|| {
            let headers = [("content-type", CONTENT_TYPE)].into_iter();
            let request =
                SignableRequest::new("POST", black_box(URL), headers, SignableBody::Bytes(BODY)).unwrap();
            sign(request, &params).unwrap()
        });
    });

    let large = vec![b'x'; 1 << 20];
    let s3 = Request {
        service: "s3",
        region: "us-east-1",
        method: "PUT",
        url: "https://s3.us-east-1.amazonaws.com/bucket/key",
        headers: &[],
        body: Some(&large),
    };
    group.sample_size(20);
    group.bench_function("1 MiB: bare sha-256", |b| {
        b.iter(|| digest::digest(&digest::SHA256, black_box(&large)))
    });
    group.bench_function("1 MiB: signet, from the date key", |b| {
        b.iter(|| {
            let prepared = prepare(black_box(&s3), AMZ_DATE).unwrap();
            authorization("AKIDEXAMPLE", &prepared, &date_key.sign(&prepared).unwrap())
        });
    });
    group.finish();
}

criterion_group!(sigv4, benches);
criterion_main!(sigv4);
