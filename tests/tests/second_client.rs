//! A second client of the card, waiting on it all the time while requests are signed and while signers are
//! killed: it never gets an agreement, nor a calculation of a key inside the token, that it did not unlock
//! itself.
//!
//! libpcsclite knows one daemon per process, so the second client is this very program, started anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pcsc::{Context, Disposition, MAX_BUFFER_SIZE, Protocols, Scope, ShareMode};
use ring::rand::{SecureRandom as _, SystemRandom};
use rustix::process::Signal;
use signet_tests::card::{At, Card, Events, Exchange, Fault, PinPolicy, Profile, Touch, TouchPolicy};
use signet_tests::harness::{Ran, Running, Setup, Signet};
use signet_tests::pcsc::Pcscd;
use signet_tests::process::{children_of, comes_true, signal};

/// The slot that enrolment takes first.
const SLOT: u8 = 0x95;
const PIV: [u8; 16] = [0, 0xa4, 4, 0, 11, 0xa0, 0, 0, 3, 8, 0, 0, 0x10, 0, 1, 0];
/// The generator of P-256 (SEC 2, section 2.4.2): a point that no record has, so that the card's own log
/// tells whose agreement it was.
const POINT: &str = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
    4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
/// Breath between two attempts; without any the rightful client would not get its turn.
const PACE: Duration = Duration::from_millis(8);
const TOUCH_TIMEOUT: Duration = Duration::from_millis(250);
const PIN: &str = "246810";
/// AWS's published example credentials.
const KEY: &[u8] = b"AKIAIOSFODNN7EXAMPLE\nwJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n";
const REQUEST: &[u8] = b"POST / HTTP/1.1\r\nHost: sts.amazonaws.com\r\n\
    Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\nContent-Length: 43\r\n\r\n\
    Action=GetCallerIdentity&Version=2011-06-15";

fn point() -> Vec<u8> {
    (0..POINT.len()).step_by(2).map(|at| u8::from_str_radix(&POINT[at..at + 2], 16).unwrap()).collect()
}

/// GENERAL AUTHENTICATE as ECDH on our point, with the key in the slot (SP 800-73-4, part 2, table 7).
fn agreement() -> Vec<u8> {
    let template = [&[0x7c, 0x45, 0x82, 0x00, 0x85, 0x41][..], &point()].concat();
    [&[0, 0x87, 0x11, SLOT, 0x47][..], &template, &[0]].concat()
}

/// The OATH applet (Yubico, "OATH protocol", SELECT).
const OATH: [u8; 12] = [0, 0xa4, 4, 0, 7, 0xa0, 0, 0, 5, 0x27, 0x21, 1];
/// A challenge that nobody else has.
const CHALLENGE: &[u8] = b"attempt!";

/// CALCULATE of the key `root` on our challenge.
fn calculation() -> Vec<u8> {
    const NAME: &[u8] = b"signet-root";
    [&[0, 0xa2, 0, 0, 0x17, 0x71, 0x0b][..], NAME, &[0x74, 8], CHALLENGE].concat()
}

/// What the second client is after: the applet, and the command in it.
fn target(kept: &str) -> (&'static [u8], Vec<u8>) {
    if kept == IN_TOKEN { (&OATH, calculation()) } else { (&PIV, agreement()) }
}

/// Where the key is.
const SEALED: &str = "sealed";
/// It is in the token, behind an access code.
const IN_TOKEN: &str = "in-token";

/// How the second client goes about it.
#[derive(Clone, Copy)]
enum Manner {
    /// In a transaction, with the applet and the PIN as the other left them.
    AsLeft,
    /// The same without a transaction.
    Between,
    /// In a transaction, and selects the applet first.
    Anew,
}

#[derive(Default)]
struct Counts {
    tried: AtomicUsize,
    got: AtomicUsize,
}

