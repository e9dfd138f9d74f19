//! A token pulled out at any moment and put back: at every APDU that a use sends, while it waits for the
//! touch, and for either kind of person: one who puts it back at once, and one who looks at the refusal first.
//!
//! Each pull-out ends in a signature that was touched for or in a clear refusal; the next use works at once;
//! the agent is the same one all along, and no card keeps a verified PIN. A run does a spread of them;
//! `SIGNET_PULL_OUTS=1000` does so many.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::ops::AddAssign;
use std::thread;
use std::time::{Duration, Instant};

use signet_tests::card::{At, Card, Events, Exchange, Fault, Profile, Touch};
use signet_tests::harness::{Ran, Running, Setup, Signet};
use signet_tests::pcsc::Pcscd;
use signet_tests::process::{children_of, comes_true};

/// How many a run does without being told.
const PULL_OUTS: usize = 72;
/// Side by side: mostly they wait for pcscd, which looks for cards every 400 ms.
const LANES: usize = 4;
/// How long the next use may take: a machine under load is slow, and an agent that is stuck is stuck longer.
const AT_ONCE: Duration = Duration::from_secs(20);
/// How long a person looks who waits for the refusal.
const LOOK: Duration = Duration::from_secs(2);
const PIN: &str = "246810";
/// AWS's published example credentials.
const KEY: &[u8] = b"AKIAIOSFODNN7EXAMPLE\nwJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n";
const SIGN: [&str; 6] = ["sign", "root", "--service", "sts", "--region", "us-east-1"];
const REQUEST: &[u8] = b"POST / HTTP/1.1\r\nHost: sts.amazonaws.com\r\n\
    Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\nContent-Length: 43\r\n\r\n\
    Action=GetCallerIdentity&Version=2011-06-15";

/// When the token is pulled out.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// Before it answers this APDU of the use, counted from 0.
    Apdu(usize),
    /// While it waits for this touch of the use, counted from 0.
    Touch(usize),
}

/// When it is put back.
#[derive(Debug, Clone, Copy)]
enum Back {
    /// At once: the use may still be under way.
    AtOnce,
    /// When the use has ended, or its person has looked on for a while.
    Later,
}

/// Where the key is while nobody uses it.
#[derive(Debug, Clone, Copy)]
struct Kept {
    name: &'static str,
    /// The kind of token that opens its record.
    kind: &'static str,
    /// The words of `signet` that bring it there.
    words: &'static [&'static str],
    /// Touches that a use needs.
    touches: usize,
}

const SEALED: Kept = Kept { name: "sealed", kind: "yubikey-piv", words: &[], touches: 1 };
const IN_TOKEN: Kept = Kept { name: "in the token", words: &["embed", "root", "--no-access-code"], ..SEALED };
const WITH_CODE: Kept = Kept {
    name: "in the token, access code",
    words: &["embed", "root", "--access-code"],
    touches: 2,
    ..SEALED
};
const APPROVED: Kept = Kept {
    name: "sealed, approved",
    words: &["factor", "add", "fido2", "--key", "root"],
    touches: 2,
    ..SEALED
};
const BY_FIDO2: Kept = Kept { name: "sealed to an authenticator", kind: "fido2", ..SEALED };

/// What came of the pull-outs.
#[derive(Debug, Default)]
struct Count {
    pulled: usize,
    signed: usize,
    refused: usize,
    /// The longest next use.
    longest: Duration,
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.pulled += other.pulled;
        self.signed += other.signed;
        self.refused += other.refused;
        self.longest = self.longest.max(other.longest);
    }
}

/// One person with one token, and a Signet of their own.
struct Lane {
    signet: Signet,
    card: Card,
    agent: u32,
    kept: Kept,
    count: Count,
    _pcscd: Pcscd,
}

