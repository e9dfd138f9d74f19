//! The contract of a kind of token: behaviour that every row of the table shows, written once and run
//! over all of them with the built `signet-signer`, in either custody.
//!
//! A new kind is one more bench here and one more row in [`KINDS`].

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "../../agent/signer/tests/driver/mod.rs"]
mod driver;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use driver::software::{Folder, PASSPHRASE};
use driver::{
    SECRET, SEED, Use, code_at, metadata, next, open_order, record, record_of, reseal_order, sign_order,
    step, totp_factor, verify_order,
};
use p256::elliptic_curve::sec1::ToSec1Point as _;
use signet_envelope::{hex, sha256};
use signet_protocol::api::UseAct;
use signet_protocol::approval::SEALING_SALT;
use signet_protocol::child::{CodeFate, Event, Outcome, Places, Seed, TotpGate, WaitingFor};
use signet_protocol::record::{AccessCode, CHECK_CHALLENGE, Custody, Holder, Metadata, Payload, Recipient};
use signet_protocol::refusal::Code;
use signet_protocol::rule::Part;
use signet_sigv4::{answer, hmac_key};
use signet_tests::card::{Algorithm, Card, PinPolicy, Profile, Touch, TouchPolicy};
use signet_tests::pcsc::Pcscd;
use std::time::Duration;

/// A place where one kind's tokens can be tried.
trait Bench {
    fn places(&self) -> Places;
    /// The token that is plugged in.
    fn recipient(&self) -> Recipient;
    /// A token of the same kind that is not.
    fn stranger(&self) -> Recipient;
    /// Another key in the place of the plugged-in token's, under the same serial.
    fn replace_key(&mut self);
    /// What the person answers when the record is opened, the code (if any) left out: PIN or
    /// passphrase, and what stands for the touch where the kind has none.
    fn opens(&self) -> (&'static str, Option<&'static str>);
    /// What the person answers when a request is signed for which no code is asked: PIN or passphrase,
    /// where there is one to ask for.
    fn signs(&self) -> Option<&'static str> {
        Some(self.opens().0)
    }
    /// A record of this custody, from the metadata of a sealed one.
    fn record(&self, metadata: &Metadata, seed: Option<&str>) -> Vec<u8> {
        record(metadata, seed)
    }
    /// How a token under the right serial is refused that holds another key by now.
    fn replaced(&self) -> Code {
        Code::TokenAbsent
    }
    fn unplug(&mut self);
    fn plug_in(&mut self);
    /// From now on nobody touches. The answer that says so, where the touch is a question.
    fn nobody_touches(&self) -> Option<&'static str>;
    fn somebody_touches(&self);
}

/// A row of the suite.
struct Kind {
    name: &'static str,
    /// The kind that holds the key itself, with custody `in-token`.
    holder: Option<&'static str>,
    bench: fn() -> Box<dyn Bench>,
}

const KINDS: &[Kind] = &[
    Kind { name: "yubikey-piv", holder: None, bench: || Box::new(Piv::new(Profile::v5_7_1(), 0x95)) },
    Kind { name: "fido2", holder: None, bench: || Box::new(Fido2::new()) },
    Kind { name: "software", holder: None, bench: || Box::new(Software::new()) },
    Kind { name: "yubikey-piv", holder: Some("yubikey-oath"), bench: || Box::new(Oath::new(true)) },
    Kind { name: "yubikey-piv", holder: Some("yubikey-oath"), bench: || Box::new(Oath::new(false)) },
];

/// Runs one behaviour on every kind.
fn every_kind(behaviour: fn(&mut dyn Bench)) {
    for kind in KINDS {
        println!("kind {} {}", kind.name, kind.holder.unwrap_or_default());
        behaviour(&mut *(kind.bench)());
    }
}

/// The answers of a use that signs without a code, in the order of the questions.
fn answers(bench: &dyn Bench) -> Vec<Option<&'static str>> {
    [bench.signs(), bench.opens().1].into_iter().flatten().map(Some).collect()
}

/// The answers of a use that opens the record, with a code if there is one.
fn opening<'a>(bench: &dyn Bench, code: Option<&'a str>) -> Vec<Option<&'a str>> {
    let (secret, consent) = bench.opens();
    [Some(secret), code, consent].into_iter().flatten().map(Some).collect()
}

