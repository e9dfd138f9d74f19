//! The sealed record and the sealed answer: what Signet encrypts, and to whom.
//!
//! A record is an age v1 file (C2SP `age`) whose first stanza, `signet/meta/v1`, holds metadata in
//! the clear, and whose other stanzas are `p256tag` (C2SP `age`, "tagged recipients"), one for each
//! token. An answer is one HPKE message (RFC 9180) to a key that its receiver made for it.
//!
//! This room promises:
//! - it reads only what it would write: caps first, then the strict grammar, then one known form;
//! - a point goes to a token only after it was found on the curve;
//! - the header's MAC is checked before the payload's AEAD, so metadata of an [`Opened`] record is
//!   what its writer meant;
//! - secrets stand in heap memory that is wiped on drop. `ring` wipes nothing of its own (key
//!   schedules, HMAC pads, the ECDH result on the stack): a program that must leave nothing behind
//!   opens a record in a process that exits.
//!
//! It does no I/O, and knows neither what the metadata says nor what the payload is. It does not
//! promise who wrote a record: anyone can seal to a public key. Pinning the header's hash is the
//! vault's work.

#![forbid(unsafe_code)]

mod bech32;
mod derive;
mod error;
mod hash;
mod header;
pub mod hpke;
mod key;
mod p256tag;
mod payload;
mod record;

pub use derive::private_key;
pub use error::Error;
pub use hash::{hex, sha256};
pub use header::{MAX_RECIPIENTS, MAX_RECORD};
pub use key::PublicKey;
pub use record::{Opened, Record, seal};

/// What is sealed: heap memory that is wiped on drop.
pub type Secret = zeroize::Zeroizing<Vec<u8>>;
