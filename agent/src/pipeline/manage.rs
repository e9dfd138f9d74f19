//! What is told of the vault: nothing here changes it. Must not know: HTTP.

#![forbid(unsafe_code)]

use super::house::House;
use super::{strict, tokens, versioned};
use crate::audit::Stored;
use crate::clock;
use crate::config::Anchor;
use crate::peer::own_uid;
use crate::policy::{self, signing_touches};
use crate::vault::{Held, Memory};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signet_envelope::{hex, sha256};
use signet_protocol::api::{
    Counts, KeyInfo, Keys, PolicyText, Presets, RefusedKey, Status, TokenInfo, Tokens,
};
use signet_protocol::child::{Seen, Token};
use signet_protocol::record::Metadata;
use signet_protocol::rule::NamedRules;
use signet_protocol::{Code, Refusal, VERSION};
use std::path::Path;

/// `GET /v1/status`.
///
/// # Errors
/// When the vault cannot be read.
pub fn status(house: &House) -> Result<Status, Refusal> {
    let vault = house.vault.borrow();
    let path = |path: &Path| path.to_string_lossy().into_owned();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(Status {
        version: VERSION,
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        uid: own_uid(),
        uptime: house.started.elapsed().as_secs(),
        socket: path(&house.socket),
        state_dir: path(&house.places.state_dir),
        config: house.places.config.as_deref().map(path),
        policy: house.narrowing.as_ref().map(|(file, _rules)| path(file)),
        vault_id: vault.vault_id().to_owned(),
        kinds: house.config.token.kinds.clone(),
        extra_hosts: house.config.aws.extra_hosts.clone(),
        pcsc_socket: house.config.token.pcsc_socket.clone(),
        hardening: house.layers.clone(),
        head: house.log.borrow().head(),
        anchor: match &house.config.audit.anchor {
            Anchor::None => String::new(),
            Anchor::Journald => "journald".to_owned(),
            Anchor::File(file) => path(file),
        },
        counts: Counts {
            keys: count(vault.keys()?.len()),
            tokens: count(vault.tokens().len()),
            sessions: count(house.sessions.count(clock::now())),
        },
    })
}

/// `GET /v1/keys`.
///
/// # Errors
/// When the vault cannot be read; a record that is refused stands in the list of those.
pub fn keys(house: &House) -> Result<Keys, Refusal> {
    let held = house.vault.borrow().keys()?;
    let mut list = Keys { version: VERSION, keys: Vec::new(), refused: Vec::new() };
    for Held { name, record, memory } in held {
        match record {
            Ok(record) => list.keys.push(key(name, record.meta, memory)),
            Err(error) => list.refused.push(RefusedKey { name, error: error.into() }),
        }
    }
    Ok(list)
}

pub(super) fn key(name: String, meta: Metadata, memory: Memory) -> KeyInfo {
    let touches = signing_touches(&meta);
    KeyInfo {
        name,
        kind: meta.kind,
        account: meta.account.or(memory.account),
        partition: meta.partition,
        access_key_id: meta.access_key_id,
        custody: meta.custody,
        touches,
        tokens: meta.recipients.into_iter().map(|recipient| recipient.serial).collect(),
        factors: meta.factors.iter().map(|factor| factor.id.clone()).collect(),
        policy: meta.policy.iter().map(|part| part.name().to_owned()).collect(),
        mfa_serial: None,
        created: meta.created,
        epoch: meta.epoch,
        last_used: memory.last_used,
        rotate: memory.rotate,
        factor_details: meta.factors,
        policy_parts: meta.policy,
        holders: meta.holders,
        verified: memory.verified,
        drilled: memory.drilled,
    }
}

/// `GET /v1/tokens`: those enrolled, then those that are only there.
///
/// # Errors
/// When the readers could not be asked for another reason than that there are none.
pub async fn token_list(house: &House) -> Result<Tokens, Refusal> {
    let seen = tokens::scan(house).await?;
    let vault = house.vault.borrow();
    let enrolled = vault.tokens();
    let of = |serial: &str| seen.iter().flatten().find(|token| token.serial == serial);
    let mut tokens: Vec<TokenInfo> = enrolled
        .iter()
        .map(|token| {
            let there = of(&token.recipient.serial);
            known(token, seen.as_ref().map(|_| there.is_some()), there)
        })
        .collect();
    let strange = |token: &&Seen| !enrolled.iter().any(|known| known.recipient.serial == token.serial);
    tokens.extend(seen.iter().flatten().filter(strange).map(unknown));
    for token in &mut tokens {
        token.lost = vault.lost_since(&token.serial).map(str::to_owned);
    }
    Ok(Tokens { version: VERSION, tokens })
}

fn known(token: &Token, present: Option<bool>, seen: Option<&Seen>) -> TokenInfo {
    TokenInfo {
        serial: token.recipient.serial.clone(),
        kind: token.recipient.kind.clone(),
        label: token.recipient.label.clone(),
        slot: Some(token.recipient.slot.clone()),
        spki_sha256: spki_sha256(&token.recipient.public_key),
        firmware: token.firmware.clone(),
        attested: Some(token.attested),
        present,
        lost: None,
        policies: Some(token.policies.clone()),
        seen: seen.cloned(),
        recipient: Some(token.recipient.clone()),
    }
}

fn unknown(seen: &Seen) -> TokenInfo {
    TokenInfo {
        serial: seen.serial.clone(),
        kind: seen.kind.clone(),
        label: String::new(),
        slot: None,
        spki_sha256: None,
        firmware: seen.firmware.clone(),
        attested: None,
        present: Some(true),
        lost: None,
        policies: None,
        seen: Some(seen.clone()),
        recipient: None,
    }
}

/// What the person compares with what was shown at enrolment.
fn spki_sha256(public_key: &str) -> Option<String> {
    let point = STANDARD.decode(public_key).ok()?;
    let key = signet_envelope::PublicKey::from_bytes(&point).ok()?;
    Some(hex(&sha256(&key.spki_der())))
}

/// `GET /v1/policy/presets`.
#[must_use]
pub fn presets() -> Presets {
    Presets { version: VERSION, presets: policy::presets() }
}

/// `POST /v1/policy/check`.
///
/// # Errors
/// With the line that is wrong.
pub fn check_policy(body: &[u8]) -> Result<NamedRules, Refusal> {
    let PolicyText { version, name, text } = strict(body)?;
    versioned(version)?;
    let rules = policy::parse(&text).map_err(|error| {
        let place = error.line.map_or_else(String::new, |line| format!(", line {line}"));
        let message = format!("{name}{place}: {}", error.message);
        Refusal::new(Code::BadRequest, message, format!("signet policy check {name}"))
    })?;
    Ok(NamedRules { name, rule: rules.rule })
}

/// `GET /v1/audit`: the stored lines.
///
/// # Errors
/// When they cannot be read.
pub fn audit_lines(house: &House) -> Result<Stored, Refusal> {
    Ok(house.log.borrow().stored()?)
}
