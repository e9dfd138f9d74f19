//! Agent ↔ its children, as JSON lines over pipes: one order in, answers in as they come; events
//! out, the last of which is an outcome. One child, one order; a child that has told its outcome ends.
//!
//! A child is started with an empty environment and gets everything it may know from its order.
//! It refuses to start by hand: without the one argument [`CHILD_ARGUMENT`], or with a terminal on
//! standard input.

mod enrol;
mod event;
mod order;

pub use enrol::{EnrolAct, EnrolOrder, Managed, Seen, Token};
pub use event::{ChildAnswer, ChildKept, ChildStored, CodeFate, Event, Outcome, Prompt, WaitingFor};
pub use order::{Act, ApprovalGate, Order, Seed, Sibling, TotpGate};

use serde::{Deserialize, Serialize};

/// The one argument of `signet-signer` and `signet-enrol`.
pub const CHILD_ARGUMENT: &str = "--for-signet-agent";

/// Things a kind of token may need to find its hardware or its file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Places {
    /// Socket of a PC/SC service other than the system's; empty for the system's.
    pub pcsc_socket: String,
    /// Absolute directory in which kinds that live in files keep them.
    pub token_dir: String,
}

/// A token as a person is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenName {
    /// Serial.
    pub serial: String,
    /// Label given at enrolment; empty where there is none yet.
    pub label: String,
}
