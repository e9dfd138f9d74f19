//! How long an authenticator may take, and how its caller hears of it meanwhile.

use std::time::{Duration, Instant};

/// The longest that a caller hears nothing (and cannot stop).
pub(crate) const PACE: Duration = Duration::from_millis(100);

/// What an authenticator waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// For the person: a touch, or a finger that is read.
    Touch,
    /// For nothing: it works.
    Processing,
}

/// What the caller wants after it has heard of a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Go {
    /// Waits on.
    On,
    /// Cancels what is under way.
    Stop,
}

/// Until when a caller waits, and where it hears of the wait: at every change that the authenticator
/// tells of, and at least ten times a second.
pub struct Patience<'a> {
    until: Instant,
    told: Instant,
    tell: &'a mut dyn FnMut(Wait) -> Go,
}

/// Why a wait ends before the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// The caller wants no more.
    Stopped,
    /// The time is up.
    Late,
}

impl<'a> Patience<'a> {
    /// Waits until then.
    pub fn until(until: Instant, tell: &'a mut dyn FnMut(Wait) -> Go) -> Self {
        Self { until, told: Instant::now(), tell }
    }

    /// The same, but no longer than `limit` from now.
    pub(crate) fn at_most(&mut self, limit: Duration) -> Patience<'_> {
        Patience { until: self.until.min(Instant::now() + limit), told: self.told, tell: self.tell }
    }

    /// What is left, in steps of at most [`PACE`].
    pub(crate) fn step(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now()).min(PACE)
    }

    /// Tells the caller of the wait.
    pub(crate) fn tell(&mut self, wait: Wait) -> Result<(), Over> {
        self.told = Instant::now();
        if (self.tell)(wait) == Go::Stop {
            return Err(Over::Stopped);
        }
        if self.step().is_zero() { Err(Over::Late) } else { Ok(()) }
    }

    /// Tells the caller of the wait if he has heard nothing for [`PACE`].
    pub(crate) fn pace(&mut self, wait: Wait) -> Result<(), Over> {
        if self.told.elapsed() >= PACE {
            return self.tell(wait);
        }
        if self.step().is_zero() { Err(Over::Late) } else { Ok(()) }
    }
}
