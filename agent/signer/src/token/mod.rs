//! The joint behind which all kinds of token stand, the table of kinds, and the search for a token.
//!
//! A kind is one file here and one row in `TABLE` (and one row in `signet_protocol::kinds`, where
//! its guarantees are). Nothing outside its file asks which kind a token is of.
//!
//! The product of a token is SigV4's date key ([`Opened::date_key`]). A kind that computes it itself
//! implements [`Token`]; a kind that can only do ECDH on a stanza's point implements
//! `envelope::Unwrap` and joins through `envelope::Envelope`.

mod envelope;
mod piv;
#[cfg(feature = "software")]
mod software;

use crate::conversation::Conversation;
use crate::job::public_key;
use crate::payload::Payload;
use envelope::Envelope;
use signet_envelope::{PublicKey, Record};
use signet_protocol::PromptKind;
use signet_protocol::child::{Order, Places, TokenName, WaitingFor};
use signet_protocol::record::Recipient;
use signet_protocol::refusal::{Code, Refusal};
use signet_sigv4::DateKey;
use std::time::{Duration, Instant};

/// One recipient's token, there or not.
///
/// The calls come in this order: [`look`](Token::look) until it finds something, with
/// [`wait`](Token::wait) between, then [`open`](Token::open) at most once. An implementation keeps
/// no answer, and leaves the hardware as it found it after each call.
pub trait Token {
    /// Looks whether the token is there and what must be asked of the person. Spends no try, needs
    /// no touch, changes nothing. Says `waiting` before a call that may block.
    ///
    /// # Errors
    /// [`Error::NotMine`] when it is not there, or holds another key than the recipient's.
    fn look(&mut self, talk: &Conversation) -> Result<Asks, Error>;

    /// Returns when a token may have come or gone since the last look, at the latest after `limit`.
    ///
    /// # Errors
    /// When nothing can come any more.
    fn wait(&mut self, limit: Duration) -> Result<(), Error>;

    /// Uses the token once with the PIN or passphrase in `secret`, and proves the record whole.
    /// Identity is checked before `secret` goes anywhere; `touch` is said when, and only when, the
    /// hardware waits for one.
    ///
    /// # Errors
    /// [`Error::NotMine`] before anything was spent; [`Error::Stop`] for everything else.
    fn open(&mut self, task: &Task<'_>, secret: &[u8], talk: &Conversation) -> Result<Opened, Error>;
}

/// What a token must be asked for by the person.
pub struct Asks {
    /// `pin` or `passphrase`.
    pub secret: PromptKind,
    /// Tries left, where the token tells.
    pub tries_left: Option<u8>,
    /// The question that stands for the touch, of a kind that has none.
    pub consent: Option<&'static str>,
}

/// What a token is used for.
pub struct Task<'a> {
    /// The record.
    pub record: &'a Record,
    /// `x-amz-date` of the request whose date key is wanted; `None` for an act that signs nothing.
    pub amz_date: Option<&'a str>,
}

/// What a use of a token gave, for the milliseconds that are left.
pub struct Opened {
    /// The date key of the task's date.
    pub date_key: Option<DateKey>,
    /// What the record held.
    pub payload: Payload,
}

/// Why a token did not do it.
pub enum Error {
    /// Not there, or not the one: try the next. The refusal is what to say if there is no next.
    NotMine(Option<Box<Refusal>>),
    /// Stop, whatever other tokens there are.
    Stop(Box<Refusal>),
}

impl Error {
    /// What the person is told when no other token is tried.
    #[must_use]
    pub fn into_refusal(self, token: &TokenName) -> Refusal {
        match self {
            Self::Stop(refusal) | Self::NotMine(Some(refusal)) => *refusal,
            Self::NotMine(None) => absent(std::slice::from_ref(token)),
        }
    }

    /// [`Error::NotMine`], with what to say if there is no other.
    fn not_mine(refusal: Refusal) -> Self {
        Self::NotMine(Some(Box::new(refusal)))
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Stop(Box::new(refusal))
    }
}

