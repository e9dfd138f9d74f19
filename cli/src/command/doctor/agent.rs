//! What the agent tells of itself, and of the keys that it keeps.

use super::Finding;
use crate::command::list::known;
use crate::context::Context;
use signet_protocol::api::{KeyInfo, Keys, RefusedKey, Status};
use signet_protocol::record::KeyKind;

/// Looks at versions, hardening, the log, and the keys.
pub(super) fn look(cx: &Context, status: &Status) -> Vec<Finding> {
    let mut findings = Vec::new();
    let own = env!("CARGO_PKG_VERSION");
    if status.agent_version != own {
        let what = format!("the agent is version {}, this program {own}", status.agent_version);
        findings.push(Finding::warning("version", what, "systemctl --user restart signet-agent"));
    }
    for layer in status.hardening.iter().filter(|layer| !layer.on) {
        let why = layer.why.as_deref().unwrap_or("no reason given");
        findings.push(Finding::warning(
            "hardening",
            format!("{} is off: {why}", layer.name),
            "signet status",
        ));
    }
    if status.anchor.is_empty() {
        let what = "the head of the audit log is copied nowhere: a tail that is cut off would not be seen";
        findings.push(Finding::warning("audit", what, "signet audit head"));
    }
    if !status.extra_hosts.is_empty() {
        let what = format!("requests may go in the clear to {}", status.extra_hosts.join(", "));
        findings.push(Finding::warning("hosts", what, "signet status"));
    }
    match known(cx) {
        Ok(Keys { keys, refused, .. }) if keys.is_empty() && refused.is_empty() => {
            findings.push(Finding::ok("keys", "the vault holds no key yet"));
        }
        Ok(Keys { keys, refused, .. }) => {
            findings.extend(keys.iter().flat_map(key));
            findings.extend(refused.into_iter().map(broken));
        }
        Err(refusal) => findings.push(Finding::wrong("keys", refusal.message, "signet list")),
    }
    findings
}

fn broken(refused: RefusedKey) -> Finding {
    let RefusedKey { name, error } = refused;
    let hint = error.hint.unwrap_or_else(|| format!("signet show {name}"));
    Finding::wrong("keys", format!("{name} is refused: {}", error.message), hint)
}

fn key(key: &KeyInfo) -> Vec<Finding> {
    let name = &key.name;
    let mut findings = Vec::new();
    if key.tokens.len() < 2 {
        let what = format!("{name} is sealed to one token, and is lost with it");
        findings.push(Finding::warning("keys", what, "signet token enrol"));
    }
    if key.kind == KeyKind::Root && key.factors.is_empty() {
        let what = format!("{name} is a root key without a second factor");
        findings.push(Finding::warning("keys", what, format!("signet factor add totp --key {name}")));
    }
    if let Some(why) = &key.rotate {
        let what = format!("{name} is to be rotated at aws: {why}");
        findings.push(Finding::wrong("keys", what, format!("signet show {name}")));
    }
    if key.kind == KeyKind::Root && key.last_used.is_none() {
        let what = format!("{name} was never used: the safest root key is one that is deleted at aws");
        findings.push(Finding::warning("keys", what, format!("signet show {name}")));
    }
    if findings.is_empty() {
        findings.push(Finding::ok("keys", format!("{name}, sealed to {} tokens", key.tokens.len())));
    }
    findings
}
