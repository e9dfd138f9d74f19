//! The finger on the card's contact, moved by the test.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What the finger does by itself when the card asks for a touch. [`super::Card::press`] touches at
/// any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Touch {
    /// It touches at once.
    #[default]
    Now,
    /// It touches after a while.
    After(Duration),
    /// It does nothing: only `press` touches.
    Never,
}

/// How a wait for the touch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// With a touch.
    Touched,
    /// Without one.
    TimedOut,
    /// The card was pulled out meanwhile.
    PulledOut,
}

/// How the card waits for a touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// The answer comes after the touch.
    Blocks,
    /// Unless the finger is there already, the answer says that the wait goes on …
    Polled,
    /// … and so it does, for a moment, each time the host asks again.
    PolledAgain,
}

/// A moment.
const MOMENT: Duration = Duration::from_millis(50);

#[derive(Debug, Default)]
pub(super) struct Finger {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    habit: Touch,
    /// Since when the card waits for a touch, if it does.
    since: Option<Instant>,
    asked: usize,
    pressed: bool,
    pulled_out: bool,
}

impl Finger {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, habit: Touch) {
        self.state().habit = habit;
        self.changed.notify_all();
    }

    /// Touches if the card waits; says whether it did.
    pub(super) fn press(&self) -> bool {
        let mut state = self.state();
        state.pressed = state.since.is_some();
        self.changed.notify_all();
        state.pressed
    }

    pub(super) fn pull_out(&self) {
        self.state().pulled_out = true;
        self.changed.notify_all();
    }

    pub(super) fn put_in(&self) {
        let mut state = self.state();
        state.pulled_out = false;
        state.since = None;
    }

    /// How many times the card has asked.
    pub(super) fn asked(&self) -> usize {
        self.state().asked
    }

    /// Waits until the card waits for a touch; false when it does not within the patience.
    pub(super) fn wait_until_asked(&self, patience: Duration) -> bool {
        let state = self.state();
        let (state, _) = self
            .changed
            .wait_timeout_while(state, patience, |state| state.since.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        state.since.is_some()
    }

    /// The card's side: is busy for a while; false when it was pulled out meanwhile.
    pub(super) fn stays(&self, time: Duration) -> bool {
        let state = self.state();
        let (state, _) = self
            .changed
            .wait_timeout_while(state, time, |state| !state.pulled_out)
            .unwrap_or_else(PoisonError::into_inner);
        !state.pulled_out
    }

    /// The card's side: waits no longer.
    pub(super) fn withdraw(&self) {
        let mut state = self.state();
        state.since = None;
        state.pressed = false;
        self.changed.notify_all();
    }

    /// The card's side: asks for a touch and waits for it; `None` when the host shall ask again.
    pub(super) fn ask(&self, manner: Manner, timeout: Duration) -> Option<Ended> {
        let entered = Instant::now();
        let mut state = self.state();
        let begun = match (manner, state.since) {
            (Manner::PolledAgain, Some(begun)) => begun,
            (Manner::Blocks | Manner::Polled | Manner::PolledAgain, _) => {
                state.since = Some(entered);
                state.pressed = false;
                state.asked += 1;
                self.changed.notify_all();
                entered
            }
        };
        let ended = loop {
            let elapsed = begun.elapsed();
            let by_itself = match state.habit {
                Touch::Now => Some(Duration::ZERO),
                Touch::After(delay) => Some(delay),
                Touch::Never => None,
            };
            if state.pulled_out {
                break Ended::PulledOut;
            }
            if state.pressed || by_itself.is_some_and(|delay| delay <= elapsed && delay <= timeout) {
                break Ended::Touched;
            }
            let Some(mut left) = timeout.checked_sub(elapsed).filter(|left| !left.is_zero()) else {
                break Ended::TimedOut;
            };
            match manner {
                Manner::Blocks => {}
                Manner::Polled => return None,
                Manner::PolledAgain => {
                    let moment = MOMENT.checked_sub(entered.elapsed()).filter(|left| !left.is_zero())?;
                    left = left.min(moment);
                }
            }
            let until_touch = by_itself.and_then(|delay| delay.checked_sub(elapsed)).unwrap_or(left);
            state = self
                .changed
                .wait_timeout(state, left.min(until_touch))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        };
        state.since = None;
        state.pressed = false;
        self.changed.notify_all();
        Some(ended)
    }
}
