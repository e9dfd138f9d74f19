//! Session credentials in memory.

use super::TOO_SHORT;
use signet_protocol::api::SessionCredentials;
use signet_protocol::{Code, Refusal};
use std::ops::Deref;
use time::OffsetDateTime;
use zeroize::Zeroize as _;

/// Longest secret, session token or id that is taken: STS sets no limit, a message has one.
const LONGEST: usize = signet_protocol::MESSAGE_LIMIT;

/// Session credentials: wiped on drop.
///
/// The wiping is hygiene: copies that a caller, a serializer or the runtime makes are theirs. That
/// none of it gets into swap or a core file is the work of `harden`.
pub struct Vended(SessionCredentials);

impl Deref for Vended {
    type Target = SessionCredentials;

    fn deref(&self) -> &SessionCredentials {
        &self.0
    }
}

impl Drop for Vended {
    fn drop(&mut self) {
        self.0.secret_access_key.zeroize();
        self.0.session_token.zeroize();
    }
}

/// What is kept.
pub(super) struct Kept {
    credentials: Vended,
    pub(super) ends: OffsetDateTime,
    /// How long they lasted when they came.
    pub(super) lasted: time::Duration,
}

impl Kept {
    /// Takes what the cli says that STS has answered.
    pub(super) fn new(got: SessionCredentials, now: OffsetDateTime) -> Result<Self, Refusal> {
        let got = Vended(got);
        let wrong =
            |what: &str| Refusal::bare(Code::BadRequest, format!("the session credentials have {what}"));
        let is_id =
            |id: &str| (16..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
        let is_secret =
            |text: &str| (1..=LONGEST).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if !is_id(&got.access_key_id) {
            return Err(wrong("an access key id that is none"));
        }
        if !is_secret(&got.secret_access_key) || !is_secret(&got.session_token) {
            return Err(wrong("no secret or no session token"));
        }
        if got.account_id.as_ref().is_some_and(|id| id.len() != 12 || !id.bytes().all(|b| b.is_ascii_digit()))
        {
            return Err(wrong("an account id that is not 12 digits"));
        }
        let ends = crate::clock::parse(&got.expiration).ok_or_else(|| wrong("an end that is no time"))?;
        if ends - now <= TOO_SHORT {
            // Kept, they would be over for whoever waits for them, and the person asked again.
            return Err(wrong("a minute to go at most: is the clock right?"));
        }
        Ok(Self { credentials: got, ends, lasted: ends - now })
    }

    pub(super) fn vend(&self) -> Vended {
        Vended(SessionCredentials::clone(&self.credentials))
    }

    pub(super) fn access_key_id(&self) -> &str {
        &self.credentials.access_key_id
    }
}
