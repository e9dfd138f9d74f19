//! The client with virtual authenticators, behind a real `pcscd`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod client;

use client::{Client, hex, unhex, words};
use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey};
use signet_tests::card::{Algorithm, At, Card, Fault, Fido, Lie, Profile, Touch, Uv};
use signet_tests::pcsc::Pcscd;
use std::time::{Duration, Instant};

const PIN: &str = "271828";
const SALT: &str = "0707070707070707070707070707070707070707070707070707070707070707";
const GET_INFO: u8 = 0x04;
const GET_ASSERTION: u8 = 0x02;
const MAKE_CREDENTIAL: u8 = 0x01;
const CLIENT_PIN: u8 = 0x06;
/// Instructions (CTAP 2.1, 11.3.5).
const MESSAGE: u8 = 0x10;
const ASK_ON: u8 = 0x11;
const UP: u8 = 0x01;
const UV: u8 = 0x04;

/// Not a test: what the others start.
#[test]
fn client_process() {
    client::serve();
}

/// A card with a PIN in a reader, and a client that has found it.
struct Desk {
    client: Client,
    card: Card,
    pcscd: Pcscd,
}

impl Desk {
    fn with(fido: Fido) -> Self {
        Self::of(Profile::v5_7_1().fido(fido))
    }

    /// With a card that waits for a touch as long as a real one, or not so long.
    fn of(profile: Profile) -> Self {
        let pcscd = Pcscd::start();
        let card = Card::insert(&pcscd, profile);
        card.set_fido_pin(Some(PIN));
        let mut client = Client::start(&pcscd);
        client.look();
        Self { client, card, pcscd }
    }

    fn new() -> Self {
        Self::with(Fido::v2_1())
    }

    /// A credential made by hand: its id in hex, and its key.
    fn credential(&self) -> (String, Vec<u8>) {
        let made = self.card.make_fido_credential("signet", Algorithm::Es256);
        (hex(&made.id), made.public_key)
    }

    /// The last use has left nothing behind, and the next one is answered.
    #[track_caller]
    fn is_idle(&mut self, id: &str) {
        assert!(!self.card.has_fido_token());
        self.card.touch(Touch::Now);
        let said = self.client.ask(&format!("assert ids={id}"));
        assert!(said.starts_with("asserted "), "{said}");
    }
}

/// Checks an answer to `assert` with ring, and gives its flags and its counter.
#[track_caller]
fn verified(said: &str, key: &[u8]) -> (u8, u32) {
    assert!(said.starts_with("asserted "), "{said}");
    let words = words(said);
    let data = unhex(words["data"]);
    let signed = [data.as_slice(), &[0x5a; 32]].concat();
    let algorithm: &dyn ring::signature::VerificationAlgorithm =
        if key.len() == 65 { &ECDSA_P256_SHA256_ASN1 } else { &ED25519 };
    UnparsedPublicKey::new(algorithm, key).verify(&signed, &unhex(words["signature"])).unwrap();
    (data[32], u32::from_be_bytes(data[33..37].try_into().unwrap()))
}

#[test]
fn a_credential_is_made_and_signs_without_a_pin() {
    let mut desk = Desk::new();
    desk.card.set_fido_pin(None);
    desk.client.look();
    for (algorithm, length) in [("es256", 65), ("eddsa", 32)] {
        let (said, touched) = desk.client.ask_touched(&format!("make alg={algorithm}"));
        assert!(said.starts_with("made "), "{said}");
        let made = words(&said);
        let key = unhex(made["key"]);
        assert_eq!(
            (key.len(), made["hmac"], touched),
            (length, "false", false),
            "it was touched before it could ask"
        );
        assert_eq!(u8::from_str_radix(made["flags"], 16).unwrap() & (UP | UV), UP);
        let said = desk.client.ask(&format!("assert ids={}", made["id"]));
        assert_eq!(verified(&said, &key).0, UP);
        assert_eq!(words(&said)["id"], made["id"]);
    }
    assert_eq!(desk.client.ask(&format!("token pin={PIN}")), "fault PinNotSet");
    assert_eq!(desk.client.ask("retries"), "fault PinNotSet");
}

