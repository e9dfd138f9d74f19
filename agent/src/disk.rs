//! Directories and files that are ours alone, and the one way to write them so that a crash leaves
//! the old or the new, never a torn one.
//!
//! Promises: a directory is ours and 0700, a file is regular, ours, 0600, has one name and is no
//! longer than it may be, or it is refused; a [`Dir::write`] that returned is on the disk, one that
//! failed has left the old file whole. Must not know: what the files mean.
//!
//! Every file is named by one component below a directory that is held open, and opened with
//! `O_NOFOLLOW`: there is no path left in which a link could stand, so openat2(2)'s
//! `RESOLVE_BENEATH` and `RESOLVE_NO_SYMLINKS` would add nothing here but a newer kernel.
//!
//! The calls block. They are short (one small file, two fsyncs), and nothing else may go on while
//! they are under way.

#![forbid(unsafe_code)]

mod error;

pub use error::DiskError;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::fs::{DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// A directory of ours, held open.
#[derive(Debug)]
pub struct Dir {
    fd: OwnedFd,
    path: PathBuf,
}

const NEW_FILE: Mode = Mode::from_raw_mode(0o600);
const TEMPORARY: &str = ".tmp";

impl Dir {
    /// Opens a directory, and makes it (and those above it) first where it is not there.
    ///
    /// # Errors
    /// When it cannot be made, or is not ours alone.
    pub fn open(path: &Path) -> Result<Self, DiskError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|source| DiskError::Io { what: "make the directory", path: path.to_owned(), source })?;
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(|e| denied(path, "open", e))?;
        let dir = Self { fd, path: path.to_owned() };
        dir.check()?;
        Ok(dir)
    }

    /// The same for a directory in this one.
    ///
    /// # Errors
    /// As [`Dir::open`].
    pub fn sub(&self, name: &str) -> Result<Self, DiskError> {
        let path = self.place(name)?;
        match rustix::fs::mkdirat(&self.fd, name, Mode::from_raw_mode(0o700)) {
            Ok(()) => self.sync()?,
            Err(Errno::EXIST) => {}
            Err(error) => return Err(denied(&path, "make the directory", error)),
        }
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, name, flags, Mode::empty());
        let dir = Self { fd: fd.map_err(|e| denied(&path, "open", e))?, path };
        dir.check()?;
        Ok(dir)
    }

    /// A second handle on the same directory.
    ///
    /// # Errors
    /// The system's.
    pub fn again(&self) -> Result<Self, DiskError> {
        let fd = self.fd.try_clone();
        let fd = fd.map_err(|source| DiskError::Io { what: "open", path: self.path.clone(), source })?;
        Ok(Self { fd, path: self.path.clone() })
    }

    /// Where it is, for people.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn check(&self) -> Result<(), DiskError> {
        let stat = rustix::fs::fstat(&self.fd).map_err(|e| denied(&self.path, "look at", e))?;
        if stat.st_uid != rustix::process::geteuid().as_raw() {
            return Err(not_ours(&self.path, "belongs to another user", None));
        }
        if stat.st_mode & 0o077 != 0 {
            return Err(not_ours(&self.path, "is open to other users", Some("chmod 700")));
        }
        Ok(())
    }

    /// Opens a file of ours: regular, owned, 0600, one name. `None` when it is not there.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn open_file(&self, name: &str, flags: OFlags) -> Result<Option<File>, DiskError> {
        let path = self.place(name)?;
        // NONBLOCK: somebody's FIFO in the place of our file must not hang the agent.
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fd = match rustix::fs::openat(&self.fd, name, flags, NEW_FILE) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(denied(&path, "open", error)),
        };
        let stat = rustix::fs::fstat(&fd).map_err(|e| denied(&path, "look at", e))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(not_ours(&path, "is not a regular file", None));
        }
        if stat.st_uid != rustix::process::geteuid().as_raw() {
            return Err(not_ours(&path, "belongs to another user", None));
        }
        if stat.st_mode & 0o7777 != 0o600 {
            return Err(not_ours(&path, "does not have mode 0600", Some("chmod 600")));
        }
        if stat.st_nlink != 1 {
            return Err(not_ours(&path, "has more than one name", None));
        }
        Ok(Some(File::from(fd)))
    }

    /// The bytes of a file of ours of at most `limit` bytes; `None` when it is not there.
    ///
    /// # Errors
    /// As [`Dir::open_file`], and when it is longer.
    pub fn read(&self, name: &str, limit: usize) -> Result<Option<Vec<u8>>, DiskError> {
        let Some(file) = self.open_file(name, OFlags::RDONLY)? else { return Ok(None) };
        let mut bytes = Vec::new();
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        let read = file.take(most).read_to_end(&mut bytes);
        read.map_err(|source| DiskError::Io { what: "read", path: self.path.join(name), source })?;
        if bytes.len() > limit {
            return Err(not_ours(&self.path.join(name), "is longer than it may be", None));
        }
        Ok(Some(bytes))
    }

    /// Puts `bytes` in the place of a file; durable when it returns.
    ///
    /// # Errors
    /// Then the old file is whole, and in its place unless only the last step, the directory's
    /// fsync, failed: who must know asks again with [`Dir::read`].
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), DiskError> {
        let path = self.place(name)?;
        let temporary = format!(".{name}{TEMPORARY}");
        let written = self.write_new(&temporary, bytes).and_then(|()| {
            rustix::fs::renameat(&self.fd, &temporary, &self.fd, name).map_err(io::Error::from)
        });
        if let Err(source) = written {
            // Best effort: the sweep at the next start takes what stays.
            let _ = rustix::fs::unlinkat(&self.fd, &temporary, AtFlags::empty());
            return Err(DiskError::Io { what: "write", path, source });
        }
        self.sync()
    }

    fn write_new(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(&self.fd, name, flags, NEW_FILE)?);
        file.write_all(bytes)?;
        file.sync_all()
    }

    /// Moves a file to another directory; durable when it returns. `false` when it is not there.
    ///
    /// # Errors
    /// The system's.
    pub fn move_to(&self, name: &str, other: &Self, new_name: &str) -> Result<bool, DiskError> {
        let (path, _) = (self.place(name)?, other.place(new_name)?);
        match rustix::fs::renameat(&self.fd, name, &other.fd, new_name) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(false),
            Err(error) => return Err(denied(&path, "move", error)),
        }
        // First where it came to: a crash between the two must not lose it.
        other.sync()?;
        self.sync()?;
        Ok(true)
    }

    /// Unlinks a file; durable when it returns. `false` when it is not there.
    ///
    /// # Errors
    /// The system's.
    pub fn remove(&self, name: &str) -> Result<bool, DiskError> {
        let path = self.place(name)?;
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) => self.sync().map(|()| true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(denied(&path, "remove", error)),
        }
    }

    /// Makes names that were added or moved durable.
    ///
    /// # Errors
    /// The system's.
    pub fn sync(&self) -> Result<(), DiskError> {
        rustix::fs::fsync(self.fd.as_fd()).map_err(|e| denied(&self.path, "flush", e))
    }

    /// Names in the directory, sorted; temporary files and other hidden names left out.
    ///
    /// # Errors
    /// The system's.
    pub fn names(&self) -> Result<Vec<String>, DiskError> {
        let mut names = self.entries()?;
        names.retain(|name| !name.starts_with('.'));
        names.sort();
        Ok(names)
    }

    /// Removes what writers that were killed have left.
    ///
    /// # Errors
    /// The system's.
    pub fn sweep(&self) -> Result<(), DiskError> {
        let entries = self.entries()?;
        let stale = entries.iter().filter(|name| name.starts_with('.') && name.ends_with(TEMPORARY));
        for name in stale {
            rustix::fs::unlinkat(&self.fd, name.as_str(), AtFlags::empty())
                .map_err(|e| denied(&self.path.join(name), "remove", e))?;
        }
        Ok(())
    }

    fn entries(&self) -> Result<Vec<String>, DiskError> {
        let failed = |error| denied(&self.path, "list", error);
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd).map_err(failed)? {
            // A name that is not UTF-8 is none of ours.
            if let Ok(name) = entry.map_err(failed)?.file_name().to_str() {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// The path of a name, which must be one component: see the head of this file.
    fn place(&self, name: &str) -> Result<PathBuf, DiskError> {
        let path = self.path.join(name);
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
            return Err(not_ours(&path, "is not the name of a file", None));
        }
        Ok(path)
    }
}

