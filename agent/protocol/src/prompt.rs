//! What a person can be asked, and how an answer is bound to its question.

use serde::{Deserialize, Serialize};

/// The kinds of question. Names on the wire and in `SIGNET_PROMPT` are kebab-case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PromptKind {
    /// The token's PIN.
    Pin,
    /// The PIN of a FIDO2 authenticator.
    FidoPin,
    /// A new PIN, asked twice by the cli.
    NewPin,
    /// A new PUK, asked twice by the cli.
    NewPuk,
    /// The token's PUK.
    Puk,
    /// The PIV management key, hex.
    ManagementKey,
    /// A one-time code of Signet's own factor.
    Totp,
    /// The seed of Signet's own factor: an `otpauth:` URI or base32.
    TotpSeed,
    /// A code of AWS's MFA device; part of the request, asked by the cli itself.
    AwsMfa,
    /// An AWS secret access key, typed in once more for a token that is to hold it too.
    Secret,
    /// Yes or no. The sealed answer is the four bytes `yes\n` without the LF: `yes`.
    Confirm,
    /// The passphrase of a software token.
    Passphrase,
    /// A new passphrase, asked twice by the cli.
    NewPassphrase,
    /// A notice, not a question: the token waits for a touch.
    Touch,
}

impl PromptKind {
    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::FidoPin => "fido-pin",
            Self::NewPin => "new-pin",
            Self::NewPuk => "new-puk",
            Self::Puk => "puk",
            Self::ManagementKey => "management-key",
            Self::Totp => "totp",
            Self::TotpSeed => "totp-seed",
            Self::AwsMfa => "aws-mfa",
            Self::Secret => "secret",
            Self::Confirm => "confirm",
            Self::Passphrase => "passphrase",
            Self::NewPassphrase => "new-passphrase",
            Self::Touch => "touch",
        }
    }
}

/// Label of the HPKE `info` that binds an answer to its question.
const ANSWER_LABEL: &[u8] = b"signet/answer/v1";

/// HPKE `info` of one answer: label ‖ use id ‖ prompt number ‖ kind ‖ subject, each with its length.
///
/// `subject` is the SHA-256 of [`subject_input`]: the cli computes it from what it sent, the child
/// from its order, so an answer opens only for the request that the person saw.
#[must_use]
pub fn answer_info(use_id: &str, number: u32, kind: PromptKind, subject: &[u8; 32]) -> Vec<u8> {
    let number = number.to_be_bytes();
    joined(&[ANSWER_LABEL, use_id.as_bytes(), &number, kind.name().as_bytes(), subject])
}

/// What is hashed to name the subject of a use: key name (or token serial) and the request body
/// exactly as the cli sent it.
#[must_use]
pub fn subject_input(name: &str, request: &[u8]) -> Vec<u8> {
    joined(&[name.as_bytes(), request])
}

/// Each part behind its length as a big-endian u32, so that no two lists of parts look alike.
fn joined(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}
