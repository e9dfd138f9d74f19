//! The built signer with virtual YubiKeys whose OATH applets hold the key, behind a real `pcscd`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod driver;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use driver::*;
use signet_envelope::{hex, sha256};
use signet_protocol::api::UseAct;
use signet_protocol::child::{
    Act, CodeFate, Event, Order, Outcome, Places, Seed, Sibling, TotpGate, WaitingFor,
};
use signet_protocol::record::{AccessCode, CHECK_CHALLENGE, Custody, Holder, Metadata, Payload, Recipient};
use signet_protocol::refusal::Code;
use signet_protocol::rule::Part;
use signet_sigv4::{answer, hmac_key};
use signet_tests::card::{At, Card, Fault, PinPolicy, Profile, Touch, TouchPolicy};
use signet_tests::pcsc::Pcscd;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::time::Duration;

const PIN: &str = "271828";
const GOOD: [Option<&str>; 1] = [Some(PIN)];
const CODE: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const CREDENTIAL: &str = "signet-prod-root";
const PUT: u8 = 0x01;
const SET_CODE: u8 = 0x03;
const SELECT: u8 = 0xa4;
const VALIDATE: u8 = 0xa3;
const CALCULATE: u8 = 0xa2;
const METADATA: u8 = 0xf7;
const VERIFY: u8 = 0x20;
const GENERAL_AUTHENTICATE: u8 = 0x87;

struct Desk {
    card: Card,
    recipient: Recipient,
    pcscd: Pcscd,
}

/// A card with a key in slot 95, and how a record names it.
fn enrolled(pcscd: &Pcscd, profile: Profile) -> (Card, Recipient) {
    let card = Card::insert(pcscd, profile);
    card.set_pins(PIN, "31415926");
    let recipient = Recipient {
        kind: "yubikey-piv".into(),
        serial: card.serial().to_string(),
        slot: "95".into(),
        public_key: STANDARD.encode(card.generate(0x95, PinPolicy::Always, TouchPolicy::Always)),
        label: "safe".into(),
    };
    (card, recipient)
}

fn check() -> String {
    hex(&sha256(&*answer(SECRET.as_bytes(), CHECK_CHALLENGE)))
}

impl Desk {
    fn new(profile: Profile) -> Self {
        let pcscd = Pcscd::start();
        let (card, recipient) = enrolled(&pcscd, profile);
        Self { card, recipient, pcscd }
    }

    fn usual() -> Self {
        Self::new(Profile::v5_7_1())
    }

    fn places(&self) -> Places {
        Places { pcsc_socket: self.pcscd.socket().to_str().unwrap().into(), token_dir: "/nowhere".into() }
    }

    /// What puts the key back into the only token that held it, without access code.
    fn written_anew(&self) -> String {
        format!("signet embed prod-root --token {} --no-access-code", self.recipient.serial)
    }

    fn sealed(&self) -> Vec<u8> {
        record(&metadata(std::slice::from_ref(&self.recipient)), None)
    }

    /// The key put into the card by hand, and the record that says so.
    fn in_token(&self, access_code: bool, seed: Option<&str>) -> Vec<u8> {
        self.card.put_oath(CREDENTIAL, &hmac_key(SECRET.as_bytes()), true);
        self.card.set_oath_code(access_code.then_some(CODE));
        let holder = Holder {
            kind: "yubikey-oath".into(),
            serial: self.recipient.serial.clone(),
            device: hex(&self.card.oath_device()),
            credential: CREDENTIAL.into(),
            access_code,
            check: check(),
        };
        let metadata = Metadata {
            custody: Custody::InToken,
            holders: vec![holder],
            factors: seed.map(|_| totp_factor()).into_iter().collect(),
            ..metadata(std::slice::from_ref(&self.recipient))
        };
        let codes = vec![AccessCode { serial: &self.recipient.serial, code: CODE }];
        let access_codes = if access_code { codes } else { Vec::new() };
        record_of(&metadata, &Payload { secret: None, totp_seed: seed, access_codes })
    }

    fn sign(&self, record: &[u8]) -> Order {
        sign_order(record, &self.places(), None)
    }

    fn signs(&self, record: &[u8], answers: &[Option<&str>]) -> Vec<Event> {
        let order = self.sign(record);
        let (_, events) = Use::start(&order).signed(&order, answers);
        self.is_clean();
        events
    }

    /// Nothing that was proved is left behind.
    #[track_caller]
    fn is_clean(&self) {
        assert!(!self.card.pin_is_verified(), "{}", self.card.transcript());
        assert!(!self.card.has_oath_code() || !self.card.oath_is_unlocked(), "{}", self.card.transcript());
    }

    fn heard(&self) -> Vec<u8> {
        self.card.events().apdus().filter_map(|apdu| apdu.ins()).collect()
    }
}

#[test]
fn without_a_code_a_use_is_one_touch_and_three_commands() {
    let desk = Desk::usual();
    let record = desk.in_token(false, None);
    desk.card.clear_events();
    let events = desk.signs(&record, &[]);
    assert_eq!(asked(&events), Vec::<&str>::new());
    assert_eq!(touches(&events), [(1, 1, desk.recipient.serial.clone())]);
    assert_eq!(desk.heard(), [SELECT, SELECT, CALCULATE]);
    assert!(desk.card.transcript().trim_end().ends_with("* reset"), "{}", desk.card.transcript());
    assert_eq!(desk.card.events().power_offs(), 0);
}

