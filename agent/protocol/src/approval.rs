//! What a person approves with a FIDO2 authenticator, and the proof that it was done; and the two words that
//! an authenticator hears from every program of ours.
//!
//! The authenticator signs a hash that names one request; whoever has the order, the nonce and the public
//! key can check it later, without Signet.

use serde::{Deserialize, Serialize};

/// The relying party of every credential (WebAuthn level 2, 4).
pub const RELYING_PARTY: &str = "signet";

/// The salt that authenticators which open records are asked with (CTAP 2.1, 12.5, hmac-secret): the answer to
/// it makes the private key. Each credential answers it otherwise.
pub const SEALING_SALT: &[u8; 32] = b"signet/fido2/sealing-key/salt/v1";

/// What stands before nonce and order where they are hashed.
pub const LABEL: &[u8] = b"signet/fido/v1";

/// What is approved: one act on one key, at one place in the audit log. Its JSON text, members in this order,
/// is what is hashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// [`crate::VERSION`].
    pub version: u32,
    /// Name of the key.
    pub key: String,
    /// Access key id.
    pub access_key_id: String,
    /// The decoded action (`sts:GetCallerIdentity`), or the act (`signet:SetPolicy`).
    pub action: String,
    /// Credential scope: `20261122/us-east-1/sts/aws4_request`; null for an act on the key itself.
    pub scope: Option<String>,
    /// Hex SHA-256 of the canonical request; for an act on the key itself, of the message as it was sent.
    pub request_sha256: String,
    /// The caller's claim.
    pub reason: Option<String>,
    /// RFC 3339 UTC: when the intent was written.
    pub time: String,
    /// Sequence number of the intent in the audit log.
    pub seq: u64,
}

/// That a person approved, as the audit log keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// Id of the factor: `fido2-1`.
    pub factor: String,
    /// Id of its credential: base64.
    pub credential: String,
    /// The signer's 32 random bytes: base64.
    pub nonce: String,
    /// The [`Approval`]: the exact text that was hashed.
    pub order: String,
    /// Authenticator data (WebAuthn level 2, 6.1): base64.
    pub authenticator_data: String,
    /// Signature over the authenticator data and the hash: base64.
    pub signature: String,
}
