//! The commands around the keys: what they ask of the agent, and what they print.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod desk;
mod stub;

use desk::{Vault, key};
use serde_json::{Value, json};
use std::process::Output;
use std::sync::Arc;
use stub::{StubAgent, signet, with_stdin};

fn desk() -> (Arc<Vault>, StubAgent) {
    let vault = Vault::new(vec![key("prod", "root", &json!("123456789012"))], true);
    let agent = vault.agent();
    (vault, agent)
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

fn lines(agent: &StubAgent) -> Vec<String> {
    agent.requests().into_iter().map(|(line, _)| line).collect()
}

#[test]
fn list_has_the_members_of_the_contract_and_no_others() {
    let (_, agent) = desk();
    let told = json_of(&agent.signet(&["list", "-o", "json"]).output().unwrap());
    let members: Vec<&str> = told["keys"][0].as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = [
        "name",
        "kind",
        "account",
        "partition",
        "access_key_id",
        "custody",
        "tokens",
        "factors",
        "policy",
        "mfa_serial",
        "created",
        "epoch",
        "last_used",
        "rotate",
    ];
    expected.sort_unstable();
    let mut found = members;
    found.sort_unstable();
    assert_eq!(found, expected);
    let text = agent.signet(&["ls"]).output().unwrap();
    let table = String::from_utf8_lossy(&text.stdout);
    assert!(table.contains("prod  root  123456789012"), "{table}");
    assert!(table.contains("  sealed to the token  42  "), "{table}");
}

#[test]
fn a_key_that_is_refused_is_told_and_hides_no_other() {
    let (vault, agent) = desk();
    vault.refused.lock().unwrap().push("broken");
    let warning = "signet: warning: key broken is refused: the record of broken was changed";
    for command in [&["list"][..], &["show", "prod"]] {
        let text = agent.signet(command).output().unwrap();
        assert!(text.status.success() && String::from_utf8_lossy(&text.stdout).contains("prod"), "{text:?}");
        assert!(String::from_utf8_lossy(&text.stderr).contains(warning), "{text:?}");
        let told = json_of(&agent.signet(command).args(["-o", "json"]).output().unwrap());
        assert_eq!(told["refused"][0]["name"], "broken", "{told}");
        assert_eq!(told["refused"][0]["error"]["code"], "rollback", "{told}");
    }
    for command in [&["show", "broken"][..], &["exec", "broken", "--", "true"]] {
        let output = agent.signet(command).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(77), "{output:?}");
        assert!(told.contains("error: the record of broken was changed"), "{told}");
        assert!(!told.contains("warning"), "it is told once: {told}");
    }
    let add = ["add", "broken", "--kind", "root", "--stdin", "--no-factor"];
    let output = with_stdin(agent.signet(&add), "");
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is a key named broken already"));
}

#[test]
fn token_list_has_the_members_of_the_contract_and_no_others() {
    let (vault, agent) = desk();
    let told = json_of(&agent.signet(&["token", "list", "-o", "json"]).output().unwrap());
    let mut token = vault.token();
    token.as_object_mut().unwrap().remove("recipient");
    assert_eq!(told, json!({"version": 1, "tokens": [token]}));
}

#[test]
fn show_and_factor_list_tell_what_is_known() {
    let (_, agent) = desk();
    assert_eq!(
        json_of(&agent.signet(&["show", "prod", "-o", "json"]).output().unwrap())["key"]["name"],
        "prod"
    );
    let text = agent.signet(&["show", "prod"]).output().unwrap();
    let custody = "custody: sealed to the token; in one signer process for milliseconds a use\n";
    assert!(String::from_utf8_lossy(&text.stdout).contains(custody), "{text:?}");
    assert_eq!(agent.signet(&["show", "other"]).output().unwrap().status.code(), Some(77));
    assert_eq!(agent.signet(&["show", "../x"]).output().unwrap().status.code(), Some(2));
    let told = json_of(&agent.signet(&["factor", "list", "-o", "json"]).output().unwrap());
    assert_eq!(told["factors"][0]["key"], "prod");
    assert_eq!(told["factors"][0]["id"], "totp-1");
}

#[test]
fn remove_asks_first_and_is_a_use() {
    let (_, agent) = desk();
    let output = agent.signet(&["remove", "prod", "--no-prompt"]).output().unwrap();
    assert_eq!(output.status.code(), Some(77));
    assert!(String::from_utf8_lossy(&output.stderr).contains("signet: hint: signet remove prod --yes"));
    let output =
        agent.signet(&["rm", "prod"]).env("SIGNET_ASKPASS", agent.askpass("exit 1")).output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(!lines(&agent).contains(&"post /v1/uses".to_owned()));
    assert!(agent.signet(&["remove", "prod", "--yes"]).output().unwrap().status.success());
    let used = agent.requests().into_iter().find(|(line, _)| line == "post /v1/uses").unwrap();
    assert_eq!(used.1["act"], json!({"remove": {}}));
}