#[test]
fn with_a_code_a_use_is_two_touches_and_seven_commands_after_the_look() {
    let desk = Desk::usual();
    let record = desk.in_token(true, None);
    let order = desk.sign(&record);
    let mut running = Use::start(&order);
    let Event::Prompt(prompt) = running.until(|event| matches!(event, Event::Prompt(_))) else {
        unreachable!()
    };
    desk.card.clear_events();
    running.answer(&prompt, PIN);
    let (_, events) = running.signed(&order, &[]);
    let serial = desk.recipient.serial.clone();
    assert_eq!(touches(&events), [(1, 2, serial.clone()), (2, 2, serial)]);
    let piv = [SELECT, METADATA, VERIFY, GENERAL_AUTHENTICATE];
    assert_eq!(desk.heard(), [&piv[..], &[SELECT, VALIDATE, CALCULATE]].concat());
    desk.is_clean();
}

#[test]
fn no_date_but_the_one_of_the_request_is_asked_for() {
    let desk = Desk::usual();
    let record = desk.in_token(false, None);
    desk.card.clear_events();
    let order = desk.sign(&record);
    Use::start(&order).signed(&order, &[]);
    let today = amz_date(&order).get(..8).unwrap().as_bytes();
    assert_eq!(desk.card.events().challenges(), [today]);
    let old = sign_order_at(&record, &desk.places(), None, "20260101T000000Z");
    Use::start(&old).refused(&[]).with(Code::BadRequest);
    assert_eq!(desk.card.events().calculations(), 1);
}

#[test]
fn a_code_of_the_factor_is_checked_before_the_token_computes() {
    let desk = Desk::usual();
    let record = desk.in_token(false, Some(SEED));
    let gate = Some(TotpGate { last_step: None });
    let step = step();
    let order = sign_order(&record, &desk.places(), gate);
    desk.card.clear_events();
    let wrong = if code_at(step) == "000000" { "000001" } else { "000000" };
    let refused = Use::start(&order).refused(&[Some(PIN), Some(wrong)]).with(Code::FactorFailed);
    assert_eq!(refused.code, CodeFate::Refused);
    assert_eq!(desk.card.events().calculations(), 0, "a wrong code makes no date key");
    desk.is_clean();
    let code = code_at(step);
    let (fate, events) = Use::start(&order).signed(&order, &[Some(PIN), Some(&code)]);
    assert_eq!((fate, touches(&events).len()), (CodeFate::Accepted(step), 2));
    // An agent that leaves the gate out gets nothing.
    Use::start(&desk.sign(&record)).refused(&[]).with(Code::Internal);
}

#[test]
fn a_key_is_embedded_and_then_signs_and_verifies() {
    for access_code in [true, false] {
        let desk = Desk::usual();
        let sealed = desk.sealed();
        let (whole, events) = Use::start(&embed_order(&sealed, &desk.places(), access_code)).resealed(&GOOD);
        desk.is_clean();
        assert_eq!(asked(&events), ["pin"]);
        let serial = desk.recipient.serial.clone();
        assert_eq!(touches(&events), [(1, 2, serial.clone()), (2, 2, serial.clone())]);

        let between = stored(&events);
        assert_eq!(between.len(), usize::from(access_code));
        let last = between.last().map_or(&sealed, |record| record);
        let told = metadata_of(&whole);
        let holder = told.holders.first().unwrap().clone();
        assert_eq!(
            told,
            Metadata {
                custody: Custody::InToken,
                holders: vec![Holder {
                    kind: "yubikey-oath".into(),
                    serial: serial.clone(),
                    device: hex(&desk.card.oath_device()),
                    credential: CREDENTIAL.into(),
                    access_code,
                    check: check(),
                }],
                ..next(last)
            }
        );
        assert!(between.iter().all(|record| metadata_of(record) == next(&sealed)), "only the payload is new");
        assert_eq!(desk.card.oath_key(CREDENTIAL).unwrap(), (hmac_key(SECRET.as_bytes()).to_vec(), true));
        assert_eq!(desk.card.has_oath_code(), access_code);

        let answers: &[_] = if holder.access_code { &GOOD } else { &[] };
        desk.signs(&whole, answers);
        let (outcome, _) = Use::start(&verify_order(&whole, &desk.places(), &serial)).talk(answers);
        assert!(matches!(outcome, Outcome::Opened { .. }), "{outcome:?}");
        assert_eq!(desk.card.events().challenges().last().unwrap(), b"signet-0");
        desk.is_clean();
    }
}

#[test]
fn an_applet_behind_a_dispatcher_is_found_written_and_used() {
    let desk = Desk::new(Profile::v5_7_1().announcing_select());
    let (whole, _) = Use::start(&embed_order(&desk.sealed(), &desk.places(), true)).resealed(&GOOD);
    desk.signs(&whole, &GOOD);
}

#[test]
fn a_token_that_computes_something_else_is_found_out() {
    let desk = Desk::usual();
    let record = desk.in_token(false, None);
    desk.card.put_oath(CREDENTIAL, b"AWS4another", true);
    let order = verify_order(&record, &desk.places(), &desk.recipient.serial);
    let refused = Use::start(&order).refused(&[]).with(Code::FailedCheck);
    assert_eq!(refused.refusal.hint.unwrap(), desk.written_anew());
}

