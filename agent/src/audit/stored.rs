//! The stored bytes of the log, from its first line to the head as it was when they were asked for.
//!
//! Promises: one piece of bounded size at a time, however long the log is; what is appended meanwhile
//! is not read. Must not know: who reads.

use super::{AuditError, recover};
use crate::disk::{Dir, DiskError};
use rustix::fs::OFlags;
use std::fs::File;
use std::io::{self, Read as _, Take};

/// Largest piece.
const PIECE: u64 = 64 * 1024;

/// The pieces, in order. One file is open at a time.
#[derive(Debug)]
pub struct Stored {
    dir: Dir,
    /// Numbers of the files that are still to be opened, and how much of each belongs to the log.
    files: std::vec::IntoIter<(u32, u64)>,
    open: Option<(u32, Take<File>)>,
    left: u64,
}

impl Stored {
    /// Looks at every file. Each is told as it is now, for the reader to find what somebody has cut or
    /// added; but where a failed append has left bytes behind, `torn` says how much of which is the log.
    pub(super) fn new(dir: Dir, torn: Option<(u32, u64)>) -> Result<Self, AuditError> {
        let mut files = Vec::new();
        for found in recover::files(&dir)? {
            let Some(file) = open(&dir, found)? else { continue };
            let size = file.metadata().map_err(|source| failed(&dir, found, source))?.len();
            let whole =
                torn.filter(|(number, _)| *number == found).map_or(size, |(_, length)| length.min(size));
            files.push((found, whole));
        }
        let left = files.iter().fold(0, |sum: u64, (_, size)| sum.saturating_add(*size));
        Ok(Self { dir, files: files.into_iter(), open: None, left })
    }

    /// How many bytes are still to come.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left
    }

    fn piece(&mut self) -> Result<Option<Vec<u8>>, AuditError> {
        loop {
            let Some((number, file)) = &mut self.open else {
                let Some((number, size)) = self.files.next() else { return Ok(None) };
                self.open = open(&self.dir, number)?.map(|file| (number, file.take(size)));
                continue;
            };
            let mut piece = Vec::new();
            file.take(PIECE).read_to_end(&mut piece).map_err(|source| failed(&self.dir, *number, source))?;
            if piece.is_empty() {
                self.open = None;
                continue;
            }
            self.left = self.left.saturating_sub(u64::try_from(piece.len()).unwrap_or(u64::MAX));
            return Ok(Some(piece));
        }
    }
}

impl Iterator for Stored {
    type Item = Result<Vec<u8>, AuditError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.piece().transpose()
    }
}

fn open(dir: &Dir, number: u32) -> Result<Option<File>, DiskError> {
    dir.open_file(&recover::name(number), OFlags::RDONLY)
}

fn failed(dir: &Dir, number: u32, source: io::Error) -> AuditError {
    DiskError::Io { what: "read", path: dir.path().join(recover::name(number)), source }.into()
}
