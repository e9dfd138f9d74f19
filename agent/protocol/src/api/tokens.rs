//! Tokens: listed, managed, lost.

use super::{KeyInfo, RefusedKey};
use crate::child::{Seen, TokenName};
use crate::record::Recipient;
use serde::{Deserialize, Serialize};

/// Asks for an act of token management.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// [`crate::VERSION`].
    pub version: u32,
    /// What to do.
    pub act: crate::child::EnrolAct,
    /// Whether the caller can ask the person.
    pub may_ask: bool,
}

/// `GET /v1/tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// [`crate::VERSION`].
    pub version: u32,
    /// Enrolled tokens and, with `serial` only, those that are there and not enrolled.
    pub tokens: Vec<TokenInfo>,
}

/// A token in `token list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenInfo {
    /// Serial.
    pub serial: String,
    /// Kind.
    pub kind: String,
    /// Label; empty for a token that is not enrolled.
    pub label: String,
    /// Slot; null for a token that is not enrolled.
    pub slot: Option<String>,
    /// Hex SHA-256 of the DER SubjectPublicKeyInfo; null for a token that is not enrolled.
    pub spki_sha256: Option<String>,
    /// Firmware.
    pub firmware: Option<String>,
    /// Whether attestation was checked; null for a token that is not enrolled.
    pub attested: Option<bool>,
    /// Whether it is plugged in now; null where that could not be found out (no PC/SC service).
    pub present: Option<bool>,
    /// RFC 3339 UTC: when it was reported lost; it is refused since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
    /// How the policies of its key are known ([`crate::child::Token::policies`]); null for a token
    /// that is not enrolled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<String>,
    /// What it tells without a PIN, where it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
    /// To whom records are sealed; null for a token that is not enrolled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<Recipient>,
}

/// `POST /v1/tokens/{serial}/lost`: what is to be done now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// [`crate::VERSION`].
    pub version: u32,
    /// Serial.
    pub serial: String,
    /// Keys that it opens or holds.
    pub keys: Vec<LostKey>,
    /// Keys whose record is refused: whether it opens them is not known.
    pub refused: Vec<RefusedKey>,
}

/// A key that a lost token opens or holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostKey {
    /// The key; `rotate` is null once it was marked rotated.
    pub key: KeyInfo,
    /// Its other tokens, those that were lost too left out.
    pub others: Vec<TokenName>,
}
