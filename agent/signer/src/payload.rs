//! The payload of an opened record: the only place where the secret, the seed and the access codes
//! stand.
//!
//! Promises: one copy, in the envelope's memory that is wiped on drop; what is read of it is borrowed
//! from there (the strings need no JSON escape, so serde copies nothing). Not `Debug`, not `Clone`,
//! and no error here says anything of the content.

use signet_envelope::{Opened, Secret};
use signet_protocol::record;
use signet_protocol::refusal::{Code, Refusal};
use zeroize::Zeroizing;

/// Longest secret and longest seed.
const LONGEST: usize = 128;

/// What a record held.
pub struct Payload(Opened);

impl Payload {
    /// Takes what was opened, if it has the shape of a payload.
    ///
    /// # Errors
    /// `internal` when it has not: the record is whole, but its writer was not ours.
    pub fn new(opened: Opened) -> Result<Self, Refusal> {
        let payload = Self(opened);
        payload.read()?;
        Ok(payload)
    }

    /// The payload, borrowed.
    ///
    /// # Errors
    /// As [`Payload::new`], which has already found none.
    pub fn read(&self) -> Result<record::Payload<'_>, Refusal> {
        let shape: record::Payload<'_> = serde_json::from_slice(&self.0).map_err(|_| foreign())?;
        let sound =
            |text: &str| (1..=LONGEST).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        let is_payload = shape.secret.is_none_or(sound)
            && shape.totp_seed.is_none_or(sound)
            && shape.access_codes.iter().all(|code| sound(code.serial) && sound(code.code));
        is_payload.then_some(shape).ok_or_else(foreign)
    }

    /// The access code of a token, where the payload has it.
    ///
    /// # Errors
    /// As [`Payload::read`].
    pub fn access_code(&self, serial: &str) -> Result<Option<&str>, Refusal> {
        Ok(self.read()?.access_codes.iter().find(|code| code.serial == serial).map(|code| code.code))
    }
}

/// The bytes to seal for a secret and a seed.
///
/// # Errors
/// `internal`, never for a payload that was read.
pub fn to_bytes(payload: &record::Payload<'_>) -> Result<Secret, Refusal> {
    // Large enough from the start: a vector that grew would leave a copy behind.
    let most = 4 * LONGEST * (1 + payload.access_codes.len());
    let mut bytes = Zeroizing::new(Vec::with_capacity(most));
    serde_json::to_writer(&mut *bytes, payload).map_err(|_| foreign())?;
    Ok(bytes)
}

fn foreign() -> Refusal {
    Refusal::bare(Code::Internal, "the record opened, but what it holds is not a payload of this version")
}
