//! The joint behind which all kinds of token stand, and the tables of kinds.
//!
//! A kind is one file (or folder) here and one row in `TABLE` or `HOLDERS` (and one row in
//! `signet_protocol::kinds`, where its guarantees are). Nothing outside its file asks which kind a
//! token is of.
//!
//! The product of a token is what the key answers to a challenge ([`Token::compute`]): to a date, that
//! is SigV4's date key. A kind that can only do ECDH on a stanza's point implements `envelope::Unwrap`
//! and joins through `envelope::Envelope`; a kind that holds the key itself implements
//! `holder::Derive` and joins through `holder::InToken`, with a token of the other sort as opener
//! where the record must be opened first.
//!
//! Of secrets: what a token computes stands in one box that is wiped; PIN, access code and payload are
//! borrowed from their owners, who wipe them; nothing here keeps any of them.

mod card;
mod ecdh;
mod envelope;
mod fido2;
pub mod holder;
mod oath;
mod piv;
mod search;
#[cfg(feature = "software")]
mod software;

use crate::conversation::Conversation;
use crate::job::{has_totp, public_key};
use crate::payload::Payload;
use envelope::Envelope;
use holder::{Derive, InToken, Keep};
use search::{SLICE, absent};
pub use search::{Search, find, find_keep};
use secrecy::SecretBox;
use signet_envelope::{PublicKey, Record};
use signet_protocol::PromptKind;
use signet_protocol::child::{Order, Places, TokenName};
use signet_protocol::record::{Holder, Metadata, Recipient};
use signet_protocol::refusal::{Code, Refusal};
use std::time::Duration;

/// 32 bytes that a token has computed, by ECDH or by HMAC: boxed, wiped on drop, not shown.
pub type Computed = SecretBox<[u8; 32]>;

/// What a key is asked for: a date (`YYYYMMDD`), or the one challenge that is none.
pub type Challenge = [u8; 8];

/// One token, there or not.
///
/// The calls come in this order: [`look`](Token::look) until it finds something, with
/// [`wait`](Token::wait) between; then [`open`](Token::open) at most once, and only if the look asked
/// for a secret; then [`compute`](Token::compute) at most once. An implementation keeps no answer, and
/// leaves the hardware as it found it after each call.
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

    /// Opens a record with the PIN or passphrase in `secret`, and proves it whole.
    /// Identity is checked before `secret` goes anywhere; `touch` is said when, and only when, the
    /// hardware waits for one.
    ///
    /// # Errors
    /// [`Error::NotMine`] before anything was spent; [`Error::Stop`] for everything else.
    fn open(&mut self, record: &Record, secret: &[u8], talk: &Conversation) -> Result<Payload, Error>;

    /// What the key answers to `challenge`: HMAC-SHA256 under `AWS4` and the secret. `payload` is
    /// what [`open`](Token::open) gave, where the look asked for it.
    ///
    /// # Errors
    /// As [`Token::open`].
    fn compute(
        &mut self,
        challenge: &Challenge,
        payload: Option<&Payload>,
        talk: &Conversation,
    ) -> Result<Computed, Error>;

    /// How many touches a use takes, whatever of it is opened and computed.
    fn touches(&self) -> u32;
}

