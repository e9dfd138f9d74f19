//! Kind `yubikey-oath`: the key as an HMAC-SHA256 credential of a YubiKey's OATH applet, which answers
//! only to a touch.
//!
//! Promises: a use is one SCard transaction (SELECT, VALIDATE where there is an access code, CALCULATE)
//! that ends with a reset of the card, so that no validated applet is left behind. An applet is known
//! by its name, which is new after each reset; where that does not fit, the card's serial says whether
//! the token is another or its applet was reset. A token is written only after its serial was
//! compared, in the same transaction, and nothing that is in it is overwritten.
//!
//! Of secrets: access code, HMAC key and the answer (SigV4's date key) stand in memory that is wiped,
//! each in one place; commands and responses too. The secret itself comes here only to be written, once.
//! It then passes through libpcsclite and pcscd, whose memory is not ours to wipe.
//!
//! Not promised: PIN (the applet has none), nor that nobody else can use the credential of an applet
//! without access code: who has the card and its touch has the answer.

mod card;
mod refusals;
mod writer;

use super::card::apdu::Channel;
use super::card::{Failed, Finder, Spent, TOUCH_SECONDS, refusals as common, yubikey};
use super::holder::Derive;
use super::{Challenge, Computed, Error, Hints};
use crate::conversation::Conversation;
pub(super) use card::LONGEST_KEY;
use card::{AppletKey, Calculated, DEVICE, Done, LONGEST_NAME, Selected};
use ring::pbkdf2;
use signet_protocol::child::TokenName;
use signet_protocol::record::Holder;
use signet_protocol::refusal::Refusal;
use std::num::NonZeroU32;
use std::time::Duration;
pub(super) use writer::Writer;

/// Rounds of PBKDF2, as `ykman` makes an applet's key of an access code.
const ROUNDS: NonZeroU32 = NonZeroU32::MIN.saturating_add(999);

/// The applet's key of an access code, as `ykman` makes it: PBKDF2-HMAC-SHA1, salted with the
/// applet's name.
fn applet_key(code: &str, device: &[u8; DEVICE]) -> AppletKey {
    AppletKey::init_with_mut(|key: &mut [u8; 16]| {
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA1, ROUNDS, device, code.as_bytes(), key);
    })
}

/// A holder's applet, there or not.
pub(super) struct Oath {
    finder: Finder,
    applet: Applet,
}

/// The applet, and the credential in it.
struct Applet {
    token: TokenName,
    device: [u8; DEVICE],
    credential: String,
    hints: Hints,
}

impl Oath {
    /// The applet of a holder.
    ///
    /// # Errors
    /// `rollback` where the record says of it what cannot be.
    pub(super) fn new(token: TokenName, holder: &Holder, hints: Hints) -> Result<Self, Refusal> {
        let Holder { device, credential, .. } = holder;
        let device = read_device(device).ok_or_else(|| refusals::unusable(&token, "device"))?;
        if !(1..=LONGEST_NAME).contains(&credential.len()) {
            return Err(refusals::unusable(&token, "credential"));
        }
        let applet = Applet { token: token.clone(), device, credential: credential.clone(), hints };
        Ok(Self { finder: Finder::new(token), applet })
    }
}

impl Applet {
    /// SELECT, if this is the applet.
    fn recognise(&self, channel: &impl Channel) -> Result<Selected, Failed> {
        let selected = card::select(channel)?;
        if let Some(selected) = selected.filter(|selected| selected.device == self.device) {
            return Ok(selected);
        }
        // Whose card is it, then?
        if !yubikey::is(channel, &self.token.serial)? {
            return Err(Error::NotMine(None).into());
        }
        // Another token of the key may do.
        Err(Error::not_mine(match card::select(channel)? {
            Some(_) => refusals::reset(&self.token, &self.hints.repair),
            None => refusals::no_applet(&self.token),
        })
        .into())
    }

