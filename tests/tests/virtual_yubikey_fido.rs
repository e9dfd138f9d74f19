//! The FIDO applet of the virtual YubiKey, judged by Yubico's own `python-fido2` and `ykman`, as they come,
//! through a real `pcscd`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod ykman;

use std::process::{Command, Stdio};
use std::time::Duration;

use signet_tests::card::{Algorithm, Applet, At, Card, Fault, Fido, Lie, Profile, Touch, Uv};
use signet_tests::pcsc::Pcscd;
use ykman::{said, ykman};

/// What all scripts begin with.
const BEGINNING: &str = include_str!("ykman/fido2.py");

/// A script for a PIN/UV auth protocol.
fn script(pcscd: &Pcscd, protocol: u8, script: &str) -> Command {
    let mut python = ykman::python(pcscd);
    python.args(["-c", &format!("{BEGINNING}\n\n{script}"), &protocol.to_string()]);
    python
}

#[track_caller]
fn run(pcscd: &Pcscd, protocol: u8, text: &str) -> String {
    said(&script(pcscd, protocol, text).output().unwrap())
}

#[test]
fn python_fido2_works_with_protocol_2() {
    python_fido2_works(Profile::v5_7_1(), 2);
}

#[test]
fn python_fido2_works_with_protocol_1() {
    python_fido2_works(Profile::v5_7_1(), 1);
}

#[test]
fn python_fido2_works_with_ctap_2_0() {
    python_fido2_works(Profile::v5_2_7(), 1);
}

#[test]
fn python_fido2_works_with_a_key_between_the_two() {
    python_fido2_works(Profile::v5_4_3(), 2);
}

#[test]
fn python_fido2_works_with_long_apdus() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_7_1());
    card.set_fido_pin(Some("123456"));
    run(
        &pcscd,
        2,
        "
device.use_ext_apdu = True
made = make(extensions={'hmac-secret': True})
assert len(secrets(made, b'a' * 32, b'b' * 32, pin=PIN)) == 64
",
    );
    assert_eq!(card.events().ctap_commands().last(), Some(&2));
}

fn python_fido2_works(profile: Profile, protocol: u8) {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, profile);
    run(
        &pcscd,
        protocol,
        "
assert ctap.info.options['clientPin'] is False and 'hmac-secret' in ctap.info.extensions
refused(CtapError.ERR.PIN_NOT_SET, lambda: pins.get_pin_token(PIN))
pins.set_pin('654321')
pins.change_pin('654321', PIN)
assert ctap.get_info().options['clientPin'] is True
assert pins.get_pin_retries()[0] == 8

made = make(extensions={'hmac-secret': True})
assert made.flags == 0xC5 and made.credential_data.aaguid == ctap.info.aaguid, made
assert made.extensions == {'hmac-secret': True}
refused(CtapError.ERR.CREDENTIAL_EXCLUDED, lambda: make(exclude_list=allow(made)))
edwards = make(-8)
assert edwards.credential_data.public_key[3] == -8
refused(CtapError.ERR.UNSUPPORTED_ALGORITHM, lambda: make(-257))

first, second = get(made), get(made, PIN)
assert (first.flags, second.flags) == (0x01, 0x05)
assert first.counter + 1 == second.counter
assert get(edwards).counter > second.counter
assert get(made, options={'up': False}).flags == 0
refused(CtapError.ERR.NO_CREDENTIALS, lambda: ctap.get_assertion('example.org', HASH, allow(made)))
refused(CtapError.ERR.NO_CREDENTIALS, lambda: ctap.get_assertion(RP['id'], HASH))

a, b = b'a' * 32, b'b' * 32
both = secrets(made, a, b)
assert (secrets(made, a), secrets(made, b)) == (both[:32], both[32:]) and both[:32] != both[32:]
verified = secrets(made, a, pin=PIN)
assert verified == secrets(made, a, pin=PIN) != both[:32]

refused(CtapError.ERR.PIN_INVALID, lambda: pins.get_pin_token('111111'))
refused(CtapError.ERR.PIN_INVALID, lambda: pins.change_pin('111111', '222222'))
assert pins.get_pin_retries()[0] == 6
pins.get_pin_token(PIN)
assert pins.get_pin_retries()[0] == 8
",
    );
    assert!(card.is_fido_pin("123456"));
    assert_eq!((card.fido_credentials().len(), card.fido_probes(), card.fido_assertions()), (2, 1, 8));
    assert!(!card.transcript().contains("3132333435"), "{}", card.transcript());

    run(&pcscd, protocol, "ctap.reset()\nassert ctap.get_info().options['clientPin'] is False");
    assert!(!card.has_fido_pin() && card.fido_credentials().is_empty());
}

