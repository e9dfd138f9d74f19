//! Session credentials: asked for, brought, handed out, forgotten.

use crate::refusal::Refusal;
use serde::{Deserialize, Serialize};

/// Asks for session credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionRequest {
    /// [`crate::VERSION`].
    pub version: u32,
    /// Name of the key.
    pub key: String,
    /// STS host, with a port where it has one.
    pub host: String,
    /// Seconds.
    pub duration: u32,
    /// AWS MFA device, where the session is to bear MFA.
    pub mfa_serial: Option<String>,
    /// Why, in the caller's words.
    pub reason: Option<String>,
}

/// One line of the stream of a session request.
#[derive(Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum SessionEvent {
    /// This caller is the one to get it: make the use with this lease, post the result, keep reading.
    Ask {
        /// The lease; it ends with this connection.
        lease: String,
    },
    /// Another caller is getting it.
    Waiting {
        /// Who, for people.
        asked: String,
    },
    /// Here it is.
    Session(SessionCredentials),
    /// There is none.
    Refused {
        /// Why.
        error: Refusal,
    },
}

/// AWS session credentials, as STS answers them. Not `Debug`: it holds a secret of an hour.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionCredentials {
    /// `ASIA…`.
    pub access_key_id: String,
    /// Secret access key of the session.
    pub secret_access_key: String,
    /// Session token.
    pub session_token: String,
    /// RFC 3339 UTC.
    pub expiration: String,
    /// Account id, where known.
    pub account_id: Option<String>,
}

/// What became of a lease.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SessionResult {
    /// STS answered.
    Credentials {
        /// The credentials.
        credentials: SessionCredentials,
        /// `x-amzn-requestid` of the answer.
        aws_request_id: Option<String>,
    },
    /// It did not.
    Failed(Refusal),
}

/// `DELETE /v1/sessions…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// [`crate::VERSION`].
    pub version: u32,
    /// What was dropped.
    pub sessions: Vec<ForgottenSession>,
}

/// A session that was dropped; AWS honours it until it expires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgottenSession {
    /// Name of the key.
    pub key: String,
    /// `ASIA…`.
    pub access_key_id: String,
    /// RFC 3339 UTC.
    pub expiration: String,
}
