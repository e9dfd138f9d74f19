//! The proof that the virtual YubiKey is one: programs made for the device of steel work with it, as
//! they come, through a real `pcscd`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::process::Output;

use signet_tests::card::{Card, Profile};
use signet_tests::pcsc::Pcscd;

/// Runs `yubico-piv-tool` on the card in the first reader.
fn piv_tool(pcscd: &Pcscd, args: &[&str]) -> Output {
    pcscd
        .command("yubico-piv-tool")
        .args(["--reader", &pcscd.reader(0)])
        .args(args)
        .output()
        .expect("yubico-piv-tool is not installed: apt-get install yubico-piv-tool")
}

#[track_caller]
fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{}: {text}", output.status);
    text
}

#[test]
fn yubico_piv_tool_sees_the_card_and_its_tries() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_4_3());
    let status = said(&piv_tool(&pcscd, &["-a", "status"]));
    assert!(status.contains("5.4.3") && status.contains("15120543"), "{status}");
    assert!(status.contains("PIN tries left:\t3"), "{status}");
    let refused = piv_tool(&pcscd, &["-a", "verify-pin", "-P", "654321"]);
    assert!(!refused.status.success(), "a wrong PIN is refused");
    assert_eq!(card.tries(), (2, 3));
    said(&piv_tool(&pcscd, &["-a", "verify-pin", "-P", "123456"]));
    assert_eq!(card.tries(), (3, 3));
}
