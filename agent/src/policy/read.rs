//! A policy file is read, and rules are checked, by this and nothing else: the agent at start,
//! `signet policy check`, and a key's own policy before it is stored.

use super::action::Pattern;
use super::preset;
use serde::Deserialize;
use signet_protocol::record::{FactorKind, is_key_name};
use signet_protocol::rule::{NamedRules, Part, PolicyFile, Rule};
use toml::Spanned;

/// The factors that a rule may name.
const FACTORS: &[&str] = &[FactorKind::Totp.name(), FactorKind::Fido2.name()];

/// What is wrong with a policy, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyError {
    /// Line in the text, from 1, where it is about one.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
}

impl std::fmt::Display for PolicyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for PolicyError {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lines {
    version: Spanned<u32>,
    #[serde(default)]
    rule: Vec<Spanned<Rule>>,
}

/// Reads a policy file: `version = 1` and `[[rule]]` tables.
///
/// # Errors
/// With the line: an unknown key, a rule that neither allows nor denies, an action that cannot be.
pub fn parse(text: &str) -> Result<PolicyFile, PolicyError> {
    let line = |place: usize| text.get(..place).map(|before| before.matches('\n').count() + 1);
    let lines: Lines = toml::from_str(text).map_err(|error| PolicyError {
        line: error.span().and_then(|span| line(span.start)),
        message: error.message().trim_end_matches('.').to_owned(),
    })?;
    if *lines.version.get_ref() != signet_protocol::VERSION {
        let place = line(lines.version.span().start);
        return Err(PolicyError { line: place, message: "version must be 1".to_owned() });
    }
    for rule in &lines.rule {
        check(rule.get_ref()).map_err(|message| PolicyError { line: line(rule.span().start), message })?;
    }
    let rule = lines.rule.into_iter().map(Spanned::into_inner).collect();
    Ok(PolicyFile { version: signet_protocol::VERSION, rule })
}

/// Checks a key's own policy: before it is stored, and again before each decision.
///
/// # Errors
/// An unknown preset, or a rule that [`parse`] would not take.
pub fn check_parts(parts: &[Part]) -> Result<(), PolicyError> {
    parts.iter().try_for_each(|part| rules(part).map(drop))
}

/// The rules of a part, checked.
pub(super) fn rules(part: &Part) -> Result<NamedRules, PolicyError> {
    let error = |message: String| PolicyError { line: None, message };
    match part {
        Part::Preset(name) => preset::find(name).ok_or_else(|| error(format!("there is no preset {name}"))),
        Part::Rules(named) => {
            check_all(&named.rule).map_err(|message| error(format!("{}: {message}", named.name)))?;
            Ok(named.clone())
        }
    }
}

/// Checks rules, naming the first bad one by its number.
pub(super) fn check_all(rules: &[Rule]) -> Result<(), String> {
    for (number, rule) in (1..).zip(rules) {
        check(rule).map_err(|why| format!("rule {number}: {why}"))?;
    }
    Ok(())
}

fn check(rule: &Rule) -> Result<(), String> {
    if rule.allow.is_empty() == rule.deny.is_empty() {
        return Err("a rule has either allow or deny".to_owned());
    }
    for action in rule.allow.iter().chain(&rule.deny) {
        let pattern = Pattern::read(action).map_err(|why| format!("`{action}`: {why}"))?;
        if rule.deny.contains(action) {
            pattern.may_deny().map_err(|why| format!("`{action}`: {why}"))?;
        }
    }
    if !rule.deny.is_empty() && !rule.factors.is_empty() {
        return Err("factors go with allow only".to_owned());
    }
    if let Some(name) = rule.keys.iter().find(|name| !is_key_name(name)) {
        return Err(format!("`{name}` cannot be the name of a key"));
    }
    let is_region = |region: &str| {
        !region.is_empty()
            && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if let Some(region) = rule.regions.iter().find(|region| !is_region(region)) {
        return Err(format!("`{region}` cannot be a region"));
    }
    match rule.factors.iter().find(|factor| !FACTORS.contains(&factor.as_str())) {
        Some(factor) => Err(format!("there is no factor `{factor}`; there is {}", FACTORS.join(", "))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_is_read_as_it_stands() {
        let file = parse(
            "version = 1\n\n[[rule]]\nkeys = [\"prod\"]\nallow = [\"iam:*\", \"s3:PUT /*?policy\"]\n\
             regions = [\"us-east-1\"]\nuids = [0]\nfactors = [\"totp\"]\nuse = \"once\"\n\n[[rule]]\ndeny = [\"*\"]\n",
        )
        .unwrap();
        assert_eq!(file.rule.len(), 2);
        assert_eq!(file.rule.first().unwrap().uids, [0]);
        assert_eq!(parse("version = 1\n").unwrap().rule, []);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let cases = [
            ("", None, "version"),
            ("version = 2\n", Some(1), "version must be 1"),
            ("version = 1\nrules = []\n", Some(2), "rules"),
            ("version = 1\n\n[[rule]]\nalow = [\"iam:*\"]\n", Some(4), "alow"),
            ("version = 1\n[[rule]]\nkeys = [\"prod\"]\n", Some(2), "either allow or deny"),
            ("version = 1\n[[rule]]\nallow = [\"iam:*\"]\ndeny = [\"s3:*\"]\n", Some(2), "either"),
            (
                "version = 1\n[[rule]]\nallow = [\"iam:*\"]\n[[rule]]\nallow = [\"create\"]\n",
                Some(4),
                "`create`",
            ),
            ("version = 1\n[[rule]]\nallow = [\"iam:*\"]\nfactors = [\"fido\"]\n", Some(2), "fido"),
            ("version = 1\n[[rule]]\ndeny = [\"iam:*\"]\nfactors = [\"totp\"]\n", Some(2), "allow only"),
            ("version = 1\n[[rule]]\ndeny = [\"s3:PUT /x\"]\n", Some(2), "by name"),
            ("version = 1\n[[rule]]\nallow = [\"*\"]\nkeys = [\"a*\"]\n", Some(2), "a*"),
            ("version = 1\n[[rule]]\nallow = [\"*\"]\nregions = [\"US\"]\n", Some(2), "US"),
            ("version = 1\n[[rule]]\nallow = [\"*\"]\nuse = \"often\"\n", Some(4), "once"),
            ("version = 1\n[[rule]]\nallow = [\"*\"]\nuids = [-1]\n", Some(4), ""),
            ("version = \n", Some(1), ""),
        ];
        for (text, line, words) in cases {
            let error = parse(text).unwrap_err();
            assert_eq!(error.line.is_some(), line.is_some() || text.is_empty(), "{text}: {error}");
            assert!(line.is_none() || error.line == line, "{text}: {error}");
            assert!(error.message.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_keys_own_policy_has_known_presets_and_rules_that_parse() {
        for preset in preset::presets() {
            check_parts(&[Part::Preset(preset.name.clone()), Part::Rules(preset)]).unwrap();
        }
        assert!(check_parts(&[Part::Preset("everything".to_owned())]).is_err());
        let empty = NamedRules { name: "mine".to_owned(), rule: vec![Rule::default()] };
        assert_eq!(
            check_parts(&[Part::Rules(empty)]).unwrap_err().to_string(),
            "mine: rule 1: a rule has either allow or deny"
        );
    }
}