#[test]
fn a_sealed_key_is_verified_by_opening() {
    let desk = Desk::usual();
    let order = verify_order(&desk.sealed(), &desk.places(), &desk.recipient.serial);
    let (outcome, events) = Use::start(&order).talk(&GOOD);
    assert!(matches!(outcome, Outcome::Opened { .. }), "{outcome:?}");
    assert_eq!(touches(&events).len(), 1);
    // Another token than the one that was asked for is none.
    let mut other = verify_order(&desk.sealed(), &desk.places(), "1");
    other.tokens = vec![desk.recipient.serial.clone()];
    Use::start(&other).refused(&[]).with(Code::Internal);
}

#[test]
fn what_cannot_hold_the_key_says_why_and_keeps_nothing() {
    let full = Desk::new(Profile::v5_7_1().oath_credentials(1));
    full.card.put_oath("signet-other", b"AWS4another", true);
    let truncating = Desk::new(Profile::v5_7_1().truncating());
    let refusing =
        [0x6d00, 0x6a86, 0x6b00].map(|status| Desk::new(Profile::v5_7_1().refusing_whole_codes(status)));
    let none = Desk::new(Profile::v5_7_1().without_oath());
    let locked = Desk::usual();
    locked.card.set_oath_code(Some("somebody's"));
    let taken = Desk::usual();
    taken.card.put_oath(CREDENTIAL, b"AWS4another", true);
    for (desk, says, hint) in [
        (&full, "full", "oath accounts list"),
        (&truncating, "truncated", "signet token list"),
        (&refusing[0], "truncated", "signet token list"),
        (&refusing[1], "truncated", "signet token list"),
        (&refusing[2], "truncated", "signet token list"),
        (&none, "no oath applet", "ykman"),
        (&locked, "access code that signet does not know", "oath access"),
        (&taken, "holds something else", "oath accounts delete signet-prod-root"),
    ] {
        let before = desk.card.oath_names();
        let order = embed_order(&desk.sealed(), &desk.places(), false);
        let refused = Use::start(&order).refused(&GOOD).with(Code::Unsupported);
        assert!(refused.refusal.message.contains(says), "{}", refused.refusal.message);
        let hinted = refused.refusal.hint.unwrap();
        assert!(hinted.contains(hint), "{hinted}");
        assert_eq!(desk.card.oath_names(), before, "{says}");
        desk.is_clean();
        // The sealed record is as good as before.
        desk.signs(&desk.sealed(), &GOOD);
    }
    assert_eq!(taken.card.oath_key(CREDENTIAL).unwrap().0, b"AWS4another");
}

#[test]
fn what_can_be_seen_beforehand_spends_nothing_and_stores_nothing() {
    // No applet: neither PIN nor touch.
    let desk = Desk::new(Profile::v5_7_1().without_oath());
    let refused = Use::start(&embed_order(&desk.sealed(), &desk.places(), true)).refused(&[]);
    let refused = refused.with(Code::Unsupported);
    assert!(refused.refusal.message.contains("no oath applet"), "{}", refused.refusal.message);
    assert!(asked(&refused.events).is_empty() && touches(&refused.events).is_empty());
    assert!(stored(&refused.events).is_empty() && !desk.heard().contains(&VERIFY));

    // Somebody's code, which the record might have had: no new one is made.
    let desk = Desk::usual();
    desk.card.set_oath_code(Some("somebody's"));
    let order = || embed_order(&desk.sealed(), &desk.places(), true);
    let refused = Use::start(&order()).refused(&GOOD).with(Code::Unsupported);
    assert!(stored(&refused.events).is_empty() && desk.card.is_oath_code("somebody's"));

    // Taken away while the person types: the key does not go in without one.
    let mut running = Use::start(&order());
    let Event::Prompt(prompt) = running.until(|event| matches!(event, Event::Prompt(_))) else {
        unreachable!()
    };
    desk.card.set_oath_code(None);
    running.answer(&prompt, PIN);
    let refused = running.refused(&[]).with(Code::Busy);
    assert!(refused.refusal.message.contains("taken away meanwhile"), "{}", refused.refusal.message);
    assert!(desk.card.oath_names().is_empty() && !desk.card.has_oath_code());
    let (whole, _) = Use::start(&order()).resealed(&GOOD);
    desk.signs(&whole, &GOOD);
}

#[test]
fn a_secret_that_is_too_long_goes_nowhere() {
    let desk = Desk::usual();
    let long = "k".repeat(61);
    let payload = Payload { secret: Some(&long), totp_seed: None, access_codes: Vec::new() };
    let sealed = record_of(&metadata(std::slice::from_ref(&desk.recipient)), &payload);
    let refused = Use::start(&embed_order(&sealed, &desk.places(), true)).refused(&GOOD);
    let refused = refused.with(Code::Unsupported);
    assert!(refused.refusal.message.contains("at most 60"), "{}", refused.refusal.message);
    assert!(stored(&refused.events).is_empty() && desk.card.oath_names().is_empty());
    assert!(!desk.card.has_oath_code());
}

