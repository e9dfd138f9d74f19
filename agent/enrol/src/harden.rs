//! What this process gives up before it reads its order, and the one variable it sets.
//!
//! Promises: it dies with the agent, is not traced by others of the same user, and leaves no core
//! file. The only room of this program with unsafe code.

#![allow(unsafe_code)]

use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};
use signet_protocol::{Code, Refusal};

/// Ties the process to its parent and keeps its memory out of files and debuggers.
///
/// Each step that the kernel refuses is left out: a machine that lacks one can still manage its
/// tokens, and no record is ever opened here.
pub(crate) fn process() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = rustix::process::setrlimit(Resource::Core, none);
}

/// Names the socket of the PC/SC service to the C library, which reads it once, at its first call.
///
/// # Errors
/// `bad_request` when the path is not an absolute one that fits into a socket address.
pub(crate) fn use_pcsc_socket(path: &str) -> Result<(), Refusal> {
    // sun_path holds 108 bytes with its final NUL, unix(7)
    if !path.starts_with('/') || path.len() > 107 || path.contains('\0') {
        return Err(Refusal::bare(
            Code::BadRequest,
            "pcsc_socket is not an absolute path of at most 107 bytes",
        ));
    }
    // SAFETY: the process has one thread from start to end: nothing here starts another, and this
    // is called before the first use of libpcsclite, so nobody reads the environment meanwhile.
    unsafe { std::env::set_var("PCSCLITE_CSOCK_NAME", path) };
    Ok(())
}
