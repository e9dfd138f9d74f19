//! The place for keys in a YubiKey's OATH applet: looked at, and written.
//!
//! Promises: a key is written into the token with the serial that was asked for and no other, in one
//! transaction with everything that proves it; an access code is set before the key comes in, and seen
//! to be asked for; what is there under the name is never overwritten, and a key that the token cannot
//! use is taken out again.

use super::card::{self, Calculated, Done, Selected};
use super::{applet_key, calculate, not_answered, refusals, unlock};
use crate::conversation::Conversation;
use crate::token::card::apdu::{Channel, Fault};
use crate::token::card::{Failed, Finder, Spent, refusals as common, yubikey};
use crate::token::holder::{Keep, Locked, Writing};
use crate::token::{Computed, Error};
use secrecy::ExposeSecret as _;
use signet_envelope::{hex, sha256};
use signet_protocol::child::TokenName;
use signet_protocol::record::CHECK_CHALLENGE;
use std::time::Duration;

/// The place for keys in a token that is to be written.
pub(in crate::token) struct Writer {
    finder: Finder,
    token: TokenName,
}

impl Writer {
    /// In the token of that name.
    pub(in crate::token) fn new(token: TokenName) -> Self {
        Self { finder: Finder::new(token.clone()), token }
    }
}

impl Keep for Writer {
    fn look(&mut self, code: Option<&str>, talk: &Conversation) -> Result<Locked, Error> {
        let Self { finder, token } = self;
        finder.look(talk, |card, spent| {
            let selected = select_of(card, token)?;
            let Some(challenge) = &selected.challenge else {
                return Ok(Locked::No { others: card::list(card, "")?.others });
            };
            let Some(code) = code else { return Ok(Locked::Foreign) };
            spent.begins();
            let key = applet_key(code, &selected.device);
            Ok(match card::validate(card, &key, challenge)? {
                Done::Yes => Locked::Fits,
                Done::No(_) => Locked::Foreign,
            })
        })
    }

    fn wait(&mut self, limit: Duration) -> Result<(), Error> {
        self.finder.wait(limit)
    }

    fn write(&mut self, writing: &Writing<'_>, talk: &Conversation) -> Result<String, Error> {
        let Self { finder, token } = self;
        finder.use_card(talk, |card, spent| write(card, token, spent, writing, talk))
    }
}

/// SELECT, if this is the card with the token's serial.
fn select_of(channel: &impl Channel, token: &TokenName) -> Result<Selected, Failed> {
    if !yubikey::is(channel, &token.serial)? {
        return Err(Error::NotMine(None).into());
    }
    Ok(card::select(channel)?.ok_or_else(|| refusals::no_applet(token))?)
}

/// Writes and proves, in a transaction of the caller's.
fn write(
    channel: &impl Channel,
    token: &TokenName,
    spent: &mut Spent,
    writing: &Writing<'_>,
    talk: &Conversation,
) -> Result<String, Failed> {
    let mut selected = select_of(channel, token)?;
    let device = selected.device;
    spent.begins();
    if let Some(code) = writing.code.filter(|_| selected.challenge.is_none()) {
        accepted(token, "an access code", card::set_code(channel, &applet_key(code, &device))?)?;
        // Selected anew: the code is asked for from now on, and is seen to work.
        selected = card::select(channel)?.ok_or(Fault::Garbage)?;
        if selected.challenge.is_none() {
            return Err(refusals::deaf(token).into());
        }
    }
    unlock(channel, token, &selected, writing.code)?;

    let listed = card::list(channel, writing.credential)?;
    let is_new = listed.named.is_none();
    if is_new {
        match card::put(channel, writing.credential, writing.key)? {
            Done::Yes => {}
            // 6A84, not enough memory space; 6985, the name is taken although it was not listed.
            Done::No(0x6a84) => return Err(refusals::full(token).into()),
            Done::No(0x6985) => return Err(refusals::taken(token, writing.credential).into()),
            done @ Done::No(_) => accepted(token, "the key", done)?,
        }
    } else if !listed.is_ours() {
        return Err(refusals::taken(token, writing.credential).into());
    }

    let calculated = calculate(channel, token, writing.credential, CHECK_CHALLENGE, talk)?;
    let refusal = match &calculated {
        Calculated::Answer(answer) if fits(answer, writing.check) => return Ok(hex(&device)),
        Calculated::Answer(_) if is_new => refusals::wrong(token),
        Calculated::Answer(_) => refusals::taken(token, writing.credential),
        // What was written stays, for the next attempt.
        Calculated::NotTouched => return Err(common::not_touched(token).into()),
        other => not_answered(token, other),
    };
    if is_new {
        // It is of no use there. An error would hide the reason that is already known.
        let _ = card::delete(channel, writing.credential);
    }
    Err(refusal.into())
}

fn accepted(token: &TokenName, what: &str, done: Done) -> Result<(), Failed> {
    match done {
        Done::Yes => Ok(()),
        Done::No(status) => Err(common::unexpected(token, what, status).into()),
    }
}

/// Whether an answer is the one whose hash is known.
fn fits(answer: &Computed, check: &str) -> bool {
    hex(&sha256(answer.expose_secret())) == check
}
