//! Session credentials as the AWS tools get them: one question for all who want them at once, kept for
//! one user, renewed in time, forgotten on a word.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod ready;

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use ready::{KEY_ID, NAME, ROOT_MFA, Ready, document, key_id, member, mfa_code, seconds_left};
use signet_tests::harness::{Ran, Running, wait_until};

const PROCESS: [&str; 2] = ["credential-process", NAME];

/// So many callers, all of them at the agent, one of them before a question that stands.
fn all_waiting(ready: &Ready, count: usize) -> Vec<Running> {
    ready.hold();
    let callers: Vec<Running> = (0..count).map(|_| ready.spawn(&PROCESS, b"")).collect();
    // The one who is asked has a second connection, for the use.
    let waiting = wait_until(|| ready.connections() == count + 1 && ready.times_asked("passphrase") == 1);
    assert!(waiting, "{} connections, {:?}", ready.connections(), ready.asked());
    callers
}

fn finish(callers: Vec<Running>) -> Vec<Ran> {
    callers.into_iter().map(Running::finish).collect()
}

#[test]
fn ten_at_once_are_one_question_ten_equal_answers_and_ten_lines() {
    let ready = Ready::root();
    let callers = all_waiting(&ready, 10);
    ready.release();
    let answers: Vec<String> = finish(callers).into_iter().map(Ran::ok).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(ready.consents(), 1);
    assert_eq!(ready.answered("sts:GetSessionToken").len(), 1);

    let vended = ready.vended();
    assert_eq!(vended.len(), 10, "{vended:?}");
    for line in &vended {
        assert_eq!(line["session_key_id"], key_id(&answers[0]));
        assert_eq!(line["access_key_id"], KEY_ID);
        assert_eq!(line["key"], NAME);
        assert_eq!(line["action"], "sts:GetSessionToken");
    }
    let pids: std::collections::BTreeSet<String> =
        vended.iter().map(|line| line["pid"].to_string()).collect();
    assert_eq!(pids.len(), 10, "a line for each caller, not for each question");
    let _ = ready.run(&["audit", "verify"]).ok();
}

#[test]
fn one_who_cancels_answers_all_ten_and_nobody_is_asked_again_at_once() {
    let ready = Ready::root();
    let callers = all_waiting(&ready, 10);
    ready.answer("passphrase", &[]);
    let cancelled = Instant::now();
    ready.release();
    for ran in finish(callers) {
        assert!(ran.stdout.is_empty(), "{ran:?}");
        let said = ran.refused(130);
        // What the person's own program says is its affair.
        let ours: Vec<&str> = said.lines().filter(|line| line.starts_with("signet: ")).collect();
        let expected = ["not answered", "cancelled"].iter().any(|word| said.contains(word));
        assert!(ours.len() == 1 && expected, "{said}");
    }
    let early = ready.credentials(&["-o", "json"]);
    if cancelled.elapsed() < Duration::from_secs(9) {
        assert_eq!(ready.times_asked("passphrase"), 1);
        let error = document(&early.refused(130))["error"].clone();
        assert_eq!(error["code"], "interrupted");
        let wait = error["retry_after"].as_u64().unwrap();
        assert!((1..=10).contains(&wait), "{error}");
    }
    assert!(ready.vended().is_empty());

    // When that is over, the next one is asked again, and served.
    ready.answer("passphrase", &[ready::PASSPHRASE]);
    let mut last = ready.credentials(&[]);
    while !last.status.success() {
        assert_eq!(ready.times_asked("passphrase"), 1);
        assert!(cancelled.elapsed() < Duration::from_secs(60), "{last:?}");
        last = ready.credentials(&[]);
    }
    assert!(cancelled.elapsed() >= Duration::from_secs(10));
    assert_eq!(ready.times_asked("passphrase"), 2);
}

