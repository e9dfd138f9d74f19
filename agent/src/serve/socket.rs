//! The socket: made where nobody else can reach it, never somebody else's, checked while it lives.
//!
//! Promises: a live socket is never replaced, a dead one only if it is ours, and anything else at
//! the path is left alone; the directory must not be writable by others; what was made here is
//! removed at the end if it is still the same file. Must not know: HTTP, peers.

#![forbid(unsafe_code)]

use std::fs::{DirBuilder, Metadata, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Who may connect, as far as the file system decides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The owner: mode 0600.
    Owner,
    /// The owner and the group of the directory: mode 0660.
    Group,
}

/// Why there is no socket.
#[derive(Debug)]
pub enum NoSocket {
    /// Another agent listens there.
    Live(String),
    /// Something else is wrong, said in a sentence.
    Unfit(String),
}

/// The listening socket.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
    file: (u64, u64),
    made_here: bool,
}

impl Socket {
    /// Makes the socket.
    ///
    /// # Errors
    /// [`NoSocket`]; then nothing was made, and nothing that was there is gone but a dead socket of ours.
    pub fn bind(path: &Path, reach: Reach) -> Result<Self, NoSocket> {
        let said =
            |what: &str, e: &std::io::Error| NoSocket::Unfit(format!("{what} {}: {e}", path.display()));
        let directory = path.parent().ok_or_else(|| NoSocket::Unfit("the socket has no directory".into()))?;
        let directory = fit_directory(directory)?;
        clear_dead(path)?;
        let listener = UnixListener::bind(path).map_err(|e| said("cannot listen on", &e))?;
        let file = identity(path).ok_or_else(|| NoSocket::Unfit(format!("{} vanished", path.display())))?;
        let socket = Self { listener, path: path.to_owned(), file, made_here: true };
        let mode = match reach {
            Reach::Owner => 0o600,
            Reach::Group => {
                std::os::unix::fs::chown(path, None, Some(directory.gid()))
                    .map_err(|e| said("cannot set the group of", &e))?;
                0o660
            }
        };
        std::fs::set_permissions(path, Permissions::from_mode(mode))
            .map_err(|e| said("cannot set the mode of", &e))?;
        Ok(socket)
    }

    /// Takes a socket that the service manager has made.
    ///
    /// # Errors
    /// [`NoSocket::Unfit`] when it has no path, or the path is already another file.
    pub fn passed(listener: UnixListener) -> Result<Self, NoSocket> {
        let address = listener.local_addr().map_err(|e| NoSocket::Unfit(e.to_string()))?;
        let path = address
            .as_pathname()
            .ok_or_else(|| NoSocket::Unfit("the socket that was passed has no path".into()))?
            .to_owned();
        let file =
            identity(&path).ok_or_else(|| NoSocket::Unfit(format!("{} is no socket", path.display())))?;
        Ok(Self { listener, path, file, made_here: false })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the path still leads to this socket; when it does not, callers reach somebody else.
    #[must_use]
    pub fn still_ours(&self) -> bool {
        identity(&self.path) == Some(self.file)
    }

    /// A second handle to listen on.
    ///
    /// # Errors
    /// The system's.
    pub fn listener(&self) -> std::io::Result<UnixListener> {
        let listener = self.listener.try_clone()?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.made_here && self.still_ours() {
            // A path that cannot be removed is found dead, and ours, by the next start.
            let _removed = std::fs::remove_file(&self.path);
        }
    }
}

/// Device and inode of the socket at `path`.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let found = std::fs::symlink_metadata(path).ok()?;
    found.file_type().is_socket().then(|| (found.dev(), found.ino()))
}

