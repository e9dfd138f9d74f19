//! Killed at any write of a use that an authenticator approves, and of its enrolment: no counter that a signature
//! went out with is ever good again, every approval in the log can be checked, and the next use works.
//!
//! As `killed.rs`, this needs the right to trace.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod kill;

use std::cell::Cell;
use std::fs;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kill::{REQUEST, Strace, Vault, alive, text};
use serde_json::Value;
use signet_tests::harness::{Ran, Signet};
use signet_tests::process::python;

/// The script that checks a proof without Signet.
const VERIFY_PROOF: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/verify-proof");
/// Where state and log are written.
const WRITES: &str = "write,fsync,fdatasync,renameat";

fn sign(signet: &Signet) -> Ran {
    signet.run_with(&["sign", "root", "--service", "sts", "--region", "us-east-1"], REQUEST)
}

/// The counters that signatures went out with, as the log has them.
fn signed_with(vault: &Vault) -> Vec<u32> {
    let text = vault.signet.run(&["audit", "log", "-o", "json"]).ok();
    let log = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let signed = log.filter(|entry| entry["result"] == "signed");
    signed
        .map(|entry| {
            let data = STANDARD.decode(entry["proof"]["authenticator_data"].as_str().unwrap()).unwrap();
            u32::from_be_bytes(data[33..37].try_into().unwrap())
        })
        .collect()
}

/// The counter that is remembered.
fn remembered(vault: &Vault) -> u32 {
    let text = fs::read_to_string(vault.signet.state_dir().join("state.json")).unwrap();
    let state: Value = serde_json::from_str(&text).unwrap();
    let approvals = state["keys"]["root"]["approvals"].as_object().unwrap();
    u32::try_from(approvals.values().next().unwrap().as_u64().unwrap()).unwrap()
}

#[test]
fn an_agent_killed_while_a_use_is_approved() {
    // One use is remembered already.
    let mut vault = Vault::prepared(&["yubikey-piv"], &["--fido2"], |signet| {
        let _ = sign(signet).ok();
    });
    let killed = vault.killed_at(WRITES, &sign, &mut |_| {}, &|vault, acknowledged, case| {
        let (signed, kept) = (signed_with(vault), remembered(vault));
        assert!(signed.len() == 2 || !acknowledged, "{case}: it was acknowledged and is not in the log");
        assert!(signed.iter().all(|counter| *counter <= kept), "{case}: {kept} is less than {signed:?}");
        let said = vault.card.fido_counter();
        for again in [kept, kept - 1] {
            // Two questions whether the credential is there come before, and are counted.
            vault.card.set_fido_counter(again - 3);
            let refused = vault.sign().refused(77);
            assert!(refused.contains("copied"), "{case}: {refused}");
            assert_eq!(vault.card.fido_counter(), again, "{case}");
        }
        vault.card.set_fido_counter(said);
        let ran = vault.sign();
        assert_eq!(ran.code(), 0, "{case}: {ran:?}");
    });
    assert!(killed >= 15, "only {killed}");
}

#[test]
fn a_disk_that_fails_while_a_counter_is_kept() {
    let mut vault = Vault::prepared(&["yubikey-piv"], &["--fido2"], |signet| {
        let _ = sign(signet).ok();
    });
    let state = vault.signet.state_dir();
    let paths = ["", "state.json", ".state.json.tmp"].map(|name| state.join(name));
    let out = vault.signet.path("trace");
    let (mut failed, mut early) = (0, 0);
    for (call, error) in [("write", "ENOSPC"), ("fsync", "EIO"), ("renameat", "EIO")] {
        for number in 1..10 {
            let case = format!("{call} {number} says {error}");
            vault.restore();
            let touches = vault.card.touches_asked();
            let inject = format!("inject={call}:error={error}:when={number}");
            let trace = format!("trace={call}");
            let mut flags = vec!["-e", &trace, "-e", &inject, "-o", text(&out)];
            flags.extend(paths.iter().flat_map(|path| ["-P", text(path).trim_end_matches('/')]));
            let mut strace = Strace::attach(vault.agent(), &flags);
            let ran = vault.sign();
            strace.end();
            if !fs::read_to_string(&out).unwrap().contains("(INJECTED)") {
                assert_eq!(ran.code(), 0, "{case}: nothing was wrong: {ran:?}");
                break;
            }
            failed += 1;
            assert!(ran.code() != 0 && !ran.stdout.contains("AWS4-HMAC-SHA256"), "{case}: {ran:?}");
            assert!(alive(vault.agent()), "{case}: the agent ended");
            let said = vault.card.fido_counter();
            // The token is asked once the counter is on the disk, and not before.
            let asked = vault.card.touches_asked() - touches == 2;
            assert!(!asked || remembered(&vault) == said, "{case}: {said} is not on the disk");
            early += usize::from(!asked);
            // Whatever the disk has, the agent knows it.
            vault.card.set_fido_counter(said - 3);
            let refused = vault.sign().refused(77);
            assert!(refused.contains("copied"), "{case}: {refused}");
            let ran = vault.sign();
            assert_eq!(ran.code(), 0, "{case}: {ran:?}");
            vault.is_sound(&case);
        }
    }
    assert!(failed >= 6 && early >= 3 && early < failed, "{early} of {failed}");
}

