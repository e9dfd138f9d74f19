//! Processes as the tests look at them and end them: by their id, in `/proc`.

#![allow(clippy::expect_used)] // a harness: what it cannot do fails the test, with a clear text

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

/// How long a condition is waited for before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// The children of a process that have this name.
///
/// # Panics
/// When there is no `/proc`.
#[must_use]
pub fn children_of(parent: u32, name: &str) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("a Linux has /proc");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    // The name stands in parentheses and may hold some itself; state and parent follow (proc(5)).
    let is_child = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let Some((its, rest)) = stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')) else {
            return false;
        };
        its == name && rest.split_whitespace().nth(1) == Some(parent.to_string().as_str())
    };
    pids.filter(is_child).collect()
}

/// A program (`aws`, `python3`, `ykman`) of the Python environment that `tests/python-venv` makes where
/// it is not there yet.
///
/// # Panics
/// When the environment cannot be made.
#[must_use]
pub fn python(program: &str) -> PathBuf {
    static BIN: LazyLock<PathBuf> = LazyLock::new(|| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python-venv");
        let made = Command::new(script).output().expect("tests/python-venv can be started");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        // Relative to the root of the workspace, unless the target directory was named otherwise.
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize();
        let root = root.expect("the workspace is there");
        root.join(String::from_utf8_lossy(&made.stdout).trim()).join("bin")
    });
    // Not made canonical: python3 is a link out of the environment, and knows it by the link's name.
    BIN.join(program)
}

/// Sends a signal to a process of the test's own. One that has ended already is none to worry about.
pub fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// Looks at a condition until it holds, and says whether it came to hold in time.
#[must_use]
pub fn comes_true(mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
