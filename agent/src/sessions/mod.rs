//! Signatures first; the bodies follow.

#![forbid(unsafe_code)]

use signet_protocol::Refusal;
use signet_protocol::api::{ForgottenSession, SessionCredentials};
use std::ops::Deref;
use time::OffsetDateTime;

/// Which session: never shared beyond all of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct Wanted {
    pub uid: u32,
    pub key: String,
    pub host: String,
    pub duration: u32,
    pub mfa_serial: Option<String>,
}

/// What a caller does next.
#[must_use]
pub enum Next {
    /// Here they are.
    Serve(Vended),
    /// This caller gets them; wait for `Lease::settled`, then ask again.
    Ask(Lease),
    /// Another caller (named) is getting them: wait for `Waiter::moved`, then ask again.
    Wait(Waiter),
    /// A refusal is held.
    Refused(Refusal),
}

/// Session credentials on their way to a caller: wiped on drop.
pub struct Vended(SessionCredentials);

impl Deref for Vended {
    type Target = SessionCredentials;
    fn deref(&self) -> &SessionCredentials {
        &self.0
    }
}

/// The right to get them; dropped unsettled, the next waiter is asked.
pub struct Lease {}

/// A place among the waiters.
pub struct Waiter {}

/// Kept session credentials and who is getting new ones. Cheap to clone; one thread.
#[derive(Clone, Default)]
pub struct Sessions {}

#[allow(missing_docs, clippy::todo, unused_variables, clippy::missing_errors_doc, clippy::must_use_candidate)]
impl Sessions {
    /// `who` is told to the others who wait.
    pub fn ask(&self, wanted: &Wanted, who: &str, now: OffsetDateTime) -> Next {
        todo!()
    }
    /// What a lease is for, when it is this uid's and alive.
    pub fn leased(&self, lease: &str, uid: u32, now: OffsetDateTime) -> Option<Wanted> {
        todo!()
    }
    pub fn deliver(
        &self,
        lease: &str,
        uid: u32,
        got: SessionCredentials,
        now: OffsetDateTime,
    ) -> Result<(), Refusal> {
        todo!()
    }
    /// Answers all waiters, and holds.
    pub fn fail(&self, lease: &str, uid: u32, why: Refusal, now: OffsetDateTime) -> Result<(), Refusal> {
        todo!()
    }
    /// Drops what is kept for `uid` (all uids when none is given) and `key` (all keys when none is given).
    pub fn forget(&self, uid: Option<u32>, key: Option<&str>, now: OffsetDateTime) -> Vec<ForgottenSession> {
        todo!()
    }
    /// Drops what has ended; how many are kept.
    pub fn count(&self, now: OffsetDateTime) -> usize {
        todo!()
    }
}

#[allow(missing_docs, clippy::todo, clippy::must_use_candidate, clippy::unused_async)]
impl Lease {
    pub fn id(&self) -> &str {
        todo!()
    }
    pub async fn settled(&mut self) {
        todo!()
    }
}

#[allow(missing_docs, clippy::todo, clippy::must_use_candidate, clippy::unused_async)]
impl Waiter {
    pub fn asked(&self) -> &str {
        todo!()
    }
    pub async fn moved(self) {
        todo!()
    }
}
