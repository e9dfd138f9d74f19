//! The PIV management key: found, and made random where it is still the factory one.
//!
//! Promises: the algorithm is what the card says (GET METADATA of 9B), never what its firmware
//! suggests. A new key keeps the algorithm and lies on the card behind the PIN, in the form `ykman`
//! writes and reads: object 5FC109 holds `88{89 key}`, object 5FFF00 holds `80{81 flags}` with bit
//! 02. It is stored before it is set: a card pulled out in between still has the factory key, and
//! afterwards the stored one opens it, whether or not the flag was reached. A card that has no
//! object 5FFF00 (some that are not Yubico's) keeps the key without the flag: Signet finds it all
//! the same, `ykman` must be given it, and the person is told.

use super::card::{Card, refusal};
use super::tlv;
use crate::conversation::{Question, say};
use crate::kind::Desk;
use ring::rand::{SecureRandom, SystemRandom};
use signet_envelope::Secret;
use signet_protocol::child::{Event, TokenName};
use signet_protocol::{Code, PromptKind, Refusal};
use yubikey::piv::{ManagementSlotId, SlotAlgorithmId, SlotId};
use yubikey::{Error, MgmAlgorithmId, MgmKey, ObjectId, TouchPolicy};

/// Printed information (SP 800-73-4, part 1, table 3), read with the PIN only: where `ykman` keeps the key.
const PRINTED: ObjectId = 0x005f_c109;
/// Yubico's object for data of the administrator.
const ADMIN: ObjectId = 0x005f_ff00;
/// Bit of the administrator's flags: the key is stored behind the PIN.
const FLAG_STORED: u8 = 0x02;
/// The factory key of every YubiKey: these eight bytes three times, for 3DES and AES-192 alike.
const FACTORY: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

/// What was found out of a card's management key without a PIN.
pub(super) struct Management {
    /// Algorithms it may have: one where the card tells.
    algorithms: Vec<MgmAlgorithmId>,
    /// The algorithm under which the factory key opens it.
    factory: Option<MgmAlgorithmId>,
    /// Whether it asks for a touch.
    touch: bool,
}

/// How a card was opened for the administrator.
#[must_use]
pub(super) enum Unlocked {
    /// With a key that lies behind the PIN, as the card tells everybody.
    Flagged,
    /// With a key that lies behind the PIN, on a card that cannot tell so.
    Unflagged,
    /// Not at all: the key is one that only the person knows.
    No,
}

impl Management {
    /// Finds it out. The management key has no try counter, so the factory one may be tried.
    pub(super) fn of(card: &mut Card) -> Result<Self, Refusal> {
        let metadata = card.metadata(SlotId::Management(ManagementSlotId::Management))?;
        let told = metadata.as_ref().and_then(|metadata| match metadata.algorithm {
            SlotAlgorithmId::Management(algorithm) => Some(algorithm),
            SlotAlgorithmId::PinPuk | SlotAlgorithmId::Asymmetric(_) => None,
        });
        let algorithms = told.map_or_else(|| EVERY.to_vec(), |algorithm| vec![algorithm]);
        let touch = metadata
            .as_ref()
            .and_then(|metadata| metadata.policy)
            .is_some_and(|(_, touch)| matches!(touch, TouchPolicy::Always | TouchPolicy::Cached));
        let mut found = Self { algorithms, factory: None, touch };
        if metadata.and_then(|metadata| metadata.default) == Some(false) {
            return Ok(found);
        }
        for algorithm in found.algorithms.clone() {
            let factory = FACTORY.repeat(length(algorithm) / FACTORY.len());
            if found.opens(card, algorithm, &factory)? {
                found.factory = Some(algorithm);
                break;
            }
        }
        Ok(found)
    }

