//! Yubico's own `ykman`, unchanged, on the card in the first reader of a private `pcscd`.

#![allow(dead_code, unreachable_pub)] // each test program uses its part

use std::process::{Command, Output};

use signet_tests::pcsc::Pcscd;
use signet_tests::process;

/// The Python in which `ykman` and its library are installed; nothing that they remember on this machine
/// is read.
pub fn python(pcscd: &Pcscd) -> Command {
    program(pcscd, "python3")
}

/// A run of `ykman`.
pub fn command(pcscd: &Pcscd, args: &[&str]) -> Command {
    let mut command = program(pcscd, "ykman");
    command.args(["-r", &pcscd.reader(0)]).args(args);
    command
}

/// A run of `ykman` that looks for a card by itself.
pub fn on_any(pcscd: &Pcscd, args: &[&str]) -> Command {
    let mut command = program(pcscd, "ykman");
    command.args(args);
    command
}

fn program(pcscd: &Pcscd, name: &str) -> Command {
    let socket = pcscd.socket();
    let home = socket.parent().expect("the socket lies in a directory");
    let mut command = pcscd.command(process::python(name));
    command.env("HOME", home).env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME");
    command
}

/// The same, run to its end.
pub fn ykman(pcscd: &Pcscd, args: &[&str]) -> Output {
    command(pcscd, args).output().expect("ykman can be started")
}

/// What a program said; it must have succeeded.
#[track_caller]
pub fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{}: {text}", output.status);
    text
}
