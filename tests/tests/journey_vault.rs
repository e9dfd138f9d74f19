//! What is done to the vault behind the agent's back, and by whom: a record with any byte changed, an older
//! one put back, a second agent, another user. Each is refused and told, and nothing good is lost.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod journey;

use journey::{Desk, failure, program};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

#[test]
fn a_record_with_a_byte_changed() {
    let desk = Desk::with_key();
    let good = fs::read(desk.record()).unwrap();
    // Every sixteenth, and the last; every byte is flipped in the tests of the envelope itself.
    for at in (0..good.len()).step_by(16).chain([good.len() - 1]) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(desk.record(), &bad).unwrap();
        let ran = desk.identity(&[]);
        let error = failure(&ran, 77, "rollback");
        assert!(error["message"].as_str().unwrap().contains("prod"), "byte {at}: {error}");
    }
    let audit = desk.audit();
    let refused = audit.iter().filter(|line| line["code"] == "rollback" && line["phase"] == "outcome");
    assert_eq!(refused.count(), good.len().div_ceil(16) + 1, "a line for each");
    assert!(audit.iter().all(|line| line["result"] != "signed"));
    assert_eq!((desk.sent().len(), desk.card.touches_asked()), (0, 1), "only the touch that proved the key");

    for bad in [&good[..good.len() - 1], &[&good[..], b"\n"].concat(), b""] {
        fs::write(desk.record(), bad).unwrap();
        desk.refuses(77, "rollback", |desk| desk.identity(&[]));
    }
    fs::remove_file(desk.record()).unwrap();
    desk.refuses(77, "rollback", |desk| desk.identity(&[]));

    fs::write(desk.record(), &good).unwrap();
    fs::set_permissions(desk.record(), fs::Permissions::from_mode(0o600)).unwrap();
    desk.works();
}

#[test]
fn an_older_record_put_back() {
    let mut desk = Desk::with_key();
    let older = fs::read(desk.record()).unwrap();
    let _set = desk.signet.run(&["policy", "set", "prod", "root-only-tasks", "session"]).ok();
    let newer = fs::read(desk.record()).unwrap();
    assert_ne!(older, newer);
    desk.works();

    fs::write(desk.record(), &older).unwrap();
    desk.refuses(77, "rollback", |desk| desk.identity(&[]));
    // A new agent knows it too.
    desk.signet.kill_agent();
    desk.signet.start_agent();
    desk.refuses(77, "rollback", |desk| desk.identity(&[]));

    fs::write(desk.record(), &newer).unwrap();
    desk.works();
}

#[test]
fn everything_put_back_shows_against_a_head_kept_elsewhere() {
    let mut desk = Desk::with_key();
    let state = desk.signet.state_dir();
    let backup = desk.signet.path("backup");
    desk.signet.kill_agent();
    copy(&state, &backup);
    desk.signet.start_agent();
    let _set = desk.signet.run(&["policy", "set", "prod", "root-only-tasks", "session"]).ok();
    let head = desk.signet.run(&["audit", "head"]).ok();
    let _whole = desk.signet.run(&["audit", "verify", "--head", head.trim()]).ok();
    desk.signet.kill_agent();

    // Record and state alone: the log, which was left, still says what was done.
    let kept = desk.signet.path("kept");
    copy(&state, &kept);
    for name in ["keys", "state.json"] {
        replace(&backup.join(name), &state.join(name));
    }
    desk.signet.start_agent();
    let _whole = desk.signet.run(&["audit", "verify", "--head", head.trim()]).ok();
    let last = desk.audit().into_iter().rfind(|line| line["action"] == "signet:SetPolicy").unwrap();
    assert_eq!(last["result"], "done");
    desk.signet.kill_agent();

    // All of it, the log included: the chain is whole, and too short.
    replace(&backup, &state);
    desk.signet.start_agent();
    let _whole = desk.signet.run(&["audit", "verify"]).ok();
    let told = desk.signet.run(&["audit", "verify", "--head", head.trim(), "-o", "json"]);
    failure(&told, 1, "failed_check");
    assert!(told.stdout.contains("tail was cut"), "{told:?}");
    desk.signet.kill_agent();

    replace(&kept, &state);
    desk.signet.start_agent();
    let _whole = desk.signet.run(&["audit", "verify", "--head", head.trim()]).ok();
    desk.works();
}

#[test]
fn a_second_agent_on_one_vault() {
    let desk = Desk::with_key();
    let path = |name: &str| desk.signet.path(name).display().to_string();
    let state = desk.signet.state_dir().display().to_string();
    let socket = path("run/second.sock");
    let config = path("config/agent.toml");
    let before = desk.audit();
    let arguments = ["--config", config.as_str(), "--socket", &socket, "--state-dir", &state];
    let second = desk.signet.begin(&program("signet-agent"), &arguments, b"").finish();
    let said = second.refused(75);
    assert!(said.contains("another agent") && said.contains("hint: "), "{said}");
    assert!(!Path::new(&socket).exists(), "it left a socket behind");
    // Nor is a live socket taken over, whatever vault it is for.
    let (socket, other) = (desk.signet.socket().display().to_string(), path("other"));
    let arguments = ["--config", config.as_str(), "--socket", &socket, "--state-dir", &other];
    let third = desk.signet.begin(&program("signet-agent"), &arguments, b"").finish();
    let said = third.refused(75);
    assert!(said.contains("another agent"), "{said}");
    assert_eq!(desk.audit(), before, "the log is the first one's alone");
    desk.works();
}

#[test]
fn another_user_at_the_socket() {
    // Only root can be somebody else.
    if !rustix::process::geteuid().is_root() {
        println!("not root: another user cannot be played");
        return;
    }
    let desk = Desk::with_key();
    for (name, mode) in
        [("", 0o711), ("run", 0o711), ("run/agent.sock", 0o666), ("home", 0o711), ("out", 0o711)]
    {
        fs::set_permissions(desk.signet.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    let lines = desk.audit().len();
    let signet = program("signet").display().to_string();
    for command in [&["list"][..], &["forget"], &["audit", "log"], &["remove", "prod", "--lost", "--yes"]] {
        let stranger = ["--reuid", "65534", "--regid", "65534", "--clear-groups", "--", &signet];
        let words = [&stranger[..], command, &["-o", "json"]].concat();
        failure(&desk.signet.begin("setpriv".as_ref(), &words, b"").finish(), 77, "denied");
    }
    let audit = desk.audit();
    let told: Vec<_> =
        audit[lines..].iter().map(|line| (&line["uid"], &line["code"], &line["result"])).collect();
    assert!(told.len() >= 4, "{told:?}");
    for line in told {
        assert_eq!(line, (&json!(65_534), &json!("denied"), &json!("refused")));
    }
    desk.works();
}

/// A copy of a file or directory, with its modes.
fn copy(from: &Path, to: &Path) {
    let mode = fs::metadata(from).unwrap().permissions();
    if from.is_dir() {
        fs::create_dir(to).unwrap();
        for entry in fs::read_dir(from).unwrap().flatten() {
            copy(&entry.path(), &to.join(entry.file_name()));
        }
        fs::set_permissions(to, mode).unwrap();
    } else {
        fs::copy(from, to).unwrap();
    }
}

/// The same in the place of what is there.
fn replace(from: &Path, to: &Path) {
    if to.is_dir() {
        fs::remove_dir_all(to).unwrap();
    } else {
        fs::remove_file(to).unwrap();
    }
    copy(from, to);
}
