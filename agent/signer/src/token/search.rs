//! The search for one of several tokens that would do, and the wait for it.

use super::holder::{Keep, Locked};
use super::{Asks, Candidate, Error};
use crate::conversation::Conversation;
use signet_protocol::child::{TokenName, WaitingFor};
use signet_protocol::refusal::{Code, Refusal};
use std::time::{Duration, Instant};

/// How long one kind may wait before the others are looked at again.
pub(super) const SLICE: Duration = Duration::from_millis(250);

/// The first candidate that is there, and what it asks for. With a deadline, waits for one.
///
/// # Errors
/// `token_absent` when none is there; what hindered the search, where something did.
pub fn find<'a>(
    candidates: &'a mut [Candidate],
    until: Option<Instant>,
    talk: &Conversation,
) -> Result<(&'a mut Candidate, Asks), Refusal> {
    let mut search = Search::new(until);
    loop {
        let mut hindrance = None;
        for (at, candidate) in candidates.iter_mut().enumerate() {
            match candidate.token.look(talk) {
                Ok(asks) => {
                    let found = candidates.get_mut(at).ok_or_else(nothing_to_open)?;
                    return Ok((found, asks));
                }
                Err(Error::NotMine(why)) => hindrance = hindrance.or(why),
                Err(Error::Stop(refusal)) => return Err(*refusal),
            }
        }
        let names: Vec<TokenName> = candidates.iter().map(|candidate| candidate.name.clone()).collect();
        let until = search.lasts(hindrance, names, talk)?;
        for candidate in candidates.iter_mut() {
            let left = until.saturating_duration_since(Instant::now());
            candidate.token.wait(left.min(SLICE)).map_err(|error| error.into_refusal(&candidate.name))?;
        }
    }
}

/// The same for the one place that is to be written.
///
/// # Errors
/// As [`find`].
pub fn find_keep(
    keep: &mut dyn Keep,
    name: &TokenName,
    code: Option<&str>,
    until: Option<Instant>,
    talk: &Conversation,
) -> Result<Locked, Refusal> {
    let mut search = Search::new(until);
    loop {
        let hindrance = match keep.look(code, talk) {
            Ok(locked) => return Ok(locked),
            Err(Error::NotMine(why)) => why,
            Err(Error::Stop(refusal)) => return Err(*refusal),
        };
        let until = search.lasts(hindrance, vec![name.clone()], talk)?;
        let left = until.saturating_duration_since(Instant::now());
        keep.wait(left.min(SLICE)).map_err(|error| error.into_refusal(name))?;
    }
}

/// How long a search goes on.
pub struct Search {
    until: Option<Instant>,
    /// Whether the person has been told that a token is waited for.
    told: bool,
}

impl Search {
    /// One that goes on until then, or not at all.
    #[must_use]
    pub fn new(until: Option<Instant>) -> Self {
        Self { until, told: false }
    }

    /// The end of the search, where waiting helps; tells once for what.
    ///
    /// # Errors
    /// What hindered it, or `token_absent`, where it is over.
    pub fn lasts(
        &mut self,
        hindrance: Option<Box<Refusal>>,
        names: Vec<TokenName>,
        talk: &Conversation,
    ) -> Result<Instant, Refusal> {
        let refusal = hindrance.map_or_else(|| absent(&names), |why| *why);
        // Waiting brings a token, but neither a service nor another program's consent.
        let waits = refusal.code == Code::TokenAbsent;
        let Some(until) = self.until.filter(|until| waits && Instant::now() < *until) else {
            return Err(refusal);
        };
        if !std::mem::replace(&mut self.told, true) {
            talk.waiting(WaitingFor::Token, names)?;
        }
        Ok(until)
    }
}

/// `token_absent`, naming every token that would do.
pub(super) fn absent(tokens: &[TokenName]) -> Refusal {
    let names: Vec<String> = tokens.iter().map(described).collect();
    let message = format!("no token of this key is plugged in: insert {}", names.join(" or "));
    Refusal::new(Code::TokenAbsent, message, "signet token list")
}

/// `12345678 (safe)`.
fn described(token: &TokenName) -> String {
    if token.label.is_empty() { token.serial.clone() } else { format!("{} ({})", token.serial, token.label) }
}

fn nothing_to_open() -> Refusal {
    Refusal::bare(Code::Internal, "the record names no token")
}
