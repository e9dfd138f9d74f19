//! How the person is asked: at a terminal, through a program of their choice, through a pinentry, or not
//! at all; and what they have seen before anything is signed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod journey;
mod ready;
mod terminal;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use journey::Desk;
use journey::office::{FIDO_PIN, Office};
use ready::{NAME, PASSPHRASE, Ready, document};
use signet_tests::card::Touch;
use signet_tests::harness::{Ran, Signet, wait_until};
use terminal::Terminal;

const IDENTITY: &str = "Action=GetCallerIdentity&Version=2011-06-15";

fn signet() -> PathBuf {
    journey::program("signet")
}

/// `signet request` of GetCallerIdentity.
fn request<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let words = ["request", NAME, url, "--service", "sts", "--region", "us-east-1", "-d", IDENTITY];
    [&words[..], more].concat()
}

/// A person at a terminal.
fn at_terminal(signet: &Signet, arguments: &[&str]) -> Terminal {
    let mut command = signet.command(&self::signet());
    command.args(arguments).env_remove("SIGNET_ASKPASS");
    Terminal::run(&command)
}

/// Runs `signet` where there is no terminal.
fn far_from_terminals(signet: &Signet, arguments: &[&str]) -> Ran {
    let program = self::signet();
    let words = [&["-w", program.to_str().unwrap()], arguments].concat();
    signet.begin(Path::new("setsid"), &words, b"").finish()
}

/// `[prompt] pinentry` of cli.toml.
fn set_pinentry(signet: &Signet, path: &str) {
    let dir = signet.home().join(".config/signet");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("cli.toml"), format!("[prompt]\npinentry = {path:?}\n")).unwrap();
}

/// A program of the test's own.
fn script(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\n{text}")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn everything_is_on_the_screen_before_the_first_question_and_before_the_touch() {
    let desk = Desk::with_key();
    desk.card.touch(Touch::Never);
    let url = desk.aws.url();
    let arguments = request(&url, &["--reason", "monthly check"]);
    let mut terminal = at_terminal(&desk.signet, &arguments);
    terminal.expect("(3 tries left): ");
    let host = url.trim_start_matches("http://");
    let asked_by = format!("uid {}", rustix::process::geteuid().as_raw());
    let serial = desk.card.serial().to_string();
    for part in [
        "signet: sts:GetCallerIdentity",
        "prod (account 123456789012)",
        "us-east-1",
        host,
        &asked_by,
        "claims    \"monthly check\"",
        &serial,
        "120 s",
    ] {
        assert!(terminal.seen.contains(part), "{part} is missing in {}", terminal.seen);
    }
    assert!(!terminal.seen.contains("now"), "no word of a touch yet: {}", terminal.seen);
    assert!(!terminal.echoes());
    assert!(desk.sent().is_empty());
    terminal.send(&format!("{}\n", journey::PIN));
    terminal.expect("touch ");
    terminal.expect(" now (");
    terminal.expect(" s)");
    assert!(desk.sent().is_empty());
    desk.card.wait_until_asked();
    assert!(desk.card.press());
    let (status, stdout, stderr) = terminal.finish();
    assert!(status.success(), "{stdout}{stderr}{}", terminal.seen);
    assert!(
        stdout.contains("arn:aws:iam::123456789012:root"),
        "a pipe sees the answer and no prompt: {stdout}"
    );
    assert!(terminal.echoes());
    assert!(!terminal.seen.contains(journey::PIN), "{}", terminal.seen);
}

#[test]
fn an_approval_is_asked_for_by_name_and_each_touch_in_its_turn() {
    let office = Office::new();
    let Office { desk, approver } = &office;
    for card in [approver, &desk.card] {
        card.touch(Touch::Never);
    }
    let url = desk.aws.url();
    let mut terminal = at_terminal(&desk.signet, &request(&url, &["--reason", "monthly check"]));
    terminal.expect("(3 tries left): ");
    terminal.send(&format!("{}\n", journey::PIN));
    terminal.expect("office (fido2-1)");
    terminal.expect("(8 tries left): ");
    assert!(!terminal.echoes());
    assert!(!terminal.seen.contains("now"), "no word of a touch yet: {}", terminal.seen);
    terminal.send(&format!("{FIDO_PIN}\n"));
    let serial = desk.card.serial().to_string();
    for (number, card, name) in [(1, approver, "office (fido2-1)"), (2, &desk.card, &serial)] {
        terminal.expect(&format!("{name} now: touch {number} of 2 for sts:GetCallerIdentity ("));
        card.wait_until_asked();
        assert!(card.press());
    }
    let (status, stdout, stderr) = terminal.finish();
    assert!(status.success(), "{stdout}{stderr}{}", terminal.seen);
    assert!(terminal.echoes());
    assert!(!terminal.seen.contains(FIDO_PIN), "{}", terminal.seen);
}

