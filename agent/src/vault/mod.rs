//! Signatures first; the bodies follow.

#![forbid(unsafe_code)]

use signet_protocol::child::{CodeFate, Token};
use signet_protocol::record::Metadata;
use signet_protocol::{Code, Refusal};
use std::path::Path;
use time::OffsetDateTime;

/// The records, the enrolled tokens and what must be remembered of them.
pub struct Vault {}

/// A record as it stands on disk, checked against its pin.
pub struct StoredRecord {
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// Its metadata.
    pub meta: Metadata,
    /// Hex SHA-256 of its header: the pin.
    pub header_sha256: String,
}

/// What the vault remembers of a key beside its record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Memory {
    /// Account pinned after the first GetCallerIdentity, where the record names none.
    pub account: Option<String>,
    /// RFC 3339.
    pub last_used: Option<String>,
    /// `date why`.
    pub rotate: Option<String>,
}

/// A key as the vault sees it: its name, and its record or why it is refused.
pub struct Held {
    /// Name.
    pub name: String,
    /// Its record, or why it cannot be used.
    pub record: Result<StoredRecord, VaultError>,
    /// What is remembered of it.
    pub memory: Memory,
}

/// A code that is about to be checked: counted on disk already. Dropped, it stays counted.
#[must_use]
#[derive(Debug)]
pub struct Attempt {
    _name: String,
}

/// Why the vault did not do something.
#[derive(Debug)]
pub enum VaultError {
    /// Another agent has this vault.
    Busy,
    /// No key of that name.
    NoSuchKey(String),
    /// There is one already.
    NameTaken(String),
    /// The TOTP factor is locked for so many seconds.
    Locked {
        /// Seconds.
        retry_after: u64,
    },
}

impl From<VaultError> for Refusal {
    fn from(_: VaultError) -> Self {
        Refusal::bare(Code::Internal, "")
    }
}

#[allow(missing_docs, clippy::todo, unused_variables, clippy::missing_errors_doc, clippy::must_use_candidate)]
impl Vault {
    pub fn open(dir: &Path) -> Result<Self, VaultError> {
        todo!()
    }
    pub fn vault_id(&self) -> &str {
        todo!()
    }
    /// Every key by name, refused ones too.
    pub fn keys(&self) -> Vec<Held> {
        todo!()
    }
    pub fn memory(&self, name: &str) -> Memory {
        todo!()
    }
    /// Read from disk and checked against the pin each time.
    pub fn record(&self, name: &str) -> Result<StoredRecord, VaultError> {
        todo!()
    }
    /// Whether a record may be added: strict metadata, this vault, free name, epoch 1, recipients enrolled, policy that parses.
    pub fn check_new(&self, name: &str, bytes: &[u8]) -> Result<StoredRecord, VaultError> {
        todo!()
    }
    pub fn commit_new(&mut self, record: &StoredRecord) -> Result<(), VaultError> {
        todo!()
    }
    /// Whether `bytes` may be the next generation of `name`, whose header is `old_header`; compare-and-swap.
    pub fn commit_next(
        &mut self,
        name: &str,
        old_header: &str,
        bytes: &[u8],
    ) -> Result<StoredRecord, VaultError> {
        todo!()
    }
    pub fn remove(&mut self, name: &str, now: OffsetDateTime) -> Result<(), VaultError> {
        todo!()
    }
    pub fn tokens(&self) -> &[Token] {
        todo!()
    }
    pub fn add_token(&mut self, token: Token) -> Result<(), VaultError> {
        todo!()
    }
    pub fn remove_token(&mut self, serial: &str) -> Result<Token, VaultError> {
        todo!()
    }
    pub fn pin_account(&mut self, name: &str, account: &str) -> Result<(), VaultError> {
        todo!()
    }
    pub fn touch_used(&mut self, name: &str, now: OffsetDateTime) -> Result<(), VaultError> {
        todo!()
    }
    /// Refuses while locked; asks nothing, counts nothing. Before any question.
    pub fn check_unlocked(&self, name: &str, now: OffsetDateTime) -> Result<(), VaultError> {
        todo!()
    }
    /// Counts a code (fsync) before it is handed on.
    pub fn attempt(&mut self, name: &str, now: OffsetDateTime) -> Result<Attempt, VaultError> {
        todo!()
    }
    /// What became of it (fsync). `Accepted` of a step that is not later than the last one is an error.
    pub fn settle(&mut self, attempt: Attempt, fate: CodeFate) -> Result<(), VaultError> {
        todo!()
    }
    pub fn last_step(&self, name: &str) -> Option<u64> {
        todo!()
    }
}
