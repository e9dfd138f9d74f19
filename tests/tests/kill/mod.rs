//! A Signet whose agent is killed by `strace` at one system call after the other.

#![allow(dead_code)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;
use signet_tests::aws::totp_code;
use signet_tests::card::{Card, Profile};
use signet_tests::harness::{Ran, Setup, Signet};
use signet_tests::pcsc::Pcscd;
use signet_tests::process::{children_of, comes_true, signal};

/// Every call that touches a file or the wire; what an act does not use costs nothing.
pub(crate) const CALLS: &str =
    "openat,write,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,close,ftruncate,flock";
pub(crate) const SEED: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
/// AWS's published example credentials.
pub(crate) const KEY: &[u8] = b"AKIAIOSFODNN7EXAMPLE\nwJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n";
pub(crate) const REQUEST: &[u8] = b"POST / HTTP/1.1\r\nHost: sts.amazonaws.com\r\n\
    Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\nContent-Length: 43\r\n\r\n\
    Action=GetCallerIdentity&Version=2011-06-15";

/// A Signet with the key `root`, and its state as it was then.
pub(crate) struct Vault {
    pub(crate) signet: Signet,
    pub(crate) card: Card,
    _pcscd: Pcscd,
}

impl Vault {
    pub(crate) fn new(factor: &[&str]) -> Self {
        Self::prepared(&["yubikey-piv"], factor, |_| {})
    }

    /// The same after `prepare`, with these kinds of token in force.
    pub(crate) fn prepared(kinds: &[&str], factor: &[&str], prepare: impl FnOnce(&mut Signet)) -> Self {
        let pcscd = Pcscd::start();
        let card = Card::insert(&pcscd, Profile::v5_7_1());
        let mut signet = Signet::start(&Setup { kinds, pcscd: Some(&pcscd), ..Setup::default() });
        for (kind, answer) in [
            ("new-passphrase", "a passphrase for tests"),
            ("passphrase", "a passphrase for tests"),
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
        prepare(&mut signet);
        assert!(signet.stop_agent().unwrap().success());
        copy(&signet.state_dir(), &signet.path("before"));
        signet.start_agent();
        Self { signet, card, _pcscd: pcscd }
    }

    pub(crate) fn agent(&self) -> u32 {
        self.signet.agent_pid().unwrap()
    }

    /// Everything as it was, with a new agent; what the card's OATH applet was given is taken out of it.
    pub(crate) fn restore(&mut self) {
        self.card.set_oath_code(None);
        for name in self.card.oath_names() {
            self.card.delete_oath(&name);
        }
        self.signet.kill_agent();
        fs::remove_dir_all(self.signet.state_dir()).unwrap();
        copy(&self.signet.path("before"), &self.signet.state_dir());
        self.signet.start_agent();
    }

    pub(crate) fn sign(&self) -> Ran {
        self.signet.run_with(&["sign", "root", "--service", "sts", "--region", "us-east-1"], REQUEST)
    }

    /// What `list` says of a key.
    pub(crate) fn key(&self, name: &str) -> Option<Value> {
        let keys: Value = serde_json::from_str(&self.signet.run(&["list", "-o", "json"]).ok()).unwrap();
        keys["keys"].as_array().unwrap().iter().find(|key| key["name"] == name).cloned()
    }

    pub(crate) fn policy(&self, name: &str) -> Option<Vec<String>> {
        let key = self.key(name)?;
        let parts = key["policy"].as_array().unwrap().iter();
        Some(
            parts
                .map(|part| part["name"].as_str().or(part.as_str()).unwrap_or_default().to_owned())
                .collect(),
        )
    }

    /// What holds at any time: the chain is whole, no signer is left, and nothing half written.
    pub(crate) fn is_sound(&self, case: &str) {
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
    pub(crate) fn calls_of(&mut self, act: &dyn Fn(&Signet) -> Ran) -> BTreeMap<String, usize> {
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
    pub(crate) fn killed_at_every_call(
        &mut self,
        act: &dyn Fn(&Signet) -> Ran,
        check: &dyn Fn(&Self, bool, &str),
    ) {
        self.killed_and_seen(act, &mut |_| {}, check);
    }

    /// The same, and `see` is shown what lies on the disk before that start.
    pub(crate) fn killed_and_seen(
        &mut self,
        act: &dyn Fn(&Signet) -> Ran,
        see: &mut dyn FnMut(&Path),
        check: &dyn Fn(&Self, bool, &str),
    ) {
        let killed = self.killed_at(CALLS, act, see, check);
        assert!(killed >= 30, "the agent was killed only {killed} times");
    }

    /// The same at these calls only; says how many times it was killed.
    pub(crate) fn killed_at(
        &mut self,
        calls: &str,
        act: &dyn Fn(&Signet) -> Ran,
        see: &mut dyn FnMut(&Path),
        check: &dyn Fn(&Self, bool, &str),
    ) -> usize {
        let mut killed = 0;
        let wanted = |call: &str| calls.split(',').any(|wanted| wanted == call);
        for (call, count) in self.calls_of(act).into_iter().filter(|(call, _)| wanted(call)) {
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
                see(&self.signet.state_dir());
                self.signet.start_agent();
                check(self, ran.code() == 0, &case);
                self.is_sound(&case);
            }
        }
        println!("the agent was killed {killed} times");
        killed
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub(crate) fn code() -> String {
    totp_code(SEED, time::OffsetDateTime::now_utc().unix_timestamp()).unwrap()
}

pub(crate) fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").args(["-a", "-T", text(from), text(to)]).status().unwrap();
    assert!(status.success());
}

/// Whether a process runs; one that nobody has waited for yet does not.
pub(crate) fn alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| !matches!(rest.trim_start().chars().next(), Some('Z' | 'X')))
}

/// A `strace` that holds the agent.
pub(crate) struct Strace(Child);

impl Strace {
    pub(crate) fn attach(agent: u32, flags: &[&str]) -> Self {
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

    pub(crate) fn end(&mut self) {
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
