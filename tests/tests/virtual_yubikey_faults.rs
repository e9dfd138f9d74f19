//! Virtual YubiKeys in numbers and in trouble: several at once, one in the place of another, and faults by
//! script, all as other people's programs see them through a real `pcscd`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod ykman;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use signet_tests::card::{Applet, Card, PinPolicy, Profile, Script, Touch, TouchPolicy};
use signet_tests::pcsc::Pcscd;
use ykman::said;

fn serials(pcscd: &Pcscd) -> BTreeSet<u32> {
    let output = ykman::on_any(pcscd, &["list", "--serials"]).output().unwrap();
    let _ = said(&output);
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line.trim().parse().unwrap()).collect()
}

/// Checks the PIN of the card in the first reader: the tool sends SELECT, an empty VERIFY, GET VERSION and
/// GET SERIAL, and then VERIFY with the PIN.
fn verify_pin(pcscd: &Pcscd) -> Output {
    pcscd
        .command("yubico-piv-tool")
        .args(["--reader", &pcscd.reader(0), "-a", "verify-pin", "-P", "123456"])
        .output()
        .expect("yubico-piv-tool is not installed: apt-get install yubico-piv-tool")
}

fn play(card: &Card, script: &str) {
    card.play(&script.parse::<Script>().unwrap());
}

#[test]
fn three_cards_in_one_daemon_and_one_in_another_are_told_apart() {
    let (many, other) = (Pcscd::start_with(2), Pcscd::start());
    let cards: Vec<Card> =
        [11, 22, 33].map(|serial| Card::insert(&many, Profile::v5_7_1().serial(serial))).into();
    let apart = Card::insert(&other, Profile::v5_4_3().serial(44));
    assert_eq!(cards.iter().map(Card::reader).collect::<Vec<_>>(), [0, 1, 2]);
    let names: Vec<String> = many.readers().into_iter().map(|reader| reader.name).collect();
    assert_eq!(names, (0..4).map(|index| many.reader(index)).collect::<Vec<_>>());
    assert_eq!(serials(&many), [11, 22, 33].into());
    assert_eq!(serials(&other), [44].into());
    said(
        &ykman::on_any(&many, &["--device", "33", "oath", "accounts", "add", "x", "ONUWO3TFOQ"])
            .output()
            .unwrap(),
    );
    assert_eq!(cards.iter().map(|card| card.oath_names().len()).collect::<Vec<_>>(), [0, 0, 1]);
    assert_eq!(apart.events().of(Applet::Oath), 0);
}

#[test]
fn another_card_takes_the_place_of_one_that_was_pulled_out() {
    let pcscd = Pcscd::start();
    let mut first = Card::insert(&pcscd, Profile::v5_7_1().serial(11));
    first.remove();
    assert!(serials(&pcscd).is_empty());
    let second = Card::insert(&pcscd, Profile::v5_7_1().serial(22));
    assert_eq!(second.reader(), first.reader());
    assert_eq!(serials(&pcscd), [22].into());
    drop(second);
    pcscd.wait_for_card(0, false);
    first.reinsert();
    assert_eq!(serials(&pcscd), [11].into());
    play(&first, "serial 12345678");
    assert_eq!(serials(&pcscd), [12_345_678].into());
}

#[test]
fn scripted_faults_strike_once_at_their_apdu() {
    let pcscd = Pcscd::start();
    let mut card = Card::insert(&pcscd, Profile::v5_4_3());
    for script in ["at 4 status 6f00", "at 0 garbage", "at 4 remove", "at 4 reset", "at 0 status 6a82"] {
        play(&card, script);
        let struck = verify_pin(&pcscd);
        assert!(!struck.status.success(), "{script}");
        if script.ends_with("remove") {
            assert!(card.transcript().trim_end().ends_with("* no answer"), "{}", card.transcript());
            card.reinsert();
        }
        said(&verify_pin(&pcscd));
        assert_eq!(card.tries(), (3, 3), "{script} cost no try");
    }
}