#[test]
fn three_wrong_pins_in_a_row_end_it_until_the_card_is_taken_out() {
    let pcscd = Pcscd::start();
    let mut card = Card::insert(&pcscd, Profile::v5_7_1());
    card.set_fido_pin(Some("123456"));
    let wrong = "refused(CtapError.ERR.PIN_INVALID, lambda: pins.get_pin_token('111111'))";
    let blocked = "refused(CtapError.ERR.PIN_AUTH_BLOCKED, lambda: pins.get_pin_token(PIN))";
    run(&pcscd, 2, &format!("{wrong}\n{wrong}"));
    run(&pcscd, 1, "refused(CtapError.ERR.PIN_AUTH_BLOCKED, lambda: pins.get_pin_token('111111'))");
    run(&pcscd, 2, &format!("{blocked}\nassert pins.get_pin_retries() == (5, True)"));
    card.remove();
    card.reinsert();
    run(&pcscd, 2, "pins.get_pin_token(PIN)\nassert pins.get_pin_retries() == (8, False)");
    card.set_fido_tries(1);
    let last = "refused(CtapError.ERR.PIN_BLOCKED, lambda: pins.get_pin_token('111111'))";
    run(&pcscd, 1, &format!("{last}\nassert pins.get_pin_retries()[0] == 0"));
    assert_eq!((card.fido_tries(), card.fido_misses()), (0, 1));
}

#[test]
fn a_touch_is_asked_after_again_and_again() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_7_1());
    card.touch(Touch::Never);
    let wait = "
seen = []
ctap.selection(on_keepalive=seen.append)
assert seen == [STATUS.UPNEEDED], seen
";
    let running = script(&pcscd, 2, wait).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    card.wait_until_asked();
    assert!(card.press());
    said(&running.wait_with_output().unwrap());
    assert!(
        card.transcript()
            .contains("> 80108000 0b selection\n< 02 9100\n> 8011000000\n* touched\n< 00 9000\n"),
        "{}",
        card.transcript()
    );

    card.touch(Touch::After(Duration::from_millis(300)));
    run(&pcscd, 2, wait);

    card.touch(Touch::Never);
    run(
        &pcscd,
        2,
        "
stop = Event()
Timer(0.3, stop.set).start()
refused(CtapError.ERR.KEEPALIVE_CANCEL, lambda: ctap.selection(event=stop))
",
    );
    assert!(!card.press(), "nobody is asked any more");
    card.set_touch_timeout(Duration::from_millis(200));
    run(&pcscd, 2, "refused(CtapError.ERR.USER_ACTION_TIMEOUT, ctap.selection)");
    run(
        &pcscd,
        2,
        "
device.use_nfcctap_getresponse = False
refused(CtapError.ERR.USER_ACTION_TIMEOUT, ctap.selection)
",
    );
    card.touch(Touch::Now);
    run(&pcscd, 2, "device.use_nfcctap_getresponse = False\nctap.selection()");
    assert_eq!(card.touches_asked(), 6);
}