#[test]
fn a_credential_is_made_and_signs_with_the_pin() {
    for fido in [Fido::v2_1(), Fido::v2_1().protocols(&[1]), Fido::v2_0(), Fido::v2_0().protocols(&[2, 1])] {
        let mut desk = Desk::with(fido);
        let said = desk.client.ask(&format!("make hmac pin={PIN}"));
        assert!(said.starts_with("made "), "{fido:?}: {said}");
        let made = words(&said);
        assert_eq!(
            (made["hmac"], u8::from_str_radix(made["flags"], 16).unwrap() & (UP | UV)),
            ("true", UP | UV)
        );
        let said = desk.client.ask(&format!("assert pin={PIN} ids={}", made["id"]));
        let (flags, counter) = verified(&said, &unhex(made["key"]));
        assert_eq!(flags, UP | UV);
        assert!(counter > made["counter"].parse().unwrap());
        assert!(!desk.card.has_fido_token(), "the card was reset");
        if !fido.permissions {
            assert_eq!(desk.client.ask("make"), "fault PinRequired");
        }
    }
}

#[test]
fn a_credential_is_not_made_twice_on_one_device() {
    let mut desk = Desk::new();
    let (id, _) = desk.credential();
    assert_eq!(desk.client.ask(&format!("make pin={PIN} exclude={id}")), "fault Excluded");
    assert!(!desk.card.has_fido_token());
    desk.is_idle(&id);
}

#[test]
fn what_it_holds_is_found_without_a_touch_or_a_pin() {
    let mut desk = Desk::new();
    let others: Vec<String> = (0..20).map(|number| hex(&[number; 32])).collect();
    assert_eq!(desk.client.ask(&format!("holds ids={}", others.join(","))), "none");
    let (id, _) = desk.credential();
    assert_eq!(desk.client.ask(&format!("holds ids={},{id}", others.join(","))), format!("held {id}"));
    assert_eq!(desk.client.ask(&format!("holds rp=other ids={id}")), "none");
    assert_eq!(desk.client.ask(&format!("assert ids={}", others[0])), "fault NoCredential");
    assert_eq!((desk.card.fido_assertions(), desk.card.fido_tries()), (0, 8));
    assert_eq!(desk.card.events().resets(), 1, "only after what might have been touched");
}

#[test]
fn a_wrong_pin_is_counted_until_the_card_wants_to_be_pulled_out() {
    let mut desk = Desk::new();
    let (id, _) = desk.credential();
    assert_eq!(desk.client.ask("retries"), "retries 8 false");
    assert_eq!(desk.client.ask(&format!("assert pin=9999 ids={id}")), "fault PinWrong(7)");
    assert_eq!(desk.client.ask(&format!("assert pin=9999 ids={id}")), "fault PinWrong(6)");
    assert_eq!(desk.client.ask(&format!("assert pin=9999 ids={id}")), "fault PowerCycleNeeded");
    assert_eq!(desk.client.ask(&format!("assert pin={PIN} ids={id}")), "fault PowerCycleNeeded");
    assert_eq!((desk.card.events().resets(), desk.card.fido_assertions()), (0, 0));
    desk.card.reinsert();
    assert_eq!(desk.client.ask("retries"), "fault Removed", "it was found in another life");
    desk.client.look();
    assert_eq!(desk.client.ask("retries"), "retries 5 false");
    assert!(desk.client.ask(&format!("assert pin={PIN} ids={id}")).starts_with("asserted "));
    assert_eq!(desk.client.ask("retries"), "retries 8 false");
}

#[test]
fn the_last_wrong_pin_blocks() {
    let mut desk = Desk::new();
    desk.card.set_fido_tries(1);
    assert_eq!(desk.client.ask("token pin=9999"), "fault PinBlocked");
    assert_eq!(desk.client.ask(&format!("token pin={PIN}")), "fault PinBlocked");
}

#[test]
fn hmac_secret_gives_the_same_again() {
    let mut outputs = Vec::new();
    for fido in [Fido::v2_1(), Fido::v2_1().protocols(&[1]), Fido::v2_0()] {
        let mut desk = Desk::with(fido);
        let (id, key) = desk.credential();
        let ask = |desk: &mut Desk, salt: &str, pin: &str| {
            let said = desk.client.ask(&format!("assert ids={id} salt={salt}{pin}"));
            verified(&said, &key);
            words(&said)["hmac"].to_owned()
        };
        let with_pin = format!(" pin={PIN}");
        let first = ask(&mut desk, SALT, &with_pin);
        assert_eq!(first.len(), 64);
        assert_eq!(ask(&mut desk, SALT, &with_pin), first);
        assert_ne!(ask(&mut desk, &SALT.replace('7', "8"), &with_pin), first);
        // Another secret answers where the person was not verified (CTAP 2.1, 12.5).
        assert_ne!(ask(&mut desk, SALT, ""), first);
        desk.card.reinsert();
        desk.client.look();
        assert_eq!(ask(&mut desk, SALT, &with_pin), first);
        outputs.push(first);
    }
    outputs.dedup();
    assert_eq!(outputs.len(), 3, "every credential has its own");
    let mut desk = Desk::with(Fido::v2_1().without_hmac_secret());
    let (id, _) = desk.credential();
    assert_eq!(
        desk.client.ask(&format!("assert ids={id} salt={SALT}")),
        "fault Unsupported(\"hmac-secret\")"
    );
}

