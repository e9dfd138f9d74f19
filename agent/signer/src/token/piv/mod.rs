//! Kind `yubikey-piv`: a P-256 key in a PIV slot, PIN and touch for each use.
//!
//! Promises: a use is one SCard transaction of four commands (SELECT, METADATA, VERIFY, GENERAL
//! AUTHENTICATE) that ends with a reset of the card, so no other program can slip in between, and no
//! verified PIN is left behind. The PIN goes only to a card whose slot holds the enrolled public key,
//! with the policies that were asked for. Nothing is verified twice: a use that another program breaks
//! up after VERIFY is over.
//!
//! A card that does not tell its slot's key (neither metadata nor attestation: firmware before 4.3,
//! other makers) is known by its serial before the PIN; a wrong key is then found out by the record,
//! which does not open. A lying reader or card is not defended against.

mod card;
mod certificate;
mod refusals;

use super::card::apdu::{Channel, Fault};
use super::card::{Failed, Finder, Spent, TOUCH_SECONDS, yubikey};
use super::envelope::Unwrap;
use super::{Asks, Computed, Error, name_of};
use crate::conversation::Conversation;
use card::{Agreed, PIN_LENGTHS, SlotKey, Verified};
use signet_envelope::PublicKey;
use signet_protocol::PromptKind;
use signet_protocol::child::TokenName;
use signet_protocol::record::Recipient;
use signet_protocol::refusal::Refusal;
use std::time::Duration;

/// A recipient's card, there or not.
pub(super) struct Piv {
    finder: Finder,
    slot: Slot,
}

/// The slot, and the key that it should hold.
struct Slot {
    token: TokenName,
    number: Option<u8>,
    public_key: PublicKey,
}

/// Whose card it is.
enum Identity {
    Ours,
    Another,
    /// The card is ours; what is wrong with the slot.
    Unfit(Refusal),
}

impl Piv {
    /// The card of a recipient.
    pub(super) fn new(recipient: &Recipient, public_key: PublicKey) -> Self {
        let token = name_of(recipient);
        let slot = Slot { token: token.clone(), number: slot(&recipient.slot), public_key };
        Self { finder: Finder::new(token), slot }
    }
}

impl Slot {
    /// SELECT, and whether this is the card, by its serial first: as polite to other people's cards
    /// as can be.
    fn look(&self, channel: &impl Channel) -> Result<Identity, Fault> {
        if !yubikey::is(channel, &self.token.serial)? {
            return Ok(Identity::Another);
        }
        let Some(number) = self.number else {
            return Ok(Identity::Unfit(refusals::unusable_slot(&self.token)));
        };
        Ok(self.judge(number, card::slot_key(channel, number)?))
    }

    /// SELECT, and whether this is the card still, by the key in the slot alone where it tells that.
    fn recognise(&self, channel: &impl Channel, number: u8) -> Result<Identity, Fault> {
        if !yubikey::select_piv(channel)? {
            return Ok(Identity::Another);
        }
        let key = card::slot_key(channel, number)?;
        let is_told = key.point() == Some(self.public_key.as_bytes());
        if !is_told && yubikey::serial(channel)?.is_none_or(|serial| serial.to_string() != self.token.serial)
        {
            return Ok(Identity::Another);
        }
        Ok(self.judge(number, key))
    }

    /// What is to be thought of the slot's key on a card with our serial.
    fn judge(&self, number: u8, key: SlotKey) -> Identity {
        match key {
            SlotKey::None => Identity::Unfit(refusals::other_key(&self.token, number, "holds no key")),
            SlotKey::Known { point: Some(point), .. } if point != *self.public_key.as_bytes() => {
                let what = "holds another key than this record's";
                Identity::Unfit(refusals::other_key(&self.token, number, what))
            }
            SlotKey::Known { .. } if key.is_lax() => Identity::Unfit(refusals::lax(&self.token, number)),
            SlotKey::Known { .. } => Identity::Ours,
        }
    }

    /// What the person must be asked for, if the card is ours.
    fn ask(&self, channel: &impl Channel) -> Result<Asks, Failed> {
        match self.look(channel)? {
            Identity::Another => return Err(Error::NotMine(None).into()),
            Identity::Unfit(refusal) => return Err(Error::not_mine(refusal).into()),
            Identity::Ours => {}
        }
        let tries_left = card::tries_left(channel)?;
        if tries_left == Some(0) {
            // Another token of the key may do.
            return Err(Error::not_mine(refusals::locked(&self.token)).into());
        }
        Ok(Asks { secret: Some(PromptKind::Pin), tries_left, consent: None })
    }

    /// Identity, PIN, touch, in a transaction of the caller's.
    fn unlock(
        &self,
        channel: &impl Channel,
        spent: &mut Spent,
        (point, pin): (&[u8; 65], &[u8]),
        talk: &Conversation,
    ) -> Result<Computed, Failed> {
        let token = &self.token;
        let number = self.number.ok_or_else(|| refusals::unusable_slot(token))?;
        match self.recognise(channel, number)? {
            Identity::Ours => {}
            Identity::Another => return Err(Error::NotMine(None).into()),
            Identity::Unfit(refusal) => return Err(refusal.into()),
        }
        spent.begins();
        match card::verify(channel, pin)? {
            Verified::Right => {}
            Verified::Wrong(left) => return Err(refusals::wrong_pin(token, left).into()),
            Verified::Blocked => return Err(refusals::locked(token).into()),
            Verified::Unexpected(status) => {
                return Err(super::card::refusals::unexpected(token, "the pin", status).into());
            }
        }
        talk.touch(token.clone(), TOUCH_SECONDS)?;
        let agreed = card::agree(channel, number, point);
        talk.touched()?;
        match agreed? {
            Agreed::Shared(shared) => Ok(shared),
            Agreed::NotTouched => Err(super::card::refusals::not_touched(token).into()),
            Agreed::Unexpected(status) => {
                Err(super::card::refusals::unexpected(token, "the key", status).into())
            }
        }
    }
}

impl Unwrap for Piv {
    fn look(&mut self, talk: &Conversation) -> Result<Asks, Error> {
        let Self { finder, slot } = self;
        finder.look(talk, |card, _| slot.ask(card))
    }

    fn wait(&mut self, limit: Duration) -> Result<(), Error> {
        self.finder.wait(limit)
    }

    fn agree(&mut self, point: &[u8; 65], secret: &[u8], talk: &Conversation) -> Result<Computed, Error> {
        let Self { finder, slot } = self;
        if !PIN_LENGTHS.contains(&secret.len()) {
            return Err(refusals::no_pin(&slot.token).into());
        }
        finder.use_card(talk, |card, spent| slot.unlock(card, spent, (point, secret), talk))
    }

    fn touches(&self) -> u32 {
        1
    }
}

/// A slot's number: `82` to `95`, or `9d` (SP 800-73-4, part 1, table 4b).
fn slot(text: &str) -> Option<u8> {
    u8::from_str_radix(text, 16).ok().filter(|slot| matches!(slot, 0x82..=0x95 | 0x9d))
}
