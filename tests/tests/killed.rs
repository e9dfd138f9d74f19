//! Killed at any moment, and refused by the disk: what was acknowledged holds, nothing is torn, no code is
//! good twice, and the next start needs no repair.
//!
//! `strace` kills the agent, or lets a call fail, at one call after the other; it counts each kind of call
//! for itself, so each kind has its own run. Needs the right to trace (root, as CI is).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::fs::{FileType, Mode};
use rustix::process::Signal;
use serde_json::Value;
use signet_tests::aws::totp_code;
use signet_tests::card::{Card, Profile, Touch};
use signet_tests::harness::{Ran, Running, Setup, Signet};
use signet_tests::pcsc::Pcscd;
use signet_tests::process::{children_of, comes_true, signal};

/// Every call that touches a file or the wire; what an act does not use costs nothing.
const CALLS: &str =
    "openat,write,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,close,ftruncate,flock";
const SEED: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
/// AWS's published example credentials.
const KEY: &[u8] = b"AKIAIOSFODNN7EXAMPLE\nwJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n";
const OTHER_KEY: &[u8] = b"AKIAI44QH8DHBEXAMPLE\nje7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY\n";
const REQUEST: &[u8] = b"POST / HTTP/1.1\r\nHost: sts.amazonaws.com\r\n\
    Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\nContent-Length: 43\r\n\r\n\
    Action=GetCallerIdentity&Version=2011-06-15";

/// A Signet with the key `root`, and its state as it was then.
struct Vault {
    signet: Signet,
    card: Card,
    _pcscd: Pcscd,
}

impl Vault {
    fn new(factor: &[&str]) -> Self {
        let pcscd = Pcscd::start();
        let card = Card::insert(&pcscd, Profile::v5_7_1());
        let mut signet =
            Signet::start(&Setup { kinds: &["yubikey-piv"], pcscd: Some(&pcscd), ..Setup::default() });
        for (kind, answer) in [
            ("new-pin", "246810"),
            ("new-puk", "87654321"),
            ("pin", "246810"),
            ("confirm", "yes"),
            ("totp-seed", SEED),
            ("totp", &code()),
        ] {
            signet.answer(kind, &[answer]);
        }
        let _ = signet.run(&["init", "--yes"]).ok();
        let add = ["add", "root", "--kind", "root", "--stdin", "--no-verify"];
        let _ = signet.run_with(&[&add[..], factor].concat(), KEY).ok();
        assert!(signet.stop_agent().unwrap().success());
        copy(&signet.state_dir(), &signet.path("before"));
        signet.start_agent();
        Self { signet, card, _pcscd: pcscd }
    }

    fn agent(&self) -> u32 {
        self.signet.agent_pid().unwrap()
    }

    /// Everything as it was, with a new agent.
    fn restore(&mut self) {
        self.signet.kill_agent();
        fs::remove_dir_all(self.signet.state_dir()).unwrap();
        copy(&self.signet.path("before"), &self.signet.state_dir());
        self.signet.start_agent();
    }

    fn sign(&self) -> Ran {
        self.signet.run_with(&["sign", "root", "--service", "sts", "--region", "us-east-1"], REQUEST)
    }

    fn policy(&self, name: &str) -> Option<Vec<String>> {
        let keys: Value = serde_json::from_str(&self.signet.run(&["list", "-o", "json"]).ok()).unwrap();
        let key = keys["keys"].as_array().unwrap().iter().find(|key| key["name"] == name)?;
        let parts = key["policy"].as_array().unwrap().iter();
        Some(
            parts
                .map(|part| part["name"].as_str().or(part.as_str()).unwrap_or_default().to_owned())
                .collect(),
        )
    }

