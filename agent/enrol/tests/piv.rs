//! YubiKeys: the built program against a virtual card behind the real `pcscd`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod driver;

use base64::{Engine, engine::general_purpose::STANDARD};
use driver::{Act, enrol};
use signet_protocol::Code;
use signet_protocol::PromptKind::{Confirm, ManagementKey, NewPin, NewPuk, Pin, Puk};
use signet_protocol::child::EnrolAct;
use signet_protocol::child::Event;
use signet_tests::card::{At, Card, Fault, MgmtAlgorithm, PinPolicy, Profile, TouchPolicy};
use signet_tests::pcsc::Pcscd;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const KIND: &str = "yubikey-piv";
const PIN: &str = "271828";
const PUK: &str = "31415926";
const FACTORY: driver::Script<'_> = &[(NewPin, Some(PIN)), (NewPuk, Some(PUK))];
const KNOWN: driver::Script<'_> = &[(Pin, Some(PIN))];

fn act(pcscd: &Pcscd) -> Act {
    Act::new(KIND, enrol()).on(pcscd)
}

fn in_slot(slot: &str) -> EnrolAct {
    EnrolAct::Enrol { kind: None, serial: None, slot: Some(slot.to_owned()), label: String::new() }
}

/// A card after a good enrolment of a factory one.
fn enrolled_card(pcscd: &Pcscd, profile: Profile) -> Card {
    let card = Card::insert(pcscd, profile);
    act(pcscd).answer(FACTORY).enrolled();
    card
}

#[test]
fn a_factory_card_keeps_no_factory_value_and_gets_a_key_in_95() {
    for (profile, algorithm) in
        [(Profile::v5_7_1(), MgmtAlgorithm::Aes192), (Profile::v5_4_3(), MgmtAlgorithm::Tdes)]
    {
        let pcscd = Pcscd::start();
        let card = Card::insert(&pcscd, profile);
        let (token, warnings) = act(&pcscd).answer(FACTORY).enrolled();

        assert_eq!(card.factory_values(), (false, false, false));
        assert!(card.is_pin(PIN));
        assert_eq!(card.management_key().0, algorithm, "the algorithm stays");
        assert_eq!(token.recipient.slot, "95");
        assert_eq!(token.recipient.serial, card.serial().to_string());
        assert_eq!(token.recipient.label, "desk");
        assert_eq!(STANDARD.decode(&token.recipient.public_key).unwrap(), card.public_key(0x95).unwrap());
        assert_eq!(card.policies(0x95), Some((PinPolicy::Always, TouchPolicy::Always)));
        assert_eq!(token.policies, "metadata");
        assert!(!token.attested && warnings.iter().any(|text| text.contains("Yubico")), "{warnings:?}");
        assert_eq!(warnings.iter().any(|text| text.contains("EUCLEAK")), algorithm == MgmtAlgorithm::Tdes);
        assert!(!card.pin_is_verified(), "a verified PIN was left behind");
    }
}

#[test]
fn the_stored_management_key_has_the_form_that_ykman_writes() {
    let pcscd = Pcscd::start();
    let card = enrolled_card(&pcscd, Profile::v5_7_1());
    let key = card.management_key().1;
    assert_eq!(card.object(0x005f_c109).unwrap(), [&[0x88, 26, 0x89, 24][..], &key].concat());
    assert_eq!(card.object(0x005f_ff00).unwrap(), [0x80, 3, 0x81, 1, 2]);
}

#[test]
fn ykman_can_use_the_card_afterwards_with_the_pin_alone() {
    let made =
        Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/python-venv")).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    // relative to the root of the workspace, unless the target directory was named otherwise
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let ykman = root.join(String::from_utf8_lossy(&made.stdout).trim()).join("bin/ykman");

    for profile in [Profile::v5_7_1(), Profile::bare()] {
        let pcscd = Pcscd::start();
        let card = enrolled_card(&pcscd, profile);
        let run =
            |args: &[&str]| pcscd.command(&ykman).args(["-r", &pcscd.reader(0)]).args(args).output().unwrap();
        let made = run(&["piv", "keys", "generate", "--pin", PIN, "--algorithm", "ECCP256", "9a", "-"]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        assert!(card.public_key(0x9a).is_some());
        let told = String::from_utf8(run(&["piv", "info"]).stdout).unwrap();
        assert!(told.contains("protected by PIN"), "{told}");
    }
}

#[test]
fn a_second_run_asks_for_the_pin_only_and_takes_the_next_slot() {
    let pcscd = Pcscd::start();
    let card = enrolled_card(&pcscd, Profile::v5_7_1());
    let (first, key) = (card.public_key(0x95), card.management_key());
    let (token, _) = act(&pcscd).answer(KNOWN).enrolled();
    assert_eq!(token.recipient.slot, "94");
    assert_eq!((card.public_key(0x95), card.management_key()), (first, key));
}

#[test]
fn a_token_that_the_vault_knows_is_not_enrolled_again() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_7_1());
    let (token, _) = act(&pcscd).answer(FACTORY).enrolled();
    card.clear_events();
    assert_eq!(act(&pcscd).knowing(&[token.recipient]).answer(&[]).code(), Code::BadRequest);
    assert_eq!(card.public_key(0x94), None);
}

