//! The conversation of a use: askpass, the terminal, notices, cancelling, and what is never shown.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod stub;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use signet_protocol::PromptKind;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use stub::{StubAgent, until, with_stdin};

const MESSAGE: &str =
    "GET /?Action=GetCallerIdentity&Version=2011-06-15 HTTP/1.1\r\nHost: sts.us-east-1.amazonaws.com\r\n\r\n";
const SIGN_ARGS: [&str; 6] = ["sign", "prod", "--service", "sts", "--region", "us-east-1"];

/// Answers each kind with its name, and notes how it was called.
const OBEDIENT: &str = r#"printf '%s|' "$SIGNET_PROMPT" >> "$DIR/asked"
printf '%s' "$1" > "$DIR/question-$SIGNET_PROMPT"
[ "$#" = 1 ] || exit 9
printf 'answer to %s\n' "$SIGNET_PROMPT""#;

#[test]
fn askpass_is_asked_by_kind_and_its_answers_open_for_this_request_only() {
    let agent = StubAgent::new(|session| {
        session.accept();
        assert_eq!(session.ask(PromptKind::Confirm, Some("go on?"), None).unwrap(), b"yes");
        assert_eq!(session.ask(PromptKind::Pin, None, Some(3)).unwrap(), b"answer to pin");
        assert_eq!(session.ask(PromptKind::Totp, None, None).unwrap(), b"answer to totp");
        session.sign();
    });
    let mut command = agent.signet(&[&SIGN_ARGS[..], &["--reason", "monthly \u{1b}[2Jcheck"]].concat());
    command.env("SIGNET_ASKPASS", agent.askpass(OBEDIENT));
    let output = with_stdin(command, MESSAGE);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(agent.read("asked"), "confirm|pin|totp|");
    let question = agent.read("question-pin");
    for part in [
        "sts:GetCallerIdentity",
        "123456789012",
        "us-east-1",
        "sts.us-east-1.amazonaws.com",
        "uid 1000",
        "120 s",
    ] {
        assert!(question.contains(part), "{part} is missing in {question}");
    }
    assert!(question.contains("claims    \"monthly \\u{1b}[2Jcheck\""), "{question}");
    assert!(question.ends_with("pin of safe (42) (3 tries left)"), "{question}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("GET /?Action=GetCallerIdentity&Version=2011-06-15 HTTP/1.1\r\nHost: sts.us-east-1.amazonaws.com\r\nx-amz-date: "));
    assert!(text.ends_with("\r\nauthorization: AWS4-HMAC-SHA256 none\r\n\r\n"));
}

#[test]
fn what_is_new_is_asked_twice_until_the_two_agree() {
    let agent = StubAgent::new(|session| {
        session.accept();
        assert_eq!(session.ask(PromptKind::NewPin, None, None).unwrap(), b"3");
        session.say(&serde_json::json!({"event": "done", "managed": null}));
    });
    // first round 1 and 2, second round 3 and 3
    let script = r#"echo x >> "$DIR/count"; n=$(wc -l < "$DIR/count"); [ "$n" -gt 3 ] && n=3; echo "$n""#;
    let mut command = agent.signet(&["token", "pin", "42"]);
    command.env("SIGNET_ASKPASS", agent.askpass(script));
    let output = with_stdin(command, "");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(agent.read("count").lines().count(), 4);
}

#[test]
fn an_askpass_that_says_no_cancels_with_130() {
    for script in ["exit 1", "exit 0", "echo"] {
        let agent = StubAgent::new(|session| {
            session.accept();
            assert!(session.ask(PromptKind::Pin, None, Some(3)).is_none());
            session.refuse("interrupted", "cancelled");
        });
        let mut command = agent.signet(&SIGN_ARGS);
        command.env("SIGNET_ASKPASS", agent.askpass(script));
        let output = with_stdin(command, MESSAGE);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(130), 0), "{script}");
    }
}

