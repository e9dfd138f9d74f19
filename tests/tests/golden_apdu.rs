//! What the token hears of a use, byte for byte: a change of the golden files is a change of what people's
//! tokens see, and is looked at as such.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use signet_tests::card::{Card, Profile, Touch};
use signet_tests::harness::{Ran, Setup, Signet};
use signet_tests::pcsc::Pcscd;

/// AWS's published example credentials.
const SECRET: &[u8] = b"AKIAIOSFODNN7EXAMPLE\nwJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n";
const REQUEST: &[u8] = b"POST / HTTP/1.1\r\nHost: sts.amazonaws.com\r\n\
    Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\nContent-Length: 43\r\n\r\n\
    Action=GetCallerIdentity&Version=2011-06-15";

/// A card with one key enrolled, in a Signet that holds the key `root`.
fn enrolled(pcscd: &Pcscd) -> (Card, Signet) {
    let card = Card::insert(pcscd, Profile::v5_7_1());
    let signet = Signet::start(&Setup { kinds: &["yubikey-piv"], pcscd: Some(pcscd), ..Setup::default() });
    for (kind, answer) in
        [("new-pin", "246810"), ("new-puk", "87654321"), ("pin", "246810"), ("confirm", "yes")]
    {
        signet.answer(kind, &[answer]);
    }
    let _ = signet.run(&["init", "--yes"]).ok();
    assert_eq!(card.factory_values(), (false, false, false));
    let _ = signet
        .run_with(&["add", "root", "--kind", "root", "--stdin", "--no-verify", "--no-factor"], SECRET)
        .ok();
    card.clear_events();
    (card, signet)
}

fn sign(signet: &Signet) -> Ran {
    signet.run_with(&["sign", "root", "--service", "sts", "--region", "us-east-1"], REQUEST)
}

#[track_caller]
fn compare(name: &str, card: &Card) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/apdu").join(name);
    let golden = fs::read_to_string(&file).expect("the golden file is there");
    let wanted: Vec<&str> =
        golden.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let transcript = card.transcript();
    assert_eq!(transcript.lines().collect::<Vec<_>>(), wanted, "{name}; the token's side:\n{transcript}");
}

#[test]
fn a_use_that_nobody_touches() {
    let pcscd = Pcscd::start();
    let (card, signet) = enrolled(&pcscd);
    card.set_touch_timeout(Duration::from_millis(300));
    card.touch(Touch::Never);
    let said = sign(&signet).refused(75);
    assert!(said.contains("touch"), "{said}");
    compare("yubikey-piv-sign-untouched.txt", &card);
    assert!(!card.pin_is_verified());
    card.touch(Touch::Now);
    assert!(sign(&signet).ok().contains("AWS4-HMAC-SHA256"), "the next use works at once");
}

#[test]
fn one_signed_request() {
    let pcscd = Pcscd::start();
    let (card, signet) = enrolled(&pcscd);
    assert!(sign(&signet).ok().contains("AWS4-HMAC-SHA256"));
    compare("yubikey-piv-sign.txt", &card);
    assert!(!card.pin_is_verified());
}

/// The key moved into the card; what is heard from here on is a use of it.
fn embedded(pcscd: &Pcscd, flag: &str) -> (Card, Signet) {
    let (card, signet) = enrolled(pcscd);
    let _ = signet.run(&["embed", "root", flag]).ok();
    assert_eq!(card.has_oath_code(), flag == "--access-code");
    (card, signet)
}

#[test]
fn a_key_that_goes_into_the_token() {
    let pcscd = Pcscd::start();
    let (card, _signet) = embedded(&pcscd, "--access-code");
    compare("yubikey-oath-embed.txt", &card);
    assert!(!card.pin_is_verified() && !card.oath_is_unlocked());
}

#[test]
fn one_request_signed_in_the_token_behind_an_access_code() {
    let pcscd = Pcscd::start();
    let (card, signet) = embedded(&pcscd, "--access-code");
    card.clear_events();
    assert!(sign(&signet).ok().contains("AWS4-HMAC-SHA256"));
    compare("yubikey-oath-sign-code.txt", &card);
    assert!(!card.pin_is_verified() && !card.oath_is_unlocked());
}

#[test]
fn one_request_signed_in_the_token_by_a_touch_alone() {
    let pcscd = Pcscd::start();
    let (card, signet) = embedded(&pcscd, "--no-access-code");
    card.clear_events();
    assert!(sign(&signet).ok().contains("AWS4-HMAC-SHA256"));
    compare("yubikey-oath-sign.txt", &card);
    assert_eq!(card.events().power_offs(), 0);
}

#[test]
fn a_request_signed_in_the_token_that_nobody_touches() {
    let pcscd = Pcscd::start();
    let (card, signet) = embedded(&pcscd, "--no-access-code");
    card.clear_events();
    card.set_touch_timeout(Duration::from_millis(300));
    card.touch(Touch::Never);
    let said = sign(&signet).refused(75);
    assert!(said.contains("touch"), "{said}");
    compare("yubikey-oath-sign-untouched.txt", &card);
}

/// Callers who come at once stand in line: the token hears each use whole, one after the other.
#[test]
fn uses_at_once_are_heard_one_after_the_other() {
    let pcscd = Pcscd::start();
    let (card, signet) = embedded(&pcscd, "--access-code");
    card.clear_events();
    assert!(sign(&signet).ok().contains("AWS4-HMAC-SHA256"));
    let one = card.transcript();
    card.clear_events();
    let words = ["sign", "root", "--service", "sts", "--region", "us-east-1"];
    let all: Vec<_> = (0..4).map(|_| signet.spawn(&words, REQUEST)).collect();
    for using in all {
        assert!(using.finish().ok().contains("AWS4-HMAC-SHA256"));
    }
    assert_eq!(card.transcript(), one.repeat(4));
    assert_eq!(card.events().power_offs(), 0);
}
