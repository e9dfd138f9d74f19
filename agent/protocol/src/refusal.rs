//! Refusals: a short stable code for programs, a sentence and a next step for people.

use serde::{Deserialize, Serialize};

/// The stable codes. Names on the wire are the snake_case of the variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    /// A fault of ours; the log says more.
    Internal,
    /// AWS answered with an error.
    AwsError,
    /// A check (`audit verify`, `doctor`) found something.
    FailedCheck,
    /// The command line was not understood.
    Usage,
    /// No agent listens, or it may not be reached.
    NoAgent,
    /// Something else has the token or the vault; try again.
    Busy,
    /// The time for a use is over.
    Timeout,
    /// None of the key's tokens is plugged in.
    TokenAbsent,
    /// There is no PC/SC service, or it may not be used.
    NoReader,
    /// The token waited for a touch in vain.
    NotTouched,
    /// The message is not one that can be signed.
    BadRequest,
    /// Policy says no.
    Denied,
    /// A question had to be asked and there was nowhere to ask it.
    NoPrompt,
    /// The PIN was wrong.
    PinFailed,
    /// The second factor was wrong, or was used before.
    FactorFailed,
    /// Too many wrong codes; wait.
    FactorLocked,
    /// The token's PIN (or PUK) is blocked.
    TokenLocked,
    /// This token, slot or command cannot do what was asked.
    Unsupported,
    /// A record or the state is older than the last one acknowledged, or was changed.
    Rollback,
    /// The person, or a signal, ended it.
    Interrupted,
}

impl Code {
    /// The exit status of the command line for this code.
    #[must_use]
    pub const fn exit(self) -> u8 {
        match self {
            Self::Internal | Self::AwsError | Self::FailedCheck => 1,
            Self::Usage => 2,
            Self::NoAgent => 69,
            Self::Busy | Self::Timeout | Self::TokenAbsent | Self::NoReader | Self::NotTouched => 75,
            Self::BadRequest
            | Self::Denied
            | Self::NoPrompt
            | Self::PinFailed
            | Self::FactorFailed
            | Self::FactorLocked
            | Self::TokenLocked
            | Self::Unsupported
            | Self::Rollback => 77,
            Self::Interrupted => 130,
        }
    }

    /// The name on the wire, as in `{"error":{"code":…}}`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::AwsError => "aws_error",
            Self::FailedCheck => "failed_check",
            Self::Usage => "usage",
            Self::NoAgent => "no_agent",
            Self::Busy => "busy",
            Self::Timeout => "timeout",
            Self::TokenAbsent => "token_absent",
            Self::NoReader => "no_reader",
            Self::NotTouched => "not_touched",
            Self::BadRequest => "bad_request",
            Self::Denied => "denied",
            Self::NoPrompt => "no_prompt",
            Self::PinFailed => "pin_failed",
            Self::FactorFailed => "factor_failed",
            Self::FactorLocked => "factor_locked",
            Self::TokenLocked => "token_locked",
            Self::Unsupported => "unsupported",
            Self::Rollback => "rollback",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What a person and a program are told when something was not done.
///
/// `message` and `hint` are lower case without a full stop; the hint is a command to type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The stable code.
    pub code: Code,
    /// What happened.
    pub message: String,
    /// What to type next; null where nothing helps.
    pub hint: Option<String>,
    /// Tries left on the token, where a try was spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tries_left: Option<u8>,
    /// Seconds after which the same request may be made again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl Refusal {
    /// A refusal with its next step.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..Self::bare(code, message) }
    }

    /// A refusal for which there is no next step to type.
    #[must_use]
    pub fn bare(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, tries_left: None, retry_after: None }
    }

    /// The same, with the tries that are left.
    #[must_use]
    pub fn tries(mut self, left: u8) -> Self {
        self.tries_left = Some(left);
        self
    }

    /// The same, with the seconds to wait.
    #[must_use]
    pub fn after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

/// `{"version":1,"error":{…}}`: the failure document of the command line and of the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// [`crate::VERSION`].
    pub version: u32,
    /// The refusal.
    pub error: Refusal,
}

impl From<Refusal> for Failure {
    fn from(error: Refusal) -> Self {
        Self { version: crate::VERSION, error }
    }
}
