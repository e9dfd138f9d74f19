//! `agent.toml`: read once at start, strictly.
//!
//! Promises: an unknown key, a value out of range and a file that others can write are refused, with
//! file, line and key; without a file the defaults are in force. Must not know: what the values are
//! for. Nothing here is read again while the agent runs.

#![forbid(unsafe_code)]

mod file;
pub mod paths;
mod raw;
mod units;

pub use file::read as read_file;

use signet_protocol::{Code, Refusal};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `agent.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// `[limits]`.
    pub limits: Limits,
    /// `[token]`.
    pub token: Token,
    /// `[aws]`.
    pub aws: Aws,
    /// `[policy]`.
    pub policy: Policy,
    /// `[audit]`.
    pub audit: Audit,
    /// `[harden]`.
    pub harden: Harden,
}

/// `[limits]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// `message`: bytes of a request body.
    pub message: usize,
    /// `connections`: open at once, for one uid.
    pub connections: usize,
    /// `use`: the longest a use may take.
    pub use_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message: signet_protocol::MESSAGE_LIMIT, connections: 64, use_time: Duration::from_secs(120) }
    }
}

/// `[token]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Socket of a PC/SC service; empty for the system's.
    pub pcsc_socket: String,
    /// Kinds of token that may be used; the first one is the default of `token enrol`.
    pub kinds: Vec<String>,
}

impl Default for Token {
    fn default() -> Self {
        Self { pcsc_socket: String::new(), kinds: vec!["yubikey-piv".to_owned()] }
    }
}

/// `[aws]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Aws {
    /// Loopback hosts, `127.0.0.1:4566`, for which requests in the clear are signed.
    pub extra_hosts: Vec<String>,
}

/// `[policy]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The policy file, relative to the configuration's directory.
    pub file: PathBuf,
    /// Whether `agent.toml` names it: then it must be there.
    pub named: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { file: PathBuf::from("policy.toml"), named: false }
    }
}

/// `[audit]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audit {
    /// Where heads are copied to.
    pub anchor: Anchor,
}

/// Where heads of the audit log are copied to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Anchor {
    /// Nowhere.
    #[default]
    None,
    /// journald.
    Journald,
    /// A file, by an absolute path.
    File(PathBuf),
}

/// `[harden]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Harden {
    /// Refuse to start where a layer is missing.
    pub require: bool,
}

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1, where it is about one.
    pub line: Option<usize>,
    /// Key, `limits.use`, where it is about one.
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
    /// The command that repairs it, where one does.
    pub hint: Option<String>,
}

impl ConfigError {
    fn about(file: &Path, message: String) -> Self {
        Self { file: file.to_owned(), line: None, key: None, message, hint: None }
    }
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.file.display())?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))?;
        self.key.as_ref().map_or(Ok(()), |key| write!(f, ": {key}"))?;
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for ConfigError {}

impl From<ConfigError> for Refusal {
    fn from(error: ConfigError) -> Self {
        let hint = error.hint.clone();
        Self { hint, ..Self::bare(Code::Usage, error.to_string()) }
    }
}

impl Config {
    /// Reads a file; without one, the defaults.
    ///
    /// # Errors
    /// Names file, line and key. A file that was named and is not there is an error too.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else { return Ok(Self::default()) };
        let text = file::read(path)?.ok_or_else(|| ConfigError::about(path, "is not there".to_owned()))?;
        raw::read(&text).map_err(|wrong| wrong.with_file(path))
    }
}

#[cfg(test)]
mod tests;
