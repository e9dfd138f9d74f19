//! The PIN and its tries (CTAP 2.1, section 6.5.2 and 6.5.5): eight in all, three in a row.

use super::sha256;
use super::status::{self, Status};

/// Tries in all.
const TRIES: u8 = 8;
/// Wrong ones in a row, until the device has been without power.
const IN_A_ROW: u8 = 3;
/// Code points of the shortest PIN.
pub(super) const SHORTEST: usize = 4;
/// Bytes of a PIN on the wire, filled up with zeros.
const PADDED: usize = 64;

#[derive(Debug)]
pub(in crate::card) struct Pin {
    /// The left half of the PIN's SHA-256.
    hash: Option<[u8; 16]>,
    left: u8,
    misses: u8,
}

impl Pin {
    pub(super) fn new() -> Self {
        Self { hash: None, left: TRIES, misses: 0 }
    }

    pub(in crate::card) fn is_set(&self) -> bool {
        self.hash.is_some()
    }

    pub(in crate::card) fn left(&self) -> u8 {
        self.left
    }

    pub(in crate::card) fn misses(&self) -> u8 {
        self.misses
    }

    /// Whether only a time without power brings back the tries that are left.
    pub(super) fn is_blocked_for_now(&self) -> bool {
        self.misses >= IN_A_ROW
    }

    /// The device has been without power.
    pub(super) fn power_off(&mut self) {
        self.misses = 0;
    }

    /// Whether a try can be made at all.
    pub(super) fn may_be_tried(&self) -> Result<(), Status> {
        match self {
            Self { hash: None, .. } => Err(status::PIN_NOT_SET),
            Self { left: 0, .. } => Err(status::PIN_BLOCKED),
            _ if self.is_blocked_for_now() => Err(status::PIN_AUTH_BLOCKED),
            _ => Ok(()),
        }
    }

    /// Spends a try; a right one gives all of them back. What could not even be decrypted is a wrong one.
    pub(super) fn check(&mut self, hash: Option<&[u8]>) -> Result<(), Status> {
        self.may_be_tried()?;
        self.left -= 1;
        if self.hash.is_some_and(|right| hash == Some(&right[..])) {
            (self.left, self.misses) = (TRIES, 0);
            return Ok(());
        }
        self.misses += 1;
        match self.may_be_tried() {
            Err(blocked) => Err(blocked),
            Ok(()) => Err(status::PIN_INVALID),
        }
    }

    /// Another PIN, as it comes over the wire.
    pub(super) fn set(&mut self, padded: &[u8]) -> Result<(), Status> {
        if padded.len() != PADDED {
            return Err(status::INVALID_PARAMETER);
        }
        let used = padded.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let pin = padded.get(..used).and_then(|pin| str::from_utf8(pin).ok());
        // The last byte is filling at least.
        match pin.filter(|pin| used < PADDED && pin.chars().count() >= SHORTEST) {
            Some(pin) => self.set_by_hand(Some(pin)),
            None => return Err(status::PIN_POLICY_VIOLATION),
        }
        Ok(())
    }
}

/// The test's hand.
impl Pin {
    pub(in crate::card) fn set_by_hand(&mut self, pin: Option<&str>) {
        *self = Self { hash: pin.map(half), ..Self::new() };
    }

    pub(in crate::card) fn is(&self, pin: &str) -> bool {
        self.hash == Some(half(pin))
    }

    pub(in crate::card) fn set_left(&mut self, left: u8) {
        self.left = left;
    }
}

fn half(pin: &str) -> [u8; 16] {
    sha256(pin.as_bytes()).first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn padded(pin: &[u8]) -> Vec<u8> {
        pin.iter().copied().chain(std::iter::repeat(0)).take(PADDED).collect()
    }

    #[test]
    fn tries_end_three_in_a_row_and_eight_in_all() {
        let mut pin = Pin::new();
        assert_eq!(pin.check(Some(&half("1234"))), Err(status::PIN_NOT_SET));
        pin.set(&padded(b"1234")).unwrap();
        for (left, said) in [
            (7, status::PIN_INVALID),
            (6, status::PIN_INVALID),
            (5, status::PIN_AUTH_BLOCKED),
            (5, status::PIN_AUTH_BLOCKED),
        ] {
            assert_eq!((pin.check(Some(&half("4321"))), pin.left()), (Err(said), left));
        }
        assert_eq!(pin.check(Some(&half("1234"))), Err(status::PIN_AUTH_BLOCKED), "the right one too");
        pin.power_off();
        assert_eq!((pin.check(Some(&half("1234"))), pin.left()), (Ok(()), 8));
        for left in (0..8).rev() {
            pin.power_off();
            let said = if left == 0 { status::PIN_BLOCKED } else { status::PIN_INVALID };
            assert_eq!((pin.check(None), pin.left()), (Err(said), left));
        }
        pin.power_off();
        assert_eq!(pin.check(Some(&half("1234"))), Err(status::PIN_BLOCKED), "for ever");
    }

    #[test]
    fn a_pin_has_four_characters_and_at_most_63_bytes() {
        let mut pin = Pin::new();
        for bad in [&b""[..], b"123", "äöü".as_bytes(), &[0xff; 6], &[b'1'; 64]] {
            assert_eq!(pin.set(&padded(bad)), Err(status::PIN_POLICY_VIOLATION), "{bad:02x?}");
        }
        assert_eq!(pin.set(b"123456"), Err(status::INVALID_PARAMETER), "not filled up");
        assert!(!pin.is_set());
        for good in [&b"1234"[..], "äöüß".as_bytes(), &[b'1'; 63]] {
            assert_eq!(pin.set(&padded(good)), Ok(()));
        }
        assert!(pin.is(&"1".repeat(63)));
    }
}
