//! The signature counters of a key's FIDO2 credentials: what an authenticator that was copied gives away.

use super::{Vault, VaultError};
use std::collections::BTreeMap;

impl Vault {
    /// By credential id (base64): the last counter that was accepted. Empty for a key that is not known.
    #[must_use]
    pub fn approvals(&self, name: &str) -> BTreeMap<String, u32> {
        self.key_state(name).map(|key| key.approvals.clone()).unwrap_or_default()
    }

    /// The counter of an approval, on disk. Until this has returned nothing that was approved may be done.
    ///
    /// # Errors
    /// [`VaultError::NoSuchKey`]; the disk's.
    pub fn approved(&mut self, name: &str, credential: &str, counter: u32) -> Result<(), VaultError> {
        let Some(key) = self.state.keys.get_mut(name) else {
            return Err(VaultError::NoSuchKey(name.to_owned()));
        };
        // In memory first: when the disk fails, what this process knows is the stricter.
        key.approvals.insert(credential.to_owned(), counter);
        self.save()
    }
}
