//! Starting the personal agent: when, with what, and when not. A script in the agent's place notes how
//! it was started; the test listens for it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod stub;

use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use stub::{StubAgent, program, until};

struct House {
    dir: tempfile::TempDir,
    socket: PathBuf,
}

impl House {
    /// `signet` in a folder of its own, with this `signet-agent` beside it.
    fn new(agent: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("run/signet")).unwrap();
        // not by this process, for the same reason as in `stub::program`
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_signet")).arg(dir.path()).status();
        assert!(copied.unwrap().success());
        let text = format!("#!/bin/sh\nD='{}'\n{agent}\n", dir.path().display());
        program(&dir.path().join("signet-agent"), &text);
        let socket = dir.path().join("run/signet/agent.sock");
        Self { dir, socket }
    }

    /// `signet list` with descriptor 9 open, as a shell might leave one.
    fn list(&self, more: &[(&str, &str)]) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" list -o json 9</etc/passwd"]).arg(self.dir.path().join("signet"));
        command.env_clear().env("HOME", self.dir.path()).env("XDG_RUNTIME_DIR", self.dir.path().join("run"));
        command.env("PATH", "/usr/bin:/bin").env("SECRET", "of the caller").env("USER", "somebody");
        command.envs(more.iter().copied()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn started(&self) -> bool {
        self.dir.path().join("started").exists()
    }

    fn error(&self, output: &Output) -> String {
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((output.status.code(), &document["error"]["code"]), (Some(69), &"no_agent".into()));
        document["error"]["hint"].as_str().unwrap_or_default().to_owned()
    }
}

/// Notes arguments, environment, folder and descriptors, and stays until somebody listens.
const NOTE: &str = r#"echo "$@" > "$D/args"; env > "$D/env"; pwd > "$D/pwd"; ls /proc/$$/fd > "$D/fds"
: > "$D/started"; while [ -d "$D" ] && [ ! -S "$D/run/signet/agent.sock" ]; do sleep 0.01; done"#;

/// A machine with a system agent has no personal default, and so nothing to start.
fn has_system_agent() -> bool {
    Path::new("/run/signet/agent.sock").exists()
}

#[test]
fn the_agent_beside_us_is_started_clean_and_connected_to() {
    if has_system_agent() {
        return;
    }
    let house = House::new(NOTE);
    let child = house.list(&[]).spawn().unwrap();
    until("the agent is started", || house.started());
    let read = |name: &str| std::fs::read_to_string(house.dir.path().join(name)).unwrap();
    assert_eq!(read("args"), "--detached\n");
    assert_eq!(read("pwd"), "/\n");
    let env = read("env");
    let names: Vec<&str> = env.lines().filter_map(|line| line.split('=').next()).collect();
    for name in &names {
        // the last two are what sh sets for itself
        assert!(["HOME", "USER", "XDG_RUNTIME_DIR", "PWD", "_"].contains(name), "{name} was passed on");
    }
    assert!(names.contains(&"HOME") && names.contains(&"XDG_RUNTIME_DIR"), "{env}");
    // 0 to 2, and the shell's own for its script
    assert!(!read("fds").lines().any(|fd| fd == "9"), "{}", read("fds"));
    let agent = StubAgent::at(tempfile::tempdir().unwrap(), &house.socket, |session| {
        session.say(&json!({"version": 1, "keys": []}));
    });
    assert!(child.wait_with_output().unwrap().status.success());
    assert_eq!(agent.requests().len(), 1);
}

#[test]
fn nothing_is_started_where_the_place_is_named_or_it_is_forbidden() {
    for (name, value) in [
        ("SIGNET_NO_AUTOSTART", "1"),
        ("SIGNET_SOCK", "/nonexistent/agent.sock"),
        ("SIGNET_CONFIG", "/nonexistent/agent.toml"),
        ("SIGNET_STATE_DIR", "/nonexistent"),
    ] {
        let house = House::new(NOTE);
        house.error(&house.list(&[(name, value)]).output().unwrap());
        assert!(!house.started(), "{name}");
    }
}

#[test]
fn an_agent_that_fails_is_told_at_once() {
    if has_system_agent() {
        return;
    }
    let house = House::new("exit 1");
    assert_eq!(house.error(&house.list(&[]).output().unwrap()), "signet-agent");
}

#[test]
fn a_missing_agent_is_named() {
    if has_system_agent() {
        return;
    }
    let house = House::new("");
    std::fs::remove_file(house.dir.path().join("signet-agent")).unwrap();
    let output = house.list(&[]).output().unwrap();
    house.error(&output);
    assert!(String::from_utf8(output.stdout).unwrap().contains("there is no"));
}
