//! Signatures first; the bodies follow.

#![forbid(unsafe_code)]

use signet_protocol::Refusal;
use signet_protocol::kinds::Guarantees;
use signet_protocol::record::{FactorKind, Metadata};
use signet_protocol::rule::{NamedRules, Part, PolicyFile};

/// What is asked of policy about one use of one key.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct Question<'a> {
    /// Of the key; its name is the key's.
    pub meta: &'a Metadata,
    /// Kinds of token that `agent.toml` names.
    pub kinds: &'a [String],
    pub peer_uid: u32,
    /// `sts:GetCallerIdentity`, `signet:SetPolicy`, …
    pub action: &'a str,
    /// Of the scope; none for an act of management.
    pub region: Option<&'a str>,
}

/// What policy says.
#[must_use]
#[derive(Debug)]
pub enum Decision {
    /// It may be done, under obligations.
    Permit(Permit),
    /// It may not.
    Denied(Denial),
}

/// Ticket 2: policy allows this use. Made only here; not `Clone`.
#[derive(Debug)]
pub struct Permit {
    obligations: Obligations,
    rule: String,
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The rule that decided.
    pub rule: String,
    /// What the caller is told.
    pub refusal: Refusal,
}

/// What must happen before a permit may be spent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Obligations {
    pub touch_in_hardware: bool,
    pub pin: bool,
    pub non_exportable: bool,
    pub factors: Vec<FactorKind>,
}

/// What a kind of token does not guarantee though it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap(pub &'static str);

/// What is wrong with a policy text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct PolicyError {
    pub line: Option<usize>,
    pub message: String,
}

#[allow(missing_docs, clippy::todo, unused_variables, clippy::missing_errors_doc, clippy::must_use_candidate)]
impl Permit {
    pub fn obligations(&self) -> &Obligations {
        &self.obligations
    }
    pub fn rule(&self) -> &str {
        &self.rule
    }
}

#[allow(missing_docs, clippy::todo, unused_variables, clippy::missing_errors_doc, clippy::must_use_candidate)]
impl Obligations {
    pub fn gap(&self, guarantees: Guarantees) -> Option<Gap> {
        todo!()
    }
    /// `pin`, `touch`, `totp`: for people.
    pub fn words(&self) -> Vec<String> {
        todo!()
    }
}

/// Decides about a use of a key. The ceiling is the key's own policy, `narrowing` is `policy.toml`.
#[allow(clippy::todo, unused_variables)]
pub fn decide(question: &Question<'_>, ceiling: &[Part], narrowing: Option<&PolicyFile>) -> Decision {
    todo!()
}
/// Decides about an act of token management (`signet:EnrolToken`, …), which has no key.
#[allow(clippy::todo, unused_variables)]
pub fn decide_token_act(action: &str, peer_uid: u32, narrowing: Option<&PolicyFile>) -> Decision {
    todo!()
}
/// Reads a policy file.
///
/// # Errors
/// With the line.
#[allow(clippy::todo, unused_variables)]
pub fn parse(text: &str) -> Result<PolicyFile, PolicyError> {
    todo!()
}
/// Checks a key's own policy before it is stored.
///
/// # Errors
/// An unknown preset or a rule that does not parse.
#[allow(clippy::todo, unused_variables)]
pub fn check_parts(parts: &[Part]) -> Result<(), PolicyError> {
    todo!()
}
/// Every preset with its rules.
#[must_use]
#[allow(clippy::todo, unused_variables)]
pub fn presets() -> Vec<NamedRules> {
    todo!()
}
