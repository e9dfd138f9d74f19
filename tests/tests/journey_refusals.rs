//! What a person and a token can do wrong: each is refused with its own code and a next step, nothing is
//! signed, the log says so, and the next good use works at once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    missing_docs
)]

mod journey;

use journey::{Desk, PIN, PUK, SEED, code, code_of_step, failure, wait_until, wrong_code};
use signet_tests::card::{Card, PinPolicy, Profile, Touch, TouchPolicy};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// VERIFY (SP 800-73-4, part 2, 3.2.1).
const VERIFY: u8 = 0x20;
/// A PIN that is not the person's.
const WRONG_PIN: &str = "000000";

#[test]
fn a_wrong_code_and_one_used_twice() {
    let desk = Desk::with_code();
    desk.signet.answer("totp", &[&wrong_code()]);
    desk.refuses(77, "factor_failed", |desk| desk.identity(&[]));

    let used = code(0);
    desk.signet.answer("totp", &[&used]);
    desk.works();
    desk.refuses(77, "factor_failed", |desk| desk.identity(&[]));
    assert_eq!(desk.signet.times_asked("totp"), 4, "one to confirm the seed, one a use");

    desk.signet.answer("totp", &[&code(1)]);
    desk.works();
    // Neither does a code come back that is older than the last one.
    desk.signet.answer("totp", &[&used]);
    desk.refuses(77, "factor_failed", |desk| desk.identity(&[]));
}

#[test]
fn too_many_wrong_codes_lock_the_factor_for_a_while_and_nothing_is_asked() {
    let mut desk = Desk::with_code();
    desk.signet.answer("totp", &[&wrong_code()]);
    for _ in 0..3 {
        desk.refuses(77, "factor_failed", |desk| desk.identity(&[]));
    }
    let asked = desk.signet.asked().len();
    let locked = |desk: &Desk| {
        let error = desk.refuses(77, "factor_locked", |desk| desk.identity(&[]));
        error["retry_after"].as_u64().unwrap()
    };
    assert!((1..=30).contains(&locked(&desk)));
    assert_eq!(desk.signet.asked().len(), asked, "nothing is asked while it lasts");

    desk.signet.kill_agent();
    desk.signet.start_agent();
    assert!((1..=30).contains(&locked(&desk)), "a new agent remembers");
}

#[test]
fn a_wrong_pin_is_counted_shown_and_never_the_last_one_without_a_terminal() {
    let desk = Desk::with_key();
    for left in [2, 1] {
        desk.signet.answer("pin", &[WRONG_PIN]);
        let error = desk.refuses(77, "pin_failed", |desk| desk.identity(&[]));
        assert_eq!(error["tries_left"], left);
        assert_eq!(desk.card.tries().0, left);
        let shown = desk.signet.asked().iter().rfind(|(kind, _)| kind == "pin").unwrap().1.clone();
        assert!(shown.contains(&format!("({} tries left)", left + 1)), "{shown}");
    }

    // Even the right PIN is not sent, and not asked for, by a program alone.
    desk.signet.answer("pin", &[PIN]);
    desk.card.clear_events();
    let asked = desk.signet.times_asked("pin");
    let (sent, lines) = (desk.sent().len(), desk.audit().len());
    let error = failure(&away_from_the_terminal(&desk).finish(), 77, "no_prompt");
    // The agent sees a question that nobody answered.
    desk.nothing_signed(sent, lines, "interrupted");
    assert!(error["message"].as_str().unwrap().contains("terminal"), "{error}");
    assert_eq!(desk.signet.times_asked("pin"), asked);
    assert_eq!((desk.card.tries().0, desk.card.events().count(VERIFY)), (1, 0));

    // A no at the terminal is one, too.
    let ran = at_a_terminal(&desk, "n");
    assert_eq!(ran.code(), 130, "{ran:?}");
    assert_eq!((desk.card.tries().0, desk.card.events().count(VERIFY)), (1, 0));

    // With a yes typed there it is spent, and the card counts anew.
    let sent = desk.sent().len();
    let ran = at_a_terminal(&desk, "y");
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!((desk.sent().len(), desk.card.tries().0), (sent + 1, 3));
    desk.works();
}

#[test]
fn a_blocked_pin_is_named_and_unblocked() {
    let desk = Desk::with_key();
    desk.signet.answer("pin", &[WRONG_PIN]);
    for _ in 0..2 {
        desk.refuses(77, "pin_failed", |desk| desk.identity(&[]));
    }
    let error = desk.refuses(77, "token_locked", |desk| at_a_terminal(desk, "y"));
    assert_eq!((&error["tries_left"], desk.card.tries().0), (&0.into(), 0));
    let asked = desk.signet.asked().len();
    let error = desk.refuses(77, "token_locked", |desk| desk.identity(&[]));
    assert_eq!(error["hint"], format!("signet token unblock {}", desk.card.serial()));
    assert_eq!(desk.signet.asked().len(), asked, "nothing is asked for a blocked token");

    desk.signet.answer("puk", &[PUK]);
    desk.signet.answer("new-pin", &["161803"]);
    let _unblocked = desk.signet.run(&["token", "unblock", &desk.card.serial().to_string()]).ok();
    desk.signet.answer("pin", &["161803"]);
    desk.works();
}

