//! Kind `yubikey-piv`: a P-256 key in a PIV slot, PIN and touch for each use.
//!
//! Promises: a use is one SCard transaction (SELECT, identity, VERIFY, GENERAL AUTHENTICATE) that ends
//! with a reset of the card, so no other program can slip in between, and no verified PIN is left
//! behind. The PIN goes to a card only if its serial and, as far as the card tells, the slot's public
//! key and policies are the enrolled ones. Nothing is verified twice: a use that another program
//! breaks up after VERIFY is over.
//!
//! Where a card tells neither metadata nor attestation (firmware before 4.3, other makers), the
//! serial alone is its identity before the PIN; a wrong key is then found out by the record, which
//! does not open. A lying reader or card is not defended against.

mod apdu;
mod card;
mod certificate;
mod readers;
mod refusals;
mod tlv;

use super::envelope::{Shared, Unwrap};
use super::{Asks, Error, absent, name_of};
use crate::conversation::Conversation;
use apdu::{Channel, Fault};
use card::{Agreed, PIN_LENGTHS, SlotKey, Verified};
use pcsc::Disposition;
use readers::{Readers, Snapshot, leave};
use signet_envelope::PublicKey;
use signet_protocol::PromptKind;
use signet_protocol::child::{TokenName, WaitingFor};
use signet_protocol::record::Recipient;
use signet_protocol::refusal::{Code, Refusal};
use std::ffi::CString;
use std::time::Duration;

/// Seconds that a YubiKey waits for a touch: a guess, from its documentation; other cards wait longer.
const TOUCH_SECONDS: u32 = 15;

/// A recipient's card, there or not.
pub(super) struct Piv {
    name: TokenName,
    slot: Option<u8>,
    public_key: PublicKey,
    readers: Option<Readers>,
    /// The reader in which the card was found.
    found: Option<CString>,
    /// What the readers looked like when the card was not found, and what hindered the search.
    vain: Option<(Snapshot, Option<Box<Refusal>>)>,
}

/// What a handle says after somebody else has reset the card, as each use of Signet does at its end.
const RESET: Fault = Fault::Service(pcsc::Error::ResetCard);
/// How often such a handle is made anew.
const ATTEMPTS: usize = 3;

/// What the one use of a card needs.
struct Once<'a> {
    point: &'a [u8; 65],
    pin: &'a [u8],
    talk: &'a Conversation,
    /// True from VERIFY on: the card must be reset, and is not asked again.
    spent: bool,
}

/// Why the card did not do it.
enum Failed {
    /// It could not be spoken to.
    Fault(Fault),
    /// It was, and this came of it.
    Said(Error),
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<pcsc::Error> for Failed {
    fn from(error: pcsc::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::Said(refusal.into())
    }
}

/// Whose card it is.
enum Identity {
    Ours,
    Another,
    /// The serial is ours; what is wrong with the slot.
    Unfit(Refusal),
}

impl Piv {
    /// The card of a recipient.
    pub(super) fn new(recipient: &Recipient, public_key: PublicKey) -> Self {
        Self {
            name: name_of(recipient),
            slot: slot(&recipient.slot),
            public_key,
            readers: None,
            found: None,
            vain: None,
        }
    }

    /// SELECT, and whether this is the card, without a PIN.
    fn identify(&self, channel: &impl Channel) -> Result<Identity, Fault> {
        let serial = if card::select(channel)? { card::serial(channel)? } else { None };
        if serial.is_none_or(|serial| serial.to_string() != self.name.serial) {
            return Ok(Identity::Another);
        }
        let Some(slot) = self.slot else { return Ok(Identity::Unfit(refusals::unusable_slot(&self.name))) };
        let key = card::slot_key(channel, slot)?;
        Ok(match key {
            SlotKey::None => Identity::Unfit(refusals::other_key(&self.name, slot, "holds no key")),
            SlotKey::Known { point: Some(point), .. } if point != *self.public_key.as_bytes() => {
                Identity::Unfit(refusals::other_key(&self.name, slot, "holds another key than this record's"))
            }
            SlotKey::Known { .. } if key.is_lax() => Identity::Unfit(refusals::lax(&self.name, slot)),
            SlotKey::Known { .. } => Identity::Ours,
        })
    }

    /// Looks into one reader.
    fn probe(&self, readers: &Readers, reader: &CString) -> Result<Asks, Failed> {
        let mut card = readers.connect(reader)?;
        let seen = match card.transaction() {
            // Ends when dropped, and leaves the card.
            Ok(transaction) => self.ask_card(&transaction),
            Err(error) => Err(error.into()),
        };
        leave(card);
        seen
    }

    /// What the person must be asked for, if the card is ours.
    fn ask_card(&self, channel: &impl Channel) -> Result<Asks, Failed> {
        match self.identify(channel)? {
            Identity::Another => return Err(Failed::Said(Error::NotMine(None))),
            Identity::Unfit(refusal) => return Err(Failed::Said(Error::not_mine(refusal))),
            Identity::Ours => {}
        }
        let tries_left = card::tries_left(channel)?;
        if tries_left == Some(0) {
            return Err(refusals::locked(&self.name).into());
        }
        Ok(Asks { secret: PromptKind::Pin, tries_left, consent: None })
    }

    /// One use of the card in `reader`, in one transaction.
    fn use_card(&self, readers: &Readers, reader: &CString, once: &mut Once<'_>) -> Result<Shared, Failed> {
        let mut card = readers.connect(reader)?;
        let done = match card.transaction() {
            Ok(transaction) => {
                let done = self.unlock(&transaction, once);
                let after = if once.spent { Disposition::ResetCard } else { Disposition::LeaveCard };
                // An error means that the card is gone, and its state with it.
                let _ = transaction.end(after);
                done
            }
            Err(error) => Err(error.into()),
        };
        leave(card);
        done
    }

