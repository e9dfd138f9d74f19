//! What `signet-enrol` is to do, and what came of it.

use super::Places;
use crate::record::{Credential, Recipient};
use serde::{Deserialize, Serialize};

/// What `signet-enrol` is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolOrder {
    /// [`crate::VERSION`].
    pub version: u32,
    /// Id of the act; part of the binding of each answer.
    pub use_id: String,
    /// Body of the cli's request, byte for byte: [`crate::api::TokenRequest`] as JSON.
    /// The `name` in the subject is empty.
    pub request: String,
    /// What to do.
    pub act: EnrolAct,
    /// Kinds that the agent's configuration names.
    pub kinds: Vec<String>,
    /// Serials already enrolled, with their slots.
    pub enrolled: Vec<Recipient>,
    /// Whether questions can be answered; without it an act that would ask refuses `no_prompt`.
    pub may_ask: bool,
    /// Milliseconds the act may still take.
    pub deadline_ms: u64,
    /// Where hardware and files are.
    pub places: Places,
}

/// The act of an [`EnrolOrder`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum EnrolAct {
    /// Which tokens are there. Asks nothing, spends nothing.
    List,
    /// Everything one token tells without a PIN.
    Info {
        /// Serial.
        serial: String,
    },
    /// Make a key on a token.
    Enrol {
        /// Kind; null: the first kind of the table that the configuration names.
        kind: Option<String>,
        /// Serial; null: the only one there is.
        serial: Option<String>,
        /// Slot; null: the first empty one the kind would choose.
        slot: Option<String>,
        /// Label.
        label: String,
    },
    /// Make a credential on a FIDO2 authenticator.
    Credential {
        /// Name of the key that it is for; the authenticator may show it.
        key: String,
        /// Ids (base64) of the key's credentials: an authenticator that has one of them is not enrolled
        /// again.
        exclude: Vec<String>,
    },
    /// Change the PIN (or passphrase).
    Pin {
        /// Serial.
        serial: String,
    },
    /// Set a new PIN with the PUK.
    Unblock {
        /// Serial.
        serial: String,
    },
}

/// Result of an act of token management.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "managed", rename_all = "snake_case")]
pub enum Managed {
    /// Act `list`, and `info` with one entry.
    Seen {
        /// Tokens that are there now.
        tokens: Vec<Seen>,
    },
    /// Act `enrol`.
    Enrolled {
        /// What the vault keeps of it.
        token: Token,
        /// What the person should know (no attestation, old firmware).
        warnings: Vec<String>,
    },
    /// Act `credential`.
    Credential {
        /// What the record keeps of it.
        credential: Credential,
        /// What the authenticator is called: by its maker, or by its reader.
        device: String,
        /// What the person should know (no PIN is set).
        warnings: Vec<String>,
    },
    /// Acts `pin` and `unblock`.
    Done,
}

/// A token that is there now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Kind.
    pub kind: String,
    /// Serial.
    pub serial: String,
    /// Reader name; null where there is none.
    pub reader: Option<String>,
    /// Firmware, `5.7.1`; null where there is none.
    pub firmware: Option<String>,
    /// PIN tries left; null where the token does not tell.
    pub pin_tries: Option<u8>,
    /// PUK tries left; null where the token does not tell.
    pub puk_tries: Option<u8>,
    /// Secrets that still have their factory value, as far as the token tells: `pin`, `puk`,
    /// `management-key`.
    pub factory: Vec<String>,
    /// Whether its OATH applet asks for an access code; null where it has none, or was not asked.
    #[serde(default)]
    pub oath_code: Option<bool>,
    /// Further lines for `info`: name and value.
    pub details: Vec<(String, String)>,
}

/// An enrolled token, as `tokens.json` keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Kind, serial, slot, public key, label.
    #[serde(flatten)]
    pub recipient: Recipient,
    /// Firmware; null where there is none.
    pub firmware: Option<String>,
    /// Whether a chain to the maker's root proves that the key was made on the token.
    pub attested: bool,
    /// How the policies (PIN always, touch always) are known: `metadata`, `attestation`, `asked`,
    /// or `none` for a kind that has none.
    pub policies: String,
    /// RFC 3339 UTC; filled in by the agent.
    pub enrolled: String,
}
