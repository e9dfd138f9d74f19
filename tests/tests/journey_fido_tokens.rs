//! Authenticators as tokens that open records: what `signet token` says of them, and what of those that cannot
//! be.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod journey;

use journey::office::FIDO_PIN;
use journey::{Desk, failure};
use serde_json::Value;
use signet_tests::card::{Card, Fido, Profile};

/// A desk where an authenticator is the only token, with a PIN.
fn desk(fido: Fido) -> Desk {
    let desk = Desk::of(Profile::bare().fido(fido), &["fido2"]);
    desk.card.set_fido_pin(Some(FIDO_PIN));
    desk.signet.answer("fido-pin", &[FIDO_PIN]);
    desk
}

/// What a command says that is refused: exit, code and document.
#[track_caller]
fn refused(desk: &Desk, words: &[&str], exit: i32, code: &str) -> Value {
    failure(&desk.signet.run(&[words, &["-o", "json"]].concat()), exit, code)
}

#[track_caller]
fn says(error: &Value, words: &str) {
    assert!(error["message"].as_str().unwrap().contains(words), "{error}");
}

fn json(desk: &Desk, words: &[&str]) -> Value {
    serde_json::from_str(&desk.signet.run(&[words, &["-o", "json"]].concat()).ok()).unwrap()
}

#[test]
fn what_is_said_of_an_authenticator() {
    let mut desk = desk(Fido::v2_1()).keyed();
    let listed = json(&desk, &["token", "list"])["tokens"].clone();
    let serial = listed[0]["serial"].as_str().unwrap().to_owned();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["kind"]), (1, &"fido2".into()), "{listed}");
    assert!(serial.starts_with("fido-") && serial.len() == 13, "{serial}");

    let info = desk.signet.run(&["token", "info", &serial]).ok();
    assert!(info.contains("FIDO_2_1") && info.contains('8'), "{info}");
    let touches = desk.card.touches_asked();
    for (words, hint) in [
        (["token", "pin", &serial], "ykman fido access change-pin".to_owned()),
        (["token", "unblock", &serial], format!("signet token lost {serial}")),
    ] {
        let error = refused(&desk, &words, 77, "unsupported");
        assert_eq!(error["hint"], hint, "{error}");
    }
    let error = refused(&desk, &["token", "remove", &serial], 77, "bad_request");
    says(&error, "prod");
    assert_eq!((desk.card.touches_asked(), desk.card.fido_tries()), (touches, 8));

    desk.card.remove();
    let error = refused(&desk, &["token", "info", &serial], 75, "token_absent");
    says(&error, &serial);
    let listed = json(&desk, &["token", "list"])["tokens"].clone();
    assert_eq!(listed[0]["present"], false, "{listed}");
    let error = refused(&desk, &["token", "info", "fido-00000000"], 75, "token_absent");
    says(&error, "fido-00000000");
}

#[test]
fn an_authenticator_that_was_lost_opens_nothing_any_more() {
    let desk = desk(Fido::v2_1()).keyed();
    let serial = json(&desk, &["token", "list"])["tokens"][0]["serial"].as_str().unwrap().to_owned();
    let ran = desk.signet.run(&["token", "lost", &serial]);
    assert_eq!(ran.code(), 1, "{ran:?}");
    assert!(ran.stdout.contains("still opened by: no other token"), "{ran:?}");
    assert!(ran.stdout.contains("needs its pin, and a copy of the record"), "{ran:?}");
    let touches = desk.card.touches_asked();
    let error = desk.refuses(77, "denied", |desk| desk.identity(&[]));
    says(&error, &serial);
    assert_eq!(desk.card.touches_asked(), touches, "it was asked");
    let _ = desk.signet.run(&["remove", "prod", "--lost", "--yes"]).ok();
    let _ = desk.signet.run(&["token", "remove", &serial]).ok();
    assert_eq!(json(&desk, &["token", "list"])["tokens"], Value::Array(Vec::new()));
}

#[test]
fn nothing_to_enrol_and_too_much_of_it() {
    let mut desk = Desk::of(Profile::bare().without_fido(), &["fido2"]);
    for with in ["a card that has none", "no card"] {
        let error = refused(&desk, &["init", "--kind", "fido2", "--yes"], 75, "token_absent");
        says(&error, "no fido2 authenticator is there: plug in the one to enrol");
        assert_eq!(error["hint"], "signet doctor", "{with}");
        desk.card.remove();
    }
    let one = Card::insert(&desk.pcscd, Profile::bare().fido(Fido::v2_1()));
    let two = Card::insert(&desk.pcscd, Profile::v5_4_3());
    for card in [&one, &two] {
        card.set_fido_pin(Some(FIDO_PIN));
    }
    let error = refused(&desk, &["init", "--kind", "fido2", "--yes"], 77, "bad_request");
    says(&error, "leave only the one to enrol");
    assert_eq!((one.touches_asked(), two.touches_asked()), (0, 0));
    let error = refused(&desk, &["token", "enrol", "--kind", "fido2", "--slot", "9a"], 77, "bad_request");
    says(&error, "neither slots nor a serial");
}

#[test]
fn an_authenticator_that_computes_nothing_opens_nothing() {
    let desk = desk(Fido::v2_1().without_hmac_secret());
    let error = refused(&desk, &["init", "--yes"], 77, "unsupported");
    says(&error, "no hmac-secret, without which it opens nothing");
    assert_eq!(json(&desk, &["token", "list"])["tokens"], Value::Array(Vec::new()));
    assert!(!desk.card.has_fido_token());
    // It cannot be asked what it is for: nothing is made on it, and nobody is asked for a PIN or a touch.
    assert_eq!((desk.card.touches_asked(), desk.signet.times_asked("fido-pin")), (0, 0));
    assert!(desk.card.fido_credentials().is_empty());
}

#[test]
fn an_authenticator_without_a_pin_opens_nothing() {
    let desk = Desk::of(Profile::bare().fido(Fido::v2_1()), &["fido2"]);
    let error = refused(&desk, &["init", "--yes"], 77, "unsupported");
    says(&error, "no pin, without which it opens nothing");
    assert_eq!(error["hint"], "ykman fido access change-pin");
    assert!(desk.card.fido_credentials().is_empty());
    // Wrong at the enrolment: nothing is made.
    desk.card.set_fido_pin(Some(FIDO_PIN));
    desk.signet.answer("fido-pin", &["wrong-pin"]);
    let error = refused(&desk, &["init", "--yes"], 77, "pin_failed");
    assert_eq!(error["tries_left"], 7, "{error}");
    assert!(desk.card.fido_credentials().is_empty());
}