#[test]
fn the_touch_notice_of_askpass_tells_all_and_goes_with_the_touch() {
    let desk = Desk::with_key();
    desk.card.touch(Touch::Never);
    let running = desk.begin_identity(&["--reason", "why not"]);
    assert!(wait_until(|| desk.signet.times_asked("touch") == 2
        || desk
            .signet
            .asked()
            .last()
            .is_some_and(|(kind, text)| kind == "touch" && text.contains("why not"))));
    let (_, notice) = desk.signet.asked().pop().unwrap();
    let serial = desk.card.serial().to_string();
    for part in
        ["sts:GetCallerIdentity", "123456789012", "us-east-1", "claims    \"why not\"", &serial, "now"]
    {
        assert!(notice.contains(part), "{part} is missing in {notice}");
    }
    let showing = |path: &Path| {
        let wanted = path.join("askpass");
        let of = |entry: fs::DirEntry| fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let wanted = wanted.to_str().unwrap().to_owned();
        fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .any(|it| String::from_utf8_lossy(&of(it)).starts_with(&wanted))
    };
    let place = desk.signet.path("");
    assert!(showing(&place));
    desk.card.wait_until_asked();
    assert!(desk.card.press());
    let _ = running.finish().ok();
    assert!(!showing(&place), "the notice is gone");
}

#[test]
fn control_c_gives_the_echo_back_and_signs_nothing() {
    let ready = Ready::root();
    let url = ready.aws.url();
    let mut terminal = at_terminal(&ready, &request(&url, &[]));
    terminal.expect("passphrase");
    terminal.expect(": ");
    assert!(!terminal.echoes());
    terminal.send("half a passphr\u{3}");
    let (status, stdout, _) = terminal.finish();
    assert_eq!((status.code(), stdout.as_str()), (Some(130), ""));
    assert!(terminal.echoes());
    assert!(!terminal.seen.contains("half"), "{}", terminal.seen);
    assert!(ready.aws.requests().is_empty());
    let code = |line: &serde_json::Value| line["phase"] == "outcome" && line["code"] == "interrupted";
    assert!(wait_until(|| ready.audit().iter().any(code)), "{:?}", ready.audit());
    let _ = ready.run(&request(&url, &[])).ok();
}

#[test]
fn return_is_a_yes_only_where_the_question_says_so_and_end_of_file_is_a_no() {
    let ready = Ready::root();
    let url = ready.aws.url();
    for (typed, code) in [("\n", 0), ("n\n", 130), ("\u{4}", 130)] {
        let mut terminal = at_terminal(&ready, &request(&url, &[]));
        terminal.expect("passphrase");
        terminal.expect(": ");
        terminal.send(&format!("{PASSPHRASE}\n"));
        terminal.expect("press return to sign with the software token ");
        terminal.send(typed);
        let (status, _, stderr) = terminal.finish();
        assert_eq!(status.code(), Some(code), "{typed:?} {stderr}{}", terminal.seen);
    }
    let mut terminal = at_terminal(&ready, &request(&url, &[]));
    terminal.expect("passphrase");
    terminal.expect(": ");
    terminal.send("\n");
    assert_eq!(terminal.finish().0.code(), Some(130), "an empty passphrase is none");
    assert_eq!(ready.aws.requests().len(), 1);
}

