//! The built signer with virtual YubiKeys behind a real `pcscd`: what only PIV cards can do to a use.
//! What every kind must do stands in the contract suite.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod driver;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use driver::*;
use signet_protocol::child::{Event, Order, Outcome, Places};
use signet_protocol::record::Recipient;
use signet_protocol::refusal::Code;
use signet_tests::card::{At, Card, Fault, PinPolicy, Profile, Touch, TouchPolicy};
use signet_tests::pcsc::Pcscd;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PIN: &str = "271828";
const GOOD: [Option<&str>; 1] = [Some(PIN)];
const VERIFY: u8 = 0x20;
const GENERAL_AUTHENTICATE: u8 = 0x87;
const GET_METADATA: u8 = 0xf7;

struct Desk {
    card: Card,
    recipient: Recipient,
    pcscd: Pcscd,
}

impl Desk {
    fn new(profile: Profile, slot: u8) -> Self {
        Self::with_policies(profile, slot, PinPolicy::Always, TouchPolicy::Always)
    }

    fn with_policies(profile: Profile, slot: u8, pin: PinPolicy, touch: TouchPolicy) -> Self {
        let pcscd = Pcscd::start();
        let card = Card::insert(&pcscd, profile);
        card.set_pins(PIN, "31415926");
        let point = card.generate(slot, pin, touch);
        let recipient = Recipient {
            kind: "yubikey-piv".into(),
            serial: card.serial().to_string(),
            slot: format!("{slot:02x}"),
            public_key: STANDARD.encode(point),
            label: "safe".into(),
        };
        Self { card, recipient, pcscd }
    }

    fn usual() -> Self {
        Self::new(Profile::v5_7_1(), 0x95)
    }

    fn order(&self) -> Order {
        let socket = self.pcscd.socket().to_str().unwrap().to_owned();
        let places = Places { pcsc_socket: socket, token_dir: "/nowhere".into() };
        sign_order(&record(&metadata(std::slice::from_ref(&self.recipient)), None), &places, None)
    }

    fn works(&self) {
        let order = self.order();
        Use::start(&order).signed(&order, &GOOD);
    }

    /// Instructions of the APDUs since the last reset.
    fn heard(&self) -> Vec<u8> {
        self.card.events().apdus().filter_map(|apdu| apdu.ins()).collect()
    }
}

#[test]
fn a_use_is_select_identity_verify_and_one_ecdh_and_ends_with_a_reset() {
    let desk = Desk::usual();
    let order = desk.order();
    let mut running = Use::start(&order);
    let Event::Prompt(prompt) = running.until(|event| matches!(event, Event::Prompt(_))) else {
        unreachable!()
    };
    assert_eq!(prompt.tries_left, Some(3));
    assert_eq!(desk.card.events().count(VERIFY), 0, "looking spends nothing");
    desk.card.clear_events();
    running.answer(&prompt, PIN);
    let (_, events) = running.signed(&order, &[]);
    assert_eq!(desk.heard(), [0xa4, GET_METADATA, VERIFY, GENERAL_AUTHENTICATE]);
    assert!(desk.card.transcript().trim_end().ends_with("* reset"), "{}", desk.card.transcript());
    let touch = events.iter().position(|event| matches!(event, Event::Touch { .. })).unwrap();
    let touched = events.iter().position(|event| matches!(event, Event::Touched)).unwrap();
    assert!(matches!(events.first(), Some(Event::Waiting { .. })) && touch < touched, "{events:?}");
}

#[test]
fn a_token_that_was_swapped_gets_no_pin() {
    let desk = Desk::usual();
    let mut running = Use::start(&desk.order());
    let Event::Prompt(prompt) = running.until(|event| matches!(event, Event::Prompt(_))) else {
        unreachable!()
    };
    desk.card.set_serial(desk.card.serial() + 1);
    let _ = desk.card.generate(0x95, PinPolicy::Always, TouchPolicy::Always);
    running.answer(&prompt, PIN);
    running.refused(&[]).with(Code::TokenAbsent);
    // The same serial with another key.
    let desk = Desk::usual();
    let mut running = Use::start(&desk.order());
    let Event::Prompt(prompt) = running.until(|event| matches!(event, Event::Prompt(_))) else {
        unreachable!()
    };
    let _ = desk.card.generate(0x95, PinPolicy::Always, TouchPolicy::Always);
    running.answer(&prompt, PIN);
    running.refused(&[]).with(Code::TokenAbsent);
    assert_eq!(desk.card.events().count(VERIFY), 0);
    // A card that does not tell its key is known by its serial.
    let desk = Desk::new(Profile { metadata: false, ..Profile::bare() }, 0x82);
    let mut running = Use::start(&desk.order());
    let Event::Prompt(prompt) = running.until(|event| matches!(event, Event::Prompt(_))) else {
        unreachable!()
    };
    desk.card.set_serial(desk.card.serial() + 1);
    desk.card.clear_events();
    running.answer(&prompt, PIN);
    running.refused(&[]).with(Code::TokenAbsent);
    assert_eq!(desk.card.events().count(VERIFY), 0);
    assert_eq!(desk.card.tries(), (3, 3));
}