#[test]
fn a_lost_key_is_removed_without_a_token() {
    let (_, agent) = desk();
    assert!(agent.signet(&["remove", "prod", "--lost", "--yes"]).output().unwrap().status.success());
    // it looks first, for what it should say of the tokens that hold the key
    assert_eq!(lines(&agent), ["get /v1/keys", "delete /v1/keys/prod?lost"]);
}

#[test]
fn forget_names_what_was_dropped() {
    let (_, agent) = desk();
    assert!(agent.signet(&["forget"]).output().unwrap().status.success());
    assert!(agent.signet(&["forget", "prod"]).output().unwrap().status.success());
    assert_eq!(lines(&agent), ["delete /v1/sessions", "delete /v1/sessions/prod"]);
}

#[test]
fn policy_takes_presets_and_files_and_nothing_else() {
    let (_, agent) = desk();
    let file = agent.dir.path().join("mine.toml");
    std::fs::write(&file, "version = 1\n").unwrap();
    let file = file.display().to_string();
    let output = agent.signet(&["policy", "set", "prod", "sessions"]).output().unwrap();
    assert_eq!(output.status.code(), Some(77));
    let output = agent.signet(&["policy", "set", "prod", "session", &file]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let used = agent.requests().into_iter().find(|(line, _)| line == "post /v1/uses").unwrap();
    let rules = json!({"name": "mine.toml", "rule": [{"allow": ["sts:*"]}]});
    assert_eq!(used.1["act"], json!({"set_policy": {"policy": ["session", rules]}}));
    assert!(agent.signet(&["policy", "check", &file]).output().unwrap().status.success());
    let told = json_of(&agent.signet(&["policy", "presets", "-o", "json"]).output().unwrap());
    assert_eq!(told["presets"].as_array().unwrap().len(), 3);
}

#[test]
fn explain_asks_without_any_use() {
    let (_, agent) = desk();
    let message = "POST / HTTP/1.1\r\nhost: sts.us-east-1.amazonaws.com\r\ncontent-length: 0\r\n\r\n";
    let output = with_stdin(agent.signet(&["policy", "explain", "prod", "-o", "json"]), message);
    assert_eq!(json_of(&output)["allowed"], true);
    let (line, body) = agent.requests().remove(0);
    assert_eq!(line, "post /v1/policy/explain");
    assert_eq!(body["act"]["sign"]["service"], "sts");
    let message = message.replace("sts.us-east-1.amazonaws.com", "127.0.0.1:1");
    assert_eq!(with_stdin(agent.signet(&["policy", "explain", "prod"]), &message).status.code(), Some(2));
}

#[test]
fn a_factor_with_a_typed_seed_answers_the_signers_question() {
    let vault = Vault::new(vec![], true);
    let seen: Arc<std::sync::Mutex<Vec<u8>>> = Arc::default();
    let kept = Arc::clone(&seen);
    let agent = StubAgent::new(move |session| {
        session.accept();
        let seed = session.ask(signet_protocol::PromptKind::TotpSeed, None, None).unwrap();
        *kept.lock().unwrap() = seed;
        session.say(&json!({"event": "done", "managed": null}));
    });
    drop(vault);
    let askpass = agent.askpass(r#"echo "$SIGNET_PROMPT" >> "$DIR/asked"; echo "gezd gnbv gy3t qojq""#);
    let args = ["factor", "add", "totp", "--key", "prod", "--label", "phone"];
    let output = agent.signet(&args).env("SIGNET_ASKPASS", askpass).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(*seen.lock().unwrap(), b"GEZDGNBVGY3TQOJQ");
    assert_eq!(agent.read("asked"), "totp-seed\n", "the seed is asked for once");
    assert_eq!(agent.requests()[0].1["act"], json!({"add_totp": {"label": "phone"}}));
}

#[test]
fn init_takes_the_only_token_and_refuses_a_vault_that_has_one() {
    let (_, agent) = desk();
    let output = agent.signet(&["init", "--yes"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("signet: hint: signet token enrol"));
    assert_eq!(lines(&agent), ["get /v1/tokens"]);
}

#[test]
fn init_asks_which_of_several_and_never_guesses() {
    let (vault, _) = desk();
    let token = vault.token();
    let agent = StubAgent::new(move |session| match session.line.as_str() {
        "get /v1/status" => {
            let mut status = desk::status();
            status["kinds"] = json!(["yubikey-piv"]);
            session.say(&status);
        }
        "get /v1/tokens" => {
            let bare = |serial: &str| {
                json!({"serial": serial, "kind": "yubikey-piv", "label": "", "slot": null, "spki_sha256": null,
                    "firmware": "5.7.1", "attested": null, "present": true})
            };
            session.say(&json!({"version": 1, "tokens": [bare("1"), bare("2")]}));
        }
        "post /v1/tokens" => {
            session.accept();
            let mut made = token["recipient"].clone();
            made["firmware"] = "5.7.1".into();
            made["attested"] = true.into();
            made["policies"] = "metadata".into();
            made["enrolled"] = "2026-11-22T17:03:41Z".into();
            let managed = json!({"managed": "enrolled", "token": made, "warnings": ["careful"]});
            session.say(&json!({"event": "done", "managed": managed}));
        }
        other => panic!("{other}"),
    });
    assert_eq!(agent.signet(&["init", "--yes"]).output().unwrap().status.code(), Some(2));
    let askpass = agent.askpass(r#"case $1 in *"token 1?"*) exit 1;; esac"#);
    let output = agent.signet(&["init"]).env("SIGNET_ASKPASS", askpass).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let (_, body) = agent.requests().pop().unwrap();
    assert_eq!((&body["act"]["act"], &body["act"]["serial"]), (&json!("enrol"), &json!("2")));
    assert!(String::from_utf8_lossy(&output.stdout).contains(&vault.fingerprint()));
    assert!(String::from_utf8_lossy(&output.stderr).contains("signet: warning: careful"));
}

#[test]
fn status_tells_both_versions_and_doctor_finds_a_key_in_plain_text() {
    let (_, agent) = desk();
    let told = json_of(&agent.signet(&["status", "-o", "json"]).output().unwrap());
    assert_eq!(told["agent_version"], told["cli_version"]);
    let socket = agent.dir.path().join("agent.sock");
    assert_eq!(told["cli_socket"]["path"], socket.to_str().unwrap());
    assert_eq!(told["cli_socket"]["origin"], "environment");
    let text = agent.signet(&["status"]).output().unwrap();
    let text = String::from_utf8_lossy(&text.stdout);
    for line in [
        format!("signet: {}", env!("CARGO_PKG_VERSION")),
        format!("signet-agent: {}", env!("CARGO_PKG_VERSION")),
        format!("socket in force: {} (SIGNET_SOCK names it)", socket.display()),
        "agent's socket: /s".to_owned(),
        "state: /nonexistent/state".to_owned(),
        "config: none, defaults are in force".to_owned(),
        "policy: none".to_owned(),
        "kinds of token: software".to_owned(),
        "extra hosts: 127.0.0.1:4566".to_owned(),
        "audit anchor: none".to_owned(),
        "hardening: no core dumps: on".to_owned(),
        "hardening: memory locked: off (the limit of locked memory is 8192 KiB)".to_owned(),
    ] {
        assert!(text.lines().any(|told| told == line), "{line} is not in\n{text}");
    }
    std::fs::create_dir(agent.dir.path().join(".aws")).unwrap();
    std::fs::write(agent.dir.path().join(".aws/credentials"), "[a]\naws_access_key_id = AKIAX\n").unwrap();
    // nobody listens there: the clock is not compared with that of the real AWS
    let mut doctor = agent.signet(&["doctor", "-o", "json"]);
    let output = doctor.env("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let found = json_of(&output);
    let checks: Vec<&str> =
        found["findings"].as_array().unwrap().iter().map(|it| it["check"].as_str().unwrap()).collect();
    assert!(checks.contains(&"plaintext") && checks.contains(&"keys"), "{found}");
    assert_eq!(found["error"]["code"], "failed_check");
}

#[test]
fn doctor_and_completion_need_no_agent() {
    let home = tempfile::tempdir().unwrap();
    let output = signet(&["doctor"])
        .env("HOME", home.path())
        .env("SIGNET_SOCK", "/nonexistent/s")
        .env("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("wrong    agent: no agent at /nonexistent/s"));
    for shell in ["bash", "zsh", "fish"] {
        let output = signet(&["completion", shell]).output().unwrap();
        assert!(
            output.status.success() && String::from_utf8_lossy(&output.stdout).contains("credential-process")
        );
    }
}
