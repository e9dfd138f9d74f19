//! Which socket is the agent's, and who may stand behind it.
//!
//! Order of the contract: `--socket`, `SIGNET_SOCK`, the system's, the personal one.

use serde::Serialize;
use signet_protocol::{Code, Refusal};
use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Directory that systemd makes for a system agent.
const SYSTEM_DIR: &str = "/run/signet";
const SYSTEM: &str = "/run/signet/agent.sock";

/// How the socket was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Origin {
    /// `--socket`.
    Flag,
    /// `SIGNET_SOCK`.
    Environment,
    /// The system agent's.
    System,
    /// The personal default.
    Personal,
}

impl Origin {
    /// Why it is the one in force.
    pub(crate) fn why(self) -> &'static str {
        match self {
            Self::Flag => "--socket names it",
            Self::Environment => "SIGNET_SOCK names it",
            Self::System => "the system agent's is there",
            Self::Personal => "the personal default",
        }
    }
}

/// The socket in force.
#[derive(Debug, Clone)]
pub(crate) struct Socket {
    path: PathBuf,
    origin: Origin,
}

impl Socket {
    /// Finds it; `flag` is `--socket`.
    pub(crate) fn find(flag: Option<&Path>) -> Self {
        if let Some(path) = flag {
            return Self { path: path.to_owned(), origin: Origin::Flag };
        }
        if let Some(path) = set("SIGNET_SOCK") {
            return Self { path: path.into(), origin: Origin::Environment };
        }
        // a directory that may not be searched is there too: "join the group" is the answer then
        let hidden = |error: io::Error| error.kind() == io::ErrorKind::PermissionDenied;
        if std::fs::symlink_metadata(SYSTEM).map_or_else(hidden, |_| true) {
            return Self { path: SYSTEM.into(), origin: Origin::System };
        }
        Self { path: personal(), origin: Origin::Personal }
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How it was chosen.
    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    /// Whether the server is one to speak to: our own, root's, or the service user's to whom root gave
    /// `/run/signet`.
    pub(crate) fn check_server(&self, uid: u32) -> Result<(), Refusal> {
        let own = rustix::process::geteuid().as_raw();
        if uid == own || uid == 0 || (self.path.starts_with(SYSTEM_DIR) && Some(uid) == system_owner()) {
            return Ok(());
        }
        Err(Refusal::new(
            Code::NoAgent,
            format!(
                "the server at {} belongs to uid {uid}, not to you, root or the system agent",
                self.path.display()
            ),
            format!("ls -l {}", self.path.display()),
        ))
    }

    /// The refusal for a socket that cannot be connected to.
    pub(crate) fn unreachable(&self, error: &io::Error) -> Refusal {
        let path = self.path.display();
        if error.kind() == io::ErrorKind::PermissionDenied && self.origin == Origin::System {
            return Refusal::new(
                Code::NoAgent,
                format!("{path} may not be used: join group signet"),
                "sudo usermod -aG signet \"$USER\"",
            );
        }
        let hint = match self.origin {
            Origin::Flag | Origin::Environment => format!("signet-agent --socket {path}"),
            Origin::System => "sudo systemctl restart signet-agent".to_owned(),
            Origin::Personal => "signet-agent".to_owned(),
        };
        Refusal::new(Code::NoAgent, format!("no agent at {path}: {}", reason(error)), hint)
    }
}

/// The system's sentence without its number.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such socket".to_owned(),
        io::ErrorKind::ConnectionRefused => "nobody listens".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// The personal socket.
fn personal() -> PathBuf {
    if let Some(dir) = absolute("XDG_RUNTIME_DIR") {
        return dir.join("signet/agent.sock");
    }
    let uid = rustix::process::geteuid().as_raw();
    let dir = PathBuf::from(format!("/run/user/{uid}"));
    if std::fs::symlink_metadata(&dir)
        .is_ok_and(|meta| meta.is_dir() && meta.uid() == uid && meta.mode() & 0o077 == 0)
    {
        return dir.join("signet/agent.sock");
    }
    state_dir().join("agent.sock")
}

/// The personal state directory.
pub(crate) fn state_dir() -> PathBuf {
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .unwrap_or_default()
        .join("signet")
}

/// Owner of `/run/signet`, where only root could have made it.
fn system_owner() -> Option<u32> {
    let above = std::fs::symlink_metadata("/run").ok()?;
    let dir = std::fs::symlink_metadata(SYSTEM_DIR).ok()?;
    let roots = above.is_dir() && above.uid() == 0 && above.mode() & 0o022 == 0;
    (roots && dir.is_dir() && dir.mode() & 0o002 == 0).then(|| dir.uid())
}

/// An environment variable that is set and not empty.
fn set(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// An environment variable that names an absolute path; others are ignored, as the XDG Base
/// Directory Specification asks.
fn absolute(name: &str) -> Option<PathBuf> {
    set(name).map(PathBuf::from).filter(|path| path.is_absolute())
}
