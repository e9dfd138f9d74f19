//! One OATH credential: how PUT describes it, and what it computes (RFC 4226 section 5.3 for the
//! truncated form; the whole form is the HMAC itself).

use ring::hmac;

use super::{is_name, tag};
use crate::card::profile::Profile;
use crate::card::tlv;

/// Type of a credential that counts: the upper half of the byte that says type and hash.
const HOTP: u8 = 0x10;
/// Type of one that is asked with a challenge.
const TOTP: u8 = 0x20;
/// Tag of the properties, which has a value of one byte and no length.
const PROPERTIES: u8 = 0x78;
/// The property "asks for a touch".
const TOUCH: u8 = 0x02;
/// Tag of the counter's first value.
const COUNTER: u32 = 0x7a;
/// The shortest key; hosts fill shorter ones up with zeros.
const SHORTEST_KEY: usize = 14;

/// In which form an answer goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The whole HMAC.
    Whole,
    /// Four bytes of it.
    Truncated,
}

#[derive(Debug)]
pub(super) struct Credential {
    pub(super) name: Vec<u8>,
    pub(super) key: Vec<u8>,
    pub(super) touch: bool,
    pub(super) digits: u8,
    hash: hmac::Algorithm,
    kind: u8,
    /// `Some` for a credential that counts.
    counter: Option<u64>,
}

impl Credential {
    /// Reads the data of PUT; `None` when something in it is wrong, or beyond this firmware.
    pub(super) fn parse(profile: &Profile, data: &[u8]) -> Option<Self> {
        let (tag::NAME, name, rest) = tlv::first(data)? else { return None };
        let (tag::KEY, described, mut rest) = tlv::first(rest)? else { return None };
        let (&[kind, digits], key) = described.split_first_chunk()?;
        let hash = hash(kind).filter(|hash| *hash != hmac::HMAC_SHA512 || profile.firmware >= (4, 3, 1))?;
        let mut touch = false;
        if let [PROPERTIES, properties, after @ ..] = rest {
            // Another property, "the challenge only grows", is one that hosts never ask for.
            touch = match properties {
                0 => false,
                &TOUCH if profile.firmware >= (4, 2, 4) => true,
                _ => return None,
            };
            rest = after;
        }
        let mut counter = (kind & 0xf0 == HOTP).then_some(0);
        if !rest.is_empty() {
            let (COUNTER, first, []) = tlv::first(rest)? else { return None };
            let first = u32::from_be_bytes(first.try_into().ok()?);
            counter = counter.map(|_| u64::from(first));
        }
        let fits = (SHORTEST_KEY..=hash.digest_algorithm().block_len()).contains(&key.len());
        let sound = is_name(name) && (6..=8).contains(&digits) && fits;
        sound.then(|| Self { name: name.to_vec(), key: key.to_vec(), touch, digits, hash, kind, counter })
    }

    /// A credential of the test's hand: TOTP with SHA-256 and six digits.
    pub(super) fn by_hand(name: &str, key: &[u8], touch: bool) -> Self {
        Self {
            name: name.as_bytes().to_vec(),
            key: key.to_vec(),
            touch,
            digits: 6,
            hash: hmac::HMAC_SHA256,
            kind: TOTP | 0x02,
            counter: None,
        }
    }

    /// Type and hash in one byte, as PUT gave it.
    pub(super) fn kind(&self) -> u8 {
        self.kind
    }

    /// Whether it counts instead of taking a challenge.
    pub(super) fn counts(&self) -> bool {
        self.counter.is_some()
    }

    /// The element of an answer; a counter moves on.
    pub(super) fn calculate(&mut self, challenge: &[u8], answer: Answer) -> Vec<u8> {
        let key = hmac::Key::new(self.hash, &self.key);
        let mac = match &mut self.counter {
            None => hmac::sign(&key, challenge),
            Some(counter) => {
                let mac = hmac::sign(&key, &counter.to_be_bytes());
                *counter = counter.saturating_add(1);
                mac
            }
        };
        match answer {
            Answer::Whole => tlv::write(tag::RESPONSE, &[&[self.digits][..], mac.as_ref()].concat()),
            Answer::Truncated => {
                tlv::write(tag::TRUNCATED, &[&[self.digits][..], &truncated(mac.as_ref())].concat())
            }
        }
    }
}

/// The hash of a byte that says type and hash; `None` when either is unknown.
pub(super) fn hash(kind: u8) -> Option<hmac::Algorithm> {
    match (kind & 0xf0, kind & 0x0f) {
        (HOTP | TOTP, 1) => Some(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        (HOTP | TOTP, 2) => Some(hmac::HMAC_SHA256),
        (HOTP | TOTP, 3) => Some(hmac::HMAC_SHA512),
        (_, _) => None,
    }
}

/// Four bytes from where the last half byte points to, without the sign.
fn truncated(mac: &[u8]) -> [u8; 4] {
    let offset = usize::from(mac.last().copied().unwrap_or_default() & 0x0f);
    let word = mac.get(offset..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
    (u32::from_be_bytes(word) & 0x7fff_ffff).to_be_bytes()
}