#[test]
fn what_is_new_is_asked_twice_until_the_two_agree() {
    let ready = Ready::root();
    let tokens = |ready: &Ready| {
        let list = document(&ready.run(&["token", "list", "-o", "json"]).ok());
        list["tokens"].as_array().unwrap().len()
    };
    let enrol = ["token", "enrol", "--kind", "software"];
    let mut terminal = at_terminal(&ready, &enrol);
    for (first, second) in [("one passphrase", "another one"), ("the third one", "the third one")] {
        terminal.expect("passphrase");
        terminal.expect(": ");
        assert!(!terminal.echoes());
        terminal.send(&format!("{first}\n"));
        terminal.expect("the same again: ");
        terminal.expect("passphrase");
        terminal.expect(": ");
        terminal.send(&format!("{second}\n"));
        if first != second {
            terminal.expect("the two differ");
        }
    }
    let (status, stdout, stderr) = terminal.finish();
    assert!(status.success(), "{stdout}{stderr}{}", terminal.seen);
    assert_eq!(tokens(&ready), 2);
    assert!(!terminal.seen.contains("the third one"), "{}", terminal.seen);

    // Three times two that differ: given up, and nothing made.
    ready.answer(
        "new-passphrase",
        &["passphrase 1", "passphrase 2", "passphrase 3", "passphrase 4", "passphrase 5", "passphrase 6"],
    );
    let _ = ready.run(&enrol).refused(130);
    assert_eq!((ready.times_asked("new-passphrase"), tokens(&ready)), (6, 2));
}

#[test]
fn askpass_comes_before_the_terminal_and_is_run_without_a_shell() {
    let mut ready = Ready::root();
    // A path that a shell would take apart.
    let odd = ready.path("ask; touch shell #");
    symlink(journey::program("test-askpass"), &odd).unwrap();
    ready.set_env("SIGNET_ASKPASS", &odd);
    let url = ready.aws.url();
    let mut command = ready.command(&signet());
    command.args(request(&url, &[]));
    let mut terminal = Terminal::run(&command);
    let (status, _, stderr) = terminal.finish();
    assert!(status.success(), "{stderr}{}", terminal.seen);
    assert_eq!(ready.consents(), 1);
    assert_eq!(terminal.seen, "", "nothing on the terminal");
    assert!(!ready.home().join("shell").exists());
    for (kind, question) in ready.asked() {
        for part in ["sts:GetCallerIdentity", "123456789012", "us-east-1"] {
            assert!(question.contains(part), "{part} is missing in the question for {kind}: {question}");
        }
    }
}

#[test]
fn an_askpass_that_cannot_be_used_is_refused_and_nothing_else_is_tried() {
    let mut ready = Ready::root();
    let url = ready.aws.url();
    for path in ["relative/askpass", "/nonexistent/askpass"] {
        ready.set_env("SIGNET_ASKPASS", path);
        let mut command = ready.command(&signet());
        command.args(request(&url, &["-o", "json"]));
        let mut terminal = Terminal::run(&command);
        let (status, stdout, _) = terminal.finish();
        assert_eq!(status.code(), Some(77), "{path}: {stdout}");
        let error = document(&stdout)["error"].clone();
        assert_eq!(error["code"], "no_prompt", "{path}");
        assert_eq!(error["hint"], "signet exec prod -- true", "{path}");
        assert_eq!(terminal.seen, "", "{path}");
    }
}

#[test]
fn with_no_way_to_ask_it_says_so_and_how_to_be_asked() {
    let mut ready = Ready::root();
    ready.unset_env("SIGNET_ASKPASS");
    set_pinentry(&ready, "/nonexistent/pinentry");
    let url = ready.aws.url();
    let refused = far_from_terminals(&ready, &request(&url, &[])).refused(77);
    assert!(refused.contains("signet: hint: signet exec prod -- true"), "{refused}");
    let refused = far_from_terminals(&ready, &request(&url, &["-o", "json"]));
    assert_eq!(document(&refused.stdout)["error"]["code"], "no_prompt");
    let process = far_from_terminals(&ready, &["credential-process", NAME]);
    assert!(process.stdout.is_empty());
    let said = process.refused(77);
    assert!(said.contains("signet exec prod -- true") && said.lines().count() == 1, "{said}");
    assert!(ready.aws.requests().is_empty());
}

#[test]
fn no_prompt_asks_nothing_even_where_it_could() {
    let ready = Ready::root();
    let url = ready.aws.url();
    let refused = ready.run(&request(&url, &["--no-prompt", "-o", "json"]));
    assert_eq!(document(&refused.stdout)["error"]["code"], "no_prompt");
    assert_eq!(document(&refused.stdout)["error"]["hint"], "signet exec prod -- true");
    let _ = refused.refused(77);
    let mut terminal = at_terminal(&ready, &request(&url, &["--no-prompt"]));
    assert_eq!(terminal.finish().0.code(), Some(77));
    assert_eq!(terminal.seen, "");
    assert!(!ready.path("asked").exists());
    assert!(ready.aws.requests().is_empty());
}

