//! Ticket 2: may this be done, and what must happen first.
//!
//! Promises: the same question has the same answer; nothing is allowed that no rule names; a denial
//! wins over every permission; `policy.toml` never allows what the key's own policy does not. A
//! [`Permit`] is made only here, is not `Clone`, and says what is owed for it. Pure: must not know
//! clock, files, sockets or tokens; it compares needs with guarantees and never asks what a token is.
//!
//! The key's own policy, in its record, is the ceiling. When there is a `policy.toml`, a request must
//! be allowed by both; without one the ceiling alone counts. In each: the first matching denial wins,
//! then the first matching permission; none is a denial.
//!
//! Acts on the vault itself ([`MANAGEMENT`], e.g. `signet:SetPolicy`) are allowed unless a rule
//! denies them, so that no policy can lock out its own repair by silence. A `policy.toml` that names
//! such an act in `allow` has taken them in hand: then they too are allowed only where it says so.

#![forbid(unsafe_code)]

mod action;
mod decide;
mod means;
mod obligations;
mod preset;
mod read;

pub use decide::{Decision, Denial, Permit, Question, decide, decide_token_act};
pub use means::{Means, opens_first, signing_touches};
pub use obligations::{Gap, Obligations};
pub use preset::presets;
pub use read::{PolicyError, check_parts, parse};

/// The service of acts on the vault itself: `signet:SetPolicy`.
pub const MANAGEMENT: &str = "signet";
