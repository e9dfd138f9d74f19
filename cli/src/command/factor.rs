//! `signet factor …`: second factors of a key. Adding and removing one are uses.

mod fido2;

pub(super) use fido2::{Made, make, verified_by};

use super::list::{known, warn};
use super::show::checked;
use super::{Done, done};
use crate::args::{FactorCommand, FactorKindCommand};
use crate::context::Context;
use crate::output;
use crate::totp::{self, Seed};
use serde::Serialize;
use signet_protocol::api::UseAct;
use signet_protocol::record::{Credential, Factor};
use signet_protocol::{PromptKind, Refusal, VERSION};
use std::path::Path;
use std::process::ExitCode;

/// Does the command.
pub(crate) fn run(cx: &Context, command: &FactorCommand) -> Done {
    match command {
        FactorCommand::Add(FactorKindCommand::Totp { key, label, qr }) => {
            add_totp(cx, checked(key)?, label.as_deref().unwrap_or_default(), qr.as_deref())?;
        }
        FactorCommand::Add(FactorKindCommand::Fido2 { key, label }) => {
            fido2::add(cx, checked(key)?, label.as_deref().unwrap_or_default())?;
        }
        FactorCommand::List => list(cx)?,
        FactorCommand::Remove { id, key } => {
            cx.use_key(checked(key)?, UseAct::RemoveFactor { id: id.clone() }, None)?;
            done(cx, &format!("removed factor {id} of {key}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The seed is settled before the use begins, so that its seconds are not spent on a camera; the
/// signer's question for it is then answered at once.
fn add_totp(cx: &Context, key: &str, label: &str, qr: Option<&Path>) -> Result<(), Refusal> {
    let seed = match qr {
        Some(_) => new_seed(key, qr)?,
        None => typed_seed(cx, key, None)?,
    };
    cx.prompts().prepare(PromptKind::TotpSeed, seed.base32());
    cx.use_key(key, UseAct::AddTotp { label: label.to_owned() }, None)?;
    done(cx, &format!("{key} now needs a one-time code for each use"))
}

/// Makes a seed and shows it.
pub(super) fn new_seed(key: &str, qr: Option<&Path>) -> Result<Seed, Refusal> {
    let seed = Seed::random()?;
    totp::qr::show(&seed, key, qr)?;
    if let Some(file) = qr {
        output::talk(&format!("the new seed is in {}: scan it, then delete the file", file.display()));
    }
    Ok(seed)
}

/// Asks for a seed; the word `new` makes one and shows it.
pub(super) fn typed_seed(cx: &Context, key: &str, qr: Option<&Path>) -> Result<Seed, Refusal> {
    let text = format!("seed of the one-time codes for {key} (otpauth uri, base32, or the word new)");
    let answer = cx.ask(PromptKind::TotpSeed, &text)?;
    if answer.eq_ignore_ascii_case(b"new") { new_seed(key, qr) } else { Seed::read(&answer) }
}

fn list(cx: &Context) -> Result<(), Refusal> {
    #[derive(Serialize)]
    struct Row<'a> {
        key: &'a str,
        #[serde(flatten)]
        factor: &'a Factor,
    }
    #[derive(Serialize)]
    struct Document<'a> {
        version: u32,
        factors: Vec<Row<'a>>,
    }
    let keys = known(cx)?;
    warn(&keys.refused);
    let factors: Vec<Row<'_>> = keys
        .keys
        .iter()
        .flat_map(|key| key.factor_details.iter().map(|factor| Row { key: &key.name, factor }))
        .collect();
    let rows: Vec<Vec<String>> = factors
        .iter()
        .map(|Row { key, factor: it }| {
            let of = |tell: fn(&Credential) -> String| it.credential.as_ref().map_or("-".to_owned(), tell);
            vec![
                (*key).to_owned(),
                it.id.clone(),
                it.kind.name().to_owned(),
                it.label.clone(),
                of(|credential| verified_by(credential).to_owned()),
                of(|credential| credential.aaguid.clone()),
                it.created.clone(),
            ]
        })
        .collect();
    let document = Document { version: VERSION, factors };
    let names = ["key", "id", "kind", "label", "verified by", "aaguid", "created"];
    output::table(cx.format(), &document, &names, &rows)
}