fn plain(bench: &dyn Bench) -> Vec<u8> {
    bench.record(&metadata(&[bench.recipient()]), None)
}

/// What must hold after any refusal.
fn works(bench: &dyn Bench, record: &[u8]) {
    let order = sign_order(record, &bench.places(), None);
    Use::start(&order).signed(&order, &answers(bench));
}

#[test]
fn the_suite_runs_over_every_kind_there_is() {
    let sealed: Vec<_> = KINDS.iter().filter(|kind| kind.holder.is_none()).map(|kind| kind.name).collect();
    let all: Vec<_> = signet_protocol::kinds::KINDS.iter().map(|kind| kind.name).collect();
    assert_eq!(sealed, all);
    let mut holders: Vec<_> = KINDS.iter().filter_map(|kind| kind.holder).collect();
    holders.dedup();
    let all: Vec<_> = signet_protocol::kinds::HOLDERS.iter().map(|kind| kind.name).collect();
    assert_eq!(holders, all);
}

#[test]
fn opens_and_signs_what_was_sealed_to_it() {
    every_kind(|bench| {
        let record = plain(bench);
        works(bench, &record);
        works(bench, &record);
        let (outcome, _) = Use::start(&open_order(&record, &bench.places())).talk(&opening(bench, None));
        assert!(matches!(outcome, Outcome::Opened { .. }), "{outcome:?}");
    });
}

#[test]
fn is_verified_without_signing() {
    every_kind(|bench| {
        let record = plain(bench);
        let order = verify_order(&record, &bench.places(), &bench.recipient().serial);
        let (outcome, _) = Use::start(&order).talk(&answers(bench));
        assert!(matches!(outcome, Outcome::Opened { .. }), "{outcome:?}");
        works(bench, &record);
    });
}

#[test]
fn opens_as_any_of_several_recipients() {
    every_kind(|bench| {
        for recipients in [[bench.recipient(), bench.stranger()], [bench.stranger(), bench.recipient()]] {
            works(bench, &bench.record(&metadata(&recipients), None));
        }
    });
}

#[test]
fn another_tokens_record_is_not_its_own() {
    every_kind(|bench| {
        let stranger = bench.stranger();
        let record = bench.record(&metadata(std::slice::from_ref(&stranger)), None);
        let order = sign_order(&record, &bench.places(), None);
        let refused = Use::start(&order).refused(&[]).with(Code::TokenAbsent);
        assert!(refused.refusal.message.contains(&stranger.serial), "{}", refused.refusal.message);
        works(bench, &plain(bench));
    });
}

#[test]
fn a_token_whose_key_was_replaced_is_not_asked_for_anything() {
    every_kind(|bench| {
        let old = plain(bench);
        bench.replace_key();
        Use::start(&sign_order(&old, &bench.places(), None)).refused(&[]).with(bench.replaced());
        works(bench, &plain(bench));
    });
}

#[test]
fn a_wrong_pin_or_passphrase_ends_the_use() {
    every_kind(|bench| {
        let record = plain(bench);
        if bench.signs().is_none() {
            return;
        }
        let (_, consent) = bench.opens();
        let wrong: Vec<_> = [Some("87654321"), consent].into_iter().flatten().map(Some).collect();
        let order = sign_order(&record, &bench.places(), None);
        Use::start(&order).refused(&wrong).with(Code::PinFailed);
        works(bench, &record);
    });
}

#[test]
fn whoever_cancels_is_believed() {
    every_kind(|bench| {
        let record = plain(bench);
        if bench.signs().is_none() {
            return;
        }
        let order = sign_order(&record, &bench.places(), None);
        Use::start(&order).refused(&[None]).with(Code::Interrupted);
        let mut left = Use::start(&order);
        left.until(|event| matches!(event, Event::Prompt(_)));
        left.hang_up();
        left.refused(&[]).with(Code::Interrupted);
        works(bench, &record);
    });
}

#[test]
fn without_a_touch_nothing_is_signed() {
    every_kind(|bench| {
        let record = plain(bench);
        let order = sign_order(&record, &bench.places(), None);
        let said: Vec<_> = [bench.signs(), bench.nobody_touches()].into_iter().flatten().map(Some).collect();
        Use::start(&order).refused(&said).with(Code::NotTouched);
        bench.somebody_touches();
        works(bench, &record);
    });
}

