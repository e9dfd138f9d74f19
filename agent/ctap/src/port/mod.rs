//! The ways to an authenticator: what a message and its answer travel by.

pub(crate) mod card;
pub(crate) mod hid;

use crate::patience::Over;
use crate::{Fault, Go, Patience, Wait};
use std::time::{Duration, Instant};

/// The longest message and the longest answer: what CTAPHID can carry (CTAP 2.1, 11.2.4).
pub(crate) const LONGEST: usize = 7609;

/// What a message asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    /// An answer at once.
    Device,
    /// The person's touch, or his finger.
    Person,
}

/// How a use is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// Nothing was unlocked: all stays as it is.
    Leave,
    /// Somebody may have been verified: that is forgotten.
    Reset,
}

/// One way to one authenticator.
///
/// A use is everything from the first exchange to [`Port::end`]; nobody else comes between its
/// exchanges where the way allows that.
pub(crate) trait Port {
    /// Sends a message (command byte and CBOR) and gives the answer (status byte and CBOR), of at most
    /// [`LONGEST`] bytes. When the caller stops it, or its time is up, the authenticator is told, and is
    /// idle again when this returns, unless it can do nothing but block.
    fn exchange(&mut self, message: &[u8], asks: Asks, patience: &mut Patience<'_>)
    -> Result<Vec<u8>, Fault>;

    /// Ends a use; without one, does nothing.
    fn end(&mut self, after: After);
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Halt {
    /// Its caller no longer waits.
    Over(Over),
    /// It failed.
    Fault(Fault),
}

impl From<Over> for Halt {
    fn from(over: Over) -> Self {
        Self::Over(over)
    }
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// How long a device may take to be idle after it was told to stop.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// Waits that long for something without telling anybody.
pub(crate) fn graced<T>(wait: impl FnOnce(&mut Patience<'_>) -> T) -> T {
    wait(&mut Patience::until(Instant::now() + GRACE, &mut |_| Go::On))
}

/// What a keepalive says (CTAP 2.1, 11.2.9.1.4); what it should not say changes nothing.
pub(crate) fn kept_alive(data: &[u8], wait: Wait) -> Wait {
    match data {
        [0x01, ..] => Wait::Processing,
        [0x02, ..] => Wait::Touch,
        _ => wait,
    }
}

/// What it means that a wait ended before the answer.
pub(crate) fn unanswered(over: Over, wait: Wait) -> Fault {
    match (over, wait) {
        (Over::Stopped, _) => Fault::Cancelled,
        (Over::Late, Wait::Touch) => Fault::NotTouched,
        (Over::Late, Wait::Processing) => Fault::Busy,
    }
}

/// A name that a device gives itself, fit for a terminal.
pub(crate) fn plain(name: &str) -> String {
    let plain: String = name.chars().filter(|letter| matches!(letter, ' '..='~')).take(80).collect();
    plain.trim().to_owned()
}
