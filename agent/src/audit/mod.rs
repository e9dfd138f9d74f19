//! Signatures first; the bodies follow.

#![forbid(unsafe_code)]

use crate::config::Anchor;
use signet_protocol::api::Head;
use signet_protocol::audit::Phase;
use signet_protocol::{Code, Refusal};
use std::io::Write;
use std::path::Path;
use time::OffsetDateTime;

/// An entry as the pipeline knows it; the log adds number and chain.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Draft {
    pub id: String,
    pub time: OffsetDateTime,
    pub phase: Phase,
    pub key: Option<String>,
    pub access_key_id: Option<String>,
    pub account: Option<String>,
    pub action: Option<String>,
    pub region: Option<String>,
    pub host: Option<String>,
    pub request_sha256: Option<String>,
    pub uid: Option<u32>,
    pub user: Option<String>,
    pub pid: Option<i32>,
    pub exe: Option<String>,
    pub machine: Option<String>,
    pub reason: Option<String>,
    pub rule: Option<String>,
    pub token: Option<String>,
    pub token_label: Option<String>,
    pub factors: Option<Vec<String>>,
    pub result: Option<String>,
    pub code: Option<String>,
    pub session_key_id: Option<String>,
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
}

/// What was found at start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Bytes of a torn last line that were cut.
    pub cut: u64,
    /// Ids of uses that have an intent and no outcome.
    pub unfinished: Vec<String>,
}

/// Why an entry was not written.
#[derive(Debug)]
pub enum AuditError {
    /// to come
    Disk(String),
}

impl From<AuditError> for Refusal {
    fn from(_: AuditError) -> Self {
        Refusal::bare(Code::Internal, "")
    }
}

/// The log.
pub struct Log {}

#[allow(missing_docs, clippy::todo, unused_variables, clippy::missing_errors_doc, clippy::must_use_candidate)]
impl Log {
    /// `dir` is the state directory's `audit`; made when it is not there.
    pub fn open(dir: &Path, anchor: &Anchor, now: OffsetDateTime) -> Result<(Self, Recovery), AuditError> {
        todo!()
    }
    /// Durable when it returns. On an error nothing may be done.
    pub fn append(&mut self, draft: Draft) -> Result<u64, AuditError> {
        todo!()
    }
    pub fn head(&self) -> Head {
        todo!()
    }
    /// The stored lines, up to the head.
    pub fn read_all(&self, out: &mut impl Write) -> Result<(), AuditError> {
        todo!()
    }
}