#[test]
fn without_a_prompt_nothing_is_changed() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_7_1());
    assert_eq!(act(&pcscd).alone().answer(&[]).code(), Code::NoPrompt);
    assert_eq!(card.factory_values(), (true, true, true));
    assert_eq!((card.tries(), card.public_key(0x95)), ((3, 3), None));
    assert_eq!(card.object(0x005f_c109), None);
}

#[test]
fn weak_new_values_are_asked_again_and_then_refused() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_7_1());
    let weak = [(NewPin, Some("123456")), (NewPin, Some("12345")), (NewPin, Some("sécret"))];
    assert_eq!(act(&pcscd).answer(&weak).code(), Code::BadRequest);
    assert_eq!(card.factory_values(), (true, true, true));

    let same = [(NewPin, Some("1234")), (NewPin, Some(PIN)), (NewPuk, Some(PIN)), (NewPuk, Some(PUK))];
    act(&pcscd).answer(&same).enrolled();
    assert_eq!(card.factory_values(), (false, false, false));
}

#[test]
fn cancelling_changes_nothing() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_7_1());
    let cancelled = [(NewPin, Some(PIN)), (NewPuk, None)];
    assert_eq!(act(&pcscd).answer(&cancelled).code(), Code::Interrupted);
    assert_eq!(card.factory_values(), (true, true, true));
}

#[test]
fn a_used_slot_is_never_overwritten() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_7_1());
    let theirs = card.generate(0x95, PinPolicy::Once, TouchPolicy::Never);
    let refused = Act::new(KIND, in_slot("95")).on(&pcscd).answer(&[]).refused();
    assert_eq!(refused.code, Code::BadRequest);
    assert!(refused.message.contains("slot 95"), "{refused}");
    assert_eq!(card.factory_values(), (true, true, true), "refused before anything was changed");

    let (token, _) = act(&pcscd).answer(FACTORY).enrolled();
    assert_eq!(token.recipient.slot, "94");
    assert_eq!(card.public_key(0x95), Some(theirs));
}

#[test]
fn a_named_slot_is_used_and_other_slots_are_refused() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_7_1());
    for bad in ["9a", "9c", "96", "f9"] {
        assert_eq!(Act::new(KIND, in_slot(bad)).on(&pcscd).answer(&[]).code(), Code::BadRequest);
    }
    let (token, _) = Act::new(KIND, in_slot("9d")).on(&pcscd).answer(FACTORY).enrolled();
    assert_eq!(token.recipient.slot, "9d");
    assert_eq!(card.policies(0x9d), Some((PinPolicy::Always, TouchPolicy::Always)));
}

#[test]
fn a_card_with_two_slots_3des_and_no_attestation_is_filled_and_then_refused() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::bare());
    let (token, warnings) = act(&pcscd).answer(FACTORY).enrolled();
    assert_eq!(token.recipient.slot, "83");
    assert_eq!(card.management_key().0, MgmtAlgorithm::Tdes);
    assert!(warnings.iter().any(|text| text.contains("does not attest")), "{warnings:?}");
    assert_eq!(act(&pcscd).answer(KNOWN).enrolled().0.recipient.slot, "82");
    let both = (card.public_key(0x82), card.public_key(0x83));
    assert_eq!(act(&pcscd).answer(KNOWN).code(), Code::Unsupported);
    assert_eq!((card.public_key(0x82), card.public_key(0x83)), both);
}

