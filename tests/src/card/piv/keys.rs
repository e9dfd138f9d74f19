//! The slots and the keys in them, with their policies (Yubico's extension of SP 800-73-4).

use p256::SecretKey;
use p256::elliptic_curve::sec1::ToSec1Point;
use ring::rand::{SecureRandom, SystemRandom};

use super::{Command, Piv, Reply, sw};
use crate::card::profile::Profile;

/// When the PIN is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinPolicy {
    /// Never.
    Never = 1,
    /// Once a session.
    Once = 2,
    /// Before each use.
    Always = 3,
}

/// When a touch is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TouchPolicy {
    /// Never.
    Never = 1,
    /// At each use.
    Always = 2,
    /// At a use more than 15 s after the last touch.
    Cached = 3,
}

/// Where a key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Generated = 1,
    Imported = 2,
}

/// PIV's number for P-256 (SP 800-78-4, table 6-2).
pub(super) const P256: u8 = 0x11;
/// The slot of the attestation key.
pub(super) const ATTESTATION: u8 = 0xf9;
/// The first retired slot.
const RETIRED: u8 = 0x82;

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) secret: SecretKey,
    pub(super) pin: PinPolicy,
    pub(super) touch: TouchPolicy,
    pub(super) origin: Origin,
}

impl Key {
    pub(super) fn point(&self) -> [u8; 65] {
        point(&self.secret)
    }
}

/// The public point, uncompressed.
pub(in crate::card) fn point(secret: &SecretKey) -> [u8; 65] {
    let mut out = [0; 65];
    out.copy_from_slice(secret.public_key().to_sec1_point(false).as_bytes());
    out
}

/// A fresh secret key.
pub(in crate::card) fn fresh() -> SecretKey {
    let random = SystemRandom::new();
    loop {
        let mut bytes = [0; 32];
        // A failing system generator would make this loop for ever; then nothing works any more.
        if random.fill(&mut bytes).is_ok()
            && let Ok(secret) = SecretKey::from_slice(&bytes)
        {
            return secret;
        }
    }
}

/// The data object that holds a slot's certificate (SP 800-73-4 part 1, table 3).
pub(super) fn is_slot(profile: &Profile, slot: u8) -> bool {
    matches!(slot, 0x9a | 0x9c | 0x9d | 0x9e)
        || slot.checked_sub(RETIRED).is_some_and(|index| index < profile.retired_slots)
}

impl PinPolicy {
    /// The policy of a byte; 0 or none is the slot's own.
    pub(super) fn of(byte: u8, slot: u8) -> Option<Self> {
        match (byte, slot) {
            (0, 0x9c) | (3, _) => Some(Self::Always),
            (0, 0x9e) | (1, _) => Some(Self::Never),
            (0 | 2, _) => Some(Self::Once),
            (_, _) => None,
        }
    }
}

impl TouchPolicy {
    /// The policy of a byte; 0 or none is "never".
    pub(super) fn of(byte: u8) -> Option<Self> {
        match byte {
            0 | 1 => Some(Self::Never),
            2 => Some(Self::Always),
            3 => Some(Self::Cached),
            _ => None,
        }
    }
}

impl Piv {
    /// MOVE KEY: P1 is the new slot, FF deletes; P2 the old one.
    pub(super) fn move_key(&mut self, profile: &Profile, command: &Command) -> Reply {
        let (to, from) = (command.p1, command.p2);
        if !self.session.mgmt {
            return sw::SECURITY.into();
        }
        if !(is_slot(profile, from) && (to == 0xff || is_slot(profile, to))) {
            return sw::WRONG_P1P2.into();
        }
        if self.keys.contains_key(&to) {
            return sw::CONDITIONS.into(); // a guess: hosts never try
        }
        match self.keys.remove(&from) {
            None => sw::NO_REFERENCE.into(),
            Some(_) if to == 0xff => sw::OK.into(),
            Some(key) => {
                self.keys.insert(to, key);
                sw::OK.into()
            }
        }
    }
}
