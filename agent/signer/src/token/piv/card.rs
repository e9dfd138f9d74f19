//! The PIV commands of a use (NIST SP 800-73-4, part 2, and Yubico's PIV extensions), over any
//! channel.
//!
//! Promises: what a card says is read strictly, and never panics. No command here changes the card
//! but VERIFY, which may spend a try. Facts about real cards that are not in a standard are guesses
//! of ours and marked so.

use super::certificate;
use crate::token::Computed;
use crate::token::card::apdu::{self, Channel, Fault, GET_RESPONSE, Response, command};
use crate::token::card::tlv;
use secrecy::SecretBox;
use zeroize::Zeroizing;

/// Key reference of the PIN (SP 800-73-4, part 1, table 4b).
const PIN: u8 = 0x80;
/// Algorithm: ECC on P-256 (SP 800-78-4, table 6-2).
const P256: u8 = 0x11;
/// Yubico's values of "always" (PIN policy, touch policy).
const ALWAYS: [u8; 2] = [0x03, 0x02];

/// Lengths of a PIN that a YubiKey takes.
pub(super) const PIN_LENGTHS: std::ops::RangeInclusive<usize> = 6..=8;

/// What a card says of the key in a slot, without a PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SlotKey {
    /// The slot has no key.
    None,
    /// It has a key; each part as far as the card tells.
    Known {
        /// The public key, an uncompressed point.
        point: Option<[u8; 65]>,
        /// PIN policy and touch policy.
        policies: Option<[u8; 2]>,
    },
}

impl SlotKey {
    /// The public key, where there is one and the card tells it.
    pub(super) fn point(&self) -> Option<&[u8; 65]> {
        match self {
            Self::None => None,
            Self::Known { point, .. } => point.as_ref(),
        }
    }

    /// Whether the card says that PIN or touch are *not* asked for each time.
    pub(super) fn is_lax(self) -> bool {
        match self {
            Self::None => false,
            Self::Known { policies, .. } => policies.is_some_and(|said| said != ALWAYS),
        }
    }
}

/// What VERIFY answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verified {
    /// The PIN is right.
    Right,
    /// It is wrong; so many tries are left.
    Wrong(u8),
    /// It is blocked.
    Blocked,
    /// Something else, by its status word.
    Unexpected(u16),
}

/// What GENERAL AUTHENTICATE answered.
pub(super) enum Agreed {
    /// The x-coordinate.
    Shared(Computed),
    /// Nobody touched.
    NotTouched,
    /// Something else, by its status word.
    Unexpected(u16),
}

fn send(card: &impl Channel, command: &[u8]) -> Result<Response, Fault> {
    apdu::send(card, command, GET_RESPONSE)
}

/// PIN tries left, without spending one; `None` where the card does not tell.
pub(super) fn tries_left(card: &impl Channel) -> Result<Option<u8>, Fault> {
    let metadata = send(card, &[0x00, 0xf7, 0x00, PIN, 0x00])?.ok();
    // Tag 06: tries in all, tries left (Yubico, GET METADATA).
    if let Some(&[_, left]) = metadata.as_deref().and_then(|data| tlv::find(data, 0x06)) {
        return Ok(Some(left));
    }
    // VERIFY without data only asks (SP 800-73-4, part 2, 3.2.1).
    let Response { status, .. } = send(card, &[0x00, 0x20, 0x00, PIN])?;
    Ok(match status.to_be_bytes() {
        [0x63, low] => Some(low & 0x0f),
        [0x69, 0x83] => Some(0),
        _ => None,
    })
}

/// What the card says of a slot's key: by GET METADATA (firmware 5.3), else by attestation.
pub(super) fn slot_key(card: &impl Channel, slot: u8) -> Result<SlotKey, Fault> {
    let answer = send(card, &[0x00, 0xf7, 0x00, slot, 0x00])?;
    // 6A88, referenced data not found: the card has metadata, and no key there.
    if answer.status == 0x6a88 {
        return Ok(SlotKey::None);
    }
    if let Some(data) = answer.ok().filter(|data| !data.is_empty()) {
        return Ok(SlotKey::Known {
            point: tlv::find(&data, 0x04)
                .and_then(|key| tlv::find(key, 0x86))
                .and_then(|p| p.try_into().ok()),
            policies: tlv::find(&data, 0x02).and_then(|policies| policies.try_into().ok()),
        });
    }
    let attestation = send(card, &[0x00, 0xf9, slot, 0x00, 0x00])?.ok();
    let said = attestation.as_deref().map(|der| certificate::read(der));
    Ok(said.unwrap_or(SlotKey::Known { point: None, policies: None }))
}

/// VERIFY. `pin` has one of [`PIN_LENGTHS`].
pub(super) fn verify(card: &impl Channel, pin: &[u8]) -> Result<Verified, Fault> {
    // Eight bytes, padded with FF (SP 800-73-4, part 2, 2.4.3).
    let mut padded = Zeroizing::new([0xff; 8]);
    for (to, from) in padded.iter_mut().zip(pin) {
        *to = *from;
    }
    let answer = send(card, &command([0x00, 0x20, 0x00, PIN], &*padded))?;
    Ok(match answer.status.to_be_bytes() {
        [0x90, 0x00] => Verified::Right,
        [0x63, low] => Verified::Wrong(low & 0x0f),
        [0x69, 0x83] => Verified::Blocked,
        _ => Verified::Unexpected(answer.status),
    })
}

