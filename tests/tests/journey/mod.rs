//! What the journeys share: one person with a virtual YubiKey in the reader, a key in the vault, and an
//! AWS endpoint that sees what is sent.

#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of this")]

pub mod botocore;
pub mod office;
pub mod raw;

use serde_json::Value;
use signet_tests::aws::{Config, Seen, StrictAws};
use signet_tests::card::{Card, Profile};
use signet_tests::harness::{Ran, Running, Setup, Signet};
use signet_tests::pcsc::Pcscd;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Root's access key at the endpoint.
pub const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
/// Its secret.
pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// The account.
pub const ACCOUNT: &str = "123456789012";
/// The PIN that the person chooses at the enrolment.
pub const PIN: &str = "271828";
/// The PUK.
pub const PUK: &str = "31415926";
/// Seed of the one-time codes: the secret of RFC 6238's test vectors, in base32.
pub const SEED: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
/// The form of GetCallerIdentity.
pub const IDENTITY: &str = "Action=GetCallerIdentity&Version=2011-06-15";
/// How long something may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// One person's desk.
pub struct Desk {
    pub signet: Signet,
    pub card: Card,
    pub aws: StrictAws,
    pub pcscd: Pcscd,
}

impl Desk {
    /// A factory YubiKey in the reader; nothing enrolled, a person who answers every question well.
    pub fn new() -> Self {
        Self::of(Profile::v5_7_1(), &["yubikey-piv"])
    }

    /// The same with another card, and other kinds of token in force.
    pub fn of(profile: Profile, kinds: &[&str]) -> Self {
        let pcscd = Pcscd::start();
        let card = Card::insert(&pcscd, profile);
        let aws = StrictAws::start(&Config {
            account: ACCOUNT.into(),
            root_key: Some((KEY_ID.into(), SECRET.into())),
            iam_user_keys: vec![("breakglass".into(), USER_KEY_ID.into(), USER_SECRET.into())],
            ..Config::default()
        })
        .unwrap();
        let signet = Signet::start(&Setup { kinds, pcscd: Some(&pcscd), aws: Some(aws.url()) });
        for (kind, answer) in
            [("new-pin", PIN), ("new-puk", PUK), ("pin", PIN), ("puk", PUK), ("confirm", "yes")]
        {
            signet.answer(kind, &[answer]);
        }
        Self { signet, card, aws, pcscd }
    }

    /// The same with the token enrolled and root's key `prod` sealed to it.
    pub fn with_key() -> Self {
        Self::new().keyed()
    }

    /// This desk with the token enrolled and root's key `prod` sealed to it.
    pub fn keyed(self) -> Self {
        let _enrolled = self.signet.run(&["init", "--yes"]).ok();
        self.add(&["--no-factor"]);
        self
    }

    /// The same, and `prod` asks for a one-time code at each use.
    pub fn with_code() -> Self {
        let desk = Self::new();
        let _enrolled = desk.signet.run(&["init", "--yes"]).ok();
        desk.signet.answer("totp-seed", &[SEED]);
        desk.signet.answer("totp", &[&code(0)]);
        desk.add(&["--totp", "ask"]);
        desk
    }

    /// Adds `prod`.
    pub fn add(&self, how: &[&str]) {
        let arguments =
            [&["add", "prod", "--kind", "root", "--stdin", "--account", ACCOUNT, "--no-verify"], how]
                .concat();
        let _added = self.signet.run_with(&arguments, format!("{KEY_ID}\n{SECRET}\n").as_bytes()).ok();
        assert_eq!(self.sent().len(), 0);
    }

    /// Everything that reached AWS.
    pub fn sent(&self) -> Vec<Seen> {
        self.aws.requests()
    }

