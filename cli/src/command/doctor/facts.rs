//! Facts of a set-up in which all is well, for the tests of the judgements.

#![allow(clippy::panic)]

use super::{Finding, Level};
use crate::command::custody::tests::factor;
use signet_protocol::api::{Counts, Head, KeyInfo, Layer, Status, TokenInfo};
use signet_protocol::child::Seen;
use signet_protocol::record::{Custody, FactorKind, KeyKind, Partition};

/// An agent whose every layer is in force.
pub(super) fn status() -> Status {
    Status {
        version: 1,
        agent_version: env!("CARGO_PKG_VERSION").into(),
        pid: 42,
        uid: 1000,
        uptime: 1,
        socket: "/r/s".into(),
        state_dir: "/v v".into(),
        config: Some("/c/agent.toml".into()),
        policy: None,
        vault_id: "0".repeat(32),
        kinds: vec!["yubikey-piv".into()],
        extra_hosts: vec![],
        pcsc_socket: String::new(),
        hardening: vec![Layer { name: "no core dumps".into(), on: true, why: None }],
        head: Head { version: 1, seq: 0, hash: "0".repeat(64) },
        anchor: "journald".into(),
        counts: Counts { keys: 0, tokens: 0, sessions: 0 },
    }
}

/// A token in a reader; one whose serial begins with `soft` is in none.
pub(super) fn seen(serial: &str) -> Seen {
    let hardware = !serial.starts_with("soft");
    Seen {
        kind: if hardware { "yubikey-piv" } else { "software" }.into(),
        serial: serial.into(),
        reader: hardware.then(|| "reader 0".into()),
        firmware: hardware.then(|| "5.7.1".into()),
        pin_tries: hardware.then_some(3),
        puk_tries: hardware.then_some(3),
        factory: vec![],
        oath_code: hardware.then_some(false),
        details: vec![],
    }
}

/// A good token that is not plugged in.
pub(super) fn enrolled(serial: &str) -> TokenInfo {
    TokenInfo {
        serial: serial.into(),
        kind: "yubikey-piv".into(),
        label: "desk".into(),
        slot: Some("95".into()),
        spki_sha256: None,
        firmware: Some("5.7.1".into()),
        attested: Some(true),
        present: Some(false),
        lost: None,
        policies: Some("metadata".into()),
        seen: None,
        recipient: None,
    }
}

/// An IAM user's key of 2026-11-01, sealed to these tokens, rehearsed and verified that day.
pub(super) fn key(name: &str, tokens: &[&str]) -> KeyInfo {
    let day = "2026-11-01T00:00:00Z".to_owned();
    KeyInfo {
        name: name.into(),
        kind: KeyKind::IamUser,
        account: Some("123456789012".into()),
        partition: Partition::Aws,
        access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
        custody: Custody::Sealed,
        tokens: tokens.iter().map(|&it| it.to_owned()).collect(),
        factors: vec!["totp-1".into()],
        policy: vec!["assume-root".into()],
        mfa_serial: None,
        created: day.clone(),
        epoch: 1,
        last_used: Some(day.clone()),
        rotate: None,
        factor_details: vec![factor(FactorKind::Totp)],
        policy_parts: vec![],
        holders: vec![],
        touches: 1,
        verified: tokens.iter().map(|&it| (it.to_owned(), day.clone())).collect(),
        drilled: Some(day),
    }
}

/// The one finding that is not green.
#[track_caller]
pub(super) fn only(findings: &[Finding]) -> Finding {
    let mut bad = findings.iter().filter(|it| it.level != Level::Ok);
    match (bad.next(), bad.next()) {
        (Some(one), None) => one.clone(),
        (_, _) => panic!("not one finding: {findings:#?}"),
    }
}
