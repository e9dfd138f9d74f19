//! The PIV applet: NIST SP 800-73-4 part 2, with Yubico's extensions (policies, metadata, attestation,
//! retries, reset, key move and import). One file a subject; this one holds the state and the table of
//! instructions.

mod attest;
mod authenticate;
mod generate;
mod keys;
mod metadata;
mod mgmt;
mod objects;
mod pin;

use std::collections::BTreeMap;
use std::time::Instant;

use super::apdu::{Command, Reply, sw};
use super::profile::{MgmtAlgorithm, Profile};
use super::tlv;
pub use attest::root as attestation_root;
pub(super) use authenticate::{Pending, sign};
use keys::Key;
pub use keys::{PinPolicy, TouchPolicy};
pub(super) use keys::{fresh, point};
use mgmt::MgmtKey;
use pin::Pin;

/// The applet's identifier, with its version.
pub(super) const AID: &[u8] = &[0xa0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00];

/// What became of a command.
pub(super) enum Step {
    /// It is answered.
    Done(Reply),
    /// It goes on after a touch.
    Touch(Pending),
}

impl<T: Into<Reply>> From<T> for Step {
    fn from(reply: T) -> Self {
        Self::Done(reply.into())
    }
}

/// The applet's memory.
#[derive(Debug)]
pub(crate) struct Piv {
    keys: BTreeMap<u8, Key>,
    objects: BTreeMap<u32, Vec<u8>>,
    pin: Pin,
    puk: Pin,
    mgmt: MgmtKey,
    session: Session,
}

/// What is lost at SELECT, reset and power off.
#[derive(Debug, Default)]
struct Session {
    /// The PIN has been verified.
    pin: bool,
    /// … and no private key has been used since: what the policy "always" asks for.
    fresh_pin: bool,
    /// The management key has been proved.
    mgmt: bool,
    /// An authentication with the management key has begun.
    begun: Option<mgmt::Begun>,
    /// The last touch, for the policy "cached".
    touched: Option<Instant>,
}

/// The answer to SELECT: the application's property template (SP 800-73-4 part 2, table 3).
pub(super) fn selected() -> Reply {
    let authority = tlv::write(0x4f, &[0xa0, 0x00, 0x00, 0x03, 0x08]);
    let inside = [tlv::write(0x4f, AID.get(5..).unwrap_or_default()), tlv::write(0x79, &authority)].concat();
    Reply::ok(tlv::write(0x61, &inside))
}

impl Piv {
    /// A card as it leaves the factory.
    pub(super) fn new(profile: &Profile) -> Self {
        Self {
            keys: BTreeMap::new(),
            objects: BTreeMap::new(),
            pin: Pin::new(pin::FACTORY_PIN),
            puk: Pin::new(pin::FACTORY_PUK),
            mgmt: MgmtKey::factory(profile.mgmt_algorithm),
            session: Session::default(),
        }
    }

    /// Forgets everything volatile.
    pub(super) fn forget_session(&mut self) {
        self.session = Session::default();
    }

    /// Carries one command out.
    pub(super) fn execute(&mut self, profile: &Profile, command: &Command, now: Instant) -> Step {
        match command.ins {
            0x20 => self.verify(command).into(),
            0x24 => self.change_reference(command).into(),
            0x2c => self.unblock_pin(command).into(),
            0x47 => self.generate_key(profile, command).into(),
            0x87 if command.p2 == mgmt::SLOT => self.authenticate_mgmt(command).into(),
            0x87 => self.use_key(command, now),
            0xcb => self.get_data(profile, command).into(),
            0xdb => self.put_data(profile, command).into(),
            0xf6 if profile.since(5, 7) => self.move_key(profile, command).into(),
            0xf7 if profile.metadata => self.metadata(profile, command).into(),
            0xf8 if profile.since(5, 0) => Reply::ok(profile.serial.to_be_bytes().to_vec()).into(),
            0xf9 if profile.attestation => self.attest(profile, command).into(),
            0xfa => self.set_retries(command).into(),
            0xfb => self.reset(profile).into(),
            0xfd => Reply::ok(profile.version().to_vec()).into(),
            0xfe => self.import_key(profile, command).into(),
            0xff => self.set_mgmt_key(profile, command).into(),
            _ => sw::UNKNOWN_INS.into(),
        }
    }

    /// RESET works only once both PIN and PUK are blocked.
    fn reset(&mut self, profile: &Profile) -> Reply {
        if !(self.pin.is_blocked() && self.puk.is_blocked()) {
            return sw::CONDITIONS.into();
        }
        *self = Self::new(profile);
        sw::OK.into()
    }
}

/// The test's hand inside the applet.
impl Piv {
    pub(in crate::card) fn public_key(&self, slot: u8) -> Option<[u8; 65]> {
        self.keys.get(&slot).map(Key::point)
    }

    pub(in crate::card) fn policies(&self, slot: u8) -> Option<(PinPolicy, TouchPolicy)> {
        self.keys.get(&slot).map(|key| (key.pin, key.touch))
    }

    pub(in crate::card) fn set_pins(&mut self, pin: &[u8], puk: &[u8]) {
        self.pin = Pin::new(pin);
        self.puk = Pin::new(puk);
    }

    pub(in crate::card) fn is_pin(&self, pin: &[u8]) -> bool {
        self.pin.is(pin)
    }

    pub(in crate::card) fn tries(&self) -> (u8, u8) {
        (self.pin.left(), self.puk.left())
    }

    pub(in crate::card) fn factory_values(&self) -> (bool, bool, bool) {
        (self.pin.is(pin::FACTORY_PIN), self.puk.is(pin::FACTORY_PUK), self.mgmt.is_factory())
    }

    pub(in crate::card) fn management_key(&self) -> (MgmtAlgorithm, Vec<u8>) {
        (self.mgmt.algorithm, self.mgmt.bytes.clone())
    }

    pub(in crate::card) fn object(&self, id: u32) -> Option<Vec<u8>> {
        self.objects.get(&id).cloned()
    }

    pub(in crate::card) fn pin_is_verified(&self) -> bool {
        self.session.pin
    }
}