#[test]
fn a_touch_is_announced_when_the_card_waits_for_it() {
    let mut desk = Desk::new();
    let (id, key) = desk.credential();
    desk.card.touch(Touch::Never);
    desk.client.say(&format!("assert ids={id} pin={PIN}"));
    assert_eq!(desk.client.hear(), "touch");
    assert!(desk.card.press());
    verified(&desk.client.hear(), &key);
}

#[test]
fn no_touch_ends_with_the_cards_time() {
    let mut desk = Desk::of(Profile::v5_7_1().touch_timeout(Duration::from_millis(1500)));
    let (id, _) = desk.credential();
    desk.card.touch(Touch::Never);
    let said = desk.client.ask_touched(&format!("assert ids={id} pin={PIN}"));
    assert_eq!(said, ("fault NotTouched".to_owned(), true));
    desk.is_idle(&id);
}

#[test]
fn no_touch_ends_with_our_time() {
    let mut desk = Desk::new();
    let (id, _) = desk.credential();
    desk.card.touch(Touch::Never);
    let begun = Instant::now();
    let said = desk.client.ask_touched(&format!("assert ids={id} pin={PIN} limit=600"));
    assert_eq!(said, ("fault NotTouched".to_owned(), true));
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(!desk.card.press(), "it waits no more");
    desk.is_idle(&id);
}

#[test]
fn a_use_that_is_cancelled_leaves_the_card_idle() {
    let mut desk = Desk::new();
    let (id, _) = desk.credential();
    for question in
        [format!("assert stop ids={id} pin={PIN}"), format!("assert stop ids={id}"), "make stop".to_owned()]
    {
        desk.card.touch(Touch::Never);
        desk.card.clear_events();
        assert_eq!(desk.client.ask(&question), "fault Cancelled");
        let events = desk.card.events();
        let cancelled =
            events.apdus().find(|apdu| apdu.command.starts_with(&[0x80, 0x11, 0x11, 0x00])).unwrap();
        assert_eq!(cancelled.reply, [0x2d, 0x90, 0x00]);
        assert_eq!(events.resets(), 1);
        assert!(!desk.card.press(), "it waits no more");
        desk.is_idle(&id);
    }
}

#[test]
fn a_card_that_is_pulled_out_during_the_touch_is_gone() {
    let mut desk = Desk::new();
    let (id, _) = desk.credential();
    desk.card.touch(Touch::Never);
    desk.client.say(&format!("assert ids={id} pin={PIN}"));
    assert_eq!(desk.client.hear(), "touch");
    desk.card.remove();
    assert_eq!(desk.client.hear(), "fault Removed");
    assert_eq!(desk.client.ask("retries"), "fault Removed");
    assert_eq!(desk.client.ask("look"), "found 0");
    desk.card.reinsert();
    desk.client.look();
    desk.is_idle(&id);
}

#[test]
fn a_card_that_is_pulled_out_in_the_middle_of_a_command_is_gone() {
    for at in 0..4 {
        let mut desk = Desk::new();
        let (id, _) = desk.credential();
        desk.card.fault(At::Nth(at), Fault::Remove);
        assert_eq!(desk.client.ask(&format!("assert ids={id} pin={PIN}")), "fault Removed", "{at}");
        desk.card.reinsert();
        desk.client.look();
        desk.is_idle(&id);
    }
}

#[test]
fn a_card_that_never_answers_keeps_nobody() {
    let mut desk = Desk::new();
    let (id, _) = desk.credential();
    desk.card.fault(At::Ins(MESSAGE), Fault::Mute);
    let begun = Instant::now();
    assert_eq!(desk.client.ask("retries limit=300"), "fault Busy");
    assert_eq!(desk.client.ask("retries limit=300"), "fault Busy");
    assert!(begun.elapsed() < Duration::from_secs(10));
    desk.card.reinsert();
    desk.client.look();
    desk.is_idle(&id);
}