/// One attempt after the other, until it is told to stop.
fn lurk(reader: &str, kept: &str, manner: Manner, stop: &AtomicBool, counts: &Counts) {
    let (select, wanted) = target(kept);
    let reader = std::ffi::CString::new(reader).unwrap();
    while !stop.load(Ordering::SeqCst) {
        let Ok(context) = Context::establish(Scope::User) else { continue };
        // A reset by the other ends the handle: a new one is made.
        while let Ok(mut card) = context.connect(&reader, ShareMode::Shared, Protocols::T1) {
            let attempt = |card: &pcsc::Card| -> Result<(), pcsc::Error> {
                let mut buffer = [0; MAX_BUFFER_SIZE];
                if matches!(manner, Manner::Anew) {
                    card.transmit(select, &mut buffer)?;
                }
                let answer = card.transmit(&wanted, &mut buffer)?;
                counts.tried.fetch_add(1, Ordering::SeqCst);
                if answer.ends_with(&[0x90, 0x00]) {
                    counts.got.fetch_add(1, Ordering::SeqCst);
                }
                Ok(())
            };
            let mut done = Ok(());
            while done.is_ok() && !stop.load(Ordering::SeqCst) {
                done = match manner {
                    Manner::Between => attempt(&card),
                    Manner::AsLeft | Manner::Anew => card.transaction().and_then(|transaction| {
                        let done = attempt(&transaction);
                        // What fails here has failed in the attempt.
                        let _ = transaction.end(Disposition::LeaveCard);
                        done
                    }),
                };
                thread::sleep(PACE);
            }
            // An error means that the handle is gone already.
            let _ = card.disconnect(Disposition::LeaveCard);
            if stop.load(Ordering::SeqCst) {
                return;
            }
        }
        thread::sleep(PACE);
    }
}

/// What a careless program does: it leaves the card with a verified PIN.
fn leave_verified(reader: &str, pin: &[u8]) {
    let context = Context::establish(Scope::User).unwrap();
    let reader = std::ffi::CString::new(reader).unwrap();
    let mut card = context.connect(&reader, ShareMode::Shared, Protocols::T1).unwrap();
    let transaction = card.transaction().unwrap();
    let verify = [&[0, 0x20, 0, 0x80, 8][..], pin, &[0xff, 0xff]].concat();
    for command in [&PIV[..], &verify] {
        assert!(transaction.transmit(command, &mut [0; MAX_BUFFER_SIZE]).unwrap().ends_with(&[0x90, 0x00]));
    }
    transaction.end(Disposition::LeaveCard).map_err(|(_, error)| error).unwrap();
    card.disconnect(Disposition::LeaveCard).map_err(|(_, error)| error).unwrap();
}

#[test]
#[ignore = "is started by the other tests, as a program of its own"]
fn the_second_client() {
    let Ok(reader) = std::env::var("SIGNET_TEST_READER") else { return };
    if let Ok(pin) = std::env::var("SIGNET_TEST_PIN") {
        return leave_verified(&reader, pin.as_bytes());
    }
    let kept = std::env::var("SIGNET_TEST_KEPT").unwrap();
    let (stop, counts) = (AtomicBool::new(false), Counts::default());
    thread::scope(|scope| {
        for manner in [Manner::AsLeft, Manner::Between, Manner::Anew] {
            let (reader, kept, stop, counts) = (&reader, &kept, &stop, &counts);
            scope.spawn(move || lurk(reader, kept, manner, stop, counts));
        }
        // Until the test lets go; an error is an end too.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        stop.store(true, Ordering::SeqCst);
    });
    let Counts { tried, got } = counts;
    println!("\nsecond client: {} {}", tried.into_inner(), got.into_inner());
}

/// This program, as a client of the card.
fn client(pcscd: &Pcscd, card: &Card) -> Command {
    let mut command = pcscd.command(std::env::current_exe().unwrap());
    command
        .args(["--exact", "the_second_client", "--ignored", "--nocapture"])
        .env("SIGNET_TEST_READER", pcscd.reader(card.reader()));
    command
}

/// The second client at work.
struct Second(Child);

impl Second {
    fn start(pcscd: &Pcscd, card: &Card, kept: &str) -> Self {
        let mut command = client(pcscd, card);
        let second = Self(
            command
                .env("SIGNET_TEST_KEPT", kept)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap(),
        );
        assert!(comes_true(|| attempts(&card.events()).count() >= 6), "the second client does not work");
        second
    }