    /// Identity, access code, touch, in a transaction of the caller's.
    fn derive(
        &self,
        channel: &impl Channel,
        spent: &mut Spent,
        (challenge, code): (&Challenge, Option<&str>),
        talk: &Conversation,
    ) -> Result<Computed, Failed> {
        let selected = self.recognise(channel)?;
        if code.is_some() && selected.challenge.is_none() {
            return Err(refusals::open(&self.token, &self.hints.written_anew).into());
        }
        spent.begins();
        unlock(channel, &self.token, &selected, code)?;
        let calculated = calculate(channel, &self.token, &self.credential, challenge, talk)?;
        match calculated {
            Calculated::Answer(answer) => Ok(answer),
            Calculated::Missing => Err(refusals::missing(&self.token, &self.hints.repair).into()),
            other => Err(not_answered(&self.token, &other).into()),
        }
    }
}

impl Derive for Oath {
    fn look(&mut self, talk: &Conversation) -> Result<(), Error> {
        let Self { finder, applet } = self;
        finder.look(talk, |card, _| {
            let selected = applet.recognise(card)?;
            // An access code that the record does not know: nobody need touch for that.
            if selected.challenge.is_some() {
                Err(refusals::other_code(&applet.token).into())
            } else {
                Ok(())
            }
        })
    }

    fn wait(&mut self, limit: Duration) -> Result<(), Error> {
        self.finder.wait(limit)
    }

    fn derive(
        &mut self,
        challenge: &Challenge,
        code: Option<&str>,
        talk: &Conversation,
    ) -> Result<Computed, Error> {
        let Self { finder, applet } = self;
        finder.use_card(talk, |card, spent| applet.derive(card, spent, (challenge, code), talk))
    }
}

/// VALIDATE, where the applet has an access code.
fn unlock(
    channel: &impl Channel,
    token: &TokenName,
    selected: &Selected,
    code: Option<&str>,
) -> Result<(), Failed> {
    let Some(challenge) = &selected.challenge else { return Ok(()) };
    let code = code.ok_or_else(|| refusals::other_code(token))?;
    match card::validate(channel, &applet_key(code, &selected.device), challenge)? {
        Done::Yes => Ok(()),
        Done::No(_) => Err(refusals::other_code(token).into()),
    }
}

/// CALCULATE, with its touch announced.
fn calculate(
    channel: &impl Channel,
    token: &TokenName,
    credential: &str,
    challenge: &Challenge,
    talk: &Conversation,
) -> Result<Calculated, Failed> {
    talk.touch(token.clone(), TOUCH_SECONDS)?;
    let calculated = card::calculate(channel, credential, challenge);
    talk.touched()?;
    Ok(calculated?)
}

/// What is said of anything but an answer.
fn not_answered(token: &TokenName, calculated: &Calculated) -> Refusal {
    match calculated {
        Calculated::NotTouched => common::not_touched(token),
        Calculated::Truncated => refusals::truncated(token),
        Calculated::Answer(_) | Calculated::Missing => refusals::wrong(token),
        Calculated::Unexpected(status) => common::unexpected(token, "to compute", *status),
    }
}

/// Sixteen lower-case hex digits.
fn read_device(text: &str) -> Option<[u8; DEVICE]> {
    let digits = text.as_bytes();
    let mut device = [0; DEVICE];
    if digits.len() != 2 * DEVICE {
        return None;
    }
    for (byte, pair) in device.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return None,
            };
            *byte = *byte << 4 | value;
        }
    }
    Some(device)
}

#[cfg(test)]
mod tests {
    use super::read_device;

    #[test]
    fn a_device_is_sixteen_lower_case_digits() {
        assert_eq!(read_device("00112233445566ff"), Some([0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0xff]));
        for wrong in [
            "",
            "00112233445566f",
            "00112233445566fff",
            "00112233445566FF",
            "0011223344556 ff",
            "é0112233445566",
        ] {
            assert_eq!(read_device(wrong), None, "{wrong}");
        }
    }
}