#[test]
fn without_metadata_the_person_is_asked_and_factory_values_are_not_tried() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_2_7());
    let ended = act(&pcscd).answer(&[
        (Confirm, Some("yes")),
        (Confirm, Some("yes")),
        (NewPin, Some(PIN)),
        (NewPuk, Some(PUK)),
        (Confirm, Some("yes")),
    ]);
    assert!(ended.questions()[0].1.contains("123456"));
    let (token, _) = ended.enrolled();
    assert_eq!((token.policies.as_str(), token.recipient.slot.as_str()), ("attestation", "95"));
    assert_eq!(card.factory_values(), (false, false, false));

    let no = [(Confirm, None), (Confirm, Some("no")), (Pin, Some(PIN)), (Confirm, Some("yes"))];
    assert_eq!(act(&pcscd).answer(&no).enrolled().0.recipient.slot, "94");
    assert_eq!(card.tries(), (3, 3), "no try was spent");
}

#[test]
fn without_metadata_a_wrong_yes_costs_one_try_and_changes_nothing() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_2_7());
    card.set_pins("654321", "87654321");
    let wrong = [
        (Confirm, Some("yes")),
        (Confirm, Some("yes")),
        (NewPin, Some(PIN)),
        (NewPuk, Some(PUK)),
        (Confirm, Some("yes")),
    ];
    let refused = act(&pcscd).answer(&wrong).refused();
    assert_eq!((refused.code, refused.tries_left), (Code::PinFailed, Some(2)));
    assert_eq!((card.tries(), card.is_pin("654321")), ((2, 3), true));
}

#[test]
fn without_metadata_and_attestation_policies_are_told_as_asked() {
    let pcscd = Pcscd::start();
    let profile = Profile { attestation: false, ..Profile::v5_2_7() };
    let card = Card::insert(&pcscd, profile);
    card.set_pins(PIN, PUK);
    let script = [(Confirm, None), (Confirm, None), (Pin, Some(PIN)), (Confirm, Some("yes"))];
    let (token, warnings) = act(&pcscd).answer(&script).enrolled();
    assert_eq!(token.policies, "asked");
    assert!(warnings.iter().any(|text| text.contains("asked for, not seen")), "{warnings:?}");
}

#[test]
fn metadata_that_is_not_understood_is_not_taken_for_none() {
    let pcscd = Pcscd::start();
    let whole = Card::insert(&pcscd, Profile::v5_7_1());
    act(&pcscd).answer(FACTORY).enrolled();
    let instructions: Vec<Option<u8>> = whole.events().apdus().map(|apdu| apdu.ins()).collect();
    let made = instructions.iter().position(|ins| *ins == Some(0x47)).unwrap();
    let read = instructions.iter().skip(made).position(|ins| *ins == Some(0xf7)).unwrap() + made;
    drop(whole);
    // PIN always, touch never; then the same as it should be. The lengths of the public key are not DER's.
    let point = [7; 65];
    let long = |touch| {
        [&[1, 1, 0x11, 2, 2, 3, touch, 3, 1, 1, 4, 0x81, 0x44, 0x86, 0x81, 0x41][..], &point, &[0x90, 0]]
            .concat()
    };
    let answers = [long(1), long(2), vec![0x90, 0], vec![1, 1, 0x90, 0], vec![0x6a, 0x88]];
    for (serial, answer) in (70_000_000..).zip(answers) {
        let card = Card::insert(&pcscd, Profile::v5_7_1().serial(serial));
        card.fault(At::Nth(read), Fault::Garbage(answer.clone()));
        let refused = act(&pcscd).answer(FACTORY).refused();
        assert_eq!((refused.code, card.faults_left()), (Code::Unsupported, 0), "{answer:02x?}: {refused}");
        assert!(refused.message.contains("not understood"), "{refused}");
        assert_eq!(refused.hint.unwrap(), format!("signet token info {serial}"));
    }
}

#[test]
fn wrong_pins_are_counted_and_the_last_try_needs_a_word() {
    let pcscd = Pcscd::start();
    let card = enrolled_card(&pcscd, Profile::v5_7_1());
    for left in [2, 1] {
        let refused = act(&pcscd).answer(&[(Pin, Some("000000"))]).refused();
        assert_eq!((refused.code, refused.tries_left), (Code::PinFailed, Some(left)));
    }
    assert_eq!(act(&pcscd).answer(&[(Confirm, None)]).code(), Code::Interrupted);
    assert_eq!(card.tries().0, 1, "the last try was not spent");

    let refused = act(&pcscd).answer(&[(Confirm, Some("yes")), (Pin, Some("000000"))]).refused();
    assert_eq!((refused.code, refused.tries_left), (Code::TokenLocked, Some(0)));
    let refused = act(&pcscd).answer(&[]).refused();
    assert_eq!(refused.code, Code::TokenLocked);
    assert_eq!(refused.hint.unwrap(), format!("signet token unblock {}", card.serial()));
    assert_eq!(card.public_key(0x94), None);
}

