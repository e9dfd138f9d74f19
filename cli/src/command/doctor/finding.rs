//! What is said of one thing that was looked at.

use serde::Serialize;

/// The hint of a refusal that leads here: no command that repairs anything.
pub(super) const HERE: &str = "signet doctor";

/// How a finding is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    /// Green: as it should be.
    Ok,
    /// Yellow: works, and is a risk.
    Warning,
    /// Red: does not work, or gives something away.
    Wrong,
}

impl Level {
    /// The word for people, the same as for programs.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Wrong => "wrong",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    /// What was looked at, in a word: stable.
    pub(super) check: &'static str,
    /// What is the case.
    pub(super) message: String,
    /// Why that matters; null where all is well.
    pub(super) why: Option<String>,
    /// The command that repairs it, as it is to be typed; null where all is well.
    pub(super) hint: Option<String>,
}

impl Finding {
    /// Green.
    pub(super) fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self { level: Level::Ok, check, message: message.into(), why: None, hint: None }
    }

    /// Yellow: what, why, and the command.
    pub(super) fn warning(
        check: &'static str,
        message: impl Into<String>,
        why: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let (why, hint) = (Some(why.into()), Some(hint.into()));
        Self { level: Level::Warning, check, message: message.into(), why, hint }
    }

    /// Red: what, why, and the command.
    pub(super) fn wrong(
        check: &'static str,
        message: impl Into<String>,
        why: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { level: Level::Wrong, ..Self::warning(check, message, why, hint) }
    }
}
