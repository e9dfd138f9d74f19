//! FIDO2 factors: what is asked of the agent and in which order, what a person is told, and what is sealed.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod desk;
mod stub;

use desk::{Vault, credential, key};
use serde_json::{Value, json};
use signet_protocol::PromptKind;
use std::process::Output;
use std::sync::Arc;
use stub::{StubAgent, with_stdin};

/// A key that one authenticator approves.
fn approved_key() -> Value {
    let mut key = key("prod", "root", &json!("123456789012"));
    let factor = json!({"id": "fido2-1", "kind": "fido2", "label": "office", "created": "2026-01-01T00:00:00Z",
        "credential": credential("b2xk")});
    key["factors"].as_array_mut().unwrap().push(json!("fido2-1"));
    key["factor_details"].as_array_mut().unwrap().push(factor);
    key["touches"] = json!(2);
    key
}

fn desk(key: Value) -> (Arc<Vault>, StubAgent) {
    let vault = Vault::new(vec![key], true);
    let agent = vault.agent();
    (vault, agent)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn bodies(agent: &StubAgent, line: &str) -> Vec<Value> {
    agent
        .requests()
        .into_iter()
        .filter(|(asked, _)| asked == line)
        .map(|(_, body)| body["act"].clone())
        .collect()
}

#[test]
fn the_authenticator_comes_first_and_those_that_are_enrolled_are_left_out() {
    let (_, agent) = desk(approved_key());
    let args = ["factor", "add", "fido2", "--key", "prod", "--label", "safe"];
    let output = agent.signet(&args).output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    let lines: Vec<String> = agent.requests().into_iter().map(|(line, _)| line).collect();
    assert_eq!(lines, ["get /v1/keys", "post /v1/tokens", "post /v1/uses"]);
    let asked = json!({"act": "credential", "key": "prod", "exclude": ["b2xk"]});
    assert_eq!(bodies(&agent, "post /v1/tokens"), [asked]);
    let added = json!({"add_fido2": {"label": "safe", "credential": credential("bmV3")}});
    assert_eq!(bodies(&agent, "post /v1/uses"), [added]);
    let said: Vec<String> = said(&output).lines().map(str::to_owned).collect();
    assert_eq!(
        said,
        [
            "signet: first the authenticator that is to approve: its pin and its touch; then the token of prod",
            "signet: Example FIDO Reader 00 00 is enrolled, verified by pin or biometry",
            "signet: warning: no pin is set",
            "signet: any one of the 2 authenticators of prod now approves a use",
        ]
    );
}

#[test]
fn programs_get_the_credential() {
    let (_, agent) = desk(key("prod", "root", &json!(null)));
    let output = agent.signet(&["factor", "add", "fido2", "--key", "prod", "-o", "json"]).output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        told,
        json!({"version": 1, "key": "prod", "device": "Example FIDO Reader 00 00",
            "credential": credential("bmV3"), "warnings": ["no pin is set"]})
    );
    let told: Value =
        serde_json::from_slice(&agent.signet(&["show", "prod", "-o", "json"]).output().unwrap().stdout)
            .unwrap();
    assert!(told["key"]["factor_details"][0].get("credential").is_none(), "{told}");
}

#[test]
fn nothing_is_asked_of_an_authenticator_for_nothing() {
    let (_, agent) = desk(approved_key());
    let output = agent.signet(&["factor", "add", "fido2", "--key", "other"]).output().unwrap();
    assert_eq!(output.status.code(), Some(77));
    let mut full = approved_key();
    let one = full["factor_details"][1].clone();
    full["factor_details"] = json!(vec![one; 8]);
    let (_, crowded) = desk(full);
    let output = crowded.signet(&["factor", "add", "fido2", "--key", "prod"]).output().unwrap();
    assert!(said(&output).contains("prod has 8 factors already"), "{output:?}");
    for agent in [agent, crowded] {
        assert_eq!(bodies(&agent, "post /v1/tokens"), [json!(null); 0]);
    }
}

