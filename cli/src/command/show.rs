//! `signet show`: everything that is known of one key without opening it.

use super::factor::verified_by;
use super::list::{kind, known, listed, partition, warn};
use super::{Done, custody, policy};
use crate::args::{Format, Show};
use crate::context::Context;
use crate::output;
use serde::Serialize;
use signet_protocol::api::{KeyInfo, Keys, RefusedKey};
use signet_protocol::record::{Holder, is_key_name};
use signet_protocol::rule::Part;
use signet_protocol::{Code, Refusal, VERSION};
use std::process::ExitCode;

/// `show` as JSON.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    key: &'a KeyInfo,
    refused: &'a [RefusedKey],
}

/// Does the command.
pub(crate) fn run(cx: &Context, args: &Show) -> Done {
    let name = checked(&args.name)?;
    let keys = known(cx)?;
    let others: Vec<RefusedKey> =
        keys.refused.iter().filter(|refused| refused.name != name).cloned().collect();
    warn(&others);
    let key = named(keys, name)?;
    let rows: Vec<Vec<String>> =
        lines(&key).into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    match cx.format() {
        Format::Text => {
            for row in &rows {
                output::line(&row.join(": "))?;
            }
        }
        Format::Json | Format::Csv => {
            let document = Document { version: VERSION, key: &key, refused: &others };
            output::table(cx.format(), &document, &["name", "value"], &rows)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The key of that name.
pub(super) fn find(cx: &Context, name: &str) -> Result<KeyInfo, Refusal> {
    named(known(cx)?, checked(name)?)
}

/// The key of that name among those that the agent told; of one that is refused, why.
pub(crate) fn named(keys: Keys, name: &str) -> Result<KeyInfo, Refusal> {
    if let Some(refused) = keys.refused.into_iter().find(|refused| refused.name == name) {
        return Err(refused.error);
    }
    keys.keys
        .into_iter()
        .find(|key| key.name == name)
        .ok_or_else(|| Refusal::new(Code::BadRequest, format!("there is no key named {name}"), "signet list"))
}

/// A name that may stand in a path.
pub(super) fn checked(name: &str) -> Result<&str, Refusal> {
    if is_key_name(name) {
        Ok(name)
    } else {
        let rule = "a name has up to 64 letters, digits, dots, dashes and underscores, and begins with a letter or digit";
        Err(Refusal::bare(Code::Usage, rule))
    }
}

fn lines(key: &KeyInfo) -> Vec<(&'static str, String)> {
    let unknown = |text: &Option<String>| text.clone().unwrap_or_else(|| "not known".to_owned());
    let mut lines = vec![
        ("name", key.name.clone()),
        ("kind", kind(key.kind).to_owned()),
        ("account", unknown(&key.account)),
        ("partition", partition(key.partition).to_owned()),
        ("access key id", key.access_key_id.clone()),
        ("custody", custody::long(key).to_owned()),
        ("a use takes", custody::demands(key)),
        ("tokens", listed(&key.tokens)),
    ];
    lines.extend(key.holders.iter().map(|holder| ("held by", held(holder))));
    lines.extend(key.tokens.iter().map(|serial| ("verified", verified(key, serial))));
    lines.push(("drilled", key.drilled.clone().unwrap_or_else(|| "never".to_owned())));
    for factor in &key.factor_details {
        let label = if factor.label.is_empty() { String::new() } else { format!(" ({})", factor.label) };
        let how = factor.credential.as_ref().map(verified_by).map(|how| format!(", verified by {how}"));
        let how = how.unwrap_or_default();
        lines.push(("factor", format!("{}{label}{how}, since {}", factor.id, factor.created)));
    }
    if key.factor_details.is_empty() {
        lines.push(("factors", listed(&key.factors)));
    }
    for part in &key.policy_parts {
        lines.push(("policy", part.name().to_owned()));
        if let Part::Rules(rules) = part {
            lines.extend(rules.rule.iter().map(|rule| ("  rule", policy::sentence(rule))));
        }
    }
    lines.push(("created", key.created.clone()));
    lines.push(("epoch", key.epoch.to_string()));
    lines.push(("last used", key.last_used.clone().unwrap_or_else(|| "never".to_owned())));
    if let Some(why) = &key.rotate {
        lines.push(("rotate at aws", why.clone()));
    }
    lines
}

/// A token that holds the key, and what it asks for.
fn held(Holder { serial, credential, access_code, .. }: &Holder) -> String {
    let asks = if *access_code { "asks for an access code" } else { "asks for no access code" };
    format!("token {serial}, as {credential}; {asks}")
}

/// When a token last proved that it does its part.
fn verified(key: &KeyInfo, serial: &str) -> String {
    match key.verified.get(serial) {
        Some(when) => format!("token {serial} on {when}"),
        None => format!("token {serial} never"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_place_in_the_path() {
        for name in ["", "../status", "a/b", "a?lost", "a b", ".hidden", "a\n", &"x".repeat(65)] {
            assert!(checked(name).is_err(), "{name:?}");
        }
        assert!(checked("prod-root.2").is_ok());
    }
}
