//! The private Signet of the tests, tried once: that it starts, that its person answers, and that nothing
//! is left.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::Path;

use signet_tests::card::{Card, Profile};
use signet_tests::harness::{Setup, Signet};
use signet_tests::pcsc::Pcscd;

#[test]
fn an_agent_without_keys_answers_and_leaves_nothing_behind() {
    let mut signet = Signet::start(&Setup { kinds: &["software"], ..Setup::default() });
    let list = signet.run(&["list", "-o", "json"]).ok();
    assert!(list.contains("\"keys\":[]"), "{list}");
    assert!(signet.asked().is_empty());
    assert!(signet.stop_agent().unwrap().success(), "{}", signet.agent_log());
    signet.start_agent();
    let (pid, home) = (signet.agent_pid().unwrap(), signet.home());
    drop(signet);
    assert!(!home.exists());
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn a_card_is_seen_through_the_agent() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_7_1());
    let signet = Signet::start(&Setup { kinds: &["yubikey-piv"], pcscd: Some(&pcscd), ..Setup::default() });
    let list = signet.run(&["doctor"]);
    assert!(list.stdout.contains(&card.serial().to_string()), "{list:?}");
}
