//! Session credentials from outside: one caller is asked, all are served, each hand-out is a line.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod harness;

use harness::{Agent, Events, identity, sign, use_of};
use serde_json::{Value, json};

const TOKEN_FORM: &str = "Action=GetSessionToken&DurationSeconds=3600&Version=2011-06-15";

fn with_key() -> Agent {
    Agent::start().with_record("root", |meta| meta["policy"] = json!(["root-only-tasks", "session"]))
}

fn ask(agent: &Agent) -> Events {
    let request = json!({
        "version":1, "key":"root", "host":"sts.us-east-1.amazonaws.com", "duration":3600,
        "mfa_serial":null, "reason":"to see",
    });
    agent.stream("/v1/sessions", &request)
}

fn lease(events: &mut Events) -> String {
    events.until("ask")["lease"].as_str().unwrap().to_owned()
}

fn credentials() -> Value {
    let ends = time::OffsetDateTime::now_utc() + time::Duration::hours(1);
    let ends = ends.format(&time::format_description::well_known::Rfc3339).unwrap();
    json!({"credentials":{"aws_request_id":"b5a1-played","credentials":{
        "access_key_id":"ASIAIOSFODNN7EXAMPLE","secret_access_key":"played","session_token":"played",
        "expiration":ends,"account_id":"123456789012",
    }}})
}

#[test]
fn one_is_asked_and_all_are_served() {
    let agent = with_key();
    let mut asked = ask(&agent);
    let lease = lease(&mut asked);
    let mut waiting: Vec<Events> = (0..9).map(|_| ask(&agent)).collect();
    for events in &mut waiting {
        assert_eq!(events.next().unwrap()["event"], "waiting");
    }
    agent.signer_is("signs");
    let mut request = use_of("root", &sign(TOKEN_FORM));
    request["lease"] = json!(lease);
    let mut events = agent.stream("/v1/uses", &request);
    assert_eq!(agent.answer_all(&mut events)["event"], "signed");
    let path = format!("/v1/sessions/{lease}");
    assert_eq!(agent.call("POST", &path, Some(&credentials())).0, 200);
    assert!(agent.call("POST", &path, Some(&credentials())).0 >= 400, "a lease is for once");
    waiting.push(asked);
    for mut events in waiting {
        let session = events.last();
        assert_eq!(
            (&session["event"], &session["access_key_id"]),
            (&json!("session"), &json!("ASIAIOSFODNN7EXAMPLE"))
        );
    }
    assert_eq!(ask(&agent).next().unwrap()["event"], "session", "it is kept");
    let lines = agent.audit();
    let vends: Vec<&Value> = lines.iter().filter(|line| line["phase"] == "vend").collect();
    assert_eq!(vends.len(), 11);
    assert!(vends.iter().all(|line| line["session_key_id"] == "ASIAIOSFODNN7EXAMPLE"));
    assert!(lines.iter().any(|line| line["aws_request_id"] == "b5a1-played"));

    let (_, forgotten) = agent.call("DELETE", "/v1/sessions/root", None);
    assert_eq!(forgotten["sessions"][0]["access_key_id"], "ASIAIOSFODNN7EXAMPLE");
    assert_eq!(ask(&agent).next().unwrap()["event"], "ask", "it is forgotten");
}

#[test]
fn a_refused_use_answers_all_who_wait() {
    let agent = with_key();
    let mut asked = ask(&agent);
    let lease = lease(&mut asked);
    let mut other = ask(&agent);
    other.until("waiting");
    agent.signer_is("refuses");
    let mut request = use_of("root", &sign(TOKEN_FORM));
    request["lease"] = json!(lease);
    let mut events = agent.stream("/v1/uses", &request);
    assert_eq!(agent.answer_all(&mut events)["error"]["code"], "pin_failed");
    for mut events in [asked, other, ask(&agent)] {
        assert_eq!(events.last()["error"]["code"], "pin_failed");
    }
}

#[test]
fn when_the_asked_one_goes_away_the_next_is_asked() {
    let agent = with_key();
    let mut asked = ask(&agent);
    let gone = lease(&mut asked);
    let mut next = ask(&agent);
    next.until("waiting");
    drop(asked);
    assert_ne!(lease(&mut next), gone);
    let late = agent.call("POST", &format!("/v1/sessions/{gone}"), Some(&credentials()));
    assert!(late.0 >= 400, "a lease ends with its connection");
}

#[test]
fn a_lease_is_for_its_request_only() {
    let agent = with_key();
    let mut asked = ask(&agent);
    let mut request = use_of("root", &identity());
    request["lease"] = json!(lease(&mut asked));
    assert_eq!(agent.stream("/v1/uses", &request).code(), "bad_request");
    assert_eq!(agent.last_line("outcome")["code"], "bad_request");
}

#[test]
fn what_was_handed_out_under_the_old_record_does_not_outlive_it() {
    let agent = with_key();
    let mut asked = ask(&agent);
    let path = format!("/v1/sessions/{}", lease(&mut asked));
    assert_eq!(agent.call("POST", &path, Some(&credentials())).0, 200);
    assert_eq!(agent.call("DELETE", "/v1/keys/root?lost", None).0, 200);
    assert_eq!(agent.call("GET", "/v1/status", None).1["counts"]["sessions"], 0);
}