#[test]
fn a_token_that_is_not_there_is_named() {
    every_kind(|bench| {
        let record = plain(bench);
        bench.unplug();
        let refused = Use::start(&sign_order(&record, &bench.places(), None)).refused(&[]);
        let refused = refused.with(Code::TokenAbsent);
        assert!(refused.refusal.message.contains(&bench.recipient().serial));
        bench.plug_in();
        works(bench, &record);
    });
}

#[test]
fn a_token_that_comes_later_is_waited_for() {
    every_kind(|bench| {
        let mut order = sign_order(&plain(bench), &bench.places(), None);
        order.wait_for_token = true;
        bench.unplug();
        let mut waiting = Use::start(&order);
        waiting.until(|event| matches!(event, Event::Waiting { what: WaitingFor::Token, .. }));
        bench.plug_in();
        waiting.signed(&order, &answers(bench));
    });
}

#[test]
fn a_deadline_ends_the_waiting() {
    every_kind(|bench| {
        let record = plain(bench);
        let mut order = sign_order(&record, &bench.places(), None);
        order.wait_for_token = true;
        order.deadline_ms = 400;
        bench.unplug();
        let refused = Use::start(&order).refused(&[]).refusal.code;
        assert!(matches!(refused, Code::Timeout | Code::TokenAbsent), "{refused:?}");
        bench.plug_in();
        works(bench, &record);
    });
}

#[test]
fn a_token_pulled_out_between_question_and_answer_signs_nothing() {
    every_kind(|bench| {
        let record = plain(bench);
        if bench.signs().is_none() {
            return;
        }
        let order = sign_order(&record, &bench.places(), None);
        let mut running = Use::start(&order);
        let Event::Prompt(prompt) = running.until(|event| matches!(event, Event::Prompt(_))) else {
            unreachable!()
        };
        bench.unplug();
        let (secret, consent) = bench.opens();
        running.answer(&prompt, secret);
        let rest: Vec<_> = consent.into_iter().map(Some).collect();
        running.refused(&rest).with(Code::TokenAbsent);
        bench.plug_in();
        works(bench, &record);
    });
}

#[test]
fn a_record_that_was_changed_signs_nothing() {
    every_kind(|bench| {
        let whole = plain(bench);
        let mut changed = whole.clone();
        let last = changed.last_mut().unwrap();
        *last ^= 1;
        // What is only computed in the token needs nothing of the payload: there it is opened.
        let order = match bench.signs() {
            Some(_) => sign_order(&changed, &bench.places(), None),
            None => open_order(&changed, &bench.places()),
        };
        Use::start(&order).refused(&opening(bench, None)).with(Code::Rollback);
        works(bench, &whole);
    });
}

#[test]
fn a_code_is_checked_after_opening_and_taken_once() {
    every_kind(|bench| {
        let meta = Metadata { factors: vec![totp_factor()], ..metadata(&[bench.recipient()]) };
        let record = bench.record(&meta, Some(SEED));
        let step = step();
        let code = code_at(step);
        let gate = |last_step| Some(TotpGate { last_step });
        let order = sign_order(&record, &bench.places(), gate(None));
        let (fate, _) = Use::start(&order).signed(&order, &opening(bench, Some(&code)));
        assert_eq!(fate, CodeFate::Accepted(step));
        let again = sign_order(&record, &bench.places(), gate(Some(step)));
        let refused = Use::start(&again).refused(&opening(bench, Some(&code))).with(Code::FactorFailed);
        assert_eq!(refused.code, CodeFate::Refused);
    });
}

#[test]
fn a_new_generation_opens_like_the_old_one() {
    every_kind(|bench| {
        let whole = plain(bench);
        let policy = vec![Part::Preset("session".into())];
        let new = Metadata { policy: policy.clone(), ..next(&whole) };
        let asked = UseAct::SetPolicy { policy };
        let order = reseal_order(&whole, &bench.places(), asked, &new, Seed::Keep, None);
        let (outcome, _) = Use::start(&order).talk(&opening(bench, None));
        let Outcome::Resealed { record, .. } = outcome else { panic!("{outcome:?}") };
        works(bench, &STANDARD.decode(record).unwrap());
    });
}

/// Kind `software`.
struct Software {
    folder: Folder,
    recipient: Recipient,
}

impl Software {
    fn new() -> Self {
        let folder = Folder::new();
        let recipient = folder.token();
        Self { folder, recipient }
    }

