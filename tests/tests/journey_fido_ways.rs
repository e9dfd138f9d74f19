//! A key with an authenticator that approves, in all that else can be done with a key: inside a token, with a
//! one-time code, for sessions, restored, under a policy, rehearsed, beside another one, and interrupted.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod journey;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use journey::office::{FIDO_PIN, Office};
use journey::{
    ACCOUNT, Desk, IDENTITY, SEED, USER_KEY_ID, USER_SECRET, code, failure, wait_until, wrong_code,
};
use serde_json::Value;
use signet_tests::card::{Card, Fido, Touch};
use signet_tests::harness::Ran;
use signet_tests::process::{children_of, python};

fn json(ran: Ran) -> Value {
    serde_json::from_str(&ran.ok()).unwrap()
}

/// How often each card was asked for a touch: the authenticator, and the key's token.
fn touches(office: &Office) -> (usize, usize) {
    (office.approver.touches_asked(), office.desk.card.touches_asked())
}

/// What the notice for each touch of a use says, and which card is to be touched.
#[track_caller]
fn is_told_of(office: &Office, of: &[&Card]) {
    let Office { desk, approver } = office;
    let seen = desk.signet.times_asked("touch");
    for card in [approver, &desk.card] {
        card.touch(Touch::Never);
    }
    let using = desk.begin_identity(&[]);
    for (number, card) in (1..).zip(of) {
        wait_until("the notice", || desk.signet.times_asked("touch") == seen + number);
        let (_, text) = desk.signet.asked().into_iter().rfind(|(kind, _)| kind == "touch").unwrap();
        assert!(
            text.contains(&format!("touch {number} of {} for sts:GetCallerIdentity", of.len())),
            "{text}"
        );
        wait_until("the touch", || card.press());
    }
    let _ = using.finish().ok();
    for card in [approver, &desk.card] {
        card.touch(Touch::Now);
    }
    office.is_clean();
}

#[test]
fn a_key_in_the_token_behind_a_touch_alone() {
    let office = Office::new();
    let desk = &office.desk;
    let said = desk.signet.run(&["embed", "prod", "--no-access-code"]);
    assert!(said.stderr.contains("past signet and its approvals"), "{said:?}");
    let _ = said.ok();
    let (pins, asked) = (desk.signet.times_asked("pin"), touches(&office));
    office.works();
    assert_eq!(touches(&office), (asked.0 + 1, asked.1 + 1));
    assert_eq!(desk.signet.times_asked("pin"), pins, "no pin of the token is asked");
    assert_eq!(json(desk.signet.run(&["show", "prod", "-o", "json"]))["key"]["touches"], 2);
    let list = desk.signet.run(&["list", "-o", "csv"]).ok();
    assert!(list.contains(&format!(",{},2,fido2-1,", desk.card.serial())), "{list}");
    is_told_of(&office, &[&office.approver, &desk.card]);

    // What the approval is not: the token itself knows nothing of it, and that is said at each use.
    let (_, question) = desk.signet.asked().into_iter().rfind(|(kind, _)| kind == "fido-pin").unwrap();
    assert!(question.contains("past signet and its approvals"), "{question}");
    let doctor = desk.signet.run(&["doctor"]).stdout;
    assert!(doctor.contains("past signet and its approvals"), "{doctor}");
    assert!(doctor.contains("approved by one authenticator only"), "{doctor}");
    office.approver.fido_next(signet_tests::card::Lie::told(|it| it.signature.clear()));
    let calculations = desk.card.events().calculations();
    let _ = desk.refuses(77, "factor_failed", |desk| desk.identity(&[]));
    assert_eq!(desk.card.events().calculations(), calculations, "the token was asked");
}

#[test]
fn a_key_in_the_token_behind_an_access_code() {
    let office = Office::new();
    let _ = office.desk.signet.run(&["embed", "prod", "--access-code"]).ok();
    assert_eq!(json(office.desk.signet.run(&["show", "prod", "-o", "json"]))["key"]["touches"], 3);
    is_told_of(&office, &[&office.approver, &office.desk.card, &office.desk.card]);
    let outcome = office.desk.audit().pop().unwrap();
    assert_eq!((&outcome["result"], &outcome["factors"][0]), (&"signed".into(), &"fido2".into()));
}

