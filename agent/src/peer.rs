//! Ticket 1: who is at the other end of the socket.
//!
//! Promises: a [`Peer`] comes only from an accepted connection and only for a uid that may use this
//! socket; the uid is the kernel's word (SO_PEERCRED, unix(7)) as of `connect`. Pid and program are
//! decoration: a pid can be recycled, `/proc/PID/exe` can be raced. They are told and logged, never
//! decided on. Must not know: HTTP, policy, what is asked.

#![forbid(unsafe_code)]

use rustix::process::Uid;
use signet_protocol::{Code, Refusal};
use tokio::net::UnixStream;

/// Longest program path that is kept.
const EXE_LENGTH: usize = 256;

/// Whom the socket serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admits {
    /// One uid: a personal agent serves its owner.
    Only(u32),
    /// Whoever the file system lets connect: a system agent, whose socket has a group.
    Connected,
}

/// The process that connected. One a connection; not `Clone`.
#[derive(Debug)]
pub struct Peer {
    who: Who,
}

/// What is known of a process that connected, admitted or not; for the log and for people.
#[derive(Debug, PartialEq, Eq)]
pub struct Who {
    /// Uid, by the kernel's word.
    pub uid: u32,
    /// Gid, by the kernel's word.
    pub gid: u32,
    /// Pid at `connect`, where the kernel tells it.
    pub pid: Option<i32>,
    /// Name of the uid in `/etc/passwd`.
    pub user: Option<String>,
    /// What `/proc/PID/exe` pointed to when the connection was accepted.
    pub exe: Option<String>,
}

/// A connection that is not served: who it was, and what they are told.
#[derive(Debug)]
pub struct Stranger {
    /// Who it was.
    pub who: Who,
    /// What they are told.
    pub refusal: Refusal,
}

/// Looks at a connection.
///
/// # Errors
/// The kernel's, when it does not tell who connected; then nobody is served.
pub fn admit(stream: &UnixStream, admits: Admits) -> std::io::Result<Result<Peer, Box<Stranger>>> {
    let credentials = stream.peer_cred()?;
    let pid = credentials.pid().filter(|pid| *pid > 0);
    let who = Who {
        uid: credentials.uid(),
        gid: credentials.gid(),
        pid,
        user: user_name(credentials.uid()),
        exe: pid.and_then(program),
    };
    Ok(match admits {
        Admits::Only(uid) if uid != who.uid => Err(Box::new(Stranger { refusal: not_yours(), who })),
        Admits::Only(_) | Admits::Connected => Ok(Peer { who }),
    })
}

fn not_yours() -> Refusal {
    Refusal::new(Code::Denied, "this agent serves another user", "signet status --socket YOUR-SOCKET")
}

/// The uid this process runs as.
#[must_use]
pub fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

impl Peer {
    /// The uid: the only thing decisions are made on.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.who.uid
    }

    /// Everything that is known, for the audit entry.
    #[must_use]
    pub fn who(&self) -> &Who {
        &self.who
    }
}

impl std::fmt::Display for Who {
    /// `alice (uid 1000), /usr/bin/signet, pid 4711`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.user {
            Some(user) => write!(f, "{user} (uid {})", self.uid)?,
            None => write!(f, "uid {}", self.uid)?,
        }
        if let Some(exe) = &self.exe {
            write!(f, ", {exe}")?;
        }
        self.pid.map_or(Ok(()), |pid| write!(f, ", pid {pid}"))
    }
}

/// The name of a uid in `/etc/passwd` (passwd(5)); directory services are not asked.
pub(crate) fn user_name(uid: u32) -> Option<String> {
    let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _password, number) = (fields.next()?, fields.next()?, fields.next()?);
        (Uid::from_raw(number.parse().ok()?) == Uid::from_raw(uid)).then(|| printable(name))
    })
}

fn program(pid: i32) -> Option<String> {
    let path = std::fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    Some(printable(&path.to_string_lossy()))
}

/// What a caller chose to be called must not write on somebody's terminal: anything but visible
/// ASCII becomes `?`, and it is cut.
fn printable(text: &str) -> String {
    text.chars().take(EXE_LENGTH).map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[tokio::test]
    async fn the_kernel_says_who_connected_and_another_uid_is_a_stranger() {
        let (near, _far) = UnixStream::pair().unwrap();
        let own = own_uid();
        let peer = admit(&near, Admits::Only(own)).unwrap().unwrap();
        assert_eq!(peer.uid(), own);
        assert_eq!(peer.who().pid, Some(i32::try_from(std::process::id()).unwrap()));
        assert!(peer.who().exe.as_deref().unwrap().contains("signet"));

        let Err(stranger) = admit(&near, Admits::Only(own + 1)).unwrap() else {
            panic!("another uid was admitted");
        };
        assert_eq!((stranger.who.uid, stranger.refusal.code), (own, Code::Denied));
        assert!(admit(&near, Admits::Connected).unwrap().is_ok());
    }

    #[test]
    fn names_cannot_write_on_a_terminal() {
        assert_eq!(printable("/bin/\u{1b}[2Jevil\u{202e}\n"), "/bin/?[2Jevil??");
        assert_eq!(printable(&"x".repeat(1000)).len(), EXE_LENGTH);
    }
}
