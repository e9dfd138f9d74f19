//! Why an entry was not written, or the log not opened.

use crate::disk::DiskError;
use signet_protocol::{Code, Refusal};
use std::path::PathBuf;

/// Why an entry was not written, or the log not opened. Nothing may be done without it.
#[derive(Debug)]
pub enum AuditError {
    /// A file or directory.
    Disk(DiskError),
    /// The log is not the one that was written.
    Damaged {
        /// Where it is.
        dir: PathBuf,
        /// What was found.
        found: String,
    },
    /// The head could not be copied to where the configuration wants it.
    Anchor {
        /// Where that is.
        place: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl From<DiskError> for AuditError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

impl std::fmt::Display for AuditError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Disk(error) => write!(f, "the audit log: {error}"),
            Self::Damaged { dir, found } => {
                write!(f, "the audit log in {} is not the one that was written: {found}", dir.display())
            }
            Self::Anchor { place, source } => {
                write!(f, "the audit log's head cannot be copied to {place}: {source}")
            }
        }
    }
}

impl std::error::Error for AuditError {}

impl From<AuditError> for Refusal {
    fn from(error: AuditError) -> Self {
        let message = error.to_string();
        match error {
            AuditError::Disk(error) => Self { message, ..error.into() },
            AuditError::Damaged { dir, .. } => {
                Self::new(Code::Rollback, message, format!("signet audit verify --dir {}", dir.display()))
            }
            AuditError::Anchor { .. } => Self::new(Code::Internal, message, "signet status"),
        }
    }
}
