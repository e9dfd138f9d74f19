//! One line of the audit log, and the check of its chain. Pure: the hash function is an argument.
//!
//! A line is an [`Entry`] as JSON whose last member is its hash: hex SHA-256 of the line's bytes
//! before `,"hash"`. Each entry names the hash of the one before.

mod chain;

pub use chain::{Finding, HeadCheck, Kind, Report, verify};

use crate::approval::Proof;
use crate::record::Factor;
use serde::{Deserialize, Serialize};

/// What stands before the hash in a line.
const BEFORE_HASH: &str = ",\"hash\":\"";
/// What stands after it.
const AFTER_HASH: &str = "\"}";

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

/// What an entry is about, in the order in which it is written. Unknown is null.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Facts {
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
    /// Hex SHA-256 of the canonical request; for an act on a key, of the message as it was sent.
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
    /// That a FIDO2 factor was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// The FIDO2 factors of the key from here on, where the act has set them: by them later proofs are
    /// checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolled: Option<Vec<Factor>>,
    /// `signed`, `done`, `refused`, …
    pub result: Option<String>,
    /// Code of the refusal.
    pub code: Option<String>,
    /// `ASIA…` of session credentials.
    pub session_key_id: Option<String>,
    /// Request id of AWS's answer, where the cli told it.
    pub aws_request_id: Option<String>,
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
    /// What it is about.
    #[serde(flatten)]
    pub facts: Facts,
    /// Hash of the entry before.
    pub prev: String,
}

/// An entry as it stands in the log, without its LF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The whole line.
    pub text: String,
    /// Its hash.
    pub hash: String,
}

impl Entry {
    /// The line of this entry.
    ///
    /// # Errors
    /// The serializer's; it has no reason to fail on this type.
    pub fn line(&self, hash: impl Fn(&[u8]) -> String) -> Result<Line, serde_json::Error> {
        let mut text = serde_json::to_string(self)?;
        text.truncate(text.len().saturating_sub(1));
        let hash = hash(text.as_bytes());
        for part in [BEFORE_HASH, &hash, AFTER_HASH] {
            text.push_str(part);
        }
        Ok(Line { text, hash })
    }
}

/// What a line says of its place in the chain, and whether it is the line that was hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Sequence number.
    pub seq: u64,
    /// Hash of the entry before.
    pub prev: String,
    /// Hash that the line names as its own.
    pub hash: String,
    /// Whether that is its hash.
    pub intact: bool,
}

impl Link {
    /// Reads a line without its LF; `None` when it is none.
    #[must_use]
    pub fn read(line: &[u8], hash: impl Fn(&[u8]) -> String) -> Option<Self> {
        #[derive(Deserialize)]
        struct Named {
            seq: u64,
            prev: String,
        }
        let Named { seq, prev } = serde_json::from_slice(line).ok()?;
        let (hashed, named) = split(line)?;
        is_hash(&prev).then(|| Self { seq, prev, hash: named.to_owned(), intact: hash(hashed) == named })
    }
}

/// The bytes that are hashed, and the hash that the line names.
fn split(line: &[u8]) -> Option<(&[u8], &str)> {
    let body = line.strip_suffix(AFTER_HASH.as_bytes())?;
    let (body, named) = body.split_at_checked(body.len().checked_sub(GENESIS.len())?)?;
    let named = std::str::from_utf8(named).ok().filter(|named| is_hash(named))?;
    Some((body.strip_suffix(BEFORE_HASH.as_bytes())?, named))
}

fn is_hash(text: &str) -> bool {
    text.len() == GENESIS.len() && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
