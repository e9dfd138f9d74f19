//! What the applet says of itself (CTAP 2.1, section 6.4).

use super::Fido;
use super::cbor::Value;
use super::credential::Algorithm;
use super::pin::SHORTEST;
use crate::card::profile::{Fido as Ability, Profile, Uv};

/// The model's number: random, and no other device's.
pub(super) const AAGUID: [u8; 16] =
    [0x51, 0x67, 0x4e, 0x65, 0x74, 0x76, 0x4b, 0x59, 0x8d, 0x1c, 0x3f, 0x0b, 0xa2, 0x96, 0xe4, 0x7d];
/// The longest message.
pub(super) const LONGEST: usize = 1200;
/// The most names in a list.
pub(super) const NAMES: usize = 8;
/// The longest name of a credential.
const LONGEST_NAME: i64 = 128;

/// The algorithms of the keys that it makes.
pub(super) fn algorithms(ability: Ability) -> &'static [Algorithm] {
    if ability.eddsa { &[Algorithm::Es256, Algorithm::EdDsa] } else { &[Algorithm::Es256] }
}

impl Fido {
    pub(super) fn info(&self, profile: &Profile, ability: Ability) -> Value {
        let texts = |texts: &[&str]| Value::Array(texts.iter().map(|text| Value::from(*text)).collect());
        let numbers = |of: &[u8]| Value::Array(of.iter().map(|number| i64::from(*number).into()).collect());
        let mut options = vec![
            ("rk", Value::from(false)),
            ("up", true.into()),
            ("plat", false.into()),
            ("clientPin", self.pin.is_set().into()),
        ];
        if ability.uv != Uv::Absent {
            options.push(("uv", true.into()));
        }
        if ability.permissions {
            options.extend([("pinUvAuthToken", true.into()), ("makeCredUvNotRqd", true.into())]);
        }
        let mut info = vec![
            (1, texts(if ability.permissions { &["FIDO_2_0", "FIDO_2_1"] } else { &["FIDO_2_0"] })),
            (3, Value::from(&AAGUID[..])),
            (4, Value::map(options)),
            (5, limit(LONGEST)),
            (6, numbers(ability.protocols)),
        ];
        if ability.hmac_secret {
            info.push((2, texts(&["hmac-secret"])));
        }
        if ability.permissions {
            let firmware =
                profile.version().into_iter().fold(0, |number, part| number << 8 | i64::from(part));
            let algorithm = |algorithm: &Algorithm| {
                Value::map([("alg", algorithm.code().into()), ("type", Value::from("public-key"))])
            };
            info.extend([
                (7, limit(NAMES)),
                (8, LONGEST_NAME.into()),
                (9, texts(&["nfc", "usb"])),
                (10, Value::Array(algorithms(ability).iter().map(algorithm).collect())),
                (13, limit(SHORTEST)),
                (14, firmware.into()),
            ]);
        }
        Value::map(info)
    }
}

fn limit(size: usize) -> Value {
    i64::try_from(size).unwrap_or(i64::MAX).into()
}
