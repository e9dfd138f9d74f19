//! The main job, end to end: a factory YubiKey is enrolled, keys are sealed to it, requests are signed and
//! taken by AWS, the key is changed and removed, and the log tells all of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod journey;

use journey::botocore::{botocore, header};
use journey::{ACCOUNT, Desk, KEY_ID, PIN, SECRET, SEED, USER_KEY_ID, USER_SECRET, code};
use serde_json::{Value, json};
use signet_tests::card::{MgmtAlgorithm, PinPolicy, TouchPolicy};
use std::fs;

/// `-o json`, read.
fn json_of(desk: &Desk, words: &[&str]) -> Value {
    let said = desk.signet.run(&[words, &["-o", "json"]].concat()).ok();
    serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"))
}

/// The members of an object, in alphabetical order.
fn members(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// The same of the words of the contract.
fn words(text: &str) -> Vec<&str> {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    words.sort_unstable();
    words
}

#[test]
fn a_root_key_from_the_factory_token_to_the_signed_request() {
    let desk = Desk::new();
    let serial = desk.card.serial().to_string();

    // Before: it is there and is nobody's.
    let tokens = json_of(&desk, &["token", "list"]);
    assert_eq!(members(&tokens), ["tokens", "version"]);
    let token = &tokens["tokens"][0];
    assert_eq!(members(token), words("serial kind label slot spki_sha256 firmware attested present"));
    assert_eq!(
        (&token["serial"], &token["slot"], &token["present"]),
        (&json!(serial), &json!(null), &json!(true))
    );

    let _enrolled = desk.signet.run(&["init", "--yes"]).ok();
    assert_eq!(desk.card.factory_values(), (false, false, false), "no factory value is left");
    assert!(desk.card.is_pin(PIN));
    assert_eq!(desk.card.management_key().0, MgmtAlgorithm::Aes192);
    assert_eq!(desk.card.policies(0x95), Some((PinPolicy::Always, TouchPolicy::Always)));
    assert_eq!(desk.signet.times_asked("new-pin"), 2, "asked twice");
    assert_eq!(desk.signet.times_asked("new-puk"), 2, "asked twice");
    let token = &json_of(&desk, &["token", "list"])["tokens"][0];
    assert_eq!((&token["slot"], &token["kind"]), (&json!("95"), &json!("yubikey-piv")));
    assert_eq!((&token["firmware"], &token["attested"]), (&json!("5.7.1"), &json!(false)));
    let spki = token["spki_sha256"].as_str().unwrap().to_owned();
    assert_eq!(spki.len(), 64);
    let again = desk.signet.run(&["init", "--yes", "-o", "json"]);
    journey::failure(&again, 2, "usage");

    // The key, with a seed of its own.
    desk.signet.answer("totp-seed", &[SEED]);
    desk.signet.answer("totp", &[&code(0)]);
    let add =
        ["add", "prod", "--kind", "root", "--stdin", "--account", ACCOUNT, "--totp", "ask", "--no-verify"];
    let _added = desk.signet.run_with(&add, format!("{KEY_ID}\n{SECRET}\n").as_bytes()).ok();
    let asked = desk.signet.asked();
    let consent = asked.iter().find(|(kind, text)| kind == "confirm" && text.contains(KEY_ID)).unwrap();
    assert!(consent.1.contains(&spki), "the recipient is shown as it was enrolled: {}", consent.1);
    assert!(consent.1.contains("one token only"), "{}", consent.1);

    let keys = json_of(&desk, &["list"]);
    assert_eq!(keys["version"], 1);
    let key = &keys["keys"][0];
    let contract = "name kind account partition access_key_id custody tokens factors policy mfa_serial created \
                    epoch last_used rotate";
    assert_eq!(members(key), words(contract));
    for (name, value) in [
        ("name", json!("prod")),
        ("kind", json!("root")),
        ("account", json!(ACCOUNT)),
        ("partition", json!("aws")),
        ("access_key_id", json!(KEY_ID)),
        ("custody", json!("sealed")),
        ("tokens", json!([serial])),
        ("factors", json!(["totp-1"])),
        ("policy", json!(["root-only-tasks"])),
        ("mfa_serial", json!(null)),
        ("epoch", json!(1)),
        ("last_used", json!(null)),
        ("rotate", json!(null)),
    ] {
        assert_eq!(key[name], value, "{name}");
    }
    let shown = json_of(&desk, &["show", "prod"]);
    assert_eq!((&shown["version"], &shown["key"]["name"]), (&json!(1), &json!("prod")));

    // One request: PIN, code, touch. What is signed is shown with the question.
    desk.works();
    let question = desk.signet.asked().into_iter().rfind(|(kind, _)| kind == "pin").unwrap().1;
    for part in ["sts:GetCallerIdentity", ACCOUNT, "us-east-1", &desk.aws.addr().to_string(), "uid "] {
        assert!(question.contains(part), "{part} is not shown: {question}");
    }
    assert!(json_of(&desk, &["list"])["keys"][0]["last_used"].is_string());

    // A change is a use too; without the factor no code is asked for any more.
    desk.signet.answer("totp", &[&code(1)]);
    let _removed = desk.signet.run(&["factor", "remove", "totp-1", "--key", "prod"]).ok();
    let codes = desk.signet.times_asked("totp");
    desk.works();
    assert_eq!(desk.signet.times_asked("totp"), codes);
    let _set = desk.signet.run(&["policy", "set", "prod", "root-only-tasks", "session"]).ok();
    let key = &json_of(&desk, &["list"])["keys"][0];
    assert_eq!((&key["epoch"], &key["factors"]), (&json!(3), &json!([])));
    assert_eq!(key["policy"], json!(["root-only-tasks", "session"]));

    nothing_in_the_clear(&desk);
    the_log_is_whole(&desk);
}

#[test]
fn a_factor_is_added_later_and_asked_for_from_then_on() {
    let desk = Desk::with_key();
    desk.signet.answer("totp-seed", &[SEED]);
    desk.signet.answer("totp", &[&journey::wrong_code()]);
    let add = ["factor", "add", "totp", "--key", "prod", "--label", "phone", "-o", "json"];
    let error = desk.refuses(77, "factor_failed", |desk| desk.signet.run(&add));
    assert!(error["message"].as_str().unwrap().contains("new seed"), "{error}");
    assert_eq!(json_of(&desk, &["factor", "list"])["factors"], json!([]));

    desk.signet.answer("totp", &[&code(0)]);
    let _added = desk.signet.run(&add).ok();
    let factors = json_of(&desk, &["factor", "list"]);
    let factor = &factors["factors"][0];
    assert_eq!(
        (&factor["key"], &factor["id"], &factor["label"]),
        (&json!("prod"), &json!("totp-1"), &json!("phone"))
    );
    // The code that confirmed the seed is spent with it.
    desk.refuses(77, "factor_failed", |desk| desk.identity(&[]));
    desk.signet.answer("totp", &[&code(1)]);
    desk.works();
    nothing_in_the_clear(&desk);
    the_log_is_whole(&desk);
}

#[test]
fn a_key_from_the_consoles_file_is_proved_and_removed() {
    let desk = Desk::with_key();
    let csv = desk.signet.path("home/accessKeys.csv");
    fs::write(&csv, format!("\u{feff}Access key ID,Secret access key\r\n{USER_KEY_ID},{USER_SECRET}\r\n"))
        .unwrap();
    let file = csv.display().to_string();
    let add = ["add", "breakglass", "--kind", "iam-user", "--csv", &file, "--delete-source"];
    let added = desk.signet.run(&add);
    assert!(added.stderr.contains("user/breakglass") && added.stderr.contains("rotate it"), "{added:?}");
    let _added = added.ok();
    assert!(!csv.exists());
    assert_eq!(desk.sent().last().unwrap().access_key_id, USER_KEY_ID);

    let keys = json_of(&desk, &["list"]);
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["name"] == "breakglass").unwrap();
    assert_eq!(
        (&key["kind"], &key["account"]),
        (&json!("iam-user"), &json!(ACCOUNT)),
        "AWS told the account"
    );
    assert_eq!(key["policy"], json!(["assume-root", "session"]));

    // A key of the other kind is found out.
    let (id, secret) = (USER_KEY_ID, USER_SECRET);
    let add = ["add", "no-root", "--kind", "root", "--stdin", "--no-factor", "-o", "json"];
    let wrong = desk.signet.run_with(&add, format!("{id}\n{secret}\n").as_bytes());
    let error = journey::failure(&wrong, 1, "failed_check");
    assert!(error["message"].as_str().unwrap().contains("no root"), "{error}");

    let _removed = desk.signet.run(&["remove", "breakglass", "--yes"]).ok();
    let left = json_of(&desk, &["list"]);
    let names: Vec<&Value> = left["keys"].as_array().unwrap().iter().map(|key| &key["name"]).collect();
    assert_eq!(names, ["no-root", "prod"]);
    journey::failure(&desk.signet.run(&["show", "breakglass", "-o", "json"]), 77, "bad_request");
    desk.works();
    nothing_in_the_clear(&desk);
    the_log_is_whole(&desk);
}

