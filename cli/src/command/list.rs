//! `signet list`: the keys of the vault, as their records describe them, and those whose record is
//! refused. Opens nothing.

use super::{Done, custody};
use crate::context::Context;
use crate::output;
use serde::Serialize;
use signet_protocol::api::{KeyInfo, Keys, RefusedKey};
use signet_protocol::record::{Custody, KeyKind, Partition};
use signet_protocol::{Refusal, VERSION};
use std::process::ExitCode;

/// `list` as JSON.
#[derive(Serialize)]
struct List<'a> {
    version: u32,
    keys: Vec<Row<'a>>,
    refused: &'a [RefusedKey],
}

/// One key of it: the contract's members, and no others.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    kind: KeyKind,
    account: &'a Option<String>,
    partition: Partition,
    access_key_id: &'a str,
    custody: Custody,
    tokens: &'a [String],
    factors: &'a [String],
    policy: &'a [String],
    mfa_serial: &'a Option<String>,
    created: &'a str,
    epoch: u64,
    last_used: &'a Option<String>,
    rotate: &'a Option<String>,
}

/// Does the command.
pub(crate) fn run(cx: &Context) -> Done {
    let keys = known(cx)?;
    warn(&keys.refused);
    let document =
        List { version: VERSION, keys: keys.keys.iter().map(row).collect(), refused: &keys.refused };
    let rows: Vec<Vec<String>> = keys.keys.iter().map(cells).collect();
    let names = [
        "name",
        "kind",
        "account",
        "access key id",
        "custody",
        "tokens",
        "touches",
        "factors",
        "last used",
        "drilled",
        "rotate at aws",
    ];
    output::table(cx.format(), &document, &names, &rows)?;
    Ok(ExitCode::SUCCESS)
}

/// The keys that the vault knows, and those that it refuses.
pub(super) fn known(cx: &Context) -> Result<Keys, Refusal> {
    cx.get("/v1/keys")
}

/// Says which keys cannot be used as they stand.
pub(super) fn warn(refused: &[RefusedKey]) {
    for RefusedKey { name, error } in refused {
        output::talk(&format!("warning: key {name} is refused: {error}"));
    }
}

fn row(key: &KeyInfo) -> Row<'_> {
    Row {
        name: &key.name,
        kind: key.kind,
        account: &key.account,
        partition: key.partition,
        access_key_id: &key.access_key_id,
        custody: key.custody,
        tokens: &key.tokens,
        factors: &key.factors,
        policy: &key.policy,
        mfa_serial: &key.mfa_serial,
        created: &key.created,
        epoch: key.epoch,
        last_used: &key.last_used,
        rotate: &key.rotate,
    }
}

fn cells(key: &KeyInfo) -> Vec<String> {
    let unknown = || "-".to_owned();
    vec![
        key.name.clone(),
        kind(key.kind).to_owned(),
        key.account.clone().unwrap_or_else(unknown),
        key.access_key_id.clone(),
        custody::short(key),
        listed(&key.tokens),
        key.touches.to_string(),
        listed(&key.factors),
        key.last_used.clone().unwrap_or_else(unknown),
        key.drilled.clone().unwrap_or_else(unknown),
        key.rotate.clone().unwrap_or_else(unknown),
    ]
}

/// A list in one cell.
pub(super) fn listed(items: &[String]) -> String {
    if items.is_empty() { "-".to_owned() } else { items.join(" ") }
}

/// The kind as the command line writes it.
pub(super) fn kind(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Root => "root",
        KeyKind::IamUser => "iam-user",
    }
}

/// The partition as AWS writes it.
pub(super) fn partition(partition: Partition) -> &'static str {
    match partition {
        Partition::Aws => "aws",
        Partition::AwsUsGov => "aws-us-gov",
    }
}