    /// What holds at any time: the chain is whole, no signer is left, and nothing half written.
    fn is_sound(&self, case: &str) {
        let verified = self.signet.run(&["audit", "verify"]);
        assert_eq!(verified.code(), 0, "{case}: {verified:?}");
        assert!(comes_true(|| children_of(self.agent(), "signet-signer").is_empty()), "{case}");
        for dir in ["", "keys", "audit", "trash"] {
            let stale = fs::read_dir(self.signet.state_dir().join(dir))
                .into_iter()
                .flatten()
                .find(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".tmp"));
            assert!(stale.is_none(), "{case}: {stale:?}");
        }
    }

    /// Does an act once and counts the calls.
    fn calls_of(&mut self, act: &dyn Fn(&Signet) -> Ran) -> BTreeMap<String, usize> {
        self.restore();
        let trace = self.signet.path("trace");
        let mut strace = Strace::attach(self.agent(), &["-e", &format!("trace={CALLS}"), "-o", text(&trace)]);
        let _ = act(&self.signet).ok();
        strace.end();
        let mut calls = BTreeMap::new();
        for line in fs::read_to_string(trace).unwrap().lines() {
            if let Some((call, _)) = line.split_once('(') {
                *calls.entry(call.to_owned()).or_default() += 1;
            }
        }
        calls
    }

    /// Kills the agent at each call of an act, and has the state looked at after a plain start.
    fn killed_at_every_call(&mut self, act: &dyn Fn(&Signet) -> Ran, check: &dyn Fn(&Self, bool, &str)) {
        let mut killed = 0;
        for (call, count) in self.calls_of(act) {
            for number in 1..=count {
                let case = format!("killed at {call} {number} of {count}");
                self.restore();
                let inject = format!("inject={call}:signal=KILL:when={number}");
                let mut strace = Strace::attach(
                    self.agent(),
                    &["-e", &format!("trace={call}"), "-e", &inject, "-o", "/dev/null"],
                );
                let ran = act(&self.signet);
                killed += usize::from(!alive(self.agent()));
                self.signet.kill_agent();
                strace.end();
                self.signet.start_agent();
                check(self, ran.code() == 0, &case);
                self.is_sound(&case);
            }
        }
        assert!(killed >= 30, "the agent was killed only {killed} times");
        println!("the agent was killed {killed} times");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn code() -> String {
    totp_code(SEED, time::OffsetDateTime::now_utc().unix_timestamp()).unwrap()
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").args(["-a", "-T", text(from), text(to)]).status().unwrap();
    assert!(status.success());
}

/// Whether a process runs; one that nobody has waited for yet does not.
fn alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| !matches!(rest.trim_start().chars().next(), Some('Z' | 'X')))
}

/// A `strace` that holds the agent.
struct Strace(Child);

impl Strace {
    fn attach(agent: u32, flags: &[&str]) -> Self {
        let mut child = Command::new("strace")
            .args(["-qq", "-p", &agent.to_string()])
            .args(flags)
            .stderr(Stdio::null())
            .spawn()
            .expect("strace is installed: apt-get install --no-install-recommends strace");
        let held = comes_true(|| {
            assert!(
                child.try_wait().unwrap().is_none(),
                "strace may not trace: this test has to run as root"
            );
            let status = fs::read_to_string(format!("/proc/{agent}/status")).unwrap_or_default();
            status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
        });
        assert!(held);
        Self(child)
    }