/// GENERAL AUTHENTICATE as ECDH: 7C { 82 empty, 85 point } (SP 800-73-4, part 2, table 7). Blocks
/// until the touch.
pub(super) fn agree(card: &impl Channel, slot: u8, point: &[u8; 65]) -> Result<Agreed, Fault> {
    let mut data = vec![0x7c, 0x45, 0x82, 0x00, 0x85, 0x41];
    data.extend_from_slice(point);
    let answer = send(card, &command([0x00, 0x87, P256, slot], &data))?;
    match answer.status {
        0x9000 => {}
        // 6982 from a YubiKey; 6600 and 6985 from others. After a good VERIFY in the same
        // transaction, only the touch can be missing.
        0x6982 | 0x6600 | 0x6985 => return Ok(Agreed::NotTouched),
        other => return Ok(Agreed::Unexpected(other)),
    }
    let x = tlv::find(&answer.data, 0x7c)
        .and_then(|template| tlv::find(template, 0x82))
        .and_then(|x| <&[u8; 32]>::try_from(x).ok())
        .ok_or(Fault::Garbage)?;
    Ok(Agreed::Shared(SecretBox::init_with_mut(|to: &mut [u8; 32]| to.copy_from_slice(x))))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::token::card::apdu::tests::StubChannel;
    use secrecy::ExposeSecret as _;

    #[test]
    fn a_pin_is_padded_and_its_answer_told_apart() {
        for (answer, expected) in [
            ([0x90, 0x00], Verified::Right),
            ([0x63, 0xc2], Verified::Wrong(2)),
            ([0x69, 0x83], Verified::Blocked),
            ([0x6f, 0x00], Verified::Unexpected(0x6f00)),
        ] {
            let card = StubChannel::new(&[&answer]);
            assert_eq!(verify(&card, b"123456").ok().unwrap(), expected);
            let sent = [0x00, 0x20, 0x00, 0x80, 0x08, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0xff, 0xff];
            assert_eq!(card.asked.borrow().first().unwrap(), &sent);
        }
    }

    #[test]
    fn an_ecdh_is_sent_and_read_as_the_standard_says() {
        let mut answer = vec![0x7c, 0x22, 0x82, 0x20];
        answer.extend([7; 32]);
        answer.extend([0x90, 0x00]);
        let card = StubChannel::new(&[&answer]);
        let Agreed::Shared(shared) = agree(&card, 0x95, &[4; 65]).ok().unwrap() else { unreachable!() };
        assert_eq!(shared.expose_secret(), &[7; 32]);
        let sent = card.asked.borrow().first().unwrap().clone();
        assert_eq!(sent.get(..11).unwrap(), [0, 0x87, 0x11, 0x95, 0x47, 0x7c, 0x45, 0x82, 0, 0x85, 0x41]);
        assert_eq!(sent.len(), 5 + 0x47);
    }

    #[test]
    fn no_touch_has_three_names() {
        for answer in [[0x69, 0x82], [0x66, 0x00], [0x69, 0x85]] {
            assert!(matches!(agree(&StubChannel::new(&[&answer]), 0x95, &[4; 65]), Ok(Agreed::NotTouched)));
        }
    }

    #[test]
    fn a_short_or_long_secret_is_garbage() {
        for length in [0_u8, 31, 33] {
            let mut answer = vec![0x7c, length + 2, 0x82, length];
            answer.extend(vec![7; usize::from(length)]);
            answer.extend([0x90, 0x00]);
            assert_eq!(agree(&StubChannel::new(&[&answer]), 0x95, &[4; 65]).err(), Some(Fault::Garbage));
        }
    }

    #[test]
    fn tries_come_from_metadata_or_from_an_empty_verify() {
        let metadata = [1, 1, 0xff, 5, 1, 1, 6, 2, 3, 2, 0x90, 0x00];
        assert_eq!(tries_left(&StubChannel::new(&[&metadata])), Ok(Some(2)));
        let old = StubChannel::new(&[&[0x6d, 0x00], &[0x63, 0xc1]]);
        assert_eq!(tries_left(&old), Ok(Some(1)));
        assert_eq!(old.asked.borrow().get(1).unwrap(), &[0x00, 0x20, 0x00, 0x80]);
        assert_eq!(tries_left(&StubChannel::new(&[&[0x6d, 0x00], &[0x69, 0x83]])), Ok(Some(0)));
        assert_eq!(tries_left(&StubChannel::new(&[&[0x6d, 0x00]])), Ok(None));
    }

    #[test]
    fn policies_other_than_always_are_lax() {
        let of = |policies: [u8; 2]| {
            let answer = [&[1, 1, 0x11, 2, 2][..], &policies, &[3, 1, 1, 0x90, 0x00]].concat();
            slot_key(&StubChannel::new(&[&answer]), 0x95).ok().unwrap()
        };
        assert!(!of(ALWAYS).is_lax());
        for policies in [[1, 2], [2, 2], [3, 1], [3, 3], [0, 0]] {
            assert!(of(policies).is_lax(), "{policies:?}");
        }
        assert_eq!(slot_key(&StubChannel::new(&[&[0x6a, 0x88]]), 0x95), Ok(SlotKey::None));
        let silent = SlotKey::Known { point: None, policies: None };
        assert_eq!(slot_key(&StubChannel::new(&[&[0x6d, 0x00]]), 0x95), Ok(silent));
    }

    proptest::proptest! {
        #[test]
        fn no_card_makes_it_panic(answers: Vec<Vec<u8>>, slot: u8) {
            let answers: Vec<&[u8]> = answers.iter().map(Vec::as_slice).collect();
            let card = StubChannel::new(&answers);
            let _ = (tries_left(&card), slot_key(&card, slot).is_ok());
            let _ = (verify(&card, b"123456"), agree(&card, slot, &[4; 65]).is_ok());
        }
    }
}
