//! `signet-signer`: one use of one key, then gone.
//!
//! Promises: it takes one order on standard input, talks to at most one token, says what it waits
//! for, asks what must be asked, and ends with one outcome. The secret exists in this process only,
//! between the token's answer and the signature, and what leaves is a signature (or a new sealed
//! record). The process ends after the outcome: memory that no hand can wipe (`ring`'s key schedules,
//! libpcsclite's buffers, stack copies) ends with it.
//!
//! Must not know: the network, the vault's directory, policy, who asked. It trusts the agent that
//! started it to hand over the right order; it checks again whatever it can compute itself.
//!
//! - [`course`]: the one path of a use, one page
//! - [`job`]: an order, checked before anybody is asked anything
//! - [`conversation`]: events and prompts out, sealed answers in
//! - [`token`]: the one joint behind which all kinds of token stand
//! - [`factor`]: second factors that are checked here
//! - [`payload`]: what was sealed, in memory that is wiped
//! - [`harden`]: what a process can do to keep others out of its memory

pub mod conversation;
pub mod course;
pub mod factor;
pub mod harden;
pub mod job;
pub mod payload;
pub mod reseal;
pub mod token;
