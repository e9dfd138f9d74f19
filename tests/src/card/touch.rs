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

#[derive(Debug, Default)]
pub(super) struct Finger {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    habit: Touch,
    waiting: bool,
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
        state.pressed = state.waiting;
        self.changed.notify_all();
        state.pressed
    }

    pub(super) fn pull_out(&self) {
        self.state().pulled_out = true;
        self.changed.notify_all();
    }

    pub(super) fn put_in(&self) {
        self.state().pulled_out = false;
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
            .wait_timeout_while(state, patience, |state| !state.waiting)
            .unwrap_or_else(PoisonError::into_inner);
        state.waiting
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

    /// The card's side: asks for a touch and waits for it.
    pub(super) fn ask(&self, timeout: Duration) -> Ended {
        let begun = Instant::now();
        let mut state = self.state();
        state.waiting = true;
        state.pressed = false;
        state.asked += 1;
        self.changed.notify_all();
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
            let Some(left) = timeout.checked_sub(elapsed).filter(|left| !left.is_zero()) else {
                break Ended::TimedOut;
            };
            let until_touch = by_itself.and_then(|delay| delay.checked_sub(elapsed)).unwrap_or(left);
            state = self
                .changed
                .wait_timeout(state, left.min(until_touch))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        };
        state.waiting = false;
        state.pressed = false;
        self.changed.notify_all();
        ended
    }
}
