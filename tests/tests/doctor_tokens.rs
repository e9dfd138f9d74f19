//! `signet doctor` and hardware: virtual YubiKeys behind the real `pcscd`, in one bad state each. It never
//! spends a try, never asks for a touch, and its commands make them good again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod diagnosis;

use std::path::Path;
use std::process::Command;

use diagnosis::{USER, findings, follow, hint, is, levels, look, one, only, typed};
use serde_json::Value;
use signet_tests::aws::{Config, StrictAws};
use signet_tests::card::{Card, Profile, Touch};
use signet_tests::harness::{Setup, Signet, wait_until};
use signet_tests::pcsc::Pcscd;

const PIN: &str = "271828";
const PUK: &str = "31415926";

/// A Signet with a PC/SC service of its own.
struct Desk {
    signet: Signet,
    pcscd: Pcscd,
    _aws: StrictAws,
}

impl Desk {
    fn new() -> Self {
        let pcscd = Pcscd::start();
        let aws = StrictAws::start(&Config::default()).unwrap();
        let setup = Setup { kinds: &["yubikey-piv"], pcscd: Some(&pcscd), aws: Some(aws.url()) };
        let signet = Signet::start(&setup);
        for (kind, answer) in
            [("new-pin", PIN), ("new-puk", PUK), ("pin", PIN), ("puk", PUK), ("confirm", "yes")]
        {
            signet.answer(kind, &[answer]);
        }
        Self { signet, pcscd, _aws: aws }
    }

    /// With a card in the first reader that was enrolled from its factory state.
    fn enrolled(profile: Profile) -> (Self, Card) {
        let desk = Self::new();
        let card = Card::insert(&desk.pcscd, profile);
        let _ = desk.signet.run(&["init", "--yes"]).ok();
        (desk, card)
    }

    /// A user's key `prod`, sealed to the enrolled token.
    fn add_key(&self) {
        let add =
            ["add", "prod", "--kind", "iam-user", "--stdin", "--account", "123456789012", "--no-verify"];
        let _ = self.signet.run_with(&add, format!("{}\n{}\n", USER.0, USER.1).as_bytes()).ok();
    }

    /// What it finds; checked on the way: the card lost no try and asked for no touch.
    #[track_caller]
    fn look(&self, card: &Card) -> Vec<Value> {
        let (tries, touches) = (card.tries(), card.touches_asked());
        let asked = self.signet.asked().len();
        card.clear_events();
        let found = look(&self.signet);
        assert_eq!((card.tries(), card.touches_asked()), (tries, touches));
        assert_eq!(self.signet.asked().len(), asked, "nobody was asked");
        assert!(!card.pin_is_verified());
        let text = card.transcript();
        // VERIFY with a PIN, CHANGE REFERENCE DATA, GENERAL AUTHENTICATE
        for instruction in ["> 0020008008", "> 0024", "> 0087"] {
            assert!(!text.contains(instruction), "{instruction} in {text}");
        }
        found
    }
}

#[test]
fn a_good_token_is_green() {
    let (desk, card) = Desk::enrolled(Profile::v5_7_1());
    let found = desk.look(&card);
    for check in ["pcscd", "token"] {
        assert_eq!(levels(&found, check), ["ok"], "{check}: {found:#?}");
    }
    let line = only(&found, "token")["message"].as_str().unwrap().to_owned();
    assert!(line.contains(&card.serial().to_string()) && line.contains("slot 95, firmware 5.7.1"), "{line}");
    // the virtual maker is not Yubico
    assert!(is(only(&found, "attestation"), "warning", "attestation"));
}

#[test]
fn a_factory_card_is_named_and_enrolled_by_the_command() {
    let desk = Desk::new();
    let card = Card::insert(&desk.pcscd, Profile::v5_7_1());
    let found = desk.look(&card);
    let finding = one(&found, "still has the factory's pin, puk, management-key");
    assert!(is(finding, "warning", "token"));
    let _ = follow(&desk.signet, finding);
    assert_eq!(card.factory_values(), (false, false, false));
    assert_eq!(levels(&desk.look(&card), "token"), ["ok"]);
}

#[test]
fn a_factory_pin_on_an_enrolled_card_is_red_and_changed_by_the_command() {
    let (desk, card) = Desk::enrolled(Profile::v5_7_1());
    card.set_pins("123456", PUK);
    let found = desk.look(&card);
    let finding = one(&found, "still has the factory's pin");
    assert!(is(finding, "wrong", "token"));
    let _ = follow(&desk.signet, finding);
    assert!(card.is_pin(PIN));
    assert_eq!(levels(&desk.look(&card), "token"), ["ok"]);
}

