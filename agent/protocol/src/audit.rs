//! One line of the audit log, and the check of its chain. Pure: the hash function is an argument.

use serde::{Deserialize, Serialize};

/// `prev` of the first entry.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What an entry records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Before the token is asked.
    Intent,
    /// After; also a refusal before any intent.
    Outcome,
    /// Kept session credentials were handed out.
    Vend,
    /// Token and key management.
    Admin,
    /// A torn last line was cut, or an intent without an outcome was found, at start.
    Recovered,
}

/// An entry without its hash, in the order in which it is written. Unknown is null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// From 1, across files.
    pub seq: u64,
    /// Id of the use.
    pub id: String,
    /// RFC 3339 UTC.
    pub time: String,
    /// What it records.
    pub phase: Phase,
    /// Name of the key.
    pub key: Option<String>,
    /// Access key id.
    pub access_key_id: Option<String>,
    /// Account.
    pub account: Option<String>,
    /// Decoded action.
    pub action: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Host.
    pub host: Option<String>,
    /// Hex SHA-256 of the canonical request.
    pub request_sha256: Option<String>,
    /// Caller's uid.
    pub uid: Option<u32>,
    /// Caller's user name.
    pub user: Option<String>,
    /// Caller's pid: decoration, it can be forged by timing.
    pub pid: Option<i32>,
    /// Caller's program: decoration.
    pub exe: Option<String>,
    /// Host name of the machine.
    pub machine: Option<String>,
    /// The caller's claim.
    pub reason: Option<String>,
    /// The rule that decided.
    pub rule: Option<String>,
    /// Serial of the token.
    pub token: Option<String>,
    /// Label of the token.
    pub token_label: Option<String>,
    /// Factors that were checked.
    pub factors: Option<Vec<String>>,
    /// `signed`, `done`, `refused`, …
    pub result: Option<String>,
    /// Code of the refusal.
    pub code: Option<String>,
    /// `ASIA…` of session credentials.
    pub session_key_id: Option<String>,
    /// Request id of AWS's answer, where the cli told it.
    pub aws_request_id: Option<String>,
    /// Hash of the entry before.
    pub prev: String,
}