    /// Authenticates with the factory key, which it replaces, or with the stored one. The PIN has
    /// been verified.
    pub(super) fn unlock(&self, card: &mut Card) -> Result<Unlocked, Refusal> {
        if let Some(algorithm) = self.factory {
            let factory = FACTORY.repeat(length(algorithm) / FACTORY.len());
            if self.opens(card, algorithm, &factory)? {
                return self.replace(card, algorithm);
            }
        }
        let Some(stored) = stored(card)? else { return Ok(Unlocked::No) };
        for algorithm in
            self.algorithms.iter().copied().filter(|algorithm| length(*algorithm) == stored.len())
        {
            if self.opens(card, algorithm, &stored)? {
                if !is_flagged(card)? {
                    return self.protect(card, algorithm, &stored);
                }
                return Ok(Unlocked::Flagged);
            }
        }
        Ok(Unlocked::No)
    }

    /// Asks for a key that only the person knows.
    pub(super) fn ask(desk: &mut Desk<'_>, name: &TokenName) -> Result<Secret, Refusal> {
        let text = format!("PIV management key of token {}, in hex", name.serial);
        let kind = PromptKind::ManagementKey;
        let typed = desk.talk.ask(Question { kind, text, tries_left: None, token: name })?;
        unhex(&typed)
            .ok_or_else(|| Refusal::bare(Code::BadRequest, "a management key is 32, 48 or 64 hex digits"))
    }

    /// Authenticates with a key that the person gave.
    pub(super) fn unlock_with(&self, card: &mut Card, key: &[u8]) -> Result<(), Refusal> {
        for algorithm in self.algorithms.iter().copied().filter(|algorithm| length(*algorithm) == key.len()) {
            if self.opens(card, algorithm, key)? {
                return Ok(());
            }
        }
        let message = format!("the management key of token {} is another one", card.name.serial);
        Err(Refusal::new(Code::PinFailed, message, "ykman piv info"))
    }

    /// Makes the key random and stores it, the card being authenticated with the factory one.
    fn replace(&self, card: &mut Card, algorithm: MgmAlgorithmId) -> Result<Unlocked, Refusal> {
        let mut key = Secret::new(vec![0; length(algorithm)]);
        let filled = SystemRandom::new().fill(&mut key);
        filled.map_err(|_| Refusal::bare(Code::Internal, "the system gave no random bytes"))?;

        let mut object = printed_with(card.object(PRINTED)?.as_deref().map(Vec::as_slice), &key)?;
        let stored = card.key.save_object(PRINTED, &mut object);
        stored.map_err(|error| refusal(error, "storing the management key"))?;
        self.protect(card, algorithm, &key)
    }

    /// Sets the key and the flag, and reads back what took.
    fn protect(&self, card: &mut Card, algorithm: MgmAlgorithmId, key: &[u8]) -> Result<Unlocked, Refusal> {
        MgmKey::from_bytes(key, Some(algorithm))
            .and_then(|key| key.set_protected(&mut card.key))
            .map_err(|error| refusal(error, "setting the management key"))?;
        let kept = stored(card)?.is_some_and(|stored| stored.as_slice() == key);
        let flagged = is_flagged(card)?;
        if kept && self.opens(card, algorithm, key)? {
            return Ok(if flagged { Unlocked::Flagged } else { Unlocked::Unflagged });
        }
        let message = format!("token {} did not keep its new management key", card.name.serial);
        Err(Refusal::new(Code::Internal, message, "signet token enrol"))
    }

    /// Tries a key.
    fn opens(&self, card: &mut Card, algorithm: MgmAlgorithmId, key: &[u8]) -> Result<bool, Refusal> {
        let key = MgmKey::from_bytes(key, Some(algorithm))
            .map_err(|_| Refusal::bare(Code::Internal, "a management key has the wrong length"))?;
        if self.touch {
            // the card waits about 15 seconds before it gives up (not verified on hardware)
            say(&Event::Touch { n: 1, of: 1, token: card.name.clone(), seconds: 15 })?;
        }
        let tried = card.key.authenticate(&key);
        if self.touch {
            say(&Event::Touched)?;
        }
        match tried {
            Ok(()) => Ok(true),
            Err(error @ Error::PcscError { .. }) => Err(refusal(error, "using the management key")),
            Err(_) => Ok(false),
        }
    }
}

/// Every algorithm, for cards that do not tell: 3DES is what firmware without metadata has.
const EVERY: [MgmAlgorithmId; 4] =
    [MgmAlgorithmId::ThreeDes, MgmAlgorithmId::Aes192, MgmAlgorithmId::Aes128, MgmAlgorithmId::Aes256];