    fn end(&mut self) {
        // SIGTERM lets go of the agent; it has ended by itself when the agent has.
        signal(self.0.id(), Signal::TERM);
        self.0.wait().unwrap();
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn set_policy(signet: &Signet) -> Ran {
    signet.run(&["policy", "set", "root", "root-only-tasks", "session"])
}

/// Old or new, and usable; new if that was acknowledged.
fn policy_is_old_or_new(vault: &Vault, acknowledged: bool, case: &str) {
    let parts = vault.policy("root").unwrap_or_else(|| panic!("{case}: the key is gone")).len();
    assert!(parts == 2 || (parts == 1 && !acknowledged), "{case}: {parts} parts, {acknowledged}");
    let ran = vault.sign();
    assert_eq!(ran.code(), 0, "{case}: {ran:?}");
}

#[test]
fn an_agent_killed_while_it_changes_a_policy() {
    Vault::new(&["--no-factor"]).killed_at_every_call(&set_policy, &policy_is_old_or_new);
}

#[test]
fn an_agent_killed_while_it_adds_a_key() {
    let add = |signet: &Signet| {
        signet.run_with(&["add", "other", "--kind", "iam-user", "--stdin", "--no-verify"], OTHER_KEY)
    };
    Vault::new(&["--no-factor"]).killed_at_every_call(&add, &|vault, acknowledged, case| {
        let there = vault.policy("other").is_some();
        assert!(there || !acknowledged, "{case}: it was acknowledged and is gone");
        let again = add(&vault.signet);
        assert_eq!(again.code() == 0, !there, "{case}: a name that is free can be taken: {again:?}");
        let other = ["policy", "set", "other", "session"];
        let ran = vault.signet.run(&other);
        assert_eq!(ran.code(), 0, "{case}: {ran:?}");
    });
}

#[test]
fn an_agent_killed_while_it_removes_a_key() {
    let remove = |signet: &Signet| signet.run(&["remove", "root", "--yes"]);
    Vault::new(&["--no-factor"]).killed_at_every_call(&remove, &|vault, acknowledged, case| {
        let there = vault.policy("root").is_some();
        assert!(!(there && acknowledged), "{case}: its removal was acknowledged, and it is there");
        let ran = vault.sign();
        assert_eq!(ran.code() == 0, there, "{case}: {ran:?}");
        let trashed = fs::read_dir(vault.signet.state_dir().join("trash")).map_or(0, Iterator::count);
        assert_eq!(trashed, usize::from(!there), "{case}: what is removed is in the trash, once");
    });
}

#[test]
fn no_code_is_good_twice_wherever_the_agent_is_killed() {
    let mut vault = Vault::new(&["--totp", "ask"]);
    let sign = |signet: &Signet| {
        signet.answer("totp", &[&code()]);
        signet.run_with(&["sign", "root", "--service", "sts", "--region", "us-east-1"], REQUEST)
    };
    vault.killed_at_every_call(&sign, &|vault, acknowledged, case| {
        // The answers' file still holds the code that was given before.
        let (second, third) = (vault.sign(), vault.sign());
        let good =
            usize::from(acknowledged) + usize::from(second.code() == 0) + usize::from(third.code() == 0);
        assert!(good <= 1, "{case}: {second:?} {third:?}");
        assert_eq!(third.code(), 77, "{case}: {third:?}");
    });
}

#[test]
fn an_agent_killed_while_it_recovers() {
    let mut vault = Vault::new(&["--no-factor"]);
    vault.restore();
    let inject = ["-e", "trace=renameat", "-e", "inject=renameat:signal=KILL:when=3", "-o", "/dev/null"];
    let mut strace = Strace::attach(vault.agent(), &inject);
    assert_ne!(set_policy(&vault.signet).code(), 0);
    assert!(!alive(vault.agent()), "the record was written and its pin was not");
    vault.signet.kill_agent();
    strace.end();
    fs::remove_dir_all(vault.signet.path("before")).unwrap();
    copy(&vault.signet.state_dir(), &vault.signet.path("before"));

    let agent = Path::new(env!("CARGO_BIN_EXE_test-askpass")).with_file_name("signet-agent");
    let (config, socket) = (vault.signet.path("config/agent.toml"), vault.signet.socket());
    let state = vault.signet.state_dir();
    let mut killed = 0;
    for call in ["write", "fsync", "fdatasync", "renameat", "unlinkat", "ftruncate", "flock"] {
        for number in 1..20 {
            fs::remove_dir_all(&state).unwrap();
            copy(&vault.signet.path("before"), &state);
            let inject = format!("inject={call}:signal=KILL:when={number}");
            let trace = format!("trace={call}");
            let strace = ["-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject, text(&agent)];
            let flags = ["--config", text(&config), "--socket", text(&socket), "--state-dir", text(&state)];
            let flags = [&strace[..], &flags].concat();
            let _ = fs::remove_file(&socket);
            let mut running = vault.signet.begin(Path::new("strace"), &flags, b"");
            let mut ended = false;
            assert!(comes_true(|| {
                ended = !alive(running.pid());
                ended || UnixStream::connect(&socket).is_ok()
            }));
            if !ended {
                // It came up: there are no more calls of this kind.
                for pid in children_of(running.pid(), "signet-agent") {
                    signal(pid, Signal::TERM);
                }
                let _ = running.finish();
                break;
            }
            running.kill();
            killed += 1;
            let case = format!("start killed at {call} {number}");
            vault.signet.start_agent();
            policy_is_old_or_new(&vault, true, &case);
            vault.is_sound(&case);
            vault.signet.kill_agent();
        }
    }
    assert!(killed >= 6, "only {killed}");
    println!("the agent was killed {killed} times while it recovered");
    vault.signet.start_agent();
}

#[test]
fn a_disk_that_fails_once_is_told_and_nothing_false_is_acknowledged() {
    let mut vault = Vault::new(&["--no-factor"]);
    let state = vault.signet.state_dir();
    let names = [
        "",
        "state.json",
        ".state.json.tmp",
        "keys",
        "keys/root.age",
        "keys/.root.age.tmp",
        "audit/000001.jsonl",
    ];
    let paths: Vec<String> =
        names.iter().map(|name| text(&state.join(name)).trim_end_matches('/').to_owned()).collect();
    let mut failed = 0;
    for (call, error, words) in [
        ("write", "ENOSPC", "No space left"),
        ("write", "EDQUOT", "quota"),
        ("fsync", "EIO", "Input/output error"),
        ("fdatasync", "EIO", "Input/output error"),
        ("renameat", "EIO", "Input/output error"),
    ] {
        for number in 1..20 {
            let case = format!("{call} {number} says {error}");
            vault.restore();
            let (trace, inject) =
                (format!("trace={call}"), format!("inject={call}:error={error}:when={number}"));
            let out = vault.signet.path("trace");
            let mut flags = vec!["-e", &trace, "-e", &inject, "-o", text(&out)];
            flags.extend(paths.iter().flat_map(|path| ["-P", path]));
            let mut strace = Strace::attach(vault.agent(), &flags);
            let ran = set_policy(&vault.signet);
            strace.end();
            if !fs::read_to_string(&out).unwrap().contains("(INJECTED)") {
                assert_eq!(ran.code(), 0, "{case}: nothing was wrong: {ran:?}");
                break;
            }
            failed += 1;
            assert!(alive(vault.agent()), "{case}: the agent ended");
            assert!(ran.code() == 0 || ran.stderr.contains(words), "{case}: {ran:?}");
            // The next use works at once, without a start, and after one.
            policy_is_old_or_new(&vault, ran.code() == 0, &case);
            vault.is_sound(&case);
            assert!(vault.signet.stop_agent().unwrap().success(), "{case}");
            vault.signet.start_agent();
            policy_is_old_or_new(&vault, ran.code() == 0, &case);
            vault.is_sound(&case);
        }
    }
    assert!(failed >= 10, "only {failed}");
    println!("the disk failed {failed} times");
}

/// How many entries of the log have this phase.
fn entries(signet: &Signet, phase: &str) -> usize {
    let log = signet.run(&["audit", "log", "-o", "json"]).ok();
    log.lines().filter(|line| line.contains(&format!("\"phase\":\"{phase}\""))).count()
}

fn spawn_sign(signet: &Signet) -> Running {
    signet.spawn(&["sign", "root", "--service", "sts", "--region", "us-east-1"], REQUEST)
}

/// Ends the notices that a killed cli has left: nobody else does.
fn end_notices(signet: &Signet) {
    let ours = signet.path("askpass");
    for entry in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if line.split(|byte| *byte == 0).next() == Some(text(&ours).as_bytes()) {
            signal(pid, Signal::KILL);
        }
    }
}

#[test]
fn an_agent_told_to_end_during_a_use_says_so_and_starts_again() {
    let mut vault = Vault::new(&["--no-factor"]);
    vault.card.touch(Touch::Never);
    let cli = spawn_sign(&vault.signet);
    vault.card.wait_until_asked();
    let signer = children_of(vault.agent(), "signet-signer");
    assert_eq!(signer.len(), 1);
    assert!(vault.signet.stop_agent().unwrap().success(), "{}", vault.signet.agent_log());
    assert!(!alive(signer[0]), "the signer has ended with the agent");
    let ran = cli.finish();
    assert!(matches!(ran.code(), 130 | 69), "{ran:?}");
    assert!(ran.stderr.contains("stopping") || ran.stderr.contains("agent"), "{ran:?}");
    assert!(ran.stdout.is_empty(), "{ran:?}");
    // The card waits for its touch although nobody waits for the card any more.
    assert!(vault.card.press());
    vault.card.touch(Touch::Now);
    vault.signet.start_agent();
    assert_eq!(entries(&vault.signet, "intent"), entries(&vault.signet, "outcome"));
    assert_eq!(entries(&vault.signet, "recovered"), 0, "the outcome was written before the end");
    assert_eq!(vault.sign().code(), 0);
    vault.is_sound("after SIGTERM");
}

#[test]
fn a_cli_killed_at_a_question_or_at_the_touch_ends_its_use() {
    let vault = Vault::new(&["--no-factor"]);
    let signet = &vault.signet;
    for place in ["pin", "touch"] {
        let asked = signet.times_asked(place);
        let answers = signet.path("answers/pin");
        if place == "pin" {
            // Nobody writes to the pipe: the question stands.
            fs::remove_file(&answers).unwrap();
            rustix::fs::mknodat(rustix::fs::CWD, &answers, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
                .unwrap();
        } else {
            vault.card.touch(Touch::Never);
        }
        let mut cli = spawn_sign(signet);
        assert!(comes_true(|| signet.times_asked(place) > asked), "{place}");
        if place == "touch" {
            vault.card.wait_until_asked();
        }
        cli.kill();
        let ended = || entries(signet, "intent") == entries(signet, "outcome");
        assert!(comes_true(ended), "{place}: the use has no outcome");
        assert!(comes_true(|| children_of(vault.agent(), "signet-signer").is_empty()), "{place}");
        end_notices(signet);
        if place == "pin" {
            fs::remove_file(&answers).unwrap();
            signet.answer("pin", &["246810"]);
        } else {
            let _ = vault.card.press();
            vault.card.touch(Touch::Now);
        }
        assert_eq!(vault.sign().code(), 0, "{place}");
        vault.is_sound(place);
    }
}

#[test]
fn a_cli_killed_at_any_call_leaves_no_use_and_no_signer() {
    let vault = Vault::new(&["--no-factor"]);
    let signet = &vault.signet;
    let cli = Path::new(env!("CARGO_BIN_EXE_test-askpass")).with_file_name("signet");
    let sign = [text(&cli), "sign", "root", "--service", "sts", "--region", "us-east-1"];
    let mut killed = 0;
    for call in ["connect", "sendto", "writev", "write", "recvfrom", "epoll_wait", "close"] {
        for number in (1..60).step_by(3) {
            let (trace, inject) =
                (format!("trace={call}"), format!("inject={call}:signal=KILL:when={number}"));
            let strace = ["-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
            let ran = signet.begin(Path::new("strace"), &[&strace[..], &sign].concat(), REQUEST).finish();
            if ran.code() == 0 {
                break;
            }
            killed += 1;
            let case = format!("cli killed at {call} {number}");
            assert!(!ran.stdout.contains("AWS4-HMAC-SHA256") || call == "close", "{case}: {ran:?}");
            assert!(comes_true(|| entries(signet, "intent") == entries(signet, "outcome")), "{case}");
            assert!(comes_true(|| children_of(vault.agent(), "signet-signer").is_empty()), "{case}");
            end_notices(signet);
            assert_eq!(vault.sign().code(), 0, "{case}");
        }
    }
    assert!(killed >= 10, "only {killed}");
    println!("the cli was killed {killed} times");
    vault.is_sound("after all");
}

#[test]
fn a_record_is_never_half_there_for_a_reader_while_the_agent_is_killed() {
    // The file that other tools read is whole at any moment, not only after a start.
    let mut vault = Vault::new(&["--no-factor"]);
    let record = vault.signet.state_dir().join("keys/root.age");
    vault.restore();
    let old = fs::read(&record).unwrap();
    for number in 1..=3 {
        vault.restore();
        let inject = format!("inject=renameat:signal=KILL:when={number}");
        let mut strace =
            Strace::attach(vault.agent(), &["-e", "trace=renameat", "-e", &inject, "-o", "/dev/null"]);
        assert_ne!(set_policy(&vault.signet).code(), 0);
        strace.end();
        let now = fs::read(&record).unwrap();
        assert_eq!(now == old, number < 3, "the second rename is the record's");
        assert!(signet_envelope::Record::parse(&now).is_ok());
    }
}
