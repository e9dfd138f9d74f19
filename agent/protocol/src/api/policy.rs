//! Policy, asked without any use.

use crate::rule::NamedRules;
use serde::{Deserialize, Serialize};

/// `GET /v1/policy/presets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presets {
    /// [`crate::VERSION`].
    pub version: u32,
    /// The presets with their rules.
    pub presets: Vec<NamedRules>,
}

/// Text of a policy file to be checked with the agent's own parser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyText {
    /// [`crate::VERSION`].
    pub version: u32,
    /// Base name of the file.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// What policy says of a request, without any use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// [`crate::VERSION`].
    pub version: u32,
    /// The decoded action.
    pub action: String,
    /// Whether it would be allowed.
    pub allowed: bool,
    /// The rule that decided.
    pub rule: String,
    /// What would be asked of the person.
    pub obligations: Vec<String>,
}
