//! The signing suite that AWS publishes, read where cargo keeps the source of `aws-sigv4`: all
//! header cases, compared at canonical request, string to sign and signature. In here and not in
//! `tests/`, because a case has canonical forms that [`crate::prepare`] refuses on purpose.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use crate::canonical::{Canonical, Parts, PathRule, canonical};
use crate::sign::string_to_sign_of;
use crate::{DateKey, sha256, sha256_hex};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the suite; a machine that built these tests has it.
fn suite() -> PathBuf {
    let lock = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock")).unwrap();
    let version = lock.split("name = \"aws-sigv4\"\nversion = \"").nth(1).unwrap().split('"').next().unwrap();
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cargo"));
    let sources = home.join("registry/src");
    fs::read_dir(&sources)
        .unwrap_or_else(|error| panic!("no sources of packages in {}: {error}", sources.display()))
        .map(|registry| {
            registry.unwrap().path().join(format!("aws-sigv4-{version}/aws-signing-test-suite/v4"))
        })
        .find(|folder| folder.is_dir())
        .unwrap_or_else(|| panic!("no suite of aws-sigv4 {version} in {}", sources.display()))
}

/// A request as the suite writes it: raw bytes in the path, headers that go on in the next line.
struct Message {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
}

fn message(folder: &Path) -> Message {
    let text = fs::read_to_string(folder.join("request.txt")).unwrap();
    let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
    let mut lines = head.lines();
    let (method, rest) = lines.next().unwrap().split_once(' ').unwrap();
    let target = rest.strip_suffix(" HTTP/1.1").unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in lines {
        match line.split_once(':') {
            Some((name, value)) if !line.starts_with(' ') => {
                headers.push((name.to_lowercase(), value.to_owned()));
            }
            _ => {
                let (_, value) = headers.last_mut().unwrap();
                value.push('\n');
                value.push_str(line);
            }
        }
    }
    let path = path.bytes().fold(String::new(), |out, b| match b {
        b'!'..=b'~' => out + &char::from(b).to_string(),
        _ => out + &format!("%{b:02X}"),
    });
    Message { method: method.into(), path, query: query.into(), headers, body: body.into() }
}

fn canonical_of(message: &Message, path_rule: PathRule) -> Canonical {
    let headers: Vec<(&str, &str)> = message.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    canonical(&Parts {
        method: &message.method,
        path: &message.path,
        path_rule,
        query: &message.query,
        headers: &headers,
        payload_sha256: &sha256_hex(message.body.as_bytes()),
    })
}

fn run(folder: &Path) {
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let context: Value = serde_json::from_str(&read("context.json")).unwrap();
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let amz_date = word(&context["timestamp"]).replace(['-', ':'], "");
    let mut message = message(folder);
    message.headers.push(("x-amz-date".into(), amz_date.clone()));
    if context["sign_body"] == true {
        message.headers.push(("x-amz-content-sha256".into(), sha256_hex(message.body.as_bytes())));
    }
    if context["credentials"]["token"].is_string() && context["omit_session_token"] != true {
        message.headers.push(("x-amz-security-token".into(), word(&context["credentials"]["token"])));
    }
    let path_rule = PathRule { normalise: context["normalize"] == true, encode_again: false };
    let canonical = canonical_of(&message, path_rule);
    assert_eq!(canonical.text, read("header-canonical-request.txt"), "{}", folder.display());

    let (region, service) = (word(&context["region"]), word(&context["service"]));
    let scope = format!("{}/{region}/{service}/aws4_request", &amz_date[..8]);
    let to_sign = string_to_sign_of(&amz_date, &scope, &sha256(canonical.text.as_bytes()));
    assert_eq!(to_sign, read("header-string-to-sign.txt"), "{}", folder.display());

    let secret = word(&context["credentials"]["secret_access_key"]);
    let key = DateKey::derive(secret.as_bytes(), &amz_date).unwrap();
    assert_eq!(
        key.signature(&region, &service, &to_sign),
        read("header-signature.txt"),
        "{}",
        folder.display()
    );
}

#[test]
fn all_header_cases_of_the_published_suite() {
    let mut ran = 0;
    for entry in fs::read_dir(suite()).unwrap() {
        let folder = entry.unwrap().path();
        if folder.join("context.json").exists() {
            run(&folder);
            ran += 1;
        }
    }
    assert_eq!(ran, 38);
}

/// The two older cases: they have a canonical request only, and dates of their own.
#[test]
fn both_cases_of_paths_that_are_encoded_twice() {
    for name in ["double-encode-path", "double-url-encode"] {
        let folder = suite().join(name);
        let mut message = message(&folder);
        let date = message.headers.iter_mut().find(|(name, _)| name == "x-amz-date").unwrap();
        date.1 = "20210511T154045Z".into();
        let wanted = fs::read_to_string(folder.join("header-canonical-request.txt")).unwrap();
        assert_eq!(canonical_of(&message, PathRule::OTHERS).text, wanted.trim_end(), "{name}");
    }
}

/// Intermediate values, computed with another implementation.
#[test]
fn key_of_the_documentation() {
    let key = DateKey::derive(b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830").unwrap();
    assert_eq!(key.hex(), "0138c7a6cbd60aa727b2f653a522567439dfb9f3e72b21f9b25941a42f04a7cd");
}

/// The same for the date that tokens were tried with, and by way of an answer of theirs.
#[test]
fn a_tokens_answer_is_the_date_key() {
    let secret = b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let answered = crate::answer(secret, &crate::challenge("20261122T170341Z").unwrap());
    let key = DateKey::answered(&answered, "20261122T170341Z").unwrap();
    assert_eq!(key.hex(), "6edd3791c771b48f72c099485a21d8d5dfaaba7c68ddcc76efc3ba460c08a83b");
    assert_eq!(key.hex(), DateKey::derive(secret, "20261122").unwrap().hex());
    for wrong in ["", "2026112", "20261322", "signet-0", "2026é122"] {
        assert!(DateKey::answered(&answered, wrong).is_err(), "{wrong}");
    }
}
