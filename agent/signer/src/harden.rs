//! What a process can do to keep others out of its memory, before it reads anything.
//!
//! Promises: after [`process`] no other process of this user can read the memory or attach to it, no
//! core is written, and the process dies with its parent. Locking memory is best effort: where the
//! limit does not allow it, the secret may in principle reach swap during the milliseconds it exists.
//! Does not promise anything against root.

#![allow(unsafe_code, reason = "set_var has no safe form; the one block below says why it is sound")]

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};
use std::io;

/// Below this limit on locked memory, locking everything that is yet to come could make an
/// allocation fail in the middle of a use.
const ENOUGH_TO_LOCK: u64 = 64 * 1024 * 1024;

/// Shuts the process off and ties its life to its parent's.
///
/// # Errors
/// When a layer that every Linux has cannot be put in force.
pub fn process() -> io::Result<()> {
    let parent = rustix::process::getppid();
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // A parent that died before the line above sends no signal any more.
    if rustix::process::getppid() != parent {
        return Err(io::Error::other("the parent is gone"));
    }
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    lock_memory();
    Ok(())
}

/// Keeps memory out of swap as far as the limit allows.
fn lock_memory() {
    let limit = rustix::process::getrlimit(Resource::Memlock).current;
    let flags = match limit {
        Some(bytes) if bytes < ENOUGH_TO_LOCK => MlockAllFlags::CURRENT | MlockAllFlags::ONFAULT,
        Some(_) | None => MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT,
    };
    // Best effort: a machine without the permission still gets a process that ends at once.
    let _ = mlockall(flags);
}

/// Makes libpcsclite talk to `socket` instead of the system's; empty changes nothing.
///
/// libpcsclite takes this from the environment alone, once, at its first call. The signer is started
/// with an empty environment, so the path can only come from the agent's configuration.
pub fn pcsc_socket(socket: &str) {
    if socket.is_empty() || socket.contains('\0') {
        return;
    }
    // SAFETY: called by main before it starts a thread, so nothing reads or writes the environment
    // at the same time.
    unsafe { std::env::set_var("PCSCLITE_CSOCK_NAME", socket) };
}