#[test]
fn pin_and_unblock() {
    let pcscd = Pcscd::start();
    let card = enrolled_card(&pcscd, Profile::v5_7_1());
    let serial = card.serial().to_string();
    let pin = Act::new(KIND, EnrolAct::Pin { serial: serial.clone() }).on(&pcscd);
    let unblock = Act::new(KIND, EnrolAct::Unblock { serial }).on(&pcscd);

    pin.answer(&[(Pin, Some(PIN)), (NewPin, Some("161803"))]).done();
    assert!(card.is_pin("161803"));
    for _ in 0..2 {
        let wrong = [(Pin, Some(PIN)), (NewPin, Some("141421"))];
        assert_eq!(pin.answer(&wrong).code(), Code::PinFailed);
    }
    let wrong = [(Confirm, Some("yes")), (Pin, Some(PIN)), (NewPin, Some("141421"))];
    assert_eq!(pin.answer(&wrong).code(), Code::TokenLocked);

    let wrong = [(Puk, Some("00000000")), (NewPin, Some("141421"))];
    let refused = unblock.answer(&wrong).refused();
    assert_eq!((refused.code, refused.tries_left), (Code::PinFailed, Some(2)));
    unblock.answer(&[(Puk, Some(PUK)), (NewPin, Some("141421"))]).done();
    assert!(card.is_pin("141421"));
    assert_eq!(card.tries(), (3, 3));
}

#[test]
fn a_foreign_management_key_is_asked_for() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_4_3());
    card.set_pins(PIN, PUK);
    let right = "0123456789abcdef".repeat(3);
    let set = ["--reader", "00 00", "--action", "set-mgm-key", "--new-key", &right];
    assert!(pcscd.command("yubico-piv-tool").args(set).status().unwrap().success());
    let theirs = card.management_key();

    for (wrong, code) in [("00".repeat(24), Code::PinFailed), ("42".to_owned(), Code::BadRequest)] {
        let script = [(Pin, Some(PIN)), (ManagementKey, Some(wrong.as_str()))];
        assert_eq!(act(&pcscd).answer(&script).code(), code);
    }
    let script = [(Pin, Some(PIN)), (ManagementKey, Some(right.as_str()))];
    assert_eq!(act(&pcscd).answer(&script).enrolled().0.recipient.slot, "95");
    assert_eq!(card.management_key(), theirs, "it stays the person's");
}

#[test]
fn pulled_out_before_or_after_any_change_the_next_run_comes_to_its_end() {
    let pcscd = Pcscd::start();
    let profile = Profile::v5_7_1();
    let whole = Card::insert(&pcscd, profile.clone());
    assert!(complete(&act(&pcscd)));
    // VERIFY, CHANGE REFERENCE DATA, PUT DATA, SET MANAGEMENT KEY, GENERATE
    let changes = |ins: Option<u8>| matches!(ins, Some(0x20 | 0x24 | 0xdb | 0xff | 0x47));
    let numbered = whole.events().apdus().map(|apdu| changes(apdu.ins())).collect::<Vec<_>>();
    drop(whole);
    let pulls = numbered.iter().zip(0..).filter(|(change, _)| **change).flat_map(|(_, at)| [at, at + 1]);
    let pulls: std::collections::BTreeSet<usize> = pulls.collect();
    assert!(pulls.len() > 10, "{pulls:?}");

    for at in pulls {
        let serial = 70_000_000 + u32::try_from(at).unwrap();
        let mut card = Card::insert(&pcscd, profile.clone().serial(serial));
        card.fault(At::Nth(at), Fault::Remove);
        assert!(!complete(&act(&pcscd)), "not pulled out at {at}");
        card.reinsert();
        assert!(complete(&act(&pcscd)), "after a pull at command {at}:\n{}", card.transcript());
        assert_eq!(card.factory_values(), (false, false, false), "after a pull at command {at}");
        assert!(card.is_pin(PIN) && card.tries() == (3, 3), "after a pull at command {at}");
        card.remove();
    }
}