#[test]
fn a_busy_card_is_slow_and_a_mute_one_speaks_again_after_it_was_pulled_out() {
    let pcscd = Pcscd::start();
    let mut card = Card::insert(&pcscd, Profile::v5_4_3());
    let begun = Instant::now();
    play(&card, "at 1 busy 300ms");
    said(&verify_pin(&pcscd));
    assert!(begun.elapsed() >= Duration::from_millis(300));
    let slow = card.events().apdus().map(|exchange| exchange.took).max().unwrap();
    assert!(slow >= Duration::from_millis(300));

    // Nobody has to wait for a busy card that is gone.
    let begun = Instant::now();
    play(&card, "at 0 busy 60s");
    let status = || {
        let mut tool = pcscd.command("yubico-piv-tool");
        tool.args(["--reader", &pcscd.reader(0), "-a", "status"]).stdout(Stdio::null()).stderr(Stdio::null());
        tool.spawn().unwrap()
    };
    let mut asked = status();
    assert!(signet_tests::process::comes_true(|| card.faults_left() == 0));
    card.remove();
    assert!(!asked.wait().unwrap().success());
    assert!(begun.elapsed() < Duration::from_secs(60));
    card.reinsert();

    play(&card, "mute");
    let mut waits = status();
    assert!(signet_tests::process::comes_true(|| card.faults_left() == 0));
    assert!(waits.try_wait().unwrap().is_none(), "nobody has answered it");
    card.remove();
    assert!(waits.wait().is_ok());
    card.reinsert();
    said(&verify_pin(&pcscd));
}

#[test]
fn a_wrong_answer_is_whole_and_differs_and_a_reset_makes_the_card_forget() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_7_1());
    card.put_oath("lk-date", b"AWS4wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", false);
    let script = "
from ykman.pcsc import list_devices
from yubikit.core.smartcard import SmartCardConnection
from yubikit.oath import OathSession
with list_devices()[0].open_connection(SmartCardConnection) as connection:
    print(OathSession(connection).calculate(b'lk-date', b'20261122').hex())
";
    let calculate = || ykman::python(&pcscd).args(["-c", script]).output().unwrap();
    let right = "6edd3791c771b48f72c099485a21d8d5dfaaba7c68ddcc76efc3ba460c08a83b";
    play(&card, "on a2 wrong");
    assert_eq!(said(&calculate()).trim(), right.replace("a83b", "a83a"));
    play(&card, "at 1 reset");
    assert!(!calculate().status.success());
    assert!(card.transcript().contains("< 6d00"), "{}", card.transcript());
    assert_eq!(said(&calculate()).trim(), right);
    assert_eq!(card.events().calculations(), 2);
}

#[test]
fn a_slow_finger_touches_after_its_time() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_7_1());
    card.put_oath("x", &[7; 20], true);
    play(&card, "touch slow 200ms");
    let begun = Instant::now();
    said(&ykman::ykman(&pcscd, &["oath", "accounts", "code", "-s", "x"]));
    assert!(begun.elapsed() >= Duration::from_millis(200));
    card.touch(Touch::Never);
    assert_eq!(card.touches_asked(), 1);
}

#[test]
fn the_log_counts_by_applet_and_tells_power_and_resets() {
    let pcscd = Pcscd::start();
    let mut card = Card::insert(&pcscd, Profile::v5_7_1());
    let _ = card.generate(0x9a, PinPolicy::Never, TouchPolicy::Never);
    card.clear_events();
    said(&verify_pin(&pcscd));
    let events = card.events();
    assert_eq!((events.of(Applet::Piv), events.apdus().count()), (5, 5), "{}", events.transcript());
    assert_eq!((events.of(Applet::Oath), events.power_offs()), (0, 0));
    card.clear_events();
    card.reinsert();
    assert_eq!(card.events().power_ons(), 1);
    assert_eq!(card.events().apdus().count(), 0);
}

/// The program for hands at a keyboard: two cards, a script for the first, words for both.
#[test]
fn the_program_for_people_takes_cards_a_script_and_words() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("script");
    std::fs::write(&script, "serial 4711\ntouch never\n").unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_virtual-yubikey"))
        .arg("--script")
        .arg(&script)
        .args(["5.4.3", "no-oath:33"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut words = program.stdin.take().unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let socket = lines.next().unwrap().unwrap();
    assert!(socket.starts_with("export PCSCLITE_CSOCK_NAME=/"), "{socket}");
    writeln!(words, "card 0\ncounts\ncard 1\nexplode").unwrap();
    let counts = lines.next().unwrap().unwrap();
    assert!(counts.starts_with("0 apdus, 0 touches asked, 1 power on"), "{counts}");
    drop(words);
    let ended = program.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&ended.stderr);
    for wanted in ["serial 4711 in reader 0", "serial 33 in reader 1", "at N FAULT"] {
        assert!(errors.contains(wanted), "{errors}");
    }
    std::fs::write(&script, "at 1 explode\n").unwrap();
    let refused =
        Command::new(env!("CARGO_BIN_EXE_virtual-yubikey")).arg("--script").arg(&script).output().unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("line 1 makes no sense"));
}
