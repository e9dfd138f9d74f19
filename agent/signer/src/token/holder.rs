//! The adapter for kinds that hold the key itself and answer challenges with it, and what it takes to
//! write a key into one.
//!
//! Where the holder asks for an access code, or the key has a factor whose seed is sealed, an opener
//! (the same piece of hardware, as recipient of the record) comes first: that is PIN and touch one;
//! the answer is touch two.

use super::{Asks, Challenge, Computed, Error, Token};
use crate::conversation::Conversation;
use crate::job::disagree;
use crate::payload::Payload;
use signet_envelope::Record;
use signet_protocol::record::Holder;
use std::time::Duration;

/// A token that holds a key. `look` and `wait` are those of [`Token`].
pub(super) trait Derive {
    /// As [`Token::look`]; there is nothing to ask for.
    fn look(&mut self, talk: &Conversation) -> Result<(), Error>;
    /// As [`Token::wait`].
    fn wait(&mut self, limit: Duration) -> Result<(), Error>;
    /// HMAC-SHA256 of `challenge` under the key, for one touch; `code` is what the token's access code
    /// is, where it has one. Is called without a look before it where an opener was looked for.
    fn derive(
        &mut self,
        challenge: &Challenge,
        code: Option<&str>,
        talk: &Conversation,
    ) -> Result<Computed, Error>;
}

/// A [`Token`] made of a token that holds the key and, where it takes one, an opener.
pub(super) struct InToken {
    serial: String,
    access_code: bool,
    opener: Option<Box<dyn Token>>,
    inner: Box<dyn Derive>,
}

impl InToken {
    /// The token of `holder`.
    pub(super) fn of(
        holder: &Holder,
        opener: Option<Box<dyn Token>>,
        inner: Box<dyn Derive>,
    ) -> Box<dyn Token> {
        let Holder { serial, access_code, .. } = holder;
        Box::new(Self { serial: serial.clone(), access_code: *access_code, opener, inner })
    }
}

impl Token for InToken {
    fn look(&mut self, talk: &Conversation) -> Result<Asks, Error> {
        match &mut self.opener {
            Some(opener) => opener.look(talk),
            None => {
                self.inner.look(talk)?;
                Ok(Asks { secret: None, tries_left: None, consent: None })
            }
        }
    }

    fn wait(&mut self, limit: Duration) -> Result<(), Error> {
        match &mut self.opener {
            Some(opener) => opener.wait(limit),
            None => self.inner.wait(limit),
        }
    }

    fn open(&mut self, record: &Record, secret: &[u8], talk: &Conversation) -> Result<Payload, Error> {
        let opener = self.opener.as_mut().ok_or_else(|| disagree("whether the record is opened"))?;
        opener.open(record, secret, talk)
    }

    fn compute(
        &mut self,
        challenge: &Challenge,
        payload: Option<&Payload>,
        talk: &Conversation,
    ) -> Result<Computed, Error> {
        if !self.access_code {
            return self.inner.derive(challenge, None, talk);
        }
        let payload = payload.ok_or_else(|| disagree("whether the record is opened"))?;
        let code = payload.access_code(&self.serial)?;
        let code = code.ok_or_else(|| disagree("whether the token has an access code"))?;
        self.inner.derive(challenge, Some(code), talk)
    }

    fn touches(&self) -> u32 {
        1 + self.opener.as_ref().map_or(0, |opener| opener.touches())
    }
}

/// What a place for keys says of its access code, before anything is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locked {
    /// It has none; so many credentials are in it that are not ours.
    No {
        /// How many.
        others: usize,
    },
    /// It has one, and the one that was tried fits.
    Fits,
    /// It has one that was not tried, or does not fit.
    Foreign,
}

/// What is to be written.
pub struct Writing<'a> {
    /// Name of the credential.
    pub credential: &'a str,
    /// The HMAC key: `AWS4` and the secret.
    pub key: &'a [u8],
    /// Hex SHA-256 of what the key answers to [`signet_protocol::record::CHECK_CHALLENGE`].
    pub check: &'a str,
    /// The access code that the place has, or shall have; `None` for a place that shall have none.
    pub code: Option<&'a str>,
}

/// A place for keys in a token that is to be written. `wait` is that of [`Token`].
pub trait Keep {
    /// Looks whether the token is there, by its serial, and whether `code` is its access code.
    ///
    /// # Errors
    /// As [`Token::look`]; `unsupported` for a token that has no such place.
    fn look(&mut self, code: Option<&str>, talk: &Conversation) -> Result<Locked, Error>;

    /// As [`Token::wait`].
    ///
    /// # Errors
    /// As [`Token::wait`].
    fn wait(&mut self, limit: Duration) -> Result<(), Error>;

    /// Writes the key, and proves by one touch that the token answers with it. What is there already
    /// under that name and answers the same is kept; anything else under it is not overwritten.
    /// Gives what tells the place from every other.
    ///
    /// # Errors
    /// As [`Token::open`].
    fn write(&mut self, writing: &Writing<'_>, talk: &Conversation) -> Result<String, Error>;
}
