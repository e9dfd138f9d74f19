//! Yubico's GET METADATA, in the shape of its SDK's documentation.

use super::keys::{ATTESTATION, Key, P256};
use super::{Command, Piv, Reply, mgmt, pin, sw, tlv};

/// "Algorithm" of a PIN or PUK.
const NO_ALGORITHM: u8 = 0xff;

impl Piv {
    pub(super) fn metadata(&self, command: &Command) -> Reply {
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
            (0, slot) => match self.keys.get(&slot) {
                Some(key) => Reply::ok(of_key(slot, key)),
                // Also slot 96 (biometrics): ykman takes this one for "not there", and no other.
                None => sw::NO_REFERENCE.into(),
            },
            (_, _) => sw::WRONG_P1P2.into(),
        }
    }
}

fn of_key(slot: u8, key: &Key) -> Vec<u8> {
    debug_assert_ne!(slot, ATTESTATION, "the attestation key lies apart");
    [
        tlv::write(0x01, &[P256]),
        tlv::write(0x02, &[key.pin as u8, key.touch as u8]),
        tlv::write(0x03, &[key.origin as u8]),
        tlv::write(0x04, &tlv::write(0x86, &key.point())),
    ]
    .concat()
}
