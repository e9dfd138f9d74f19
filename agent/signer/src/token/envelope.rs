//! The adapter for kinds that hold a P-256 key and can only agree on a secret: it opens the sealed
//! record with what the token computed, and makes the date key from what was sealed.

use super::{Asks, Error, Opened, Task, Token};
use crate::conversation::Conversation;
use crate::job::disagree;
use crate::payload::Payload;
use secrecy::{ExposeSecret as _, SecretBox};
use signet_envelope::PublicKey;
use signet_protocol::refusal::{Code, Refusal};
use signet_sigv4::DateKey;
use std::time::Duration;

/// The x-coordinate that ECDH gives: boxed, wiped on drop, not shown.
pub(super) type Shared = SecretBox<[u8; 32]>;

/// A token that can agree. `look` and `wait` are those of [`Token`].
pub(super) trait Unwrap {
    /// As [`Token::look`].
    fn look(&mut self, talk: &Conversation) -> Result<Asks, Error>;
    /// As [`Token::wait`].
    fn wait(&mut self, limit: Duration) -> Result<(), Error>;
    /// ECDH of the recipient's private key and `point`, which is on the curve. What [`Token::open`]
    /// says of the secret, the touch and the errors holds here.
    fn agree(&mut self, point: &[u8; 65], secret: &[u8], talk: &Conversation) -> Result<Shared, Error>;
}

/// A [`Token`] made of a token that can agree.
pub(super) struct Envelope<U> {
    recipient: PublicKey,
    inner: U,
}

impl<U: Unwrap + 'static> Envelope<U> {
    /// The token of `recipient`.
    pub(super) fn of(recipient: PublicKey, inner: U) -> Box<dyn Token> {
        Box::new(Self { recipient, inner })
    }
}

impl<U: Unwrap> Token for Envelope<U> {
    fn look(&mut self, talk: &Conversation) -> Result<Asks, Error> {
        self.inner.look(talk)
    }

    fn wait(&mut self, limit: Duration) -> Result<(), Error> {
        self.inner.wait(limit)
    }

    fn open(&mut self, task: &Task<'_>, secret: &[u8], talk: &Conversation) -> Result<Opened, Error> {
        let enc = task.record.enc_for(&self.recipient).ok_or_else(not_sealed)?;
        let shared = self.inner.agree(&enc, secret, talk)?;
        let opened = task.record.open(&self.recipient, &enc, shared.expose_secret()).map_err(refusal)?;
        drop(shared);
        let payload = Payload::new(opened)?;
        let date_key = match task.amz_date {
            Some(date) => Some(date_key(&payload, date)?),
            None => None,
        };
        Ok(Opened { date_key, payload })
    }
}

fn date_key(payload: &Payload, amz_date: &str) -> Result<DateKey, Refusal> {
    let secret = payload.read()?.secret.ok_or_else(|| disagree("where the key is"))?;
    DateKey::derive(secret.as_bytes(), amz_date)
        .map_err(|error| Refusal::bare(Code::Internal, error.to_string()))
}

fn not_sealed() -> Error {
    let message = "the record is not sealed to the token it names";
    Error::not_mine(Refusal::new(Code::Rollback, message, "signet doctor"))
}

/// The token has spoken: none of these is a reason to try another one.
fn refusal(error: signet_envelope::Error) -> Error {
    let message = match error {
        signet_envelope::Error::NotMine => "the record is not sealed to the key in the token".to_owned(),
        other => other.to_string(),
    };
    Error::from(Refusal::new(Code::Rollback, message, "signet doctor"))
}
