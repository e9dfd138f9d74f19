//! The OATH applet of the virtual YubiKey, judged by Yubico's own `ykman`, as it comes, through a real
//! `pcscd`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod ykman;

use std::process::{Output, Stdio};
use std::time::Duration;

use signet_tests::card::{Applet, Card, Profile, Touch};
use signet_tests::pcsc::Pcscd;
use ykman::{command, said, ykman};

/// "signet-test-secret", in the base32 that `ykman` takes.
const SEED: &str = "ONUWO3TFOQWXIZLTOQWXGZLDOJSXI";
const SEED_BYTES: &[u8] = b"signet-test-secret";

#[track_caller]
fn refused(output: &Output, word: &str) {
    let text = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned();
    assert!(!output.status.success() && text.contains(word), "{}: {text}", output.status);
}

#[test]
fn a_card_without_the_applet_says_so_to_ykman() {
    let pcscd = Pcscd::start();
    let _card = Card::insert(&pcscd, Profile::v5_7_1().without_oath());
    let info = said(&ykman(&pcscd, &["info"]));
    let oath = info.lines().find(|line| line.starts_with("OATH")).unwrap();
    assert!(oath.contains("Not available"), "{info}");
    assert!(!ykman(&pcscd, &["oath", "info"]).status.success());
}

#[test]
fn a_full_applet_refuses_one_more() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_4_3().oath_credentials(1));
    said(&ykman(&pcscd, &["oath", "accounts", "add", "one", SEED]));
    refused(&ykman(&pcscd, &["oath", "accounts", "add", "two", SEED]), "No space left");
    assert_eq!(card.oath_names(), ["one"]);
}

#[test]
fn ykman_works_with_firmware_5_7() {
    ykman_works(Profile::v5_7_1());
}

#[test]
fn ykman_works_with_firmware_5_2() {
    ykman_works(Profile::v5_2_7());
}

#[test]
fn ykman_works_with_a_bare_card() {
    ykman_works(Profile::bare());
}

#[test]
fn ykman_works_with_a_truncating_card() {
    ykman_works(Profile::v5_4_3().truncating());
}

fn ykman_works(profile: Profile) {
    let version = profile.firmware;
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, profile);
    let run = |args: &[&str]| said(&ykman(&pcscd, &[&["oath"][..], args].concat()));

    let info = run(&["info"]);
    assert!(info.contains(&format!("{}.{}.{}", version.0, version.1, version.2)), "{info}");
    assert!(info.contains("disabled"), "{info}");
    assert!(
        said(&ykman(&pcscd, &["info"]))
            .lines()
            .any(|line| line.starts_with("OATH") && line.contains("Enabled"))
    );

    run(&["accounts", "add", "touch", SEED, "--touch", "-a", "SHA256"]);
    run(&["accounts", "add", "free", SEED, "-i", "Signet", "-d", "8"]);
    run(&["accounts", "add", "counts", SEED, "-o", "HOTP", "-c", "7"]);
    assert_eq!(card.oath_names(), ["touch", "Signet:free", "counts"]);
    assert_eq!(card.oath_key("touch"), Some((SEED_BYTES.to_vec(), true)));
    assert_eq!(card.oath_key("Signet:free"), Some((SEED_BYTES.to_vec(), false)));
    let list = run(&["accounts", "list", "-o"]);
    assert!(list.contains("touch, TOTP") && list.contains("counts, HOTP"), "{list}");

    let codes = run(&["accounts", "code"]);
    assert!(codes.contains("[Requires Touch]") && codes.contains("[HOTP Account]"), "{codes}");
    assert_eq!(card.touches_asked(), 0);
    assert_eq!(run(&["accounts", "code", "-s", "Signet:free"]).trim().len(), 8);
    let counted = [(), ()].map(|()| run(&["accounts", "code", "-s", "counts"]));
    assert_ne!(counted[0], counted[1]);
    assert_eq!(run(&["accounts", "code", "-s", "touch"]).trim().len(), 6 + "Touch your YubiKey...\n".len());
    assert_eq!(card.touches_asked(), 1);

    run(&["access", "change", "-n", "swordfish"]);
    assert!(card.has_oath_code() && card.is_oath_code("swordfish"));
    assert!(run(&["info"]).contains("enabled"));
    refused(&ykman(&pcscd, &["oath", "accounts", "list", "-p", "sword"]), "Wrong password");
    assert!(run(&["accounts", "list", "-p", "swordfish"]).contains("Signet:free"));
    run(&["access", "change", "-p", "swordfish", "-n", "herring"]);
    assert!(card.is_oath_code("herring"));

    run(&["accounts", "delete", "-f", "-p", "herring", "counts"]);
    if version >= (5, 3, 1) {
        run(&["accounts", "rename", "-f", "-p", "herring", "Signet:free", "gratis"]);
        assert_eq!(card.oath_names(), ["touch", "gratis"]);
    }
    run(&["access", "change", "-p", "herring", "--clear"]);
    assert!(!card.has_oath_code());

    let device = card.oath_device();
    run(&["reset", "-f"]);
    assert!(card.oath_names().is_empty());
    assert_ne!(card.oath_device(), device);
    // Twice the counter, once the touch; the free one came with all the others.
    assert_eq!(card.events().challenges().len(), 3);
}

