//! Why the vault did not do something, and what the person is told.

use crate::disk::DiskError;
use signet_protocol::{Code, Refusal};
use std::path::{Path, PathBuf};

/// Why the vault did not do something.
#[derive(Debug)]
pub enum VaultError {
    /// Another agent has this vault.
    Busy(PathBuf),
    /// The record of a key is not the one last acknowledged.
    Rollback {
        /// Key.
        key: String,
        /// What was found.
        found: String,
    },
    /// There is a record of this name that the vault does not know, in this file.
    Stray(String, PathBuf),
    /// What is to be remembered cannot be read; of the vault in this directory.
    Broken {
        /// The state directory.
        dir: PathBuf,
        /// What was found.
        found: String,
    },
    /// `state.json` does not know what the audit log tells was done; of the vault in this directory.
    Stale(PathBuf),
    /// No key of that name.
    NoSuchKey(String),
    /// There is a key of that name, or a record that stands in its place.
    NameTaken(String),
    /// The record is not one that this vault takes.
    Unfit(String),
    /// The record was replaced since it was read.
    Conflict(String),
    /// No token of that serial is enrolled.
    NoSuchToken(String),
    /// A token of that serial is enrolled.
    TokenTaken(String),
    /// A token of that serial is enrolled with another key.
    OtherToken(String),
    /// A token of that serial was reported lost.
    TokenLost {
        /// Serial.
        serial: String,
        /// When, RFC 3339 UTC.
        since: String,
    },
    /// Keys are sealed to the token.
    TokenInUse {
        /// Serial.
        serial: String,
        /// Names of the keys.
        keys: Vec<String>,
    },
    /// Another account is pinned.
    OtherAccount {
        /// Key.
        key: String,
        /// The account it has.
        account: String,
    },
    /// Too many wrong codes.
    Locked {
        /// Key.
        key: String,
        /// Seconds until the next one is taken.
        retry_after: u64,
    },
    /// A code of a step that is not later than the last one was said to be good.
    Replay(String),
    /// The machine gave no randomness.
    Random,
    /// A file or directory.
    Disk(DiskError),
}

impl From<DiskError> for VaultError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

impl From<VaultError> for Refusal {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Busy(dir) => {
                let message = format!("another agent has the vault {}", dir.display());
                Self::new(Code::Busy, message, "signet status")
            }
            VaultError::Rollback { key, found } => {
                let message = format!("the record of {key} is not the one last acknowledged: {found}");
                Self::new(Code::Rollback, message, format!("signet remove {key} --lost"))
            }
            VaultError::Stray(key, file) => {
                let message = format!("the record of {key} is not known to this vault");
                Self::new(Code::Rollback, message, format!("signet restore {}", file.display()))
            }
            VaultError::Broken { dir, found } => {
                let message = format!("the vault is not the one last acknowledged: {found}");
                Self::new(Code::Rollback, message, begin_anew(&dir))
            }
            VaultError::Stale(dir) => {
                let message =
                    "the vault is not the one last acknowledged: state.json is older than the audit log";
                let hint = format!("kill {} && {}", std::process::id(), begin_anew(&dir));
                Self::new(Code::Rollback, message, hint)
            }
            VaultError::NoSuchKey(name) => {
                Self::new(Code::BadRequest, format!("there is no key {name}"), "signet list")
            }
            VaultError::NameTaken(name) => {
                Self::new(Code::BadRequest, format!("there is a key {name} already"), "signet list")
            }
            VaultError::Unfit(why) => Self::bare(Code::BadRequest, why),
            VaultError::Conflict(name) => {
                let message = format!("{name} was changed by somebody else meanwhile");
                Self::new(Code::Busy, message, format!("signet show {name}"))
            }
            VaultError::NoSuchToken(serial) => {
                Self::new(Code::BadRequest, format!("token {serial} is not enrolled"), "signet token list")
            }
            VaultError::TokenTaken(serial) => Self::new(
                Code::BadRequest,
                format!("token {serial} is enrolled already"),
                "signet token list",
            ),
            VaultError::OtherToken(serial) => {
                let message = format!("token {serial} is enrolled here with another key than the record's");
                Self::new(Code::BadRequest, message, format!("signet token remove {serial}"))
            }
            VaultError::TokenLost { serial, since } => {
                let message =
                    format!("token {serial} was lost on {}: it is refused", crate::clock::day(&since));
                // Told again, the loss says for each key what is left to be done.
                Self::new(Code::Denied, message, format!("signet token lost {serial}"))
            }
            VaultError::TokenInUse { serial, keys } => {
                let message = format!("token {serial} opens {}", keys.join(", "));
                let first = keys.first().map_or("NAME", String::as_str);
                Self::new(Code::BadRequest, message, format!("signet reseal {first} --drop {serial}"))
            }
            VaultError::OtherAccount { key, account } => {
                let message = format!("{key} belongs to account {account}");
                Self::new(Code::BadRequest, message, format!("signet show {key}"))
            }
            VaultError::Locked { key, retry_after } => {
                let message = format!("too many wrong codes for {key}");
                Self::new(Code::FactorLocked, message, format!("sleep {retry_after}")).after(retry_after)
            }
            VaultError::Replay(key) => {
                let message = format!("a code of {key} was used before: wait for the next one (up to 30 s)");
                Self::new(Code::FactorFailed, message, "sleep 30")
            }
            VaultError::Random => Self::bare(Code::Internal, "the machine gives no randomness"),
            VaultError::Disk(error) => error.into(),
        }
    }
}

/// A vault that cannot be trusted is put aside, and each key taken into a new one.
fn begin_anew(dir: &Path) -> String {
    let dir = dir.display();
    format!("mv {dir} {dir}.old && signet restore {dir}.old/keys/NAME.age")
}
