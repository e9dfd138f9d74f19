//! Session credentials that are kept for callers, and who is getting new ones.
//!
//! Promises: what is kept is given only to the uid, and for the key, host, duration and MFA, that it
//! was got for; of several who want it at once one is asked for it, and what becomes of that is the
//! answer to all; who is asked and goes away is followed by the next. Must not know: HTTP, AWS, the
//! audit log (who vends writes the line first).
//!
//! Time is an argument; waiting is woken by events alone. One thread: cloning shares.

#![forbid(unsafe_code)]

mod credentials;

pub use credentials::Vended;

use crate::clock;
use credentials::Kept;
use ring::rand::{SecureRandom as _, SystemRandom};
use signet_protocol::api::{ForgottenSession, SessionCredentials};
use signet_protocol::{Code, Refusal};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use time::{Duration, OffsetDateTime};
use tokio::sync::watch;

/// Kept credentials are not given out any more when they have no longer than this to go.
const TOO_SHORT: Duration = Duration::seconds(60);
/// SDKs ask anew for each request when less than 15 minutes are left (botocore's advisory refresh):
/// a minute before that one caller is asked for new ones.
const RENEW: Duration = Duration::minutes(16);
/// How long a refusal answers whoever asks the same again.
const HOLD: Duration = Duration::seconds(10);

/// Which session: never shared beyond all of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// Whose.
    pub uid: u32,
    /// Name of the key.
    pub key: String,
    /// STS host.
    pub host: String,
    /// Seconds.
    pub duration: u32,
    /// AWS MFA device.
    pub mfa_serial: Option<String>,
}

/// What a caller does next.
#[must_use]
pub enum Next {
    /// Here they are.
    Serve(Vended),
    /// This caller gets them; wait for [`Lease::settled`], then ask again.
    Ask(Lease),
    /// Another caller is getting them; wait for [`Waiter::moved`], then ask again.
    Wait(Waiter),
    /// Nobody gets them now.
    Refused(Refusal),
}

/// Kept session credentials and who is getting new ones.
#[derive(Clone, Default)]
pub struct Sessions {
    slots: Rc<RefCell<HashMap<Wanted, Slot>>>,
}

/// Everything about one session.
struct Slot {
    kept: Option<Kept>,
    lease: Option<Leased>,
    held: Option<Held>,
    /// Told whenever any of these changes.
    moved: watch::Sender<()>,
}

struct Leased {
    id: String,
    asked: String,
}

struct Held {
    why: Refusal,
    until: OffsetDateTime,
}

impl Held {
    /// The refusal, and when it is worth asking again.
    fn refusal(&self, now: OffsetDateTime) -> Refusal {
        // A second that has begun counts whole: whoever waits so long is asked.
        let left = u64::try_from((self.until - now + Duration::nanoseconds(999_999_999)).whole_seconds())
            .unwrap_or(0);
        let why = self.why.clone();
        let wait = why.retry_after.map_or(left, |own| own.max(left));
        why.after(wait)
    }
}

impl Slot {
    fn new() -> Self {
        Self { kept: None, lease: None, held: None, moved: watch::Sender::new(()) }
    }

    /// Drops what is over.
    fn expire(&mut self, now: OffsetDateTime) {
        self.kept = self.kept.take().filter(|kept| kept.ends - now > TOO_SHORT);
        self.held = self.held.take().filter(|held| held.until > now);
    }

    fn is_idle(&self) -> bool {
        self.kept.is_none() && self.lease.is_none() && self.held.is_none() && self.moved.receiver_count() == 0
    }

    /// Whether somebody should get new ones though these are still good.
    fn is_to_be_renewed(&self, now: OffsetDateTime) -> bool {
        let ending = |kept: &Kept| kept.lasted > RENEW && kept.ends - now < RENEW;
        self.kept.as_ref().is_some_and(ending) && self.lease.is_none() && self.held.is_none()
    }
}

impl Sessions {
    /// What a caller who wants a session does next. `who` is told to the others who wait.
    pub fn ask(&self, wanted: &Wanted, who: &str, now: OffsetDateTime) -> Next {
        self.expire(now);
        let mut slots = self.slots.borrow_mut();
        let slot = slots.entry(wanted.clone()).or_insert_with(Slot::new);
        if let Some(kept) = slot.kept.as_ref().filter(|_| !slot.is_to_be_renewed(now)) {
            return Next::Serve(kept.vend());
        }
        if let Some(held) = &slot.held {
            return Next::Refused(held.refusal(now));
        }
        if let Some(lease) = &slot.lease {
            return Next::Wait(Waiter { asked: lease.asked.clone(), moved: slot.moved.subscribe() });
        }
        let Some(id) = new_id() else {
            return Next::Refused(Refusal::bare(Code::Internal, "the machine gives no randomness"));
        };
        slot.lease = Some(Leased { id: id.clone(), asked: who.to_owned() });
        Next::Ask(Lease { id, wanted: wanted.clone(), sessions: self.clone(), moved: slot.moved.subscribe() })
    }

