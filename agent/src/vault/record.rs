//! A record as the vault sees it: public header data only, never opened.

use super::state::Pin;
use super::{Vault, VaultError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signet_envelope::{PublicKey, Record, hex, sha256};
use signet_protocol::record::{Custody, Factor, FactorKind, MAX_FACTORS, Metadata, is_key_name};
use std::collections::BTreeSet;

/// A record and its metadata, which the header's hash pins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// Its metadata.
    pub meta: Metadata,
    /// Hex SHA-256 of its header.
    pub header_sha256: String,
}

impl StoredRecord {
    /// Reads a record: the grammar, and its metadata strictly.
    ///
    /// # Errors
    /// [`VaultError::Unfit`].
    pub fn read(bytes: Vec<u8>) -> Result<Self, VaultError> {
        let unfit =
            |why: &dyn std::fmt::Display| VaultError::Unfit(format!("the record does not parse: {why}"));
        let record = Record::parse(&bytes).map_err(|error| unfit(&error))?;
        let meta: Metadata = serde_json::from_slice(record.meta()).map_err(|error| unfit(&error))?;
        let header_sha256 = hex(&record.header_sha256());
        Ok(Self { bytes, meta, header_sha256 })
    }

    pub(super) fn pin(&self) -> Pin {
        let file = hex(&sha256(&self.bytes));
        Pin { epoch: self.meta.epoch, header: self.header_sha256.clone(), file }
    }
}

/// What a candidate must be to stand as generation `epoch` of `name`.
pub(super) struct Place<'a> {
    pub(super) name: &'a str,
    pub(super) epoch: u64,
    pub(super) previous: Option<&'a str>,
}

impl Vault {
    /// Whether a candidate fits its place, this vault, and the enrolled tokens.
    pub(super) fn check_fit(&self, record: &StoredRecord, place: &Place<'_>) -> Result<(), VaultError> {
        let meta = &record.meta;
        let checks = [
            (meta.version == signet_protocol::VERSION, "it is of another version"),
            (meta.vault_id == self.vault_id(), "it was made for another vault"),
            (meta.name == place.name, "it is of another name"),
            (is_key_name(&meta.name), "its name cannot name a key"),
            (meta.epoch == place.epoch, "its epoch is not the next one"),
            (meta.previous.as_deref() == place.previous, "it does not follow the record before it"),
            (!self.state.retired.contains(&record.header_sha256), "it was removed or replaced before"),
            (crate::clock::parse(&meta.created).is_some(), "its date of creation cannot be read"),
            (is_access_key_id(&meta.access_key_id), "its access key id is none"),
            (meta.account.as_deref().is_none_or(is_account), "its account is not 12 digits"),
            (unique(meta.factors.iter().map(|factor| &factor.id)), "two factors have one id"),
            (
                meta.factors.iter().filter(|f| f.kind == FactorKind::Totp).count() < 2,
                "two factors make codes",
            ),
            (meta.factors.iter().all(is_sound), "a factor of it is not what its kind says"),
            (meta.factors.len() <= MAX_FACTORS, "it has more factors than a key can have"),
            (unique(meta.factors.iter().filter_map(credential_id)), "two factors are one credential"),
            (unique(meta.recipients.iter().map(|token| &token.serial)), "it names a token twice"),
            (unique(meta.holders.iter().map(|token| &token.serial)), "it names a holder twice"),
            (meta.holders.iter().all(|holder| opens(meta, &holder.serial)), "a holder of it cannot open it"),
            (
                (meta.custody == Custody::InToken) != meta.holders.is_empty(),
                "it does not say where the key is",
            ),
        ];
        match checks.iter().find(|(holds, _)| !holds) {
            Some((_, why)) => Err(VaultError::Unfit(format!("the record does not fit: {why}"))),
            None => self.check_recipients(record),
        }
    }

    /// The tokens that the metadata names are enrolled (or known as lost), and the record is sealed to
    /// exactly them.
    fn check_recipients(&self, record: &StoredRecord) -> Result<(), VaultError> {
        let unfit = |why: String| Err(VaultError::Unfit(format!("the record does not fit: {why}")));
        let Ok(sealed) = Record::parse(&record.bytes) else { return unfit("it does not parse".to_owned()) };
        for named in &record.meta.recipients {
            let enrolled = self.tokens.iter().any(|token| token.recipient == *named);
            if !enrolled && self.lost_since(&named.serial).is_none() {
                return unfit(format!("token {} is not enrolled with this key", named.serial));
            }
            let key =
                STANDARD.decode(&named.public_key).ok().and_then(|key| PublicKey::from_bytes(&key).ok());
            if key.is_none_or(|key| sealed.enc_for(&key).is_none()) {
                return unfit(format!("it is not sealed to token {}", named.serial));
            }
        }
        if sealed.recipients() != record.meta.recipients.len() {
            return unfit("it is sealed to a token that it does not name".to_owned());
        }
        Ok(())
    }
}

fn opens(meta: &Metadata, serial: &str) -> bool {
    meta.recipients.iter().any(|token| token.serial == serial)
}

/// A credential where the kind has one, and one that can be used.
fn is_sound(factor: &Factor) -> bool {
    match (factor.kind, &factor.credential) {
        (FactorKind::Totp, None) => true,
        (FactorKind::Fido2, Some(credential)) => signet_fido::assertion::check_credential(credential).is_ok(),
        (FactorKind::Totp, Some(_)) | (FactorKind::Fido2, None) => false,
    }
}

fn credential_id(factor: &Factor) -> Option<&String> {
    factor.credential.as_ref().map(|credential| &credential.id)
}

fn unique<T: Ord>(mut items: impl Iterator<Item = T>) -> bool {
    let mut seen = BTreeSet::new();
    items.all(|item| seen.insert(item))
}

/// 16 to 128 upper-case letters and digits (IAM API reference, AccessKey).
fn is_access_key_id(text: &str) -> bool {
    (16..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

pub(super) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}
