//! The way out without Signet: `packaging/way-out` as it is, with Yubico's own Python package, opens what
//! Signet has sealed, and refuses clearly what it cannot open.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod journey;
mod terminal;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use journey::{Desk, KEY_ID, PIN, SECRET, SEED};
use serde_json::Value;
use signet_tests::card::{Card, Fido, PinPolicy, Profile, Touch, TouchPolicy};
use signet_tests::process::python;
use terminal::Terminal;

/// The script, as it is handed out.
const WAY_OUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/way-out");
/// VERIFY (SP 800-73-4, part 2, 3.2.1).
const VERIFY: u8 = 0x20;

/// How it ended, and what it said.
struct Said {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

impl Said {
    /// Demands a refusal: one line, nothing on the standard output.
    #[track_caller]
    fn refused(&self, why: &str) {
        let Self { status, stdout, stderr } = self;
        assert_eq!(status.code(), Some(1), "{stdout}{stderr}");
        assert_eq!(stdout, "");
        let last = stderr.lines().last().unwrap_or_default();
        assert!(last.starts_with("way-out: ") && last.contains(why), "{stderr}");
        assert!(!stderr.contains("Traceback"), "{stderr}");
    }
}

/// Runs the script at a terminal where the PIN is typed, if there is one to type.
fn way_out(desk: &Desk, record: &Path, flags: &[&str], pin: Option<&str>) -> Said {
    let mut command = desk.pcscd.command(python("python"));
    command.arg(WAY_OUT).arg(record).args(flags).env("PYTHONDONTWRITEBYTECODE", "1");
    let mut terminal = Terminal::run(&command);
    if let Some(pin) = pin {
        terminal.expect("PIN of ");
        terminal.expect(": ");
        assert!(!terminal.echoes(), "the pin would be seen");
        terminal.send(&format!("{pin}\n"));
    }
    let (status, stdout, stderr) = terminal.finish();
    assert!(!terminal.seen.contains(SECRET), "{}", terminal.seen);
    Said { status, stdout, stderr }
}

/// What stands after the metadata, which is JSON and comes first.
fn metadata(stdout: &str) -> (Value, &str) {
    let mut stream = serde_json::Deserializer::from_str(stdout).into_iter();
    let meta = stream.next().expect("it prints the metadata").unwrap();
    let rest = &stdout[stream.byte_offset()..];
    (meta, rest)
}

#[test]
fn a_record_is_opened_without_signet() {
    let mut desk = Desk::with_code();
    let record = desk.signet.path("copy.age");
    fs::copy(desk.record(), &record).unwrap();
    desk.signet.kill_agent();
    desk.card.clear_events();
    let touches = desk.card.touches_asked();

    // Without --show no word of a secret.
    let said = way_out(&desk, &record, &[], Some(PIN));
    assert!(said.status.success(), "{}", said.stderr);
    assert_eq!(said.stderr, "touch now\n");
    let (meta, rest) = metadata(&said.stdout);
    assert_eq!((&meta["name"], &meta["access_key_id"]), (&"prod".into(), &KEY_ID.into()));
    assert_eq!(rest.trim(), "");
    for secret in [SECRET, SEED] {
        assert!(!said.stdout.contains(secret) && !said.stderr.contains(secret));
    }

    let said = way_out(&desk, &record, &["--show"], Some(PIN));
    let (_, rest) = metadata(&said.stdout);
    let lines = format!("access key id: {KEY_ID}\nsecret access key: {SECRET}\ntotp seed: {SEED}\n");
    assert_eq!(rest.trim_start(), lines);

    // Into a file: ours alone, and never over another.
    let out = desk.signet.path("secret");
    let flags = ["--show", "--out", out.to_str().unwrap()];
    let said = way_out(&desk, &record, &flags, Some(PIN));
    assert!(said.status.success() && !said.stdout.contains(SECRET), "{}", said.stderr);
    assert_eq!(fs::read_to_string(&out).unwrap(), lines);
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    fs::write(&out, "mine").unwrap();
    let said = way_out(&desk, &record, &flags, Some(PIN));
    assert!(!said.status.success() && said.stderr.contains("File exists"), "{}", said.stderr);
    assert_eq!(fs::read_to_string(&out).unwrap(), "mine");

    assert_eq!(desk.card.touches_asked(), touches + 4, "one touch each");
    assert!(!desk.card.pin_is_verified(), "a verified pin was left behind");
}

/// The PIN of the authenticator.
const FIDO_PIN: &str = "office-4711";

/// A desk where an authenticator is the token, and opens the record of `prod`.
fn with_authenticator(fido: Fido) -> Desk {
    let desk = Desk::of(Profile::bare().fido(fido), &["fido2"]);
    desk.card.set_fido_pin(Some(FIDO_PIN));
    desk.signet.answer("fido-pin", &[FIDO_PIN]);
    desk.keyed()
}

#[test]
fn a_record_that_an_authenticator_opens_is_opened_without_signet() {
    let mut desk = with_authenticator(Fido::v2_1());
    let (record, touches) = (desk.record(), desk.card.touches_asked());
    desk.signet.kill_agent();
    desk.card.touch(Touch::After(Duration::from_millis(300)));
    let said = way_out(&desk, &record, &["--show"], Some(FIDO_PIN));
    desk.card.touch(Touch::Now);
    assert!(said.status.success(), "{}", said.stderr);
    assert_eq!(said.stderr, "touch now\n");
    let (meta, rest) = metadata(&said.stdout);
    assert_eq!(meta["recipients"][0]["kind"], "fido2");
    let lines = format!("access key id: {KEY_ID}\nsecret access key: {SECRET}\ntotp seed: none\n");
    assert_eq!(rest.trim_start(), lines);
    assert_eq!(desk.card.touches_asked(), touches + 1);

    for (left, why) in [(7, "wrong pin, tries left: 7"), (6, "tries left: 6"), (5, "plug it in again")] {
        way_out(&desk, &record, &["--show"], Some("wrong-pin")).refused(why);
        assert_eq!(desk.card.fido_tries(), left);
    }
    way_out(&desk, &record, &["--show"], None).refused("plug it in again");
    desk.card.remove();
    desk.card.reinsert();
    desk.card.set_fido_tries(0);
    way_out(&desk, &record, &["--show"], None).refused("is blocked: only a reset helps");
    desk.card.set_fido_pin(Some(FIDO_PIN));
    desk.card.touch(Touch::Never);
    desk.card.set_touch_timeout(Duration::from_millis(300));
    way_out(&desk, &record, &["--show"], Some(FIDO_PIN)).refused("not touched in time");
    desk.card.touch(Touch::Now);

    // Another authenticator is asked for no PIN, alone or beside the right one.
    let other = Card::insert(&desk.pcscd, Profile::bare().fido(Fido::v2_0()));
    other.set_fido_pin(Some(FIDO_PIN));
    assert!(way_out(&desk, &record, &[], Some(FIDO_PIN)).status.success());
    desk.card.remove();
    way_out(&desk, &record, &[], None).refused("wrong token: insert fido-");
    assert_eq!((other.fido_tries(), other.touches_asked()), (8, 0));
    assert!(!other.has_fido_token());
    drop(other);
    way_out(&desk, &record, &[], None).refused("there is none");
    // Its credential is gone: the same as another one.
    desk.card.reinsert();
    for id in desk.card.fido_credentials() {
        assert!(desk.card.delete_fido_credential(&id));
    }
    way_out(&desk, &record, &[], None).refused("wrong token");
}

#[test]
fn a_record_that_an_authenticator_of_ctap_2_0_opens() {
    let desk = with_authenticator(Fido::v2_0().never_counting());
    let said = way_out(&desk, &desk.record(), &["--show"], Some(FIDO_PIN));
    assert!(said.stdout.contains(SECRET), "{}", said.stderr);
}

/// A key inside tokens: the record holds the access codes, and the script the words for what is left to do.
#[test]
fn a_key_inside_a_token_is_in_no_file() {
    let desk = Desk::with_key();
    let _ = desk.signet.run(&["embed", "prod"]).ok();
    let said = way_out(&desk, &desk.record(), &[], Some(PIN));
    assert!(said.status.success(), "{}", said.stderr);
    let (meta, rest) = metadata(&said.stdout);
    assert_eq!(meta["custody"], "in-token");
    let serial = desk.card.serial();
    let words = [
        format!("--device {serial} oath accounts list"),
        format!("--device {serial} oath accounts delete signet-prod"),
    ];
    assert!(rest.contains("the secret is in no file"), "{rest}");
    assert!(words.iter().all(|words| rest.contains(&format!("\n    ykman {words}\n"))), "{rest}");
    assert!(!rest.contains("access code of"), "without --show: {rest}");

    let said = way_out(&desk, &desk.record(), &["--show"], Some(PIN));
    let code = said.stdout.lines().find_map(|line| line.strip_prefix(&format!("access code of {serial}: ")));
    let code = code.unwrap_or_else(|| panic!("{}", said.stdout));
    assert!(desk.card.is_oath_code(code), "{code}");
    assert!(said.stdout.contains("\nsecret access key: in the tokens\n"), "{}", said.stdout);

    // The words as they are printed, at a terminal; the code goes to the question that they ask.
    let path = format!("{}:{}", python("").display(), std::env::var("PATH").unwrap());
    for words in &words {
        let mut command = desk.pcscd.command("sh");
        command.args(["-c", &format!("exec ykman {words} >/dev/tty 2>&1")]);
        command.env("HOME", desk.signet.home()).env("PATH", &path);
        let mut terminal = Terminal::run(&command);
        terminal.expect("password: ");
        terminal.send(&format!("{code}\n"));
        if words.contains("delete") {
            terminal.expect("[y/N]: ");
            terminal.send("y\n");
        }
        let (status, ..) = terminal.finish();
        assert!(status.success() && terminal.seen.contains("signet-prod"), "{words}: {}", terminal.seen);
    }
    assert!(desk.card.oath_names().is_empty());
}

#[test]
fn a_wrong_pin_tells_the_tries_and_a_blocked_one_the_way_on() {
    let desk = Desk::with_key();
    let record = desk.record();
    for left in [2, 1] {
        way_out(&desk, &record, &["--show"], Some("000000"))
            .refused(&format!("wrong pin, tries left: {left}"));
        assert_eq!(desk.card.tries().0, left);
    }
    // What no card would take is not sent.
    for odd in ["12345", "123456789"] {
        way_out(&desk, &record, &[], Some(odd)).refused("no try was spent");
    }
    assert_eq!(desk.card.tries().0, 1);
    way_out(&desk, &record, &[], Some("000000")).refused("wrong pin, tries left: 0");
    way_out(&desk, &record, &[], None).refused("piv access unblock-pin");
    assert_eq!(desk.card.events().key_uses(), 1, "only when the key was added");
}

#[test]
fn another_token_gets_no_pin() {
    let mut desk = Desk::with_key();
    let (record, serial) = (desk.record(), desk.card.serial());
    let other = Card::insert(&desk.pcscd, Profile::v5_7_1().serial(4_711_000));
    // Beside the right one it is passed over.
    assert!(way_out(&desk, &record, &[], Some(PIN)).status.success());
    desk.card.remove();
    let named = format!("wrong token: insert {serial} (); there is 4711000");
    way_out(&desk, &record, &[], None).refused(&named);
    let double = Card::insert(&desk.pcscd, Profile::v5_7_1().serial(serial));
    way_out(&desk, &record, &[], None).refused("slot 95 of");
    let _another_key = double.generate(0x95, PinPolicy::Always, TouchPolicy::Always);
    way_out(&desk, &record, &[], None).refused("holds another key");
    for card in [&other, &double] {
        assert_eq!((card.events().count(VERIFY), card.tries().0), (0, 3));
    }
    drop((other, double));
    way_out(&desk, &record, &[], None).refused("there is none");
}

#[test]
fn nobody_touches_and_somebody_pulls_the_token_out() {
    let mut desk = Desk::with_key();
    let record = desk.record();
    desk.card.touch(Touch::Never);
    desk.card.set_touch_timeout(Duration::from_millis(300));
    way_out(&desk, &record, &["--show"], Some(PIN)).refused("not touched");
    assert!(!desk.card.pin_is_verified());

    desk.card.set_touch_timeout(Duration::from_secs(15));
    let mut command = desk.pcscd.command(python("python"));
    command.arg(WAY_OUT).arg(&record);
    let mut terminal = Terminal::run(&command);
    terminal.expect("PIN of ");
    let asked = desk.card.touches_asked();
    terminal.send(&format!("{PIN}\n"));
    desk.card.wait_until_asked();
    desk.card.remove();
    let (status, stdout, stderr) = terminal.finish();
    Said { status, stdout, stderr }.refused("the token does not answer");
    assert_eq!(desk.card.touches_asked(), asked + 1);
    desk.card.reinsert();
    desk.card.touch(Touch::Now);
    assert!(way_out(&desk, &record, &[], Some(PIN)).status.success());
}

/// Every part of the file, changed in one place, is refused: some by its form, the rest by the MAC of the
/// header or of the payload once the token has opened it.
#[test]
fn a_changed_record_is_refused() {
    let desk = Desk::with_key();
    let whole = fs::read(desk.record()).unwrap();
    let find = |what: &[u8]| whole.windows(what.len()).position(|window| window == what).unwrap();
    let (stanza, end) = (find(b"-> p256tag ") + 11, find(b"\n--- "));
    let copy = desk.signet.path("copy.age");
    let refused = |changed: &[u8], pin: Option<&str>, why: &str| {
        fs::write(&copy, changed).unwrap();
        way_out(&desk, &copy, &["--show"], pin).refused(why);
    };
    const CHANGED: &str = "was changed or is damaged";

    for (part, at, pin) in [
        ("tag", stanza, None),
        ("point", stanza + 20, None),
        ("file key", end - 20, Some(PIN)),
        ("header's mac", end + 8, Some(PIN)),
        ("nonce", end + 60, Some(PIN)),
        ("payload", whole.len() - 40, Some(PIN)),
        ("last byte", whole.len() - 1, Some(PIN)),
    ] {
        println!("{part}");
        let mut changed = whole.clone();
        // Still a letter of base64, where it was one.
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        refused(&changed, pin, CHANGED);
    }

    // Another account under the same header: good JSON, good base64, and no word of it is printed.
    let body: Vec<&str> = std::str::from_utf8(&whole[..stanza]).unwrap().lines().collect();
    let body = body[2..body.len() - 1].concat();
    let text = String::from_utf8(STANDARD_NO_PAD.decode(body).unwrap()).unwrap();
    let forged = text.replace("\"123456789012\"", "\"210987654321\"");
    assert_ne!(forged, text);
    let lines: Vec<String> = STANDARD_NO_PAD
        .encode(forged)
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line).into_owned() + "\n")
        .collect();
    let first = find(b"meta/v1\n") + 8;
    let mut changed = whole.clone();
    changed[first..first + lines.concat().len()].copy_from_slice(lines.concat().as_bytes());
    refused(&changed, Some(PIN), CHANGED);

    refused(&whole[..whole.len() - 1], Some(PIN), CHANGED);
    refused(&whole[..end], None, CHANGED);
    refused(&whole[1..], None, "not a record of Signet");
    way_out(&desk, Path::new("/nonexistent.age"), &[], None).refused("No such file");
    assert!(way_out(&desk, &desk.record(), &[], Some(PIN)).status.success(), "the control");
}
