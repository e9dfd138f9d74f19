//! What else happens to a token: another program holds it, the service stops, the machine sleeps, several
//! are there and only one will do. Each is a clear refusal or a short wait, nobody else's program is stopped,
//! and the next use works at once.
//!
//! Pulling it out has a file of its own, `pull_outs.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod journey;
mod terminal;

use std::ffi::CString;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use journey::{Desk, PIN, failure};
use pcsc::{Context, MAX_BUFFER_SIZE, Protocols, Scope, ShareMode};
use rustix::process::Signal;
use signet_tests::card::{Card, Profile, Touch};
use signet_tests::harness::Running;
use signet_tests::process::{children_of, comes_true, python, signal};
use terminal::Terminal;

/// VERIFY (SP 800-73-4, part 2, 3.2.1).
const VERIFY: u8 = 0x20;
const PIV: [u8; 16] = [0, 0xa4, 4, 0, 11, 0xa0, 0, 0, 3, 8, 0, 0, 0x10, 0, 1, 0];

/// What brings the key where it is kept: sealed it is already.
const KEPT: [&[&str]; 2] = [&[], &["embed", "prod", "--no-access-code"]];

/// One behaviour, wherever the key is kept.
fn wherever_it_is_kept(behaviour: fn(Desk)) {
    for words in KEPT {
        println!("kept by {words:?}");
        let desk = Desk::with_key();
        if !words.is_empty() {
            let _ = desk.signet.run(words).ok();
        }
        behaviour(desk);
    }
}

/// The agent is the one that was started.
#[track_caller]
fn same_agent(desk: &Desk, pid: Option<u32>) {
    assert!(pid.is_some());
    assert_eq!(desk.signet.agent_pid(), pid);
    assert!(fs::read_link(format!("/proc/{}/exe", pid.unwrap())).is_ok(), "{}", desk.signet.agent_log());
}

// ---- another program holds the card --------------------------------------------------------------------

#[test]
#[ignore = "is started by the other tests, as a program of its own"]
fn the_holder() {
    let Ok(reader) = std::env::var("SIGNET_TEST_READER") else { return };
    let context = Context::establish(Scope::User).unwrap();
    let card = context.connect(&CString::new(reader).unwrap(), ShareMode::Exclusive, Protocols::T1).unwrap();
    println!("\nholds");
    // Until the test lets go; an error is an end too.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    let answer = card.transmit(&PIV, &mut [0; MAX_BUFFER_SIZE]).map(<[u8]>::to_vec);
    println!("undisturbed: {}", answer.is_ok_and(|answer| answer.ends_with(&[0x90, 0x00])));
}

/// A program that holds the card for itself: this very program, started anew, for libpcsclite knows one
/// daemon per process.
struct Holder {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Holder {
    fn start(desk: &Desk) -> Self {
        let mut command = desk.pcscd.command(std::env::current_exe().unwrap());
        command
            .args(["--exact", "the_holder", "--ignored", "--nocapture"])
            .env("SIGNET_TEST_READER", desk.pcscd.reader(desk.card.reader()));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while line.trim() != "holds" {
            line.clear();
            assert_ne!(said.read_line(&mut line).unwrap(), 0, "it does not get the card");
        }
        Self { child, said }
    }

