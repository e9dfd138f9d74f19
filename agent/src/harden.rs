//! What the agent does to itself before anything else: no core, no reader of its memory, no files
//! for others, no new privileges, nothing in swap.
//!
//! Promises: [`harden`] runs before configuration, environment or socket are looked at, and says of
//! each layer whether it is in force, so that `status` can name the missing ones and
//! `[harden] require` can refuse to start. Must not know: configuration, the vault.
//!
//! The only room with `unsafe`: taking over a descriptor that the service manager has passed.

#![allow(unsafe_code)]

use rustix::mm::MlockAllFlags;
use rustix::process::{DumpableBehavior, Resource, Rlimit};
use signet_protocol::api::Layer;
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::os::unix::net::UnixListener;

/// Locking all memory with a small limit would make a later allocation fail, and the agent with it:
/// below this many bytes of `RLIMIT_MEMLOCK` it is left undone, and said so.
const LOCK_AT_LEAST: u64 = 256 * 1024 * 1024;

/// First descriptor passed by socket activation (`sd_listen_fds(3)`, SD_LISTEN_FDS_START).
const FIRST_PASSED: i32 = 3;

/// Puts every layer in force that this machine has; order matters only in that memory is closed to
/// other processes first.
#[must_use]
pub fn harden() -> Vec<Layer> {
    let _previous = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    vec![
        layer("memory closed to other processes", not_dumpable()),
        layer("no core dumps", no_core()),
        layer("files for the owner only", Ok(())),
        layer("no new privileges", no_new_privileges()),
        layer("memory locked", lock_memory()),
    ]
}

/// The layers that are missing, as one sentence; `None` when all are in force.
#[must_use]
pub fn missing(layers: &[Layer]) -> Option<String> {
    let off: Vec<String> = layers
        .iter()
        .filter(|layer| !layer.on)
        .map(|layer| format!("{} ({})", layer.name, layer.why.as_deref().unwrap_or("not in force")))
        .collect();
    (!off.is_empty()).then(|| off.join(", "))
}

fn layer(name: &str, outcome: Result<(), String>) -> Layer {
    Layer { name: name.to_owned(), on: outcome.is_ok(), why: outcome.err() }
}

/// `/proc/PID/mem`, ptrace and core files need the dumpable flag (prctl(2), PR_SET_DUMPABLE).
fn not_dumpable() -> Result<(), String> {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|e| e.to_string())
}

fn no_core() -> Result<(), String> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    rustix::process::setrlimit(Resource::Core, none).map_err(|e| e.to_string())
}

fn no_new_privileges() -> Result<(), String> {
    rustix::thread::set_no_new_privs(true).map_err(|e| e.to_string())
}

fn lock_memory() -> Result<(), String> {
    let limit = rustix::process::getrlimit(Resource::Memlock).current;
    let may_lock_any = rustix::thread::capabilities(None)
        .is_ok_and(|sets| sets.effective.contains(rustix::thread::CapabilitySet::IPC_LOCK));
    if let Some(bytes) = limit.filter(|bytes| *bytes < LOCK_AT_LEAST && !may_lock_any) {
        return Err(format!("the limit of locked memory is {} KiB", bytes / 1024));
    }
    rustix::mm::mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)
        .map_err(|e| e.to_string())
}

/// The listening socket that the service manager has passed, when `LISTEN_PID` names this process.
///
/// Called once, from `main`, before any other descriptor is opened.
///
/// # Errors
/// When something was passed that is not exactly one listening Unix socket.
pub fn inherited_socket() -> Result<Option<UnixListener>, String> {
    let own = std::process::id().to_string();
    if std::env::var("LISTEN_PID").ok().as_deref() != Some(own.as_str()) {
        return Ok(None);
    }
    match std::env::var("LISTEN_FDS").ok().as_deref() {
        None | Some("0") => return Ok(None),
        Some("1") => {}
        Some(_) => return Err("more than one socket was passed by the service manager".to_owned()),
    }
    // SAFETY: the service manager promises that descriptor 3 is open and ours when LISTEN_PID is our
    // pid (sd_listen_fds(3)); nothing else in this process owns it: main calls this first and once.
    // A false promise ends in EBADF at the first call below, before anything else was opened.
    let fd = unsafe { OwnedFd::from_raw_fd(FIRST_PASSED) };
    let listens = rustix::net::sockopt::socket_acceptconn(&fd).unwrap_or(false)
        && rustix::net::sockopt::socket_domain(&fd) == Ok(rustix::net::AddressFamily::UNIX);
    if !listens {
        // Not ours to close: whoever passed it may have meant it for something else.
        std::mem::forget(fd);
        return Err("descriptor 3 is not a listening unix socket".to_owned());
    }
    rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC).map_err(|e| e.to_string())?;
    Ok(Some(UnixListener::from(fd)))
}
