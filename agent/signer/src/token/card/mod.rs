//! What every kind of token shares that is a smart card behind PC/SC: finding it among the readers,
//! and one transaction with it.
//!
//! Promises: a card is shared, never taken; one that turns out not to be ours is left as it was found.
//! What is done with a card is one SCard transaction. From the moment that it says it has spent
//! something (a PIN, an access code, a touch) the transaction ends with a reset of the card and is
//! never repeated; before that, one that another program breaks up by a reset is begun anew.
//!
//! Must not know what is asked of a card: its caller does, in the closure that it hands over.

pub(super) mod apdu;
mod readers;
pub(super) mod refusals;
pub(super) mod tlv;
pub(super) mod yubikey;

use super::Error;
use crate::conversation::Conversation;
use apdu::Fault;
use pcsc::{Disposition, Transaction};
use readers::{Readers, Snapshot, leave};
use signet_protocol::child::{TokenName, WaitingFor};
use signet_protocol::refusal::{Code, Refusal};
use std::ffi::CString;
use std::time::Duration;

/// Seconds that a YubiKey waits for a touch: a guess, from its documentation; other cards wait longer.
pub(super) const TOUCH_SECONDS: u32 = 15;

/// What a handle says after somebody else has reset the card, as each use of Signet does at its end.
const RESET: Fault = Fault::Service(pcsc::Error::ResetCard);
/// How often such a handle is made anew.
const ATTEMPTS: usize = 3;

/// Why the card did not do it.
pub(super) enum Failed {
    /// It could not be spoken to.
    Fault(Fault),
    /// It was, and this came of it.
    Said(Error),
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<pcsc::Error> for Failed {
    fn from(error: pcsc::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::Said(refusal.into())
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Said(error)
    }
}

/// What a transaction has spent so far.
#[derive(Default)]
pub(super) struct Spent(bool);

impl Spent {
    /// From here on the card must be reset, and is not asked again.
    pub(super) fn begins(&mut self) {
        self.0 = true;
    }
}

/// What a person is asked to plug in, and where its card was found.
pub(super) struct Finder {
    name: TokenName,
    readers: Option<Readers>,
    /// The reader in which the card was found.
    found: Option<CString>,
    /// What the readers looked like when the card was not found, and what hindered the search.
    vain: Option<(Snapshot, Option<Box<Refusal>>)>,
}

impl Finder {
    /// Of the token that people know by this name.
    pub(super) fn new(name: TokenName) -> Self {
        Self { name, readers: None, found: None, vain: None }
    }