#[test]
fn a_card_that_knows_no_keepalive_is_waited_for() {
    let mut desk = Desk::new();
    let (id, key) = desk.credential();
    // Of the first message; from then on it is known.
    desk.card.fault(At::Ins(MESSAGE), Fault::Status(0x6a86));
    assert_eq!(desk.client.ask(&format!("holds ids={id}")), format!("held {id}"));
    desk.card.touch(Touch::Never);
    desk.client.say(&format!("assert ids={id} pin={PIN}"));
    assert_eq!(desk.client.hear(), "touch");
    assert!(desk.card.press());
    verified(&desk.client.hear(), &key);
    assert_eq!(desk.card.events().count(ASK_ON), 0);
    // It cannot be told to stop, but nobody waits for it; when it comes to its end it is reset.
    assert_eq!(desk.client.ask(&format!("assert stop ids={id} pin={PIN}")), "fault Cancelled");
    assert!(desk.card.press(), "it still waits");
    assert_eq!(desk.client.ask("retries"), "retries 8 false");
    desk.is_idle(&id);
}

#[test]
fn answers_that_are_none_are_garbage() {
    let mut desk = Desk::new();
    let (id, _) = desk.credential();
    for (fault, said) in [
        (Fault::Garbage(vec![0x90]), "Garbage(\"an answer without status\")"),
        (Fault::Status(0x6f00), "Garbage(\"a status word\")"),
        (Fault::Garbage(vec![0x61, 0x00]), "Garbage(\"a status word\")"),
        (Fault::Garbage(vec![0x90, 0x00]), "Garbage(\"an empty answer\")"),
    ] {
        desk.card.fault(At::Ins(MESSAGE), fault);
        assert_eq!(desk.client.ask(&format!("assert ids={id}")), format!("fault {said}"));
        desk.is_idle(&id);
    }
}

#[test]
fn a_card_that_took_the_place_of_another_is_not_taken_for_it() {
    let mut desk = Desk::new();
    desk.card.remove();
    let other = Card::insert(&desk.pcscd, Profile::v5_7_1().serial(7));
    other.set_fido_pin(Some(PIN));
    assert_eq!(other.reader(), desk.card.reader());
    other.clear_events();
    assert_eq!(desk.client.ask("token pin=9999"), "fault Removed");
    assert_eq!((other.fido_tries(), other.events().apdus().count()), (8, 0));
}

#[test]
fn the_finger_gives_a_token_too() {
    let mut desk = Desk::with(Fido::v2_1().uv(Uv::Matches));
    let (id, key) = desk.credential();
    assert_eq!(verified(&desk.client.ask(&format!("assert uv ids={id}")), &key).0, UP | UV);
    desk.card.set_uv(Uv::Never);
    assert_eq!(desk.client.ask(&format!("assert uv ids={id}")), "fault UvFailed");
    assert!(!desk.card.has_fido_token());
    let mut desk = Desk::new();
    assert_eq!(desk.client.ask("token uv"), "fault Unsupported(\"verification of its own\")");
}

#[test]
fn cards_that_are_no_authenticators_are_left_alone() {
    let pcscd = Pcscd::start();
    let foreign = Card::insert(&pcscd, Profile::bare());
    let mut client = Client::start(&pcscd);
    assert_eq!(client.ask("look"), "found 0");
    let events = foreign.events();
    let commands: Vec<String> = events.apdus().map(|apdu| hex(&apdu.command)).collect();
    assert_eq!(commands, ["00a4040008a0000006472f000100"]);
    assert_eq!(events.resets(), 0);
    let own = Card::insert(&pcscd, Profile::v5_7_1());
    foreign.clear_events();
    client.look();
    assert!(own.events().apdus().count() > 1);
    assert_eq!((foreign.events().apdus().count(), foreign.events().resets()), (1, 0));
}

#[test]
fn a_token_that_is_not_used_is_forgotten() {
    let mut desk = Desk::new();
    assert_eq!(desk.client.ask(&format!("token pin={PIN}")), "token true");
    assert!(desk.card.has_fido_token());
    desk.client.look();
    assert!(!desk.card.has_fido_token());
    assert_eq!(desk.client.ask(&format!("token pin={PIN}")), "token true");
    drop(desk.client);
    // The service hears that the process has ended.
    let until = Instant::now() + Duration::from_secs(5);
    while desk.card.has_fido_token() && Instant::now() < until {
        std::thread::yield_now();
    }
    assert!(!desk.card.has_fido_token());
}

