//! Second factors of Signet's own that are checked where the record is opened.
//!
//! Promises: codes are checked purely; time, the last accepted step and the seed come in as arguments. Must not
//! know attempts, delays and counters: the agent keeps them, because they outlive this process.

pub mod fido2;
pub mod seed;
pub mod totp;