/// Runs an enrolment, answers whatever it asks; whether it came to its end.
fn complete(act: &Act) -> bool {
    let mut running = act.start();
    while let Some(event) = running.next() {
        match event {
            Event::Prompt(asked) => {
                let answer = match asked.kind {
                    NewPin | Pin => PIN,
                    NewPuk => PUK,
                    other => panic!("asked {other:?}"),
                };
                running.reply(act, asked.number, asked.kind, &asked.public_key, Some(answer));
            }
            Event::Outcome(outcome) => {
                return matches!(outcome, signet_protocol::child::Outcome::Managed(_));
            }
            Event::Waiting { .. }
            | Event::Touch { .. }
            | Event::Touched
            | Event::Store { .. }
            | Event::Approved(_) => {}
        }
    }
    panic!("no outcome")
}

#[test]
fn a_swapped_token_never_gets_the_pin() {
    let pcscd = Pcscd::start();
    let card = enrolled_card(&pcscd, Profile::v5_7_1());
    let act = act(&pcscd);
    let mut running = act.start();
    let asked = loop {
        match running.next().unwrap() {
            Event::Prompt(asked) => break asked,
            Event::Waiting { .. }
            | Event::Touch { .. }
            | Event::Touched
            | Event::Store { .. }
            | Event::Approved(_) => {}
            Event::Outcome(outcome) => panic!("{outcome:?}"),
        }
    };
    card.set_serial(99_999_999);
    card.clear_events();
    running.reply(&act, asked.number, asked.kind, &asked.public_key, Some(PIN));
    let outcome = std::iter::from_fn(|| running.next()).last().unwrap();
    assert!(format!("{outcome:?}").contains("TokenAbsent"), "{outcome:?}");
    assert_eq!(card.events().count(0x20), 0, "{}", card.transcript());
}

#[test]
fn several_tokens_are_named_and_the_new_one_is_chosen() {
    let pcscd = Pcscd::start();
    let one = Card::insert(&pcscd, Profile::v5_7_1());
    let two = Card::insert(&pcscd, Profile::v5_4_3());
    let refused = act(&pcscd).answer(&[]).refused();
    assert_eq!(refused.code, Code::BadRequest);
    for card in [&one, &two] {
        assert!(refused.message.contains(&card.serial().to_string()), "{refused}");
    }
    let named = EnrolAct::Enrol {
        kind: None,
        serial: Some(two.serial().to_string()),
        slot: None,
        label: String::new(),
    };
    let (token, _) = Act::new(KIND, named).on(&pcscd).answer(FACTORY).enrolled();
    assert_eq!(token.recipient.serial, two.serial().to_string());
    assert_eq!(one.factory_values(), (true, true, true));

    let (token, _) = act(&pcscd).knowing(&[token.recipient]).answer(FACTORY).enrolled();
    assert_eq!(token.recipient.serial, one.serial().to_string());
}

#[test]
fn no_reader_and_no_token() {
    let refused = Act::new(KIND, enrol());
    let mut nowhere = refused;
    nowhere.order.places.pcsc_socket = "/nonexistent/pcscd.comm".to_owned();
    let refused = nowhere.answer(&[]).refused();
    assert_eq!(refused.code, Code::NoReader);
    assert!(refused.hint.unwrap().starts_with("sudo "));

    let pcscd = Pcscd::start();
    assert_eq!(act(&pcscd).answer(&[]).code(), Code::TokenAbsent);
    assert_eq!(Act::new(KIND, EnrolAct::List).on(&pcscd).answer(&[]).seen(), []);
    let gone = EnrolAct::Pin { serial: "12345678".to_owned() };
    assert_eq!(Act::new(KIND, gone).on(&pcscd).answer(&[]).code(), Code::TokenAbsent);
}

#[test]
fn a_card_that_is_no_token_is_named() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_7_1().without_piv());
    let list = || Act::new(KIND, EnrolAct::List).on(&pcscd).alone().answer(&[]);
    for refused in [act(&pcscd).answer(&[]).refused(), list().refused()] {
        assert_eq!((refused.code, refused.hint.as_deref()), (Code::Unsupported, Some("signet doctor")));
        let reader = pcscd.reader(card.reader());
        assert!(refused.message.contains(&format!("the card in {reader} is no token")), "{refused}");
    }
    let good = Card::insert(&pcscd, Profile::v5_4_3());
    let seen = list().seen();
    assert_eq!((seen.len(), seen[0].serial.clone()), (1, good.serial().to_string()));
    assert!(seen[0].details.iter().any(|(_, told)| told.contains("is no token")), "{seen:?}");
    act(&pcscd).answer(FACTORY).enrolled();
}

