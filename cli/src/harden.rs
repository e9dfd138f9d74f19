//! What the process denies itself and others, and the only place where `unsafe` may stand.
//!
//! The cli holds a PIN or a code while it is typed, and the secret while a key is added: no core
//! dump may hold them, and no other program of the same user may read its memory.

#![allow(unsafe_code)]

use rustix::process::{DumpableBehavior, Resource, Rlimit};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::Command;
use tokio::io::unix::AsyncFd;

/// What [`apply`] changed and a child that is not ours must get back.
#[derive(Debug, Clone)]
pub(crate) struct Before {
    core: Rlimit,
}

/// Denies core dumps and foreign eyes.
///
/// A failure is not told: the kernel refuses neither call for a process of its own, and without them
/// the program does no more than any other does.
pub(crate) fn apply() -> Before {
    let core = rustix::process::getrlimit(Resource::Core);
    // the hard limit stays, so that `restore` can give a child its own limit back
    let _ = rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: core.maximum });
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    Before { core }
}

impl Before {
    /// Gives back what a program that is about to replace this one had before. (Being dumpable comes
    /// back with `execve` by itself.)
    pub(crate) fn restore(&self) {
        // the limit is one that was in force when this process started
        let _ = rustix::process::setrlimit(Resource::Core, self.core);
    }
}

/// Keeps every descriptor from 3 on out of the child that `command` will start.
pub(crate) fn close_inherited(command: &mut Command) -> &mut Command {
    // SAFETY: the closure runs between fork and exec. It makes one system call, allocates nothing,
    // takes no lock and touches no memory of ours, so it is safe after a fork of any process.
    unsafe {
        command.pre_exec(|| {
            // SAFETY: close_range(2) takes three integers; with CLOSE_RANGE_CLOEXEC it closes nothing
            // now, so no descriptor that somebody here owns goes away.
            let done = libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
            if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
        })
    }
}

/// A descriptor that the event loop tells of when it can be read.
pub(crate) fn watched(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open as long as it lives and gives the same number each time, and nobody
    // can take it out of the `AsyncFd` without ending the registration first.
    Ok(unsafe { AsyncFd::register(fd) }?)
}
