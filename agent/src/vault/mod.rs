//! The vault: sealed records, the enrolled tokens, and what must be remembered of them, on disk.
//!
//! Promises: one agent a vault; what a method has acknowledged survives a crash at any moment, and
//! what it has not leaves the old state whole; a record is taken only when it is, byte for byte, the
//! one last acknowledged under its name. A record that is not is refused as `rollback`, alone; the
//! others still work. Must not know: what policy says, who asks, how a record is opened. It holds
//! public header data only.
//!
//! `state.json` says up to which entry of the audit log everything that was done is in it; put back
//! beside a log that tells of more, it is refused, and every record with it.
//!
//! What it cannot see: record, `state.json` and audit log put back together. That shows only against
//! a head of the log kept elsewhere.
//!
//! The order of a write (DESIGN, "The record on disk"): the new generation's hash becomes `pending`
//! in `state.json`, then the file is replaced, then the hash becomes the pin. At start a record that
//! matches pin or pending is good.

#![forbid(unsafe_code)]

mod approvals;
mod attempts;
mod error;
mod generations;
mod losses;
mod memory;
mod record;
mod restore;
mod state;
mod tokens;

pub use attempts::{Attempt, Counter};
pub use error::VaultError;
pub use record::StoredRecord;
pub use state::Memory;

use crate::disk::Dir;
use ring::rand::{SecureRandom as _, SystemRandom};
use rustix::fs::OFlags;
use signet_protocol::child::Token;
use signet_protocol::record::is_key_name;
use state::{KeyState, State};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::path::Path;

const STATE: &str = "state.json";
const LOCK: &str = "lock";
/// Ending of a record's file name.
const RECORD: &str = ".age";
/// Longest `state.json`: some hundred bytes a key, and 67 for each record that was ever replaced.
const STATE_LIMIT: usize = 4 * 1024 * 1024;

/// The records, the enrolled tokens, and what is remembered of them.
#[derive(Debug)]
pub struct Vault {
    dir: Dir,
    keys: Dir,
    trash: Dir,
    state: State,
    tokens: Vec<Token>,
    /// Each record as it was read last.
    read: RefCell<BTreeMap<String, StoredRecord>>,
    /// Number of the last entry of the audit log.
    noted: u64,
    /// Whether `state.json` is older than the audit log: then nothing is used or changed.
    stale: bool,
    /// Locked for as long as the vault is open.
    _lock: File,
}

/// A key as `list` sees it: its record, or why that cannot be used.
#[derive(Debug)]
pub struct Held {
    /// Name.
    pub name: String,
    /// Its record, or why it is refused.
    pub record: Result<StoredRecord, VaultError>,
    /// What is remembered of it.
    pub memory: Memory,
}

impl Vault {
    /// Opens the vault in a state directory, and makes it where there is none. Nothing is changed until
    /// it was compared with the audit log ([`Vault::resume`]).
    ///
    /// # Errors
    /// [`VaultError::Busy`] when another agent has it; [`VaultError::Broken`] when records are there
    /// and `state.json` is not; the disk's.
    pub fn open(path: &Path) -> Result<Self, VaultError> {
        let dir = Dir::open(path)?;
        let lock = lock(&dir)?;
        let (keys, trash) = (dir.sub("keys")?, dir.sub("trash")?);
        dir.sweep()?;
        keys.sweep()?;
        let tokens = tokens::read(&dir)?;
        let state = match dir.read(STATE, STATE_LIMIT)? {
            Some(bytes) => State::read(&bytes).map_err(|why| broken(&dir, &format!("{STATE}: {why}")))?,
            None if tokens.is_some() || !keys.names()?.is_empty() || !trash.names()?.is_empty() => {
                return Err(broken(&dir, "state.json is missing"));
            }
            None => State::new(new_vault_id()?),
        };
        let (tokens, read) = (tokens.unwrap_or_default(), RefCell::default());
        Ok(Self { dir, keys, trash, state, tokens, read, noted: 0, stale: false, _lock: lock })
    }

    /// Finishes what a killed agent has begun, unless the audit log tells of something that this
    /// state does not know: then every record is refused. `noted` is the number of the log's last
    /// entry, `deed` of the last one that tells of something done.
    ///
    /// # Errors
    /// The disk's.
    pub fn resume(&mut self, noted: u64, deed: u64) -> Result<(), VaultError> {
        self.noted = noted;
        self.stale = self.state.seq < deed;
        if self.stale {
            return Ok(());
        }
        if self.dir.read(STATE, STATE_LIMIT)?.is_none() {
            self.save()?;
        }
        self.recover()
    }

    /// The audit log has an entry of this number.
    pub fn noted(&mut self, seq: u64) {
        self.noted = seq;
    }

    /// 32 hex digits: which vault this is.
    #[must_use]
    pub fn vault_id(&self) -> &str {
        &self.state.vault_id
    }

    /// Every key by name, those whose record is refused too.
    ///
    /// # Errors
    /// The disk's, for the directory as a whole.
    pub fn keys(&self) -> Result<Vec<Held>, VaultError> {
        let held = |name: String| Held { record: self.record(&name), memory: self.memory(&name), name };
        Ok(self.names()?.into_iter().map(held).collect())
    }

