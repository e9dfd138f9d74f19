//! PIN and PUK: VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER (SP 800-73-4 part 2, section 3.2),
//! and Yubico's SET PIN RETRIES.

use super::{Piv, Reply, sw};
use crate::card::apdu::{Command, Sw};

/// The factory's PIN.
pub(super) const FACTORY_PIN: &[u8] = b"123456";
/// The factory's PUK.
pub(super) const FACTORY_PUK: &[u8] = b"12345678";
/// The factory's number of tries.
const TRIES: u8 = 3;
/// Bytes of a PIN on the wire, filled with FF.
const LENGTH: usize = 8;
/// Reference of the PIN.
pub(super) const PIN: u8 = 0x80;
/// Reference of the PUK.
pub(super) const PUK: u8 = 0x81;

/// A PIN or PUK with its counter.
#[derive(Debug)]
pub(super) struct Pin {
    value: Vec<u8>,
    total: u8,
    left: u8,
}

impl Pin {
    pub(super) fn new(value: &[u8]) -> Self {
        Self { value: padded(value), total: TRIES, left: TRIES }
    }

    pub(super) fn is(&self, value: &[u8]) -> bool {
        self.value == padded(value)
    }

    pub(super) fn left(&self) -> u8 {
        self.left
    }

    pub(super) fn total(&self) -> u8 {
        self.total
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.left == 0
    }

    /// Spends a try; a right value gives all of them back.
    fn check(&mut self, value: &[u8]) -> Result<(), Sw> {
        if value.len() != LENGTH {
            return Err(sw::WRONG_DATA);
        }
        if self.is_blocked() {
            return Err(sw::BLOCKED);
        }
        if self.value == value {
            self.left = self.total;
            return Ok(());
        }
        self.left -= 1;
        Err(if self.is_blocked() { sw::BLOCKED } else { sw::tries(self.left) })
    }

    fn set(&mut self, value: &[u8]) {
        self.value = value.to_vec();
        self.left = self.total;
    }
}

fn padded(value: &[u8]) -> Vec<u8> {
    value.iter().copied().chain(std::iter::repeat(0xff)).take(LENGTH).collect()
}

/// Six to eight bytes, then nothing but filling.
fn is_acceptable(value: &[u8]) -> bool {
    let used = value.iter().take_while(|byte| **byte != 0xff).count();
    value.len() == LENGTH && used >= 6 && value.iter().skip(used).all(|byte| *byte == 0xff)
}

impl Piv {
    pub(super) fn verify(&mut self, command: &Command) -> Reply {
        match command.parameters() {
            // P1 = FF takes the verification back (SP 800-73-4 part 2, section 3.2.1).
            0xff80 if command.data.is_empty() => {
                self.session.pin = false;
                self.session.fresh_pin = false;
                return sw::OK.into();
            }
            0x0080 => {}
            // Biometrics (96) and anything else.
            _ => return sw::NO_REFERENCE.into(),
        }
        if command.data.is_empty() {
            return match (self.session.pin, self.pin.left()) {
                (true, _) => sw::OK,
                (false, 0) => sw::BLOCKED,
                (false, left) => sw::tries(left),
            }
            .into();
        }
        let checked = self.pin.check(&command.data);
        self.session.pin = checked.is_ok();
        self.session.fresh_pin = checked.is_ok();
        checked.err().unwrap_or(sw::OK).into()
    }

    pub(super) fn change_reference(&mut self, command: &Command) -> Reply {
        let target = match command.parameters() {
            0x0080 => &mut self.pin,
            0x0081 => &mut self.puk,
            _ => return sw::NO_REFERENCE.into(),
        };
        let Some((old, new)) = command.data.split_at_checked(LENGTH) else { return sw::WRONG_DATA.into() };
        if let Err(refused) = target.check(old) {
            return refused.into();
        }
        if !is_acceptable(new) {
            return sw::WRONG_DATA.into();
        }
        target.set(new);
        sw::OK.into()
    }

    /// A new PIN for the PUK.
    pub(super) fn unblock_pin(&mut self, command: &Command) -> Reply {
        if command.parameters() != u16::from(PIN) {
            return sw::NO_REFERENCE.into();
        }
        let Some((puk, new)) = command.data.split_at_checked(LENGTH) else { return sw::WRONG_DATA.into() };
        // The PUK comes first: ykman blocks it with empty values before a reset.
        if let Err(refused) = self.puk.check(puk) {
            return refused.into();
        }
        if !is_acceptable(new) {
            return sw::WRONG_DATA.into();
        }
        self.pin.set(new);
        sw::OK.into()
    }

    /// New numbers of tries; PIN and PUK go back to the factory's values.
    pub(super) fn set_retries(&mut self, command: &Command) -> Reply {
        if !(self.session.mgmt && self.session.pin) {
            return sw::SECURITY.into();
        }
        if command.p1 == 0 || command.p2 == 0 {
            return sw::WRONG_DATA.into();
        }
        for (target, value, tries) in
            [(&mut self.pin, FACTORY_PIN, command.p1), (&mut self.puk, FACTORY_PUK, command.p2)]
        {
            *target = Pin { value: padded(value), total: tries, left: tries };
        }
        sw::OK.into()
    }
}