/// Every approval that the log has can be checked, by what the log itself says was enrolled.
fn proves(vault: &Vault, case: &str) {
    let ran = vault.sign();
    assert_eq!(ran.code(), 0, "{case}: {ran:?}");
    let said: Value =
        serde_json::from_str(&vault.signet.run(&["audit", "verify", "-o", "json"]).stdout).unwrap();
    assert_eq!(said["faults"].as_array().unwrap().len(), 0, "{case}: {said}");
    let last = said["approvals"].as_array().unwrap().last().unwrap_or_else(|| panic!("{case}: {said}"));
    assert_eq!(last["action"], "sts:GetCallerIdentity", "{case}: {said}");
}

/// Whether the log was told of an enrolment only at the start after it; then the script of the proofs takes
/// that too.
fn proves_what_was_found_at_start(vault: &Vault, case: &str) -> bool {
    let text = vault.signet.run(&["audit", "log", "-o", "json"]).ok();
    let log: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found = |line: &Value| line["phase"] == "recovered" && line["enrolled"][0]["id"] == "fido2-1";
    if !log.iter().any(found) {
        return false;
    }
    let id = log.last().unwrap()["id"].as_str().unwrap();
    let (proof, file) = (vault.signet.run(&["audit", "prove", id]).ok(), vault.signet.path("proof.json"));
    fs::write(&file, proof).unwrap();
    let shown = Command::new(python("python")).arg(VERIFY_PROOF).arg(&file).output().unwrap();
    assert!(shown.status.success(), "{case}: {shown:?}");
    true
}

#[test]
fn an_agent_killed_while_an_authenticator_is_enrolled() {
    let mut vault = Vault::new(&["--no-factor"]);
    let told_late = Cell::new(false);
    let add = |signet: &Signet| signet.run(&["factor", "add", "fido2", "--key", "root"]);
    let killed = vault.killed_at(WRITES, &add, &mut |_| {}, &|vault, acknowledged, case| {
        let factors = vault.key("root").unwrap()["factors"].as_array().unwrap().len();
        assert!(factors == 1 || !acknowledged, "{case}");
        if factors == 1 {
            proves(vault, case);
            if !told_late.get() {
                told_late.set(proves_what_was_found_at_start(vault, case));
            }
        } else {
            let ran = vault.sign();
            assert_eq!(ran.code(), 0, "{case}: {ran:?}");
        }
    });
    assert!(killed >= 25 && told_late.get(), "only {killed}");
}

#[test]
fn an_agent_killed_while_a_record_comes_back_with_its_authenticator() {
    let mut vault = Vault::prepared(&["yubikey-piv"], &["--fido2"], |signet| {
        let state = signet.state_dir();
        fs::copy(state.join("keys/root.age"), signet.path("root.age")).unwrap();
        assert!(signet.stop_agent().unwrap().success());
        fs::remove_dir_all(&state).unwrap();
        signet.start_agent();
    });
    let backup = vault.signet.path("root.age");
    let restore = |signet: &Signet| signet.run(&["restore", text(&backup)]);
    let killed = vault.killed_at(WRITES, &restore, &mut |_| {}, &|vault, acknowledged, case| {
        let there = vault.key("root").is_some();
        assert!(there || !acknowledged, "{case}: it was acknowledged and is gone");
        if !there {
            let again = restore(&vault.signet);
            assert_eq!(again.code(), 0, "{case}: {again:?}");
        }
        proves(vault, case);
    });
    assert!(killed >= 25, "only {killed}");
}
