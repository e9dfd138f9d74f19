//! Tokens that were lost: refused from then on, under whatever name they come back; and what is left
//! of dropped ones.

use super::{StoredRecord, Vault, VaultError};
use crate::clock;
use time::OffsetDateTime;

impl Vault {
    /// When a token was reported lost.
    #[must_use]
    pub fn lost_since(&self, serial: &str) -> Option<&str> {
        self.state.lost.get(serial).map(String::as_str)
    }

    /// Refuses a token from now on, and marks the keys that it opens or holds. A second report changes
    /// nothing but the keys whose record could not be read at the first.
    ///
    /// # Errors
    /// [`VaultError::NoSuchToken`] when no such token is known; the disk's.
    pub fn lose_token(&mut self, serial: &str, now: OffsetDateTime) -> Result<(), VaultError> {
        self.check_fresh()?;
        let theirs: Vec<String> = self.keys_of(serial)?;
        let enrolled = self.tokens.iter().any(|token| token.recipient.serial == serial);
        if theirs.is_empty() && !enrolled && !self.state.lost.contains_key(serial) {
            return Err(VaultError::NoSuchToken(serial.to_owned()));
        }
        let mut next = self.state.clone();
        let since = next.lost.entry(serial.to_owned()).or_insert_with(|| clock::rfc3339(now)).clone();
        for name in theirs {
            if let Some(key) = next.keys.get_mut(&name) {
                key.memory.lost(clock::day(&since), serial);
            }
        }
        self.conclude_with(next)
    }

    /// Names of the keys that a token opens, as far as their records can be read.
    fn keys_of(&self, serial: &str) -> Result<Vec<String>, VaultError> {
        let named = |record: &StoredRecord| record.meta.recipients.iter().any(|to| to.serial == serial);
        let held = self.keys()?.into_iter();
        Ok(held.filter(|held| held.record.as_ref().is_ok_and(named)).map(|held| held.name).collect())
    }

    /// Takes every copy of a key's older records out of the trash: those with its access key id.
    pub(super) fn empty_trash_of(&self, access_key_id: &str) -> Result<(), VaultError> {
        for name in self.trash.names()? {
            let Some(bytes) = self.trash.read(&name, signet_envelope::MAX_RECORD)? else { continue };
            // What does not parse opens nothing.
            if StoredRecord::read(bytes).is_ok_and(|record| record.meta.access_key_id == access_key_id) {
                self.trash.remove(&name)?;
            }
        }
        Ok(())
    }
}
