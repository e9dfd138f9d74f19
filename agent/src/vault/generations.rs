//! How a record comes, is replaced, and goes; and what is done at start about a writer that was
//! killed on the way.

use super::record::Place;
use super::state::{Dropping, KeyState};
use super::{RECORD, StoredRecord, Vault, VaultError};
use crate::clock;
use signet_protocol::record::Metadata;
use std::collections::BTreeSet;
use time::OffsetDateTime;
use time::macros::format_description;

impl Vault {
    /// Whether a record may come in under a name: it is whole and a first generation, made for this
    /// vault, the name is free, and it is sealed to exactly the enrolled tokens that it names.
    ///
    /// Its policy is not judged here.
    ///
    /// # Errors
    /// [`VaultError::Unfit`], [`VaultError::NameTaken`], [`VaultError::TokenLost`].
    pub fn check_new(&self, name: &str, bytes: &[u8]) -> Result<StoredRecord, VaultError> {
        self.check_fresh()?;
        let record = StoredRecord::read(bytes.to_vec())?;
        self.check_fit(&record, &Place { name, epoch: 1, previous: None })?;
        if self.state.keys.contains_key(name) || self.file_of(name)?.is_some() {
            return Err(VaultError::NameTaken(name.to_owned()));
        }
        record.meta.recipients.iter().try_for_each(|to| self.check_not_lost(&to.serial))?;
        Ok(record)
    }

    /// Takes a record that was checked, and that a token has opened since.
    ///
    /// # Errors
    /// As [`Vault::check_new`], which is asked again; the disk's.
    pub fn commit_new(&mut self, record: &StoredRecord) -> Result<(), VaultError> {
        let name = record.meta.name.clone();
        self.check_new(&name, &record.bytes)?;
        self.put(&name, record, |_| {})?;
        self.conclude_with(self.state.clone())
    }

    /// Takes the next generation of a record, if the one on disk is still the one whose header is
    /// `old_header`, and the new one says exactly what was ordered. Where it is sealed to fewer
    /// tokens, the key is marked to be rotated at AWS; then, and where the key itself is elsewhere than
    /// before, no older copy of it stays in the trash.
    ///
    /// # Errors
    /// [`VaultError::Conflict`] when the record was replaced meanwhile; [`VaultError::Unfit`],
    /// [`VaultError::TokenLost`]; the disk's.
    pub fn commit_next(
        &mut self,
        name: &str,
        old_header: &str,
        bytes: &[u8],
        ordered: &Metadata,
        now: OffsetDateTime,
    ) -> Result<StoredRecord, VaultError> {
        let record = self.commit_step(name, old_header, bytes, ordered, now)?;
        self.conclude_with(self.state.clone())?;
        Ok(record)
    }

    /// The same for a generation that only prepares the one that was asked for: it holds from now on,
    /// but what was asked for is not done.
    ///
    /// # Errors
    /// As [`Vault::commit_next`].
    pub fn commit_step(
        &mut self,
        name: &str,
        old_header: &str,
        bytes: &[u8],
        ordered: &Metadata,
        now: OffsetDateTime,
    ) -> Result<StoredRecord, VaultError> {
        let old = self.record(name)?;
        if old.header_sha256 != old_header {
            return Err(VaultError::Conflict(name.to_owned()));
        }
        let record = StoredRecord::read(bytes.to_vec())?;
        let epoch = old.meta.epoch.saturating_add(1);
        self.check_fit(&record, &Place { name, epoch, previous: Some(old_header) })?;
        if record.meta != *ordered {
            return Err(VaultError::Unfit("the record is not the one that was ordered".to_owned()));
        }
        let (before, after) = (serials(&old.meta), serials(&record.meta));
        after.difference(&before).try_for_each(|added| self.check_not_lost(added))?;
        let dropped: Vec<String> = before.difference(&after).map(|serial| (*serial).to_owned()).collect();
        if !dropped.is_empty() || record.meta.custody != old.meta.custody {
            // First: once this is acknowledged, no copy is left that a dropped token opens, or that
            // holds a key which is now in tokens alone. Should the rest fail, copies of what is still
            // in force are gone.
            self.empty_trash_of(&record.meta.access_key_id)?;
        }
        let date = clock::day(&clock::rfc3339(now)).to_owned();
        let dropping = (!dropped.is_empty()).then_some(Dropping { date, serials: dropped });
        self.put(name, &record, |key| key.dropping = dropping)?;
        Ok(record)
    }