#[test]
fn a_finger_gives_a_token() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_7_1().fido(Fido::v2_1().uv(Uv::Matches)));
    let made = card.make_fido_credential("signet", Algorithm::Es256);
    let get = "
def get():
    token = pins.get_uv_token(ASSERT, RP['id'])
    mac = protocol.authenticate(token, HASH)
    allowed = [{'type': 'public-key', 'id': bytes.fromhex(sys.argv[2])}]
    return ctap.get_assertion(RP['id'], HASH, allowed, pin_uv_param=mac, pin_uv_protocol=protocol.VERSION)
";
    let id: String = made.id.iter().map(|byte| format!("{byte:02x}")).collect();
    let run = |text: &str| said(&script(&pcscd, 2, &format!("{get}{text}")).arg(&id).output().unwrap());
    run("assert get().auth_data.flags == 5");
    assert_eq!(card.touches_asked(), 1);
    card.set_uv(Uv::Never);
    run("refused(CtapError.ERR.UV_INVALID, get)\nassert pins.get_uv_retries() == 2");
}

#[test]
fn faults_and_lies_reach_the_host() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_7_1());
    card.set_fido_pin(Some("123456"));
    // Selection and two questions for information come first.
    card.fault(At::Nth(3), Fault::Status(0x6f00));
    run(&pcscd, 2, "refused(CtapError.ERR.OTHER, ctap.get_info)");
    assert_eq!(card.faults_left(), 0);
    // Whoever has lost his session has no applet either.
    card.fault(At::Nth(3), Fault::Reset);
    run(&pcscd, 2, "refused(CtapError.ERR.OTHER, ctap.get_info)");
    card.fido_next(Lie::told(|assertion| assertion.set_flags(0x05)));
    run(
        &pcscd,
        2,
        "
made = make()
try:
    get(made)
    raise SystemExit('the signature fits')
except Exception as error:
    assert type(error).__name__ == 'InvalidSignature', error
get(made)
",
    );
    // The first of them only tells python-fido2 that there is CTAP at all.
    for _ in 0..2 {
        card.fido_next(Lie::instead(4, &[0, 0xa1, 1, 0x80, 0]));
    }
    let refused = script(&pcscd, 2, "").output().unwrap();
    assert!(!refused.status.success(), "an answer with something behind it");
    assert_eq!(card.lies_left(), 0);
    assert!(card.events().of(Applet::Fido) > 10);
}

#[test]
fn what_is_left_behind_is_nothing() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_7_1());
    card.set_fido_pin(Some("123456"));
    let running = "
pins.get_pin_token(PIN, ASSERT, RP['id'])
print('ready', flush=True)
sys.stdin.read()
";
    let mut running = script(&pcscd, 2, running)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Read::read_exact(running.stdout.as_mut().unwrap(), &mut [0; 5]).unwrap();
    assert!(card.has_fido_token());
    running.stdin.take();
    said(&running.wait_with_output().unwrap());
    run(&pcscd, 2, "");
    assert!(!card.has_fido_token(), "the next one has selected the applet again");
}

/// Firmware 5.8 tells `ykman` that FIDO can be had over CCID; for the others it looks for USB HID.
#[test]
fn ykman_works_with_firmware_5_8() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_8_0());
    let run = |args: &[&str]| said(&ykman(&pcscd, &[&["fido"][..], args].concat()));
    assert!(run(&["info"]).contains("Not set"));
    run(&["access", "change-pin", "-n", "123456"]);
    assert!(card.is_fido_pin("123456"));
    run(&["access", "change-pin", "-P", "123456", "-n", "654321"]);
    assert!(run(&["info"]).contains("8 attempt(s) remaining"));
    assert!(!ykman(&pcscd, &["fido", "access", "verify-pin", "-P", "123456"]).status.success());
    assert_eq!(card.fido_tries(), 7);
    run(&["access", "verify-pin", "-P", "654321"]);
    run(&["reset", "-f"]);
    assert!(!card.has_fido_pin());
}