#[test]
fn an_askpass_that_cannot_be_run_is_no_prompt_and_nothing_else_is_tried() {
    for (path, asked) in [("relative/askpass", false), ("/nonexistent/askpass", true)] {
        let agent = StubAgent::new(move |session| {
            assert_eq!(session.request()["may_ask"], asked);
            session.accept();
            if asked {
                assert!(session.ask(PromptKind::Pin, None, None).is_none());
            }
            session.refuse("no_prompt", "a question had to be asked");
        });
        let mut command = agent.signet(&SIGN_ARGS);
        command.env("SIGNET_ASKPASS", path);
        let output = with_stdin(command, MESSAGE);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(77), "{stderr}");
        assert!(stderr.contains("signet: hint: signet exec prod -- true"), "{stderr}");
    }
}

#[test]
fn the_touch_notice_is_ended_by_sigterm_at_the_touch() {
    let agent = StubAgent::new(|session| {
        let (shown, gone) = (session.dir.join("shown"), session.dir.join("gone"));
        session.accept();
        session.touch();
        until("the notice is shown", || shown.exists());
        assert!(!gone.exists());
        session.say(&serde_json::json!({"event": "touched"}));
        until("the notice is taken away", || gone.exists());
        session.sign();
    });
    let script = r#"trap 'echo term > "$DIR/gone"; exit 0' TERM
[ "$SIGNET_PROMPT" = touch ] || exit 9
printf '%s' "$1" > "$DIR/text"; : > "$DIR/shown"
while :; do sleep 0.05; done"#;
    let mut command = agent.signet(&SIGN_ARGS);
    command.env("SIGNET_ASKPASS", agent.askpass(script));
    assert!(with_stdin(command, MESSAGE).status.success());
    assert!(agent.read("text").contains("touch safe (42) now"));
}

