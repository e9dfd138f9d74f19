//! What a daemon says, followed by a thread of its own.

use std::io::{BufRead, BufReader};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

#[derive(Debug, Default)]
pub(super) struct Log {
    state: Mutex<LogState>,
    grown: Condvar,
}

#[derive(Debug, Default)]
struct LogState {
    text: String,
    ended: bool,
}

impl Log {
    pub(super) fn follow(self: &Arc<Self>, source: impl std::io::Read + Send + 'static) {
        let log = Arc::clone(self);
        thread::spawn(move || {
            for line in BufReader::new(source).lines().map_while(Result::ok) {
                let mut state = log.state.lock().unwrap_or_else(PoisonError::into_inner);
                state.text.push_str(&line);
                state.text.push('\n');
                log.grown.notify_all();
            }
            log.state.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
            log.grown.notify_all();
        });
    }

    /// Waits for the first of some texts; `None` when the daemon ended or said none of them in time.
    pub(super) fn wait_for(&self, wanted: &[&'static str], patience: Duration) -> Option<&'static str> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = |state: &LogState| wanted.iter().copied().find(|text| state.text.contains(text));
        let (state, _) = self
            .grown
            .wait_timeout_while(state, patience, |state| !state.ended && seen(state).is_none())
            .unwrap_or_else(PoisonError::into_inner);
        seen(&state)
    }

    pub(super) fn text(&self) -> String {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).text.clone()
    }
}
