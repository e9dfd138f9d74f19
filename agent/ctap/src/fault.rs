//! Why an authenticator did not do it.

use std::fmt;

/// What went wrong; each variant leaves the caller another next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// None of the credentials asked for is on this authenticator.
    NoCredential,
    /// One of the credentials to exclude is on it.
    Excluded,
    /// The PIN is wrong; so many tries are left.
    PinWrong(u8),
    /// The PIN has no try left: only a reset of the authenticator helps.
    PinBlocked,
    /// Too many wrong PINs in a row: it must be pulled out and plugged in again.
    PowerCycleNeeded,
    /// It has no PIN yet.
    PinNotSet,
    /// It wants the PIN (or a finger) first.
    PinRequired,
    /// The PIN cannot be one: too short, too long, or to be changed before it is used.
    PinPolicy,
    /// The finger was not recognized.
    UvFailed,
    /// The finger was not recognized too often: only the PIN helps.
    UvBlocked,
    /// Nobody touched it in time.
    NotTouched,
    /// The caller stopped it.
    Cancelled,
    /// The person, or the authenticator for him, said no.
    Denied,
    /// It is no longer there.
    Removed,
    /// Somebody else uses it, or it did not come to an end in time.
    Busy,
    /// Another program reset it in the middle of the use.
    Disturbed,
    /// This user may not open the device.
    NoAccess,
    /// The PC/SC service says so.
    Service(pcsc::Error),
    /// It cannot do this.
    Unsupported(&'static str),
    /// It says what cannot be understood.
    Garbage(&'static str),
    /// A status (CTAP 2.1, 8.2) that has no meaning here.
    Status(u8),
}

/// The PIN is wrong; how many tries are left is another question.
pub(crate) const PIN_INVALID: Fault = Fault::Status(0x31);

impl Fault {
    /// What a status other than 00 means (CTAP 2.1, 8.2).
    pub(crate) fn of_status(status: u8) -> Self {
        match status {
            0x06 => Self::Busy,
            0x19 => Self::Excluded,
            0x26 => Self::Unsupported("the algorithm"),
            0x27 => Self::Denied,
            0x2b | 0x2c => Self::Unsupported("an option"),
            0x2d => Self::Cancelled,
            0x2e => Self::NoCredential,
            0x05 | 0x2f | 0x3a => Self::NotTouched,
            0x32 => Self::PinBlocked,
            0x34 => Self::PowerCycleNeeded,
            0x35 => Self::PinNotSet,
            0x36 => Self::PinRequired,
            0x37 => Self::PinPolicy,
            0x3c => Self::UvBlocked,
            0x3f => Self::UvFailed,
            other => Self::Status(other),
        }
    }
}

impl From<pcsc::Error> for Fault {
    fn from(error: pcsc::Error) -> Self {
        use pcsc::Error as Service;
        match error {
            Service::RemovedCard
            | Service::NoSmartcard
            | Service::UnknownReader
            | Service::ReaderUnavailable => Self::Removed,
            Service::SharingViolation => Self::Busy,
            Service::ResetCard => Self::Disturbed,
            Service::CommDataLost => Self::Garbage("an answer without status"),
            error => Self::Service(error),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::NoCredential => "it holds none of the credentials",
            Self::Excluded => "it holds one of the credentials already",
            Self::PinWrong(tries) => return write!(out, "the PIN is wrong, tries left: {tries}"),
            Self::PinBlocked => "its PIN is blocked",
            Self::PowerCycleNeeded => "too many wrong PINs in a row: it must be plugged in again",
            Self::PinNotSet => "it has no PIN",
            Self::PinRequired => "it wants its PIN",
            Self::PinPolicy => "the PIN is not one it takes",
            Self::UvFailed => "the finger was not recognized",
            Self::UvBlocked => "the finger was not recognized too often",
            Self::NotTouched => "it was not touched in time",
            Self::Cancelled => "cancelled",
            Self::Denied => "it says no",
            Self::Removed => "it was pulled out",
            Self::Busy => "it is busy",
            Self::Disturbed => "another program reset it",
            Self::NoAccess => "this user may not open it",
            Self::Service(error) => return write!(out, "PC/SC: {error}"),
            Self::Unsupported(what) => return write!(out, "it does not support {what}"),
            Self::Garbage(what) => return write!(out, "it answers what cannot be understood: {what}"),
            Self::Status(status) => return write!(out, "status {status:02x}"),
        };
        out.write_str(words)
    }
}

impl std::error::Error for Fault {}