#[test]
fn a_token_that_has_changed_since_says_how() {
    let desk = Desk::usual();
    let record = desk.in_token(false, None);
    // Deleted.
    assert!(desk.card.delete_oath(CREDENTIAL));
    let refused = Use::start(&desk.sign(&record)).refused(&[]).with(Code::Unsupported);
    assert!(refused.refusal.message.contains("deleted"), "{}", refused.refusal.message);
    assert_eq!(refused.refusal.hint.unwrap(), desk.written_anew());
    // Locked by somebody.
    desk.card.put_oath(CREDENTIAL, &hmac_key(SECRET.as_bytes()), true);
    desk.card.set_oath_code(Some("somebody's"));
    Use::start(&desk.sign(&record)).refused(&[]).with(Code::Unsupported);
    desk.card.set_oath_code(None);
    desk.signs(&record, &[]);
    // Reset: the applet has another name.
    let mut metadata = metadata_of(&record);
    for holder in &mut metadata.holders {
        holder.device = "00112233445566ff".into();
    }
    let reset = record_of(&metadata, &Payload { secret: None, totp_seed: None, access_codes: Vec::new() });
    let refused = Use::start(&desk.sign(&reset)).refused(&[]).with(Code::Unsupported);
    assert!(refused.refusal.message.contains("was reset"), "{}", refused.refusal.message);
    assert_eq!(refused.refusal.hint.unwrap(), desk.written_anew());
    // Another token altogether.
    desk.card.set_serial(desk.card.serial() + 1);
    Use::start(&desk.sign(&reset)).refused(&[]).with(Code::TokenAbsent);
    assert_eq!(desk.card.events().count(VERIFY), 0);
}

#[test]
fn another_code_than_the_sealed_one_is_told_and_leaves_nothing_open() {
    let desk = Desk::usual();
    let record = desk.in_token(true, None);
    desk.card.set_oath_code(Some("somebody's"));
    let refused = Use::start(&desk.sign(&record)).refused(&GOOD).with(Code::Unsupported);
    assert!(refused.refusal.hint.unwrap().contains("oath access"));
    assert_eq!(desk.card.events().calculations(), 0);
    desk.is_clean();
}

#[test]
fn an_applet_that_takes_a_code_and_does_not_ask_for_it_gets_no_key() {
    let desk = Desk::new(Profile::v5_7_1().deaf_to_codes());
    let refused = Use::start(&embed_order(&desk.sealed(), &desk.places(), true)).refused(&GOOD);
    let refused = refused.with(Code::Unsupported);
    let message = &refused.refusal.message;
    assert!(message.contains("takes an access code and does not ask for it"), "{message}");
    assert_eq!(refused.refusal.hint.as_deref(), Some("signet token list"));
    let heard = desk.heard();
    assert!(heard.contains(&SET_CODE) && !heard.contains(&PUT), "{}", desk.card.transcript());
    assert!(desk.card.oath_names().is_empty());
    // Without one it can be had: that is what the person is told then.
    let last = stored(&refused.events).pop().unwrap();
    desk.signs(&last, &GOOD);
    let (whole, _) = Use::start(&embed_order(&last, &desk.places(), false)).resealed(&GOOD);
    assert!(!metadata_of(&whole).holders.first().unwrap().access_code);
    desk.signs(&whole, &[]);
}

#[test]
fn an_applet_that_asks_for_its_code_no_more_is_not_used() {
    let desk = Desk::usual();
    let record = desk.in_token(true, None);
    let (other, recipient) = enrolled(&desk.pcscd, Profile::v5_7_1().serial(7_654_321));
    drop(other);
    // The same words and the same command, whether it is the only holder or not: one that was dropped would
    // answer to anybody all the same.
    let mut two = metadata_of(&record);
    let mut second = two.holders.first().unwrap().clone();
    second.serial.clone_from(&recipient.serial);
    two.recipients.push(recipient);
    two.holders.push(second);
    let codes = vec![AccessCode { serial: &desk.recipient.serial, code: CODE }];
    let both = record_of(&two, &Payload { secret: None, totp_seed: None, access_codes: codes });
    desk.card.set_oath_code(None);
    for record in [&record, &both] {
        for order in [desk.sign(record), verify_order(record, &desk.places(), &desk.recipient.serial)] {
            let refused = Use::start(&order).refused(&GOOD).with(Code::Unsupported).refusal;
            assert!(refused.message.contains("asks for no access code any more"), "{}", refused.message);
            let hint = format!("signet embed prod-root --token {} --access-code", desk.recipient.serial);
            assert_eq!(refused.hint, Some(hint));
        }
    }
    assert_eq!(desk.card.events().calculations(), 0);
    assert!(!desk.card.pin_is_verified());
    desk.card.set_oath_code(Some(CODE));
    desk.signs(&record, &GOOD);
}

#[test]
fn a_touch_that_does_not_come_is_told_whatever_the_card_calls_it() {
    for (code, answers) in [(false, &[][..]), (true, &GOOD)] {
        let desk = Desk::usual();
        let record = desk.in_token(code, None);
        desk.card.set_touch_timeout(Duration::from_millis(300));
        let order = desk.sign(&record);
        let mut running = Use::start(&order);
        if let (true, Event::Prompt(prompt)) =
            (code, running.until(|event| matches!(event, Event::Prompt(_) | Event::Touch { .. })))
        {
            running.answer(&prompt, PIN);
            running.until(|event| matches!(event, Event::Touch { n: 1, .. }));
            running.until(|event| matches!(event, Event::Touched));
        }
        desk.card.touch(Touch::Never);
        running.refused(&[]).with(Code::NotTouched);
        desk.is_clean();
        desk.card.touch(Touch::Now);
        desk.signs(&record, answers);
    }
}

