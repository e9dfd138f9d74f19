//! The words that Signet's programs say to each other.
//!
//! Promises: every type here is plain data, read strictly on the way in (`deny_unknown_fields` on
//! requests and orders) and leniently on the way out (readers of replies ignore keys they do not
//! know). Must not know: sockets, files, clocks, hardware, secrets. Nothing in this crate ever
//! holds a PIN, a code, a seed or a key in the clear: answers travel as [`api::Answer::sealed`].
//!
//! - [`api`]: cli ↔ agent, JSON over HTTP/1.1 on the Unix socket
//! - [`child`]: agent ↔ signer and enrol, JSON lines over pipes
//! - [`kinds`]: the table of kinds of token and what each guarantees
//! - [`record`]: the metadata stanza of a sealed record
//! - [`rule`]: the shape of a policy rule
//! - [`approval`]: what a person approves with a FIDO2 authenticator, and the proof of it
//! - [`audit`]: the line of the audit log and the check of its chain
//! - [`refusal`]: the stable codes, their exits, and what a refusal tells the person

#![forbid(unsafe_code)]

pub mod api;
pub mod approval;
pub mod audit;
pub mod child;
pub mod kinds;
pub mod prompt;
pub mod record;
pub mod refusal;
pub mod rule;

pub use prompt::PromptKind;
pub use refusal::{Code, Refusal};

/// Version of the wire and of every JSON document Signet prints.
pub const VERSION: u32 = 1;

/// Default cap on one message, a record and a response line, in bytes (64 KiB).
pub const MESSAGE_LIMIT: usize = 64 * 1024;

/// How far, in seconds, a request's date may lie from now.
pub const DATE_WINDOW_SECONDS: i64 = 60;
