//! The commands of the OATH applet (Yubico, "OATH protocol"), over any channel.
//!
//! Promises: what a card says is read strictly, and never panics. Keys go out in buffers that are
//! wiped; the answer to a challenge is copied once, into the box that its user drops.

use crate::token::card::apdu::{self, Channel, Fault, Response, command};
use crate::token::card::tlv;
use crate::token::{Challenge, Computed};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use secrecy::{ExposeSecret as _, SecretBox};
use zeroize::Zeroizing;

/// The applet (Yubico, "OATH protocol", general definitions).
const OATH: [u8; 7] = [0xa0, 0x00, 0x00, 0x05, 0x27, 0x21, 0x01];
/// SEND REMAINING: what GET RESPONSE is to other applets.
const SEND_REMAINING: u8 = 0xa5;
/// Type and algorithm of a credential: TOTP, HMAC-SHA256. The type counts nothing in the card, so the
/// challenge is the caller's.
const TOTP_SHA256: u8 = 0x22;
/// Type and algorithm of an access code's key: TOTP, HMAC-SHA1, as `ykman` sets it.
const TOTP_SHA1: u8 = 0x21;
/// Digits of the code that nobody reads; the card wants some.
const DIGITS: u8 = 6;
/// Property of a credential: touch for each answer.
const TOUCH: u8 = 0x02;

/// Length of what tells one applet from another.
pub(super) const DEVICE: usize = 8;
/// Longest HMAC key that a card takes: the block of SHA-256.
pub(in crate::token) const LONGEST_KEY: usize = 64;
/// Longest name of a credential.
pub(super) const LONGEST_NAME: usize = 64;

/// Key of an applet with an access code; boxed, wiped on drop, not shown.
pub(super) type AppletKey = SecretBox<[u8; 16]>;

/// An applet, as its SELECT answers.
pub(super) struct Selected {
    /// Its name, new after each reset of the applet; also the salt of its access code.
    pub(super) device: [u8; DEVICE],
    /// What VALIDATE must answer, where the applet has an access code.
    pub(super) challenge: Option<Vec<u8>>,
}

/// What a command without an answer came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    /// It was done.
    Yes,
    /// It was not, by its status word.
    No(u16),
}

/// What LIST says of the credentials.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// Type and algorithm of the one with the name that was asked for.
    pub(super) named: Option<u8>,
    /// How many there are whose names do not begin with `signet-`.
    pub(super) others: usize,
}

impl Listed {
    /// Whether there is one with that name, and of the sort that PUT makes here.
    pub(super) fn is_ours(&self) -> bool {
        self.named == Some(TOTP_SHA256)
    }
}

/// What CALCULATE answered.
pub(super) enum Calculated {
    /// The whole HMAC.
    Answer(Computed),
    /// Nobody touched.
    NotTouched,
    /// There is no such credential.
    Missing,
    /// A part of the HMAC, although all of it was asked for.
    Truncated,
    /// Something else, by its status word; 9000 for an HMAC of another length.
    Unexpected(u16),
}

fn send(card: &impl Channel, command: &[u8]) -> Result<Response, Fault> {
    apdu::send(card, command, SEND_REMAINING)
}

/// SELECT; `None` where the card has no such applet.
///
/// It is the card's command, not yet the applet's: what a dispatcher announces of the answer is fetched
/// as everywhere.
pub(super) fn select(card: &impl Channel) -> Result<Option<Selected>, Fault> {
    let command = command([0x00, 0xa4, 0x04, 0x00], &OATH);
    let Some(answer) = apdu::send(card, &command, apdu::GET_RESPONSE)?.ok() else {
        return Ok(None);
    };
    let device = tlv::find(&answer, 0x71).and_then(|name| name.try_into().ok()).ok_or(Fault::Garbage)?;
    let challenge = tlv::find(&answer, 0x74).map(<[u8]>::to_vec);
    Ok(Some(Selected { device, challenge }))
}

/// VALIDATE: proves the access code to the applet, and has the applet prove that it knows it too.
pub(super) fn validate(card: &impl Channel, key: &AppletKey, challenge: &[u8]) -> Result<Done, Fault> {
    let own = random()?;
    let data = [&[0x75, 0x14][..], hmac_sha1(key, challenge).as_ref(), &[0x74, 0x08], &own].concat();
    let answer = send(card, &command([0x00, 0xa3, 0x00, 0x00], &data))?;
    if answer.status != 0x9000 {
        return Ok(Done::No(answer.status));
    }
    let proof = tlv::find(&answer.data, 0x75).ok_or(Fault::Garbage)?;
    hmac::verify(&sha1_key(key), &own, proof).map_err(|_| Fault::Garbage)?;
    Ok(Done::Yes)
}

