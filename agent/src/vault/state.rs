//! `state.json`: what must be remembered so that an older record, an older code or another vault's
//! record is not taken for a good one. Data in, data out; the files are the vault's.

use super::attempts::Totp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    pub(super) version: u32,
    /// 32 hex digits, made once.
    pub(super) vault_id: String,
    /// Number of the audit entry up to which everything that was done is in here.
    #[serde(default)]
    pub(super) seq: u64,
    pub(super) keys: BTreeMap<String, KeyState>,
    /// Headers of records that were replaced or removed: never taken again, under any name.
    pub(super) retired: BTreeSet<String>,
    /// Tokens that were reported lost, by serial, and when (RFC 3339 UTC).
    #[serde(default)]
    pub(super) lost: BTreeMap<String, String>,
    /// Codes tried on records that are not keys yet, by access key id.
    #[serde(default)]
    pub(super) restoring: BTreeMap<String, Totp>,
}

/// What is remembered of one key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyState {
    /// The generation that was acknowledged; null before the first one was.
    pub(super) pin: Option<Pin>,
    /// The generation that is being written.
    pub(super) pending: Option<Pin>,
    /// The tokens that this generation drops.
    #[serde(default)]
    pub(super) dropping: Option<Dropping>,
    /// On its way to the trash.
    pub(super) removing: bool,
    pub(super) totp: Totp,
    /// By credential id (base64): the last signature counter that was accepted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) approvals: BTreeMap<String, u32>,
    pub(super) memory: Memory,
}

/// What the vault remembers of a key for people, beside its record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Account pinned after the first GetCallerIdentity, where the record names none.
    pub account: Option<String>,
    /// RFC 3339 UTC.
    pub last_used: Option<String>,
    /// `date why`, when the key is to be rotated at AWS.
    pub rotate: Option<String>,
    /// Lost tokens of which `rotate` has spoken, so that what was cleared stays cleared.
    #[serde(default)]
    pub warned_of: BTreeSet<String>,
    /// Serial and time (RFC 3339 UTC) of the last good `verify` of each token.
    #[serde(default)]
    pub verified: BTreeMap<String, String>,
    /// RFC 3339 UTC: the last good rehearsal.
    #[serde(default)]
    pub drilled: Option<String>,
}

/// Tokens that a new generation is not sealed to any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dropping {
    /// `2026-11-22`.
    pub(super) date: String,
    pub(super) serials: Vec<String>,
}

impl Memory {
    /// A generation without these tokens stands: old copies of the record do not know it.
    fn dropped(&mut self, dropping: &Dropping) {
        let Dropping { date, serials } = dropping;
        let named = serials.join(" and ");
        let (verb, them) = if serials.len() == 1 { ("was", "it") } else { ("were", "them") };
        self.rotate = Some(format!(
            "{date} token {named} {verb} dropped: old copies of the record can still be opened with {them}"
        ));
        self.verified.retain(|serial, _| !serials.contains(serial));
    }

    /// A token of the key was lost; said once.
    pub(super) fn lost(&mut self, date: &str, serial: &str) {
        if self.warned_of.insert(serial.to_owned()) {
            self.rotate = Some(format!("{date} token {serial} was lost: whoever has it may use this key"));
        }
    }
}

/// One generation of a record, told from every other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pin {
    /// From 1.
    pub(super) epoch: u64,
    /// Hex SHA-256 of the header.
    pub(super) header: String,
    /// Hex SHA-256 of the whole file: a changed payload is refused before anybody is asked.
    pub(super) file: String,
}

impl State {
    pub(super) fn new(vault_id: String) -> Self {
        Self {
            version: signet_protocol::VERSION,
            vault_id,
            seq: 0,
            keys: BTreeMap::new(),
            retired: BTreeSet::new(),
            lost: BTreeMap::new(),
            restoring: BTreeMap::new(),
        }
    }

    /// # Errors
    /// A sentence that says what is wrong.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let state: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if state.version == signet_protocol::VERSION {
            Ok(state)
        } else {
            Err(format!("version {} was written by another release", state.version))
        }
    }

    /// A writer was killed between `pending` and the answer: `found` is the generation that stands
    /// on disk now, and the header that it says it follows. Either it is the new one, which then
    /// holds, or the new one never was.
    pub(super) fn resolve(&mut self, name: &str, found: Option<(Pin, Option<String>)>) {
        let Some(key) = self.keys.get_mut(name) else { return };
        let dropping = key.dropping.take();
        let Some(pending) = key.pending.take() else { return };
        match found.filter(|(standing, _)| *standing == pending) {
            Some((_, follows)) => {
                let replaced = key.pin.replace(pending).map(|old| old.header);
                self.retired.extend(replaced.into_iter().chain(follows));
                dropping.iter().for_each(|dropping| key.memory.dropped(dropping));
            }
            None if key.pin.is_none() => {
                self.keys.remove(name);
            }
            None => {}
        }
    }

    /// The name is free again; its record is not.
    pub(super) fn forget(&mut self, name: &str) {
        let generations = self.keys.remove(name).map(|key| [key.pin, key.pending]);
        let headers = generations.into_iter().flatten().flatten().map(|pin| pin.header);
        self.retired.extend(headers);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn pin(epoch: u64) -> Pin {
        Pin { epoch, header: format!("header {epoch}"), file: format!("file {epoch}") }
    }

    fn state(pinned: Option<Pin>, pending: Option<Pin>) -> State {
        let mut state = State::new("v".to_owned());
        state.keys.insert("k".to_owned(), KeyState { pin: pinned, pending, ..KeyState::default() });
        state
    }

    #[test]
    fn the_generation_on_disk_decides_what_became_of_a_pending_one() {
        let mut promoted = state(Some(pin(1)), Some(pin(2)));
        promoted.resolve("k", Some((pin(2), Some("header 1".to_owned()))));
        assert_eq!(promoted.keys.get("k").unwrap().pin, Some(pin(2)));
        assert!(promoted.retired.contains("header 1"));

        for found in [Some(pin(1)), Some(pin(9)), None] {
            let mut dropped = state(Some(pin(1)), Some(pin(2)));
            dropped.resolve("k", found.map(|found| (found, None)));
            assert_eq!(dropped, state(Some(pin(1)), None));
        }
    }

    #[test]
    fn a_first_generation_that_never_was_leaves_the_name_free() {
        let mut never = state(None, Some(pin(1)));
        never.resolve("k", None);
        assert!(never.keys.is_empty() && never.retired.is_empty());
    }

    #[test]
    fn a_forgotten_key_leaves_every_header_retired() {
        let mut gone = state(Some(pin(1)), Some(pin(2)));
        gone.forget("k");
        assert!(gone.keys.is_empty());
        assert_eq!(gone.retired, BTreeSet::from(["header 1".to_owned(), "header 2".to_owned()]));
    }

    #[test]
    fn the_state_is_read_as_it_was_written_and_strictly() {
        let written = serde_json::to_string(&state(Some(pin(1)), None)).unwrap();
        assert_eq!(State::read(written.as_bytes()).unwrap(), state(Some(pin(1)), None));
        let more = written.replacen("\"version\"", "\"extra\":1,\"version\"", 1);
        assert!(State::read(more.as_bytes()).is_err());
        let short = written.replacen(r#""retired":[]"#, r#""retired":null"#, 1);
        assert!(State::read(short.as_bytes()).is_err());
        assert!(State::read(written.replacen("\"version\":1", "\"version\":2", 1).as_bytes()).is_err());
    }
}