#[test]
fn a_card_that_somebody_else_uses_is_waited_for_as_long_as_there_is_time() {
    let mut desk = Desk::new();
    let (id, key) = desk.credential();
    let mut other = Client::start(&desk.pcscd);
    other.look();
    desk.card.touch(Touch::Never);
    desk.client.say(&format!("assert ids={id}"));
    assert_eq!(desk.client.hear(), "touch");
    assert_eq!(other.ask("retries limit=300"), "fault Busy");
    let said = other.ask("look limit=300");
    assert!(said.starts_with("found 0 ") && said.ends_with("Busy;"), "{said}");
    assert!(desk.card.press());
    verified(&desk.client.hear(), &key);
    other.look();
    assert_eq!(other.ask("retries"), "retries 8 false");
}

#[test]
fn without_the_service_there_is_nothing_and_after_it_is_back_there_is() {
    let mut desk = Desk::new();
    let (id, _) = desk.credential();
    desk.pcscd.stop();
    assert_eq!(desk.client.ask("retries"), "fault Service(NoService)");
    assert_eq!(desk.client.ask("look"), "found 0 pcscd: Service(NoService);");
    desk.pcscd.go_on();
    desk.card.reinsert();
    desk.client.look();
    desk.is_idle(&id);
}

#[test]
fn lies_are_not_believed() {
    let mut desk = Desk::new();
    let (id, _) = desk.credential();
    let ask = format!("assert ids={id} pin={PIN}");
    for (lie, fault) in [
        (Lie::signed(|told| told.set_rp_id("signer")), "Garbage(\"another relying party\")"),
        (
            Lie::told(|told| told.credential_id = vec![9; 32]),
            "Garbage(\"a credential that was not asked for\")",
        ),
        (Lie::told(|told| told.authenticator_data.truncate(36)), "Garbage(\"authenticator data\")"),
        (Lie::told(|told| told.authenticator_data.push(0)), "Garbage(\"authenticator data\")"),
        (Lie::instead(GET_ASSERTION, &[0x00, 0xa1, 0x02]), "Garbage(\"CBOR\")"),
        (Lie::instead(GET_ASSERTION, &[0x00]), "Garbage(\"CBOR\")"),
        (Lie::instead(GET_ASSERTION, &[]), "Garbage(\"an empty answer\")"),
        (Lie::instead(GET_ASSERTION, &[0xf1]), "Status(241)"),
        (Lie::answer(CLIENT_PIN, |answer| answer.truncate(20)), "Garbage(\"CBOR\")"),
    ] {
        let what = format!("{lie:?}");
        desk.card.fido_next(lie);
        assert_eq!(desk.client.ask(&ask), format!("fault {fault}"), "{what}");
        assert_eq!(desk.card.lies_left(), 0);
        desk.is_idle(&id);
    }
    desk.card.fido_next(Lie::instead(MAKE_CREDENTIAL, &[0x00, 0xa0]));
    assert_eq!(desk.client.ask(&format!("make pin={PIN}")), "fault Garbage(\"a value is missing\")");
    desk.card.fido_next(Lie::instead(GET_INFO, &[0x00, 0xff]));
    let said = desk.client.ask("look");
    assert!(said.starts_with("found 0 ") && said.contains("Garbage(\"CBOR\")"), "{said}");
}

/// So that nothing is asked twice unnoticed: commands to the card, SELECT and GET RESPONSE among them.
#[test]
fn every_question_takes_few_commands() {
    let mut desk = Desk::new();
    let (id, _) = desk.credential();
    for (ask, commands) in [
        ("look".to_owned(), 2),
        (format!("holds ids={id}"), 2),
        ("retries".to_owned(), 2),
        (format!("assert ids={id}"), 2),
        (format!("assert ids={id} pin={PIN}"), 4),
        (format!("assert ids={id} pin={PIN} salt={SALT}"), 6),
        (format!("make pin={PIN}"), 5),
    ] {
        desk.card.clear_events();
        let said = desk.client.ask(&ask);
        let events = desk.card.events();
        let sent: Vec<String> = events.apdus().map(|apdu| hex(apdu.command.get(..5).unwrap())).collect();
        assert_eq!(sent.len(), commands, "{ask}: {said}: {sent:?}");
    }
}
