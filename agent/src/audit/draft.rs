//! An entry as the pipeline knows it, before the log gives it its number and its place.

use crate::clock;
use signet_protocol::audit::{Entry, Phase};
use time::OffsetDateTime;

/// Longest text of an entry, in characters: callers choose some of them.
const LONGEST: usize = 1024;

/// An entry without number and chain. Unknown is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Id of the use.
    pub id: String,
    /// When.
    pub time: OffsetDateTime,
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
    /// Caller's pid.
    pub pid: Option<i32>,
    /// Caller's program.
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
    /// Request id of AWS's answer.
    pub aws_request_id: Option<String>,
}

impl Draft {
    /// An entry of which nothing else is known.
    #[must_use]
    pub fn new(phase: Phase, id: &str, time: OffsetDateTime) -> Self {
        Self {
            id: id.to_owned(),
            time,
            phase,
            key: None,
            access_key_id: None,
            account: None,
            action: None,
            region: None,
            host: None,
            request_sha256: None,
            uid: None,
            user: None,
            pid: None,
            exe: None,
            machine: None,
            reason: None,
            rule: None,
            token: None,
            token_label: None,
            factors: None,
            result: None,
            code: None,
            session_key_id: None,
            aws_request_id: None,
        }
    }

    /// What the log keeps of an intent that has no outcome.
    pub(super) fn unfinished(intent: Entry, time: OffsetDateTime) -> Self {
        Self {
            key: intent.key,
            access_key_id: intent.access_key_id,
            account: intent.account,
            action: intent.action,
            region: intent.region,
            host: intent.host,
            request_sha256: intent.request_sha256,
            uid: intent.uid,
            user: intent.user,
            machine: intent.machine,
            result: Some("unfinished".to_owned()),
            ..Self::new(Phase::Recovered, &intent.id, time)
        }
    }

    /// The entry with its place in the chain.
    pub(super) fn entry(self, seq: u64, prev: &str) -> Entry {
        Entry {
            seq,
            id: cut(self.id),
            time: clock::rfc3339(self.time),
            phase: self.phase,
            key: self.key.map(cut),
            access_key_id: self.access_key_id.map(cut),
            account: self.account.map(cut),
            action: self.action.map(cut),
            region: self.region.map(cut),
            host: self.host.map(cut),
            request_sha256: self.request_sha256.map(cut),
            uid: self.uid,
            user: self.user.map(cut),
            pid: self.pid,
            exe: self.exe.map(cut),
            machine: self.machine.map(cut),
            reason: self.reason.map(cut),
            rule: self.rule.map(cut),
            token: self.token.map(cut),
            token_label: self.token_label.map(cut),
            factors: self.factors,
            result: self.result.map(cut),
            code: self.code.map(cut),
            session_key_id: self.session_key_id.map(cut),
            aws_request_id: self.aws_request_id.map(cut),
            prev: prev.to_owned(),
        }
    }
}

fn cut(mut text: String) -> String {
    if let Some((place, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(place);
    }
    text
}
