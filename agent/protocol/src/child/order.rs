//! What the signer is to do with one key, once.

use super::Places;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the signer is to do with one key, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// [`crate::VERSION`].
    pub version: u32,
    /// Id of the use; part of the binding of each answer.
    pub use_id: String,
    /// Name of the key.
    pub key: String,
    /// Body of the cli's request, byte for byte: [`crate::api::UseRequest`] as JSON.
    pub request: String,
    /// The record: base64 of the file's bytes.
    pub record: String,
    /// Hex SHA-256 of the record's header that the agent has pinned; the signer compares.
    pub header_sha256: String,
    /// What is asked for.
    pub act: Act,
    /// What the signer needs for an approval, where the act is gated by the key's `fido2` factors.
    pub approval: Option<ApprovalGate>,
    /// Kinds that the agent's configuration names; recipients of other kinds are passed over.
    pub kinds: Vec<String>,
    /// Serials of the tokens that may serve; others, such as lost ones, are passed over.
    pub tokens: Vec<String>,
    /// Whether a token that is not there is waited for.
    pub wait_for_token: bool,
    /// Milliseconds the use may still take.
    pub deadline_ms: u64,
    /// Where hardware and files are.
    pub places: Places,
}

/// The act of an [`Order`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// Sign the request in [`Order::request`].
    Sign {
        /// `x-amz-date` of the request: `YYYYMMDDTHHMMSSZ`. The signer checks it against its clock.
        amz_date: String,
        /// Hex SHA-256 of the canonical request as the agent computed it; the signer computes its
        /// own and refuses when they differ.
        canonical_sha256: String,
        /// The TOTP gate, where the key has that factor.
        totp: Option<TotpGate>,
    },
    /// Open the record, authenticate it, check its payload, and tell that it opened.
    Open {
        /// The TOTP gate, where the key has that factor and the act is gated by it.
        totp: Option<TotpGate>,
    },
    /// Prove that the token opens the record and, where it holds the key, computes what it should.
    Verify {},
    /// Write the key into tokens, and seal a new generation that holds it no more.
    ///
    /// The order of it: open; where an access code is new, [`super::Event::Store`] a generation that holds
    /// it; write each token and verify it by [`crate::record::CHECK_CHALLENGE`]; tell the last
    /// generation. The key comes from the record or, with custody `in-token`, from the person
    /// (`secret`), and is compared with what the holders there are have answered.
    Embed {
        /// The new metadata as far as the agent knows it: exact JSON bytes of
        /// [`crate::record::Metadata`] with custody `in-token`, its `holders` those there are, its
        /// `epoch` and `previous` for the case that no generation comes between.
        metadata: String,
        /// Serials of the tokens to write, in this order; each is a recipient in `metadata`.
        tokens: Vec<String>,
        /// Whether the applets shall ask for an access code.
        access_code: bool,
        /// Other records that hold the access code of one of the tokens.
        siblings: Vec<Sibling>,
        /// The TOTP gate of the factor that the key has now.
        totp: Option<TotpGate>,
    },
    /// Open the record and seal a new generation to the recipients in `metadata`.
    Reseal {
        /// The new metadata: exact JSON bytes of [`crate::record::Metadata`].
        metadata: String,
        /// What becomes of the TOTP seed.
        seed: Seed,
        /// The TOTP gate of the factor that the key has now.
        totp: Option<TotpGate>,
    },
}

/// Another key's record, which holds the access code of a token's applet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sibling {
    /// Serial of the token.
    pub serial: String,
    /// Name of the other key.
    pub key: String,
    /// Base64 of its record.
    pub record: String,
    /// Hex SHA-256 of its header that the agent has pinned.
    pub header_sha256: String,
}

/// What the signer needs to check a code once and never twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TotpGate {
    /// The last step that was accepted; only later ones are taken.
    pub last_step: Option<u64>,
}

/// What the signer needs to have an act approved that is this one and no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalGate {
    /// The act by its name: `sts:GetCallerIdentity`, `signet:SetPolicy`.
    pub action: String,
    /// RFC 3339 UTC: when the intent was written.
    pub time: String,
    /// Sequence number of the intent.
    pub seq: u64,
    /// By factor: the last signature counter that was accepted, where it is later than the enrolled one.
    pub counters: BTreeMap<String, u32>,
}

/// What becomes of the TOTP seed when a record is resealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seed {
    /// It stays as it is.
    Keep,
    /// It is left out.
    Drop,
    /// A new one is asked for (`totp-seed`) and confirmed with one code (`totp`).
    Ask,
}
