//! One key and several tokens, with the built programs and software tokens: a second one is added and
//! proved, one is dropped, one is lost and every printed command is typed, a record comes back without its
//! state, a use is rehearsed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use serde_json::Value;
use signet_tests::aws::{Config, StrictAws};
use signet_tests::harness::{Ran, Setup, Signet};
use std::fs;
use std::path::{Path, PathBuf};

const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const ACCOUNT: &str = "123456789012";
/// Of every token.
const PASSPHRASE: &str = "correct horse battery";

/// A person with software tokens and root's key `prod` in the vault.
struct Desk {
    signet: Signet,
    aws: StrictAws,
    /// Serials in the order of their enrolment: the key is sealed to the first.
    tokens: Vec<String>,
}

impl Desk {
    /// `prod` is sealed to the first of two enrolled tokens, and `account` is what its record names.
    fn of(account: &str) -> Self {
        let config = Config {
            account: ACCOUNT.into(),
            root_key: Some((KEY_ID.into(), SECRET.into())),
            ..Config::default()
        };
        let aws = StrictAws::start(&config).unwrap();
        let signet = Signet::start(&Setup { kinds: &["software"], aws: Some(aws.url()), ..Setup::default() });
        for kind in ["new-passphrase", "passphrase"] {
            signet.answer(kind, &[PASSPHRASE]);
        }
        signet.answer("confirm", &["yes"]);
        let tokens = ["first", "second"].map(|label| enrol(&signet, label)).to_vec();
        let key = format!("{KEY_ID}\n{SECRET}\n");
        let add = ["add", "prod", "--kind", "root", "--stdin", "--no-factor", "--no-verify"];
        let to = ["--token", &tokens[0], "--account", account];
        let _added = signet.run_with(&[&add[..], &to].concat(), key.as_bytes()).ok();
        Self { signet, aws, tokens }
    }

    fn new() -> Self {
        Self::of(ACCOUNT)
    }

    /// The same, and both tokens open the key.
    fn with_spare() -> Self {
        let desk = Self::new();
        let _added = desk.signet.run(&["reseal", "prod", "--add", &desk.tokens[1]]).ok();
        desk
    }

    fn key(&self) -> Value {
        json(&self.signet.run(&["show", "prod", "-o", "json"]))["key"].clone()
    }

    fn identity(&self) -> Ran {
        let url = format!("{}/", self.aws.url());
        let words = ["request", "prod", &url, "--service", "sts", "--region", "us-east-1", "-o", "json"];
        let form = "Action=GetCallerIdentity&Version=2011-06-15";
        self.signet.run(&[&words[..], &["-d", form]].concat())
    }

    #[track_caller]
    fn works(&self) {
        let answer = self.identity().ok();
        assert!(answer.contains(&format!("arn:aws:iam::{ACCOUNT}:root")), "{answer}");
    }

    fn record(&self) -> PathBuf {
        self.signet.state_dir().join("keys/prod.age")
    }

    fn token_file(&self, which: usize) -> PathBuf {
        self.signet.state_dir().join(format!("software/{}.json", self.tokens[which]))
    }

    /// The last entry of the log for an action.
    fn logged(&self, action: &str) -> Value {
        let log = self.signet.run(&["audit", "log", "-o", "json"]).ok();
        let mut entries = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        entries.rfind(|entry| entry["action"] == action).unwrap_or_else(|| panic!("no {action}"))
    }
}

fn enrol(signet: &Signet, label: &str) -> String {
    let ran = signet.run(&["token", "enrol", "--label", label, "-o", "json"]);
    json(&ran)["token"]["serial"].as_str().unwrap().to_owned()
}

/// What a program printed.
#[track_caller]
fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"))
}

