//! Copies of the log's head, kept where whoever can rewrite the log may not reach: a file on another
//! disk, or journald.
//!
//! A copy is made after the entry is durable, so a crash leaves the copy behind the log, never before
//! it: a copied head that the log does not have means that the log was cut.

use super::AuditError;
use crate::config::Anchor;
use rustix::fs::{Mode, OFlags};
use signet_protocol::api::Head;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The native protocol's socket (systemd, "Native Journal Protocol").
const JOURNAL: &str = "/run/systemd/journal/socket";
/// A journal that does not take a line within this time counts as gone.
const PATIENCE: Duration = Duration::from_secs(1);
/// How much of a file's end is searched for the last head: dozens of lines.
const TAIL: u64 = 4096;

/// Where heads go.
#[derive(Debug)]
pub(super) enum Copies {
    None,
    Journal { socket: PathBuf },
    File { path: PathBuf, file: File },
}

impl Copies {
    pub(super) fn open(anchor: &Anchor) -> Result<Self, AuditError> {
        match anchor {
            Anchor::None => Ok(Self::None),
            Anchor::Journald => Self::journal(JOURNAL.into()),
            Anchor::File(path) => {
                let file = append_to(path).map_err(|source| failed(path, source))?;
                Ok(Self::File { path: path.clone(), file })
            }
        }
    }

    /// Connects once, so that a machine without a journal is told at start.
    fn journal(socket: PathBuf) -> Result<Self, AuditError> {
        connect(&socket).map_err(|source| failed(&socket, source))?;
        Ok(Self::Journal { socket })
    }

    /// The last head that was copied; `None` where copies cannot be read back or there is none.
    pub(super) fn last(&mut self) -> Result<Option<Head>, AuditError> {
        match self {
            Self::None | Self::Journal { .. } => Ok(None),
            Self::File { path, file } => {
                let text = tail(file).map_err(|source| failed(path, source))?;
                // A line that was torn by a crash is none; the one before it counts.
                Ok(text.lines().rev().find_map(read))
            }
        }
    }

    pub(super) fn copy(&mut self, head: &Head, time: &str) -> Result<(), AuditError> {
        match self {
            Self::None => Ok(()),
            Self::Journal { socket } => {
                let Head { seq, hash, .. } = head;
                let message = format!(
                    "MESSAGE=signet audit head {seq}:{hash}\nPRIORITY=5\nSYSLOG_IDENTIFIER=signet-agent\n\
                     SIGNET_AUDIT_HEAD={seq}:{hash}\n"
                );
                // Connected anew each time: the journal may have been restarted.
                let sent = connect(socket).and_then(|to| to.send(message.as_bytes()));
                sent.map(drop).map_err(|source| failed(socket, source))
            }
            Self::File { path, file } => {
                let line = format!("{}:{} {time}\n", head.seq, head.hash);
                let written = file.write_all(line.as_bytes()).and_then(|()| file.sync_data());
                written.map_err(|source| failed(path, source))
            }
        }
    }
}

fn connect(socket: &Path) -> io::Result<UnixDatagram> {
    let to = UnixDatagram::unbound()?;
    to.set_write_timeout(Some(PATIENCE))?;
    to.connect(socket)?;
    Ok(to)
}

fn append_to(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::open(path, flags, Mode::from_raw_mode(0o600))?);
    let text = tail(&mut file)?;
    if !text.is_empty() && !text.ends_with('\n') {
        file.write_all(b"\n")?;
    }
    Ok(file)
}

fn tail(file: &mut File) -> io::Result<String> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// `SEQ:HASH time`
fn read(line: &str) -> Option<Head> {
    let (head, _time) = line.split_once(' ')?;
    let (seq, hash) = head.split_once(':')?;
    let is_hash = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    let seq = seq.parse().ok().filter(|_| is_hash)?;
    Some(Head { version: signet_protocol::VERSION, seq, hash: hash.to_owned() })
}

fn failed(place: &Path, source: io::Error) -> AuditError {
    AuditError::Anchor { place: place.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn head(seq: u64) -> Head {
        Head { version: 1, seq, hash: format!("{seq:064x}") }
    }

    #[test]
    fn the_last_whole_line_of_a_file_is_the_last_head() {
        let dir = tempfile::tempdir().unwrap();
        let anchor = Anchor::File(dir.path().join("heads"));
        assert_eq!(Copies::open(&anchor).unwrap().last().unwrap(), None);
        for seq in 1..200 {
            Copies::open(&anchor).unwrap().copy(&head(seq), "2026-11-22T17:03:41Z").unwrap();
        }
        let mut torn = std::fs::OpenOptions::new().append(true).open(dir.path().join("heads")).unwrap();
        torn.write_all(b"200:00ab").unwrap();
        let mut copies = Copies::open(&anchor).unwrap();
        assert_eq!(copies.last().unwrap(), Some(head(199)));
        copies.copy(&head(201), "2026-11-22T17:03:41Z").unwrap();
        assert_eq!(copies.last().unwrap(), Some(head(201)));
    }

    #[test]
    fn a_journal_gets_each_head_and_its_absence_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        assert!(matches!(Copies::journal(path.clone()), Err(AuditError::Anchor { .. })));
        let journal = UnixDatagram::bind(&path).unwrap();
        let mut copies = Copies::journal(path.clone()).unwrap();
        copies.copy(&head(7), "2026-11-22T17:03:41Z").unwrap();
        let mut buffer = [0; 1024];
        let length = journal.recv(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(buffer.get(..length).unwrap()).into_owned();
        assert!(text.contains(&format!("SIGNET_AUDIT_HEAD=7:{:064x}\n", 7)), "{text}");
        drop(journal);
        std::fs::remove_file(path).unwrap();
        assert!(copies.copy(&head(8), "2026-11-22T17:03:41Z").is_err());
    }
}