#[test]
fn a_signature_is_the_one_that_botocore_computes() {
    let desk = Desk::with_key();
    let _set = desk.signet.run(&["policy", "set", "prod", &any_action(&desk)]).ok();
    let host = desk.aws.addr().to_string();
    let form = "content-type: application/x-www-form-urlencoded; charset=utf-8";
    let sts = "sts.us-east-1.amazonaws.com";
    for (service, region, head, body) in [
        ("sts", "us-east-1", format!("POST / HTTP/1.1\r\nHost: {host}\r\n{form}"), journey::IDENTITY),
        ("sts", "us-east-1", format!("POST / HTTP/1.1\r\nHost: {sts}\r\n{form}"), journey::IDENTITY),
        (
            "sts",
            "us-east-1",
            format!("GET /?Version=2011-06-15&Action=GetCallerIdentity HTTP/1.1\r\nHost: {sts}\r\nX-Odd: a   b"),
            "",
        ),
        (
            "iam",
            "us-east-1",
            format!("POST / HTTP/1.1\r\nhost: iam.amazonaws.com\r\n{form}\r\nUser-Agent: me\r\nConnection: close"),
            "Action=ListAccessKeys&Version=2010-05-08",
        ),
        (
            "s3",
            "eu-west-1",
            "DELETE /?policy HTTP/1.1\r\nhost: locked.s3.eu-west-1.amazonaws.com".to_owned(),
            "",
        ),
        (
            "s3",
            "us-east-1",
            "PUT /locked?versioning HTTP/1.1\r\nhost: s3.us-east-1.amazonaws.com\r\n\
             x-amz-mfa: arn:aws:iam::123456789012:mfa/root 123456"
                .to_owned(),
            "<VersioningConfiguration/>",
        ),
        (
            "sqs",
            "us-east-1",
            "POST / HTTP/1.1\r\nhost: sqs.us-east-1.amazonaws.com\r\ncontent-type: application/x-amz-json-1.0\r\n\
             x-amz-target: AmazonSQS.SetQueueAttributes"
                .to_owned(),
            r#"{"QueueUrl":"https://sqs.us-east-1.amazonaws.com/123456789012/locked","Attributes":{"Policy":""}}"#,
        ),
    ] {
        let message = format!("{head}\r\n\r\n{body}");
        let sign = ["sign", "prod", "--service", service, "--region", region];
        let signed = desk.signet.run_with(&sign, message.as_bytes()).ok();
        assert!(signed.starts_with(&format!("{head}\r\n")), "the message stays as it was: {signed}");
        assert!(signed.ends_with(&format!("\r\n\r\n{body}")));
        assert_eq!(botocore(service, region, &signed), header(&signed, "authorization"), "{signed}");

        let document = desk.signet.run_with(&[&sign[..], &["-o", "json"]].concat(), message.as_bytes()).ok();
        let document: Value = serde_json::from_str(&document).unwrap();
        assert_eq!(members(&document), words("version headers url action expires"));
        assert_eq!(document["version"], 1);
        assert!(document["action"].as_str().unwrap().starts_with(&format!("{service}:")), "{document}");
        let headers = document["headers"].as_array().unwrap();
        assert!(headers.iter().any(|pair| pair[0] == "authorization"), "{document}");
        let dated = headers.iter().find(|pair| pair[0] == "x-amz-date").unwrap()[1].as_str().unwrap();
        assert_eq!(document["expires"].as_str().unwrap(), five_minutes_after(dated));
    }
}

