//! `signet-signer`: one use of one key, then gone.
//!
//! Promises: it takes one order on standard input, talks to one token (to several only where it writes
//! a key into them), says what it waits for, asks what must be asked, and ends with one outcome. The
//! secret exists in this process only, between the token's answer and the signature, and what leaves is
//! a signature (or a new sealed record); with custody `in-token` not even here, but for the act that
//! writes it into a token.
//!
//! The rule of memory: whatever is secret (PIN, code, secret, seed, access code, a token's answer, a date
//! key) stands in a type that wipes itself when dropped, in a buffer that was large enough from the
//! start, in the smallest scope, and is borrowed from there, not copied. The process ends after the
//! outcome: memory that no hand can wipe (`ring`'s key schedules, libpcsclite's buffers, stack copies)
//! ends with it.
//!
//! Must not know: the network, the vault's directory, policy, who asked. It trusts the agent that
//! started it to hand over the right order; it checks again whatever it can compute itself.
//!
//! - [`course`]: the one path of a use, one page
//! - [`job`]: an order, checked before anybody is asked anything
//! - [`answers`]: what is asked before a token is used, and the check of the code
//! - [`conversation`]: events and prompts out, sealed answers in
//! - [`token`]: the one joint behind which all kinds of token stand
//! - [`factor`]: second factors that are checked here
//! - [`payload`]: what was sealed, in memory that is wiped
//! - [`authenticator`]: FIDO2 authenticators, found and made to sign
//! - [`access_code`]: the codes of applets that hold keys
//! - [`reseal`]: a new generation of a record
//! - [`embed`]: a key written into tokens, and the generations that this takes
//! - [`harden`]: what a process can do to keep others out of its memory

pub mod access_code;
pub mod answers;
pub mod authenticator;
pub mod conversation;
pub mod course;
pub mod embed;
pub mod factor;
pub mod harden;
pub mod job;
pub mod payload;
pub mod reseal;
pub mod token;
