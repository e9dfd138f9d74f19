//! Why a request is not one that can be signed. Every variant means: repair the request, nothing
//! was signed.

use std::fmt;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The URL is not an absolute http or https URL in the form it goes on the wire.
    Url(&'static str),
    /// The method is not a word of capital letters.
    Method,
    /// Service or region cannot stand in a credential scope.
    Scope(&'static str),
    /// A header's name or value cannot go on the wire, or contradicts the request.
    Header {
        /// Its name, where the name itself is sound.
        name: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A header stands twice, whatever its case.
    DuplicateHeader(String),
    /// A header that only the signer, or nobody, may set.
    ReservedHeader(String),
    /// A query parameter that belongs to presigned URLs.
    PresignedQuery(String),
    /// A date that is not `YYYYMMDDTHHMMSSZ`, or is no date.
    Date,
    /// The request's own `x-amz-date` is not the date it is to be signed with.
    DateMismatch,
    /// `content-length` is not the length of the body.
    Length,
    /// `x-amz-content-sha256` is not the lower-case hex SHA-256 of the body.
    PayloadHash,
    /// The body would not be covered by the signature.
    UnsignedPayload,
    /// The body would be signed piece by piece, after the approval.
    StreamingPayload,
    /// There is no body, and no hash that may stand for it.
    BodyMissing,
    /// What the request asks AWS to do cannot be named, or could be named in two ways.
    Action(&'static str),
    /// The host is not AWS's for this service and region.
    Host {
        /// The host, with its port where it has one.
        host: String,
        /// What is wrong.
        why: &'static str,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(why) => write!(f, "the url {why}"),
            Self::Method => f.write_str("the method is not a word of capital letters"),
            Self::Scope(why) => f.write_str(why),
            Self::Header { name, why } if name.is_empty() => write!(f, "a header {why}"),
            Self::Header { name, why } => write!(f, "header {name} {why}"),
            Self::DuplicateHeader(name) => write!(f, "header {name} stands twice"),
            Self::ReservedHeader(name) => write!(f, "header {name} may not be given"),
            Self::PresignedQuery(name) => {
                write!(f, "query parameter {name} belongs to presigned urls, which are not signed here")
            }
            Self::Date => f.write_str("x-amz-date is not a date of the form YYYYMMDDTHHMMSSZ"),
            Self::DateMismatch => f.write_str("x-amz-date is not the date of signing"),
            Self::Length => f.write_str("content-length is not the length of the body"),
            Self::PayloadHash => f.write_str("x-amz-content-sha256 is not the hash of the body"),
            Self::UnsignedPayload => {
                f.write_str("unsigned payloads are not signed: send the body, or its hash")
            }
            Self::StreamingPayload => {
                f.write_str("streaming payloads are not signed: send the body, or its hash")
            }
            Self::BodyMissing => {
                f.write_str("the body is missing; only s3 may give x-amz-content-sha256 in its place")
            }
            Self::Action(why) => f.write_str(why),
            Self::Host { host, why } => write!(f, "host {host} {why}"),
        }
    }
}

impl std::error::Error for Error {}