/// The directory, made 0700 where it is missing; refused where others could swap the socket.
fn fit_directory(directory: &Path) -> Result<Metadata, NoSocket> {
    let said =
        |what: &str, e: &std::io::Error| NoSocket::Unfit(format!("{what} {}: {e}", directory.display()));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|e| said("cannot make the directory", &e))?;
    let found = std::fs::metadata(directory).map_err(|e| said("cannot look at", &e))?;
    let own = rustix::process::geteuid().as_raw();
    if found.uid() != own && found.uid() != 0 {
        return Err(NoSocket::Unfit(format!("{} belongs to another user", directory.display())));
    }
    // Group and others' write bits (inode(7)): whoever can write here can put another socket in place.
    if found.mode() & 0o022 != 0 {
        return Err(NoSocket::Unfit(format!("others can write to {}: chmod go-w it", directory.display())));
    }
    Ok(found)
}

/// Removes a dead socket of ours; refuses whatever else is there.
fn clear_dead(path: &Path) -> Result<(), NoSocket> {
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(NoSocket::Unfit(format!("cannot look at {}: {e}", path.display()))),
    };
    if !found.file_type().is_socket() {
        return Err(NoSocket::Unfit(format!("{} is there and is no socket", path.display())));
    }
    match UnixStream::connect(path) {
        Ok(_live) => Err(NoSocket::Live(format!("another agent listens on {}", path.display()))),
        Err(e) if e.kind() == ErrorKind::ConnectionRefused => {
            if found.uid() != rustix::process::geteuid().as_raw() {
                return Err(NoSocket::Unfit(format!("{} is another user's socket", path.display())));
            }
            std::fs::remove_file(path).map_err(|e| {
                NoSocket::Unfit(format!("cannot remove the dead socket {}: {e}", path.display()))
            })
        }
        Err(e) => Err(NoSocket::Unfit(format!("{} is there and cannot be asked: {e}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn it_is_the_owners_alone_and_goes_away_with_its_agent() {
        let folder = Folder::new("owner");
        let path = folder.0.join("new/agent.sock");
        let socket = Socket::bind(&path, Reach::Owner).unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert!(socket.still_ours());
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn a_live_socket_is_refused_and_a_dead_one_of_ours_replaced() {
        let folder = Folder::new("live");
        let path = folder.0.join("agent.sock");
        let first = Socket::bind(&path, Reach::Owner).unwrap();
        assert!(matches!(Socket::bind(&path, Reach::Owner), Err(NoSocket::Live(_))));
        assert!(first.still_ours());
        drop(first);
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "a dead socket stays behind");
        assert!(Socket::bind(&path, Reach::Group).is_ok_and(|_| mode(&path) == 0o660));
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let folder = Folder::new("planted");
        let path = folder.0.join("agent.sock");
        std::fs::write(&path, "mine").unwrap();
        assert!(matches!(Socket::bind(&path, Reach::Owner), Err(NoSocket::Unfit(_))));
        assert_eq!(std::fs::read(&path).unwrap(), b"mine");
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/nowhere", &path).unwrap();
        assert!(matches!(Socket::bind(&path, Reach::Owner), Err(NoSocket::Unfit(_))));
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_refused() {
        let folder = Folder::new("open");
        std::fs::set_permissions(&folder.0, Permissions::from_mode(0o770)).unwrap();
        let Err(NoSocket::Unfit(why)) = Socket::bind(&folder.0.join("agent.sock"), Reach::Owner) else {
            panic!("it was made in an open directory");
        };
        assert!(why.contains("others can write"), "{why}");
    }

    #[test]
    fn another_socket_in_its_place_is_seen_and_not_removed() {
        let folder = Folder::new("swapped");
        let path = folder.0.join("agent.sock");
        let socket = Socket::bind(&path, Reach::Owner).unwrap();
        std::fs::rename(&path, folder.0.join("aside")).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        assert!(!socket.still_ours());
        drop(socket);
        assert!(path.exists(), "somebody else's socket was removed");
    }

    /// A folder of this test's own, 0700, removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("signet-socket-{}-{name}", std::process::id()));
            DirBuilder::new().mode(0o700).create(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }
}