    /// Lets go of the card, and says whether its handle was good to the end.
    fn lets_go(mut self) -> bool {
        drop(self.child.stdin.take());
        let mut rest = String::new();
        self.said.read_to_string(&mut rest).unwrap();
        self.child.wait().unwrap().success() && rest.contains("undisturbed: true")
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // After `lets_go` both do nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_program_that_holds_the_card_is_left_in_peace() {
    wherever_it_is_kept(|desk| {
        let agent = desk.signet.agent_pid();
        let holder = Holder::start(&desk);
        desk.card.clear_events();
        let pins = desk.signet.times_asked("pin");
        for _ in 0..3 {
            let error = desk.refuses(75, "busy", |desk| desk.identity(&[]));
            assert!(
                error["message"].as_str().unwrap().contains("another program holds the token"),
                "{error}"
            );
        }
        assert_eq!(desk.signet.times_asked("pin"), pins, "no pin is asked for what cannot be used");
        assert_eq!(desk.card.events().apdus().count(), 0, "the card heard nothing of us");
        assert!(holder.lets_go(), "our attempts have disturbed it");
        desk.works();
        same_agent(&desk, agent);
    });
}

#[test]
fn a_program_that_takes_the_card_while_the_pin_is_typed() {
    let desk = Desk::with_key();
    desk.signet.hold();
    let pins = desk.signet.times_asked("pin");
    let (sent, lines) = (desk.sent().len(), desk.audit().len());
    let using = desk.begin_identity(&[]);
    assert!(comes_true(|| desk.signet.times_asked("pin") > pins));
    let holder = Holder::start(&desk);
    desk.signet.release();
    failure(&using.finish(), 75, "busy");
    desk.nothing_signed(sent, lines, "busy");
    assert_eq!(desk.card.tries().0, 3);
    assert!(holder.lets_go());
    desk.works();
}

/// GnuPG with a home of its own, gone with its programs.
struct GnuPg {
    home: PathBuf,
    socket: PathBuf,
}

impl GnuPg {
    fn new(desk: &Desk, how: &str) -> Self {
        let home = desk.signet.path("gnupg");
        fs::create_dir(&home).unwrap();
        fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(home.join("scdaemon.conf"), format!("disable-ccid\n{how}")).unwrap();
        Self { home, socket: desk.pcscd.socket() }
    }

    fn run(&self, program: &str, words: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.args(words).env("GNUPGHOME", &self.home).env("PCSCLITE_CSOCK_NAME", &self.socket);
        command.output().unwrap_or_else(|error| {
            panic!("{program}: {error}: apt-get install --no-install-recommends gpg-agent scdaemon")
        })
    }