/// A policy file that allows every action of four services.
fn any_action(desk: &Desk) -> String {
    let file = desk.signet.path("home/any.toml");
    let text = "version = 1\n[[rule]]\nallow = [\"sts:*\", \"iam:*\", \"s3:*\", \"sqs:*\"]\n";
    fs::write(&file, text).unwrap();
    file.display().to_string()
}

/// RFC 3339 of five minutes after an `x-amz-date`.
fn five_minutes_after(amz_date: &str) -> String {
    let format = time::macros::format_description!("[year][month][day]T[hour][minute][second]Z");
    let date = time::PrimitiveDateTime::parse(amz_date, format).unwrap() + time::Duration::minutes(5);
    date.assume_utc().format(&time::format_description::well_known::Rfc3339).unwrap()
}

/// No secret, seed or PIN lies in the vault or in what the agent said.
fn nothing_in_the_clear(desk: &Desk) {
    let mut files = vec![desk.signet.state_dir(), desk.signet.path("agent.log")];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(fs::read_dir(&path).unwrap().flatten().map(|entry| entry.path()));
            continue;
        }
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        for secret in [SECRET, USER_SECRET, SEED, PIN] {
            assert!(!text.contains(secret), "{} holds {secret}", path.display());
        }
    }
}

/// The chain holds, an intent has its outcome, and each line has the members of the contract in their order.
fn the_log_is_whole(desk: &Desk) {
    let _whole = desk.signet.run(&["audit", "verify"]).ok();
    let contract = "seq id time phase key access_key_id account action region host request_sha256 uid user pid \
                    exe machine reason rule token token_label factors result code session_key_id aws_request_id \
                    prev hash";
    let text = desk.signet.run(&["audit", "log", "-o", "json"]).ok();
    for line in text.lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!(members(&value), words(contract));
        let places: Vec<usize> =
            contract.split_whitespace().map(|name| line.find(&format!("\"{name}\":")).unwrap()).collect();
        assert!(places.is_sorted(), "{line}");
    }
    let audit = desk.audit();
    for intent in audit.iter().filter(|line| line["phase"] == "intent") {
        let outcomes = audit.iter().filter(|line| line["phase"] == "outcome" && line["id"] == intent["id"]);
        assert_eq!(outcomes.count(), 1, "{intent}");
    }
}
