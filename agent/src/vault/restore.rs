//! A record without state comes back: a backup of this vault, or of another one.
//!
//! It is opened and sealed anew for this vault, so that every copy of it that lies elsewhere is from
//! then on an older one.

use super::record::Place;
use super::{Counter, StoredRecord, Vault, VaultError};
use crate::clock;
use signet_protocol::child::Token;
use signet_protocol::record::{Metadata, Recipient};
use time::OffsetDateTime;

/// How the policies of a token are known that came with a record.
const FROM_A_RECORD: &str = "restored";

impl Vault {
    /// Whether a record may come back under a name: it bears the name, the name is free (the same
    /// file may stand there unknown), this vault has not replaced or removed it, and its tokens are
    /// not known here as others, nor all lost.
    ///
    /// # Errors
    /// [`VaultError::Unfit`], [`VaultError::NameTaken`], [`VaultError::Rollback`],
    /// [`VaultError::OtherToken`], [`VaultError::TokenLost`].
    pub fn check_restorable(&self, name: &str, bytes: Vec<u8>) -> Result<StoredRecord, VaultError> {
        self.check_fresh()?;
        let record = StoredRecord::read(bytes)?;
        if record.meta.name != name {
            let why = format!("the record does not fit: it is of the key {}", record.meta.name);
            return Err(VaultError::Unfit(why));
        }
        let other = self.file_of(name)?.is_some_and(|there| there != record.bytes);
        if self.state.keys.contains_key(name) || other {
            return Err(VaultError::NameTaken(name.to_owned()));
        }
        if self.state.retired.contains(&record.header_sha256) {
            let found = "it was removed or replaced before".to_owned();
            return Err(VaultError::Rollback { key: name.to_owned(), found });
        }
        let recipients = &record.meta.recipients;
        if let Some(other) = recipients.iter().find(|to| self.known_as_another(to)) {
            return Err(VaultError::OtherToken(other.serial.clone()));
        }
        match recipients.first() {
            Some(first) if recipients.iter().all(|to| self.lost_since(&to.serial).is_some()) => {
                self.check_not_lost(&first.serial)?;
            }
            Some(_) | None => {}
        }
        Ok(record)
    }

    fn known_as_another(&self, to: &Recipient) -> bool {
        let same = |token: &&Token| token.recipient.serial == to.serial;
        self.tokens.iter().find(same).is_some_and(|token| token.recipient != *to)
    }

    /// Takes a record that was checked and has been opened and sealed anew since, as it was ordered.
    /// Its tokens are enrolled with it; the one it was made of is never taken again.
    ///
    /// # Errors
    /// As [`Vault::check_restorable`], which is asked again; the disk's.
    pub fn commit_restored(
        &mut self,
        old: &StoredRecord,
        bytes: &[u8],
        ordered: &Metadata,
        now: OffsetDateTime,
    ) -> Result<(), VaultError> {
        let name = &old.meta.name;
        self.check_restorable(name, old.bytes.clone())?;
        let record = StoredRecord::read(bytes.to_vec())?;
        if record.meta != *ordered {
            return Err(VaultError::Unfit("the record is not the one that was ordered".to_owned()));
        }
        self.enrol_recipients(&record.meta, now)?;
        let epoch = old.meta.epoch.saturating_add(1);
        self.check_fit(&record, &Place { name, epoch, previous: Some(&old.header_sha256) })?;
        let totp = self.state.restoring.get(&record.meta.access_key_id).cloned().unwrap_or_default();
        let lost = self.lost_of(&record.meta);
        self.put(name, &record, |key| {
            key.totp = totp;
            lost.iter().for_each(|(serial, date)| key.memory.lost(date, serial));
        })?;
        let mut next = self.state.clone();
        next.restoring.remove(&record.meta.access_key_id);
        self.conclude_with(next)
    }

    /// Tokens of a record that were lost, and the day of it.
    fn lost_of(&self, meta: &Metadata) -> Vec<(String, String)> {
        let lost = |to: &Recipient| {
            self.lost_since(&to.serial).map(|since| (to.serial.clone(), clock::day(since).to_owned()))
        };
        meta.recipients.iter().filter_map(lost).collect()
    }

    /// Tokens that are not known here come with their record; those that were lost stay out.
    fn enrol_recipients(&mut self, meta: &Metadata, now: OffsetDateTime) -> Result<(), VaultError> {
        let known = |to: &Recipient| self.tokens.iter().any(|token| token.recipient.serial == to.serial);
        let new = meta.recipients.iter().filter(|to| !known(to) && self.lost_since(&to.serial).is_none());
        let new: Vec<Token> = new
            .map(|to| Token {
                recipient: to.clone(),
                firmware: None,
                attested: false,
                policies: FROM_A_RECORD.to_owned(),
                enrolled: clock::rfc3339(now),
            })
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        self.replace_tokens(self.tokens.iter().cloned().chain(new).collect())
    }

    /// What codes for a record are counted under: the key's name, or the record's own key id where it
    /// is not a key yet.
    #[must_use]
    pub fn counter(&self, record: &StoredRecord) -> Counter {
        if self.state.keys.contains_key(&record.meta.name) {
            Counter::Key(record.meta.name.clone())
        } else {
            Counter::Record(record.meta.access_key_id.clone())
        }
    }
}