    /// How often it has tried, and how often it got what it wanted.
    fn end(mut self) -> (usize, usize) {
        drop(self.0.stdin.take());
        let mut told = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut told).unwrap();
        let said = told.lines().find_map(|line| {
            let (tried, got) = line.strip_prefix("second client: ")?.split_once(' ')?;
            Some((tried.parse().unwrap(), got.parse().unwrap()))
        });
        assert!(self.0.wait().unwrap().success());
        said.expect("the second client tells its counts")
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        // After `end` both do nothing.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the card has heard of the second client.
fn attempts(events: &Events) -> impl Iterator<Item = &Exchange> {
    let point = point();
    events.apdus().filter(move |exchange| {
        let agreement = exchange.is_key_use() && exchange.command.windows(65).any(|window| window == point);
        agreement || exchange.command.ends_with(CHALLENGE)
    })
}

fn is_good(exchange: &Exchange) -> bool {
    exchange.sw() == Some(0x9000)
}

/// A card with one key enrolled, in a Signet that holds the key `root`.
fn enrolled(pcscd: &Pcscd, kept: &str) -> (Card, Signet) {
    let card = Card::insert(pcscd, Profile::v5_7_1().touch_timeout(TOUCH_TIMEOUT));
    let signet = Signet::start(&Setup { kinds: &["yubikey-piv"], pcscd: Some(pcscd), ..Setup::default() });
    for (kind, answer) in [("new-pin", PIN), ("new-puk", "87654321"), ("pin", PIN), ("confirm", "yes")] {
        signet.answer(kind, &[answer]);
    }
    let _ = signet.run(&["init", "--yes"]).ok();
    let add = ["add", "root", "--kind", "root", "--stdin", "--no-verify", "--no-factor"];
    let _ = signet.run_with(&add, KEY).ok();
    assert!(card.public_key(SLOT).is_some());
    if kept == IN_TOKEN {
        let _ = signet.run(&["embed", "root"]).ok();
        assert!(card.has_oath_code());
    }
    card.clear_events();
    (card, signet)
}

const SIGN: [&str; 6] = ["sign", "root", "--service", "sts", "--region", "us-east-1"];

fn signed(ran: Ran) {
    assert!(ran.ok().contains("AWS4-HMAC-SHA256"));
}

/// The signer of the use under way; `None` when the use ended before it was seen.
fn signer(signet: &Signet, cli: &Running) -> Option<u32> {
    let agent = signet.agent_pid().unwrap();
    let ended = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", cli.pid())).unwrap_or_default();
        stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with('Z'))
    };
    let mut found = None;
    assert!(comes_true(|| {
        found = children_of(agent, "signet-signer").first().copied();
        found.is_some() || ended()
    }));
    found
}

#[test]
fn it_gets_its_agreement_where_a_verified_pin_is_left_behind() {
    // The control: what the others show to be closed is open after a careless program.
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_7_1());
    let _ = card.generate(SLOT, PinPolicy::Once, TouchPolicy::Always);
    let second = Second::start(&pcscd, &card, SEALED);
    assert_eq!(attempts(&card.events()).filter(|it| is_good(it)).count(), 0);
    let got_it = comes_true(|| {
        let careless = client(&pcscd, &card).env("SIGNET_TEST_PIN", "123456").output().unwrap();
        assert!(careless.status.success(), "{careless:?}");
        attempts(&card.events()).any(is_good)
    });
    assert!(got_it, "{}", card.transcript());
    let (tried, got) = second.end();
    assert!(got > 0, "of {tried}");
}

#[test]
fn it_gets_its_calculation_where_there_is_no_access_code() {
    // The other control.
    let pcscd = Pcscd::start();
    let (card, signet) = enrolled(&pcscd, SEALED);
    let _ = signet.run(&["embed", "root", "--no-access-code"]).ok();
    let second = Second::start(&pcscd, &card, IN_TOKEN);
    assert!(comes_true(|| attempts(&card.events()).any(is_good)), "{}", card.transcript());
    let (tried, got) = second.end();
    assert!(got > 0, "of {tried}");
}

#[test]
fn it_gets_nothing_while_requests_are_signed() {
    nothing_while_requests_are_signed(SEALED);
}

#[test]
fn it_gets_nothing_while_requests_are_signed_inside_the_token() {
    nothing_while_requests_are_signed(IN_TOKEN);
}

