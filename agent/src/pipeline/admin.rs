//! Acts on the vault that need no token: what a person may say of a key or a token.
//!
//! Promises: each is an `admin` line in the log, done or refused; the vault has concluded it right
//! before the line, with nothing between ([`super::house::is_deed`]). Must not know: HTTP.

#![forbid(unsafe_code)]

use super::house::{House, ended, entry};
use super::manage::key;
use super::{strict, versioned};
use crate::audit::Draft;
use crate::clock;
use crate::peer::Peer;
use crate::vault::{Held, VaultError};
use signet_protocol::api::{Drilled, Lost, LostKey, PinAccount, RefusedKey};
use signet_protocol::audit::Phase;
use signet_protocol::child::TokenName;
use signet_protocol::record::Recipient;
use signet_protocol::{Code, Refusal, VERSION};

/// The line of an act.
fn line(house: &House, peer: &Peer, action: &str) -> Result<Draft, Refusal> {
    let mut draft = entry(Phase::Admin, &house.new_id()?, clock::now(), peer.who());
    draft.facts.action = Some(action.to_owned());
    Ok(draft)
}

/// Writes the line of an act that was tried.
fn told<T>(house: &House, draft: Draft, done: Result<T, VaultError>) -> Result<T, Refusal> {
    let done = done.map_err(Refusal::from);
    house.note(ended(draft, Phase::Admin, &done.as_ref().map(|_| "done").map_err(Clone::clone)))?;
    done
}

/// `DELETE /v1/keys/{name}?lost`: without a token, because there is none any more.
///
/// # Errors
/// When there is no such key, or it cannot be put away.
pub fn lose_key(house: &House, peer: &Peer, name: &str) -> Result<(), Refusal> {
    let mut draft = line(house, peer, "signet:Lose")?;
    draft.facts.key = Some(name.to_owned());
    let done = house.vault.borrow_mut().remove(name, clock::now());
    if done.is_ok() {
        let _forgotten = house.sessions.forget(None, Some(name), clock::now());
    }
    told(house, draft, done)
}

/// `POST /v1/keys/{name}/account`.
///
/// # Errors
/// When another account is pinned already, or that is none.
pub fn pin_account(house: &House, peer: &Peer, name: &str, body: &[u8]) -> Result<(), Refusal> {
    let PinAccount { version, account } = strict(body)?;
    versioned(version)?;
    is_account(&account)?;
    let mut draft = line(house, peer, "signet:PinAccount")?;
    draft.facts.key = Some(name.to_owned());
    draft.facts.account = Some(account.clone());
    let done = house.vault.borrow_mut().pin_account(name, &account);
    told(house, draft, done)
}

/// `POST /v1/keys/{name}/drilled`: AWS has told this account in a rehearsal.
///
/// # Errors
/// When the key has another account, or that is none.
pub fn drilled(house: &House, peer: &Peer, name: &str, body: &[u8]) -> Result<(), Refusal> {
    let Drilled { version, account } = strict(body)?;
    versioned(version)?;
    is_account(&account)?;
    let mut draft = line(house, peer, "signet:Drilled")?;
    draft.facts.key = Some(name.to_owned());
    draft.facts.account = Some(account.clone());
    let done = house.vault.borrow_mut().drilled(name, &account, clock::now());
    told(house, draft, done)
}

fn is_account(account: &str) -> Result<(), Refusal> {
    if account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(Refusal::bare(Code::BadRequest, "an account is 12 digits"))
}

/// `POST /v1/keys/{name}/rotated`: the person says that it was.
///
/// # Errors
/// When there is no such key.
pub fn rotated(house: &House, peer: &Peer, name: &str) -> Result<(), Refusal> {
    let mut draft = line(house, peer, "signet:Rotated")?;
    draft.facts.key = Some(name.to_owned());
    let done = house.vault.borrow_mut().rotated(name);
    told(house, draft, done)
}

/// `DELETE /v1/tokens/{serial}`.
///
/// # Errors
/// When a key is sealed to it, or it is not enrolled.
pub fn remove_token(house: &House, peer: &Peer, serial: &str) -> Result<(), Refusal> {
    let mut draft = line(house, peer, "signet:RemoveToken")?;
    draft.facts.token = Some(serial.to_owned());
    let done = house.vault.borrow_mut().remove_token(serial);
    draft.facts.token_label = done.as_ref().ok().map(|token| token.recipient.label.clone());
    told(house, draft, done).map(|_token| ())
}

/// `POST /v1/tokens/{serial}/lost`: it is refused from now on; which keys it opens, and what else
/// does.
///
/// # Errors
/// When no such token is known.
pub fn lose_token(house: &House, peer: &Peer, serial: &str) -> Result<Lost, Refusal> {
    let mut draft = line(house, peer, "signet:LoseToken")?;
    draft.facts.token = Some(serial.to_owned());
    draft.facts.token_label = label(house, serial);
    let done = house.vault.borrow_mut().lose_token(serial, clock::now());
    told(house, draft, done)?;

    let vault = house.vault.borrow();
    let mut lost =
        Lost { version: VERSION, serial: serial.to_owned(), keys: Vec::new(), refused: Vec::new() };
    for Held { name, record, memory } in vault.keys()? {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                lost.refused.push(RefusedKey { name, error: error.into() });
                continue;
            }
        };
        let tokens = &record.meta.recipients;
        // Dropped since, it still opens old copies of the record, until the key is rotated.
        let is_dropped = memory.rotate.is_some() && memory.warned_of.contains(serial);
        if !is_dropped && !tokens.iter().any(|token| token.serial == serial) {
            continue;
        }
        // What was handed out while the token was somebody else's must not be handed on.
        let _forgotten = house.sessions.forget(None, Some(&name), clock::now());
        let left = tokens.iter().filter(|token| vault.lost_since(&token.serial).is_none());
        let others = left.map(named).collect();
        lost.keys.push(LostKey { key: key(name, record.meta, memory), others });
    }
    Ok(lost)
}

fn label(house: &House, serial: &str) -> Option<String> {
    let vault = house.vault.borrow();
    let token = vault.tokens().iter().find(|token| token.recipient.serial == serial);
    token.map(|token| token.recipient.label.clone())
}

fn named(token: &Recipient) -> TokenName {
    TokenName { serial: token.serial.clone(), label: token.label.clone() }
}