#[test]
fn a_one_time_code_and_an_approval_are_both_asked_for() {
    let desk = Office::bare(&["yubikey-piv"]);
    let _ = desk.signet.run(&["init", "--yes"]).ok();
    desk.signet.answer("totp-seed", &[SEED]);
    desk.signet.answer("totp", &[&code(0)]);
    let office = Office::beside(desk, Fido::v2_1(), Some(FIDO_PIN));
    let desk = &office.desk;
    desk.add(&["--totp", "ask", "--fido2"]);

    desk.signet.answer("totp", &[&wrong_code()]);
    let asked = touches(&office);
    let _ = desk.refuses(77, "factor_failed", |desk| desk.identity(&[]));
    assert_eq!(touches(&office), (asked.0 + 1, asked.1 + 1), "the seed lies in the record");
    desk.signet.answer("totp", &[&code(1)]);
    office.approver.fido_next(signet_tests::card::Lie::told(|it| it.signature.clear()));
    let _ = office.refuses(77, "factor_failed");
    // The code was not spent: nothing had opened the record that it is checked by.
    let _ = desk.identity(&[]).ok();
    let outcome = desk.audit().pop().unwrap();
    let mut factors: Vec<&str> =
        outcome["factors"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    factors.sort_unstable();
    assert_eq!(factors, ["fido2", "totp"]);
    office.is_clean();
}

#[test]
fn one_approval_for_a_session_of_all_the_tools() {
    let desk = Office::bare(&["yubikey-piv"]);
    let _ = desk.signet.run(&["init", "--yes"]).ok();
    let office = Office::beside(desk, Fido::v2_1(), Some(FIDO_PIN));
    let desk = &office.desk;
    desk.add(&["--fido2", "--policy", "root-only-tasks", "--policy", "session"]);
    let _ = desk.signet.run(&["configure", "prod", "--region", "us-east-1"]).ok();
    let before = touches(&office);
    let (aws, url) = (python("aws"), desk.aws.url());
    let identity = ["--endpoint-url", &url, "--output", "json", "sts", "get-caller-identity"];
    let exec =
        [&["exec", "prod", "--region", "us-east-1", "--", aws.to_str().unwrap()], &identity[..]].concat();
    assert_eq!(json(desk.signet.run(&exec))["Account"], ACCOUNT);
    let once = (before.0 + 1, before.1 + 1);
    assert_eq!(touches(&office), once);
    let session = json(desk.signet.run(&["credential-process", "prod"]));
    assert!(session["AccessKeyId"].as_str().unwrap().starts_with("ASIA"), "{session}");
    let profile = [&["--profile", "prod"], &identity[..]].concat();
    assert_eq!(json(desk.signet.begin(&aws, &profile, b"").finish())["Account"], ACCOUNT);
    assert_eq!(touches(&office), once, "one approval for all of them");

    let audit = desk.audit();
    assert_eq!(audit.iter().filter(|line| line["phase"] == "vend").count(), 3);
    let proved = audit.iter().filter(|line| line["proof"].is_object()).collect::<Vec<_>>();
    assert_eq!(proved.iter().filter(|line| line["action"] == "sts:GetSessionToken").count(), 1, "{proved:?}");
    let said = desk.signet.run(&["audit", "verify", "--approvals"]).ok();
    assert!(said.contains("sts:GetSessionToken"), "{said}");
    // Forgotten: the next one is approved anew.
    let _ = desk.signet.run(&["forget", "prod"]).ok();
    let _ = desk.signet.run(&["credential-process", "prod"]).ok();
    assert_eq!(touches(&office), (once.0 + 1, once.1 + 1));
}

/// All that the agent knows is gone; the record was kept elsewhere.
fn without_state(desk: &mut Desk) -> PathBuf {
    let backup = desk.signet.path("prod.age");
    fs::copy(desk.record(), &backup).unwrap();
    assert!(desk.signet.stop_agent().unwrap().success());
    fs::remove_dir_all(desk.signet.state_dir()).unwrap();
    desk.signet.start_agent();
    backup
}

#[test]
fn a_record_comes_back_with_its_authenticator() {
    let desk = Office::bare(&["yubikey-piv"]).keyed();
    let mut office = Office::beside(desk, Fido::v2_1(), Some(FIDO_PIN));
    office.approver.set_fido_counter(100);
    office.enrols("prod");
    office.works();
    let enrolled = office.factors().remove(0)["credential"]["counter"].as_u64().unwrap();
    let file = without_state(&mut office.desk).display().to_string();
    let restore = ["restore", &file, "-o", "json"];

    // What stands in the record is remembered even now.
    let counter = office.approver.fido_counter();
    // Two questions whether the credential is there come before an approval, and are counted.
    office.approver.set_fido_counter(u32::try_from(enrolled).unwrap() - 3);
    let said = failure(&office.desk.signet.run(&restore), 77, "factor_failed");
    assert!(said["message"].as_str().unwrap().contains("copied"), "{said}");
    office.approver.set_fido_counter(counter);

    let before = touches(&office);
    let restored = json(office.desk.signet.run(&restore));
    assert_eq!(restored["key"]["factors"][0], "fido2-1");
    assert_eq!(touches(&office), (before.0 + 1, before.1 + 1));
    let entry = office.desk.audit().pop().unwrap();
    assert_eq!((&entry["result"], &entry["enrolled"][0]["id"]), (&"restored".into(), &"fido2-1".into()));
    assert!(entry["proof"].is_object(), "{entry}");

    let approved = office.approver.fido_counter();
    office.approver.set_fido_counter(approved - 3);
    let said = office.refuses(77, "factor_failed");
    assert!(said["message"].as_str().unwrap().contains("copied"), "{said}");
    office.approver.set_fido_counter(approved);
    office.works();
    let said = office.desk.signet.run(&["audit", "verify", "--approvals"]).ok();
    assert!(said.contains("signet:Restore") && said.contains("sts:GetCallerIdentity"), "{said}");
}

#[test]
fn a_policy_that_asks_for_an_approval() {
    let desk = Office::bare(&["yubikey-piv"]).keyed();
    let mut office = Office::beside(desk, Fido::v2_1(), Some(FIDO_PIN));
    let policy = "version = 1\n[[rule]]\nallow = [\"signet:*\"]\n[[rule]]\nallow = [\"sts:*\"]\nfactors = [\"fido2\"]\n";
    let file = office.desk.signet.path("config/policy.toml");
    fs::write(&file, policy).unwrap();
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert!(office.desk.signet.stop_agent().unwrap().success());
    office.desk.signet.start_agent();
    let said = office.desk.refuses(77, "denied", |desk| desk.identity(&[]));
    assert!(said["message"].as_str().unwrap().contains("fido2"), "{said}");
    assert_eq!(office.approver.touches_asked(), 0);
    office.enrols("prod");
    office.works();
}

#[test]
fn a_rehearsal_tells_the_touches_apart_from_the_work() {
    let office = Office::new();
    // The finger takes its time, at each of the two.
    office.approver.touch(Touch::After(Duration::from_millis(300)));
    office.desk.card.touch(Touch::After(Duration::from_millis(200)));
    let told = json(office.desk.signet.run(&["drill", "prod", "-o", "json"]));
    let ms = |part: &str| {
        let parts = told["parts"].as_array().unwrap();
        parts.iter().find(|it| it["part"] == part).unwrap()["ms"].as_u64().unwrap()
    };
    assert!(ms("touch") >= 500, "{told}");
    assert_eq!(ms("waiting"), 0, "{told}");
}

#[test]
fn two_keys_with_one_authenticator_stand_in_line_for_it() {
    let desk = Office::bare(&["yubikey-piv", "software"]).keyed();
    let office = Office::beside(desk, Fido::v2_1(), Some(FIDO_PIN));
    let signet = &office.desk.signet;
    office.enrols("prod");
    for kind in ["new-passphrase", "passphrase"] {
        signet.answer(kind, &["correct horse battery"]);
    }
    let spare = json(signet.run(&["token", "enrol", "--kind", "software", "-o", "json"]));
    let spare = spare["token"]["serial"].as_str().unwrap();
    let add = ["add", "user", "--kind", "iam-user", "--stdin", "--no-verify", "--token", spare, "--fido2"];
    let _ = signet.run_with(&add, format!("{USER_KEY_ID}\n{USER_SECRET}\n").as_bytes()).ok();

    let (asked, lines) = (office.approver.touches_asked(), office.desk.audit().len());
    office.approver.touch(Touch::Never);
    let url = office.desk.url("/");
    let uses: Vec<_> = ["prod", "user"]
        .map(|key| ["request", key, &url, "--service", "sts", "--region", "us-east-1", "-d", IDENTITY])
        .iter()
        .map(|words| signet.spawn(words, b""))
        .collect();
    wait_until("both uses", || office.desk.audit().len() == lines + 2);
    for number in 1..=2 {
        wait_until("the touch", || office.approver.touches_asked() == asked + number);
        office.approver.wait_until_asked();
        assert_eq!(office.desk.signers(), 1, "one at a time");
        assert!(office.approver.press());
    }
    for using in uses {
        let _ = using.finish().ok();
    }
    assert_eq!(office.approver.touches_asked(), asked + 2);
    office.is_clean();
    let said = json(signet.run(&["audit", "verify", "-o", "json"]));
    assert_eq!(said["faults"].as_array().unwrap().len(), 0, "{said}");
}

#[test]
fn an_agent_that_is_stopped_at_an_approval_leaves_the_authenticator_idle() {
    let mut office = Office::new();
    office.approver.touch(Touch::Never);
    let using = office.desk.begin_identity(&[]);
    office.approver.wait_until_asked();
    assert!(office.desk.signet.stop_agent().unwrap().success());
    let ran = using.finish();
    assert!(matches!(ran.code(), 130 | 69), "{ran:?}");
    wait_until("the end of the wait", || !office.approver.press() && !office.approver.has_fido_token());
    office.approver.touch(Touch::Now);
    office.desk.signet.start_agent();
    let outcome = office.desk.audit().pop().unwrap();
    assert_eq!((&outcome["phase"], &outcome["code"]), (&"outcome".into(), &"interrupted".into()));
    assert!(outcome["proof"].is_null());
    office.works();
}

#[test]
fn whoever_looks_at_the_tokens_meanwhile_disturbs_no_approval() {
    let office = Office::new();
    let signet = &office.desk.signet;
    office.approver.touch(Touch::Never);
    let using = office.desk.begin_identity(&[]);
    office.approver.wait_until_asked();
    let look = signet.spawn(&["token", "list", "-o", "json"], b"");
    let agent = signet.agent_pid().unwrap();
    wait_until("the look", || !children_of(agent, "signet-enrol").is_empty());
    assert!(office.approver.press(), "it waits still");
    let _ = using.finish().ok();
    let found = json(look.finish());
    assert_eq!(found["tokens"][0]["present"], true, "{found}");
    office.is_clean();
}