#[test]
fn nobody_touches() {
    let desk = Desk::with_key();
    desk.card.set_touch_timeout(Duration::from_secs(1));
    desk.card.touch(Touch::Never);
    desk.refuses(75, "not_touched", |desk| desk.identity(&[]));
    assert_eq!(desk.card.touches_asked(), 2, "once to prove the key, once here");
    assert!(!desk.card.pin_is_verified());
    desk.card.touch(Touch::Now);
    desk.works();
}

#[test]
fn the_token_is_pulled_out_before_a_use() {
    let mut desk = Desk::with_key();
    desk.card.remove();
    let error = desk.refuses(75, "token_absent", |desk| desk.identity(&["--no-prompt"]));
    let serial = desk.card.serial().to_string();
    assert!(error["message"].as_str().unwrap().contains(&serial), "{error}");

    // Where somebody can be asked, it is waited for, and served when it comes.
    let sent = desk.sent().len();
    let waiting = desk.begin_identity(&[]);
    desk.wait_until_signer();
    let pins = desk.signet.times_asked("pin");
    desk.card.reinsert();
    let _identity = waiting.finish().ok();
    assert_eq!(desk.sent().len(), sent + 1);
    assert_eq!(desk.signet.times_asked("pin"), pins + 1, "once, and not before the token came");
    desk.works();

    // In, but nobody to ask.
    desk.refuses(77, "no_prompt", |desk| desk.identity(&["--no-prompt"]));
    desk.works();
}

#[test]
fn the_token_is_pulled_out_while_it_waits_for_the_touch() {
    let mut desk = Desk::with_key();
    desk.card.touch(Touch::Never);
    let (sent, lines) = (desk.sent().len(), desk.audit().len());
    let using = desk.begin_identity(&[]);
    desk.card.wait_until_asked();
    desk.card.remove();
    let error = failure(&using.finish(), 75, "token_absent");
    assert!(error["message"].as_str().unwrap().contains(&desk.card.serial().to_string()), "{error}");
    desk.nothing_signed(sent, lines, "token_absent");

    desk.card.touch(Touch::Now);
    desk.card.reinsert();
    desk.works();
}

#[test]
fn other_tokens_are_not_sent_a_pin() {
    let mut desk = Desk::with_key();
    desk.card.remove();
    for serial in [desk.card.serial(), 4_711_000] {
        let mut other = Card::insert(&desk.pcscd, Profile::v5_7_1().serial(serial));
        other.set_pins(PIN, PUK);
        let _another_key = other.generate(0x95, PinPolicy::Always, TouchPolicy::Always);
        let asked = desk.signet.asked().len();
        desk.refuses(75, "token_absent", |desk| desk.identity(&["--no-prompt"]));
        let mut verified = other.events().count(VERIFY);

        // With a person there it is passed over, until the right one is in the other reader.
        let sent = desk.sent().len();
        other.clear_events();
        let waiting = desk.begin_identity(&[]);
        wait_until("the stranger is looked at", || other.events().apdus().count() > 0);
        assert_eq!(desk.signet.asked().len(), asked, "nothing is asked for a stranger's token");
        other.remove();
        desk.card.reinsert();
        let _identity = waiting.finish().ok();
        assert_eq!(desk.sent().len(), sent + 1);
        verified += other.events().count(VERIFY);
        assert_eq!((verified, other.tries().0, other.events().key_uses()), (0, 3, 0));
        desk.works();
        desk.card.remove();
    }
}

/// GetCallerIdentity in a session of its own, which has no terminal.
fn away_from_the_terminal(desk: &Desk) -> signet_tests::harness::Running {
    let signet = journey::program("signet").display().to_string();
    let words = desk.identity_words(&[]);
    let words: Vec<&str> =
        ["-w", signet.as_str()].into_iter().chain(words.iter().map(String::as_str)).collect();
    desk.signet.begin("setsid".as_ref(), &words, b"")
}

/// GetCallerIdentity with a terminal of its own, at which the question for the last try gets this answer.
fn at_a_terminal(desk: &Desk, answer: &str) -> signet_tests::harness::Ran {
    const SCRIPT: &str = r#"
import os, pty, sys
out = os.dup(1)
pid, terminal = pty.fork()
if pid == 0:
    os.dup2(out, 1)
    os.execv(sys.argv[2], sys.argv[2:])
shown = b""
while b"[y/N]" not in shown:
    shown += os.read(terminal, 1024)
os.write(terminal, sys.argv[1].encode() + b"\n")
try:
    while os.read(terminal, 1024): pass
except OSError:
    pass
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;
    let signet = journey::program("signet").display().to_string();
    let words = desk.identity_words(&[]);
    let words: Vec<&str> =
        ["-c", SCRIPT, answer, &signet].into_iter().chain(words.iter().map(String::as_str)).collect();
    desk.signet.begin("python3".as_ref(), &words, b"").finish()
}

#[test]
fn the_codes_of_these_tests_are_those_of_the_standard() {
    // RFC 6238, appendix B, SHA-1, the last six of eight digits.
    assert_eq!(SEED, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    for (seconds, expected) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
        assert_eq!(code_of_step(seconds / 30), expected);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!((now / 30..=now / 30 + 1).any(|step| code_of_step(i64::try_from(step).unwrap()) == code(0)));
}
