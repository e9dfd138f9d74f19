//! The adapter for kinds that hold a P-256 key and can only agree on a secret: it opens the sealed
//! record with what the token computed, and answers challenges with what was sealed.

use super::{Asks, Challenge, Computed, Error, Token};
use crate::conversation::Conversation;
use crate::job::disagree;
use crate::payload::Payload;
use secrecy::ExposeSecret as _;
use signet_envelope::{PublicKey, Record};
use signet_protocol::refusal::{Code, Refusal};
use std::time::Duration;

/// A token that can agree. `look` and `wait` are those of [`Token`].
pub(super) trait Unwrap {
    /// As [`Token::look`].
    fn look(&mut self, talk: &Conversation) -> Result<Asks, Error>;
    /// As [`Token::wait`].
    fn wait(&mut self, limit: Duration) -> Result<(), Error>;
    /// ECDH of the recipient's private key and `point`, which is on the curve. What [`Token::open`]
    /// says of the secret, the touch and the errors holds here.
    fn agree(&mut self, point: &[u8; 65], secret: &[u8], talk: &Conversation) -> Result<Computed, Error>;
    /// How many touches that takes.
    fn touches(&self) -> u32;
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

    fn open(&mut self, record: &Record, secret: &[u8], talk: &Conversation) -> Result<Payload, Error> {
        let enc = record.enc_for(&self.recipient).ok_or_else(not_sealed)?;
        let shared = self.inner.agree(&enc, secret, talk)?;
        let opened = record.open(&self.recipient, &enc, shared.expose_secret()).map_err(refusal)?;
        drop(shared);
        Ok(Payload::new(opened)?)
    }

    fn compute(
        &mut self,
        challenge: &Challenge,
        payload: Option<&Payload>,
        _: &Conversation,
    ) -> Result<Computed, Error> {
        let payload = payload.ok_or_else(|| disagree("whether the record is opened"))?.read()?;
        let secret = payload.secret.ok_or_else(|| disagree("where the key is"))?;
        let answer = signet_sigv4::answer(secret.as_bytes(), challenge);
        Ok(Computed::init_with_mut(|to: &mut [u8; 32]| to.copy_from_slice(&*answer)))
    }

    fn touches(&self) -> u32 {
        self.inner.touches()
    }
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
