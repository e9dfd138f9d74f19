//! A client of FIDO2 authenticators: CTAP 2.1 over USB HID and over PC/SC.
//!
//! This room promises:
//! - whatever an authenticator says is bounded and read strictly; nothing of it makes us panic, grow
//!   without bound, or wait beyond the caller's deadline;
//! - PIN, tokens, shared secrets and the output of hmac-secret stand in heap memory that is wiped on
//!   drop; what goes out is encrypted or a MAC, so messages and transports hold no secret. `ring` wipes
//!   nothing of its own (the ECDH result on the stack, HMAC pads): a program that must leave nothing
//!   behind uses this in a process that exits;
//! - an authenticator whose use was cancelled, or ended in any other way, is left idle, and a smart
//!   card without a verified person in it. A card that blocks (it knows no keepalive) ends when it
//!   wants to: it is reset then, if this process still lives;
//! - cards that are no authenticators are asked for the applet and left alone.
//!
//! Must not know: Signet's records, prompts, policy, and what is signed. It does not check signatures,
//! attestations, counters or flags. Of Signet it knows only how a refusal is worded ([`refusal`]).

#![forbid(unsafe_code)]

mod assertion;
mod auth_data;
mod cbor;
mod cose;
mod credential;
mod device;
mod fault;
mod find;
#[cfg(fuzzing)]
pub mod fuzzing;
mod info;
mod patience;
mod pin;
mod port;
pub mod refusal;

pub use assertion::{AssertRequest, Assertion};
pub use credential::{Made, MakeRequest};
pub use device::Device;
pub use fault::Fault;
pub use find::{Found, devices};
pub use info::{Algorithm, Info, Options};
pub use patience::{Go, Patience, Wait};
pub use pin::{Permission, Retries, Token};
