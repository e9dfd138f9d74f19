//! A desk with an authenticator beside it that approves the uses of its key.

use super::botocore::{botocore, header};
use super::{Desk, IDENTITY};
use serde_json::Value;
use signet_tests::card::{Card, Fido, Profile};

/// The PIN of the authenticator.
pub const FIDO_PIN: &str = "office-4711";
/// VERIFY (SP 800-73-4, part 2, 3.2.1).
const VERIFY: u8 = 0x20;

/// A key, and the authenticator that approves: a token of its own, in the other reader.
pub struct Office {
    pub desk: Desk,
    pub approver: Card,
}

impl Office {
    /// An authenticator with everything, and a PIN.
    pub fn new() -> Self {
        Self::with(Fido::v2_1(), Some(FIDO_PIN))
    }

    /// Another authenticator, with a PIN or without one.
    pub fn with(fido: Fido, pin: Option<&str>) -> Self {
        let office = Self::beside(Self::bare(&["yubikey-piv"]).keyed(), fido, pin);
        office.enrols("prod");
        office
    }

    /// A desk whose own card has no FIDO.
    pub fn bare(kinds: &[&str]) -> Desk {
        Desk::of(Profile::v5_7_1().without_fido(), kinds)
    }

    /// A desk with an authenticator beside it, which approves nothing yet.
    pub fn beside(desk: Desk, fido: Fido, pin: Option<&str>) -> Self {
        let approver = Card::insert(&desk.pcscd, Profile::v5_4_3().fido(fido));
        approver.set_fido_pin(pin);
        desk.signet.answer("fido-pin", &[FIDO_PIN]);
        Self { desk, approver }
    }

    /// Has the authenticator approve the uses of a key from now on.
    pub fn enrols(&self, key: &str) {
        let _ = self.desk.signet.run(&["factor", "add", "fido2", "--key", key, "--label", "office"]).ok();
    }

    /// What `factor list` knows.
    pub fn factors(&self) -> Vec<Value> {
        let list: Value =
            serde_json::from_str(&self.desk.signet.run(&["factor", "list", "-o", "json"]).ok()).unwrap();
        list["factors"].as_array().unwrap().clone()
    }

    /// One use, signed as botocore signs it, approved by one touch and used by another.
    #[track_caller]
    pub fn works(&self) {
        let touches = (self.approver.touches_asked(), self.desk.card.touches_asked());
        let message = format!(
            "POST / HTTP/1.1\r\nHost: sts.us-east-1.amazonaws.com\r\n\
             content-type: application/x-www-form-urlencoded; charset=utf-8\r\nContent-Length: {}\r\n\r\n{IDENTITY}",
            IDENTITY.len()
        );
        let sign = ["sign", "prod", "--service", "sts", "--region", "us-east-1"];
        let signed = self.desk.signet.run_with(&sign, message.as_bytes()).ok();
        assert_eq!(botocore("sts", "us-east-1", &signed), header(&signed, "authorization"), "{signed}");
        let now = (self.approver.touches_asked(), self.desk.card.touches_asked());
        assert_eq!(now, (touches.0 + 1, touches.1 + 1));
        self.is_clean();
        let outcome = self.desk.audit().pop().unwrap();
        assert_eq!((&outcome["result"], &outcome["factors"][0]), (&"signed".into(), &"fido2".into()));
    }

    /// Nothing is left in either card.
    #[track_caller]
    pub fn is_clean(&self) {
        assert!(!self.approver.has_fido_token(), "a verified person was left behind");
        assert!(!self.desk.card.pin_is_verified(), "a verified pin was left behind");
        assert_eq!(self.desk.signers(), 0);
    }

    /// A use that is refused before the key's own token is asked for anything.
    #[track_caller]
    pub fn refuses(&self, exit: i32, code: &str) -> Value {
        self.desk.card.clear_events();
        let error = self.desk.refuses(exit, code, |desk| desk.identity(&[]));
        assert_eq!(self.desk.card.events().count(VERIFY), 0, "the token was asked");
        self.is_clean();
        error
    }
}
