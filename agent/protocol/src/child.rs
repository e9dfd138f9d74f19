//! Agent ↔ its children, as JSON lines over pipes: one order in, answers in as they come; events
//! out, the last of which is an outcome. One child, one order; a child that has told its outcome ends.
//!
//! A child is started with an empty environment and gets everything it may know from its order.
//! It refuses to start by hand: without the one argument [`CHILD_ARGUMENT`], or with a terminal on
//! standard input.

use crate::prompt::PromptKind;
use crate::record::Recipient;
use crate::refusal::Refusal;
use serde::{Deserialize, Serialize};

/// The one argument of `signet-signer` and `signet-enrol`.
pub const CHILD_ARGUMENT: &str = "--for-signet-agent";

/// Things a kind of token may need to find its hardware or its file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Places {
    /// Socket of a PC/SC service other than the system's; empty for the system's.
    pub pcsc_socket: String,
    /// Absolute directory in which kinds that live in files keep them.
    pub token_dir: String,
}

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
    /// The order of it: open; where an access code is new, [`Event::Store`] a generation that holds
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

/// One answer, handed on by the agent unopened. A line on the child's standard input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChildAnswer {
    /// Number of the prompt it answers.
    pub number: u32,
    /// Base64 of `enc ‖ ciphertext`; null when the person cancelled.
    pub sealed: Option<String>,
}

/// The agent's answer to [`Event::Store`]: the generation is on disk. A line on the child's standard
/// input; where it could not be stored the child is ended instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChildStored {
    /// Epoch of the generation.
    pub stored: u64,
}

/// A token as a person is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenName {
    /// Serial.
    pub serial: String,
    /// Label given at enrolment; empty where there is none yet.
    pub label: String,
}

/// What a child is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitingFor {
    /// The card: another program, or the touch wait of a use that was ended, has it.
    Card,
    /// One of the tokens to be plugged in.
    Token,
}

/// One line of a child's standard output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Said before each call that may block.
    Waiting {
        /// For what.
        what: WaitingFor,
        /// The tokens that would do.
        tokens: Vec<TokenName>,
    },
    /// A question.
    Prompt(Prompt),
    /// The token now waits for a touch; never said before the card is ours.
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
    /// The touch was given (or not needed any more): notices are taken away.
    Touched,
    /// Act `embed`: a generation that must be durable before the child goes on; it waits for
    /// [`ChildStored`].
    Store {
        /// Base64 of the new file.
        record: String,
        /// The token that opened the one before.
        token: TokenName,
        /// The code's fate: settled before the generation is stored.
        code: CodeFate,
    },
    /// The end of the use. Nothing follows.
    Outcome(Outcome),
}

/// A question of a child.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// Number of the question in this use, from 1.
    pub number: u32,
    /// Kind of question.
    pub kind: PromptKind,
    /// What to ask, where the kind alone does not say it; for people.
    pub text: Option<String>,
    /// Tries left before the token locks, where the token tells.
    pub tries_left: Option<u8>,
    /// The token that is asked for, where it is one.
    pub token: Option<TokenName>,
    /// One-time public key for the answer: base64 of a 65-byte P-256 point.
    pub public_key: String,
}

/// What became of the TOTP code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeFate {
    /// There was none, or the record was not opened: nothing was learnt about it.
    Unchecked,
    /// It was wrong or used before.
    Refused,
    /// It matched this step.
    Accepted(u64),
}

/// How a use ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Outcome {
    /// Act `sign`: the value of the `authorization` header.
    Signed {
        /// `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`.
        authorization: String,
        /// The token that was used.
        token: TokenName,
        /// The code's fate.
        code: CodeFate,
    },
    /// Acts `open` and `verify`.
    Opened {
        /// The token that was used.
        token: TokenName,
        /// The code's fate.
        code: CodeFate,
    },
    /// Acts `reseal` and `embed`: the new record.
    Resealed {
        /// Base64 of the new file.
        record: String,
        /// The token that was used.
        token: TokenName,
        /// The code's fate. With [`Seed::Ask`]: of the code that confirmed the new seed.
        code: CodeFate,
    },
    /// An act of token management.
    Managed(Managed),
    /// Nothing was done.
    Refused {
        /// Why, for the caller.
        refusal: Refusal,
        /// The token that was asked, if any.
        token: Option<TokenName>,
        /// The code's fate.
        code: CodeFate,
    },
}

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
