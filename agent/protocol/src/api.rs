//! cli ↔ agent: HTTP/1.1 over the Unix socket, JSON bodies, versioned paths.
//!
//! | method and path | request | answer |
//! |---|---|---|
//! | `GET /v1/status` | – | [`Status`] |
//! | `GET /v1/keys` | – | [`Keys`] |
//! | `DELETE /v1/keys/{name}?lost` | – | `{"version":1}` |
//! | `POST /v1/keys/{name}/account` | [`PinAccount`] | `{"version":1}` |
//! | `POST /v1/keys/{name}/rotated` | – | `{"version":1}` |
//! | `POST /v1/keys/{name}/drilled` | [`Drilled`] | `{"version":1}` |
//! | `POST /v1/uses` | [`UseRequest`] | lines of [`UseEvent`] |
//! | `POST /v1/uses/{id}/answers` | [`Answer`] | `{"version":1}` |
//! | `GET /v1/tokens` | – | [`Tokens`] |
//! | `POST /v1/tokens` | [`TokenRequest`] | lines of [`UseEvent`] |
//! | `DELETE /v1/tokens/{serial}` | – | `{"version":1}` |
//! | `POST /v1/tokens/{serial}/lost` | – | [`Lost`] |
//! | `POST /v1/sessions` | [`SessionRequest`] | lines of [`SessionEvent`] |
//! | `POST /v1/sessions/{lease}` | [`SessionResult`] | `{"version":1}` |
//! | `DELETE /v1/sessions`, `DELETE /v1/sessions/{name}` | – | [`Forgotten`] |
//! | `GET /v1/policy/presets` | – | [`Presets`] |
//! | `POST /v1/policy/check` | [`PolicyText`] | [`NamedRules`] |
//! | `POST /v1/policy/explain` | [`UseRequest`] | [`Explained`] |
//! | `GET /v1/audit` | – | the stored lines |
//! | `GET /v1/audit/head` | – | [`Head`] |
//!
//! A refusal is an HTTP status of 4xx or 5xx with a [`crate::refusal::Failure`], or, once a stream
//! has begun, the event `refused`. A use ends when its connection does.

use crate::child::{Managed, Prompt, Seen, TokenName, WaitingFor};
use crate::record::{Custody, Factor, Holder, KeyKind, Partition, Recipient};
use crate::refusal::Refusal;
use crate::rule::{NamedRules, Part};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Asks for one use of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UseRequest {
    /// [`crate::VERSION`].
    pub version: u32,
    /// Name of the key.
    pub key: String,
    /// What to do with it.
    pub act: UseAct,
    /// Why, in the caller's words: shown as a claim, kept in the audit entry. At most 256 characters.
    pub reason: Option<String>,
    /// Whether the caller can ask the person; without it nothing is asked and nothing waited for.
    pub may_ask: bool,
    /// The lease of a session that this use is for ([`SessionEvent::Ask`]).
    pub lease: Option<String>,
}

/// What can be done with a key. Each is a use: audit, PIN, touch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum UseAct {
    /// Sign a request.
    Sign(SignRequest),
    /// Take this record into the vault once a token has opened it.
    Add {
        /// Base64 of the record that the cli has sealed.
        record: String,
    },
    /// Replace the key's own policy.
    SetPolicy {
        /// The new policy.
        policy: Vec<Part>,
    },
    /// Add a TOTP factor; the seed is asked for (`totp-seed`), then a code (`totp`).
    AddTotp {
        /// What the person calls it.
        label: String,
    },
    /// Remove a factor.
    RemoveFactor {
        /// Its id.
        id: String,
    },
    /// Remove the key.
    Remove {},
    /// Write the key into tokens, after which it is in no record any more.
    Embed {
        /// Serials; empty for every token of the key.
        tokens: Vec<String>,
        /// Whether the applets shall ask for an access code.
        access_code: bool,
    },
    /// Let other tokens open the record (and hold the key, with custody `in-token`).
    Reseal {
        /// Serials of enrolled tokens that shall.
        add: Vec<String>,
        /// Serials of tokens that shall no more.
        drop: Vec<String>,
    },
    /// Prove that one token still opens or computes what it should. No code is asked for.
    Verify {
        /// Serial.
        token: String,
    },
    /// Take a record of this or of another vault, without state, under the key's name.
    Restore {
        /// Base64 of the record.
        record: String,
    },
}

/// The HTTP request to be signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignRequest {
    /// Service of the credential scope: `sts`, `iam`, `s3`, `sqs`, …
    pub service: String,
    /// Region of the credential scope.
    pub region: String,
    /// HTTP method.
    pub method: String,
    /// Absolute URL: `https://host/path?query`, percent-encoding as it goes on the wire; plain
    /// `http` only for hosts in `extra_hosts`.
    pub url: String,
    /// Headers as they go on the wire, without `host` (that is the URL's) and `authorization`.
    pub headers: Vec<(String, String)>,
    /// Base64 of the body; null when only its hash is given (`x-amz-content-sha256`, S3 only).
    pub body: Option<String>,
}

/// An answer to a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Number of the prompt.
    pub number: u32,
    /// Base64 of `enc ‖ ciphertext` (HPKE, `info` of [`crate::prompt::answer_info`]); null cancels.
    pub sealed: Option<String>,
}

