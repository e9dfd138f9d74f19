//! GENERATE ASYMMETRIC KEY PAIR (SP 800-73-4 part 2, section 3.3.2) and Yubico's IMPORT KEY, both with
//! the policies in tags AA and AB. P-256 only.

use p256::SecretKey;

use super::keys::{self, Key, Origin, P256, PinPolicy, TouchPolicy};
use super::{Command, Piv, Reply, sw, tlv};
use crate::card::profile::Profile;

impl Piv {
    pub(super) fn generate_key(&mut self, profile: &Profile, command: &Command) -> Reply {
        let slot = command.p2;
        if !self.session.mgmt {
            return sw::SECURITY.into();
        }
        if command.p1 != 0 || !keys::is_slot(profile, slot) {
            return sw::WRONG_P1P2.into();
        }
        let template = tlv::parse(&command.data);
        let asked = template.as_deref().and_then(|outer| tlv::find(outer, 0xac)).and_then(tlv::parse);
        let Some(asked) = asked else { return sw::WRONG_DATA.into() };
        if tlv::find(&asked, 0x80) != Some(&[P256]) {
            return sw::WRONG_DATA.into();
        }
        let Some((pin, touch)) = policies(&asked, slot) else { return sw::WRONG_DATA.into() };
        let key = Key { secret: keys::fresh(), pin, touch, origin: Origin::Generated };
        let reply = tlv::write(0x7f49, &tlv::write(0x86, &key.point()));
        self.keys.insert(slot, key);
        Reply::ok(reply)
    }

    pub(super) fn import_key(&mut self, profile: &Profile, command: &Command) -> Reply {
        let slot = command.p2;
        if !self.session.mgmt {
            return sw::SECURITY.into();
        }
        if !keys::is_slot(profile, slot) {
            return sw::WRONG_P1P2.into();
        }
        let Some(parts) = tlv::parse(&command.data) else { return sw::WRONG_DATA.into() };
        let secret = tlv::find(&parts, 0x06).and_then(|bytes| SecretKey::from_slice(bytes).ok());
        match (command.p1, secret, policies(&parts, slot)) {
            (P256, Some(secret), Some((pin, touch))) => {
                self.keys.insert(slot, Key { secret, pin, touch, origin: Origin::Imported });
                sw::OK.into()
            }
            (_, _, _) => sw::WRONG_DATA.into(),
        }
    }

    /// A key made by the test's hand; `None` where there is no such slot.
    pub(in crate::card) fn make_key(
        &mut self,
        profile: &Profile,
        slot: u8,
        pin: PinPolicy,
        touch: TouchPolicy,
    ) -> Option<[u8; 65]> {
        if !keys::is_slot(profile, slot) {
            return None;
        }
        let key = Key { secret: keys::fresh(), pin, touch, origin: Origin::Generated };
        let point = key.point();
        self.keys.insert(slot, key);
        Some(point)
    }
}

fn policies(asked: &[(u32, &[u8])], slot: u8) -> Option<(PinPolicy, TouchPolicy)> {
    let byte = |tag| match tlv::find(asked, tag) {
        None => Some(0),
        Some([byte]) => Some(*byte),
        Some(_) => None,
    };
    Some((PinPolicy::of(byte(0xaa)?, slot)?, TouchPolicy::of(byte(0xab)?)?))
}