#[test]
fn a_wrong_passphrase_answers_all_who_wait() {
    let ready = Ready::root();
    let callers = all_waiting(&ready, 4);
    ready.answer("passphrase", &["not the passphrase"]);
    ready.release();
    for ran in finish(callers) {
        assert!(ran.stdout.is_empty(), "{ran:?}");
        let said = ran.refused(77);
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    assert_eq!(ready.times_asked("passphrase"), 1);
    assert!(ready.answered("sts:GetSessionToken").is_empty());
    let outcome = ready.audit().into_iter().rfind(|line| line["phase"] == "outcome").unwrap();
    assert_eq!((&outcome["result"], &outcome["code"]), (&"refused".into(), &"pin_failed".into()));
}

#[test]
fn what_aws_refuses_is_told_to_all_who_wait() {
    let ready = Ready::new("iam-user", &["session"]);
    // The code of the day before: the device knows better.
    ready.answer("aws-mfa", &["000000"]);
    ready.hold();
    let arguments = [&PROCESS[..], &["--mfa-serial", "arn:aws:iam::123456789012:mfa/break-glass"]].concat();
    let callers: Vec<Running> = (0..3).map(|_| ready.spawn(&arguments, b"")).collect();
    // The question for the code comes before the use.
    assert!(wait_until(|| ready.connections() == 3 && ready.times_asked("aws-mfa") == 1));
    ready.release();
    for ran in finish(callers) {
        let said = ran.refused(1);
        assert!(said.contains("AccessDenied") && said.lines().count() == 1, "{said}");
    }
    assert_eq!((ready.times_asked("aws-mfa"), ready.consents()), (1, 1));
}

#[test]
fn when_the_asker_is_killed_the_next_one_is_asked_and_all_are_served() {
    let ready = Ready::root();
    ready.hold();
    let mut asker = ready.spawn(&PROCESS, b"");
    assert!(wait_until(|| ready.times_asked("passphrase") == 1));
    let waiting: Vec<Running> = (0..3).map(|_| ready.spawn(&PROCESS, b"")).collect();
    assert!(wait_until(|| ready.connections() == 5), "{}", ready.connections());
    asker.kill();
    assert!(wait_until(|| ready.times_asked("passphrase") == 2), "{:?}", ready.asked());
    ready.release();
    let answers: Vec<String> = finish(waiting).into_iter().map(Ran::ok).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(ready.vended().len(), 3, "the dead one got nothing");
    assert_eq!(ready.answered("sts:GetSessionToken").len(), 1);
}

#[test]
fn another_uid_never_gets_it_even_through_an_open_socket() {
    if !rustix::process::geteuid().is_root() {
        // Only root may become another user.
        return;
    }
    let ready = Ready::root();
    let _ = ready.credentials(&[]).ok();
    // Everything the file system could forbid is allowed.
    for (path, mode) in [(ready.path(""), 0o755), (ready.path("run"), 0o755), (ready.socket(), 0o666)] {
        set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
    let before = ready.audit().len();
    let socket = ready.socket().display().to_string();
    let signet = Path::new(env!("CARGO_BIN_EXE_test-askpass")).with_file_name("signet");
    let stranger = Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"])
        .arg(signet)
        .args(["--socket", &socket, "credential-process", NAME, "-o", "json"])
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("AWS_ENDPOINT_URL", ready.aws.url())
        .output()
        .expect("setpriv is installed");
    let error = String::from_utf8_lossy(&stranger.stderr);
    assert_eq!(stranger.status.code(), Some(77), "{error}");
    assert!(stranger.stdout.is_empty());
    assert_eq!(document(&error)["error"]["code"], "denied", "{error}");

    let log = ready.audit();
    assert!(log.len() > before, "a stranger leaves a line");
    assert!(log[before..].iter().any(|line| line["uid"] == 65534 && line["code"] == "denied"), "{log:?}");
    assert_eq!(ready.vended().len(), 1);
    let _ = ready.credentials(&[]).ok();
    assert_eq!(ready.consents(), 1, "its owner is served as before");
}

#[test]
fn forget_drops_it_and_says_until_when_aws_honours_it() {
    let ready = Ready::root();
    let first = ready.credentials(&[]).ok();
    let told = document(&ready.run(&["forget", NAME, "-o", "json"]).ok());
    let sessions = told["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 1, "{told}");
    assert_eq!(sessions[0]["key"], NAME);
    assert_eq!(sessions[0]["access_key_id"], key_id(&first));
    assert_eq!(sessions[0]["expiration"], member(&first, "Expiration"));

    let second = ready.credentials(&[]).ok();
    assert_eq!(ready.consents(), 2);
    assert_ne!(key_id(&first), key_id(&second));
    let text = ready.run(&["forget"]).ok();
    assert!(
        text.contains(&member(&second, "Expiration")) && text.contains("HONOURED BY AWS UNTIL"),
        "{text}"
    );
    let nothing = ready.run(&["forget"]);
    assert!(nothing.stderr.contains("no session credentials were kept"), "{nothing:?}");
    assert!(nothing.status.success());
}

#[test]
fn each_duration_and_each_mfa_device_has_its_own() {
    let ready = Ready::root();
    let hour = ready.credentials(&[]).ok();
    let quarter = ready.credentials(&["--duration", "15m"]).ok();
    assert_ne!(key_id(&hour), key_id(&quarter));
    assert!((800..=900).contains(&seconds_left(&quarter)), "{quarter}");
    ready.answer("aws-mfa", &[&mfa_code()]);
    let with_code = ready.credentials(&["--mfa-serial", ROOT_MFA]).ok();
    assert_ne!(key_id(&hour), key_id(&with_code));
    assert_eq!(ready.consents(), 3);
    for (arguments, kept) in
        [(&[][..], &hour), (&["--duration", "900s"], &quarter), (&["--mfa-serial", ROOT_MFA], &with_code)]
    {
        assert_eq!(ready.credentials(arguments).ok(), *kept);
    }
    assert_eq!((ready.consents(), ready.times_asked("aws-mfa")), (3, 1));
}

#[test]
fn a_code_of_the_aws_device_is_asked_for_sent_and_checked_by_aws() {
    let ready = Ready::root();
    ready.answer("aws-mfa", &[&mfa_code()]);
    let _ = ready.credentials(&["--mfa-serial", ROOT_MFA]).ok();
    let (_, question) = ready.asked().into_iter().find(|(kind, _)| kind == "aws-mfa").unwrap();
    assert!(question.contains(ROOT_MFA) && question.contains(NAME), "{question}");
    let seen = ready.answered("sts:GetSessionToken");
    let body = String::from_utf8(seen[0].body.clone()).unwrap();
    assert!(body.contains("SerialNumber=arn%3Aaws%3Aiam%3A%3A123456789012%3Amfa%2Froot-account-mfa-device"));
    assert!(body.contains("&TokenCode="), "{body}");

    // The same code again, for another session: AWS says no, and why reaches the caller in one line.
    let again = ready.credentials(&["--mfa-serial", ROOT_MFA, "--duration", "15m"]);
    let said = again.refused(1);
    assert!(said.contains("one time pass code") && said.lines().count() == 1, "{said}");

    // What is no code is not sent.
    ready.answer("aws-mfa", &["12345x"]);
    let before = ready.aws.requests().len();
    let _ = ready.credentials(&["--mfa-serial", ROOT_MFA, "--duration", "16m"]).refused(77);
    assert_eq!(ready.aws.requests().len(), before);
}

#[test]
fn root_gets_an_hour_at_most_and_a_user_what_was_asked_for() {
    let root = Ready::root();
    let answer = root.credentials(&["--duration", "12h"]).ok();
    assert!((3500..=3600).contains(&seconds_left(&answer)), "{answer}");
    let body = String::from_utf8(root.answered("sts:GetSessionToken")[0].body.clone()).unwrap();
    assert!(body.contains("DurationSeconds=3600"), "{body}");

    let user = Ready::new("iam-user", &["session"]);
    let answer = user.credentials(&["--duration", "12h"]).ok();
    assert!((43_100..=43_200).contains(&seconds_left(&answer)), "{answer}");
    for bad in ["14m", "37h", "0s", "1"] {
        assert_eq!(user.credentials(&["--duration", bad]).code(), 2, "{bad}");
    }
    assert_eq!(user.consents(), 1);
}

#[test]
fn the_last_minute_is_not_handed_out() {
    let ready = Ready::root();
    ready.aws.cut_sessions(64);
    let old = ready.credentials(&[]).ok();
    ready.aws.cut_sessions(3600);
    let mut now = old.clone();
    wait_until(|| {
        let left = seconds_left(&old);
        now = ready.credentials(&[]).ok();
        // Looked at before it was handed out: with less than that it must have been another.
        assert!(left >= 60 || now != old, "{left} s were left");
        now != old
    });
    assert!(seconds_left(&now) > 3000, "{now}");
    assert_eq!(ready.consents(), 2);
}

#[test]
fn credentials_that_end_within_a_minute_are_refused_and_not_asked_for_for_ever() {
    let ready = Ready::root();
    ready.aws.cut_sessions(50);
    let said = ready.credentials(&[]).refused(77);
    assert!(said.contains("clock"), "{said}");
    assert_eq!(ready.consents(), 1);
}

#[test]
fn under_sixteen_minutes_one_is_asked_and_the_old_ones_serve_meanwhile() {
    let ready = Ready::root();
    ready.aws.cut_sessions(16 * 60 + 3);
    let old = ready.credentials(&[]).ok();
    ready.aws.cut_sessions(3600);
    ready.forget_questions();
    ready.hold();
    // Served from what is kept, until one of them is asked instead.
    let mut asked = None;
    wait_until(|| {
        let mut caller = ready.spawn(&PROCESS, b"");
        wait_until(|| caller.has_ended() || ready.times_asked("passphrase") == 1);
        if caller.has_ended() {
            assert_eq!(caller.finish().ok(), old);
        } else {
            asked = Some(caller);
        }
        asked.is_some()
    });
    assert!(seconds_left(&old) < 16 * 60);
    for caller in finish((0..3).map(|_| ready.spawn(&PROCESS, b"")).collect()) {
        assert_eq!(caller.ok(), old);
    }
    assert_eq!(ready.times_asked("passphrase"), 1);
    ready.release();
    let new = asked.unwrap().finish().ok();
    assert_ne!(key_id(&new), key_id(&old));
    assert_eq!(ready.credentials(&[]).ok(), new);
    assert_eq!(ready.consents(), 1);
}

#[test]
fn whoever_declines_to_renew_still_gets_the_old_ones() {
    let ready = Ready::root();
    ready.aws.cut_sessions(16 * 60 + 3);
    let old = ready.credentials(&[]).ok();
    ready.forget_questions();
    ready.answer("passphrase", &[]);
    assert!(wait_until(|| {
        assert_eq!(ready.credentials(&[]).ok(), old);
        ready.times_asked("passphrase") == 1
    }));
    assert_eq!(ready.credentials(&[]).ok(), old);
    assert_eq!(ready.times_asked("passphrase"), 1, "not asked again at once");
}

#[test]
fn without_the_session_policy_nobody_is_asked_and_the_hint_says_what_helps() {
    let ready = Ready::new("root", &["root-only-tasks"]);
    let said = ready.credentials(&[]).refused(77);
    assert!(said.contains("signet policy set prod root-only-tasks session"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    let configure = ready.run(&["configure", NAME]).refused(77);
    assert!(
        configure.contains("signet: hint: signet policy set prod root-only-tasks session"),
        "{configure}"
    );
    assert!(!ready.home().join(".aws").exists());
    assert!(!ready.path("asked").exists(), "{:?}", ready.asked());
    assert!(ready.aws.requests().is_empty());

    let _ = ready.run(&["policy", "set", NAME, "root-only-tasks", "session"]).ok();
    // The refusal is held for ten seconds.
    let last = wait_until(|| ready.credentials(&[]).status.success());
    assert!(last, "the hint helped");
}

#[test]
fn a_caller_who_may_ask_nobody_is_refused_and_spoils_nothing() {
    let ready = Ready::root();
    let refused = ready.credentials(&["--no-prompt"]);
    assert!(refused.stdout.is_empty());
    let said = refused.refused(77);
    assert!(said.contains("signet exec prod -- true") && said.lines().count() == 1, "{said}");
    assert!(!ready.path("asked").exists());
    // Nobody has said no: the hint works at once.
    let _ = ready.run(&["exec", NAME, "--", "true"]).ok();
    let _ = ready.credentials(&["--no-prompt"]).ok();
    assert_eq!(ready.consents(), 1);
}
