//! How often a code was wrong, how long that locks the factor, and which step was last accepted.
//!
//! Two failures in a row are free; the third locks for 30 s, each further one for twice as long, up
//! to an hour. Nothing locks for ever. An attempt is counted before the code is handed on, so that
//! killing the agent does not buy a guess.

use super::{Vault, VaultError};
use crate::clock;
use serde::{Deserialize, Serialize};
use signet_protocol::child::CodeFate;
use time::{Duration, OffsetDateTime};

/// Failures in a row that cost nothing.
const FREE: u32 = 2;
/// First delay, in seconds; it doubles.
const FIRST_DELAY: i64 = 30;
/// Longest delay, in seconds.
const LONGEST_DELAY: i64 = 3600;

/// What is remembered of a key's TOTP factor.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Totp {
    pub(super) last_step: Option<u64>,
    /// In a row.
    pub(super) failures: u32,
    /// RFC 3339 UTC.
    pub(super) locked_until: Option<String>,
}

/// What codes are counted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counter {
    /// A key, by name.
    Key(String),
    /// A record that is not a key yet, by its access key id: copies of it share their guesses.
    Record(String),
}

impl std::fmt::Display for Counter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Key(name) | Self::Record(name)) = self;
        f.write_str(name)
    }
}

/// A code that is about to be checked, counted on disk already. Dropped, it stays counted.
#[must_use = "an attempt that is not settled stays counted as a failure"]
#[derive(Debug)]
pub struct Attempt {
    of: Counter,
    before: Totp,
}

impl Totp {
    /// Seconds until the next code is taken; 0 when one is taken now.
    ///
    /// Never more than the longest delay, so that a clock set back does not lock for longer. A lock
    /// that cannot be read counts as the longest one from now.
    fn wait(&self, now: OffsetDateTime) -> u64 {
        let Some(until) = &self.locked_until else { return 0 };
        let seconds = clock::parse(until).map_or(LONGEST_DELAY, |until| (until - now).whole_seconds());
        u64::try_from(seconds.clamp(0, LONGEST_DELAY)).unwrap_or(0)
    }

    /// One more that is taken for wrong until it is known to be right.
    fn counted(&self, now: OffsetDateTime) -> Self {
        let failures = self.failures.saturating_add(1);
        let locked_until = failures.checked_sub(FREE + 1).map(|doublings| {
            let factor = 1_i64.checked_shl(doublings).filter(|factor| *factor > 0).unwrap_or(i64::MAX);
            let delay = FIRST_DELAY.saturating_mul(factor).min(LONGEST_DELAY);
            clock::rfc3339(now.saturating_add(Duration::seconds(delay)))
        });
        Self { last_step: self.last_step, failures, locked_until }
    }
}

impl Vault {
    /// Refuses while a factor is locked. Counts nothing: for before any question.
    ///
    /// # Errors
    /// [`VaultError::Locked`], [`VaultError::NoSuchKey`].
    pub fn check_unlocked(&self, of: &Counter, now: OffsetDateTime) -> Result<(), VaultError> {
        match self.totp(of)?.wait(now) {
            0 => Ok(()),
            retry_after => Err(VaultError::Locked { key: of.to_string(), retry_after }),
        }
    }

    /// Counts a code, on disk, before it is handed on to be checked.
    ///
    /// # Errors
    /// [`VaultError::Locked`]; then, or when it could not be counted, the code must not be handed on.
    pub fn attempt(&mut self, of: &Counter, now: OffsetDateTime) -> Result<Attempt, VaultError> {
        self.check_unlocked(of, now)?;
        let before = self.totp(of)?;
        self.set_totp(of, before.counted(now))?;
        Ok(Attempt { of: of.clone(), before })
    }

    /// What became of a code, on disk. Until this has returned nothing that the code allowed may be
    /// given out.
    ///
    /// # Errors
    /// [`VaultError::Replay`] for a step that is not later than the last one; the disk's.
    pub fn settle(&mut self, attempt: Attempt, fate: CodeFate) -> Result<(), VaultError> {
        let Attempt { of, before } = attempt;
        match fate {
            CodeFate::Refused => Ok(()),
            CodeFate::Unchecked => self.set_totp(&of, before),
            CodeFate::Accepted(step) if before.last_step.is_some_and(|last| step <= last) => {
                Err(VaultError::Replay(of.to_string()))
            }
            CodeFate::Accepted(step) => self.set_totp(&of, Totp { last_step: Some(step), ..Totp::default() }),
        }
    }

    /// The last step that was accepted; only later ones are good.
    #[must_use]
    pub fn last_step(&self, of: &Counter) -> Option<u64> {
        self.totp(of).ok().and_then(|totp| totp.last_step)
    }

    fn totp(&self, of: &Counter) -> Result<Totp, VaultError> {
        match of {
            Counter::Key(name) => Ok(self.key_state(name)?.totp.clone()),
            Counter::Record(id) => Ok(self.state.restoring.get(id).cloned().unwrap_or_default()),
        }
    }

    /// In memory first: when the disk fails, what this process knows is the stricter.
    fn set_totp(&mut self, of: &Counter, totp: Totp) -> Result<(), VaultError> {
        match of {
            Counter::Key(name) => match self.state.keys.get_mut(name) {
                Some(key) => key.totp = totp,
                None => return Err(VaultError::NoSuchKey(name.clone())),
            },
            Counter::Record(id) => {
                self.state.restoring.insert(id.clone(), totp);
            }
        }
        self.save()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn two_failures_are_free_then_the_delay_doubles_up_to_an_hour() {
        let mut totp = Totp::default();
        let mut waits = Vec::new();
        for _ in 0..12 {
            totp = totp.counted(at(0));
            waits.push(totp.wait(at(0)));
        }
        assert_eq!(waits, [0, 0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
        totp.failures = u32::MAX;
        assert_eq!(totp.counted(at(0)).wait(at(0)), 3600);
    }

    #[test]
    fn a_lock_ends_and_a_clock_set_back_does_not_make_it_longer() {
        let locked = Totp { failures: FREE, ..Totp::default() }.counted(at(0));
        assert_eq!(locked.wait(at(29)), 1);
        assert_eq!(locked.wait(at(30)), 0);
        assert_eq!(locked.wait(at(-1_000_000)), 3600);
        let unreadable = Totp { locked_until: Some("tomorrow".to_owned()), ..Totp::default() };
        assert_eq!(unreadable.wait(at(0)), 3600);
    }
}