impl Lane {
    fn new(kept: Kept) -> Self {
        let pcscd = Pcscd::start();
        let card = Card::insert(&pcscd, Profile::v5_7_1());
        let signet = Signet::start(&Setup { kinds: &[kept.kind], pcscd: Some(&pcscd), ..Setup::default() });
        card.set_fido_pin(Some(PIN));
        for (kind, answer) in
            [("new-pin", PIN), ("new-puk", "87654321"), ("pin", PIN), ("fido-pin", PIN), ("confirm", "yes")]
        {
            signet.answer(kind, &[answer]);
        }
        let _ = signet.run(&["init", "--yes"]).ok();
        let add = ["add", "root", "--kind", "root", "--stdin", "--no-verify", "--no-factor"];
        let _ = signet.run_with(&add, KEY).ok();
        if !kept.words.is_empty() {
            let _ = signet.run(kept.words).ok();
        }
        let agent = signet.agent_pid().unwrap();
        Self { signet, card, agent, kept, count: Count::default(), _pcscd: pcscd }
    }

    /// A use that goes well, and how many APDUs it sends.
    #[track_caller]
    fn works(&mut self, case: &str) -> usize {
        self.card.clear_events();
        let asked = self.card.touches_asked();
        let begun = Instant::now();
        let ran = self.signet.run_with(&SIGN, REQUEST);
        let took = begun.elapsed();
        assert_eq!(ran.code(), 0, "{case}, then: {ran:?}");
        assert!(ran.stdout.contains("AWS4-HMAC-SHA256"), "{case}: {ran:?}");
        assert!(took < AT_ONCE, "{case}: the next use took {took:?}");
        assert_eq!(self.card.touches_asked() - asked, self.kept.touches, "{case}");
        self.is_sound(case);
        self.count.longest = self.count.longest.max(took);
        self.card.events().apdus().count()
    }

    /// What holds at any time.
    #[track_caller]
    fn is_sound(&self, case: &str) {
        assert!(!self.card.pin_is_verified(), "{case}: a verified pin was left behind");
        let locked = !self.card.has_oath_code() || !self.card.oath_is_unlocked();
        assert!(locked && !self.card.has_fido_token(), "{case}: an applet was left open");
        assert!(
            comes_true(|| children_of(self.agent, "signet-signer").is_empty()),
            "{case}: a signer is left"
        );
        // `harness` would not start another one by itself; this tells that it has not ended either.
        assert_eq!(self.signet.agent_pid(), Some(self.agent), "{case}");
        assert!(
            std::path::Path::new(&format!("/proc/{}/exe", self.agent)).exists(),
            "{case}: the agent ended"
        );
    }

    fn pull_out(&mut self, moment: Moment, back: Back) {
        let case = format!("{}, pulled out at {moment:?}, put back {back:?}", self.kept.name);
        self.card.clear_events();
        let mut using = match moment {
            Moment::Apdu(index) => {
                self.card.fault(At::Nth(index), Fault::Remove);
                let using = self.signet.spawn(&SIGN, REQUEST);
                assert!(comes_true(|| self.card.events().apdus().any(is_unanswered)), "{case}: never");
                using
            }
            Moment::Touch(number) => {
                self.card.touch(Touch::Never);
                let asked = self.card.touches_asked();
                let using = self.signet.spawn(&SIGN, REQUEST);
                for touched in 0..=number {
                    assert!(comes_true(|| self.card.touches_asked() == asked + touched + 1), "{case}: never");
                    self.card.wait_until_asked();
                    assert!(touched == number || self.card.press(), "{case}");
                }
                self.card.remove();
                self.card.touch(Touch::Now);
                using
            }
        };
        if matches!(back, Back::Later) {
            let until = Instant::now() + LOOK;
            assert!(comes_true(|| using.has_ended() || Instant::now() > until));
        }
        self.card.reinsert();
        self.ended(&case, using);
        let _ = self.works(&case);
        self.count.pulled += 1;
    }