    /// The audit log.
    pub fn audit(&self) -> Vec<Value> {
        let text = self.signet.run(&["audit", "log", "-o", "json"]).ok();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// `signet request prod` of GetCallerIdentity, `-o json`, with more flags.
    pub fn identity(&self, more: &[&str]) -> Ran {
        self.signet.run(&self.identity_words(more).iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The same, not waited for.
    pub fn begin_identity(&self, more: &[&str]) -> Running {
        let words = self.identity_words(more);
        self.signet.spawn(&words.iter().map(String::as_str).collect::<Vec<_>>(), b"")
    }

    /// The words of that command.
    pub fn identity_words(&self, more: &[&str]) -> Vec<String> {
        let url = self.url("/");
        let words = ["request", "prod", &url, "--service", "sts", "--region", "us-east-1", "-d", IDENTITY];
        words.iter().chain(&["-o", "json"]).chain(more).map(|&word| word.to_owned()).collect()
    }

    /// A URL at the endpoint.
    pub fn url(&self, target: &str) -> String {
        format!("{}{target}", self.aws.url())
    }

    /// A use that is refused: exit and code, a hint, an outcome in the log, nothing signed and nothing
    /// sent. Gives the error.
    #[track_caller]
    pub fn refuses(&self, exit: i32, code: &str, attempt: impl FnOnce(&Self) -> Ran) -> Value {
        let (sent, lines) = (self.sent().len(), self.audit().len());
        let ran = attempt(self);
        let error = failure(&ran, exit, code);
        self.nothing_signed(sent, lines, code);
        error
    }

    /// What the log and AWS say of a refusal, given how much they said before.
    #[track_caller]
    pub fn nothing_signed(&self, sent: usize, lines: usize, code: &str) {
        assert_eq!(self.sent().len(), sent, "something reached aws");
        let audit = self.audit();
        let new = audit.get(lines..).unwrap();
        assert!(new.iter().all(|line| line["result"] != "signed"), "{new:?}");
        let outcome = new.iter().rfind(|line| line["phase"] == "outcome").expect("an outcome in the log");
        assert_eq!((&outcome["result"], &outcome["code"]), (&"refused".into(), &code.into()), "{outcome}");
        assert_eq!(new.iter().filter(|line| line["phase"] == "outcome").count(), 1, "{new:?}");
    }

    /// The next good use works at once: one request, signed, sent and taken.
    #[track_caller]
    pub fn works(&self) {
        let (sent, touches) = (self.sent().len(), self.card.touches_asked());
        let answer = self.identity(&[]).ok();
        assert!(answer.contains(&format!("arn:aws:iam::{ACCOUNT}:root")), "{answer}");
        let seen = self.sent();
        assert_eq!(seen.len(), sent + 1);
        let last = seen.last().unwrap();
        assert_eq!((last.status, last.action.as_str()), (200, "sts:GetCallerIdentity"));
        assert_eq!(self.card.touches_asked(), touches + 1, "one use, one touch");
        assert!(!self.card.pin_is_verified(), "a verified pin was left behind");
        assert_eq!(self.signers(), 0, "a signer was left behind");
        let audit = self.audit();
        let outcome = audit.last().unwrap();
        assert_eq!(
            (&outcome["phase"], &outcome["result"]),
            (&"outcome".into(), &"signed".into()),
            "{outcome}"
        );
    }

    /// The file of `prod`.
    pub fn record(&self) -> PathBuf {
        self.signet.state_dir().join("keys/prod.age")
    }

    /// Waits until a signer is at work.
    pub fn wait_until_signer(&self) {
        wait_until("a signer at work", || self.signers() > 0);
    }

    /// How many signers the agent has.
    pub fn signers(&self) -> usize {
        let agent = self.signet.agent_pid().unwrap();
        let children = fs::read_to_string(format!("/proc/{agent}/task/{agent}/children")).unwrap();
        let name = |pid: &&str| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        children.split_whitespace().filter(|pid| name(pid).trim() == "signet-signer").count()
    }
}

/// The IAM user's access key at the endpoint.
pub const USER_KEY_ID: &str = "AKIAI44QH8DHBEXAMPLE";
/// Its secret.
pub const USER_SECRET: &str = "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY";

/// The failure document of a program that ended with this exit and code.
#[track_caller]
pub fn failure(ran: &Ran, exit: i32, code: &str) -> Value {
    assert_eq!(ran.code(), exit, "{ran:?}");
    assert!(!ran.stdout.contains("AWS4-HMAC-SHA256"), "{ran:?}");
    let document: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
    assert_eq!(document["version"], 1);
    let error = document["error"].clone();
    assert_eq!(error["code"], code, "{error}");
    well_said(&error);
    error
}

/// A message and a hint, as people are told: lower case, no full stop.
#[track_caller]
pub fn well_said(error: &Value) {
    let message = error["message"].as_str().unwrap();
    assert!(!message.is_empty() && !message.ends_with('.'), "{error}");
    assert!(!message.starts_with(|first: char| first.is_ascii_uppercase()), "{error}");
    assert!(error["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "no next step: {error}");
}

/// Waits until a condition holds.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "it did not come to: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The one-time code of [`SEED`], some steps of 30 s from now.
pub fn code(steps: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    code_of_step(i64::try_from(now / 30).unwrap() + steps)
}

/// RFC 6238 as Python's standard library does it: independent of every program under test.
pub fn code_of_step(step: i64) -> String {
    const SCRIPT: &str = "import sys, hmac, base64, struct\n\
        mac = hmac.new(base64.b32decode(sys.argv[1]), struct.pack('>q', int(sys.argv[2])), 'sha1').digest()\n\
        at = mac[-1] & 15\n\
        print('%06d' % ((struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 1000000))";
    let made = Command::new("python3").args(["-c", SCRIPT, SEED, &step.to_string()]).output();
    let made = made.expect("python3 is installed: apt-get install python3");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

/// A code that is wrong for every step near now.
pub fn wrong_code() -> String {
    let near: Vec<String> = (-2..=2).map(code).collect();
    let wrong = ["000000", "111111", "222222", "333333", "444444", "555555"];
    (*wrong.iter().find(|wrong| !near.iter().any(|code| code == *wrong)).unwrap()).to_owned()
}

/// A built program, beside the test's own.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.ancestors().skip(1).take(2).map(|folder: &Path| folder.join(name));
    built.into_iter().find(|path| path.exists()).unwrap_or_else(|| panic!("{name} is not built"))
}
