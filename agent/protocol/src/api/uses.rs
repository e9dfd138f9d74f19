//! One use of a key: asked for, told, answered.

use crate::child::{Managed, Prompt, TokenName, WaitingFor};
use crate::record::Credential;
use crate::refusal::Refusal;
use crate::rule::Part;
use serde::{Deserialize, Serialize};

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
    /// The lease of a session that this use is for ([`super::SessionEvent::Ask`]).
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
    /// Add a FIDO2 factor, whose credential was just made.
    AddFido2 {
        /// What the person calls it.
        label: String,
        /// The credential.
        credential: Credential,
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
    /// What will be asked of the person: `pin`, `touch`, `totp`, `fido2`.
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
