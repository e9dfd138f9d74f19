//! Software tokens, and what every kind has in common: the built program over pipes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod driver;

use base64::{Engine, engine::general_purpose::STANDARD};
use driver::{Act, Script, enrol};
use signet_protocol::Code;
use signet_protocol::PromptKind::{NewPassphrase, Passphrase};
use signet_protocol::child::{CHILD_ARGUMENT, EnrolAct, Event};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

const KIND: &str = "software";
const NEW: Script<'_> = &[(NewPassphrase, Some("correct horse"))];

fn files(dir: &Path) -> Vec<String> {
    let names =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[test]
fn a_new_token_is_one_private_file_that_its_passphrase_changes() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("software");
    let (token, warnings) = Act::new(KIND, enrol()).in_dir(&home).answer(NEW).enrolled();
    let serial = token.recipient.serial.clone();
    assert_eq!((token.policies.as_str(), token.attested, token.recipient.slot.as_str()), ("none", false, ""));
    assert!(warnings[0].starts_with("software token"), "{warnings:?}");
    assert_eq!(files(&home), [format!("{serial}.json")]);
    let path = home.join(format!("{serial}.json"));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(&home).unwrap().permissions().mode() & 0o777, 0o700);
    let point = STANDARD.decode(&token.recipient.public_key).unwrap();
    signet_envelope::PublicKey::from_bytes(&point).unwrap();

    let before = std::fs::read(&path).unwrap();
    let pin = Act::new(KIND, EnrolAct::Pin { serial: serial.clone() }).in_dir(&home);
    let refused = pin.answer(&[(Passphrase, Some("wrong horse"))]).refused();
    assert_eq!((refused.code, refused.tries_left), (Code::PinFailed, None));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    pin.answer(&[(Passphrase, Some("correct horse")), (NewPassphrase, Some("battery staple"))]).done();
    assert_eq!(pin.answer(&[(Passphrase, Some("correct horse"))]).code(), Code::PinFailed);
    assert_eq!(files(&home), [format!("{serial}.json")], "nothing is left beside it");

    let seen = Act::new(KIND, EnrolAct::List).in_dir(&home).alone().answer(&[]).seen();
    assert_eq!(seen.iter().map(|seen| seen.serial.as_str()).collect::<Vec<_>>(), [serial.as_str()]);
    let info = Act::new(KIND, EnrolAct::Info { serial }).in_dir(&home).alone().answer(&[]).seen();
    assert_eq!(info[0].details[1].1, token.recipient.public_key);
}

#[test]
fn refusals_make_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let act = Act::new(KIND, enrol()).in_dir(dir.path());
    let short = [(NewPassphrase, Some("short")), (NewPassphrase, Some("1234567")), (NewPassphrase, Some(""))];
    assert_eq!(act.answer(&short).code(), Code::BadRequest);
    assert_eq!(act.answer(&[(NewPassphrase, None)]).code(), Code::Interrupted);
    assert_eq!(Act::new(KIND, enrol()).in_dir(dir.path()).alone().answer(&[]).code(), Code::NoPrompt);
    let elsewhere = EnrolAct::Pin { serial: "soft-../../ab".to_owned() };
    assert_eq!(Act::new(KIND, elsewhere).in_dir(dir.path()).answer(&[]).code(), Code::BadRequest);
    let gone = EnrolAct::Pin { serial: "soft-00000000".to_owned() };
    assert_eq!(Act::new(KIND, gone).in_dir(dir.path()).answer(&[]).code(), Code::TokenAbsent);
    assert!(files(dir.path()).is_empty());
}

#[test]
fn a_file_that_others_can_read_or_that_was_changed_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (token, _) = Act::new(KIND, enrol()).in_dir(dir.path()).answer(NEW).enrolled();
    let path = dir.path().join(format!("{}.json", token.recipient.serial));
    let pin = Act::new(KIND, EnrolAct::Pin { serial: token.recipient.serial }).in_dir(dir.path());
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(pin.answer(&[]).code(), Code::Unsupported);
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    for (from, to) in [("600000", "1"), ("\"version\": 1", "\"version\": 2"), ("\"salt\"", "\"pepper\"")] {
        std::fs::write(&path, text.replace(from, to)).unwrap();
        assert_eq!(pin.answer(&[]).code(), Code::Unsupported, "{from}");
    }
}

#[test]
fn kinds_that_are_not_configured_are_refused() {
    let mut act = Act::new(
        "yubikey-piv",
        EnrolAct::Enrol { kind: Some(KIND.to_owned()), serial: None, slot: None, label: String::new() },
    );
    assert_eq!(act.answer(&[]).code(), Code::Unsupported);
    act.order.act = EnrolAct::Info { serial: "soft-00000000".to_owned() };
    assert_eq!(act.answer(&[]).code(), Code::BadRequest);
}

#[test]
fn an_answer_opens_only_for_its_own_question() {
    let dir = tempfile::tempdir().unwrap();
    let act = Act::new(KIND, enrol()).in_dir(dir.path());
    let mut other = Act::new(KIND, enrol());
    other.order.request = r#"{"version":1,"another":true}"#.to_owned();
    let mut running = act.start();
    let Some(Event::Prompt(asked)) = running.next() else { panic!("nothing was asked") };
    running.reply(&other, asked.number, asked.kind, &asked.public_key, Some("correct horse"));
    let outcome = format!("{:?}", running.next());
    assert!(outcome.contains("BadRequest"), "{outcome}");
    assert!(files(dir.path()).is_empty());
}

#[test]
fn it_refuses_to_start_by_hand_and_ends_with_its_input() {
    let by_hand = Command::new(env!("CARGO_BIN_EXE_signet-enrol")).stdin(Stdio::null()).output().unwrap();
    assert_eq!(by_hand.status.code(), Some(2));
    assert!(String::from_utf8(by_hand.stderr).unwrap().contains("not by hand"));

    let no_order = Command::new(env!("CARGO_BIN_EXE_signet-enrol"))
        .arg(CHILD_ARGUMENT)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(String::from_utf8(no_order.stdout).unwrap().contains("interrupted"));
}