const fn length(algorithm: MgmAlgorithmId) -> usize {
    match algorithm {
        MgmAlgorithmId::Aes128 => 16,
        MgmAlgorithmId::ThreeDes | MgmAlgorithmId::Aes192 => 24,
        MgmAlgorithmId::Aes256 => 32,
    }
}

/// The key that lies on the card, if one does.
fn stored(card: &mut Card) -> Result<Option<Secret>, Refusal> {
    let object = card.object(PRINTED)?;
    let key = object.as_ref().and_then(|object| tlv::find(tlv::only(object, 0x88)?, 0x89));
    Ok(key.map(|key| Secret::new(key.to_vec())))
}

/// Whether the card says that its management key is stored behind the PIN.
pub(super) fn is_flagged(card: &mut Card) -> Result<bool, Refusal> {
    let object = card.object(ADMIN)?;
    let flags = object.as_ref().and_then(|object| tlv::find(tlv::only(object, 0x80)?, 0x81));
    Ok(flags.and_then(<[u8]>::first).is_some_and(|flags| flags & FLAG_STORED != 0))
}

/// What the printed-information object becomes: other items of `ykman`'s stay, a foreign object
/// is not overwritten.
fn printed_with(object: Option<&[u8]>, key: &[u8]) -> Result<Secret, Refusal> {
    let items = match object {
        None => &[],
        Some(object) => tlv::only(object, 0x88).ok_or_else(|| {
            let message = "the token's printed-information object holds something else, and its management key is the factory one";
            Refusal::new(Code::Unsupported, message, "ykman piv access change-management-key --generate")
        })?,
    };
    let mut inner = Secret::new(Vec::with_capacity(128));
    let mut outer = Secret::new(Vec::with_capacity(130));
    let kept = tlv::each(items).filter(|item| item.tag != 0x89);
    kept.for_each(|item| inner.extend_from_slice(item.whole));
    tlv::put(&mut inner, 0x89, key)
        .and_then(|()| tlv::put(&mut outer, 0x88, &inner))
        .ok_or_else(|| Refusal::bare(Code::Unsupported, "the token's printed-information object is full"))?;
    Ok(outer)
}

fn unhex(typed: &[u8]) -> Option<Secret> {
    let mut key = Secret::new(Vec::with_capacity(32));
    if !matches!(typed.len(), 32 | 48 | 64) {
        return None;
    }
    for pair in typed.chunks_exact(2) {
        let pair = std::str::from_utf8(pair)
            .ok()
            .filter(|pair| pair.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        key.push(u8::from_str_radix(pair, 16).ok()?);
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{printed_with, unhex};

    #[test]
    fn the_stored_key_has_the_form_that_ykman_reads() {
        let object = printed_with(None, &[7; 24]).unwrap();
        assert_eq!(object.as_slice(), [&[0x88, 26, 0x89, 24][..], &[7; 24]].concat());
        let again = printed_with(Some(&object), &[9; 16]).unwrap();
        assert_eq!(again.as_slice(), [&[0x88, 18, 0x89, 16][..], &[9; 16]].concat());
    }

    #[test]
    fn other_items_stay_and_foreign_objects_are_refused() {
        let object = printed_with(Some(&[0x88, 3, 0x81, 1, 5]), &[9; 16]).unwrap();
        assert_eq!(object.get(..7).unwrap(), [0x88, 21, 0x81, 1, 5, 0x89, 16]);
        assert!(printed_with(Some(&[0x01, 4, b'n', b'a', b'm', b'e']), &[9; 16]).is_err());
        assert!(printed_with(Some(&[0x88, 4, 0x81, 1]), &[9; 16]).is_err());
    }

    #[test]
    fn hex_is_read_strictly() {
        assert_eq!(unhex(&[b'f'; 48]).unwrap().as_slice(), [0xff; 24]);
        for bad in ["", "00", &"g".repeat(48), &"+1".repeat(24), &"0".repeat(49)] {
            assert!(unhex(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
