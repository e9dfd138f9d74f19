//! The programs that are measured, as they are released.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The empty program: the floor.
pub fn empty() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_empty"))
}

/// Stays on one processor, with everything that is started from here: what it costs to wake another one
/// changes from run to run more than what is measured.
pub fn on_one_processor() {
    let allowed = sched_getaffinity(None).unwrap();
    let last = (0..CpuSet::MAX_CPU).rfind(|&number| allowed.is_set(number)).unwrap();
    let mut one = CpuSet::new();
    one.set(last);
    sched_setaffinity(None, &one).unwrap();
}

/// Builds the programs, as `packaging/demo` does; nothing is done when they are built. Gives their directory.
pub fn built() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let packages = ["signet-agent", "signet-signer", "signet-enrol", "signet-cli", "signet-tests"];
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--locked", "--release"]).args(packages.map(|name| format!("-p{name}")));
    assert!(build.status().unwrap().success(), "the programs do not build");
    empty().parent().unwrap().to_owned()
}

/// Runs a program to its end, its output unread.
pub fn run(command: &mut Command) {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.unwrap().success(), "{command:?}");
}
