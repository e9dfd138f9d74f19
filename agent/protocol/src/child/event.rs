//! What a child says while it works, how a use ends, and what it is answered.

use super::{Managed, TokenName};
use crate::approval::Proof;
use crate::prompt::PromptKind;
use crate::refusal::Refusal;
use serde::{Deserialize, Serialize};

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
    /// The person has approved, and the signer has checked it: told before the token is asked; it waits for
    /// [`ChildKept`].
    Approved(Proof),
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

/// What a child is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitingFor {
    /// The card: another program, or the touch wait of a use that was ended, has it.
    Card,
    /// One of the tokens to be plugged in.
    Token,
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
        /// The code's fate. With [`super::Seed::Ask`]: of the code that confirmed the new seed.
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

/// One answer, handed on by the agent unopened. A line on the child's standard input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChildAnswer {
    /// Number of the prompt it answers.
    pub number: u32,
    /// Base64 of `enc ‖ ciphertext`; null when the person cancelled.
    pub sealed: Option<String>,
}

/// The agent's answer to [`Event::Approved`]: it holds, and its counter is on disk. A line on the child's
/// standard input; where that is not so the child is ended instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChildKept {
    /// The counter.
    pub kept: u32,
}

/// The agent's answer to [`Event::Store`]: the generation is on disk. A line on the child's standard
/// input; where it could not be stored the child is ended instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChildStored {
    /// Epoch of the generation.
    pub stored: u64,
}