fn nothing_while_requests_are_signed(kept: &str) {
    let pcscd = Pcscd::start();
    let (card, signet) = enrolled(&pcscd, kept);
    let second = Second::start(&pcscd, &card, kept);
    let uses = 12;
    for number in 0..uses {
        // The touch takes a while, so that the second client stands in line during it.
        card.touch(if number % 2 == 0 { Touch::Now } else { Touch::After(TOUCH_TIMEOUT / 2) });
        signed(signet.run_with(&SIGN, REQUEST));
    }
    let (tried, got) = second.end();
    let events = card.events();
    assert_eq!(got, 0, "of {tried}");
    assert!(tried >= uses, "it tried only {tried} times");
    assert_eq!(attempts(&events).filter(|it| is_good(it) || it.touched.is_some()).count(), 0);
    assert_eq!(events.key_uses(), uses, "the card agreed once a use");
    assert_eq!(events.calculations(), if kept == IN_TOKEN { uses } else { 0 });
    assert!(is_locked(&card));
}

/// Nothing that was proved is left behind.
fn is_locked(card: &Card) -> bool {
    let can_compute = card.has_oath_code() && card.oath_is_unlocked();
    !card.pin_is_verified() && !can_compute
}

#[test]
fn it_gets_nothing_at_whatever_point_a_signer_is_killed() {
    nothing_at_whatever_point_a_signer_is_killed(SEALED);
}

#[test]
fn it_gets_nothing_at_whatever_point_a_signer_is_killed_that_signs_inside_the_token() {
    nothing_at_whatever_point_a_signer_is_killed(IN_TOKEN);
}

fn nothing_at_whatever_point_a_signer_is_killed(kept: &str) {
    const KILLS: usize = 36;
    // What proves something to the card: PIN or access code.
    let proof = if kept == IN_TOKEN { 0xa3 } else { 0x20 };
    let pcscd = Pcscd::start();
    let (card, signet) = enrolled(&pcscd, kept);
    let second = Second::start(&pcscd, &card, kept);
    let mut killed = 0;
    let mut rounds = 0;
    while killed < KILLS {
        rounds += 1;
        assert!(rounds < 2 * KILLS, "only {killed} of {rounds} uses were caught");
        let point = rounds % 4;
        match point {
            // The answer to the proof comes late: it is verified, and the key not yet used.
            0 => card.fault(At::Ins(proof), Fault::Delay(Duration::from_millis(200))),
            1 | 2 => card.touch(Touch::Never),
            _ => card.touch(Touch::After(Duration::from_millis(20))),
        }
        let cli = signet.spawn(&SIGN, REQUEST);
        let Some(pid) = signer(&signet, &cli) else {
            card.clear_faults();
            let _ = cli.finish();
            continue;
        };
        match point {
            0 if kept == IN_TOKEN => {
                assert!(comes_true(|| card.oath_is_unlocked()), "{}", card.transcript());
            }
            0 => assert!(comes_true(|| card.pin_is_verified()), "{}", card.transcript()),
            1 | 2 => card.wait_until_asked(),
            _ => {
                let mut byte = [0];
                SystemRandom::new().fill(&mut byte).unwrap();
                let at = Instant::now() + Duration::from_millis(u64::from(byte[0]) / 2);
                assert!(comes_true(|| Instant::now() >= at));
            }
        }
        signal(pid, Signal::KILL);
        if point == 2 {
            // The person touches although nobody waits any more.
            let _ = card.press();
        }
        let ran = cli.finish();
        // At a random point the use may have been through.
        if point < 3 || ran.code() != 0 {
            assert_ne!(ran.code(), 0, "{ran:?}");
            killed += 1;
        }
        card.clear_faults();
        card.touch(Touch::Now);
        signed(signet.run_with(&SIGN, REQUEST));
        assert!(children_of(signet.agent_pid().unwrap(), "signet-signer").is_empty());
    }
    let (tried, got) = second.end();
    let events = card.events();
    assert_eq!(got, 0, "of {tried}");
    assert!(tried >= KILLS, "it tried only {tried} times");
    assert_eq!(attempts(&events).filter(|it| is_good(it) || it.touched.is_some()).count(), 0);
    assert!(is_locked(&card));
    assert_eq!(signet.run(&["audit", "verify"]).code(), 0);
    println!("{kept}: {killed} signers killed in {rounds} uses, {tried} attempts of the second client");
}
