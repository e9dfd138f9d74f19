//! The readers of the PC/SC service, as of one look.
//!
//! Promises: a context lasts for one look (after a restart of pcscd an old one is dead for ever); cards
//! are shared, never taken.

use pcsc::{Card, Context, Protocols, ReaderState, Scope, ShareMode, State};
use std::ffi::CString;
use std::time::{Duration, Instant};

/// How long a removal may take to be seen after a card stopped answering: pcscd polls every 400 ms.
const REMOVAL: Duration = Duration::from_millis(1500);

/// A card in a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The reader's name.
    pub(super) reader: CString,
    /// How often a card came or went there: another card has another count.
    pub(super) changes: u32,
}

/// The service.
pub(super) struct Readers(Context);

impl Readers {
    /// Finds the service.
    pub(super) fn now() -> Result<Self, pcsc::Error> {
        Context::establish(Scope::User).map(Self)
    }

    /// Every card; those that nobody uses first.
    pub(super) fn cards(&self) -> Result<Vec<Place>, pcsc::Error> {
        let names = match self.0.list_readers_owned() {
            Ok(names) if !names.is_empty() => names,
            Ok(_) | Err(pcsc::Error::NoReadersAvailable) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut states: Vec<ReaderState> =
            names.into_iter().map(|name| ReaderState::new(name, State::UNAWARE)).collect();
        self.0.get_status_change(Duration::ZERO, &mut states)?;
        states.retain(|state| state.event_state().contains(State::PRESENT));
        states.sort_by_key(|state| state.event_state().contains(State::INUSE));
        Ok(states.iter().map(place).collect())
    }

    /// Shares a card, by whatever protocol it has.
    ///
    /// # Errors
    /// [`pcsc::Error::RemovedCard`] when it is another one by now.
    pub(super) fn connect(&self, place: &Place) -> Result<Card, pcsc::Error> {
        if !self.holds(place)? {
            return Err(pcsc::Error::RemovedCard);
        }
        self.0.connect(&place.reader, ShareMode::Shared, Protocols::ANY)
    }

    /// What an error means that a card in use gives: one that is being pulled out gives any.
    pub(super) fn meant(&self, error: pcsc::Error, place: &Place) -> pcsc::Error {
        use pcsc::Error as Service;
        if matches!(error, Service::RemovedCard | Service::ResetCard | Service::NoService) {
            return error;
        }
        let until = Instant::now() + REMOVAL;
        let mut states = [ReaderState::new(place.reader.clone(), State::PRESENT | State::INUSE)];
        loop {
            match self.holds(place) {
                Ok(true) => {}
                Ok(false) => return Service::RemovedCard,
                Err(stopped) => return stopped,
            }
            let left = until.saturating_duration_since(Instant::now());
            match self.0.get_status_change(left, &mut states) {
                Ok(()) => states.iter_mut().for_each(ReaderState::sync_current_state),
                Err(Service::Timeout) => return error,
                Err(stopped) => return stopped,
            }
        }
    }

    fn holds(&self, place: &Place) -> Result<bool, pcsc::Error> {
        Ok(self.cards()?.contains(place))
    }
}

fn place(state: &ReaderState) -> Place {
    Place { reader: state.name().to_owned(), changes: state.event_count() }
}