/// A refusal: exit, code, a message, and what to type next.
#[track_caller]
fn refused(ran: &Ran, exit: i32, code: &str) -> Value {
    assert_eq!(ran.code(), exit, "{ran:?}");
    let error = json(ran)["error"].clone();
    assert_eq!(error["code"], code, "{error}");
    assert!(error["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "no next step: {error}");
    error
}

#[test]
fn a_second_token_is_added_and_each_proves_itself() {
    let desk = Desk::with_spare();
    assert_eq!(desk.key()["tokens"], serde_json::json!(desk.tokens));
    let told = json(&desk.signet.run(&["verify", "prod", "-o", "json"]));
    let verified: Vec<&str> =
        told["tokens"].as_array().unwrap().iter().map(|it| it["serial"].as_str().unwrap()).collect();
    assert_eq!(verified, desk.tokens);
    assert!(told["tokens"].as_array().unwrap().iter().all(|it| it["verified"] == true), "{told}");
    let kept = desk.key()["verified"].as_object().unwrap().len();
    assert_eq!((kept, &desk.logged("signet:Verify")["result"]), (2, &"done".into()));

    // The first is out of reach: the second alone will do.
    fs::rename(desk.token_file(0), desk.signet.path("away")).unwrap();
    desk.works();
    assert!(desk.aws.requests().iter().all(|seen| seen.status == 200));
}

#[test]
fn a_token_that_does_not_open_the_key_fails_alone() {
    let desk = Desk::with_spare();
    desk.signet.answer("passphrase", &[PASSPHRASE, "not this one"]);
    let ran = desk.signet.run(&["verify", "prod", "-o", "json"]);
    let error = refused(&ran, 1, "failed_check");
    assert_eq!(error["hint"], format!("signet verify prod --token {}", desk.tokens[1]));
    let told = json(&ran);
    assert_eq!(
        (&told["tokens"][0]["verified"], &told["tokens"][1]["verified"]),
        (&true.into(), &false.into())
    );
    assert_eq!(told["tokens"][1]["error"]["code"], "pin_failed");
    assert!(desk.key()["verified"].get(&desk.tokens[1]).is_none());
    let error = refused(
        &desk.signet.run(&["verify", "prod", "--token", "soft-00000000", "-o", "json"]),
        77,
        "bad_request",
    );
    assert_eq!(error["hint"], "signet show prod");
}

#[test]
fn a_dropped_token_opens_nothing_that_is_left_and_the_mark_stays_until_it_is_cleared() {
    let desk = Desk::with_spare();
    let older = fs::read(desk.record()).unwrap();
    let epoch = desk.key()["epoch"].as_u64().unwrap();
    let _dropped = desk.signet.run(&["reseal", "prod", "--drop", &desk.tokens[1]]).ok();
    let key = desk.key();
    assert_eq!(
        (key["epoch"].as_u64().unwrap(), &key["tokens"]),
        (epoch + 1, &serde_json::json!([desk.tokens[0]]))
    );
    assert!(key["rotate"].as_str().unwrap().contains(&desk.tokens[1]), "{key}");
    desk.works();

    let newer = fs::read(desk.record()).unwrap();
    fs::write(desk.record(), &older).unwrap();
    refused(&desk.identity(), 77, "rollback");
    fs::write(desk.record(), &newer).unwrap();
    desk.works();

    let last = ["reseal", "prod", "--drop", &desk.tokens[0], "-o", "json"];
    refused(&desk.signet.run(&last), 77, "bad_request");
    let _cleared = desk.signet.run(&["reseal", "prod", "--rotated"]).ok();
    assert_eq!(
        (&desk.key()["rotate"], &desk.logged("signet:Rotated")["phase"]),
        (&Value::Null, &"admin".into())
    );
}

/// Types a printed command. Only the endpoint is another one: the commands name AWS's own.
fn typed(desk: &Desk, command: &str) -> Ran {
    let local = format!("'{}/' --service iam --region us-east-1", desk.aws.url());
    let command = command.replace("'https://iam.amazonaws.com/'", &local);
    let programs = std::env::current_exe().unwrap();
    let programs = programs.parent().and_then(Path::parent).unwrap().display();
    let script = format!("PATH={programs}:$PATH; {command}");
    desk.signet.begin("sh".as_ref(), &["-c", &script], b"").finish()
}

#[test]
fn a_token_is_lost_and_every_command_is_typed_as_it_is_printed() {
    let desk = Desk::with_spare();
    let (first, second) = (desk.tokens[0].as_str(), desk.tokens[1].as_str());
    let away = desk.signet.path("away");
    fs::rename(desk.token_file(0), &away).unwrap();
    let ran = desk.signet.run(&["token", "lost", first, "-o", "json"]);
    refused(&ran, 1, "failed_check");
    let told = json(&ran)["keys"][0].clone();
    assert_eq!(told["others"], serde_json::json!([{"serial": second, "label": "second"}]));
    assert_eq!(told["key"]["access_key_id"], KEY_ID);

    // Found again by somebody: it is refused, whatever it could do.
    fs::rename(&away, desk.token_file(0)).unwrap();
    desk.works();
    assert_eq!(desk.logged("sts:GetCallerIdentity")["token"], second);
    refused(&desk.signet.run(&["verify", "prod", "--token", first, "-o", "json"]), 77, "denied");
    refused(&desk.signet.run(&["reseal", "prod", "--add", first, "-o", "json"]), 77, "denied");
    let tokens = json(&desk.signet.run(&["token", "list", "-o", "json"]));
    let lost = |serial: &str| {
        tokens["tokens"].as_array().unwrap().iter().any(|it| it["serial"] == serial && it["lost"].is_string())
    };
    assert!(lost(first) && !lost(second), "{tokens}");

    let commands = told["steps"].as_array().unwrap().iter().filter_map(|step| step["command"].as_str());
    let mut answers = Vec::new();
    for command in commands {
        // The successor is added with the secret that AWS has just shown; the other is another person's way.
        if !command.starts_with("signet add") && !command.starts_with("aws ") {
            answers.push(typed(&desk, command).ok());
        }
    }
    assert_eq!(answers.len(), 4, "{told}");
    assert!(answers[0].contains("<SecretAccessKey>"), "{answers:?}");
    refused_by_aws(&desk.identity());
    assert_eq!(desk.key()["tokens"], serde_json::json!([second]));

    let again = desk.signet.run(&["token", "lost", first, "-o", "json"]);
    assert_eq!(again.code(), 0, "{again:?}");
    assert_eq!(desk.logged("signet:LoseToken")["phase"], "admin");
}

/// The key was switched off.
#[track_caller]
fn refused_by_aws(ran: &Ran) {
    assert_eq!((ran.code(), &json(ran)["error"]["code"]), (1, &"aws_error".into()), "{ran:?}");
}

#[test]
fn the_only_token_is_lost_and_a_page_is_named_until_the_mark_is_cleared() {
    let desk = Desk::new();
    let first = desk.tokens[0].as_str();
    let ran = desk.signet.run(&["token", "lost", first]);
    assert_eq!(ran.code(), 1, "{ran:?}");
    assert!(ran.stdout.contains("https://console.aws.amazon.com/iam/home#/security_credentials"), "{ran:?}");
    assert!(ran.stdout.contains("still opened by: no other token"), "{ran:?}");
    assert_ne!(desk.identity().code(), 0);
    assert_eq!(desk.aws.requests().len(), 0, "something was signed with a lost token");
    let _cleared = typed(&desk, "signet reseal prod --rotated").ok();
    assert_eq!(desk.signet.run(&["token", "lost", first]).code(), 0);
    let _removed = typed(&desk, "signet remove prod --lost").ok();
    assert_eq!(
        json(&desk.signet.run(&["token", "lost", first, "-o", "json"]))["keys"],
        serde_json::json!([])
    );
    refused(&desk.signet.run(&["token", "lost", "soft-00000000", "-o", "json"]), 77, "bad_request");
}

#[test]
fn a_record_comes_back_without_its_state() {
    let mut desk = Desk::new();
    let backup = desk.signet.path("prod.age");
    fs::copy(desk.record(), &backup).unwrap();
    let file = backup.display().to_string();
    // It is there already.
    let error = refused(&desk.signet.run(&["restore", &file, "-o", "json"]), 77, "bad_request");
    assert!(error["message"].as_str().unwrap().contains("prod"), "{error}");

    desk.signet.kill_agent();
    for entry in fs::read_dir(desk.signet.state_dir()).unwrap().flatten() {
        if entry.file_name() != "software" {
            let path = entry.path();
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
    }
    desk.signet.start_agent();
    assert_eq!(desk.identity().code(), 77);
    let restored = json(&desk.signet.run(&["restore", &file, "-o", "json"]));
    assert_eq!(
        (&restored["key"]["name"], &restored["key"]["access_key_id"]),
        (&"prod".into(), &KEY_ID.into())
    );
    assert_eq!(desk.logged("signet:Restore")["result"], "restored");
    desk.works();
    let _verified = desk.signet.run(&["verify", "prod"]).ok();

    // The copy that it was made of is an older one from now on, also once the key was removed.
    let _removed = desk.signet.run(&["remove", "prod", "--yes"]).ok();
    refused(&desk.signet.run(&["restore", &file, "-o", "json"]), 77, "rollback");
}

#[test]
fn a_use_is_rehearsed_and_its_date_kept() {
    let desk = Desk::new();
    assert_eq!(desk.key()["drilled"], Value::Null);
    let told = json(&desk.signet.run(&["drill", "prod", "-o", "json"]));
    assert_eq!((&told["account"], desk.aws.requests().len()), (&ACCOUNT.into(), 1));
    let ms = |part: &str| {
        told["parts"].as_array().unwrap().iter().find(|it| it["part"] == part).unwrap()["ms"]
            .as_u64()
            .unwrap()
    };
    // Six hundred thousand rounds of PBKDF2 take their time; nobody has plugged anything in.
    assert!(ms("signature") > 0 && ms("waiting") == 0, "{told}");
    let sum: u64 = told["parts"].as_array().unwrap().iter().map(|it| it["ms"].as_u64().unwrap()).sum();
    assert_eq!(told["total_ms"], sum);
    assert!(desk.key()["drilled"].is_string());
    let logged = desk.logged("sts:GetCallerIdentity");
    assert_eq!((&logged["reason"], &logged["result"]), (&"signet drill".into(), &"signed".into()));
}

#[test]
fn a_rehearsal_that_finds_another_account_is_not_kept() {
    let desk = Desk::of("210987654321");
    let error = refused(&desk.signet.run(&["drill", "prod", "-o", "json"]), 1, "failed_check");
    assert!(error["message"].as_str().unwrap().contains(ACCOUNT), "{error}");
    assert_eq!(desk.key()["drilled"], Value::Null);
}