#[test]
fn a_broken_off_embed_is_finished_by_the_next_one() {
    let desk = Desk::usual();
    let sealed = desk.sealed();
    // The applet has its code and the key, and nobody touches: the record holds the code already.
    desk.card.set_touch_timeout(Duration::from_millis(300));
    let mut running = Use::start(&embed_order(&sealed, &desk.places(), true));
    let Event::Prompt(prompt) = running.until(|event| matches!(event, Event::Prompt(_))) else {
        unreachable!()
    };
    running.answer(&prompt, PIN);
    let Event::Store { record: between, .. } = running.until(|event| matches!(event, Event::Store { .. }))
    else {
        unreachable!()
    };
    let between = STANDARD.decode(between).unwrap();
    assert!(!desk.card.has_oath_code(), "nothing is written before the code is durable");
    desk.card.touch(Touch::Never);
    running.stored(metadata_of(&between).epoch);
    running.refused(&[]).with(Code::NotTouched);
    assert!(desk.card.has_oath_code() && desk.card.oath_key(CREDENTIAL).is_some());
    desk.is_clean();

    desk.card.touch(Touch::Now);
    let (whole, events) = Use::start(&embed_order(&between, &desk.places(), true)).resealed(&GOOD);
    assert!(stored(&events).is_empty(), "the code is there already");
    assert_eq!(metadata_of(&whole).epoch, metadata_of(&between).epoch + 1);
    desk.signs(&whole, &GOOD);
}

#[test]
fn an_agent_that_does_not_store_gets_no_further() {
    let desk = Desk::usual();
    for answer in [Some(7), None] {
        let mut running = Use::start(&embed_order(&desk.sealed(), &desk.places(), true));
        let Event::Prompt(prompt) = running.until(|event| matches!(event, Event::Prompt(_))) else {
            unreachable!()
        };
        running.answer(&prompt, PIN);
        running.until(|event| matches!(event, Event::Store { .. }));
        match answer {
            Some(epoch) => running.stored(epoch),
            None => running.hang_up(),
        }
        let code = running.refused(&[]).refusal.code;
        assert!(matches!(code, Code::Internal | Code::Interrupted), "{code:?}");
        assert!(!desk.card.has_oath_code() && desk.card.oath_names().is_empty());
    }
}

#[test]
fn other_peoples_credentials_are_asked_about_before_they_get_a_code() {
    let desk = Desk::usual();
    desk.card.put_oath("GitHub:me", b"12345678901234567890", false);
    let order = || embed_order(&desk.sealed(), &desk.places(), true);
    let refused = Use::start(&order()).refused(&[Some(PIN), Some("no")]).with(Code::Interrupted);
    assert_eq!(asked(&refused.events), ["pin", "confirm"]);
    assert!(!desk.card.has_oath_code());
    let (whole, _) = Use::start(&order()).resealed(&[Some(PIN), Some("yes")]);
    assert_eq!(desk.card.oath_names(), ["GitHub:me", CREDENTIAL]);
    desk.signs(&whole, &GOOD);
}

#[test]
fn a_second_token_gets_the_key_from_the_person_who_must_know_it() {
    let desk = Desk::usual();
    let record = desk.in_token(true, None);
    let (other, recipient) = enrolled(&desk.pcscd, Profile::v5_7_1().serial(7_654_321));
    let mut new = next(&record);
    new.recipients.push(recipient.clone());
    let serial = vec![recipient.serial.clone()];
    let asked_for = UseAct::Reseal { add: serial.clone(), drop: Vec::new() };
    let order =
        || embed_order_as(&record, &desk.places(), asked_for.clone(), &new, &serial, true, Vec::new());
    let refused = Use::start(&order()).refused(&[Some(PIN), Some("another")]).with(Code::BadRequest);
    assert_eq!(asked(&refused.events), ["pin", "secret"]);
    assert!(other.oath_names().is_empty() && !other.has_oath_code());

    let (whole, events) = Use::start(&order()).resealed(&[Some(PIN), Some(SECRET)]);
    let wanted = [(1, 2, desk.recipient.serial.clone()), (2, 2, recipient.serial.clone())];
    assert_eq!(touches(&events), wanted);
    assert_eq!(metadata_of(&whole).holders.len(), 2);
    desk.signs(&whole, &GOOD);
    let mut alone = desk.sign(&whole);
    alone.tokens = serial.clone();
    Use::start(&alone).signed(&alone, &GOOD);
    assert!(!other.pin_is_verified() && !other.oath_is_unlocked());

    // And away again: the code of its applet goes with it.
    let mut less = next(&whole);
    less.recipients.retain(|to| to.serial != recipient.serial);
    less.holders.retain(|holder| holder.serial != recipient.serial);
    let asked_for = UseAct::Reseal { add: Vec::new(), drop: serial };
    let order = reseal_order(&whole, &desk.places(), asked_for, &less, Seed::Keep, None);
    let (last, _) = Use::start(&order).resealed(&GOOD);
    desk.signs(&last, &GOOD);
}

#[test]
fn the_code_of_a_token_that_was_about_to_come_survives_other_acts() {
    let desk = Desk::usual();
    let record = desk.in_token(true, None);
    let (other, recipient) = enrolled(&desk.pcscd, Profile::v5_7_1().serial(7_654_321));
    other.touch(Touch::Never);
    other.set_touch_timeout(Duration::from_millis(300));
    let serial = vec![recipient.serial.clone()];
    let order = |record: &[u8]| {
        let mut new = next(record);
        new.recipients.push(recipient.clone());
        let asked_for = UseAct::Reseal { add: serial.clone(), drop: Vec::new() };
        embed_order_as(record, &desk.places(), asked_for, &new, &serial, true, Vec::new())
    };
    let typed = [Some(PIN), Some(SECRET)];
    let refused = Use::start(&order(&record)).refused(&typed).with(Code::NotTouched);
    assert!(other.has_oath_code());
    let between = stored(&refused.events).pop().unwrap();
    let policy = vec![Part::Preset("session".into())];
    let new = Metadata { policy: policy.clone(), ..next(&between) };
    let asked_for = UseAct::SetPolicy { policy };
    let change = reseal_order(&between, &desk.places(), asked_for, &new, Seed::Keep, None);
    let (changed, _) = Use::start(&change).resealed(&GOOD);
    other.touch(Touch::Now);
    let (whole, events) = Use::start(&order(&changed)).resealed(&typed);
    assert!(stored(&events).is_empty());
    assert_eq!(metadata_of(&whole).holders.len(), 2);
}

