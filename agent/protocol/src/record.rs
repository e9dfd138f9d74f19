//! The metadata stanza of a sealed record (`signet/meta/v1`): what may be known of a key without
//! opening it. Authenticated by the record's header MAC, and by the pin in `state.json` before that.

use crate::rule::Part;
use serde::{Deserialize, Serialize};

/// Whose access key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyKind {
    /// The account's root user.
    Root,
    /// An IAM user kept for emergencies.
    IamUser,
}

/// Where the secret is when nobody uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Custody {
    /// In this record, which a token opens: the secret is in one signer for milliseconds a use.
    Sealed,
    /// In the tokens themselves, which compute the date key: the secret is nowhere else.
    InToken,
}

/// AWS partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Partition {
    /// Commercial regions.
    #[serde(rename = "aws")]
    Aws,
    /// GovCloud.
    #[serde(rename = "aws-us-gov")]
    AwsUsGov,
}

/// One token that opens the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipient {
    /// Kind of token, a row of the signer's table: `yubikey-piv`, `fido2`, `software`.
    pub kind: String,
    /// Serial, decimal for YubiKeys, `fido-` or `soft-` and 8 hex digits for others.
    pub serial: String,
    /// What names the key on the token: the slot, in hex, for PIV (`95`); the credential id, in base64, for
    /// FIDO2; empty where a kind has but one.
    pub slot: String,
    /// The public key: base64 of the 65-byte uncompressed P-256 point (SEC 1, 2.3.3).
    pub public_key: String,
    /// What the person calls it.
    pub label: String,
}

/// One token that holds the key itself, as an HMAC-SHA256 credential that answers only to a touch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// Kind of holder, a row of the signer's table: `yubikey-oath`.
    pub kind: String,
    /// Serial: that of the recipient which is the same token.
    pub serial: String,
    /// What tells this applet from every other, and from itself after a reset: hex of the eight
    /// bytes that the OATH applet's SELECT answers as its name (Yubico, "OATH protocol", SELECT).
    pub device: String,
    /// Name of the credential in the applet.
    pub credential: String,
    /// Whether the applet asks for the access code that is sealed in the record.
    pub access_code: bool,
    /// Hex SHA-256 of what the credential answers to [`CHECK_CHALLENGE`]: proves that it holds the
    /// right key, and tells nothing of it.
    pub check: String,
}

/// The challenge by which a holder is verified: eight bytes, and no date that SigV4 could ask for.
pub const CHECK_CHALLENGE: &[u8; 8] = b"signet-0";

/// A second factor of Signet's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Factor {
    /// `totp-1`.
    pub id: String,
    /// Kind of factor.
    pub kind: FactorKind,
    /// What the person calls it.
    pub label: String,
    /// RFC 3339 UTC.
    pub created: String,
    /// The credential of a `fido2` factor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Credential>,
}

/// What is kept of a FIDO2 credential: everything by which its assertions are checked (WebAuthn level 2,
/// 6.1 and 7.2), and nothing that is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// Credential id: base64.
    pub id: String,
    /// How it signs.
    pub algorithm: Algorithm,
    /// Its public key: base64 of the 65-byte uncompressed P-256 point, or of the 32 bytes of Ed25519.
    pub public_key: String,
    /// Model of the authenticator: 32 hex digits.
    pub aaguid: String,
    /// How it can be reached, in its own words: `usb`, `nfc`.
    pub transports: Vec<String>,
    /// Whether each assertion must say that the person was verified, by PIN or biometry.
    pub user_verification: bool,
    /// Its signature counter when it was enrolled; null for an authenticator whose counter is always zero.
    pub counter: Option<u32>,
}

/// Signature algorithms of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256 (COSE -7).
    Es256,
    /// Ed25519 (COSE -8).
    EdDsa,
}

/// Kinds of second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FactorKind {
    /// RFC 6238, SHA-1, 30 s, 6 digits; the seed is in the sealed payload.
    Totp,
    /// A FIDO2 authenticator that approves the request; any one of a key's will do.
    Fido2,
}

impl FactorKind {
    /// The name in rules and on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Fido2 => "fido2",
        }
    }
}

impl Metadata {
    /// Whether the key has a factor of a kind.
    #[must_use]
    pub fn has(&self, kind: FactorKind) -> bool {
        self.factors.iter().any(|factor| factor.kind == kind)
    }
}

/// Everything a record says of its key in the clear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// [`crate::VERSION`].
    pub version: u32,
    /// The vault this record belongs to: 32 hex digits.
    pub vault_id: String,
    /// Name of the key: `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`.
    pub name: String,
    /// Generation of the record, from 1.
    pub epoch: u64,
    /// RFC 3339 UTC: when the key was added.
    pub created: String,
    /// Whose key it is.
    pub kind: KeyKind,
    /// 12 digits; null until the first GetCallerIdentity pins it.
    pub account: Option<String>,
    /// Partition of the account.
    pub partition: Partition,
    /// `AKIA…`.
    pub access_key_id: String,
    /// Where the secret is.
    pub custody: Custody,
    /// The key's own policy: the ceiling.
    pub policy: Vec<Part>,
    /// Second factors checked at each use.
    pub factors: Vec<Factor>,
    /// Tokens that open the record.
    pub recipients: Vec<Recipient>,
    /// Tokens that hold the key, with custody `in-token`; each is a recipient too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<Holder>,
    /// Hex SHA-256 of the previous generation's header; null in the first.
    pub previous: Option<String>,
}

/// Most factors of one key.
pub const MAX_FACTORS: usize = 8;

/// The sealed payload: the only place where the secret stands. Not `Debug`, not `Clone`.
///
/// This is the shape only; programs that hold one keep it in memory that is wiped (the signer, and
/// the cli while it adds a key). Every string is borrowed from such memory.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payload<'a> {
    /// AWS secret access key: 1 to 128 characters of base64's alphabet, no JSON escape needed; null
    /// with custody `in-token`.
    pub secret: Option<&'a str>,
    /// Seed of the TOTP factor, base32 without padding; null without that factor.
    pub totp_seed: Option<&'a str>,
    /// Access codes of the applets that hold the key, or are about to.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub access_codes: Vec<AccessCode<'a>>,
}

/// The access code of one token's OATH applet: whoever knows it can use and overwrite what is in it.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessCode<'a> {
    /// Serial of the token.
    pub serial: &'a str,
    /// The code as `ykman oath` takes it: base32, no JSON escape needed.
    pub code: &'a str,
}

/// Whether `name` may name a key (and so a file `keys/NAME.age`).
#[must_use]
pub fn is_key_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphanumeric())
        && name.len() <= 64
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}