#[test]
fn the_last_try_is_not_spent_by_askpass() {
    for kind in [PromptKind::Confirm, PromptKind::Pin, PromptKind::FidoPin] {
        let agent = StubAgent::new(move |session| {
            session.accept();
            assert!(session.ask(kind, None, Some(1)).is_none());
            session.refuse("interrupted", "cancelled");
        });
        let mut command = setsid(agent.signet(&SIGN_ARGS));
        command.env("SIGNET_ASKPASS", agent.askpass(OBEDIENT));
        let output = with_stdin(command, MESSAGE);
        assert_eq!(output.status.code(), Some(77), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(agent.read("asked"), "");
    }
}

#[test]
fn without_a_prompt_the_agent_is_told_so() {
    let agent = StubAgent::new(|session| {
        assert_eq!(session.request()["may_ask"], false);
        session.refuse("no_prompt", "a pin is needed");
    });
    let mut command = agent.signet(&[&["--no-prompt"], &SIGN_ARGS[..]].concat());
    command.env("SIGNET_ASKPASS", agent.askpass(OBEDIENT));
    assert_eq!(with_stdin(command, MESSAGE).status.code(), Some(77));
    assert_eq!(agent.read("asked"), "");
}

#[test]
fn a_bad_message_is_refused_before_anybody_is_asked() {
    for message in ["", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n"] {
        let agent = StubAgent::new(|_| panic!("asked"));
        assert_eq!(with_stdin(agent.signet(&SIGN_ARGS), message).status.code(), Some(77), "{message:?}");
        assert!(agent.requests().is_empty());
    }
}

#[test]
fn what_can_be_read_but_not_signed_is_left_to_the_agent_and_its_log() {
    for line in
        ["x-amz-content-sha256: UNSIGNED-PAYLOAD", "x-amz-date: 20200101T000000Z", "x-amz-date: yesterday"]
    {
        let agent = StubAgent::new(|session| session.refuse("bad_request", "no"));
        let message = MESSAGE.replace("\r\n\r\n", &format!("\r\n{line}\r\n\r\n"));
        assert_eq!(with_stdin(agent.signet(&SIGN_ARGS), &message).status.code(), Some(77), "{line}");
        assert_eq!(agent.requests().len(), 1, "{line}");
    }
}

#[test]
fn an_endless_line_of_the_agent_is_not_read() {
    let agent = StubAgent::new(|session| {
        session.accept();
        session.say(&serde_json::json!({"event": "touched", "filler": "x".repeat(100_000)}));
        session.wait_until_gone();
    });
    assert_eq!(with_stdin(agent.signet(&SIGN_ARGS), MESSAGE).status.code(), Some(1));
}

#[test]
fn a_use_that_ends_takes_its_question_away() {
    let agent = StubAgent::new(|session| {
        let pid = session.dir.join("pid");
        session.accept();
        session.say(&serde_json::json!({"event": "prompt", "number": 1, "kind": "pin", "text": null,
            "tries_left": 3, "token": null, "public_key": ""}));
        until("the question stands", || pid.exists());
        session.refuse("timeout", "the time for a use is over");
    });
    let mut command = agent.signet(&SIGN_ARGS);
    command.env(
        "SIGNET_ASKPASS",
        agent.askpass(r#"echo $$ > "$DIR/new"; mv "$DIR/new" "$DIR/pid"; exec sleep 600"#),
    );
    assert_eq!(with_stdin(command, MESSAGE).status.code(), Some(75));
    let pid = agent.read("pid").trim().to_owned();
    until("the askpass program is gone", || !std::path::Path::new(&format!("/proc/{pid}/exe")).exists());
}

/// A pseudo-terminal and a program in its foreground.
struct Terminal {
    master: File,
    slave: OwnedFd,
    child: Child,
    seen: String,
}

/// The same command as the leader of a session, without a terminal.
fn setsid(command: Command) -> Command {
    let mut setsid = Command::new("setsid");
    setsid.arg("-w").arg(command.get_program()).args(command.get_args()).env_clear();
    for (name, value) in command.get_envs() {
        setsid.env(name, value.unwrap());
    }
    setsid
}

impl Terminal {
    fn run(command: &Command, input: &std::path::Path) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        // `setsid -c` makes its standard input the terminal of the session; the message comes from a file
        let mut setsid = Command::new("setsid");
        setsid.args(["-c", "-w", "sh", "-c", "exec \"$@\" < \"$INPUT\"", "sh"]);
        setsid.arg(command.get_program()).args(command.get_args()).env_clear().env("INPUT", input);
        for (name, value) in command.get_envs() {
            setsid.env(name, value.unwrap());
        }
        setsid.stdin(Stdio::from(slave.try_clone().unwrap())).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = setsid.spawn().unwrap();
        Self { master: master.into(), slave, child, seen: String::new() }
    }

    fn expect(&mut self, text: &str) {
        while !self.seen.contains(text) {
            let mut buffer = [0; 4096];
            let count =
                self.master.read(&mut buffer).unwrap_or_else(|error| panic!("{error}: {}", self.seen));
            self.seen += &String::from_utf8_lossy(buffer.get(..count).unwrap());
        }
    }

    fn send(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).unwrap();
    }

    fn echoes(&self) -> bool {
        tcgetattr(&self.slave).unwrap().local_modes.contains(LocalModes::ECHO)
    }
}

fn message_file(agent: &StubAgent) -> std::path::PathBuf {
    let path = agent.dir.path().join("message");
    std::fs::write(&path, MESSAGE).unwrap();
    path
}

