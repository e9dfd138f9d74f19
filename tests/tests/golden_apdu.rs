//! What the token hears of a use, byte for byte: a change of the golden files is a change of what people's
//! tokens see, and is looked at as such.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use signet_tests::card::{Applet, Card, Fido, Profile, Touch};
use signet_tests::harness::{Ran, Setup, Signet};
use signet_tests::pcsc::Pcscd;

/// AWS's published example credentials.
const SECRET: &[u8] = b"AKIAIOSFODNN7EXAMPLE\nwJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n";
const REQUEST: &[u8] = b"POST / HTTP/1.1\r\nHost: sts.amazonaws.com\r\n\
    Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\nContent-Length: 43\r\n\r\n\
    Action=GetCallerIdentity&Version=2011-06-15";

const ADD: [&str; 7] = ["add", "root", "--kind", "root", "--stdin", "--no-verify", "--no-factor"];
/// CTAP messages of one approval, and of one record that is opened.
const APPROVING: usize = 8;
const OPENING: usize = 9;

/// A card with one key enrolled, in a Signet that holds the key `root`.
fn enrolled(pcscd: &Pcscd) -> (Card, Signet) {
    let card = Card::insert(pcscd, Profile::v5_7_1());
    let signet = with_key(&card, pcscd);
    (card, signet)
}

/// A Signet with the card enrolled, and the key `root` sealed to it.
fn with_key(card: &Card, pcscd: &Pcscd) -> Signet {
    let signet = Signet::start(&Setup { kinds: &["yubikey-piv"], pcscd: Some(pcscd), ..Setup::default() });
    for (kind, answer) in
        [("new-pin", "246810"), ("new-puk", "87654321"), ("pin", "246810"), ("confirm", "yes")]
    {
        signet.answer(kind, &[answer]);
    }
    let _ = signet.run(&["init", "--yes"]).ok();
    assert_eq!(card.factory_values(), (false, false, false));
    let _ = signet.run_with(&ADD, SECRET).ok();
    card.clear_events();
    signet
}

fn sign(signet: &Signet) -> Ran {
    signet.run_with(&["sign", "root", "--service", "sts", "--region", "us-east-1"], REQUEST)
}

#[track_caller]
fn compare(name: &str, card: &Card) {
    compare_text(name, &card.transcript());
}

#[track_caller]
fn compare_text(name: &str, transcript: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/apdu").join(name);
    let golden = fs::read_to_string(&file).expect("the golden file is there");
    let wanted: Vec<&str> =
        golden.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
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

/// The PIN of an authenticator.
const FIDO_PIN: &str = "office-4711";

/// An authenticator beside the card, which approves every use of `root`; and what it heard on the way there.
fn approved(pcscd: &Pcscd) -> (Card, Card, Signet, String) {
    let card = Card::insert(pcscd, Profile::v5_7_1().without_fido());
    let signet = with_key(&card, pcscd);
    let approver = Card::insert(pcscd, Profile::bare().fido(Fido::v2_1()));
    approver.set_fido_pin(Some(FIDO_PIN));
    signet.answer("fido-pin", &[FIDO_PIN]);
    approver.clear_events();
    let _ = signet.run(&["factor", "add", "fido2", "--key", "root", "--label", "office"]).ok();
    let enrolled = approver.transcript();
    approver.clear_events();
    card.clear_events();
    (card, approver, signet, enrolled)
}

#[test]
fn an_authenticator_that_is_enrolled_as_a_factor() {
    let pcscd = Pcscd::start();
    let (_card, approver, _signet, enrolled) = approved(&pcscd);
    compare_text("fido2-enrol.txt", &enrolled);
    assert!(!approver.has_fido_token());
}

/// Whoever approves is asked for that, and the key's token for what it is asked for anyway.
#[test]
fn one_use_that_is_approved() {
    let pcscd = Pcscd::start();
    let (card, approver, signet, _) = approved(&pcscd);
    assert!(sign(&signet).ok().contains("AWS4-HMAC-SHA256"));
    compare("fido2-approve.txt", &approver);
    assert_eq!(approver.events().ctap_commands().len(), APPROVING);
    assert!(!approver.has_fido_token() && !card.pin_is_verified());
    // An authenticator is looked for in every reader.
    let heard = card.events();
    assert_eq!((heard.key_uses(), heard.of(Applet::Fido)), (1, 0));
}

#[test]
fn one_record_that_an_authenticator_opens() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::bare().fido(Fido::v2_1()));
    card.set_fido_pin(Some(FIDO_PIN));
    let signet = Signet::start(&Setup { kinds: &["fido2"], pcscd: Some(&pcscd), ..Setup::default() });
    signet.answer("fido-pin", &[FIDO_PIN]);
    signet.answer("confirm", &["yes"]);
    let _ = signet.run(&["init", "--yes"]).ok();
    let _ = signet.run_with(&ADD, SECRET).ok();
    card.clear_events();
    assert!(sign(&signet).ok().contains("AWS4-HMAC-SHA256"));
    compare("fido2-open.txt", &card);
    assert_eq!(card.events().ctap_commands().len(), OPENING);
    assert!(!card.has_fido_token());
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