    fn files(&self) -> (std::path::PathBuf, std::path::PathBuf) {
        let file = self.folder.file(&self.recipient.serial);
        (file.with_extension("away"), file)
    }
}

impl Bench for Software {
    fn places(&self) -> Places {
        self.folder.places()
    }

    fn recipient(&self) -> Recipient {
        self.recipient.clone()
    }

    fn stranger(&self) -> Recipient {
        Folder::new().token()
    }

    fn replace_key(&mut self) {
        self.recipient = self.folder.token_named(&self.recipient.serial);
    }

    fn opens(&self) -> (&'static str, Option<&'static str>) {
        (PASSPHRASE, Some("yes"))
    }

    fn unplug(&mut self) {
        let (away, file) = self.files();
        std::fs::rename(file, away).unwrap();
    }

    fn plug_in(&mut self) {
        let (away, file) = self.files();
        std::fs::rename(away, file).unwrap();
    }

    fn nobody_touches(&self) -> Option<&'static str> {
        Some("no")
    }

    fn somebody_touches(&self) {}
}

/// Kind `yubikey-piv`.
struct Piv {
    // Pulled out before its reader goes.
    card: Card,
    slot: u8,
    recipient: Recipient,
    pcscd: Pcscd,
}

const PIN: &str = "271828";

impl Piv {
    fn new(profile: Profile, slot: u8) -> Self {
        let pcscd = Pcscd::start();
        let card = Card::insert(&pcscd, profile);
        card.set_pins(PIN, "31415926");
        let point = card.generate(slot, PinPolicy::Always, TouchPolicy::Always);
        let recipient = recipient(card.serial(), slot, &point);
        Self { card, slot, recipient, pcscd }
    }
}

fn recipient(serial: u32, slot: u8, point: &[u8; 65]) -> Recipient {
    Recipient {
        kind: "yubikey-piv".into(),
        serial: serial.to_string(),
        slot: format!("{slot:02x}"),
        public_key: STANDARD.encode(point),
        label: "safe".into(),
    }
}

impl Bench for Piv {
    fn places(&self) -> Places {
        Places { pcsc_socket: self.pcscd.socket().to_str().unwrap().into(), token_dir: "/nowhere".into() }
    }

    fn recipient(&self) -> Recipient {
        self.recipient.clone()
    }

    fn stranger(&self) -> Recipient {
        let elsewhere = Folder::new().token();
        let point = STANDARD.decode(elsewhere.public_key).unwrap().try_into().unwrap();
        recipient(self.card.serial() + 1, self.slot, &point)
    }

    fn replace_key(&mut self) {
        let point = self.card.generate(self.slot, PinPolicy::Always, TouchPolicy::Always);
        self.recipient = recipient(self.card.serial(), self.slot, &point);
    }

    fn opens(&self) -> (&'static str, Option<&'static str>) {
        (PIN, None)
    }

    fn unplug(&mut self) {
        self.card.remove();
    }

    fn plug_in(&mut self) {
        self.card.reinsert();
    }

    fn nobody_touches(&self) -> Option<&'static str> {
        self.card.touch(Touch::Never);
        self.card.set_touch_timeout(Duration::from_millis(300));
        None
    }

    fn somebody_touches(&self) {
        self.card.touch(Touch::Now);
    }
}

/// Kind `fido2`.
struct Fido2 {
    // Pulled out before its reader goes.
    card: Card,
    recipient: Recipient,
    pcscd: Pcscd,
}

impl Fido2 {
    fn new() -> Self {
        let pcscd = Pcscd::start();
        let card = Card::insert(&pcscd, Profile::v5_7_1());
        card.set_fido_pin(Some(PIN));
        let recipient = Self::enrolled(&card);
        Self { card, recipient, pcscd }
    }

    /// A new credential by hand, and the key that it makes.
    fn enrolled(card: &Card) -> Recipient {
        let id = card.make_fido_credential("signet", Algorithm::Es256).id;
        let secret = card.fido_answer(&id, SEALING_SALT).unwrap();
        let key = p256::SecretKey::from_slice(&signet_envelope::private_key(&secret).unwrap()).unwrap();
        Recipient {
            kind: "fido2".into(),
            serial: format!("fido-{}", &hex(&sha256(&id))[..8]),
            slot: STANDARD.encode(&id),
            public_key: STANDARD.encode(key.public_key().to_sec1_point(false).as_bytes()),
            label: "belt".into(),
        }
    }
}