    /// Has scdaemon take the card, as it does for `gpg --card-status`, whatever applet is on it; gives
    /// scdaemon's process id.
    fn takes_the_card(&self) -> Option<String> {
        let said = self.run("gpg-connect-agent", &["scd serialno undefined", "scd getinfo pid", "/bye"]);
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let pid = said.lines().find_map(|line| line.strip_prefix("D "))?;
        said.contains("S SERIALNO ").then(|| pid.to_owned())
    }
}

impl Drop for GnuPg {
    fn drop(&mut self) {
        let _ = self.run("gpgconf", &["--kill", "all"]);
    }
}

#[test]
fn scdaemon_holds_the_card_until_the_hint_is_typed() {
    let desk = Desk::with_key();
    let gnupg = GnuPg::new(&desk, "");
    let scdaemon = gnupg.takes_the_card().expect("scdaemon takes the card");
    let error = desk.refuses(75, "busy", |desk| desk.identity(&[]));
    assert!(error["message"].as_str().unwrap().contains("scdaemon"), "{error}");
    assert_eq!(gnupg.takes_the_card().as_ref(), Some(&scdaemon), "it was stopped, and another one started");
    assert_eq!(error["hint"], "gpgconf --kill scdaemon");
    assert!(gnupg.run("gpgconf", &["--kill", "scdaemon"]).status.success());
    assert!(comes_true(|| !PathBuf::from(format!("/proc/{scdaemon}/exe")).exists()));
    desk.works();
    // And it gets the card back after us, once gpg-agent has noticed that it must start another one.
    assert!(comes_true(|| gnupg.takes_the_card().is_some()));
}

#[test]
fn scdaemon_and_signet_share_the_card_where_scdaemon_is_told_to() {
    let desk = Desk::with_key();
    let gnupg = GnuPg::new(&desk, "pcsc-shared\n");
    let scdaemon = gnupg.takes_the_card().expect("scdaemon takes the card");
    for _ in 0..3 {
        desk.works();
        assert_eq!(gnupg.takes_the_card().as_ref(), Some(&scdaemon), "it did not outlive our use");
    }
}

/// `ykman` of PyPI. What it does to other programs when it gets no card (`pkill`) is kept from the machine
/// and noted.
fn ykman(desk: &Desk, words: &[&str]) -> Running {
    let bin = desk.signet.path("bin");
    let note = desk.signet.path("pkill");
    fs::create_dir_all(&bin).unwrap();
    let script = format!("#!/bin/sh\necho \"$@\" >>{}\nexit 1\n", note.display());
    fs::write(bin.join("pkill"), script).unwrap();
    fs::set_permissions(bin.join("pkill"), fs::Permissions::from_mode(0o700)).unwrap();
    let (bin, socket) = (format!("PATH={}", bin.display()), desk.pcscd.socket());
    let socket = format!("PCSCLITE_CSOCK_NAME={}", socket.display());
    let (ykman, reader) = (python("ykman"), desk.pcscd.reader(desk.card.reader()));
    let command = [bin.as_str(), &socket, ykman.to_str().unwrap(), "-r", &reader];
    desk.signet.begin("/usr/bin/env".as_ref(), &[&command[..], words].concat(), b"")
}

#[test]
fn ykman_before_during_and_after_a_use() {
    let desk = Desk::with_key();
    let agent = desk.signet.agent_pid();
    let info = |desk: &Desk| ykman(desk, &["piv", "info"]).finish().ok();
    assert!(info(&desk).contains("PIN tries remaining"));
    desk.works();

    // While it works, ours is refused or waits its turn, and it comes to its end undisturbed.
    let mut refused = 0;
    for _ in 0..3 {
        let mut busy_body = ykman(&desk, &["piv", "info"]);
        while !busy_body.has_ended() {
            let ran = desk.identity(&[]);
            if ran.code() != 0 {
                failure(&ran, 75, "busy");
                refused += 1;
            }
        }
        let ran = busy_body.finish();
        assert!(ran.status.code().is_some(), "somebody has killed it: {ran:?}");
        desk.works();
    }
    println!("{refused} uses were refused beside ykman");

    // While ours waits for the touch, it has to wait too; then either has what it wants.
    desk.card.touch(Touch::Never);
    let using = desk.begin_identity(&[]);
    desk.card.wait_until_asked();
    let mut waiting = ykman(&desk, &["piv", "info"]);
    assert!(!waiting.has_ended());
    assert!(desk.card.press());
    assert_eq!(using.finish().code(), 0);
    assert!(waiting.finish().status.code().is_some(), "somebody has killed it");
    desk.card.touch(Touch::Now);
    assert!(info(&desk).contains("PIN tries remaining"));
    desk.works();
    same_agent(&desk, agent);
}

// ---- the service stops ---------------------------------------------------------------------------------

#[test]
fn pcscd_is_stopped_and_started_between_two_uses() {
    wherever_it_is_kept(|mut desk| {
        let agent = desk.signet.agent_pid();
        for _ in 0..3 {
            desk.pcscd.stop();
            let error = desk.refuses(75, "no_reader", |desk| desk.identity(&[]));
            assert!(error["hint"].as_str().unwrap().contains("systemctl start pcscd"), "{error}");
            desk.pcscd.go_on();
            desk.card.reinsert();
            desk.works();
        }
        same_agent(&desk, agent);
    });
}

#[test]
fn pcscd_is_stopped_and_started_while_the_pin_is_typed() {
    let mut desk = Desk::with_key();
    let agent = desk.signet.agent_pid();
    for comes_back in [true, false] {
        desk.signet.hold();
        let (pins, touches) = (desk.signet.times_asked("pin"), desk.card.touches_asked());
        let using = desk.begin_identity(&[]);
        assert!(comes_true(|| desk.signet.times_asked("pin") > pins));
        desk.pcscd.stop();
        if comes_back {
            desk.pcscd.go_on();
            desk.card.reinsert();
        }
        desk.signet.release();
        let ran = using.finish();
        if comes_back {
            assert_eq!(ran.code(), 0, "the new service was not asked: {ran:?}");
            assert_eq!(desk.card.touches_asked(), touches + 1);
        } else {
            failure(&ran, 75, "no_reader");
            assert_eq!(desk.card.touches_asked(), touches);
            desk.pcscd.go_on();
            desk.card.reinsert();
        }
        assert!(!desk.card.pin_is_verified());
        desk.works();
    }
    same_agent(&desk, agent);
}

#[test]
fn pcscd_is_stopped_while_the_token_waits_for_the_touch() {
    wherever_it_is_kept(|mut desk| {
        let agent = desk.signet.agent_pid();
        for _ in 0..2 {
            desk.card.touch(Touch::Never);
            let (sent, lines) = (desk.sent().len(), desk.audit().len());
            let using = desk.begin_identity(&[]);
            desk.card.wait_until_asked();
            desk.pcscd.stop();
            let error = failure(&using.finish(), 75, "no_reader");
            assert!(error["hint"].as_str().unwrap().contains("systemctl start pcscd"), "{error}");
            desk.nothing_signed(sent, lines, "no_reader");
            desk.card.touch(Touch::Now);
            desk.pcscd.go_on();
            desk.card.reinsert();
            assert!(!desk.card.pin_is_verified());
            desk.works();
        }
        same_agent(&desk, agent);
    });
}

// ---- the machine sleeps --------------------------------------------------------------------------------

/// Agent and signers stand still, and the token loses its power, as a machine that sleeps does to them.
fn sleeps_and_wakes(desk: &mut Desk) {
    let agent = desk.signet.agent_pid().unwrap();
    let all = [vec![agent], children_of(agent, "signet-signer")].concat();
    assert_eq!(all.len(), 2, "the agent and one signer");
    all.iter().for_each(|&pid| signal(pid, Signal::STOP));
    desk.card.reinsert();
    all.iter().for_each(|&pid| signal(pid, Signal::CONT));
}

#[test]
fn the_machine_sleeps_between_question_and_use() {
    let mut desk = Desk::with_key();
    let agent = desk.signet.agent_pid();
    desk.signet.hold();
    let pins = desk.signet.times_asked("pin");
    let using = desk.begin_identity(&[]);
    assert!(comes_true(|| desk.signet.times_asked("pin") > pins));
    desk.card.clear_events();
    let touches = desk.card.touches_asked();
    sleeps_and_wakes(&mut desk);
    desk.signet.release();
    // The token is the same, and it proves that: the use goes on.
    assert_eq!(using.finish().code(), 0, "{}", desk.card.transcript());
    assert_eq!((desk.card.touches_asked(), desk.card.events().key_uses()), (touches + 1, 1));
    assert!(!desk.card.pin_is_verified());
    desk.works();
    same_agent(&desk, agent);
}

#[test]
fn the_machine_sleeps_while_the_token_waits_for_the_touch() {
    wherever_it_is_kept(|mut desk| {
        let agent = desk.signet.agent_pid();
        desk.card.touch(Touch::Never);
        let (sent, lines) = (desk.sent().len(), desk.audit().len());
        let using = desk.begin_identity(&[]);
        desk.card.wait_until_asked();
        sleeps_and_wakes(&mut desk);
        failure(&using.finish(), 75, "token_absent");
        desk.nothing_signed(sent, lines, "token_absent");
        assert!(!desk.card.pin_is_verified());
        desk.card.touch(Touch::Now);
        desk.works();
        same_agent(&desk, agent);
    });
}

// ---- several readers, several tokens -------------------------------------------------------------------

/// A desk with a second token, enrolled under the label `spare`, in the other reader; `prod` is sealed to
/// the tokens named.
fn two_tokens(sealed_to: fn(&str, &str) -> Vec<String>) -> (Desk, Card) {
    let desk = Desk::new();
    let other = Card::insert(&desk.pcscd, Profile::v5_4_3());
    let [first, second] = [&desk.card, &other].map(|card| card.serial().to_string());
    for (serial, label) in [(&first, "safe"), (&second, "spare")] {
        let words = ["token", "enrol", "--serial", serial, "--label", label];
        let _ = desk.signet.run(&words).ok();
    }
    let add = ["add", "prod", "--kind", "root", "--stdin", "--no-verify", "--no-factor"];
    let tokens: Vec<String> =
        sealed_to(&first, &second).into_iter().flat_map(|serial| ["--token".to_owned(), serial]).collect();
    let words: Vec<&str> = add.into_iter().chain(tokens.iter().map(String::as_str)).collect();
    let input = format!("{}\n{}\n", journey::KEY_ID, journey::SECRET);
    let _ = desk.signet.run_with(&words, input.as_bytes()).ok();
    for card in [&desk.card, &other] {
        card.clear_events();
    }
    (desk, other)
}

#[test]
fn the_right_token_of_two_is_found_by_its_serial_and_named_by_its_label() {
    // Sealed to the one in the second reader; the first one is looked at, and hears no PIN.
    let (desk, spare) = two_tokens(|_, second| vec![second.to_owned()]);
    spare.touch(Touch::Never);
    for round in 0..3 {
        let touches = desk.signet.times_asked("touch");
        let using = desk.begin_identity(&[]);
        assert!(comes_true(|| desk.signet.times_asked("touch") > touches));
        assert!(comes_true(|| spare.press()));
        let _ = using.finish().ok();
        assert_eq!(spare.events().key_uses(), round + 1);
        let asked = desk.signet.asked();
        for kind in ["pin", "touch"] {
            let (_, text) = asked.iter().rfind(|(asked, _)| asked == kind).unwrap();
            assert!(text.contains("spare") && text.contains(&spare.serial().to_string()), "{text}");
            assert!(!text.contains("safe"), "{text}");
        }
        let heard = desk.card.events();
        assert_eq!((heard.count(VERIFY), heard.key_uses(), desk.card.tries().0), (0, 0, 3));
        assert!(!spare.pin_is_verified() && !desk.card.pin_is_verified());
    }
    let outcome = desk.audit().last().unwrap().clone();
    assert_eq!(
        (&outcome["token"], &outcome["token_label"]),
        (&spare.serial().to_string().into(), &"spare".into())
    );
}

#[test]
fn token_absent_names_every_token_that_would_do_and_waits_for_any() {
    let (mut desk, mut spare) = two_tokens(|first, second| vec![first.to_owned(), second.to_owned()]);
    let [first, second] = [&desk.card, &spare].map(|card| card.serial().to_string());
    desk.card.remove();
    spare.remove();
    let error = desk.refuses(75, "token_absent", |desk| desk.identity(&["--no-prompt"]));
    let message = error["message"].as_str().unwrap();
    for name in [format!("{first} (safe)"), format!("{second} (spare)")] {
        assert!(message.contains(&name), "{message}");
    }

    // A person at a terminal is told what to plug in.
    let words = desk.identity_words(&[]);
    let mut signet = desk.signet.command(&journey::program("signet"));
    signet.args(&words).env_remove("SIGNET_ASKPASS");
    for comes_first in [true, false] {
        let sent = desk.sent().len();
        let mut terminal = Terminal::run(&signet);
        terminal.expect(&format!("plug in safe ({first}) or spare ({second})"));
        let (card, label) = if comes_first { (&mut desk.card, "safe") } else { (&mut spare, "spare") };
        card.clear_events();
        card.reinsert();
        terminal.expect(&format!("{label} ("));
        terminal.expect(": ");
        terminal.send(&format!("{PIN}\n"));
        let (status, stdout, stderr) = terminal.finish();
        assert!(status.success(), "{stdout}{stderr}");
        assert_eq!(card.events().key_uses(), 1, "the one that came has served");
        card.remove();
        assert_eq!(desk.sent().len(), sent + 1);
    }
}