#[test]
fn a_pinentry_is_asked_where_there_is_no_terminal_if_root_owns_it() {
    if !rustix::process::geteuid().is_root() {
        // Only root can make a program that root owns.
        return;
    }
    let mut ready = Ready::root();
    ready.unset_env("SIGNET_ASKPASS");
    ready.set_env("AWS_SECRET_ACCESS_KEY", "not for a pinentry");
    let (pinentry, log) = (ready.path("pinentry"), ready.path("home/log"));
    script(
        &pinentry,
        &format!(
            r#"echo "OK ready"
env >> "$HOME/env"
while read -r line; do
  echo "$line" >> "$HOME/log"
  case $line in
    GETPIN) printf 'D %s\nOK\n' '{PASSPHRASE}' ;;
    *) echo OK ;;
  esac
done
"#
        ),
    );
    set_pinentry(&ready, pinentry.to_str().unwrap());
    let url = ready.aws.url();
    let _ = far_from_terminals(&ready, &request(&url, &["--reason", "100 % sure"])).ok();
    let said = fs::read_to_string(&log).unwrap();
    assert!(said.contains("GETPIN") && said.contains("CONFIRM"), "{said}");
    let question = said.lines().find(|line| line.starts_with("SETDESC ")).unwrap();
    for part in ["sts:GetCallerIdentity", "123456789012", "claims    \"100 %25 sure\"", "%0A"] {
        assert!(question.contains(part), "{part} is missing in {question}");
    }
    let environment = fs::read_to_string(ready.path("home/env")).unwrap();
    assert!(!environment.contains("AWS_") && !environment.contains("SIGNET_"), "{environment}");

    // A terminal comes first.
    fs::remove_file(&log).unwrap();
    let mut terminal = at_terminal(&ready, &request(&url, &[]));
    terminal.expect("passphrase");
    terminal.send("\u{3}");
    assert_eq!(terminal.finish().0.code(), Some(130));
    assert!(!log.exists());

    // One that another user owns, or may write, is not run.
    fs::set_permissions(&pinentry, fs::Permissions::from_mode(0o777)).unwrap();
    let _ = far_from_terminals(&ready, &request(&url, &[])).refused(77);
    fs::set_permissions(&pinentry, fs::Permissions::from_mode(0o755)).unwrap();
    chown(&pinentry, Some(65534), None).unwrap();
    let _ = far_from_terminals(&ready, &request(&url, &[])).refused(77);
    assert!(!log.exists());
    assert_eq!(ready.aws.requests().len(), 1);
}

#[test]
fn a_reason_is_a_claim_and_cannot_write_on_the_screen() {
    let ready = Ready::root();
    let url = ready.aws.url();
    for reason in ["clear \u{1b}[2J", "two\nlines", "bell \u{7}", &"x".repeat(257)] {
        let refused = ready.run(&request(&url, &["--reason", reason, "-o", "json"]));
        assert_eq!(document(&refused.stdout)["error"]["code"], "bad_request", "{reason:?}");
    }
    assert!(!ready.path("asked").exists());

    let mut terminal =
        at_terminal(&ready, &request(&url, &["--reason", "harmless \u{202e}lla kool\u{2066}"]));
    terminal.expect("claims    \"harmless ");
    terminal.expect("passphrase");
    assert!(!terminal.seen.contains(['\u{202e}', '\u{2066}']), "{:?}", terminal.seen);
    assert!(terminal.seen.contains("lla kool"), "{:?}", terminal.seen);
    let shown = terminal.seen.replace("\r\n", "\n");
    assert!(!shown.contains(|c: char| c != '\n' && c.is_control()), "{shown:?}");
    terminal.send("\u{3}");
    let _ = terminal.finish();

    let _ = ready.run(&request(&url, &["--reason", "harmless \u{202e}lla"])).ok();
    // The log keeps what was said; a screen does not show it.
    let mut command = ready.command(Path::new("sh"));
    command.args(["-c", "exec \"$0\" audit log >/dev/tty"]).arg(signet());
    let mut terminal = Terminal::run(&command);
    terminal.expect("  signed");
    assert!(terminal.finish().0.success());
    assert!(!terminal.seen.contains('\u{202e}'), "{:?}", terminal.seen);
}