#[test]
fn list_and_info_tell_without_a_pin() {
    let pcscd = Pcscd::start();
    let one = Card::insert(&pcscd, Profile::v5_7_1());
    let two = Card::insert(&pcscd, Profile::v5_2_7());
    let seen = Act::new(KIND, EnrolAct::List).on(&pcscd).alone().answer(&[]).seen();
    assert_eq!(seen.len(), 2);
    assert_eq!((seen[0].serial.clone(), seen[0].pin_tries), (one.serial().to_string(), Some(3)));
    assert_eq!(seen[0].factory, ["pin", "puk", "management-key"]);
    assert_eq!(
        (seen[1].firmware.as_deref(), seen[1].pin_tries, seen[1].puk_tries),
        (Some("5.2.7"), Some(3), None)
    );
    assert!(seen[1].factory.is_empty(), "it does not tell");

    let _ = one.generate(0x84, PinPolicy::Always, TouchPolicy::Cached);
    let info = EnrolAct::Info { serial: one.serial().to_string() };
    let seen = Act::new(KIND, info).on(&pcscd).alone().answer(&[]).seen();
    let line =
        |name: &str| seen[0].details.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    assert_eq!(line("slot 84"), Some("P-256, made on the token, PIN always, touch cached"));
    assert_eq!(line("slot 95"), None);
    for card in [one, two] {
        assert_eq!(card.events().count(0x24), 0);
        assert_eq!(card.tries(), (3, 3));
    }
}

#[test]
fn without_metadata_a_card_that_says_9000_to_an_empty_verify_tells_no_tries() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_2_7());
    let tries = || Act::new(KIND, EnrolAct::List).on(&pcscd).alone().answer(&[]).seen()[0].pin_tries;
    for _ in 0..2 {
        card.fault(At::Ins(0x20), Fault::Status(0x9000));
    }
    assert_eq!(tries(), None);
    assert_eq!((card.faults_left(), tries()), (0, Some(3)));
    // Blocked is another thing.
    for _ in 0..3 {
        let wrong = ["-r", "Yubico", "-a", "verify-pin", "-P", "999999"];
        let _ = pcscd.command("yubico-piv-tool").args(wrong).output().unwrap();
    }
    assert_eq!((card.tries().0, tries()), (0, Some(0)));
}

#[test]
fn a_list_tells_of_the_slots_that_the_vault_has_and_of_the_code_of_the_other_applet() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_7_1());
    let (token, _) = act(&pcscd).answer(FACTORY).enrolled();
    let other = Card::insert(&pcscd, Profile::v5_2_7().without_oath());
    let mut gone = token.recipient.clone();
    gone.slot = "94".to_owned();
    let list = |known: &[_]| {
        let list = Act::new(KIND, EnrolAct::List).on(&pcscd).knowing(known).alone();
        list.answer(&[]).seen()
    };
    card.clear_events();
    let seen = list(&[token.recipient.clone(), gone]);
    let told = |slot: &str, line: &str| (format!("slot {slot}"), line.to_owned());
    let line = "P-256, made on the token, PIN always, touch always";
    assert_eq!(seen[0].details, [told("95", line), told("94", "empty")]);
    assert_eq!(seen.iter().map(|token| token.oath_code).collect::<Vec<_>>(), [Some(false), None]);
    card.set_oath_code(Some("secret"));
    assert_eq!(list(&[])[0].oath_code, Some(true));
    assert_eq!(list(&[])[0].details, [], "nothing of what is not the vault's");
    assert_eq!((card.tries(), card.touches_asked()), ((3, 3), 0));
    assert!(!card.oath_is_unlocked());
    // nobody else's session was reset
    assert!(!card.transcript().contains("* reset"), "{}", card.transcript());
    drop(other);
}

#[test]
fn the_code_of_an_applet_behind_a_dispatcher_is_told() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_7_1().announcing_select());
    let told = || Act::new(KIND, EnrolAct::List).on(&pcscd).alone().answer(&[]).seen()[0].oath_code;
    assert_eq!(told(), Some(false));
    card.set_oath_code(Some("secret"));
    assert_eq!(told(), Some(true));
}

#[test]
fn nobody_answers_in_time() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_7_1());
    let mut late = act(&pcscd);
    late.order.deadline_ms = u64::try_from(Duration::from_millis(300).as_millis()).unwrap();
    let mut running = late.start();
    let outcome = std::iter::from_fn(|| running.next()).last().unwrap();
    assert!(format!("{outcome:?}").contains("Timeout"), "{outcome:?}");
    assert_eq!(card.factory_values(), (true, true, true));
}
