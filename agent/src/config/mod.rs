//! Signatures first; the bodies follow.

#![forbid(unsafe_code)]

use signet_protocol::{Code, Refusal};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub mod paths;

/// `agent.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Config {
    pub limits: Limits,
    pub token: Token,
    pub aws: Aws,
    pub policy: Policy,
    pub audit: Audit,
    pub harden: Harden,
}
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Limits {
    /// Bytes.
    pub message: usize,
    /// Connections a uid.
    pub connections: usize,
    /// For one use.
    pub use_time: Duration,
}
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Token {
    pub pcsc_socket: String,
    pub kinds: Vec<String>,
}
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Aws {
    pub extra_hosts: Vec<String>,
}
/// `[policy]`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Policy {
    /// Relative to the configuration's directory.
    pub file: PathBuf,
    /// Named, not the default: then it must be there.
    pub named: bool,
}
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Audit {
    pub anchor: Anchor,
}
/// Where heads are copied to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Anchor {
    None,
    Journald,
    File(PathBuf),
}
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Harden {
    pub require: bool,
}

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ConfigError {
    pub file: PathBuf,
    pub line: Option<usize>,
    pub key: Option<String>,
    pub message: String,
}

impl From<ConfigError> for Refusal {
    fn from(_: ConfigError) -> Self {
        Refusal::bare(Code::Usage, "")
    }
}

impl Config {
    /// Defaults without a file.
    ///
    /// # Errors
    /// Names file, line and key.
    #[allow(clippy::todo)]
    pub fn load(_path: Option<&Path>) -> Result<Self, ConfigError> {
        todo!()
    }
}