    /// What a lease is for, when it is this uid's and not over.
    #[must_use]
    pub fn leased(&self, lease: &str, uid: u32) -> Option<Wanted> {
        let is_it = |wanted: &Wanted, slot: &Slot| {
            wanted.uid == uid && slot.lease.as_ref().is_some_and(|leased| leased.id == lease)
        };
        let slots = self.slots.borrow();
        slots.iter().find(|(wanted, slot)| is_it(wanted, slot)).map(|(wanted, _)| wanted.clone())
    }

    /// Keeps what was got under a lease, for all who wait.
    ///
    /// # Errors
    /// When there is no such lease, or what was got cannot be used: the lease goes on.
    pub fn deliver(
        &self,
        lease: &str,
        uid: u32,
        got: SessionCredentials,
        now: OffsetDateTime,
    ) -> Result<(), Refusal> {
        let wanted = self.leased(lease, uid).ok_or_else(no_lease)?;
        let kept = Kept::new(got, now)?;
        self.settle(&wanted, |slot| (slot.kept, slot.held) = (Some(kept), None));
        Ok(())
    }

    /// Answers all who wait with a refusal, and holds it for those who ask at once again. Where older
    /// credentials are still good, they are given out instead.
    ///
    /// # Errors
    /// When there is no such lease.
    pub fn fail(&self, lease: &str, uid: u32, why: Refusal, now: OffsetDateTime) -> Result<(), Refusal> {
        let wanted = self.leased(lease, uid).ok_or_else(no_lease)?;
        self.settle(&wanted, |slot| slot.held = Some(Held { why, until: now.saturating_add(HOLD) }));
        Ok(())
    }

    fn settle(&self, wanted: &Wanted, change: impl FnOnce(&mut Slot)) {
        if let Some(slot) = self.slots.borrow_mut().get_mut(wanted) {
            slot.lease = None;
            change(slot);
            slot.moved.send_replace(());
        }
    }

    /// Drops what is kept for `uid` (for every uid where none is given) and `key` (every key); AWS
    /// honours it until it ends.
    #[must_use]
    pub fn forget(&self, uid: Option<u32>, key: Option<&str>, now: OffsetDateTime) -> Vec<ForgottenSession> {
        self.expire(now);
        let mut forgotten = Vec::new();
        for (wanted, slot) in self.slots.borrow_mut().iter_mut() {
            let named = uid.is_none_or(|uid| uid == wanted.uid) && key.is_none_or(|key| key == wanted.key);
            if let Some(kept) = slot.kept.take_if(|_| named) {
                forgotten.push(ForgottenSession {
                    key: wanted.key.clone(),
                    access_key_id: kept.access_key_id().to_owned(),
                    expiration: clock::rfc3339(kept.ends),
                });
            }
        }
        forgotten.sort_by(|a, b| (&a.key, &a.expiration).cmp(&(&b.key, &b.expiration)));
        forgotten
    }

    /// Drops, and wipes, what has ended; tells how many are kept. To be called now and then, so that
    /// nothing lies about when nobody asks.
    pub fn count(&self, now: OffsetDateTime) -> usize {
        self.expire(now);
        self.slots.borrow().values().filter(|slot| slot.kept.is_some()).count()
    }

    fn expire(&self, now: OffsetDateTime) {
        self.slots.borrow_mut().retain(|_, slot| {
            slot.expire(now);
            !slot.is_idle()
        });
    }
}

/// The right, and the task, to get a session. Dropped before it is settled, it passes on to the next
/// who waits.
pub struct Lease {
    id: String,
    wanted: Wanted,
    sessions: Sessions,
    moved: watch::Receiver<()>,
}

impl Lease {
    /// Names it in the use that is made for it, and in its result. Nobody can guess it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Resolves when its result is in, one way or the other.
    pub async fn settled(&mut self) {
        // An error would mean that the slot is gone: settled too.
        let _moved = self.moved.changed().await;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(slot) = self.sessions.slots.borrow_mut().get_mut(&self.wanted)
            && slot.lease.take_if(|leased| leased.id == self.id).is_some()
        {
            slot.moved.send_replace(());
        }
    }
}

/// A place among those who wait.
pub struct Waiter {
    asked: String,
    moved: watch::Receiver<()>,
}

impl Waiter {
    /// Who is getting the session, for people.
    #[must_use]
    pub fn asked(&self) -> &str {
        &self.asked
    }

    /// Resolves when there is something new.
    pub async fn moved(mut self) {
        // An error would mean that the slot is gone, which is new.
        let _moved = self.moved.changed().await;
    }
}

fn no_lease() -> Refusal {
    Refusal::bare(Code::BadRequest, "there is no such lease: it ended with its connection")
}

fn new_id() -> Option<String> {
    let mut id = [0; 16];
    SystemRandom::new().fill(&mut id).ok()?;
    Some(signet_envelope::hex(&id))
}

#[cfg(test)]
mod tests;
