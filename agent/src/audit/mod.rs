//! The audit log: one JSON line an entry, each with the hash of the one before.
//!
//! Promises: an entry is on disk when [`Log::append`] returns, and in the chain once; a failed append
//! leaves the log as it was, and nothing may then be done. What a killed agent left is set right at
//! start and noted. Must not know: what a use is, who may do what.
//!
//! Files are `NNNNNN.jsonl`, a new one after 8 MiB. The chain shows every line that was changed,
//! missing, swapped or doubled; a tail that was cut off shows only against a head kept elsewhere, which
//! is what the anchor is for.

#![forbid(unsafe_code)]

mod anchor;
mod draft;
mod error;
mod recover;
mod search;
mod stored;

pub use draft::Draft;
pub use error::AuditError;
pub use stored::Stored;

use crate::clock;
use crate::config::Anchor;
use crate::disk::{Dir, DiskError};
use anchor::Copies;
use signet_protocol::api::Head;
use signet_protocol::audit::{Entry, GENESIS, Link, Phase};
use signet_protocol::record::Factor;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use time::OffsetDateTime;

/// Length after which a new file is begun.
const FILE_LENGTH: u64 = 8 * 1024 * 1024;

/// What was found at start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Bytes of a torn last line that were cut.
    pub cut: u64,
    /// Intents that have no outcome, to be noted.
    pub unfinished: Vec<Entry>,
}

/// The log.
#[derive(Debug)]
pub struct Log {
    dir: Dir,
    file: File,
    number: u32,
    /// Length of what was acknowledged in this file.
    length: u64,
    /// Whether there may be bytes behind that.
    torn: bool,
    seq: u64,
    hash: String,
    copies: Copies,
}

impl Log {
    /// Opens the log in a directory, makes it where there is none, checks its end, cuts a torn last
    /// line and tells what a killed agent has left open.
    ///
    /// # Errors
    /// [`AuditError::Damaged`] when its end is not the one that was written, or is behind a head that
    /// was copied; the disk's.
    pub fn open(path: &Path, anchor: &Anchor, now: OffsetDateTime) -> Result<(Self, Recovery), AuditError> {
        let dir = Dir::open(path)?;
        let mut copies = Copies::open(anchor)?;
        let found = recover::find(&dir)?;
        if let Some(copied) = copies.last()? {
            check_copied(&dir, &copied, &found.links)?;
        }
        let last = found.links.last();
        let (seq, hash) = last.map_or((0, GENESIS.to_owned()), |link| (link.seq, link.hash.clone()));
        let (torn, number, length) = (found.torn > 0, found.number, found.length);
        let mut log = Self { dir, file: found.file, number, length, torn, seq, hash, copies };
        let recovery = Recovery { cut: found.torn, unfinished: found.unfinished };
        if torn {
            let mut note = Draft::new(Phase::Recovered, "start", now);
            note.facts.result = Some(format!("cut {} bytes of a torn last line", found.torn));
            log.append(note)?;
        }
        Ok((log, recovery))
    }

    /// Notes what a killed agent has left open, once it is clear what came of it. `enrolled` knows the FIDO2
    /// factors of a key that is there.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn note_unfinished(
        &mut self,
        intents: Vec<Entry>,
        enrolled: impl Fn(&str) -> Option<Vec<Factor>>,
        now: OffsetDateTime,
    ) -> Result<(), AuditError> {
        for intent in intents {
            self.append(Draft::unfinished(intent, &enrolled, now))?;
        }
        Ok(())
    }

    /// Adds an entry; it is durable, and its head copied, when this returns its number.
    ///
    /// # Errors
    /// Then nothing that the entry speaks of may be done or given out.
    pub fn append(&mut self, draft: Draft) -> Result<u64, AuditError> {
        self.mend()?;
        self.turn_over()?;
        let time = clock::rfc3339(draft.time);
        let seq = self.seq.saturating_add(1);
        let line = draft.entry(seq, &self.hash).line(sha256_hex);
        // Strings and numbers only: the serializer does not fail.
        let line = line.map_err(|error| self.failed("write", error.into()))?;
        let bytes = [line.text.as_bytes(), b"\n"].concat();
        if let Err(source) = self.file.write_all(&bytes).and_then(|()| self.file.sync_data()) {
            self.torn = true;
            return Err(self.failed("write", source).into());
        }
        self.length = self.length.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        (self.seq, self.hash) = (seq, line.hash);
        let head = self.head();
        self.copies.copy(&head, &time)?;
        Ok(seq)
    }

    /// Number and hash of the last entry; 0 and zeros when there is none.
    #[must_use]
    pub fn head(&self) -> Head {
        Head { version: signet_protocol::VERSION, seq: self.seq, hash: self.hash.clone() }
    }

    /// The stored lines, up to the head as it is now, piece by piece.
    ///
    /// # Errors
    /// When a file is not as it was made; what goes wrong later is told by the piece.
    pub fn stored(&self) -> Result<Stored, AuditError> {
        Stored::new(self.dir.again()?, self.torn.then_some((self.number, self.length)))
    }

    /// Cuts what a failed append, or a killed agent, has left behind the last entry.
    fn mend(&mut self) -> Result<(), DiskError> {
        if self.torn {
            let cut = self.file.set_len(self.length).and_then(|()| self.file.sync_all());
            cut.map_err(|source| self.failed("cut", source))?;
            self.torn = false;
        }
        Ok(())
    }

    /// Begins a new file when this one is full.
    fn turn_over(&mut self) -> Result<(), DiskError> {
        if self.length >= FILE_LENGTH {
            let next = self.number.saturating_add(1);
            self.file = recover::append_to(&self.dir, next)?;
            (self.number, self.length) = (next, 0);
        }
        Ok(())
    }

    fn failed(&self, what: &'static str, source: io::Error) -> DiskError {
        DiskError::Io { what, path: self.dir.path().join(recover::name(self.number)), source }
    }
}

/// A head that was copied must be in the log: copies are made after the entry is durable.
fn check_copied(dir: &Dir, copied: &Head, links: &[Link]) -> Result<(), AuditError> {
    let damaged = |found: String| Err(AuditError::Damaged { dir: dir.path().to_owned(), found });
    let Head { seq, hash, .. } = copied;
    match links.iter().find(|link| link.seq == *seq) {
        Some(link) if link.hash == *hash => Ok(()),
        Some(_) => damaged(format!("entry {seq} is not the one whose head was copied")),
        // Further back than what was read: `signet audit verify --head` tells.
        None if links.first().is_some_and(|first| first.seq > *seq) => Ok(()),
        None => damaged(format!("entry {seq}, whose head was copied, is missing")),
    }
}

fn sha256_hex(bytes: &[u8]) -> String {
    signet_envelope::hex(&signet_envelope::sha256(bytes))
}

#[cfg(test)]
mod tests;
