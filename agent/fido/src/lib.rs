//! The approval of a request by a FIDO2 authenticator: what is signed, and the check of it.
//!
//! Promises: pure; an assertion is taken only if it is by an enrolled credential, for this relying
//! party, with the person present (and verified, where the credential was enrolled so), over exactly the
//! order that is expected, and with a counter that has moved on. The same check runs in the signer,
//! in the agent and, offline and later, over the audit log.
//!
//! Must not know: how an authenticator is spoken to, who asks, the time.
//!
//! - [`order`]: the text that is approved, and its hash
//! - [`assertion`]: authenticator data and signature
//! - [`proof`]: both together, as the log keeps them

#![forbid(unsafe_code)]

pub mod assertion;
mod fault;
pub mod order;
pub mod proof;

pub use fault::Fault;