#[test]
fn the_code_of_a_shared_applet_comes_from_the_other_keys_record() {
    let desk = Desk::usual();
    let theirs = desk.in_token(true, None);
    let theirs = record_of(
        &Metadata { name: "other".into(), ..metadata_of(&theirs) },
        &Payload {
            secret: None,
            totp_seed: None,
            access_codes: vec![AccessCode { serial: &desk.recipient.serial, code: CODE }],
        },
    );
    assert!(desk.card.delete_oath(CREDENTIAL));
    let sealed = desk.sealed();
    let sibling = Sibling {
        serial: desk.recipient.serial.clone(),
        key: "other".into(),
        record: STANDARD.encode(&theirs),
        header_sha256: header_of(&theirs),
    };
    let order = |siblings| {
        let asked = UseAct::Embed { tokens: Vec::new(), access_code: true };
        let tokens = [desk.recipient.serial.clone()];
        embed_order_as(&sealed, &desk.places(), asked, &next(&sealed), &tokens, true, siblings)
    };
    Use::start(&order(Vec::new())).refused(&GOOD).with(Code::Unsupported);
    let mut changed = sibling.clone();
    changed.header_sha256 = "00".repeat(32);
    Use::start(&order(vec![changed])).refused(&[]).with(Code::Rollback);
    let (whole, events) = Use::start(&order(vec![sibling])).resealed(&GOOD);
    assert_eq!(asked(&events), ["pin"], "the same token has the same pin");
    let last = touches(&events).into_iter().map(|(n, of, _)| (n, of)).next_back();
    assert_eq!(last, Some((3, 3)));
    desk.signs(&whole, &GOOD);
    assert!(desk.card.is_oath_code(CODE));
}

#[test]
fn the_code_of_another_tokens_applet_takes_that_tokens_pin() {
    let desk = Desk::usual();
    let (other, recipient) = enrolled(&desk.pcscd, Profile::v5_7_1().serial(7_654_321));
    other.set_pins("314159", "31415926");
    other.set_oath_code(Some(CODE));
    let theirs = Metadata {
        name: "other".into(),
        custody: Custody::InToken,
        holders: vec![Holder {
            kind: "yubikey-oath".into(),
            serial: recipient.serial.clone(),
            device: hex(&other.oath_device()),
            credential: "signet-other".into(),
            access_code: true,
            check: check(),
        }],
        ..metadata(std::slice::from_ref(&recipient))
    };
    let access_codes = vec![AccessCode { serial: &recipient.serial, code: CODE }];
    let theirs = record_of(&theirs, &Payload { secret: None, totp_seed: None, access_codes });
    let sealed = record(&metadata(&[desk.recipient.clone(), recipient.clone()]), None);
    let sibling = Sibling {
        serial: recipient.serial.clone(),
        key: "other".into(),
        record: STANDARD.encode(&theirs),
        header_sha256: header_of(&theirs),
    };
    let both = [desk.recipient.serial.clone(), recipient.serial.clone()];
    let order = |record: &[u8]| {
        let asked_for = UseAct::Embed { tokens: Vec::new(), access_code: true };
        let (places, new) = (desk.places(), next(record));
        embed_order_as(record, &places, asked_for, &new, &both, true, vec![sibling.clone()])
    };
    let refused = Use::start(&order(&sealed)).refused(&[Some(PIN), Some("271829")]);
    // By then the first token has the code that was stored.
    let between = stored(&refused.with(Code::PinFailed).events).pop().unwrap();
    let (whole, events) = Use::start(&order(&between)).resealed(&[Some(PIN), Some("314159")]);
    assert_eq!(asked(&events), ["pin", "pin"]);
    let wanted = [(1, 3, &both[0]), (2, 3, &both[0]), (3, 4, &both[1]), (4, 4, &both[1])];
    assert_eq!(touches(&events), wanted.map(|(n, of, serial)| (n, of, serial.clone())));
    desk.signs(&whole, &GOOD);
    let mut there = desk.sign(&whole);
    there.tokens = vec![recipient.serial];
    Use::start(&there).signed(&there, &[Some("314159")]);
}