/// One line of the stream of a use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum UseEvent {
    /// Policy allows it; the conversation begins.
    Accepted(Accepted),
    /// Other uses of the same token come first.
    Queued {
        /// Place in the queue, from 1.
        place: u32,
    },
    /// Something is waited for.
    Waiting {
        /// For what.
        what: WaitingFor,
        /// The tokens that would do.
        tokens: Vec<TokenName>,
        /// At most this long, in seconds.
        seconds: u32,
    },
    /// A question for the person; answered on `POST /v1/uses/{id}/answers`.
    Prompt(Prompt),
    /// The token waits for a touch.
    Touch {
        /// Which touch of this use, from 1.
        n: u32,
        /// How many there are.
        of: u32,
        /// The token to touch.
        token: TokenName,
        /// Seconds after which the token gives up, as far as known.
        seconds: u32,
    },
    /// The touch was given: take the notice away.
    Touched {},
    /// Act `sign` is done.
    Signed(Signed),
    /// Another act is done.
    Done {
        /// The result of an act of token management.
        managed: Option<Managed>,
    },
    /// Nothing was done.
    Refused {
        /// Why.
        error: Refusal,
    },
}

/// What the person is told before the first question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Id of the use.
    pub id: String,
    /// Name of the key; empty for an act of token management.
    pub key: String,
    /// The decoded action (`sts:GetCallerIdentity`), or the act (`signet:SetPolicy`).
    pub action: String,
    /// Account of the key.
    pub account: Option<String>,
    /// Region of the scope; null where there is none.
    pub region: Option<String>,
    /// Host of the request; null where there is none.
    pub host: Option<String>,
    /// Who asks: user name, uid, pid, program.
    pub peer: String,
    /// What will be asked of the person: `pin`, `touch`, `totp`.
    pub obligations: Vec<String>,
    /// The tokens that would do.
    pub tokens: Vec<TokenName>,
    /// Seconds the use may take.
    pub seconds: u32,
    /// What the person should know first, e.g. that the key is on a software token.
    pub warnings: Vec<String>,
}

/// A signed request: what to send, and what was signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// Every header to send, `host` and `authorization` included, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The URL to send to, unchanged.
    pub url: String,
    /// The decoded action.
    pub action: String,
    /// `x-amz-date` of the request.
    pub amz_date: String,
    /// Sequence number of the outcome in the audit log.
    pub audit_seq: u64,
}

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

/// Pins the account of a key whose record does not name one, after its first GetCallerIdentity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinAccount {
    /// [`crate::VERSION`].
    pub version: u32,
    /// 12 digits.
    pub account: String,
}

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

/// `GET /v1/policy/presets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presets {
    /// [`crate::VERSION`].
    pub version: u32,
    /// The presets with their rules.
    pub presets: Vec<NamedRules>,
}

/// Text of a policy file to be checked with the agent's own parser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyText {
    /// [`crate::VERSION`].
    pub version: u32,
    /// Base name of the file.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// What policy says of a request, without any use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// [`crate::VERSION`].
    pub version: u32,
    /// The decoded action.
    pub action: String,
    /// Whether it would be allowed.
    pub allowed: bool,
    /// The rule that decided.
    pub rule: String,
    /// What would be asked of the person.
    pub obligations: Vec<String>,
}

/// `GET /v1/audit/head`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// [`crate::VERSION`].
    pub version: u32,
    /// Sequence number of the last entry; 0 when there is none.
    pub seq: u64,
    /// Its hash; 64 zeros when there is none.
    pub hash: String,
}

/// `GET /v1/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// [`crate::VERSION`].
    pub version: u32,
    /// Version of the agent's program.
    pub agent_version: String,
    /// Its process id.
    pub pid: u32,
    /// Its uid.
    pub uid: u32,
    /// Seconds since it started.
    pub uptime: u64,
    /// Its socket.
    pub socket: String,
    /// Its state directory.
    pub state_dir: String,
    /// Its configuration file; null when there is none and defaults are in force.
    pub config: Option<String>,
    /// Its policy file; null when there is none.
    pub policy: Option<String>,
    /// Id of the vault: 32 hex digits.
    pub vault_id: String,
    /// Kinds of token in force.
    pub kinds: Vec<String>,
    /// Loopback hosts that requests may go to in the clear.
    pub extra_hosts: Vec<String>,
    /// Socket of the PC/SC service; empty for the system's.
    pub pcsc_socket: String,
    /// Hardening layers.
    pub hardening: Vec<Layer>,
    /// Head of the audit log.
    pub head: Head,
    /// Where heads are copied to; empty for nowhere.
    pub anchor: String,
    /// How many keys and tokens there are, and how many session credentials are kept.
    pub counts: Counts,
}

/// One hardening layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// What it does.
    pub name: String,
    /// Whether it is in force.
    pub on: bool,
    /// Why not.
    pub why: Option<String>,
}

/// How much there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Keys.
    pub keys: u32,
    /// Enrolled tokens.
    pub tokens: u32,
    /// Kept session credentials.
    pub sessions: u32,
}
