//! Keys as they are listed, and what a person says of them.

use crate::record::{Custody, Factor, Holder, KeyKind, Partition};
use crate::refusal::Refusal;
use crate::rule::Part;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `GET /v1/keys`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// [`crate::VERSION`].
    pub version: u32,
    /// The keys, by name.
    pub keys: Vec<KeyInfo>,
    /// Keys whose record is refused: one that is broken hides no other.
    #[serde(default)]
    pub refused: Vec<RefusedKey>,
}

/// A key that cannot be used as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedKey {
    /// Name.
    pub name: String,
    /// Why, and what to type.
    pub error: Refusal,
}

/// A key in `list` and `show`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyInfo {
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: KeyKind,
    /// Account.
    pub account: Option<String>,
    /// Partition.
    pub partition: Partition,
    /// Access key id.
    pub access_key_id: String,
    /// Custody.
    pub custody: Custody,
    /// Serials of its tokens.
    pub tokens: Vec<String>,
    /// Ids of its factors.
    pub factors: Vec<String>,
    /// Names of its policy parts.
    pub policy: Vec<String>,
    /// AWS MFA device; not known to the vault in this version.
    pub mfa_serial: Option<String>,
    /// When it was added.
    pub created: String,
    /// Generation of its record.
    pub epoch: u64,
    /// When it was last used.
    pub last_used: Option<String>,
    /// `date why` when it is to be rotated at AWS.
    pub rotate: Option<String>,
    /// The factors in full, for `factor list`.
    #[serde(default)]
    pub factor_details: Vec<Factor>,
    /// The policy in full, for `show`.
    #[serde(default)]
    pub policy_parts: Vec<Part>,
    /// The tokens that hold the key, with custody `in-token`.
    #[serde(default)]
    pub holders: Vec<Holder>,
    /// How many touches a use takes.
    #[serde(default)]
    pub touches: u32,
    /// Serial and time of the last `verify` of each token that was.
    #[serde(default)]
    pub verified: BTreeMap<String, String>,
    /// When it was last rehearsed.
    #[serde(default)]
    pub drilled: Option<String>,
}

/// Notes a rehearsal: a real use whose answer was the account that was expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drilled {
    /// [`crate::VERSION`].
    pub version: u32,
    /// The account that AWS told: 12 digits.
    pub account: String,
}

/// Pins the account of a key whose record does not name one, after its first GetCallerIdentity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinAccount {
    /// [`crate::VERSION`].
    pub version: u32,
    /// 12 digits.
    pub account: String,
}