#[test]
fn the_terminal_shows_what_will_be_signed_and_never_the_pin() {
    let agent = StubAgent::new(|session| {
        session.accept();
        assert_eq!(session.ask(PromptKind::Pin, None, Some(3)).unwrap(), b"123456");
        session.touch();
        let touched = session.dir.join("touched");
        until("the person has seen the notice", || touched.exists());
        session.say(&serde_json::json!({"event": "touched"}));
        session.sign();
    });
    let input = message_file(&agent);
    let mut terminal = Terminal::run(&agent.signet(&SIGN_ARGS), &input);
    terminal.expect("pin of safe (42) (3 tries left): ");
    for part in
        ["sts:GetCallerIdentity", "prod (account 123456789012)", "sts.us-east-1.amazonaws.com", "uid 1000"]
    {
        assert!(terminal.seen.contains(part), "{part} is missing in {}", terminal.seen);
    }
    assert!(!terminal.echoes());
    terminal.send("123456\n");
    terminal.expect("touch safe (42) now (15 s)");
    std::fs::write(agent.dir.path().join("touched"), "").unwrap();
    assert!(terminal.child.wait().unwrap().success());
    assert!(terminal.echoes());
    assert!(!terminal.seen.contains("123456\n") && !terminal.seen.contains(": 123456"), "{}", terminal.seen);
    let mut stdout = String::new();
    terminal.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    assert!(stdout.starts_with("GET /"), "a pipe saw a prompt: {stdout}");
}

#[test]
fn control_c_at_the_pin_gives_the_echo_back_and_ends_the_use() {
    let agent = StubAgent::new(|session| {
        session.accept();
        session.say(&serde_json::json!({"event": "prompt", "number": 1, "kind": "pin", "text": null,
            "tries_left": 3, "token": null, "public_key": ""}));
        session.wait_until_gone();
        std::fs::write(session.dir.join("ended"), "").unwrap();
    });
    let input = message_file(&agent);
    let mut terminal = Terminal::run(&agent.signet(&SIGN_ARGS), &input);
    terminal.expect("pin (3 tries left): ");
    assert!(!terminal.echoes());
    terminal.send("1234\u{3}");
    assert_eq!(terminal.child.wait().unwrap().code(), Some(130));
    assert!(terminal.echoes());
    until("the agent sees the connection end", || agent.dir.path().join("ended").exists());
}

#[test]
fn the_last_try_is_asked_for_at_the_terminal_even_beside_askpass() {
    let agent = StubAgent::new(|session| {
        session.accept();
        assert_eq!(session.ask(PromptKind::Confirm, Some("spend it?"), Some(1)).unwrap(), b"yes");
        assert_eq!(session.ask(PromptKind::FidoPin, None, Some(1)).unwrap(), b"answer to fido-pin");
        // another device: the yes before was for that one
        assert_eq!(session.ask(PromptKind::Pin, None, Some(1)).unwrap(), b"answer to pin");
        session.sign();
    });
    let input = message_file(&agent);
    let mut command = agent.signet(&SIGN_ARGS);
    command.env("SIGNET_ASKPASS", agent.askpass(OBEDIENT));
    let mut terminal = Terminal::run(&command, &input);
    terminal.expect("spend it? (1 try left) [y/N] ");
    terminal.send("y\n");
    terminal.expect("one try is left before the token locks: spend it? [y/N] ");
    terminal.send("y\n");
    assert!(terminal.child.wait().unwrap().success());
    assert_eq!(agent.read("asked"), "fido-pin|pin|");
}

#[test]
fn return_is_a_no_except_where_the_question_asks_for_it() {
    for (text, agreed) in [("add it?", false), ("press return to sign with the software token", true)] {
        let agent = StubAgent::new(move |session| {
            session.accept();
            assert_eq!(session.ask(PromptKind::Confirm, Some(text), None).is_some(), agreed);
            if agreed { session.sign() } else { session.refuse("interrupted", "cancelled") }
        });
        let input = message_file(&agent);
        let mut terminal = Terminal::run(&agent.signet(&SIGN_ARGS), &input);
        terminal.expect(text);
        terminal.send("\n");
        assert_eq!(terminal.child.wait().unwrap().code(), Some(if agreed { 0 } else { 130 }), "{text}");
    }
}