    /// A signature that was touched for, or a refusal that says what to do.
    fn ended(&mut self, case: &str, using: Running) {
        let ran: Ran = using.finish();
        let signed = ran.stdout.contains("AWS4-HMAC-SHA256");
        assert_eq!(signed, ran.code() == 0, "{case}: {ran:?}");
        if signed {
            let touched = self.card.events().apdus().filter(|exchange| was_touched(exchange)).count();
            assert!(
                touched >= self.kept.touches,
                "{case}: signed without a touch: {}",
                self.card.transcript()
            );
            self.count.signed += 1;
        } else {
            assert_eq!(ran.code(), 75, "{case}: {ran:?}");
            assert!(ran.stdout.is_empty(), "{case}: {ran:?}");
            for word in ["signet: error: ", "signet: hint: "] {
                assert!(ran.stderr.contains(word), "{case}: {ran:?}");
            }
            self.count.refused += 1;
        }
        self.is_sound(case);
    }

    /// Its share of the pull-outs: every `LANES`-th, from `first` on.
    fn run(mut self, first: usize, pull_outs: usize) -> Count {
        let apdus = self.works("before");
        let moments: Vec<Moment> =
            (0..apdus).map(Moment::Apdu).chain((0..self.kept.touches).map(Moment::Touch)).collect();
        for number in (first..pull_outs).step_by(LANES) {
            let (round, at) = (number / moments.len(), number % moments.len());
            let back = if round.is_multiple_of(2) { Back::AtOnce } else { Back::Later };
            self.pull_out(moments[at], back);
        }
        let verified = self.signet.run(&["audit", "verify"]);
        assert_eq!(verified.code(), 0, "{verified:?}");
        self.count
    }
}

fn is_unanswered(exchange: &Exchange) -> bool {
    exchange.reply.is_empty()
}

fn was_touched(exchange: &Exchange) -> bool {
    exchange.touched == Some(true) && exchange.sw() == Some(0x9000)
}

/// All the pull-outs of one way to keep a key.
fn pulled_out(kept: Kept) {
    let told = std::env::var("SIGNET_PULL_OUTS").ok();
    let pull_outs = told.map_or(PULL_OUTS, |number| number.parse().expect("SIGNET_PULL_OUTS is a number"));
    let begun = Instant::now();
    let mut count = Count::default();
    thread::scope(|scope| {
        let lanes: Vec<_> =
            (0..LANES).map(|lane| scope.spawn(move || Lane::new(kept).run(lane, pull_outs))).collect();
        for lane in lanes {
            match lane.join() {
                Ok(its) => count += its,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    println!("{}: {count:?} in {:?}", kept.name, begun.elapsed());
    assert_eq!(count.pulled, pull_outs);
    assert_eq!(count.signed + count.refused, pull_outs);
    assert!(count.refused > 0, "no pull-out hindered any use");
}

#[test]
fn a_token_that_opens_the_record() {
    pulled_out(SEALED);
}

#[test]
fn a_token_that_holds_the_key() {
    pulled_out(IN_TOKEN);
}

#[test]
fn a_token_that_holds_the_key_behind_an_access_code() {
    pulled_out(WITH_CODE);
}

#[test]
fn a_token_that_approves() {
    pulled_out(APPROVED);
}

#[test]
fn an_authenticator_that_opens_the_record() {
    pulled_out(BY_FIDO2);
}

/// The control: what these tests count as a touch is counted where there was one, and nowhere else.
#[test]
fn a_use_that_nobody_touches_has_no_touch() {
    let mut lane = Lane::new(SEALED);
    let _ = lane.works("control");
    let touched = |events: &Events| events.apdus().filter(|exchange| was_touched(exchange)).count();
    assert_eq!(touched(&lane.card.events()), 1);
    lane.card.clear_events();
    lane.card.touch(Touch::Never);
    lane.card.set_touch_timeout(Duration::from_millis(100));
    let ran = lane.signet.run_with(&SIGN, REQUEST);
    assert_eq!((ran.code(), touched(&lane.card.events())), (75, 0), "{ran:?}");
    assert!(!lane.card.events().apdus().any(is_unanswered));
}
