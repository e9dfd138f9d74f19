//! A private Signet with a software token, one key, and the strict endpoint that knows the key.

#![allow(dead_code, unreachable_pub)] // each test program uses its part

use std::ops::{Deref, DerefMut};

use serde_json::Value;
use signet_tests::aws::{Config, Seen, StrictAws, totp_code};
use signet_tests::harness::{Ran, Setup, Signet};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The key's name.
pub const NAME: &str = "prod";
/// Its account.
pub const ACCOUNT: &str = "123456789012";
/// Its access key id, and its secret.
pub const KEY_ID: &str = "AKIAIREADYREADYREADY";
pub const SECRET: &str = "readyreadyreadyreadyreadyreadyreadyready";
/// What opens the token.
pub const PASSPHRASE: &str = "correct horse battery";
/// The seed of the account's AWS MFA device.
pub const MFA_SEED: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
/// The AWS MFA device of root.
pub const ROOT_MFA: &str = "arn:aws:iam::123456789012:mfa/root-account-mfa-device";

/// A Signet that is ready to use. Its person answers every question.
pub struct Ready {
    signet: Signet,
    /// The endpoint.
    pub aws: StrictAws,
}

impl Ready {
    /// With a root key that may do everything the presets name.
    pub fn root() -> Self {
        Self::new("root", &["root-only-tasks", "session"])
    }

    /// With a key of a kind and these policies.
    pub fn new(kind: &str, policies: &[&str]) -> Self {
        let key = (KEY_ID.to_owned(), SECRET.to_owned());
        let mut config = Config { mfa_seed: Some(MFA_SEED.to_owned()), ..Config::default() };
        match kind {
            "root" => config.root_key = Some(key),
            _ => config.iam_user_keys.push(("break-glass".to_owned(), key.0, key.1)),
        }
        let aws = StrictAws::start(&config).unwrap();
        let setup = Setup { kinds: &["software"], aws: Some(aws.url()), ..Setup::default() };
        let signet = Signet::start(&setup);
        for kind in ["passphrase", "new-passphrase"] {
            signet.answer(kind, &[PASSPHRASE]);
        }
        signet.answer("confirm", &["yes"]);
        let _ = signet.run(&["init", "--kind", "software", "--yes"]).ok();
        let mut add = vec!["add", NAME, "--kind", kind, "--stdin", "--account", ACCOUNT, "--no-verify"];
        if kind == "root" {
            add.push("--no-factor");
        }
        add.extend(policies.iter().flat_map(|policy| ["--policy", policy]));
        let _ = signet.run_with(&add, format!("{KEY_ID}\n{SECRET}\n").as_bytes()).ok();
        let ready = Self { signet, aws };
        ready.forget_questions();
        ready
    }

    /// Counts the questions from here on.
    pub fn forget_questions(&self) {
        std::fs::remove_file(self.path("asked")).unwrap();
    }

    /// How often the person was asked for consent: passphrase and confirmation, once each.
    #[track_caller]
    pub fn consents(&self) -> usize {
        let (passphrases, confirms) = (self.times_asked("passphrase"), self.times_asked("confirm"));
        assert_eq!(passphrases, confirms, "{:?}", self.asked());
        confirms
    }

    /// `credential-process` with further arguments, to its end.
    pub fn credentials(&self, more: &[&str]) -> Ran {
        self.run(&[&["credential-process", NAME], more].concat())
    }

    /// The stored lines of the audit log.
    pub fn audit(&self) -> Vec<Value> {
        let log = self.run(&["audit", "log", "-o", "json"]).ok();
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The hand-outs among them.
    pub fn vended(&self) -> Vec<Value> {
        self.audit().into_iter().filter(|line| line["phase"] == "vend").collect()
    }

    /// Requests of an action that AWS answered.
    pub fn answered(&self, action: &str) -> Vec<Seen> {
        self.aws.requests().into_iter().filter(|seen| seen.action == action && seen.code.is_none()).collect()
    }
}

impl Deref for Ready {
    type Target = Signet;

    fn deref(&self) -> &Signet {
        &self.signet
    }
}

impl DerefMut for Ready {
    fn deref_mut(&mut self) -> &mut Signet {
        &mut self.signet
    }
}

/// The one document on a standard output.
#[track_caller]
pub fn document(stdout: &str) -> Value {
    serde_json::from_str(stdout).unwrap_or_else(|error| panic!("{error}: {stdout:?}"))
}

/// A member of the document.
#[track_caller]
pub fn member(stdout: &str, name: &str) -> String {
    document(stdout)[name].as_str().unwrap_or_else(|| panic!("no {name} in {stdout}")).to_owned()
}

/// The access key id of the document.
#[track_caller]
pub fn key_id(stdout: &str) -> String {
    member(stdout, "AccessKeyId")
}

/// Seconds until the document's credentials end.
#[track_caller]
pub fn seconds_left(stdout: &str) -> i64 {
    let ends = OffsetDateTime::parse(&member(stdout, "Expiration"), &Rfc3339).unwrap();
    (ends - OffsetDateTime::now_utc()).whole_seconds()
}

/// The code that the account's MFA device shows.
pub fn mfa_code() -> String {
    totp_code(MFA_SEED, OffsetDateTime::now_utc().unix_timestamp()).unwrap()
}
