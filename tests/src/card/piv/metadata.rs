//! Yubico's GET METADATA, in the shape of its SDK's documentation.

use super::keys::{ATTESTATION, Key, Origin, P256, PinPolicy, TouchPolicy};
use super::{Command, Piv, Reply, attest, keys, mgmt, pin, sw, tlv};
use crate::card::profile::Profile;

/// "Algorithm" of a PIN or PUK.
const NO_ALGORITHM: u8 = 0xff;

impl Piv {
    pub(super) fn metadata(&self, profile: &Profile, command: &Command) -> Reply {
        let of_pin = |value: &pin::Pin, factory: bool| {
            [
                tlv::write(0x01, &[NO_ALGORITHM]),
                tlv::write(0x05, &[u8::from(factory)]),
                tlv::write(0x06, &[value.total(), value.left()]),
            ]
            .concat()
        };
        match (command.p1, command.p2) {
            (0, pin::PIN) => Reply::ok(of_pin(&self.pin, self.pin.is(pin::FACTORY_PIN))),
            (0, pin::PUK) => Reply::ok(of_pin(&self.puk, self.puk.is(pin::FACTORY_PUK))),
            (0, mgmt::SLOT) => Reply::ok(self.mgmt.metadata()),
            // The factory's key: the policies are a guess.
            (0, ATTESTATION) if profile.attestation => {
                let policies = (PinPolicy::Never, TouchPolicy::Never);
                Reply::ok(of_key(policies, Origin::Imported, &attest::issuer_point()))
            }
            (0, slot) => match self.keys.get(&slot) {
                Some(Key { pin, touch, origin, secret }) => {
                    Reply::ok(of_key((*pin, *touch), *origin, &keys::point(secret)))
                }
                // Also slot 96 (biometrics): ykman takes this one for "not there", and no other.
                None => sw::NO_REFERENCE.into(),
            },
            (_, _) => sw::WRONG_P1P2.into(),
        }
    }
}

fn of_key((pin, touch): (PinPolicy, TouchPolicy), origin: Origin, point: &[u8; 65]) -> Vec<u8> {
    [
        tlv::write(0x01, &[P256]),
        tlv::write(0x02, &[pin as u8, touch as u8]),
        tlv::write(0x03, &[origin as u8]),
        tlv::write(0x04, &tlv::write(0x86, point)),
    ]
    .concat()
}
