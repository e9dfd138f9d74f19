//! Why an approval is none.

/// What is wrong with an assertion or a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The credential in the record cannot be read, or cannot be a key.
    Credential,
    /// It is by another credential.
    OtherCredential,
    /// A part of it cannot be read.
    Garbled,
    /// The authenticator data is not the 37 bytes of an assertion without extensions.
    Length,
    /// It is for another relying party.
    RelyingParty,
    /// Nobody was there.
    NotPresent,
    /// The person was not verified.
    NotVerified,
    /// The signature does not fit.
    Signature,
    /// The order is another one.
    Order,
    /// The counter has not moved on: the authenticator may have been copied, or the assertion is an old one.
    Counter,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Credential => "the enrolled credential cannot be read",
            Self::OtherCredential => "it is by a credential that is not enrolled",
            Self::Garbled => "it cannot be read",
            Self::Length => "its authenticator data has another form than was asked for",
            Self::RelyingParty => "it is for another relying party",
            Self::NotPresent => "it does not say that a person was present",
            Self::NotVerified => "it does not say that the person was verified",
            Self::Signature => "its signature does not fit",
            Self::Order => "it approves something else",
            Self::Counter => "its counter has not moved on: the authenticator may have been copied",
        })
    }
}

impl std::error::Error for Fault {}
