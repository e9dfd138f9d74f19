//! signet-agent: decides who may use which key for what, asks the person, keeps the log, and has a
//! child do the one thing it never does itself: hold a key.
//!
//! Two tables tell the house. Deciding: [`peer`] (who is at the other end), [`policy`] (may they),
//! [`consent`] (what was asked and answered) are tickets that only their own room can make, and
//! [`pipeline`] spends them, from top to bottom, once a use. Keeping: [`config`], [`vault`],
//! [`audit`] and [`sessions`] are what is on disk and in memory. [`serve`] is the HTTP around it,
//! [`signer`] the children, [`queue`] the order in which they get a token.
//!
//! The agent never holds a long-term secret, opens no inet socket and no card.

#![deny(unsafe_code)]

pub mod audit;
pub mod clock;
pub mod config;
pub mod consent;
pub mod disk;
pub mod flags;
pub mod harden;
pub mod peer;
pub mod pipeline;
pub mod policy;
pub mod queue;
pub mod serve;
pub mod sessions;
pub mod signer;
pub mod start;
pub mod vault;