    /// Identity, PIN, touch, in a transaction of the caller's.
    fn unlock(&self, channel: &impl Channel, once: &mut Once<'_>) -> Result<Shared, Failed> {
        match self.identify(channel)? {
            Identity::Ours => {}
            Identity::Another => return Err(absent(std::slice::from_ref(&self.name)).into()),
            Identity::Unfit(refusal) => return Err(refusal.into()),
        }
        let slot = self.slot.ok_or_else(|| refusals::unusable_slot(&self.name))?;
        once.spent = true;
        match card::verify(channel, once.pin)? {
            Verified::Right => {}
            Verified::Wrong(left) => return Err(refusals::wrong_pin(&self.name, left).into()),
            Verified::Blocked => return Err(refusals::locked(&self.name).into()),
            Verified::Unexpected(status) => {
                return Err(refusals::unexpected(&self.name, "the pin", status).into());
            }
        }
        once.talk.touch(self.name.clone(), TOUCH_SECONDS)?;
        let agreed = card::agree(channel, slot, once.point);
        once.talk.touched()?;
        match agreed? {
            Agreed::Shared(shared) => Ok(shared),
            Agreed::NotTouched => Err(refusals::not_touched(&self.name).into()),
            Agreed::Unexpected(status) => Err(refusals::unexpected(&self.name, "the key", status).into()),
        }
    }

    /// What a fault in the middle of a use means: a card that is being pulled out gives any error.
    fn broken(&self, readers: &Readers, reader: &CString, fault: Fault) -> Refusal {
        let said = refusals::of_fault(fault, &self.name);
        let clear = matches!(said.code, Code::TokenAbsent | Code::NoReader)
            || fault == RESET
            || fault == Fault::Service(pcsc::Error::SharingViolation);
        if !clear && readers.has_lost(reader) {
            return refusals::of_fault(Fault::Service(pcsc::Error::RemovedCard), &self.name);
        }
        said
    }
}

impl Unwrap for Piv {
    fn look(&mut self, talk: &Conversation) -> Result<Asks, Error> {
        let readers =
            Readers::now().map_err(|error| Error::not_mine(refusals::of_fault(error.into(), &self.name)))?;
        let snapshot = readers.snapshot();
        let candidates = readers.with_card();
        if let Some((seen, why)) = &self.vain {
            // Nothing came or went: the other cards are left in peace.
            if *seen == snapshot {
                let why = why.clone();
                self.readers = Some(readers);
                return Err(Error::NotMine(why));
            }
        }
        if !candidates.is_empty() {
            talk.waiting(WaitingFor::Card, vec![self.name.clone()])?;
        }
        let mut hindrance = None;
        let mut found = None;
        for reader in candidates {
            match undisturbed(|| self.probe(&readers, &reader)) {
                Ok(asks) => {
                    found = Some((reader, asks));
                    break;
                }
                Err(Failed::Said(Error::NotMine(why))) => hindrance = hindrance.or(why),
                Err(Failed::Said(stop)) => return Err(stop),
                // Another token may do, and this one may be in another reader.
                Err(Failed::Fault(fault)) => {
                    hindrance = hindrance.or_else(|| Some(Box::new(self.broken(&readers, &reader, fault))))
                }
            }
        }
        self.readers = Some(readers);
        match found {
            Some((reader, asks)) => {
                self.found = Some(reader);
                Ok(asks)
            }
            None => {
                self.vain = Some((snapshot, hindrance.clone()));
                Err(Error::NotMine(hindrance))
            }
        }
    }

    fn wait(&mut self, limit: Duration) -> Result<(), Error> {
        let Some(readers) = &mut self.readers else { return Err(Error::NotMine(None)) };
        readers.wait(limit).map_err(|error| refusals::of_fault(error.into(), &self.name).into())
    }

    fn agree(&mut self, point: &[u8; 65], secret: &[u8], talk: &Conversation) -> Result<Shared, Error> {
        let (Some(readers), Some(reader)) = (&self.readers, &self.found) else {
            return Err(Error::NotMine(None));
        };
        if !PIN_LENGTHS.contains(&secret.len()) {
            return Err(refusals::no_pin(&self.name).into());
        }
        talk.waiting(WaitingFor::Card, vec![self.name.clone()])?;
        let mut once = Once { point, pin: secret, talk, spent: false };
        let done = undisturbed(|| {
            if once.spent { Err(RESET.into()) } else { self.use_card(readers, reader, &mut once) }
        });
        done.map_err(|failed| match failed {
            Failed::Said(error) => error,
            Failed::Fault(fault) => self.broken(readers, reader, fault).into(),
        })
    }
}

/// Tries again while the card is reset by somebody else in between.
fn undisturbed<T>(mut attempt: impl FnMut() -> Result<T, Failed>) -> Result<T, Failed> {
    for _ in 1..ATTEMPTS {
        match attempt() {
            Err(Failed::Fault(RESET)) => {}
            done => return done,
        }
    }
    attempt()
}

/// A slot's number: `82` to `95`, or `9d` (SP 800-73-4, part 1, table 4b).
fn slot(text: &str) -> Option<u8> {
    u8::from_str_radix(text, 16).ok().filter(|slot| matches!(slot, 0x82..=0x95 | 0x9d))
}
