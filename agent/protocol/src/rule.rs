//! The shape of a policy rule, as it stands in `policy.toml` and in a record's metadata.
//!
//! Deciding with rules is the agent's work; here is only how they are written.

use serde::{Deserialize, Serialize};

/// One rule. Exactly one of `allow` and `deny` is given.
///
/// An action is `service:Operation` or `service:METHOD /path`; `*` at the end matches any rest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Names of keys this rule speaks of; empty means every key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// Actions that are allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// Actions that are denied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
    /// Regions; empty means every region.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<String>,
    /// Uids of callers; empty means every caller that may use the socket.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uids: Vec<u32>,
    /// Kinds of factor that must be checked besides the key's own, e.g. `totp`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub factors: Vec<String>,
    /// `once`: one touch, one request. The only value there is.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// How often one consent may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Usage {
    /// One touch, one request.
    Once,
}

/// One part of a key's own policy: a preset by name, or rules taken from a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Part {
    /// A preset: `root-only-tasks`, `assume-root`, `session`.
    Preset(String),
    /// Rules of a file, under the file's base name.
    Rules(NamedRules),
}

/// Rules read from a file when they were set; the file is not read again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedRules {
    /// Base name of the file, for `list` and `explain`.
    pub name: String,
    /// The rules.
    pub rule: Vec<Rule>,
}

/// A whole policy file: `version = 1` and `[[rule]]` tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyFile {
    /// Must be 1.
    pub version: u32,
    /// The rules, in order.
    #[serde(default)]
    pub rule: Vec<Rule>,
}

impl Part {
    /// The name that `list` shows.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Preset(name) => name,
            Self::Rules(rules) => &rules.name,
        }
    }
}
