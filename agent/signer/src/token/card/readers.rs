//! The readers of the PC/SC service.
//!
//! Promises: a context of the service lasts for one look (after a restart of pcscd an old one is dead
//! for ever); cards are shared, never taken, and cards that are not ours are left as they were found.

use pcsc::{Card, Context, Disposition, Protocols, ReaderState, Scope, ShareMode, State};
use std::ffi::CString;
use std::time::Duration;

/// How long a removal may take to be seen after a card stopped answering: pcscd polls every 400 ms.
const REMOVAL: Duration = Duration::from_millis(1500);

/// What the readers looked like: name, count of insertions and removals, card present.
pub(in crate::token) type Snapshot = Vec<(CString, u32, bool)>;

/// The readers, as of one look.
pub(in crate::token) struct Readers {
    context: Context,
    states: Vec<ReaderState>,
}

impl Readers {
    /// Asks the service for its readers.
    pub(in crate::token) fn now() -> Result<Self, pcsc::Error> {
        let context = Context::establish(Scope::User)?;
        let names = match context.list_readers_owned() {
            Ok(names) => names,
            Err(pcsc::Error::NoReadersAvailable) => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut states: Vec<ReaderState> =
            names.into_iter().map(|name| ReaderState::new(name, State::UNAWARE)).collect();
        if !states.is_empty() {
            context.get_status_change(Duration::ZERO, &mut states)?;
            states.iter_mut().for_each(ReaderState::sync_current_state);
        }
        Ok(Self { context, states })
    }

    /// What they look like.
    pub(in crate::token) fn snapshot(&self) -> Snapshot {
        let of = |state: &ReaderState| {
            (state.name().to_owned(), state.event_count(), state.event_state().contains(State::PRESENT))
        };
        self.states.iter().map(of).collect()
    }

    /// Readers with a card; those that nobody uses first, so that a touch that somebody else's
    /// token waits for keeps nobody from ours.
    pub(in crate::token) fn with_card(&self) -> Vec<CString> {
        let mut present: Vec<&ReaderState> =
            self.states.iter().filter(|state| state.event_state().contains(State::PRESENT)).collect();
        present.sort_by_key(|state| state.event_state().contains(State::INUSE));
        present.into_iter().map(|state| state.name().to_owned()).collect()
    }

    /// Shares the card in a reader, by the protocol that others already speak with it; else by T=1 where
    /// the card has it (the service's own order), and T=0 where not.
    pub(in crate::token) fn connect(&self, reader: &CString) -> Result<Card, pcsc::Error> {
        self.context.connect(reader, ShareMode::Shared, Protocols::ANY)
    }

    /// Returns when a reader or a card comes or goes, at the latest after `limit`.
    pub(in crate::token) fn wait(&mut self, limit: Duration) -> Result<(), pcsc::Error> {
        let mut watched = vec![ReaderState::new(pcsc::PNP_NOTIFICATION(), State::UNAWARE)];
        watched.append(&mut self.states);
        let changed = self.context.get_status_change(limit, &mut watched);
        self.states = watched.split_off(1);
        match changed {
            Ok(()) | Err(pcsc::Error::Timeout) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether the card has left a reader since the look, or does within [`REMOVAL`]. It may be back.
    ///
    /// # Errors
    /// When the service has stopped.
    pub(in crate::token) fn has_lost(&self, reader: &CString) -> Result<bool, pcsc::Error> {
        let seen = self.states.iter().find(|state| state.name() == reader.as_c_str());
        let seen = seen.map(ReaderState::event_count);
        let mut states = [ReaderState::new(reader.clone(), State::PRESENT | State::INUSE)];
        let until = std::time::Instant::now() + REMOVAL;
        loop {
            let left = until.saturating_duration_since(std::time::Instant::now());
            match self.context.get_status_change(left, &mut states) {
                Ok(()) => {}
                Err(pcsc::Error::Timeout) => return Ok(false),
                Err(error @ (pcsc::Error::NoService | pcsc::Error::ServiceStopped)) => return Err(error),
                // The reader went with its card.
                Err(_) => return Ok(true),
            }
            let is_there = |state: &ReaderState| {
                state.event_state().contains(State::PRESENT)
                    && seen.is_none_or(|seen| seen == state.event_count())
            };
            if !states.iter().all(is_there) {
                return Ok(true);
            }
            states.iter_mut().for_each(ReaderState::sync_current_state);
        }
    }
}

/// Lets go of a card without a trace. An error means that it has already gone.
pub(in crate::token) fn leave(card: Card) {
    let _ = card.disconnect(Disposition::LeaveCard);
}
