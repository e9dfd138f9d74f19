//! Why a file or directory was not read or written, and what the person is told.

use signet_protocol::{Code, Refusal};
use std::io;
use std::path::PathBuf;

/// Why a file or directory was not read or written.
#[derive(Debug)]
pub enum DiskError {
    /// The system said no.
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not as we would have made it: somebody else's, a link, open to others.
    NotOurs {
        /// What.
        path: PathBuf,
        /// How it differs.
        why: String,
        /// The command that repairs it, where one does.
        hint: Option<String>,
    },
}

impl std::fmt::Display for DiskError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io { what, path, source } => write!(f, "cannot {what} {}: {source}", path.display()),
            Self::NotOurs { path, why, hint: _ } => write!(f, "{} {why}", path.display()),
        }
    }
}

impl std::error::Error for DiskError {}

impl From<DiskError> for Refusal {
    fn from(error: DiskError) -> Self {
        let message = error.to_string();
        match error {
            DiskError::Io { source, path, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Self::new(Code::Internal, message, format!("df {}", path.display()))
            }
            DiskError::Io { .. } => Self::bare(Code::Internal, message),
            DiskError::NotOurs { hint: Some(hint), .. } => Self::new(Code::Rollback, message, hint),
            DiskError::NotOurs { hint: None, .. } => Self::bare(Code::Rollback, message),
        }
    }
}
