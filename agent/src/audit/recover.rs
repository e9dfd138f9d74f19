//! The end of the log, read at start: the head, a torn last line, and intents without an outcome.
//!
//! Only the end is read and checked, so that a start costs the same however long the log is;
//! `signet audit verify` checks all of it.

use super::{AuditError, sha256_hex};
use crate::disk::{Dir, DiskError};
use rustix::fs::OFlags;
use signet_protocol::audit::{Entry, GENESIS, Link, Phase};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};

/// How much of a file's end is read: some hundred entries.
const TAIL: u64 = 256 * 1024;
const FIRST: u32 = 1;

/// The log as it was found.
pub(super) struct Found {
    /// The last file, open for appending, and its number.
    pub(super) file: File,
    pub(super) number: u32,
    /// Its length without a torn last line.
    pub(super) length: u64,
    /// Length of a torn last line.
    pub(super) torn: u64,
    /// The entries that were read, as links; the last is the head.
    pub(super) links: Vec<Link>,
    /// Intents without an outcome, in their order.
    pub(super) unfinished: Vec<Entry>,
}

pub(super) fn name(number: u32) -> String {
    format!("{number:06}.jsonl")
}

/// Numbers of the log's files, in order.
pub(super) fn files(dir: &Dir) -> Result<Vec<u32>, DiskError> {
    let mut numbers: Vec<u32> = dir
        .names()?
        .iter()
        .filter_map(|file| file.strip_suffix(".jsonl")?.parse().ok())
        .filter(|number| *number >= FIRST)
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Opens a file of the log for appending, and makes it where it is not there.
pub(super) fn append_to(dir: &Dir, number: u32) -> Result<File, DiskError> {
    let name = name(number);
    let gone = || DiskError::Io {
        what: "open",
        path: dir.path().join(&name),
        source: io::ErrorKind::NotFound.into(),
    };
    let file = dir.open_file(&name, OFlags::RDWR | OFlags::APPEND | OFlags::CREATE)?.ok_or_else(gone)?;
    dir.sync()?;
    Ok(file)
}

/// Reads the end of the log; a torn last line is still there.
pub(super) fn find(dir: &Dir) -> Result<Found, AuditError> {
    let mut numbers = files(dir)?;
    let number = numbers.pop().unwrap_or(FIRST);
    let mut file = append_to(dir, number)?;
    let last = tail(&mut file).map_err(|source| failed(dir, number, source))?;
    let torn = last.bytes.rsplit(|byte| *byte == b'\n').next().map_or(0, <[u8]>::len);

    let mut begins = (number, last.whole);
    let mut lines = Vec::new();
    // A file that was begun shortly ago: the entries before are in the one before.
    if let Some(before) = numbers.pop().filter(|_| last.whole)
        && let Some(mut file) = dir.open_file(&name(before), OFlags::RDONLY)?
    {
        let end = tail(&mut file).map_err(|source| failed(dir, before, source))?;
        begins = (before, end.whole);
        lines.extend(end.lines().map(<[u8]>::to_vec));
    }
    lines.extend(last.lines().map(<[u8]>::to_vec));

    let links = walk(&lines, begins == (FIRST, true))
        .map_err(|found| AuditError::Damaged { dir: dir.path().to_owned(), found })?;
    let torn = u64::try_from(torn).unwrap_or(u64::MAX);
    let length = last.length.saturating_sub(torn);
    Ok(Found { file, number, length, torn, links, unfinished: unfinished(&lines) })
}

/// Each entry is intact and follows the one before.
fn walk(lines: &[Vec<u8>], from_the_first: bool) -> Result<Vec<Link>, String> {
    let mut links: Vec<Link> = Vec::with_capacity(lines.len());
    for line in lines {
        let link = Link::read(line, sha256_hex).filter(|link| link.intact);
        let Some(link) = link else {
            let after = links.last().map_or(0, |link| link.seq);
            return Err(format!("the entry after entry {after} was changed"));
        };
        let follows = match links.last() {
            Some(before) => before.seq.checked_add(1) == Some(link.seq) && before.hash == link.prev,
            None => !from_the_first || (link.seq == 1 && link.prev == GENESIS),
        };
        if !follows {
            return Err(format!("entry {} does not follow the one before it", link.seq));
        }
        links.push(link);
    }
    Ok(links)
}

/// Intents whose use has neither an outcome nor a note of an earlier recovery.
fn unfinished(lines: &[Vec<u8>]) -> Vec<Entry> {
    let mut open: Vec<Entry> = Vec::new();
    for entry in lines.iter().filter_map(|line| serde_json::from_slice::<Entry>(line).ok()) {
        match entry.phase {
            Phase::Intent => open.push(entry),
            Phase::Outcome | Phase::Recovered => open.retain(|intent| intent.id != entry.id),
            Phase::Vend | Phase::Admin => {}
        }
    }
    open
}

/// The end of a file.
struct Tail {
    bytes: Vec<u8>,
    /// Length of the file.
    length: u64,
    /// Whether the end is the whole of it.
    whole: bool,
}

impl Tail {
    /// The whole lines, without their LFs: not a first one whose beginning was not read, not a last
    /// one that has no end.
    fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let mut lines: Vec<&[u8]> = self.bytes.split(|byte| *byte == b'\n').collect();
        lines.pop();
        lines.into_iter().skip(usize::from(!self.whole))
    }
}

fn tail(file: &mut File) -> io::Result<Tail> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    Ok(Tail { bytes, length, whole: from == 0 })
}

fn failed(dir: &Dir, number: u32, source: io::Error) -> DiskError {
    DiskError::Io { what: "read", path: dir.path().join(name(number)), source }
}
