//! Smart cards and NFC readers, through PC/SC.
//!
//! Promises: what is asked of a card from its first message to the end of the use is one transaction,
//! which nobody breaks into. A card that turns out to be no authenticator was asked for the applet, and
//! is otherwise as it was. One that was exchanged for another since it was found is gone.

mod apdu;
mod readers;
mod session;

use super::{After, Asks, Halt, Port, graced, plain, unanswered};
use crate::{Fault, Patience, Wait};
use apdu::{Exchange, Manner};
use readers::{Place, Readers};
use session::Session;

/// A card in a reader.
pub(crate) struct Card {
    place: Place,
    manner: Manner,
    session: Option<Session>,
}

/// Every card there is.
pub(crate) fn cards() -> Result<Vec<Card>, Fault> {
    let places = Readers::now().and_then(|readers| readers.cards())?;
    Ok(places.into_iter().map(|place| Card { place, manner: Manner::AsksOn, session: None }).collect())
}

impl Card {
    /// The name of its reader.
    pub(crate) fn name(&self) -> String {
        plain(&self.place.reader.to_string_lossy())
    }

    /// Whether it has the applet.
    pub(crate) fn is_authenticator(&mut self, patience: &mut Patience<'_>) -> Result<bool, Fault> {
        let found = self.begin(patience).map_err(|halt| self.halted(halt, Wait::Processing));
        if !matches!(found, Ok(true)) {
            self.end(After::Leave);
        }
        found
    }

    fn begin(&mut self, patience: &mut Patience<'_>) -> Result<bool, Halt> {
        let session = self.session.insert(Session::begin(&self.place, patience)?);
        Exchange { channel: session, asks: Asks::Device, wait: Wait::Processing, patience }.select()
    }

    fn ask(
        &mut self,
        message: &[u8],
        asks: Asks,
        wait: &mut Wait,
        patience: &mut Patience<'_>,
    ) -> Result<Vec<u8>, Halt> {
        if self.session.is_none() && !self.begin(patience)? {
            // Whatever it is now, it is not ours.
            self.end(After::Leave);
            return Err(Fault::Removed.into());
        }
        let session = self.session.as_mut().ok_or(Fault::Removed)?;
        let mut exchange = Exchange { channel: session, asks, wait: *wait, patience };
        let answer = exchange.message(message, &mut self.manner);
        *wait = exchange.wait;
        answer
    }

    /// Puts the card to rest after an exchange that did not end well.
    fn halted(&mut self, halt: Halt, wait: Wait) -> Fault {
        match halt {
            Halt::Over(over) => {
                self.cancel();
                unanswered(over, wait)
            }
            Halt::Fault(fault @ (Fault::Removed | Fault::Disturbed | Fault::Service(_))) => {
                self.end(After::Reset);
                fault
            }
            Halt::Fault(fault) => fault,
        }
    }

    fn cancel(&mut self) {
        let Some(session) = self.session.as_mut() else { return };
        if !session.is_at_work() {
            let (asks, wait) = (Asks::Device, Wait::Processing);
            let heard = graced(|patience| Exchange { channel: session, asks, wait, patience }.cancel());
            if heard.is_ok() {
                return;
            }
        }
        // It is reset as soon as it comes to an end.
        self.end(After::Reset);
    }
}

impl Port for Card {
    fn exchange(
        &mut self,
        message: &[u8],
        asks: Asks,
        patience: &mut Patience<'_>,
    ) -> Result<Vec<u8>, Fault> {
        let mut wait = Wait::Processing;
        self.ask(message, asks, &mut wait, patience).map_err(|halt| self.halted(halt, wait))
    }

    fn end(&mut self, after: After) {
        if let Some(session) = self.session.take() {
            session.end(after);
        }
    }
}
