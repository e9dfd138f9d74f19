//! `signet doctor` on set-ups that are broken in one way each: what it finds, what it says to type, and
//! that typing it helps.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod ready;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use ready::{NAME, Ready, document};
use serde_json::Value;
use signet_tests::harness::{Setup, Signet};
use signet_tests::pcsc::Pcscd;

/// What it finds; checked on the way: the exit code, the form, and a hint for everything that is not well.
#[track_caller]
fn look(signet: &Signet) -> Vec<Value> {
    let ran = signet.run(&["doctor", "-o", "json"]);
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
        let hint = it["hint"].as_str();
        assert_eq!(hint.is_none(), it["level"] == "ok", "{it}");
        assert!(hint.is_none_or(|hint| !hint.is_empty() && !hint.contains('\n')), "{it}");
    }
    findings
}

/// The one finding whose message has this in it.
#[track_caller]
fn one<'a>(findings: &'a [Value], part: &str) -> &'a Value {
    let found: Vec<&Value> =
        findings.iter().filter(|it| it["message"].as_str().unwrap().contains(part)).collect();
    assert_eq!(found.len(), 1, "{part:?} in {findings:#?}");
    found[0]
}

#[track_caller]
fn levels(findings: &[Value], check: &str) -> Vec<String> {
    let of = findings.iter().filter(|it| it["check"] == check);
    of.map(|it| it["level"].as_str().unwrap().to_owned()).collect()
}

/// Types the hint of a finding.
#[track_caller]
fn follow(signet: &Signet, finding: &Value) {
    let hint = finding["hint"].as_str().unwrap();
    let path = Path::new(env!("CARGO_BIN_EXE_test-askpass")).parent().unwrap();
    let line = format!("PATH={}:$PATH; {hint}", path.display());
    let _ = signet.begin(Path::new("sh"), &["-c", &line], b"").finish().ok();
}

fn write_aws_file(signet: &Signet, name: &str, text: &str) {
    fs::create_dir_all(signet.home().join(".aws")).unwrap();
    fs::write(signet.home().join(".aws").join(name), text).unwrap();
}

#[test]
fn a_set_up_that_works_has_warnings_and_nothing_wrong() {
    let ready = Ready::root();
    let findings = look(&ready);
    assert!(findings.iter().all(|it| it["level"] != "wrong"), "{findings:#?}");
    for check in ["agent", "pcscd", "prompt", "socket", "state", "profiles"] {
        assert_eq!(levels(&findings, check), ["ok"], "{check}");
    }
    assert_eq!(one(&findings, "prod is sealed to one token")["hint"], "signet token enrol");
    assert_eq!(one(&findings, "without a second factor")["hint"], "signet factor add totp --key prod");
    assert_eq!(one(&findings, "copied nowhere")["check"], "audit");
    let host = ready.aws.addr().to_string();
    assert_eq!(one(&findings, &host)["level"], "warning", "plain http is not passed over in silence");
    assert!(!ready.path("asked").exists(), "nobody was asked");
}

#[test]
fn a_key_that_is_sealed_to_two_tokens_is_not_complained_of() {
    let ready = Ready::root();
    let _ = ready.run(&["token", "enrol", "--kind", "software"]).ok();
    let add = ["add", "second", "--kind", "iam-user", "--stdin", "--no-verify"];
    let _ = ready.run_with(&add, b"AKIAIOSFODNN7EXAMPLE\nsecretsecretsecretsecretsecretsecretsecr\n").ok();
    let findings = look(&ready);
    assert_eq!(one(&findings, "second, sealed to 2 tokens")["level"], "ok");
    assert_eq!(one(&findings, "prod is sealed to one token")["level"], "warning");
}

#[test]
fn without_a_pcsc_service_it_says_how_to_get_one() {
    let pcscd = Pcscd::start();
    let signet = Signet::start(&Setup { kinds: &["yubikey-piv"], pcscd: Some(&pcscd), ..Setup::default() });
    let findings = look(&signet);
    assert_eq!(levels(&findings, "pcscd"), ["ok"]);
    assert_eq!(one(&findings, "no token is plugged in")["level"], "warning");
    let socket = pcscd.socket().display().to_string();
    drop(pcscd);
    let findings = look(&signet);
    let finding = one(&findings, &format!("no pc/sc service at {socket}"));
    assert_eq!((&finding["check"], &finding["level"]), (&"pcscd".into(), &"wrong".into()));
    assert!(finding["hint"].as_str().unwrap().contains("apt install pcscd"), "{finding}");
    assert_eq!(levels(&findings, "readers"), ["wrong"]);
}