#[test]
fn a_touch_is_waited_for_and_its_absence_refused() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_7_1().touch_timeout(Duration::from_millis(100)));
    card.put_oath("signet-root", SEED_BYTES, true);
    card.touch(Touch::Never);
    let args = ["oath", "accounts", "code", "-s", "signet-root"];
    refused(&ykman(&pcscd, &args), "Touch account timed out");
    assert_eq!((card.events().calculations(), card.touches_asked()), (0, 1));
    assert!(card.transcript().contains("* not touched\n< 6982"), "{}", card.transcript());

    card.set_touch_timeout(Duration::from_secs(15));
    let running = command(&pcscd, &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    card.wait_until_asked();
    assert!(card.press());
    said(&running.wait_with_output().unwrap());
    assert_eq!(card.events().calculations(), 1);
}

/// The whole code is what a signature's first step takes; the library below the command line asks for it.
#[test]
fn a_date_key_comes_out_whole_behind_a_code_and_the_log_shows_none_of_it() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_7_1());
    card.put_oath("lk-date", b"AWS4wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", true);
    card.set_oath_code(Some("swordfish"));
    let script = "
import sys
from ykman.pcsc import list_devices
from yubikit.core.smartcard import SmartCardConnection
from yubikit.oath import OathSession
with list_devices()[0].open_connection(SmartCardConnection) as connection:
    session = OathSession(connection)
    session.validate(session.derive_key('swordfish'))
    print(session.calculate(b'lk-date', b'20261122').hex())
";
    let said = said(&ykman::python(&pcscd).args(["-c", script]).output().unwrap());
    assert_eq!(said.trim(), "6edd3791c771b48f72c099485a21d8d5dfaaba7c68ddcc76efc3ba460c08a83b");
    let events = card.events();
    assert_eq!(events.challenges(), [b"20261122"]);
    assert_eq!((events.calculations(), events.of(Applet::Oath), events.of(Applet::Piv)), (1, 3, 0));
    let transcript = events.transcript();
    let apdus: Vec<&str> = transcript.lines().filter(|line| !line.starts_with("* power")).collect();
    assert_eq!(
        apdus,
        [
            "> 00a4040007 a0000005272101",
            "< 7903050701 7108 (device: 8 bytes) 7408 (challenge: 8 bytes) 7b0121 9000",
            "> 00a30000000020 7514 (proof: 20 bytes) 7408 (challenge: 8 bytes)",
            "< 7514 (proof: 20 bytes) 9000",
            "> 00a20000000013 71076c6b2d64617465 7408 (a date)",
            "* touched",
            "< 752106 (code: 32 bytes) 9000",
        ],
        "{transcript}"
    );
}