#[test]
fn a_code_is_settled_before_anything_is_stored() {
    let desk = Desk::usual();
    let with_code =
        Metadata { factors: vec![totp_factor()], ..metadata(std::slice::from_ref(&desk.recipient)) };
    let sealed = record(&with_code, Some(SEED));
    let gated = |last_step| {
        let mut order = embed_order(&sealed, &desk.places(), true);
        let Act::Embed { totp, .. } = &mut order.act else { unreachable!() };
        *totp = Some(TotpGate { last_step });
        order
    };
    Use::start(&embed_order(&sealed, &desk.places(), true)).refused(&[]).with(Code::Internal);
    let step = step();
    let code = code_at(step);
    let refused = Use::start(&gated(Some(step))).refused(&[Some(PIN), Some(&code)]);
    assert!(stored(&refused.with(Code::FactorFailed).events).is_empty());
    assert!(desk.card.oath_names().is_empty());
    let (outcome, events) = Use::start(&gated(None)).talk(&[Some(PIN), Some(&code)]);
    let stored = events
        .iter()
        .find_map(|event| if let Event::Store { code, .. } = event { Some(*code) } else { None });
    assert_eq!(stored, Some(CodeFate::Accepted(step)));
    let Outcome::Resealed { record, code: fate, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(fate, CodeFate::Accepted(step));
    let whole = STANDARD.decode(record).unwrap();
    let order = sign_order(&whole, &desk.places(), Some(TotpGate { last_step: None }));
    Use::start(&order).signed(&order, &[Some(PIN), Some(&code)]);
}

#[test]
fn one_unfit_token_does_not_keep_another_from_signing() {
    let desk = Desk::usual();
    let record = desk.in_token(false, None);
    let (other, recipient) = enrolled(&desk.pcscd, Profile::v5_7_1().serial(7_654_321));
    let mut two = metadata_of(&record);
    two.recipients.insert(0, recipient.clone());
    // The first one's applet was reset since.
    let mut reset = two.holders.first().unwrap().clone();
    reset.serial.clone_from(&recipient.serial);
    reset.device = "00112233445566ff".into();
    two.holders.insert(0, reset);
    let payload = Payload { secret: None, totp_seed: None, access_codes: Vec::new() };
    let both = record_of(&two, &payload);
    desk.signs(&both, &[]);
    assert_eq!(other.events().calculations(), 0);
    // Alone, it says what to type while another one still holds the key.
    let mut alone = desk.sign(&both);
    alone.tokens.retain(|serial| *serial == recipient.serial);
    let refused = Use::start(&alone).refused(&[]).with(Code::Unsupported);
    let hint = format!("signet reseal prod-root --drop {}", recipient.serial);
    assert_eq!(refused.refusal.hint.unwrap(), hint);
    // The first one's pin is blocked.
    let sealed = driver::record(&metadata(&[recipient, desk.recipient.clone()]), None);
    other.set_pins(PIN, "31415926");
    let mut alone = desk.sign(&sealed);
    alone.tokens.truncate(1);
    for answers in [&[Some("654321")][..], &[Some("654321")], &[Some("yes"), Some("654321")]] {
        let _ = Use::start(&alone).refused(answers);
    }
    Use::start(&alone).refused(&[]).with(Code::TokenLocked);
    desk.signs(&sealed, &GOOD);
}

#[test]
fn a_token_that_is_to_be_written_and_is_not_there_is_waited_for() {
    let mut desk = Desk::usual();
    let folder = driver::software::Folder::new();
    let soft = folder.token();
    let sealed = record(&metadata(&[soft.clone(), desk.recipient.clone()]), None);
    let places = Places { token_dir: folder.places().token_dir, ..desk.places() };
    let asked_for = UseAct::Embed { tokens: vec![desk.recipient.serial.clone()], access_code: false };
    let tokens = [desk.recipient.serial.clone()];
    let mut order = embed_order_as(&sealed, &places, asked_for, &next(&sealed), &tokens, false, Vec::new());
    order.tokens = vec![soft.serial];
    desk.card.remove();
    let answers = [Some(driver::software::PASSPHRASE), Some("yes")];
    Use::start(&order).refused(&answers).with(Code::TokenAbsent);
    order.wait_for_token = true;
    let mut running = Use::start(&order);
    for text in answers.into_iter().flatten() {
        let Event::Prompt(prompt) = running.until(|event| matches!(event, Event::Prompt(_))) else {
            unreachable!()
        };
        running.answer(&prompt, text);
    }
    running.until(|event| matches!(event, Event::Waiting { what: WaitingFor::Token, .. }));
    desk.card.reinsert();
    let (whole, events) = running.resealed(&[]);
    assert_eq!(touches(&events), [(1, 1, desk.recipient.serial.clone())]);
    desk.signs(&whole, &[]);
}

#[test]
fn whatever_goes_wrong_at_any_command_nothing_is_signed_and_the_next_use_works() {
    let mut desk = Desk::usual();
    let record = desk.in_token(true, None);
    desk.card.clear_events();
    desk.signs(&record, &GOOD);
    let commands = desk.heard().len();
    for at in 0..commands {
        for fault in [
            Fault::Remove,
            Fault::Reset,
            Fault::Status(0x6f00),
            Fault::Garbage(vec![0x90]),
            Fault::Garbage(vec![0x75, 0x21, 0x06, 0x90, 0x00]),
        ] {
            let removed = fault == Fault::Remove;
            desk.card.fault(At::Nth(at), fault.clone());
            let order = desk.sign(&record);
            match Use::start(&order).talk(&GOOD).0 {
                Outcome::Refused { refusal, .. } if removed => {
                    assert_eq!(refusal.code, Code::TokenAbsent, "{at}: {}", refusal.message);
                }
                Outcome::Refused { .. } => {}
                Outcome::Signed { authorization, .. } if !removed => {
                    assert_eq!(authorization, expected_authorization(&caller_identity(), amz_date(&order)));
                }
                outcome => panic!("{fault:?} at {at}: {outcome:?}"),
            }
            desk.card.clear_faults();
            if removed {
                desk.card.reinsert();
            }
            desk.is_clean();
            desk.card.set_pins(PIN, "31415926");
            desk.signs(&record, &GOOD);
        }
    }
}

#[test]
fn another_program_that_resets_the_card_between_the_two_touches_disturbs_nothing() {
    let desk = Desk::usual();
    let record = desk.in_token(true, None);
    desk.card.touch(Touch::Never);
    let order = desk.sign(&record);
    let mut running = Use::start(&order);
    let Event::Prompt(prompt) = running.until(|event| matches!(event, Event::Prompt(_))) else {
        unreachable!()
    };
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "as_another_program_that_resets", "--nocapture"])
        .env("PCSCLITE_CSOCK_NAME", desk.pcscd.socket())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(other.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("connected")));
    running.answer(&prompt, PIN);
    running.until(|event| matches!(event, Event::Touch { n: 1, .. }));
    desk.card.wait_until_asked();
    // From here on it waits for the end of the first transaction.
    drop(other.stdin.take());
    assert!(desk.card.press());
    running.until(|event| matches!(event, Event::Touched));
    desk.card.touch(Touch::Now);
    running.signed(&order, &[]);
    assert!(lines.all(|line| line.is_ok()) && other.wait().unwrap().success());
    desk.is_clean();
}