/// What a token must be asked for by the person.
pub struct Asks {
    /// `pin` or `passphrase`; `None` where the record need not be opened.
    pub secret: Option<PromptKind>,
    /// Tries left, where the token tells.
    pub tries_left: Option<u8>,
    /// The question that stands for the touch, of a kind that has none.
    pub consent: Option<&'static str>,
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

/// A kind of token that opens records.
struct Kind {
    name: &'static str,
    make: fn(&Places, &Recipient, PublicKey) -> Box<dyn Token>,
}

/// Every kind there is.
const TABLE: &[Kind] = &[
    Kind { name: "yubikey-piv", make: |_, to, key| Envelope::of(key, piv::Piv::new(to, key)) },
    Kind { name: "fido2", make: |_, to, key| Envelope::of(key, fido2::Fido2::new(to, key)) },
    #[cfg(feature = "software")]
    Kind { name: "software", make: |at, to, key| Envelope::of(key, software::Software::new(at, to, key)) },
];

/// Of a token, what the record says of it, and what to type when it is not so any more.
type MakeDerive = fn(TokenName, &Holder, Hints) -> Result<Box<dyn Derive>, Refusal>;

/// What to type when a token that holds a key is not any more what its record says.
struct Hints {
    /// It does not hold the key.
    repair: String,
    /// It does, and asks for less than it should.
    written_anew: String,
}

/// A kind of token that holds keys.
struct HolderKind {
    name: &'static str,
    /// The kind of recipient that is the same piece of hardware.
    lives_in: &'static str,
    /// The longest HMAC key it takes.
    longest_key: usize,
    /// For use.
    derive: MakeDerive,
    /// To be written.
    keep: fn(TokenName) -> Box<dyn Keep>,
}

/// Every kind there is.
const HOLDERS: &[HolderKind] = &[HolderKind {
    name: "yubikey-oath",
    lives_in: "yubikey-piv",
    longest_key: oath::LONGEST_KEY,
    derive: |token, holder, hints| Ok(Box::new(oath::Oath::new(token, holder, hints)?)),
    keep: |token| Box::new(oath::Writer::new(token)),
}];

/// A token that may be there.
pub struct Candidate {
    /// Its name for people.
    pub name: TokenName,
    /// The token.
    pub token: Box<dyn Token>,
}

/// The tokens of a record's recipients, in their order, to open it with; those of a kind that is not
/// in force, and those that the order does not name, are not offered.
///
/// # Errors
/// `unsupported` when none is offered, or one is of a kind that this program was built without.
pub fn openers(metadata: &Metadata, order: &Order) -> Result<Vec<Candidate>, Refusal> {
    let offered: Vec<&Recipient> = metadata.recipients.iter().filter(|to| is_offered(to, order)).collect();
    if offered.is_empty() {
        return Err(none_offered(order));
    }
    let candidate = |to: &&Recipient| Ok(Candidate { name: name_of(to), token: opener(to, order)? });
    offered.iter().map(candidate).collect()
}

/// The tokens that hold a key themselves, in their order; offered as [`openers`] are.
///
/// # Errors
/// As [`openers`].
pub fn holders(metadata: &Metadata, order: &Order) -> Result<Vec<Candidate>, Refusal> {
    let recipient = |holder: &Holder| metadata.recipients.iter().find(|to| to.serial == holder.serial);
    let offered: Vec<(&Holder, &Recipient)> = metadata
        .holders
        .iter()
        .filter_map(|holder| Some((holder, recipient(holder).filter(|to| is_offered(to, order))?)))
        .collect();
    if offered.is_empty() {
        return Err(none_offered(order));
    }
    let candidate = |(holder, to): &(&Holder, &Recipient)| {
        let kind =
            HOLDERS.iter().find(|kind| kind.name == holder.kind).ok_or_else(|| unknown(&holder.kind))?;
        let opens = holder.access_code || has_totp(metadata);
        let opener = if opens { Some(opener(to, order)?) } else { None };
        let hints = Hints { repair: repair(metadata, holder), written_anew: written_anew(metadata, holder) };
        let derive = (kind.derive)(name_of(to), holder, hints)?;
        Ok(Candidate { name: name_of(to), token: InToken::of(holder, opener, derive) })
    };
    offered.iter().map(candidate).collect()
}

/// What to type when a token does not hold the key any more: another one still does, or the key is to be
/// written anew, from the person's own copy of it.
#[must_use]
pub fn repair(metadata: &Metadata, holder: &Holder) -> String {
    if metadata.holders.len() > 1 {
        return format!("signet reseal {} --drop {}", metadata.name, holder.serial);
    }
    written_anew(metadata, holder)
}

/// What to type to have a token written again as the record says that it is, from the person's own copy
/// of the key.
fn written_anew(metadata: &Metadata, holder: &Holder) -> String {
    let (name, serial) = (&metadata.name, &holder.serial);
    let code = if holder.access_code { "--access-code" } else { "--no-access-code" };
    format!("signet embed {name} --token {serial} {code}")
}

/// A place for keys, there or not.
pub struct Keeper {
    /// Name of the holder's kind.
    pub kind: &'static str,
    /// The longest HMAC key it takes.
    pub longest_key: usize,
    /// Its token's name for people.
    pub name: TokenName,
    /// The place.
    pub keep: Box<dyn Keep>,
}

/// The place for keys in the token of a recipient.
///
/// # Errors
/// `unsupported` where the token has none.
pub fn keeper(to: &Recipient) -> Result<Keeper, Refusal> {
    let kind = HOLDERS.iter().find(|kind| kind.lives_in == to.kind).ok_or_else(|| {
        let message = format!("token {} is of kind {}, which cannot hold a key", to.serial, to.kind);
        Refusal::new(Code::Unsupported, message, "signet token list")
    })?;
    let HolderKind { name: kind, longest_key, keep, .. } = *kind;
    Ok(Keeper { kind, longest_key, name: name_of(to), keep: keep(name_of(to)) })
}

/// The one token of a recipient, to open a record with.
///
/// # Errors
/// As [`openers`].
pub fn opener(to: &Recipient, order: &Order) -> Result<Box<dyn Token>, Refusal> {
    let kind = TABLE.iter().find(|kind| kind.name == to.kind).ok_or_else(|| unknown(&to.kind))?;
    Ok((kind.make)(&order.places, to, public_key(to)?))
}

fn is_offered(to: &Recipient, order: &Order) -> bool {
    order.kinds.contains(&to.kind) && order.tokens.contains(&to.serial)
}

/// A recipient as people know it.
#[must_use]
pub fn name_of(recipient: &Recipient) -> TokenName {
    TokenName { serial: recipient.serial.clone(), label: recipient.label.clone() }
}

fn none_offered(order: &Order) -> Refusal {
    let message = format!("no token of this key is of a kind in force ({})", order.kinds.join(", "));
    Refusal::new(Code::Unsupported, message, "signet status")
}

fn unknown(kind: &str) -> Refusal {
    let message = format!("tokens of kind {kind} are not known here");
    Refusal::new(Code::Unsupported, message, "signet status")
}

#[cfg(test)]
mod tests {
    use super::{HOLDERS, TABLE};
    use signet_protocol::kinds;

    #[test]
    fn the_tables_have_the_kinds_of_the_protocol_in_their_order() {
        let names = |kinds: &[kinds::Kind]| kinds.iter().map(|kind| kind.name).collect::<Vec<_>>();
        assert_eq!(TABLE.iter().map(|kind| kind.name).collect::<Vec<_>>(), names(kinds::KINDS));
        assert_eq!(HOLDERS.iter().map(|kind| kind.name).collect::<Vec<_>>(), names(kinds::HOLDERS));
        assert!(HOLDERS.iter().all(|holder| TABLE.iter().any(|kind| kind.name == holder.lives_in)));
    }
}