fn not_ours(path: &Path, why: &str, command: Option<&str>) -> DiskError {
    let hint = command.map(|command| format!("{command} {}", path.display()));
    DiskError::NotOurs { path: path.to_owned(), why: why.to_owned(), hint }
}

fn denied(path: &Path, what: &'static str, error: Errno) -> DiskError {
    match error {
        Errno::LOOP => not_ours(path, "is a symbolic link", None),
        Errno::NOTDIR => not_ours(path, "is not a directory", None),
        error => DiskError::Io { what, path: path.to_owned(), source: error.into() },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use signet_protocol::Refusal;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn home() -> (tempfile::TempDir, Dir) {
        let home = tempfile::tempdir().unwrap();
        let dir = Dir::open(&home.path().join("a/b")).unwrap();
        (home, dir)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn why(error: DiskError) -> String {
        match error {
            DiskError::NotOurs { why, .. } => why,
            DiskError::Io { source, .. } => panic!("{source}"),
        }
    }

    #[test]
    fn what_is_written_is_for_the_owner_only_and_leaves_nothing_beside_it() {
        let (_home, dir) = home();
        dir.write("state.json", b"one").unwrap();
        dir.write("state.json", b"two").unwrap();
        assert_eq!(dir.read("state.json", 3).unwrap().unwrap(), b"two");
        assert_eq!(dir.entries().unwrap().iter().filter(|name| name.contains("state")).count(), 1);
        assert_eq!((mode(dir.path()), mode(&dir.path().join("state.json"))), (0o700, 0o600));
        assert_eq!(dir.read("nothing", 3).unwrap(), None);
    }

    #[test]
    fn a_file_that_is_not_ours_alone_is_refused_each_with_its_reason() {
        let (_home, dir) = home();
        let at = |name: &str| dir.path().join(name);
        for name in ["open", "target", "twice", "long"] {
            dir.write(name, b"0123456789").unwrap();
        }
        fs::set_permissions(at("open"), fs::Permissions::from_mode(0o640)).unwrap();
        symlink(at("target"), at("link")).unwrap();
        fs::hard_link(at("twice"), at("again")).unwrap();
        fs::create_dir(at("folder")).unwrap();
        rustix::fs::mknodat(&dir.fd, "fifo", FileType::Fifo, NEW_FILE, 0).unwrap();

        let read = |name: &str| why(dir.read(name, 9).unwrap_err());
        assert_eq!(read("open"), "does not have mode 0600");
        assert_eq!(read("link"), "is a symbolic link");
        assert_eq!(read("twice"), "has more than one name");
        assert_eq!(read("folder"), "is not a regular file");
        assert_eq!(read("fifo"), "is not a regular file");
        assert_eq!(read("long"), "is longer than it may be");
        for name in ["", "..", "keys/a", "a\0b"] {
            assert_eq!(read(name), "is not the name of a file");
            assert!(dir.write(name, b"").is_err());
        }
    }

    #[test]
    fn a_directory_that_others_may_enter_or_that_is_a_link_is_refused() {
        let (home, dir) = home();
        let open = home.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o750)).unwrap();
        let error = Dir::open(&open).unwrap_err();
        assert!(Refusal::from(error).hint.unwrap().starts_with("chmod 700 /"));
        symlink(dir.path(), home.path().join("link")).unwrap();
        assert_eq!(why(Dir::open(&home.path().join("link")).unwrap_err()), "is not a directory");
        fs::create_dir(dir.path().join("keys")).unwrap();
        fs::set_permissions(dir.path().join("keys"), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(why(dir.sub("keys").unwrap_err()), "is open to other users");
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file_and_the_sweep_takes_the_rest() {
        let (_home, dir) = home();
        dir.write("record", b"old").unwrap();
        // A writer that was killed before its rename.
        dir.write_new(".record.tmp", b"torn").unwrap();
        assert!(dir.write("record", b"new").is_err(), "a stale temporary file is never written over");
        assert_eq!(dir.read("record", 64).unwrap().unwrap(), b"old");
        dir.write_new(".record.tmp", b"torn").unwrap();
        dir.sweep().unwrap();
        dir.write("record", b"new").unwrap();
        assert_eq!(dir.read("record", 64).unwrap().unwrap(), b"new");
    }

    #[test]
    fn a_moved_file_is_in_one_place() {
        let (_home, dir) = home();
        let trash = dir.sub("trash").unwrap();
        dir.write("record", b"old").unwrap();
        assert!(dir.move_to("record", &trash, "gone").unwrap());
        assert!(!dir.move_to("record", &trash, "gone").unwrap());
        assert_eq!(trash.names().unwrap(), ["gone"]);
        assert_eq!(dir.read("record", 9).unwrap(), None);
        assert!(trash.remove("gone").unwrap() && !trash.remove("gone").unwrap());
    }
}