#[test]
fn a_socket_and_a_vault_that_others_can_reach_are_wrong_and_the_hint_closes_them() {
    let ready = Ready::root();
    for (check, path, open, closed) in
        [("socket", ready.socket(), 0o666, 0o600), ("state", ready.state_dir(), 0o755, 0o700)]
    {
        fs::set_permissions(&path, fs::Permissions::from_mode(open)).unwrap();
        let findings = look(&ready);
        let finding = one(&findings, &format!("{} has mode {open:o}", path.display()));
        assert_eq!((&finding["check"], &finding["level"]), (&check.into(), &"wrong".into()));
        follow(&ready, finding);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, closed);
        assert_eq!(levels(&look(&ready), check), ["ok"]);
    }
}

#[test]
fn a_profile_that_would_win_is_named_with_file_and_line_and_the_hint_ends_it() {
    let ready = Ready::root();
    let _ = ready.run(&["configure", NAME]).ok();
    assert_eq!(levels(&look(&ready), "profiles"), ["ok"]);
    write_aws_file(
        &ready,
        "credentials",
        "[prod]\naws_access_key_id = AKIASTALE\naws_secret_access_key = stale\n",
    );
    let findings = look(&ready);
    let file = ready.home().join(".aws/credentials").display().to_string();
    let finding = one(&findings, &format!("aws_access_key_id in {file} line 2 wins"));
    assert_eq!(one(&findings, &format!("aws_secret_access_key in {file} line 3 wins"))["level"], "wrong");
    assert_eq!(
        one(&findings, &format!("an access key stands in plain text in {file} line 2"))["check"],
        "plaintext"
    );
    assert!(!findings.iter().any(|it| it.to_string().contains("stale\"")), "no secret is shown");
    follow(&ready, finding);
    let findings = look(&ready);
    assert!(findings.iter().all(|it| it["level"] != "wrong"), "{findings:#?}");
}

#[test]
fn keys_in_plain_text_are_found_in_every_usual_place() {
    let mut ready = Ready::root();
    write_aws_file(
        &ready,
        "credentials",
        "[old]\naws_access_key_id = AKIAOLD\naws_secret_access_key = x\n[short]\naws_access_key_id = ASIASHORT\n",
    );
    write_aws_file(&ready, "config", "[profile odd]\naws_access_key_id = AKIAODD\n");
    fs::create_dir(ready.home().join("Downloads")).unwrap();
    fs::write(ready.home().join("Downloads/rootkey.csv"), "").unwrap();
    ready.set_env("AWS_SECRET_ACCESS_KEY", "x");
    let findings = look(&ready);
    let old = one(&findings, ".aws/credentials line 2");
    assert_eq!(old["hint"], "signet add old --kind iam-user --aws-profile old");
    assert_eq!(one(&findings, ".aws/config line 2")["level"], "wrong");
    assert_eq!(one(&findings, "Downloads/rootkey.csv")["level"], "warning");
    let variable = one(&findings, "AWS_SECRET_ACCESS_KEY is set");
    assert_eq!(
        (&variable["level"], &variable["hint"]),
        (&"wrong".into(), &"unset AWS_SECRET_ACCESS_KEY".into())
    );
    assert!(
        !findings.iter().any(|it| it["message"].as_str().unwrap().contains("line 5")),
        "session keys pass"
    );
}

#[test]
fn without_an_agent_the_rest_is_still_looked_at() {
    let mut ready = Ready::root();
    ready.kill_agent();
    write_aws_file(&ready, "credentials", "[old]\naws_access_key_id = AKIAOLD\n");
    let findings = look(&ready);
    assert_eq!(levels(&findings, "agent"), ["wrong"]);
    assert_eq!(levels(&findings, "plaintext"), ["wrong"]);
    assert_eq!(levels(&findings, "prompt"), ["ok"]);
    assert!(levels(&findings, "keys").is_empty(), "nothing is guessed");
}

#[test]
fn with_nobody_to_ask_it_warns() {
    let mut ready = Ready::root();
    ready.set_env("SIGNET_ASKPASS", "relative/askpass");
    let findings = look(&ready);
    assert_eq!(levels(&findings, "prompt"), ["warning"]);
}

#[test]
fn people_read_the_same_in_lines() {
    let ready = Ready::root();
    fs::set_permissions(ready.socket(), fs::Permissions::from_mode(0o666)).unwrap();
    let ran = ready.run(&["doctor"]);
    let socket = ready.socket().display().to_string();
    let expected = format!(
        "wrong    socket: {socket} has mode 666; others can reach it\n         try: chmod 600 {socket}\n"
    );
    assert!(ran.stdout.contains(&expected), "{}", ran.stdout);
    assert!(ran.stdout.contains("\nok       state: "), "{}", ran.stdout);
    let said = ran.refused(1);
    assert_eq!(said, "signet: error: 1 thing is wrong here\n");
}
