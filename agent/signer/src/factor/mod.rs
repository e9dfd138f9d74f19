//! Second factors of Signet's own that are checked where the record is opened.
//!
//! Promises: pure; time, the last accepted step and the seed come in as arguments. Must not know
//! attempts and delays: the agent counts them, because they outlive this process.

pub mod seed;
pub mod totp;