#[test]
fn wrong_pins_are_counted_down_and_the_last_try_is_asked_for() {
    let desk = Desk::usual();
    for left in [2, 1] {
        let refused = Use::start(&desk.order()).refused(&[Some("654321")]).with(Code::PinFailed);
        assert_eq!(refused.refusal.tries_left, Some(left));
    }
    let refused = Use::start(&desk.order()).refused(&[Some("no")]).with(Code::Interrupted);
    assert_eq!(asked(&refused.events), ["confirm"]);
    assert_eq!(desk.card.tries().0, 1, "the last try was kept");
    let order = desk.order();
    Use::start(&order).signed(&order, &[Some("yes"), Some(PIN)]);
    assert_eq!(desk.card.tries().0, 3);

    for _ in 0..2 {
        Use::start(&desk.order()).refused(&[Some("654321")]).with(Code::PinFailed);
    }
    // Some cards count the last wrong try, some say at once that they are blocked now.
    let refused = Use::start(&desk.order()).refused(&[Some("yes"), Some("654321")]);
    assert!(matches!(refused.refusal.code, Code::PinFailed | Code::TokenLocked));
    assert_eq!(refused.refusal.tries_left, Some(0));
    let refused = Use::start(&desk.order()).refused(&[]).with(Code::TokenLocked);
    let hint = format!("signet token unblock {}", desk.card.serial());
    assert_eq!(refused.refusal.hint, Some(hint));
}

#[test]
fn what_cannot_be_a_pin_is_not_sent() {
    let desk = Desk::usual();
    for wrong in ["", "12345", "123456789"] {
        Use::start(&desk.order()).refused(&[Some(wrong)]).with(Code::PinFailed);
    }
    assert_eq!(desk.card.events().count(VERIFY), 0);
    desk.works();
}

#[test]
fn a_key_that_does_not_ask_each_time_is_not_used() {
    for (pin, touch) in [
        (PinPolicy::Once, TouchPolicy::Always),
        (PinPolicy::Always, TouchPolicy::Cached),
        (PinPolicy::Always, TouchPolicy::Never),
    ] {
        let desk = Desk::with_policies(Profile::v5_7_1(), 0x95, pin, touch);
        Use::start(&desk.order()).refused(&[]).with(Code::Unsupported);
        assert_eq!(desk.card.events().count(VERIFY), 0);
    }
    let attested = Desk::with_policies(Profile::v5_2_7(), 0x95, PinPolicy::Always, TouchPolicy::Cached);
    Use::start(&attested.order()).refused(&[]).with(Code::Unsupported);
}

#[test]
fn old_firmware_and_other_makers_cards_sign() {
    for (profile, slot) in [
        (Profile::v5_4_3(), 0x82),
        (Profile::v5_2_7(), 0x9d),
        (Profile::bare(), 0x83),
        (Profile { metadata: false, ..Profile::bare() }, 0x82),
    ] {
        let desk = Desk::new(profile, slot);
        desk.works();
    }
}

#[test]
fn a_touch_that_does_not_come_is_told_whatever_the_card_calls_it() {
    for refusal in [0x6982, 0x6600, 0x6985] {
        let desk = Desk::new(Profile { touch_refusal: refusal, ..Profile::v5_7_1() }, 0x95);
        desk.card.touch(Touch::Never);
        desk.card.set_touch_timeout(Duration::from_millis(200));
        Use::start(&desk.order()).refused(&GOOD).with(Code::NotTouched);
        desk.card.touch(Touch::Now);
        desk.works();
    }
}

#[test]
fn a_card_pulled_out_at_the_touch_is_absent() {
    let mut desk = Desk::usual();
    desk.card.touch(Touch::Never);
    let mut running = Use::start(&desk.order());
    let Event::Prompt(prompt) = running.until(|event| matches!(event, Event::Prompt(_))) else {
        unreachable!()
    };
    running.answer(&prompt, PIN);
    running.until(|event| matches!(event, Event::Touch { .. }));
    desk.card.wait_until_asked();
    desk.card.remove();
    running.refused(&[]).with(Code::TokenAbsent);
    desk.card.reinsert();
    desk.card.touch(Touch::Now);
    desk.works();
}

