//! What `signet doctor` finds, and what becomes of it when its commands are typed.

#![allow(dead_code, unreachable_pub)] // each test program uses its part

use std::ops::{Deref, DerefMut};
use std::path::Path;

use serde_json::Value;
use signet_tests::aws::{Config, StrictAws};
use signet_tests::harness::{Ran, Setup, Signet};

/// A root key that the endpoint knows.
pub const ROOT: (&str, &str) = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
/// A key of an IAM user that the endpoint knows.
pub const USER: (&str, &str) = ("AKIAI44QH8DHBEXAMPLE", "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY");
/// The same user's next key.
pub const NEXT: (&str, &str) = ("AKIAI55QH8DHBEXAMPLE", "ke7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY");

/// A private Signet with one software token, and an AWS that knows the keys.
pub struct House {
    signet: Signet,
    pub aws: StrictAws,
}

impl House {
    /// A token is enrolled; the vault is empty.
    pub fn new() -> Self {
        let user = |key: (&str, &str)| ("break-glass".to_owned(), key.0.to_owned(), key.1.to_owned());
        let config = Config {
            root_key: Some((ROOT.0.to_owned(), ROOT.1.to_owned())),
            iam_user_keys: vec![user(USER), user(NEXT)],
            ..Config::default()
        };
        let aws = StrictAws::start(&config).unwrap();
        let setup = Setup { kinds: &["software"], aws: Some(aws.url()), ..Setup::default() };
        let signet = Signet::start(&setup);
        for kind in ["passphrase", "new-passphrase"] {
            signet.answer(kind, &["correct horse battery"]);
        }
        signet.answer("confirm", &["yes"]);
        let _ = signet.run(&["init", "--yes"]).ok();
        Self { signet, aws }
    }

    /// The same with the user's key `prod`.
    pub fn with_user_key() -> Self {
        let house = Self::new();
        house.add(&["prod", "--kind", "iam-user"], USER);
        house
    }

    /// The same with root's key `prod`.
    pub fn with_root_key() -> Self {
        let house = Self::new();
        house.add(&["prod", "--kind", "root", "--no-factor"], ROOT);
        house
    }

    #[track_caller]
    pub fn add(&self, what: &[&str], key: (&str, &str)) {
        let add = [&["add"], what, &["--stdin", "--account", "123456789012", "--no-verify"]].concat();
        let _ = self.run_with(&add, format!("{}\n{}\n", key.0, key.1).as_bytes()).ok();
    }

    /// Another token; gives its serial.
    #[track_caller]
    pub fn enrol(&self) -> String {
        let told = self.run(&["token", "enrol", "--kind", "software", "-o", "json"]).ok();
        document(&told)["token"]["serial"].as_str().unwrap().to_owned()
    }

    /// The serial of the first token.
    #[track_caller]
    pub fn serial(&self) -> String {
        let told = document(&self.run(&["token", "list", "-o", "json"]).ok());
        told["tokens"][0]["serial"].as_str().unwrap().to_owned()
    }
}

impl Deref for House {
    type Target = Signet;

    fn deref(&self) -> &Signet {
        &self.signet
    }
}

impl DerefMut for House {
    fn deref_mut(&mut self) -> &mut Signet {
        &mut self.signet
    }
}

/// The one document on a standard output.
#[track_caller]
pub fn document(stdout: &str) -> Value {
    serde_json::from_str(stdout).unwrap_or_else(|error| panic!("{error}: {stdout:?}"))
}

/// What doctor finds; checked on the way: the exit code, the form, and a reason and a command for
/// everything that is not well.
#[track_caller]
pub fn look(signet: &Signet) -> Vec<Value> {
    findings(&signet.run(&["doctor", "-o", "json"]))
}

/// The findings of a run.
#[track_caller]
pub fn findings(ran: &Ran) -> Vec<Value> {
    let document = document(&ran.stdout);
    assert_eq!(document["version"], 1);
    let findings = document["findings"].as_array().unwrap().clone();
    let wrong = findings.iter().filter(|it| it["level"] == "wrong").count();
    assert_eq!(ran.code(), i32::from(wrong > 0), "{ran:?}");
    assert_eq!(document.get("error").is_some(), wrong > 0, "{document}");
    if wrong > 0 {
        assert_eq!(document["error"]["code"], "failed_check");
    }
    for it in &findings {
        assert!(["ok", "warning", "wrong"].iter().any(|level| it["level"] == *level), "{it}");
        for part in ["why", "hint"] {
            let text = it[part].as_str();
            assert_eq!(text.is_none(), it["level"] == "ok", "{it}");
            assert!(text.is_none_or(|text| !text.is_empty() && !text.contains('\n')), "{it}");
            // an ellipsis or a word in capitals would have to be thought about before it is typed
            assert!(part == "why" || text.is_none_or(|text| !text.contains(['…', '<'])), "{it}");
        }
        assert!(!it["message"].as_str().unwrap().ends_with('.'), "{it}");
    }
    findings
}

/// The one finding whose message has this in it.
#[track_caller]
pub fn one<'a>(findings: &'a [Value], part: &str) -> &'a Value {
    let found: Vec<&Value> =
        findings.iter().filter(|it| it["message"].as_str().unwrap().contains(part)).collect();
    assert_eq!(found.len(), 1, "{part:?} in {findings:#?}");
    found[0]
}

/// The levels of the findings of a check.
pub fn levels(findings: &[Value], check: &str) -> Vec<String> {
    let of = findings.iter().filter(|it| it["check"] == check);
    of.map(|it| it["level"].as_str().unwrap().to_owned()).collect()
}

/// The one finding of a check.
#[track_caller]
pub fn only<'a>(findings: &'a [Value], check: &str) -> &'a Value {
    let found: Vec<&Value> = findings.iter().filter(|it| it["check"] == check).collect();
    assert_eq!(found.len(), 1, "{check} in {findings:#?}");
    found[0]
}

/// Level and check of a finding.
pub fn is(finding: &Value, level: &str, check: &str) -> bool {
    finding["level"] == level && finding["check"] == check
}

/// The command of a finding.
#[track_caller]
pub fn hint(finding: &Value) -> &str {
    finding["hint"].as_str().unwrap_or_else(|| panic!("no command: {finding}"))
}

/// Types the command of a finding as it is printed.
#[track_caller]
pub fn follow(signet: &Signet, finding: &Value) -> String {
    typed(signet, hint(finding)).ok()
}

/// Types a line into a shell that finds the programs.
pub fn typed(signet: &Signet, line: &str) -> Ran {
    let path = Path::new(env!("CARGO_BIN_EXE_test-askpass")).parent().unwrap();
    let line = format!("PATH={}:$PATH; {line}", path.display());
    signet.begin(Path::new("sh"), &["-c", &line], b"").finish()
}