/// SET CODE. The applet asks for the code from the next SELECT on, some at once.
pub(super) fn set_code(card: &impl Channel, key: &AppletKey) -> Result<Done, Fault> {
    let own = random()?;
    let mut data = Zeroizing::new(Vec::with_capacity(64));
    data.extend_from_slice(&[0x73, 0x11, TOTP_SHA1]);
    data.extend_from_slice(key.expose_secret());
    data.extend_from_slice(&[0x74, 0x08]);
    data.extend_from_slice(&own);
    data.extend_from_slice(&[0x75, 0x14]);
    data.extend_from_slice(hmac_sha1(key, &own).as_ref());
    done(send(card, &command([0x00, 0x03, 0x00, 0x00], &data))?)
}

/// LIST, and what it says of `name`.
pub(super) fn list(card: &impl Channel, name: &str) -> Result<Listed, Fault> {
    let answer = send(card, &[0x00, 0xa1, 0x00, 0x00, 0x00])?.ok().ok_or(Fault::Garbage)?;
    let mut listed = Listed { named: None, others: 0 };
    let mut rest: &[u8] = &answer;
    while !rest.is_empty() {
        let (tag, entry, after) = tlv::split(rest).ok_or(Fault::Garbage)?;
        // 72: type and algorithm, then the name.
        let (algorithm, found) = entry.split_first().filter(|_| tag == 0x72).ok_or(Fault::Garbage)?;
        if found == name.as_bytes() {
            listed.named = Some(*algorithm);
        } else if !found.starts_with(b"signet-") {
            listed.others += 1;
        }
        rest = after;
    }
    Ok(listed)
}

/// PUT of a credential that answers only to a touch. `name` and `key` are no longer than they may be.
pub(super) fn put(card: &impl Channel, name: &str, key: &[u8]) -> Result<Done, Fault> {
    // As large as it gets: a vector that grew would leave a copy of the key behind.
    let mut data = Zeroizing::new(Vec::with_capacity(8 + LONGEST_NAME + LONGEST_KEY));
    push(&mut data, 0x71, &[name.as_bytes()])?;
    push(&mut data, 0x73, &[&[TOTP_SHA256, DIGITS], key])?;
    // A property is a tag and a value, without a length.
    data.extend_from_slice(&[0x78, TOUCH]);
    done(send(card, &command([0x00, 0x01, 0x00, 0x00], &data))?)
}

/// DELETE.
pub(super) fn delete(card: &impl Channel, name: &str) -> Result<Done, Fault> {
    let mut data = Vec::new();
    push(&mut data, 0x71, &[name.as_bytes()])?;
    done(send(card, &command([0x00, 0x02, 0x00, 0x00], &data))?)
}

/// CALCULATE with the whole response. Blocks until the touch.
pub(super) fn calculate(card: &impl Channel, name: &str, challenge: &Challenge) -> Result<Calculated, Fault> {
    let mut data = Vec::new();
    push(&mut data, 0x71, &[name.as_bytes()])?;
    push(&mut data, 0x74, &[challenge])?;
    // P2 is 00: the whole response, not the truncated one.
    let answer = send(card, &command([0x00, 0xa2, 0x00, 0x00], &data))?;
    match answer.status {
        0x9000 => {}
        // 6982 from a YubiKey; 6600 and 6985 from others. In a session that the applet let in, only
        // the touch can be missing.
        0x6982 | 0x6600 | 0x6985 => return Ok(Calculated::NotTouched),
        0x6984 => return Ok(Calculated::Missing),
        // An applet that knows no P2 but 01 has one of these for 00: it computes truncated codes only.
        0x6d00 | 0x6a86 | 0x6b00 => return Ok(Calculated::Truncated),
        other => return Ok(Calculated::Unexpected(other)),
    }
    if tlv::find(&answer.data, 0x76).is_some() {
        return Ok(Calculated::Truncated);
    }
    let whole = tlv::find(&answer.data, 0x75).ok_or(Fault::Garbage)?;
    // The digits, then the HMAC.
    let Some(mac) = whole.split_first().and_then(|(_, mac)| <&[u8; 32]>::try_from(mac).ok()) else {
        return Ok(Calculated::Unexpected(answer.status));
    };
    Ok(Calculated::Answer(Computed::init_with_mut(|to: &mut [u8; 32]| to.copy_from_slice(mac))))
}

fn done(answer: Response) -> Result<Done, Fault> {
    Ok(if answer.status == 0x9000 { Done::Yes } else { Done::No(answer.status) })
}

/// Tag, length, value; all values here are shorter than 128 bytes.
fn push(data: &mut Vec<u8>, tag: u8, parts: &[&[u8]]) -> Result<(), Fault> {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    data.extend_from_slice(&[tag, u8::try_from(length).map_err(|_| Fault::Garbage)?]);
    parts.iter().for_each(|part| data.extend_from_slice(part));
    Ok(())
}

fn sha1_key(key: &AppletKey) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.expose_secret())
}

fn hmac_sha1(key: &AppletKey, data: &[u8]) -> hmac::Tag {
    hmac::sign(&sha1_key(key), data)
}

fn random() -> Result<[u8; 8], Fault> {
    let mut bytes = [0; 8];
    // A card cannot be proved anything without them.
    SystemRandom::new().fill(&mut bytes).map_err(|_| Fault::Garbage)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
