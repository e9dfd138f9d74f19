//! The next generation of a record: what it is to say, before any token is asked.
//!
//! Promises: a generation differs from the one before in what was asked for and in nothing else, and
//! names it; at least one token stays that can use the key. Must not know: what a kind of token is.

#![forbid(unsafe_code)]

mod factors;

use super::task::{Embed, Task, Work};
use crate::vault::{StoredRecord, Vault, VaultError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
pub(super) use factors::{add_fido2, add_totp, remove_factor};
use signet_envelope::MAX_RECIPIENTS;
use signet_protocol::child::{Seed, Sibling};
use signet_protocol::record::{Custody, Holder, Metadata, Recipient};
use signet_protocol::rule::Part;
use signet_protocol::{Code, Refusal, kinds};
use std::collections::BTreeSet;

pub(super) fn set_policy(record: StoredRecord, policy: &[Part]) -> Result<Task, Refusal> {
    check_policy(policy)?;
    change(record, "signet:SetPolicy", Seed::Keep, |meta| meta.policy = policy.to_vec())
}

fn check_policy(policy: &[Part]) -> Result<(), Refusal> {
    crate::policy::check_parts(policy).map_err(|error| {
        let message = format!("the policy is refused: {}", error.message);
        Refusal::new(Code::BadRequest, message, "signet policy presets")
    })
}

/// Other tokens open the record; where the key is in tokens, those that come are written.
pub(super) fn reseal(
    vault: &Vault,
    record: StoredRecord,
    add: &[String],
    drop: &[String],
) -> Result<Task, Refusal> {
    let name = record.meta.name.clone();
    let bad = |message: String| Refusal::new(Code::BadRequest, message, format!("signet show {name}"));
    if add.is_empty() && drop.is_empty() {
        return Err(bad("no token is to be added and none to be dropped".to_owned()));
    }
    once(add.iter().chain(drop))?;
    drop.iter().try_for_each(|serial| opens(&record.meta, serial))?;
    let added = add.iter().map(|serial| enrolled(vault, serial)).collect::<Result<Vec<_>, _>>()?;
    if let Some(there) = add.iter().find(|serial| opens(&record.meta, serial).is_ok()) {
        return Err(bad(format!("token {there} opens {name} already")));
    }
    if record.meta.recipients.len() + added.len() > MAX_RECIPIENTS + drop.len() {
        return Err(bad(format!("a record is sealed to at most {MAX_RECIPIENTS} tokens")));
    }
    match (record.meta.custody, added.is_empty(), drop.is_empty()) {
        (Custody::InToken, false, false) => {
            let hint = format!("signet reseal {name} --add {}", add.join(" --add "));
            let message = "a key inside tokens is written into others first, and taken from some then";
            Err(Refusal::new(Code::BadRequest, message, hint))
        }
        (Custody::InToken, false, true) => {
            let access_code = record.meta.holders.iter().any(|holder| holder.access_code);
            embedding(vault, record, "signet:Reseal", added, add.to_vec(), access_code)
        }
        (Custody::InToken, true, _) | (Custody::Sealed, _, _) => {
            let mut task = change(record, "signet:Reseal", Seed::Keep, |meta| {
                meta.recipients.retain(|token| !drop.contains(&token.serial));
                meta.recipients.extend(added);
                meta.holders.retain(|holder| !drop.contains(&holder.serial));
            })?;
            if let Work::Change { next, dropped, .. } = &mut task.work {
                one_stays(vault, next)?;
                *dropped = drop.to_vec();
            }
            Ok(task)
        }
    }
}

/// A key whose last token goes is removed, not resealed.
fn one_stays(vault: &Vault, next: &Metadata) -> Result<(), Refusal> {
    let here = |serial: &str| vault.lost_since(serial).is_none();
    let can_use = |token: &Recipient| {
        here(&token.serial) && (next.custody == Custody::Sealed || held_by(next, &token.serial).is_some())
    };
    if next.recipients.iter().any(can_use) {
        return Ok(());
    }
    let message = format!("no token would be left that can use {}", next.name);
    Err(Refusal::new(Code::BadRequest, message, format!("signet reseal {} --add SERIAL", next.name)))
}

/// The key goes into tokens that open its record; without any named, into all that do not hold it yet.
/// One that is named is written again, should it hold it no more.
pub(super) fn embed(
    vault: &Vault,
    record: StoredRecord,
    tokens: &[String],
    access_code: bool,
) -> Result<Task, Refusal> {
    let name = record.meta.name.clone();
    once(tokens.iter())?;
    for serial in tokens {
        opens(&record.meta, serial)?;
        vault.check_not_lost(serial)?;
    }
    let mut wanted = tokens.to_vec();
    if wanted.is_empty() {
        let lacks =
            |serial: &&String| vault.lost_since(serial).is_none() && held_by(&record.meta, serial).is_none();
        wanted.extend(record.meta.recipients.iter().map(|token| &token.serial).filter(lacks).cloned());
    }
    if wanted.is_empty() {
        let message = format!("every token of {name} holds it already");
        return Err(Refusal::new(Code::BadRequest, message, format!("signet verify {name}")));
    }
    let mut stay = record.meta.holders.iter().filter(|holder| !wanted.contains(&holder.serial));
    if stay.any(|holder| holder.access_code != access_code) {
        // A token without a code beside one with: it would be the way around the PIN.
        let flag = if access_code { "--no-access-code" } else { "--access-code" };
        let message = "the tokens of a key ask for an access code all alike".to_owned();
        return Err(Refusal::new(Code::BadRequest, message, format!("signet embed {name} {flag}")));
    }
    embedding(vault, record, "signet:Embed", Vec::new(), wanted, access_code)
}

fn embedding(
    vault: &Vault,
    record: StoredRecord,
    action: &str,
    added: Vec<Recipient>,
    tokens: Vec<String>,
    access_code: bool,
) -> Result<Task, Refusal> {
    let siblings = siblings(vault, &record.meta.name, &tokens)?;
    let mut next = following(&record)?;
    next.custody = Custody::InToken;
    next.recipients.extend(added);
    next.holders.retain(|holder| !tokens.contains(&holder.serial));
    let embed = Embed { next, tokens, access_code, siblings };
    Ok(Task { record, action: action.to_owned(), work: Work::Embed(Box::new(embed)) })
}

/// For each token one other key that is in it behind an access code: its record knows the code.
fn siblings(vault: &Vault, name: &str, tokens: &[String]) -> Result<Vec<Sibling>, VaultError> {
    let mut siblings: Vec<Sibling> = Vec::new();
    for held in vault.keys()?.into_iter().filter(|held| held.name != name) {
        // One that is refused is not offered.
        let Ok(record) = held.record else { continue };
        let knows = |serial: &&String| {
            held_by(&record.meta, serial).is_some_and(|holder| holder.access_code)
                && !siblings.iter().any(|known| known.serial == **serial)
        };
        let theirs: Vec<&String> = tokens.iter().filter(knows).collect();
        siblings.extend(theirs.into_iter().map(|serial| Sibling {
            serial: serial.clone(),
            key: held.name.clone(),
            record: STANDARD.encode(&record.bytes),
            header_sha256: record.header_sha256.clone(),
        }));
    }
    Ok(siblings)
}

/// What a generation with new holders must say, if `told` says it: as it was ordered, behind the
/// generation before it, and with one sound holder for each token that was to be written.
pub(super) fn embedded(embed: &Embed, before: &StoredRecord, told: &Metadata) -> Option<Metadata> {
    let mut expected = following(before).ok()?;
    expected.custody = Custody::InToken;
    expected.recipients.clone_from(&embed.next.recipients);
    let new = told.holders.strip_prefix(embed.next.holders.as_slice())?;
    let is_for = |(holder, serial): (&Holder, &String)| holder.serial == *serial && is_sound(holder);
    if new.len() != embed.tokens.len() || !new.iter().zip(&embed.tokens).all(is_for) {
        return None;
    }
    expected.holders.clone_from(&told.holders);
    Some(expected)
}

/// What a generation that only prepares the ordered one must say: the same as the one before it.
pub(super) fn following(before: &StoredRecord) -> Result<Metadata, Refusal> {
    let mut next = before.meta.clone();
    next.epoch = next
        .epoch
        .checked_add(1)
        .ok_or_else(|| Refusal::bare(Code::Internal, "the record has no further generation"))?;
    next.previous = Some(before.header_sha256.clone());
    Ok(next)
}

/// Eight bytes of name, 32 of hash, and a credential that can be named.
fn is_sound(holder: &Holder) -> bool {
    let is_hex = |text: &str, bytes: usize| {
        text.len() == 2 * bytes && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    kinds::find_holder(&holder.kind).is_some()
        && is_hex(&holder.device, 8)
        && is_hex(&holder.check, 32)
        && (1..=64).contains(&holder.credential.len())
        && holder.credential.bytes().all(|b| b.is_ascii_graphic())
}

/// A record without state is sealed anew for this vault, as its next generation.
pub(super) fn restore(vault: &Vault, name: &str, bytes: Vec<u8>) -> Result<Task, Refusal> {
    let record = vault.check_restorable(name, bytes)?;
    check_policy(&record.meta.policy)?;
    let mut next = following(&record)?;
    vault.vault_id().clone_into(&mut next.vault_id);
    let work = Work::Restore { next: Box::new(next) };
    Ok(Task { record, action: "signet:Restore".to_owned(), work })
}

/// The next generation of a record differs in one thing, and names the one before.
fn change(
    record: StoredRecord,
    action: &str,
    seed: Seed,
    edit: impl FnOnce(&mut Metadata),
) -> Result<Task, Refusal> {
    let mut next = following(&record)?;
    edit(&mut next);
    let work = Work::Change { next: Box::new(next), seed, dropped: Vec::new() };
    Ok(Task { record, action: action.to_owned(), work })
}

/// Refuses a token that does not open the record.
pub(super) fn opens(meta: &Metadata, serial: &str) -> Result<(), Refusal> {
    if meta.recipients.iter().any(|token| token.serial == serial) {
        return Ok(());
    }
    let message = format!("token {serial} is none of {}'s", meta.name);
    Err(Refusal::new(Code::BadRequest, message, format!("signet show {}", meta.name)))
}

fn held_by<'m>(meta: &'m Metadata, serial: &str) -> Option<&'m Holder> {
    meta.holders.iter().find(|holder| holder.serial == serial)
}

fn enrolled(vault: &Vault, serial: &str) -> Result<Recipient, Refusal> {
    vault.check_not_lost(serial)?;
    let found = vault.tokens().iter().find(|token| token.recipient.serial == serial);
    let recipient = found.map(|token| token.recipient.clone());
    Ok(recipient.ok_or_else(|| VaultError::NoSuchToken(serial.to_owned()))?)
}

fn once<'a>(mut serials: impl Iterator<Item = &'a String>) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    match serials.find(|serial| !seen.insert(*serial)) {
        None => Ok(()),
        Some(twice) => {
            let message = format!("token {twice} is named twice");
            Err(Refusal::new(Code::BadRequest, message, "signet token list"))
        }
    }
}
