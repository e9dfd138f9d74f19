//! The access code: an HMAC key that host and applet prove to each other (SET CODE, VALIDATE).

use std::num::NonZeroU32;

use ring::{hmac, pbkdf2};

use super::{Oath, tag};
use crate::card::apdu::{Reply, sw};
use crate::card::tlv;

/// How `ykman` makes a key of a password: this many rounds of PBKDF2 with HMAC-SHA1, 16 bytes.
const ROUNDS: NonZeroU32 = NonZeroU32::new(1000).expect("a thousand is not zero");
/// TOTP and SHA-1, as `ykman` sets it.
const USUAL: u8 = 0x21;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Code {
    key: Vec<u8>,
    algorithm: u8,
}

impl Code {
    /// The code of a password, for the applet with this name.
    pub(super) fn of_password(password: &str, device: &[u8; 8]) -> Self {
        let mut key = vec![0; 16];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA1, ROUNDS, device, password.as_bytes(), &mut key);
        Self { key, algorithm: USUAL }
    }

    /// Type and hash, as SET CODE gave them.
    pub(super) fn algorithm(&self) -> u8 {
        self.algorithm
    }

    fn mac_key(&self) -> Option<hmac::Key> {
        Some(hmac::Key::new(super::credential::hash(self.algorithm)?, &self.key))
    }

    fn is_proved(&self, challenge: &[u8], response: &[u8]) -> bool {
        self.mac_key().is_some_and(|key| hmac::verify(&key, challenge, response).is_ok())
    }
}

impl Oath {
    /// A new code, proved by the host; an empty key takes it away.
    pub(super) fn set_code(&mut self, data: &[u8]) -> Reply {
        let parts = tlv::parse(data).unwrap_or_default();
        let code = match parts.as_slice() {
            [(tag::KEY, [])] => None,
            [(tag::KEY, [algorithm, key @ ..]), (tag::CHALLENGE, challenge), (tag::RESPONSE, response)]
                if !key.is_empty() && super::credential::hash(*algorithm).is_some() =>
            {
                let code = Code { key: key.to_vec(), algorithm: *algorithm };
                if !code.is_proved(challenge, response) {
                    return sw::INVALIDATED.into();
                }
                Some(code)
            }
            [..] => return sw::WRONG_DATA.into(),
        };
        // Who sets a code knows it: this session stays open.
        self.session.unlocked = code.is_some();
        self.code = code;
        sw::OK.into()
    }

    /// Both sides prove that they know the code.
    pub(super) fn validate(&mut self, data: &[u8]) -> Reply {
        let parts = tlv::parse(data).unwrap_or_default();
        let [(tag::RESPONSE, response), (tag::CHALLENGE, theirs)] = parts.as_slice() else {
            return sw::WRONG_DATA.into();
        };
        let Some(code) = &self.code else { return sw::INVALIDATED.into() };
        if !code.is_proved(&self.session.challenge, response) {
            return sw::WRONG_DATA.into();
        }
        let Some(key) = code.mac_key() else { return sw::WRONG_DATA.into() };
        self.session.unlocked = true;
        Reply::ok(tlv::write(tag::RESPONSE, hmac::sign(&key, theirs).as_ref()))
    }
}
