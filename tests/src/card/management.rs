//! The management applet: what `ykman` asks to learn which device it sees.
//!
//! Follows the TLVs of Yubico's management application as `ykman` 5 reads them; settings cannot be
//! written here.

use super::apdu::{Command, Reply, sw};
use super::profile::{Oath, Profile};
use super::tlv;

/// The applet's identifier.
pub(super) const AID: &[u8] = &[0xa0, 0x00, 0x00, 0x05, 0x27, 0x47, 0x11, 0x17];

/// Applications over USB: OTP, U2F, OpenPGP, PIV, FIDO2, as the reader's name promises …
const CAPABILITIES: u16 = 0x021b;
/// … and OATH.
const OATH: u16 = 0x0020;
/// FIDO2 can be had over CCID too.
const FIDO_OVER_CCID: u16 = 0x1000;
/// Form factor: a keychain with USB-A.
const KEYCHAIN_A: u8 = 0x01;

/// The answer to SELECT: a greeting with the version in it.
pub(super) fn selected(profile: &Profile) -> Reply {
    let (major, minor, patch) = profile.firmware;
    Reply::ok(format!("Virtual mgr - FW version {major}.{minor}.{patch}").into_bytes())
}

/// One command after SELECT.
pub(super) fn execute(profile: &Profile, command: &Command) -> Reply {
    match (command.ins, command.p1) {
        (0x1d, 0) => Reply::ok(device_info(profile)),
        (0x1d, _) => sw::WRONG_P1P2.into(),
        (_, _) => sw::UNKNOWN_INS.into(),
    }
}

fn device_info(profile: &Profile) -> Vec<u8> {
    let oath = match profile.oath {
        Oath::Absent => 0,
        Oath::Truncating | Oath::Refusing(_) | Oath::Full => OATH,
    };
    // Over NFC it always could; over USB firmware 5.8 is the first that can, and says so.
    let fido = if profile.since(5, 8) && profile.fido.is_some() { FIDO_OVER_CCID } else { 0 };
    let capabilities = (CAPABILITIES | oath | fido).to_be_bytes();
    let list = [
        tlv::write(0x01, &capabilities),
        tlv::write(0x02, &profile.serial.to_be_bytes()),
        tlv::write(0x03, &capabilities),
        tlv::write(0x04, &[KEYCHAIN_A]),
        tlv::write(0x05, &profile.version()),
        // Auto-eject time, challenge-response timeout, flags, no configuration lock, no reset blocked.
        tlv::write(0x06, &[0, 0]),
        tlv::write(0x07, &[15]),
        tlv::write(0x08, &[0]),
        tlv::write(0x0a, &[0]),
    ]
    .concat();
    let length = u8::try_from(list.len()).unwrap_or(u8::MAX);
    [&[length][..], &list].concat()
}
