//! What is remembered of a key beside its record, for people: account, uses, proofs, marks.

use super::record::is_account;
use super::{Memory, Vault, VaultError};
use crate::clock;
use time::OffsetDateTime;

impl Vault {
    /// What is remembered of a key.
    #[must_use]
    pub fn memory(&self, name: &str) -> Memory {
        self.state.keys.get(name).map(|key| key.memory.clone()).unwrap_or_default()
    }

    /// Pins the account of a key whose record names none.
    ///
    /// # Errors
    /// [`VaultError::OtherAccount`] when another one is known; [`VaultError::Unfit`] when it is none.
    pub fn pin_account(&mut self, name: &str, account: &str) -> Result<(), VaultError> {
        let account = self.fitting_account(name, account)?;
        self.conclude(name, |key| key.memory.account = account)
    }

    /// Notes a rehearsal: AWS has told this account.
    ///
    /// # Errors
    /// As [`Vault::pin_account`].
    pub fn drilled(&mut self, name: &str, account: &str, now: OffsetDateTime) -> Result<(), VaultError> {
        let account = self.fitting_account(name, account)?;
        self.conclude(name, |key| {
            key.memory.account = account;
            key.memory.drilled = Some(clock::rfc3339(now));
        })
    }

    /// What is to be remembered as the account, if this is the key's.
    fn fitting_account(&self, name: &str, account: &str) -> Result<Option<String>, VaultError> {
        if !is_account(account) {
            return Err(VaultError::Unfit("an account is 12 digits".to_owned()));
        }
        let remembered = self.memory(name).account;
        match self.record(name)?.meta.account.or_else(|| remembered.clone()) {
            Some(known) if known == account => Ok(remembered),
            Some(known) => Err(VaultError::OtherAccount { key: name.to_owned(), account: known }),
            None => Ok(Some(account.to_owned())),
        }
    }

    /// Notes that a key was used.
    ///
    /// # Errors
    /// [`VaultError::NoSuchKey`]; the disk's.
    pub fn touch_used(&mut self, name: &str, now: OffsetDateTime) -> Result<(), VaultError> {
        self.conclude(name, |key| key.memory.last_used = Some(clock::rfc3339(now)))
    }

    /// Notes that a token has proved what it should.
    ///
    /// # Errors
    /// [`VaultError::NoSuchKey`]; the disk's.
    pub fn verified(&mut self, name: &str, serial: &str, now: OffsetDateTime) -> Result<(), VaultError> {
        self.conclude(name, |key| {
            key.memory.verified.insert(serial.to_owned(), clock::rfc3339(now));
        })
    }

    /// Takes the mark away that the key is to be rotated at AWS: the person says that it was.
    ///
    /// # Errors
    /// [`VaultError::NoSuchKey`]; the disk's.
    pub fn rotated(&mut self, name: &str) -> Result<(), VaultError> {
        self.check_fresh()?;
        self.conclude(name, |key| key.memory.rotate = None)
    }
}
