//! The last entry of some kind, looked for from the end of the log.
//!
//! However long the log is, one piece of it is in memory at a time, and what lies before the entry is
//! not read. Entries are taken as they stand: only the log's end was checked.

use super::{AuditError, Log, recover};
use crate::disk::DiskError;
use rustix::fs::OFlags;
use signet_protocol::audit::Entry;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};

/// Length of a piece; an entry is shorter.
const PIECE: u64 = 256 * 1024;

impl Log {
    /// Number of the last entry that is `wanted`; 0 when there is none.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn last(&self, wanted: impl Fn(&Entry) -> bool) -> Result<u64, AuditError> {
        for number in recover::files(&self.dir)?.into_iter().rev() {
            let Some(mut file) = self.dir.open_file(&recover::name(number), OFlags::RDONLY)? else {
                continue;
            };
            let found = last_of(&mut file, &wanted).map_err(|source| {
                let path = self.dir.path().join(recover::name(number));
                DiskError::Io { what: "read", path, source }
            })?;
            if let Some(seq) = found {
                return Ok(seq);
            }
        }
        Ok(0)
    }
}

fn last_of(file: &mut File, wanted: impl Fn(&Entry) -> bool) -> io::Result<Option<u64>> {
    let mut end = file.metadata()?.len();
    while end > 0 {
        let start = end.saturating_sub(PIECE);
        file.seek(SeekFrom::Start(start))?;
        let mut piece = Vec::new();
        file.take(end - start).read_to_end(&mut piece)?;
        // A line whose beginning was not read belongs to the next piece; one that fills a piece is no
        // entry.
        let cut = match piece.iter().position(|byte| *byte == b'\n') {
            Some(lf) if start > 0 => lf.saturating_add(1),
            Some(_) | None => 0,
        };
        let lines = piece.get(cut..).unwrap_or_default().rsplit(|byte| *byte == b'\n');
        let found = lines.filter_map(|line| serde_json::from_slice(line).ok()).find(&wanted);
        if let Some(Entry { seq, .. }) = found {
            return Ok(Some(seq));
        }
        let cut = u64::try_from(cut).unwrap_or(0);
        end = if cut < end - start { start.saturating_add(cut) } else { start };
    }
    Ok(None)
}