/// A kind of token.
struct Kind {
    name: &'static str,
    make: fn(&Places, &Recipient, PublicKey) -> Box<dyn Token>,
}

/// Every kind there is.
const TABLE: &[Kind] = &[
    Kind { name: "yubikey-piv", make: |_, to, key| Envelope::of(key, piv::Piv::new(to, key)) },
    #[cfg(feature = "software")]
    Kind { name: "software", make: |at, to, key| Envelope::of(key, software::Software::new(at, to, key)) },
];

/// A token that may be there.
pub struct Candidate {
    /// Its name for people.
    pub name: TokenName,
    /// The token.
    pub token: Box<dyn Token>,
}

/// The tokens of a record's recipients, in their order; those of a kind that is not in force, and
/// those that the order does not name, are not offered.
///
/// # Errors
/// `unsupported` when none is offered, or one is of a kind that this program was built without.
pub fn candidates(recipients: &[Recipient], order: &Order) -> Result<Vec<Candidate>, Refusal> {
    let Order { kinds, tokens, places, .. } = order;
    let is_offered = |to: &&Recipient| kinds.contains(&to.kind) && tokens.contains(&to.serial);
    let offered: Vec<&Recipient> = recipients.iter().filter(is_offered).collect();
    if offered.is_empty() {
        let message = format!("no token of this key is of a kind in force ({})", kinds.join(", "));
        return Err(Refusal::new(Code::Unsupported, message, "signet status"));
    }
    let candidate = |recipient: &Recipient| {
        let kind = TABLE.iter().find(|kind| kind.name == recipient.kind).ok_or_else(|| {
            let message = format!("tokens of kind {} are not known here", recipient.kind);
            Refusal::new(Code::Unsupported, message, "signet status")
        })?;
        let token = (kind.make)(places, recipient, public_key(recipient)?);
        Ok(Candidate { name: name_of(recipient), token })
    };
    offered.into_iter().map(candidate).collect()
}

/// How long one kind may wait before the others are looked at again.
const SLICE: Duration = Duration::from_millis(250);

/// The first candidate that is there, and what it asks for. With a deadline, waits for one.
///
/// # Errors
/// `token_absent` when none is there; what hindered the search, where something did.
pub fn find<'a>(
    candidates: &'a mut [Candidate],
    until: Option<Instant>,
    talk: &Conversation,
) -> Result<(&'a mut Candidate, Asks), Refusal> {
    let mut told = false;
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
        let refusal = hindrance.map_or_else(|| absent(&names), |why| *why);
        // Waiting brings a token, but neither a service nor another program's consent.
        let waits = refusal.code == Code::TokenAbsent;
        let Some(until) = until.filter(|until| waits && Instant::now() < *until) else {
            return Err(refusal);
        };
        if !std::mem::replace(&mut told, true) {
            talk.waiting(WaitingFor::Token, names)?;
        }
        wait(candidates, until)?;
    }
}

/// Waits until something may have changed for any candidate.
fn wait(candidates: &mut [Candidate], until: Instant) -> Result<(), Refusal> {
    for candidate in candidates {
        let left = until.saturating_duration_since(Instant::now());
        candidate.token.wait(left.min(SLICE)).map_err(|error| error.into_refusal(&candidate.name))?;
    }
    Ok(())
}

/// A recipient as people know it.
fn name_of(recipient: &Recipient) -> TokenName {
    TokenName { serial: recipient.serial.clone(), label: recipient.label.clone() }
}

/// `token_absent`, naming every token that would do.
fn absent(tokens: &[TokenName]) -> Refusal {
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

#[cfg(test)]
mod tests {
    use super::TABLE;
    use signet_protocol::kinds::KINDS;

    #[test]
    fn the_table_has_the_kinds_of_the_protocol_in_their_order() {
        let ours: Vec<_> = TABLE.iter().map(|kind| kind.name).collect();
        let all: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(ours, all);
    }
}