    /// Pending and what is remembered `beside` it, file, pin: each durable before the next.
    pub(super) fn put(
        &mut self,
        name: &str,
        record: &StoredRecord,
        beside: impl FnOnce(&mut KeyState),
    ) -> Result<(), VaultError> {
        let new = record.pin();
        let mut next = self.state.clone();
        let key = next.keys.entry(name.to_owned()).or_default();
        key.pending = Some(new.clone());
        beside(key);
        self.replace_state(next)?;
        let written = self.keys.write(&format!("{name}{RECORD}"), &record.bytes);
        // Whatever happened to the write, the file that stands now decides.
        let resolved = self.resolve(name);
        written?;
        resolved?;
        match self.key_state(name)?.pin.as_ref() {
            Some(pin) if *pin == new => Ok(()),
            Some(_) | None => {
                let found = "it was changed while it was written".to_owned();
                Err(VaultError::Rollback { key: name.to_owned(), found })
            }
        }
    }

    /// Moves a record, or whatever stands in its place, to the trash, and frees its name. The record
    /// itself is never taken again.
    ///
    /// # Errors
    /// [`VaultError::NoSuchKey`]; the disk's.
    pub fn remove(&mut self, name: &str, now: OffsetDateTime) -> Result<(), VaultError> {
        self.check_fresh()?;
        if !self.names()?.contains(name) {
            return Err(VaultError::NoSuchKey(name.to_owned()));
        }
        if self.state.keys.contains_key(name) {
            self.change(name, |key| key.removing = true)?;
        }
        self.finish_removal(name, &stamp(now)).inspect_err(|_| {
            // It was not removed: it can be used again, unless the disk says no to this too; then
            // the next start finishes the removal.
            let _ = self.change(name, |key| key.removing = false);
        })?;
        self.conclude_with(self.state.clone())
    }

    fn finish_removal(&mut self, name: &str, stamp: &str) -> Result<(), VaultError> {
        let trashed = format!("{name}.{stamp}{RECORD}");
        self.keys.move_to(&format!("{name}{RECORD}"), &self.trash, &trashed)?;
        let mut next = self.state.clone();
        next.forget(name);
        self.read.borrow_mut().remove(name);
        self.replace_state(next)
    }

    /// Finishes what a killed agent has begun.
    pub(super) fn recover(&mut self) -> Result<(), VaultError> {
        let names: Vec<String> = self.state.keys.keys().cloned().collect();
        for name in names {
            let key = self.key_state(&name)?;
            let (removing, pending) = (key.removing, key.pending.is_some());
            if removing {
                self.finish_removal(&name, "interrupted")?;
            } else if pending {
                self.resolve(&name)?;
            }
        }
        Ok(())
    }

    /// Makes the pending generation the pinned one if it is the one on disk, and drops it otherwise.
    fn resolve(&mut self, name: &str) -> Result<(), VaultError> {
        let mut next = self.state.clone();
        let standing = self.standing(name)?;
        let standing = standing.as_ref().map(|record| (record.pin(), record.meta.previous.clone()));
        next.resolve(name, standing);
        // In memory even if it cannot be saved: on disk `pending` says the same for the next start.
        self.state = next;
        self.save()
    }

    /// The generation that stands on disk; `None` when there is none that can be read.
    fn standing(&self, name: &str) -> Result<Option<StoredRecord>, VaultError> {
        Ok(self.file_of(name)?.and_then(|bytes| StoredRecord::read(bytes).ok()))
    }
}

fn serials(meta: &Metadata) -> BTreeSet<&str> {
    meta.recipients.iter().map(|token| token.serial.as_str()).collect()
}

fn stamp(now: OffsetDateTime) -> String {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    // The format names only parts that a date always has.
    now.to_offset(time::UtcOffset::UTC).format(format).unwrap_or_else(|_| "removed".to_owned())
}
