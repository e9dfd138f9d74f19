//! The decision.

use super::action::Pattern;
use super::{MANAGEMENT, Means, Obligations, PolicyError, preset, read};
use signet_protocol::record::{FactorKind, Metadata};
use signet_protocol::rule::{Part, PolicyFile, Rule};
use signet_protocol::{Code, Refusal};

/// What is asked about one use of one key.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Of the key; its name is the key's.
    pub meta: &'a Metadata,
    /// Kinds of token that `agent.toml` names.
    pub kinds: &'a [String],
    /// What the use needs of its token.
    pub means: Means,
    /// Who asks.
    pub peer_uid: u32,
    /// What for: `sts:GetCallerIdentity`, `signet:SetPolicy`, …
    pub action: &'a str,
    /// Region of the scope; none for an act of management.
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

/// Ticket 2: policy allows this use. Made only here, not `Clone`, spent by value.
#[derive(Debug)]
pub struct Permit {
    obligations: Obligations,
    rule: String,
}

impl Permit {
    /// What must happen first.
    #[must_use]
    pub fn obligations(&self) -> &Obligations {
        &self.obligations
    }

    /// The rules that allow it, for the audit entry.
    #[must_use]
    pub fn rule(&self) -> &str {
        &self.rule
    }
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The rule that decided, for the audit entry.
    pub rule: String,
    /// What the caller is told.
    pub refusal: Refusal,
}

/// What a rule is held against.
#[derive(Clone, Copy)]
struct Facts<'a> {
    key: &'a str,
    uid: u32,
    action: &'a str,
    region: Option<&'a str>,
}

impl Facts<'_> {
    fn is_management(&self) -> bool {
        self.action.strip_prefix(MANAGEMENT).is_some_and(|rest| rest.starts_with(':'))
    }
}

impl std::fmt::Display for Facts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.action)?;
        self.region.map_or(Ok(()), |region| write!(f, " in {region}"))?;
        if self.key.is_empty() { Ok(()) } else { write!(f, " for {}", self.key) }
    }
}

/// A rule and what it is called.
struct Named<'a> {
    name: String,
    rule: &'a Rule,
}

impl Named<'_> {
    /// Whether the rule speaks of these facts at all, whatever it says of the action.
    fn concerns(&self, facts: &Facts<'_>) -> bool {
        let Rule { keys, regions, uids, .. } = self.rule;
        (keys.is_empty() || keys.iter().any(|key| key == facts.key))
            && (uids.is_empty() || uids.contains(&facts.uid))
            && (regions.is_empty()
                || facts.region.is_some_and(|asked| regions.iter().any(|one| one == asked)))
    }

    fn denies(&self, facts: &Facts<'_>) -> bool {
        self.concerns(facts) && matches(&self.rule.deny, facts.action)
    }

    fn allows(&self, facts: &Facts<'_>) -> bool {
        self.concerns(facts) && matches(&self.rule.allow, facts.action)
    }
}

fn matches(actions: &[String], action: &str) -> bool {
    actions.iter().any(|text| Pattern::read(text).is_ok_and(|pattern| pattern.matches(action)))
}

/// Rules under their origin's name, with their number where there are several.
fn named<'a>(origin: &str, rules: &'a [Rule]) -> Vec<Named<'a>> {
    let name =
        |number: usize| if rules.len() == 1 { origin.to_owned() } else { format!("{origin} rule {number}") };
    (1..).zip(rules).map(|(number, rule)| Named { name: name(number), rule }).collect()
}

/// Decides about a use of a key; `ceiling` is the key's own policy, `narrowing` is `policy.toml`.
pub fn decide(question: &Question<'_>, ceiling: &[Part], narrowing: Option<&PolicyFile>) -> Decision {
    let Question { meta, kinds, means, peer_uid, action, region } = *question;
    let facts = Facts { key: &meta.name, uid: peer_uid, action, region };
    let parts = match ceiling.iter().map(read::rules).collect::<Result<Vec<_>, _>>() {
        Ok(parts) => parts,
        Err(error) => return unreadable(&meta.name, &error),
    };
    let own: Vec<Named<'_>> = parts.iter().flat_map(|part| named(&part.name, &part.rule)).collect();
    let file = match narrowed(narrowing) {
        Ok(file) => file,
        Err(error) => return unreadable("policy.toml", &error),
    };

    if let Some(rule) = own.iter().chain(file.iter().flatten()).find(|rule| rule.denies(&facts)) {
        return denied(&rule.name, &facts, explain(&facts));
    }
    let Some(ceiling_allows) = allowed(&own, &facts, facts.is_management()) else {
        return silent("the key's own policy", &facts, widen(&facts, ceiling));
    };
    let free = facts.is_management() && !file.as_deref().is_some_and(takes_management_in_hand);
    let file_allows = match file.as_deref().map(|file| allowed(file, &facts, free)) {
        None => Vec::new(),
        Some(Some(rules)) => rules,
        Some(None) => return silent("policy.toml", &facts, explain(&facts)),
    };

    let rules: Vec<&Named<'_>> = ceiling_allows.into_iter().chain(file_allows).collect();
    let mut obligations = Obligations::floor(meta, means, kinds);
    obligations.factors =
        [FactorKind::Totp, FactorKind::Fido2].into_iter().filter(|kind| meta.has(*kind)).collect();
    if let Some(rule) = rules.iter().find(|rule| !has_all(&obligations.factors, &rule.rule.factors)) {
        let lacked =
            rule.rule.factors.iter().find(|name| !has_all(&obligations.factors, std::slice::from_ref(name)));
        let hint = format!("signet factor add {} --key {}", lacked.map_or("totp", String::as_str), meta.name);
        return lacks_factor(&rule.name, &facts, &rule.rule.factors, hint);
    }
    let names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
    let rule = if names.is_empty() { "management".to_owned() } else { names.join(", ") };
    Decision::Permit(Permit { obligations, rule })
}

