//! AWS Signature Version 4: what is signed, how it is signed, and what it asks AWS to do.
//!
//! Promises: [`prepare()`] reads a request strictly and gives the one canonical form of it, or an
//! error; two programs that prepare the same request with the same date get the same bytes. The
//! action is named only from what is signed. Nothing here panics on foreign input.
//!
//! Must not know: Signet's other rooms, clocks, sockets, files. The date comes in as an argument.
//! The secret is used at one place only, [`answer`]; where a token holds it, the token's answer comes in
//! through [`DateKey::answered`], and the rest of the chain is the same.
//!
//! Follows "AWS Signature Version 4 for API requests" (IAM user guide), header signing only:
//! presigned URLs, SigV4A, and unsigned or streaming payloads are refused.
//!
//! - [`canonical`]: the canonical request, as lenient as the specification
//! - [`prepare()`]: the strict door in front of it
//! - [`sign`](string_to_sign): string to sign, key derivation, `authorization`
//! - [`endpoint`]: whether a host is AWS's for this service and region
//! - [`date`]: `x-amz-date` and seconds since 1970

#![forbid(unsafe_code)]

mod action;
pub mod canonical;
pub mod date;
pub mod endpoint;
mod error;
mod headers;
mod payload;
mod prepare;
mod scope;
mod sign;
#[cfg(test)]
mod suite;
mod url;

pub use error::Error;
pub use headers::{UNSIGNED_HEADERS, given_date};
pub use prepare::{Prepared, Request, prepare};
pub use sign::{DateKey, answer, authorization, challenge, hmac_key, sha256, sha256_hex, string_to_sign};
pub use url::{Scheme, Url};