impl Bench for Fido2 {
    fn places(&self) -> Places {
        Places { pcsc_socket: self.pcscd.socket().to_str().unwrap().into(), token_dir: "/nowhere".into() }
    }

    fn recipient(&self) -> Recipient {
        self.recipient.clone()
    }

    fn stranger(&self) -> Recipient {
        let elsewhere = Folder::new().token();
        Recipient {
            serial: "fido-00000000".into(),
            slot: STANDARD.encode([7; 48]),
            public_key: elsewhere.public_key,
            ..self.recipient()
        }
    }

    /// It was reset, and enrolled anew.
    fn replace_key(&mut self) {
        for id in self.card.fido_credentials() {
            assert!(self.card.delete_fido_credential(&id));
        }
        self.recipient = Self::enrolled(&self.card);
    }

    fn opens(&self) -> (&'static str, Option<&'static str>) {
        (PIN, None)
    }

    fn unplug(&mut self) {
        self.card.remove();
    }

    fn plug_in(&mut self) {
        self.card.reinsert();
    }

    fn nobody_touches(&self) -> Option<&'static str> {
        self.card.touch(Touch::Never);
        self.card.set_touch_timeout(Duration::from_millis(300));
        None
    }

    fn somebody_touches(&self) {
        self.card.touch(Touch::Now);
    }
}

/// Kind `yubikey-oath`, opened by `yubikey-piv` of the same token.
struct Oath {
    piv: Piv,
    access_code: bool,
}

const CODE: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const CREDENTIAL: &str = "signet-prod-root";

impl Oath {
    fn new(access_code: bool) -> Self {
        Self { piv: Piv::new(Profile::v5_7_1(), 0x95), access_code }
    }
}

impl Bench for Oath {
    fn places(&self) -> Places {
        self.piv.places()
    }

    fn recipient(&self) -> Recipient {
        self.piv.recipient()
    }

    fn stranger(&self) -> Recipient {
        self.piv.stranger()
    }

    /// A new token that says it had the old one's serial.
    fn replace_key(&mut self) {
        self.piv.card.remove();
        self.piv.card = Card::insert(&self.piv.pcscd, Profile::v5_7_1());
        self.piv.card.set_pins(PIN, "31415926");
        self.piv.replace_key();
    }

    fn replaced(&self) -> Code {
        // Where the record is opened first, its key is missed first; else the applet's name.
        if self.access_code { Code::TokenAbsent } else { Code::Unsupported }
    }

    fn opens(&self) -> (&'static str, Option<&'static str>) {
        self.piv.opens()
    }

    fn signs(&self) -> Option<&'static str> {
        self.access_code.then_some(PIN)
    }

    /// The key is put into the token by hand.
    fn record(&self, metadata: &Metadata, seed: Option<&str>) -> Vec<u8> {
        let card = &self.piv.card;
        card.put_oath(CREDENTIAL, &hmac_key(SECRET.as_bytes()), true);
        card.set_oath_code(self.access_code.then_some(CODE));
        let holder = |recipient: &Recipient| Holder {
            kind: "yubikey-oath".into(),
            serial: recipient.serial.clone(),
            device: if recipient.serial == self.recipient().serial {
                hex(&card.oath_device())
            } else {
                "00112233445566ff".into()
            },
            credential: CREDENTIAL.into(),
            access_code: self.access_code,
            check: hex(&sha256(&*answer(SECRET.as_bytes(), CHECK_CHALLENGE))),
        };
        let metadata = Metadata {
            custody: Custody::InToken,
            holders: metadata.recipients.iter().map(holder).collect(),
            ..metadata.clone()
        };
        let codes = metadata.recipients.iter().filter(|_| self.access_code);
        let access_codes = codes.map(|to| AccessCode { serial: &to.serial, code: CODE }).collect();
        record_of(&metadata, &Payload { secret: None, totp_seed: seed, access_codes })
    }

    fn unplug(&mut self) {
        self.piv.unplug();
    }

    fn plug_in(&mut self) {
        self.piv.plug_in();
    }

    fn nobody_touches(&self) -> Option<&'static str> {
        self.piv.nobody_touches()
    }

    fn somebody_touches(&self) {
        self.piv.somebody_touches();
    }
}
