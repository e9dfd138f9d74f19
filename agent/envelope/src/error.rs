//! The one error of this room. A variant says what the caller may do next.

/// Why something was not sealed or not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// No stanza opens for this recipient: try the next stanza or the next token.
    NotMine,
    /// The record was not written by this grammar; the word says which rule is broken. Stop.
    Malformed(&'static str),
    /// The record, or the answer, is not what its writer made: a MAC or AEAD check failed. Stop.
    Damaged,
    /// The bytes are not an uncompressed point on P-256.
    PublicKey,
    /// More than a record may hold: too many recipients, or too many bytes.
    TooLarge,
    /// The record would have nobody to open it.
    NoRecipient,
    /// The system gave no random bytes.
    Random,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotMine => f.write_str("the record is not sealed to this key"),
            Self::Malformed(rule) => write!(f, "the record is malformed: {rule}"),
            Self::Damaged => f.write_str("the sealed bytes were changed since they were written"),
            Self::PublicKey => f.write_str("not an uncompressed point on P-256"),
            Self::TooLarge => f.write_str("more than a record may hold"),
            Self::NoRecipient => f.write_str("a record needs at least one recipient"),
            Self::Random => f.write_str("the system gave no random bytes"),
        }
    }
}

impl std::error::Error for Error {}