#[test]
fn whatever_goes_wrong_at_any_command_nothing_is_signed_and_the_next_use_works() {
    let mut desk = Desk::usual();
    desk.works();
    let commands = desk.heard().len();
    for at in 0..commands {
        for fault in [
            Fault::Remove,
            Fault::Status(0x6f00),
            Fault::Garbage(vec![0x90]),
            Fault::Garbage(vec![0x7c, 0x22, 0x82, 0x20, 0x90, 0x00]),
            Fault::Garbage(vec![0x61, 0x0a]),
        ] {
            let removed = fault == Fault::Remove;
            desk.card.fault(At::Nth(at), fault.clone());
            let order = desk.order();
            let refused = refused_or_signed(&order);
            // A card that hides its metadata is still known by serial and attestation.
            assert!(refused.is_some() || !removed, "{fault:?} at {at}: signed");
            desk.card.clear_faults();
            if removed {
                desk.card.reinsert();
            }
            desk.card.set_pins(PIN, "31415926");
            desk.works();
        }
    }
}

/// The code of a refusal; `None` for a signature, which must then be the right one.
fn refused_or_signed(order: &Order) -> Option<Code> {
    match Use::start(order).talk(&GOOD).0 {
        Outcome::Refused { refusal, .. } => Some(refusal.code),
        Outcome::Signed { authorization, .. } => {
            assert_eq!(authorization, expected_authorization(&caller_identity(), amz_date(order)));
            None
        }
        outcome => panic!("{outcome:?}"),
    }
}

#[test]
fn a_card_that_falls_silent_ends_with_the_time_of_the_use() {
    let mut desk = Desk::usual();
    desk.card.fault(At::Ins(GENERAL_AUTHENTICATE), Fault::Mute);
    let mut order = desk.order();
    order.deadline_ms = 1500;
    Use::start(&order).refused(&GOOD).with(Code::Timeout);
    desk.card.remove();
    desk.card.reinsert();
    desk.works();
}

#[test]
fn of_two_tokens_the_one_of_the_record_is_asked() {
    let desk = Desk::usual();
    let other = Card::insert(&desk.pcscd, Profile::v5_4_3());
    desk.works();
    assert_eq!(other.events().count(VERIFY), 0);
    assert_eq!(desk.card.events().key_uses(), 1);
}

#[test]
fn without_the_service_the_person_is_told_how_to_start_it() {
    let mut order = Desk::usual().order();
    order.places.pcsc_socket = "/nowhere/pcscd".into();
    order.wait_for_token = true;
    let refused = Use::start(&order).refused(&[]).with(Code::NoReader);
    assert_eq!(refused.refusal.hint.as_deref(), Some("sudo systemctl start pcscd.socket"));
}

#[test]
fn after_a_signer_was_killed_at_the_touch_the_next_one_waits_and_signs() {
    let desk = Desk::usual();
    desk.card.touch(Touch::Never);
    desk.card.set_touch_timeout(Duration::from_millis(900));
    let mut running = Use::start(&desk.order());
    let Event::Prompt(prompt) = running.until(|event| matches!(event, Event::Prompt(_))) else {
        unreachable!()
    };
    running.answer(&prompt, PIN);
    desk.card.wait_until_asked();
    drop(running);
    let order = desk.order();
    let mut next = Use::start(&order);
    next.until(|event| matches!(event, Event::Waiting { .. }));
    desk.card.touch(Touch::Now);
    next.signed(&order, &GOOD);
}

#[test]
fn a_card_that_another_program_holds_is_busy() {
    let desk = Desk::usual();
    let mut holder = AnotherProgram::with(&desk.pcscd);
    Use::start(&desk.order()).refused(&[]).with(Code::Busy);
    assert!(desk.heard().is_empty());
    holder.end();
    desk.works();
}

/// This test program again, as a client that holds the first card for itself.
struct AnotherProgram(Child);

impl AnotherProgram {
    fn with(pcscd: &Pcscd) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "as_another_program", "--nocapture"])
            .env("PCSCLITE_CSOCK_NAME", pcscd.socket())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("holding")), "the other program got no card");
        Self(child)
    }

    fn end(&mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}

#[test]
#[ignore = "the other program of the tests above, started by them"]
fn as_another_program() {
    let context = pcsc::Context::establish(pcsc::Scope::User).unwrap();
    let readers = context.list_readers_owned().unwrap();
    let reader = readers.first().unwrap();
    let card = context.connect(reader, pcsc::ShareMode::Exclusive, pcsc::Protocols::ANY).unwrap();
    println!("holding");
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    card.disconnect(pcsc::Disposition::LeaveCard).map_err(|(_, error)| error).unwrap();
}