/// Decides about an act of token management (`signet:EnrolToken`, …), which has no key and owes
/// nothing: the token itself asks for what it needs.
pub fn decide_token_act(action: &str, peer_uid: u32, narrowing: Option<&PolicyFile>) -> Decision {
    let facts = Facts { key: "", uid: peer_uid, action, region: None };
    let file = match narrowed(narrowing) {
        Ok(file) => file.unwrap_or_default(),
        Err(error) => return unreadable("policy.toml", &error),
    };
    if let Some(rule) = file.iter().find(|rule| rule.denies(&facts)) {
        return denied(&rule.name, &facts, None);
    }
    let free = facts.is_management() && !takes_management_in_hand(&file);
    match allowed(&file, &facts, free) {
        Some(rules) => {
            let rule = rules.first().map_or_else(|| "management".to_owned(), |rule| rule.name.clone());
            Decision::Permit(Permit { obligations: Obligations::default(), rule })
        }
        None => silent("policy.toml", &facts, None),
    }
}

fn narrowed(narrowing: Option<&PolicyFile>) -> Result<Option<Vec<Named<'_>>>, PolicyError> {
    let Some(file) = narrowing else { return Ok(None) };
    read::check_all(&file.rule).map_err(|message| PolicyError { line: None, message })?;
    Ok(Some(named("policy.toml", &file.rule)))
}

/// The first rule that allows it; none, but allowed, where it is free without one.
fn allowed<'r, 'a>(rules: &'r [Named<'a>], facts: &Facts<'_>, free: bool) -> Option<Vec<&'r Named<'a>>> {
    match rules.iter().find(|rule| rule.allows(facts)) {
        Some(rule) => Some(vec![rule]),
        None => free.then(Vec::new),
    }
}

fn takes_management_in_hand(rules: &[Named<'_>]) -> bool {
    let names_it = |text: &String| Pattern::read(text).is_ok_and(|pattern| pattern.names_service(MANAGEMENT));
    rules.iter().any(|named| named.rule.allow.iter().any(names_it))
}

fn has_all(factors: &[FactorKind], asked: &[String]) -> bool {
    asked.iter().all(|name| factors.iter().any(|factor| factor.name() == name))
}

/// A rule says no.
fn denied(rule: &str, facts: &Facts<'_>, hint: Option<String>) -> Decision {
    let refusal = Refusal { hint, ..Refusal::bare(Code::Denied, format!("{rule} denies {facts}")) };
    Decision::Denied(Denial { rule: rule.to_owned(), refusal })
}

/// No rule says yes.
fn silent(origin: &str, facts: &Facts<'_>, hint: Option<String>) -> Decision {
    let refusal = Refusal { hint, ..Refusal::bare(Code::Denied, format!("{origin} does not allow {facts}")) };
    Decision::Denied(Denial { rule: "none".to_owned(), refusal })
}

fn lacks_factor(rule: &str, facts: &Facts<'_>, factors: &[String], hint: String) -> Decision {
    let message =
        format!("{rule} allows {} only with {}, which {} lacks", facts.action, factors.join(", "), facts.key);
    Decision::Denied(Denial { rule: rule.to_owned(), refusal: Refusal::new(Code::Denied, message, hint) })
}

fn unreadable(whose: &str, error: &PolicyError) -> Decision {
    let message = format!("the policy of {whose} cannot be read: {error}");
    let refusal = Refusal::new(Code::Denied, message, "signet policy presets");
    Decision::Denied(Denial { rule: "unreadable".to_owned(), refusal })
}

fn explain(facts: &Facts<'_>) -> Option<String> {
    Some(format!("signet show {}", facts.key))
}

/// The command that would allow it, where a preset does and the rest can be said by name.
fn widen(facts: &Facts<'_>, ceiling: &[Part]) -> Option<String> {
    let is_preset = |part: &Part| match part {
        Part::Preset(_) => true,
        Part::Rules(_) => false,
    };
    match preset::that_allows(facts.action) {
        Some(preset) if ceiling.iter().all(is_preset) => {
            let names: Vec<&str> = ceiling.iter().map(Part::name).chain([preset]).collect();
            Some(format!("signet policy set {} {}", facts.key, names.join(" ")))
        }
        Some(_) | None => Some(format!("signet policy set {} FILE", facts.key)),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