#[test]
fn an_authenticator_that_refuses_leaves_the_key_as_it_is() {
    let keys = json!({"version": 1, "keys": [approved_key()], "refused": []});
    let agent = StubAgent::new(move |session| match session.line.as_str() {
        "get /v1/keys" => session.say(&keys),
        "post /v1/tokens" => {
            session.accept();
            assert_eq!(session.ask(PromptKind::FidoPin, None, Some(8)).unwrap(), b"0000");
            let token = json!({"serial": "", "label": "Example FIDO Reader"});
            session.say(&json!({"event": "touch", "n": 1, "of": 1, "token": token, "seconds": 30}));
            session.refuse("not_touched", "the authenticator was not touched");
        }
        other => panic!("{other}"),
    });
    let askpass = agent.askpass(r#"echo "$SIGNET_PROMPT: $1" >> "$DIR/asked"; echo 0000"#);
    let mut command = agent.signet(&["factor", "add", "fido2", "--key", "prod"]);
    let output = command.env("SIGNET_ASKPASS", askpass).output().unwrap();
    assert_eq!(output.status.code(), Some(75), "{output:?}");
    let asked = agent.read("asked");
    assert!(asked.starts_with("fido-pin: ") && asked.contains("(8 tries left)"), "{asked}");
    assert_eq!(bodies(&agent, "post /v1/uses"), [json!(null); 0]);
}

#[test]
fn factors_are_told_with_what_verifies_the_person() {
    let (_, agent) = desk(approved_key());
    let told: Value =
        serde_json::from_slice(&agent.signet(&["factor", "list", "-o", "json"]).output().unwrap().stdout)
            .unwrap();
    assert_eq!(told["factors"][1]["credential"], credential("b2xk"));
    let text = agent.signet(&["factor", "list"]).output().unwrap();
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[1], ["prod", "totp-1", "totp", "phone", "-", "-", "2026-01-01T00:00:00Z"]);
    let verified = ["prod", "fido2-1", "fido2", "office", "pin", "or", "biometry"];
    assert_eq!(rows[2][..7], verified, "{text}");
    let text = agent.signet(&["show", "prod"]).output().unwrap();
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    for line in [
        "a use takes: a pin, a one-time code, an approval by a fido2 key, 2 touches",
        "factor: fido2-1 (office), verified by pin or biometry, since 2026-01-01T00:00:00Z",
    ] {
        assert!(text.lines().any(|told| told == line), "{text}");
    }
}

#[test]
fn a_factor_goes_by_its_id() {
    let (_, agent) = desk(approved_key());
    assert!(
        agent.signet(&["factor", "remove", "fido2-1", "--key", "prod"]).output().unwrap().status.success()
    );
    assert_eq!(bodies(&agent, "post /v1/uses"), [json!({"remove_factor": {"id": "fido2-1"}})]);
}

#[test]
fn a_key_is_added_with_its_approver() {
    let vault = Vault::new(vec![], true);
    let agent = vault.agent();
    let args = ["add", "prod", "--stdin", "--kind", "root", "--fido2", "--no-verify"];
    let mut command = agent.signet(&args);
    command.env("SIGNET_ASKPASS", agent.askpass("exit 0"));
    let output = with_stdin(command, "AKIAIOSFODNN7EXAMPLE\nwJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\n");
    assert!(output.status.success(), "{output:?}");
    assert!(said(&output).contains("Example FIDO Reader 00 00 is enrolled"), "{output:?}");
    assert_eq!(
        bodies(&agent, "post /v1/tokens"),
        [json!({"act": "credential", "key": "prod", "exclude": []})]
    );
    let (meta, payload) = vault.added.lock().unwrap().clone().unwrap();
    let created = meta["created"].clone();
    let factor = json!({"id": "fido2-1", "kind": "fido2", "label": "", "created": created,
        "credential": credential("bmV3")});
    assert_eq!(meta["factors"], json!([factor]));
    assert_eq!(payload["totp_seed"], json!(null));
}