#[test]
fn a_factory_puk_on_an_enrolled_card_is_red_and_changed_by_the_command() {
    let (mut desk, card) = Desk::enrolled(Profile::v5_7_1());
    card.set_pins(PIN, "12345678");
    let found = desk.look(&card);
    let finding = one(&found, "still has the factory's puk");
    assert!(is(finding, "wrong", "token"));
    // Yubico's own tool does it: it finds the same service, and reads the new PUK where one would type it
    let made = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/python-venv")).output().unwrap();
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let tools = root.join(String::from_utf8_lossy(&made.stdout).trim()).join("bin").canonicalize().unwrap();
    desk.signet.set_env("PCSCLITE_CSOCK_NAME", desk.pcscd.socket());
    let line = format!("PATH=$PATH:{}; printf '{PUK}\\n{PUK}\\n' | {}", tools.display(), hint(finding));
    let _ = typed(&desk.signet, &line).ok();
    assert_eq!(levels(&desk.look(&card), "token"), ["ok"]);
}

#[test]
fn a_pin_with_one_try_or_none_is_set_right_by_the_command() {
    let (desk, card) = Desk::enrolled(Profile::v5_7_1());
    let spend = || {
        desk.signet.answer("pin", &["999999"]);
        let _ = desk.signet.run(&["token", "pin", &card.serial().to_string()]);
        desk.signet.answer("pin", &[PIN]);
    };
    spend();
    spend();
    assert_eq!(card.tries().0, 1);
    let found = desk.look(&card);
    let finding = one(&found, "one pin try is left");
    assert!(is(finding, "warning", "token"));
    // the last try is not for programs to spend: a terminal confirms it. Another right PIN does the same.
    assert_eq!(hint(finding), format!("signet token pin {}", card.serial()));
    let wrong = ["-r", "Yubico", "-a", "verify-pin", "-P", "999999"];
    let spent = desk.pcscd.command("yubico-piv-tool").args(wrong).output().unwrap();
    assert_eq!(card.tries().0, 0, "{spent:?}");
    let found = desk.look(&card);
    let finding = one(&found, "is blocked");
    assert!(is(finding, "wrong", "token"));
    let _ = follow(&desk.signet, finding);
    assert_eq!(card.tries().0, 3);
    assert_eq!(levels(&desk.look(&card), "token"), ["ok"]);
}

#[test]
fn old_firmware_is_named_with_its_reason_and_a_newer_token_takes_over() {
    let (desk, old) = Desk::enrolled(Profile::v5_4_3());
    desk.add_key();
    let found = desk.look(&old);
    let finding = only(&found, "firmware");
    assert!(is(finding, "warning", "firmware"));
    assert!(finding["why"].as_str().unwrap().contains("CVE-2024-45678"), "{finding}");
    assert_eq!(hint(finding), "signet token enrol");
    let new = Card::insert(&desk.pcscd, Profile::v5_7_1());
    let found = desk.look(&old);
    let (old, new) = (old.serial(), new.serial());
    assert_eq!(
        hint(only(&found, "firmware")),
        format!(
            "signet token enrol --serial {new} && signet reseal prod --add {new} && signet reseal prod --drop {old}"
        )
    );
    let _ = follow(&desk.signet, only(&found, "firmware"));
    let found = look(&desk.signet);
    // the old token opens nothing any more: it can go
    let finding = only(&found, "firmware");
    assert_eq!(hint(finding), format!("signet token remove {old}"));
    let _ = follow(&desk.signet, finding);
    let found = look(&desk.signet);
    assert!(
        !found
            .iter()
            .any(|it| it["check"] == "firmware" && it["message"].as_str().unwrap().contains("5.7.1"))
    );
}

#[test]
fn a_token_that_was_reset_is_red() {
    let (desk, card) = Desk::enrolled(Profile::v5_7_1());
    drop(card);
    let again = Card::insert(&desk.pcscd, Profile::v5_7_1());
    again.set_pins(PIN, PUK);
    let found = desk.look(&again);
    assert!(is(one(&found, "slot 95 of"), "wrong", "token"), "{found:#?}");
}