    /// The record of a key, read from disk and compared with its pin.
    ///
    /// # Errors
    /// [`VaultError::NoSuchKey`]; [`VaultError::Rollback`] when it is not the one last acknowledged,
    /// [`VaultError::Stray`] when none ever was; the disk's.
    pub fn record(&self, name: &str) -> Result<StoredRecord, VaultError> {
        self.check_fresh()?;
        let rollback = |found: &str| VaultError::Rollback { key: name.to_owned(), found: found.to_owned() };
        let bytes = self.file_of(name)?;
        let pin = self.state.keys.get(name).and_then(|key| key.pin.as_ref());
        let (bytes, pin) = match (bytes, pin) {
            (Some(bytes), Some(pin)) => (bytes, pin),
            (Some(bytes), None) => return Err(self.unknown(name, bytes)),
            (None, Some(_)) => return Err(rollback("it is missing")),
            (None, None) => return Err(VaultError::NoSuchKey(name.to_owned())),
        };
        let record = self.understood(name, bytes).map_err(|_| rollback("it was changed"))?;
        let found = record.pin();
        if found == *pin && record.meta.name == name && record.meta.vault_id == self.state.vault_id {
            Ok(record)
        } else if self.state.retired.contains(&found.header) || found.epoch < pin.epoch {
            Err(rollback("it is an older one"))
        } else {
            Err(rollback("it was changed"))
        }
    }

    /// A record without a pin: one that was removed here, or one from elsewhere.
    fn unknown(&self, name: &str, bytes: Vec<u8>) -> VaultError {
        let retired = |record: StoredRecord| self.state.retired.contains(&record.header_sha256);
        if StoredRecord::read(bytes).is_ok_and(retired) {
            return VaultError::Rollback { key: name.to_owned(), found: "it was removed".to_owned() };
        }
        VaultError::Stray(name.to_owned(), self.keys.path().join(format!("{name}{RECORD}")))
    }

    /// [`StoredRecord::read`], whose answer depends on the bytes alone: they are read from disk each time,
    /// and the same ones are not parsed twice, because every point in them is multiplied to check it.
    fn understood(&self, name: &str, bytes: Vec<u8>) -> Result<StoredRecord, VaultError> {
        let mut read = self.read.borrow_mut();
        if let Some(same) = read.get(name).filter(|last| last.bytes == bytes) {
            return Ok(same.clone());
        }
        let record = StoredRecord::read(bytes)?;
        read.insert(name.to_owned(), record.clone());
        Ok(record)
    }

    fn key_state(&self, name: &str) -> Result<&KeyState, VaultError> {
        self.state.keys.get(name).ok_or_else(|| VaultError::NoSuchKey(name.to_owned()))
    }

    /// Changes what is remembered of a key: on disk and then in memory, or in neither.
    fn change(&mut self, name: &str, change: impl FnOnce(&mut KeyState)) -> Result<(), VaultError> {
        let mut next = self.state.clone();
        change(next.keys.get_mut(name).ok_or_else(|| VaultError::NoSuchKey(name.to_owned()))?);
        self.replace_state(next)
    }

    /// The same as the last step of something done, of which the next entry of the log tells.
    fn conclude(&mut self, name: &str, change: impl FnOnce(&mut KeyState)) -> Result<(), VaultError> {
        let mut next = self.state.clone();
        change(next.keys.get_mut(name).ok_or_else(|| VaultError::NoSuchKey(name.to_owned()))?);
        self.conclude_with(next)
    }

    /// Puts a state in the place of this one that has in it what the next entry of the log will tell.
    /// Until then, and only until then, a state without it is good.
    fn conclude_with(&mut self, mut next: State) -> Result<(), VaultError> {
        next.seq = self.noted.saturating_add(1);
        self.replace_state(next)
    }

    fn replace_state(&mut self, next: State) -> Result<(), VaultError> {
        let before = std::mem::replace(&mut self.state, next);
        self.save().inspect_err(|_| self.state = before)
    }

    fn save(&self) -> Result<(), VaultError> {
        self.check_fresh()?;
        // No map with keys other than strings, no failing serializer of ours: it is written.
        let bytes = serde_json::to_vec(&self.state).map_err(|error| broken(&self.dir, &error.to_string()))?;
        Ok(self.dir.write(STATE, &bytes)?)
    }

    /// Refuses while `state.json` is older than the audit log.
    ///
    /// # Errors
    /// [`VaultError::Stale`].
    pub fn check_fresh(&self) -> Result<(), VaultError> {
        if self.stale { Err(VaultError::Stale(self.dir.path().to_owned())) } else { Ok(()) }
    }

    /// Names that have a record, a memory, or both.
    fn names(&self) -> Result<BTreeSet<String>, VaultError> {
        let files = self.keys.names()?;
        let of_files =
            files.iter().filter_map(|file| file.strip_suffix(RECORD)).filter(|name| is_key_name(name));
        Ok(of_files.map(str::to_owned).chain(self.state.keys.keys().cloned()).collect())
    }

    fn file_of(&self, name: &str) -> Result<Option<Vec<u8>>, VaultError> {
        if !is_key_name(name) {
            return Ok(None);
        }
        Ok(self.keys.read(&format!("{name}{RECORD}"), signet_envelope::MAX_RECORD)?)
    }
}

/// What is to be remembered cannot be read.
fn broken(dir: &Dir, found: &str) -> VaultError {
    VaultError::Broken { dir: dir.path().to_owned(), found: found.to_owned() }
}

fn lock(dir: &Dir) -> Result<File, VaultError> {
    let busy = || VaultError::Busy(dir.path().to_owned());
    let file = dir.open_file(LOCK, OFlags::RDWR | OFlags::CREATE)?.ok_or_else(busy)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(busy()),
        Err(TryLockError::Error(source)) => {
            let path = dir.path().join(LOCK);
            Err(crate::disk::DiskError::Io { what: "lock", path, source }.into())
        }
    }
}

fn new_vault_id() -> Result<String, VaultError> {
    let mut id = [0; 16];
    SystemRandom::new().fill(&mut id).map_err(|_| VaultError::Random)?;
    Ok(signet_envelope::hex(&id))
}

#[cfg(test)]
mod tests;