#[test]
#[ignore = "the other program of the test above, started by it"]
fn as_another_program_that_resets() {
    let context = pcsc::Context::establish(pcsc::Scope::User).unwrap();
    let readers = context.list_readers_owned().unwrap();
    let mut card =
        context.connect(readers.first().unwrap(), pcsc::ShareMode::Shared, pcsc::Protocols::ANY).unwrap();
    println!("connected");
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    if !resets(&mut card) {
        // The first transaction of the use has reset the card, which this program is told once.
        card.reconnect(pcsc::ShareMode::Shared, pcsc::Protocols::ANY, pcsc::Disposition::LeaveCard).unwrap();
        assert!(resets(&mut card));
    }
}

fn resets(card: &mut pcsc::Card) -> bool {
    card.transaction().is_ok_and(|transaction| transaction.end(pcsc::Disposition::ResetCard).is_ok())
}

#[test]
fn a_token_that_computes_wrongly_does_not_keep_the_key() {
    let desk = Desk::usual();
    desk.card.fault(At::Ins(CALCULATE), Fault::Wrong);
    let refused = Use::start(&embed_order(&desk.sealed(), &desk.places(), false)).refused(&GOOD);
    let refused = refused.with(Code::Unsupported);
    assert!(refused.refusal.message.contains("something else"), "{}", refused.refusal.message);
    assert!(desk.card.oath_names().is_empty());
    desk.is_clean();
}

#[test]
fn an_embed_that_is_pulled_out_anywhere_is_finished_by_the_next_one() {
    let mut desk = Desk::usual();
    desk.card.clear_events();
    let (_, _) = Use::start(&embed_order(&desk.sealed(), &desk.places(), true)).resealed(&GOOD);
    let commands = desk.heard().len();
    for at in 0..commands {
        let _ = desk.card.delete_oath(CREDENTIAL);
        desk.card.set_oath_code(None);
        let sealed = desk.sealed();
        desk.card.fault(At::Nth(at), Fault::Remove);
        let (outcome, events) = Use::start(&embed_order(&sealed, &desk.places(), true)).talk(&GOOD);
        let Outcome::Refused { refusal, .. } = outcome else { panic!("{at}: {outcome:?}") };
        assert_eq!(refusal.code, Code::TokenAbsent, "{at}: {}", refusal.message);
        desk.card.clear_faults();
        desk.card.reinsert();
        desk.is_clean();
        let last = stored(&events).pop().unwrap_or(sealed);
        desk.signs(&last, &GOOD);
        let (whole, _) = Use::start(&embed_order(&last, &desk.places(), true)).resealed(&GOOD);
        desk.signs(&whole, &GOOD);
    }
}

/// A token that is not ours: `SIGNET_DANGEROUS` is its serial, slot, public key (base64) and PIN, and
/// the PC/SC socket if it is not the system's, with spaces between. It must be touched often,
/// and is left with one credential more, and an access code.
#[test]
#[ignore = "dangerous: writes into the OATH applet of a token that is given on purpose"]
fn dangerous_embed_sign_and_verify_with_another_makers_card() {
    let given = std::env::var("SIGNET_DANGEROUS").expect("the token is named on purpose");
    let mut words = given.split(' ').map(str::to_owned);
    let mut word = || words.next().unwrap_or_default();
    let (serial, slot, public_key, pin, pcsc_socket) = (word(), word(), word(), word(), word());
    let places = Places { pcsc_socket, token_dir: "/nowhere".into() };
    let kind = "yubikey-piv".into();
    let recipient = Recipient { kind, serial: serial.clone(), slot, public_key, label: "given".into() };
    let mut whole = record(&metadata(&[recipient]), None);
    let pin = [Some(&*pin)];
    for access_code in [false, true] {
        let embed = if access_code {
            // The credential of before is the half-written one of now.
            embed_order(&record(&metadata(&metadata_of(&whole).recipients), None), &places, true)
        } else {
            embed_order(&whole, &places, false)
        };
        let (embedded, events) = Use::start(&embed).resealed(&pin);
        assert_eq!(touches(&events).len(), 2);
        whole = embedded;
        let answers: &[_] = if access_code { &pin } else { &[] };
        let order = sign_order(&whole, &places, None);
        let (_, events) = Use::start(&order).signed(&order, answers);
        assert_eq!(touches(&events).len(), 1 + usize::from(access_code));
        let (outcome, _) = Use::start(&verify_order(&whole, &places, &serial)).talk(answers);
        assert!(matches!(outcome, Outcome::Opened { .. }), "{outcome:?}");
    }
}