#[test]
fn the_code_of_the_oath_applet_must_be_as_the_record_says() {
    let (desk, card) = Desk::enrolled(Profile::v5_7_1());
    desk.add_key();
    let _ = desk.signet.run(&["embed", "prod"]).ok();
    let found = desk.look(&card);
    assert!(levels(&found, "oath").is_empty() && levels(&found, "code").is_empty(), "{found:#?}");
    assert!(one(&found, "oath code set")["check"] == "token");
    card.set_oath_code(None);
    let found = desk.look(&card);
    let finding = only(&found, "oath");
    assert!(is(finding, "wrong", "oath"));
    desk.signet.answer("secret", &[USER.1]);
    let _ = follow(&desk.signet, finding);
    assert!(card.has_oath_code());
    assert!(levels(&desk.look(&card), "oath").is_empty());
    // A reset takes the key too, and gives the applet another name.
    card.reset_oath();
    let found = desk.look(&card);
    assert!(is(only(&found, "oath"), "wrong", "oath"));
    let _ = follow(&desk.signet, only(&found, "oath"));
    assert!(card.has_oath_code() && levels(&desk.look(&card), "oath").is_empty());
    let _ = desk.signet.run(&["verify", "prod"]).ok();
}

#[test]
fn a_key_that_a_touch_alone_signs_with_is_named() {
    let (desk, card) = Desk::enrolled(Profile::v5_7_1());
    desk.add_key();
    let _ = desk.signet.run(&["embed", "prod", "--no-access-code"]).ok();
    let found = desk.look(&card);
    assert!(is(one(&found, "prod asks for no pin"), "warning", "code"));
    card.set_oath_code(Some("somebody else's"));
    let found = desk.look(&card);
    let finding = only(&found, "oath");
    assert!(is(finding, "wrong", "oath"));
    assert_eq!(hint(finding), format!("ykman --device {} oath access change --clear", card.serial()));
}

#[test]
fn a_use_under_way_is_not_disturbed() {
    let (desk, card) = Desk::enrolled(Profile::v5_7_1());
    desk.add_key();
    card.touch(Touch::Never);
    let under_way = desk.signet.spawn(&["verify", "prod"], b"");
    card.wait_until_asked();
    let doctor = desk.signet.spawn(&["doctor", "-o", "json"], b"");
    assert!(wait_until(|| card.press()));
    let _ = under_way.finish().ok();
    let found = findings(&doctor.finish());
    assert_eq!(levels(&found, "token"), ["ok"], "{found:#?}");
    assert!(!card.pin_is_verified());
}

#[test]
fn a_lost_token_that_comes_back_is_told_of() {
    let (desk, card) = Desk::enrolled(Profile::v5_7_1());
    let serial = card.serial().to_string();
    let _ = desk.signet.run(&["token", "lost", &serial]).ok();
    let found = desk.look(&card);
    let finding = only(&found, "lost");
    assert!(is(finding, "warning", "lost"));
    assert_eq!(hint(finding), format!("signet token lost {serial}"));
}

#[test]
fn a_card_that_is_no_token_is_named_and_hides_nothing() {
    let (desk, card) = Desk::enrolled(Profile::v5_7_1());
    drop(card);
    let _other = Card::insert(&desk.pcscd, Profile::v5_4_3().without_piv());
    let found = look(&desk.signet);
    assert!(is(one(&found, "is no token that signet can use"), "warning", "readers"), "{found:#?}");
    let listed: Value =
        serde_json::from_str(&desk.signet.run(&["token", "list", "-o", "json"]).ok()).unwrap();
    assert_eq!(
        (listed["tokens"].as_array().unwrap().len(), &listed["tokens"][0]["present"]),
        (1, &Value::Null)
    );
    let refused = desk.signet.run(&["token", "enrol", "-o", "json"]);
    let error: Value = serde_json::from_str(&refused.stdout).unwrap();
    assert_eq!((&error["error"]["hint"], refused.code()), (&"signet doctor".into(), 77), "{refused:?}");
}

#[test]
fn no_token_and_no_service_are_two_things() {
    let desk = Desk::new();
    let found = look(&desk.signet);
    assert_eq!(levels(&found, "pcscd"), ["ok"]);
    assert!(is(one(&found, "no token is plugged in"), "warning", "readers"));
    let socket = desk.pcscd.socket().display().to_string();
    let Desk { signet, pcscd, _aws } = desk;
    drop(pcscd);
    let found = look(&signet);
    let finding = one(&found, &format!("there is no pc/sc service at {socket}"));
    assert!(is(finding, "wrong", "pcscd"));
    // a service that agent.toml names is not started by starting the system's
    let config = signet.path("config/agent.toml").display().to_string();
    assert!(hint(finding).starts_with(&format!("sed -i '/^ *pcsc_socket *=/d' {config} && ")), "{finding}");
    assert!(levels(&found, "readers").is_empty(), "one cause is told once: {found:#?}");
}