    /// Looks into the readers until `ask` knows the card in one for ours. `ask` says
    /// [`Error::NotMine`] of every other.
    ///
    /// # Errors
    /// [`Error::NotMine`] when it is in none, also while nothing came or went since that was found.
    pub(super) fn look<T>(
        &mut self,
        talk: &Conversation,
        ask: impl FnMut(&Transaction<'_>, &mut Spent) -> Result<T, Failed>,
    ) -> Result<T, Error> {
        let readers = self.now()?;
        let snapshot = readers.snapshot();
        if let Some((seen, why)) = &self.vain {
            // Nothing came or went: the other cards are left in peace.
            if *seen == snapshot {
                let why = why.clone();
                self.readers = Some(readers);
                return Err(Error::NotMine(why));
            }
        }
        let done = self.first(&readers, readers.with_card(), talk, ask);
        self.readers = Some(readers);
        match done {
            Ok((reader, asks)) => {
                self.found = Some(reader);
                self.vain = None;
                Ok(asks)
            }
            Err(Error::NotMine(why)) => {
                self.vain = Some((snapshot, why.clone()));
                Err(Error::NotMine(why))
            }
            Err(stop) => Err(stop),
        }
    }

    /// As [`super::Token::wait`].
    pub(super) fn wait(&mut self, limit: Duration) -> Result<(), Error> {
        let Some(readers) = &mut self.readers else { return Err(Error::NotMine(None)) };
        readers.wait(limit).map_err(|error| refusals::of_fault(error.into(), &self.name).into())
    }

    /// Uses the card where it was found, or, if it was never looked for, wherever `act` knows it.
    ///
    /// # Errors
    /// [`Error::NotMine`] before, [`Error::Stop`] after anything was spent.
    pub(super) fn use_card<T>(
        &mut self,
        talk: &Conversation,
        act: impl FnMut(&Transaction<'_>, &mut Spent) -> Result<T, Failed>,
    ) -> Result<T, Error> {
        // Anew: the service may have been restarted while the person typed.
        let readers = self.now()?;
        let places = self.found.as_ref().map_or_else(|| readers.with_card(), |found| vec![found.clone()]);
        let done = self.first(&readers, places, talk, act);
        self.readers = Some(readers);
        done.map(|(_, done)| done)
    }

    fn now(&self) -> Result<Readers, Error> {
        Readers::now().map_err(|error| Error::not_mine(refusals::of_fault(error.into(), &self.name)))
    }

    /// The first of `places` whose card `act` takes for ours, and what came of it.
    fn first<T>(
        &self,
        readers: &Readers,
        places: Vec<CString>,
        talk: &Conversation,
        mut act: impl FnMut(&Transaction<'_>, &mut Spent) -> Result<T, Failed>,
    ) -> Result<(CString, T), Error> {
        if !places.is_empty() {
            talk.waiting(WaitingFor::Card, vec![self.name.clone()])?;
        }
        let mut hindrance = None;
        for reader in places {
            let mut spent = Spent::default();
            match undisturbed(&mut spent, |spent| transact(readers, &reader, spent, &mut act)) {
                Ok(done) => return Ok((reader, done)),
                Err(Failed::Said(Error::NotMine(why))) => hindrance = hindrance.or(why),
                Err(Failed::Said(stop)) => return Err(stop),
                Err(Failed::Fault(fault)) if spent.0 => {
                    return Err(self.broken(readers, &reader, fault).into());
                }
                // Another token may do, and this one may be in another reader.
                Err(Failed::Fault(fault)) => {
                    hindrance = hindrance.or_else(|| Some(Box::new(self.broken(readers, &reader, fault))))
                }
            }
        }
        Err(Error::NotMine(hindrance))
    }

    /// What a fault in the middle of a use means: a card that is being pulled out gives any error.
    fn broken(&self, readers: &Readers, reader: &CString, fault: Fault) -> Refusal {
        let said = refusals::of_fault(fault, &self.name);
        let clear = matches!(said.code, Code::TokenAbsent | Code::NoReader)
            || fault == RESET
            || fault == Fault::Service(pcsc::Error::SharingViolation);
        if clear {
            return said;
        }
        match readers.has_lost(reader) {
            Ok(false) => said,
            Ok(true) => refusals::of_fault(Fault::Service(pcsc::Error::RemovedCard), &self.name),
            Err(stopped) => refusals::of_fault(stopped.into(), &self.name),
        }
    }
}

/// One transaction with the card in `reader`, ended as what it spent demands.
fn transact<T>(
    readers: &Readers,
    reader: &CString,
    spent: &mut Spent,
    act: &mut impl FnMut(&Transaction<'_>, &mut Spent) -> Result<T, Failed>,
) -> Result<T, Failed> {
    let mut card = readers.connect(reader)?;
    let done = match card.transaction() {
        Ok(transaction) => {
            let done = act(&transaction, spent);
            let after = if spent.0 { Disposition::ResetCard } else { Disposition::LeaveCard };
            // An error means that the card is gone, and its state with it.
            let _ = transaction.end(after);
            done
        }
        Err(error) => Err(error.into()),
    };
    leave(card);
    done
}

/// Tries again while the card is reset by somebody else before anything is spent.
fn undisturbed<T>(
    spent: &mut Spent,
    mut attempt: impl FnMut(&mut Spent) -> Result<T, Failed>,
) -> Result<T, Failed> {
    for _ in 1..ATTEMPTS {
        match attempt(spent) {
            Err(Failed::Fault(RESET)) if !spent.0 => {}
            done => return done,
        }
    }
    attempt(spent)
}
