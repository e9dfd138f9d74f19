//! `signet token lost`: a token is refused from now on, and the person is told, key by key, what is to be
//! done at AWS. Needs no token, and may be asked again: it then tells what is left to do.

mod steps;

use super::Done;
use super::list::{kind, warn};
use super::token::{checked, joined, title};
use crate::args::Format;
use crate::context::Context;
use crate::output;
use serde::Serialize;
use signet_protocol::api::{KeyInfo, Lost, LostKey, RefusedKey};
use signet_protocol::child::TokenName;
use signet_protocol::{Code, Refusal, VERSION};
use steps::Step;

/// `token lost` as JSON.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    serial: &'a str,
    keys: Vec<Touched<'a>>,
    refused: &'a [RefusedKey],
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Refusal>,
}

/// A key that the token opens or holds, and what to do about it.
#[derive(Serialize)]
struct Touched<'a> {
    key: &'a KeyInfo,
    others: &'a [TokenName],
    steps: Vec<Step>,
}

/// Does the command.
pub(super) fn run(cx: &Context, serial: &str) -> Done {
    let lost: Lost = cx.post_bare(&format!("/v1/tokens/{}/lost", checked(serial)?))?;
    output::talk(&format!("token {serial} is refused from now on"));
    warn(&lost.refused);
    let keys: Vec<Touched<'_>> = lost
        .keys
        .iter()
        .map(|LostKey { key, others }| Touched { key, others, steps: steps::steps(key, others, serial) })
        .collect();
    let left = keys.iter().filter(|it| it.key.rotate.is_some()).count();
    let error = (left > 0).then(|| {
        let plural = if left == 1 { "key is" } else { "keys are" };
        let what = format!("{left} {plural} still to be rotated or switched off at aws");
        Refusal::new(Code::FailedCheck, what, format!("signet token lost {serial}"))
    });
    let document = Document { version: VERSION, serial, keys, refused: &lost.refused, error };
    match cx.format() {
        Format::Text => document.keys.iter().try_for_each(|it| text(it, serial))?,
        Format::Json | Format::Csv => {
            let names = ["key", "access key id", "step", "what", "command", "page"];
            output::table(cx.format(), &document, &names, &rows(&document.keys))?;
        }
    }
    if document.error.is_none() {
        output::talk("nothing is left to be done for it at aws");
    }
    Ok(output::verdict(cx.format(), document.error.as_ref()))
}

/// One key for a person: what it is, how bad it is, what to type.
fn text(touched: &Touched<'_>, serial: &str) -> Result<(), Refusal> {
    let Touched { key, others, steps } = touched;
    let account = key.account.as_deref().unwrap_or("not known");
    output::line(&format!("{}: {}, {} of account {account}", key.name, key.access_key_id, kind(key.kind)))?;
    let Some(why) = &key.rotate else {
        return output::line("  was marked as rotated: nothing is left to be done at aws");
    };
    let left: Vec<String> = others.iter().map(title).collect();
    let left = if left.is_empty() { "no other token".to_owned() } else { joined(&left, "and") };
    output::line(&format!("  marked: {why}"))?;
    output::line(&format!("  danger: {}", steps::danger(key, serial)))?;
    output::line(&format!("  still opened by: {left}"))?;
    for (number, step) in steps.iter().enumerate() {
        output::line(&format!("  {}. {}", number + 1, step.what))?;
        for line in step.command.iter().chain(&step.page) {
            output::line(&format!("       {line}"))?;
        }
    }
    Ok(())
}

/// One row a step.
fn rows(keys: &[Touched<'_>]) -> Vec<Vec<String>> {
    let cell = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let of = |Touched { key, steps, .. }: &Touched<'_>| {
        let (name, id) = (key.name.clone(), key.access_key_id.clone());
        let row = move |(number, step): (usize, &Step)| {
            let number = (number + 1).to_string();
            vec![name.clone(), id.clone(), number, step.what.clone(), cell(&step.command), cell(&step.page)]
        };
        steps.iter().enumerate().map(row).collect::<Vec<_>>()
    };
    keys.iter().flat_map(of).collect()
}
