//! Killed at any moment of the acts on a key's tokens: a drop, a loss, a restoration, a key that goes into
//! its token. What holds afterwards is the one or the other, whole; and no state that lay on the disk at
//! any of those moments is taken for a good one once the act is done.
//!
//! As `killed.rs`, this needs the right to trace.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod kill;

use std::collections::BTreeSet;
use std::fs;

use kill::{Vault, copy, text};
use serde_json::Value;
use signet_tests::harness::{Ran, Signet};

/// The spare token has no touch: it is never offered beside a YubiKey, and need not be.
const KINDS: &[&str] = &["yubikey-piv", "software"];

/// The serial of the enrolled token whose serial begins so, or does not.
fn serial(signet: &Signet, software: bool) -> String {
    let tokens: Value = serde_json::from_str(&signet.run(&["token", "list", "-o", "json"]).ok()).unwrap();
    let serials = tokens["tokens"].as_array().unwrap().iter().map(|token| token["serial"].as_str().unwrap());
    serials.into_iter().find(|serial| serial.starts_with("soft-") == software).unwrap().to_owned()
}

/// A key that the YubiKey and a spare token open.
fn with_spare() -> (Vault, String) {
    let mut spare = String::new();
    let vault = Vault::prepared(KINDS, &["--no-factor"], |signet| {
        let _ = signet.run(&["token", "enrol", "--kind", "software", "--label", "spare"]).ok();
        spare = serial(signet, true);
        let _ = signet.run(&["reseal", "root", "--add", &spare]).ok();
    });
    (vault, spare)
}

fn works(vault: &Vault, case: &str) {
    let ran = vault.sign();
    assert_eq!(ran.code(), 0, "{case}: {ran:?}");
}

#[test]
fn an_agent_killed_while_a_token_is_dropped_and_every_state_on_the_way_put_back() {
    let (mut vault, spare) = with_spare();
    let drop = |signet: &Signet| signet.run(&["reseal", "root", "--drop", &spare]);
    let check = |vault: &Vault, acknowledged: bool, case: &str| {
        let key = vault.key("root").unwrap_or_else(|| panic!("{case}: the key is gone"));
        let dropped = key["tokens"].as_array().unwrap().len() == 1;
        assert!(dropped || !acknowledged, "{case}: {key}");
        assert_eq!(key["rotate"].is_string(), dropped, "{case}: {key}");
        works(vault, case);
    };
    let seen = vault.signet.path("seen");
    fs::create_dir(&seen).unwrap();
    let mut states = BTreeSet::new();
    let see = &mut |state: &std::path::Path| {
        let file = |name: &str| fs::read(state.join(name)).unwrap_or_default();
        if states.insert([file("state.json"), file("keys/root.age")].concat()) {
            copy(state, &seen.join(states.len().to_string()));
        }
    };
    vault.killed_and_seen(&drop, see, &check);

    vault.restore();
    let _ = drop(&vault.signet).ok();
    assert!(vault.signet.stop_agent().unwrap().success());
    let (state, done) = (vault.signet.state_dir(), vault.signet.path("done"));
    copy(&state, &done);
    assert!(states.len() >= 4, "{} states", states.len());
    for number in 1..=states.len() {
        // The state with the record beside it, and each alone with what stands now.
        for parts in [&["state.json", "keys"][..], &["state.json"], &["keys"]] {
            let case = format!("{parts:?} of state {number}");
            fs::remove_dir_all(&state).unwrap();
            copy(&done, &state);
            for part in parts {
                let (from, to) = (seen.join(number.to_string()).join(part), state.join(part));
                let _ = fs::remove_dir_all(&to);
                copy(&from, &to);
            }
            vault.signet.start_agent();
            match vault.key("root") {
                Some(key) => assert_eq!(key["tokens"].as_array().unwrap().len(), 1, "{case}: {key}"),
                None => {
                    let said = vault.sign().refused(77);
                    assert!(said.contains("not the one last acknowledged"), "{case}: {said}");
                }
            }
            vault.signet.kill_agent();
        }
    }
    vault.signet.start_agent();
}

#[test]
fn an_agent_killed_while_a_token_is_reported_lost_and_its_key_rotated() {
    let (mut vault, spare) = with_spare();
    let lose = |signet: &Signet| {
        let told = signet.run(&["token", "lost", &spare]);
        let rotated = signet.run(&["reseal", "root", "--rotated"]);
        if rotated.code() == 0 { signet.run(&["token", "lost", &spare]) } else { told }
    };
    vault.killed_at_every_call(&lose, &|vault, acknowledged, case| {
        let key = vault.key("root").unwrap();
        let tokens: Value =
            serde_json::from_str(&vault.signet.run(&["token", "list", "-o", "json"]).ok()).unwrap();
        let lost = tokens["tokens"].as_array().unwrap().iter().any(|token| token["lost"].is_string());
        assert!(lost || !acknowledged, "{case}: {tokens}");
        assert!(lost || key["rotate"].is_null(), "{case}: it is marked for a token that is not lost");
        assert!(!acknowledged || key["rotate"].is_null(), "{case}: {key}");
        works(vault, case);
        let again = lose(&vault.signet);
        assert_eq!(again.code(), 0, "{case}: {again:?}");
    });
}

#[test]
fn an_agent_killed_while_a_record_is_restored() {
    let mut vault = Vault::prepared(&["yubikey-piv"], &["--no-factor"], |signet| {
        let state = signet.state_dir();
        fs::copy(state.join("keys/root.age"), signet.path("root.age")).unwrap();
        assert!(signet.stop_agent().unwrap().success());
        fs::remove_dir_all(&state).unwrap();
        signet.start_agent();
    });
    let backup = vault.signet.path("root.age");
    let restore = |signet: &Signet| signet.run(&["restore", text(&backup)]);
    vault.killed_at_every_call(&restore, &|vault, acknowledged, case| {
        let there = vault.key("root").is_some();
        assert!(there || !acknowledged, "{case}: it was acknowledged and is gone");
        let again: Ran = restore(&vault.signet);
        assert_eq!(again.code() == 0, !there, "{case}: a name that is free can be taken: {again:?}");
        works(vault, case);
    });
}

/// Sealed or in the token, and usable; in the token once that was acknowledged, and at the latest when it
/// is tried again.
fn killed_while_embedding(flag: &str) {
    let mut vault = Vault::new(&["--no-factor"]);
    let embed = |signet: &Signet| signet.run(&["embed", "root", flag]);
    vault.killed_at_every_call(&embed, &|vault, acknowledged, case| {
        let custody = |vault: &Vault| vault.key("root").unwrap()["custody"].as_str().unwrap().to_owned();
        let held = custody(vault) == "in-token";
        assert!(held || !acknowledged, "{case}");
        works(vault, case);
        if !held {
            // What the token was given stays in it, behind a code that the record knows: the next one
            // finds it and goes on.
            let again = embed(&vault.signet);
            assert_eq!(again.code(), 0, "{case}: {again:?}");
            assert_eq!(custody(vault), "in-token", "{case}");
            works(vault, case);
        }
        assert_eq!(vault.card.oath_names(), ["signet-root"], "{case}");
        assert_eq!(vault.card.has_oath_code(), flag == "--access-code", "{case}");
    });
}

#[test]
fn an_agent_killed_while_a_key_goes_into_its_token() {
    killed_while_embedding("--no-access-code");
}

#[test]
fn an_agent_killed_while_a_key_goes_into_its_token_behind_an_access_code() {
    killed_while_embedding("--access-code");
}
