//! Killed at any moment, and refused by the disk: what was acknowledged holds, nothing is torn, no code is
//! good twice, and the next start needs no repair.
//!
//! `strace` kills the agent, or lets a call fail, at one call after the other; it counts each kind of call
//! for itself, so each kind has its own run. Needs the right to trace (root, as CI is).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod kill;

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;

use kill::{REQUEST, Strace, Vault, alive, code, copy, text};
use rustix::fs::{FileType, Mode};
use rustix::process::Signal;
use signet_tests::card::Touch;
use signet_tests::harness::{Ran, Running, Signet};
use signet_tests::process::{children_of, comes_true, signal};

/// AWS's published example credentials.
const OTHER_KEY: &[u8] = b"AKIAI44QH8DHBEXAMPLE\nje7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY\n";

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
