//! A use from outside, with a signer whose every word is chosen: what gets out, what does not, what
//! the log says, and that no child outlives its use.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod harness;

use harness::{Agent, identity, sign, use_of, wait_for};
use serde_json::{Value, json};

/// The code that a use of `root` ends with.
fn refused(agent: &Agent, act: &Value) -> String {
    let mut events = agent.stream("/v1/uses", &use_of("root", act));
    if events.status != 200 {
        return events.code();
    }
    let last = agent.answer_all(&mut events);
    assert_eq!(last["event"], "refused", "{last}");
    last["error"]["code"].as_str().unwrap().to_owned()
}

#[test]
fn a_use_is_shown_asked_logged_and_signed() {
    let agent = Agent::start().with_key("root");
    agent.signer_is("signs");
    let mut events = agent.stream("/v1/uses", &use_of("root", &identity()));
    let accepted = events.next().unwrap();
    assert_eq!(accepted["action"], "sts:GetCallerIdentity");
    assert_eq!(accepted["host"], "sts.us-east-1.amazonaws.com");
    assert_eq!(accepted["account"], "123456789012");
    assert_eq!(accepted["warnings"].as_array().unwrap().len(), 1, "a software token is warned about");
    let intent = agent.last_line("intent");
    assert_eq!((&intent["key"], &intent["result"]), (&json!("root"), &json!(null)));
    let prompt = events.next().unwrap();
    assert_eq!((&prompt["event"], &prompt["number"]), (&json!("prompt"), &json!(1)));

    let id = accepted["id"].as_str().unwrap();
    assert_eq!(agent.answer(id, &json!(2)).0, 400, "another question");
    assert_eq!(agent.answer("0", &json!(1)).0, 400, "another use");
    assert_eq!(agent.answer(id, &json!(1)).0, 200);
    let signed = events.next().unwrap();
    assert_eq!(signed["event"], "signed");
    let headers = signed["headers"].as_array().unwrap();
    assert!(headers.contains(&json!(["authorization", "AWS4-HMAC-SHA256 played"])));
    assert!(headers.iter().any(|header| header[0] == "host"));
    assert_eq!(events.next(), None);
    assert_eq!(agent.answer(id, &json!(1)).0, 400, "the use is over");

    let outcome = agent.last_line("outcome");
    assert_eq!(outcome["seq"], signed["audit_seq"]);
    assert_eq!((&outcome["result"], &outcome["token"]), (&json!("signed"), &json!(harness::SERIAL)));
    assert_eq!(outcome["request_sha256"], intent["request_sha256"]);
    assert!(outcome["rule"].is_string());
    let (_, keys) = agent.call("GET", "/v1/keys", None);
    assert!(keys["keys"][0]["last_used"].is_string());
}

#[test]
fn refusals_before_a_token_is_asked_start_no_child_and_write_one_outcome() {
    let agent = Agent::start().with_key("root");
    // Were a signer started, the code would be `internal`.
    agent.signer_is("dies");
    let with = |edit: &dyn Fn(&mut Value)| {
        let mut act = identity();
        edit(&mut act["sign"]);
        act
    };
    let date = |date: &str| with(&|sign| sign["headers"] = json!([["x-amz-date", date]]));
    let cases = [
        ("denied", sign("Action=AssumeRole&Version=2011-06-15")),
        ("bad_request", with(&|sign| sign["url"] = json!("https://sts.evil.example/"))),
        ("bad_request", with(&|sign| sign["url"] = json!("http://sts.us-east-1.amazonaws.com/"))),
        ("bad_request", with(&|sign| sign["region"] = json!("eu-west-1"))),
        ("bad_request", with(&|sign| sign["service"] = json!("iam"))),
        ("bad_request", date("20200101T000000Z")),
        ("bad_request", date("yesterday")),
        ("bad_request", with(&|sign| sign["headers"] = json!([["a", "1"], ["A", "2"]]))),
        ("bad_request", with(&|sign| sign["headers"] = json!([["a", "1\r\nb: 2"]]))),
        (
            "bad_request",
            with(&|sign| sign["headers"] = json!([["x-amz-content-sha256", "UNSIGNED-PAYLOAD"]])),
        ),
        ("bad_request", with(&|sign| sign["headers"] = json!([["content-length", "1"]]))),
        ("bad_request", with(&|sign| sign["body"] = json!("not base64!"))),
        ("bad_request", with(&|sign| sign["body"] = json!(null))),
        ("bad_request", json!({"remove_factor":{"id":"totp-1"}})),
        ("bad_request", json!({"set_policy":{"policy":["no-such-preset"]}})),
        ("bad_request", json!({"add":{"record":"AAAA"}})),
    ];
    for (expected, act) in cases {
        let before = agent.audit().len();
        assert_eq!(refused(&agent, &act), expected, "{act}");
        let lines = agent.audit();
        assert_eq!(lines.len(), before + 1, "{act}");
        let line = &lines[before];
        assert_eq!((&line["phase"], &line["code"]), (&json!("outcome"), &json!(expected)), "{act}");
        assert_eq!((&line["result"], &line["token"]), (&json!("refused"), &json!(null)));
    }
    let mut leased = use_of("root", &identity());
    leased["lease"] = json!("of nobody");
    assert_eq!(agent.stream("/v1/uses", &leased).code(), "bad_request");
    assert_eq!(agent.stream("/v1/uses", &use_of("nobody", &identity())).code(), "bad_request");
}

#[test]
fn a_caller_who_cannot_ask_hears_what_the_token_says_and_is_asked_nothing() {
    let agent = Agent::start().with_key("root");
    let mut quiet = use_of("root", &identity());
    quiet["may_ask"] = json!(false);
    for (player, expected) in [("signs", "no_prompt"), ("misses", "token_absent")] {
        agent.signer_is(player);
        let mut events = agent.stream("/v1/uses", &quiet);
        assert_eq!(events.until("accepted")["event"], "accepted");
        let next = events.next().unwrap();
        assert_eq!((&next["event"], &next["error"]["code"]), (&json!("refused"), &json!(expected)));
        assert_eq!(agent.last_line("outcome")["code"], json!(expected));
        assert_eq!(agent.children(), [""; 0], "{player}");
    }
}

#[test]
fn a_signer_that_breaks_its_use_releases_nothing() {
    let agent = Agent::start().with_key("root");
    for player in ["skips", "strays", "babbles", "dies"] {
        agent.signer_is(player);
        assert_eq!(refused(&agent, &identity()), "internal", "{player}");
        let line = agent.last_line("outcome");
        assert_eq!((&line["result"], &line["code"]), (&json!("refused"), &json!("internal")), "{player}");
        assert_eq!(agent.children(), [""; 0], "{player}");
    }
    agent.signer_is("refuses");
    assert_eq!(refused(&agent, &identity()), "pin_failed");
    agent.signer_is("signs");
    let mut events = agent.stream("/v1/uses", &use_of("root", &identity()));
    assert_eq!(agent.answer_all(&mut events)["event"], "signed", "the next good use works");
}

#[test]
fn a_use_dies_with_its_connection_and_leaves_no_signer() {
    let agent = Agent::start().with_key("root");
    agent.signer_is("waits");
    let mut events = agent.stream("/v1/uses", &use_of("root", &identity()));
    let id = events.until("accepted")["id"].clone();
    let number = events.until("prompt")["number"].clone();
    agent.answer(id.as_str().unwrap(), &number);
    events.until("touch");
    assert_eq!(agent.children().len(), 1);
    drop(events);
    wait_for("the signer to be gone", || agent.children().is_empty());
    let line = agent.last_line("outcome");
    assert_eq!((&line["id"], &line["code"]), (&id, &json!("interrupted")));
}

#[test]
fn a_use_that_waits_for_an_answer_dies_with_its_connection_too() {
    let agent = Agent::start().with_key("root");
    agent.signer_is("signs");
    let mut events = agent.stream("/v1/uses", &use_of("root", &identity()));
    events.until("prompt");
    drop(events);
    wait_for("the signer to be gone", || agent.children().is_empty());
    assert_eq!(agent.last_line("outcome")["code"], "interrupted");
}

#[test]
fn the_time_for_a_use_is_limited() {
    let config = "[token]\nkinds = [\"software\"]\n[limits]\nuse = \"2s\"\n";
    let agent = Agent::start_with(config).with_key("root");
    agent.signer_is("waits");
    assert_eq!(refused(&agent, &identity()), "timeout");
    assert_eq!(agent.children(), [""; 0]);
    assert_eq!(agent.last_line("outcome")["code"], "timeout");
}

#[test]
fn a_busy_card_is_said() {
    let agent = Agent::start().with_key("root");
    agent.signer_is("stalls");
    let mut events = agent.stream("/v1/uses", &use_of("root", &identity()));
    let waiting = events.until("waiting");
    assert_eq!((&waiting["what"], &waiting["seconds"]), (&json!("card"), &json!(15)));
}

#[test]
fn one_use_at_a_time_for_a_token_and_the_next_sees_its_place() {
    let agent = Agent::start().with_key("root");
    agent.signer_is("signs");
    let mut first = agent.stream("/v1/uses", &use_of("root", &identity()));
    let id = first.until("accepted")["id"].clone();
    first.until("prompt");
    let mut second = agent.stream("/v1/uses", &use_of("root", &identity()));
    assert_eq!(second.until("queued")["place"], 1);
    assert_eq!(agent.children().len(), 1);
    agent.answer(id.as_str().unwrap(), &json!(1));
    assert_eq!(first.last()["event"], "signed");
    assert_eq!(second.next().unwrap()["event"], "prompt");
}

#[test]
fn stopping_refuses_what_is_open() {
    let mut agent = Agent::start().with_key("root");
    agent.signer_is("waits");
    let mut events = agent.stream("/v1/uses", &use_of("root", &identity()));
    events.until("prompt");
    assert_eq!(agent.stop(), 0);
    let last = events.last();
    assert_eq!((&last["event"], &last["error"]["code"]), (&json!("refused"), &json!("interrupted")));
    let agent = agent.again();
    let last = agent.audit().pop().unwrap();
    assert_eq!((&last["phase"], &last["code"]), (&json!("outcome"), &json!("interrupted")));
}

#[test]
fn wrong_codes_lock_the_factor_and_a_good_one_counts_once() {
    let totp = json!([{"id":"totp-1","kind":"totp","label":"","created":"2026-11-22T17:00:00Z"}]);
    let agent = Agent::start().with_record("root", |meta| meta["factors"] = totp);
    agent.signer_is("accepts");
    let mut events = agent.stream("/v1/uses", &use_of("root", &identity()));
    assert_eq!(agent.answer_all(&mut events)["event"], "signed");
    assert_eq!(agent.last_line("outcome")["factors"], json!(["totp"]));
    assert_ne!(refused(&agent, &identity()), "", "the same step again");
    agent.signer_is("signs");
    assert_eq!(refused(&agent, &identity()), "internal", "a signer that asked for no code");
    agent.signer_is("rejects");
    let codes: Vec<String> = (0..4).map(|_| refused(&agent, &identity())).collect();
    assert_eq!(codes.last().unwrap(), "factor_locked", "{codes:?}");
    let (_, answer) = agent.call("POST", "/v1/uses", Some(&use_of("root", &identity())));
    assert!(answer["error"]["retry_after"].as_u64().is_some_and(|seconds| seconds <= 30), "{answer}");
}

#[test]
fn a_record_is_stored_only_when_it_was_opened_and_a_key_removed_only_then() {
    let agent = Agent::start();
    agent.enrol();
    agent.signer_is("refuses");
    let record = agent.record("root", |_| {});
    assert_eq!(refused(&agent, &json!({"add":{"record":record}})), "pin_failed");
    assert_eq!(agent.call("GET", "/v1/keys", None).1["keys"], json!([]));
    let agent = agent.with_known_token("root", |_| {});
    let (status, refusal) = agent.call("DELETE", &format!("/v1/tokens/{}", harness::SERIAL), None);
    assert!(status >= 400, "a token that a record names: {refusal}");

    agent.signer_is("refuses");
    assert_eq!(refused(&agent, &json!({"remove":{}})), "pin_failed");
    assert_eq!(agent.call("GET", "/v1/keys", None).1["keys"][0]["name"], "root");
    agent.signer_is("opens");
    let mut events = agent.stream("/v1/uses", &use_of("root", &json!({"remove":{}})));
    assert_eq!(agent.answer_all(&mut events)["event"], "done");
    assert_eq!(agent.call("GET", "/v1/keys", None).1["keys"], json!([]));
    assert_eq!(agent.call("DELETE", &format!("/v1/tokens/{}", harness::SERIAL), None).0, 200);
    assert_eq!(agent.last_line("admin")["action"], "signet:RemoveToken");
}

#[test]
fn a_kind_that_is_not_named_any_more_is_not_offered() {
    let mut agent = Agent::start().with_key("root");
    agent.stop();
    std::fs::write(agent.folder().join("agent.toml"), "").unwrap();
    let agent = agent.again();
    assert_eq!(refused(&agent, &identity()), "unsupported");
}

#[test]
fn a_lost_key_goes_without_a_token_and_is_logged() {
    let agent = Agent::start().with_key("root");
    agent.signer_is("dies");
    assert_eq!(agent.call("DELETE", "/v1/keys/root?lost", None).0, 200);
    assert_eq!(agent.call("GET", "/v1/keys", None).1["keys"], json!([]));
    let line = agent.last_line("admin");
    assert_eq!((&line["key"], &line["result"]), (&json!("root"), &json!("done")));
    assert!(agent.call("DELETE", "/v1/keys/root?lost", None).0 >= 400, "it is gone");
}

#[test]
fn a_broken_record_is_refused_and_hides_no_other() {
    let agent = Agent::start().with_key("root").with_known_token("other", |_| {});
    let path = agent.folder().join("state/keys/root.age");
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    let header = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 2;
    bytes[header] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    agent.signer_is("signs");
    assert_eq!(refused(&agent, &identity()), "rollback");
    let (_, keys) = agent.call("GET", "/v1/keys", None);
    assert_eq!((&keys["keys"][0]["name"], &keys["keys"][1]), (&json!("other"), &json!(null)));
    assert_eq!(
        (&keys["refused"][0]["name"], &keys["refused"][0]["error"]["code"]),
        (&json!("root"), &json!("rollback"))
    );
    let mut events = agent.stream("/v1/uses", &use_of("other", &identity()));
    assert_eq!(agent.answer_all(&mut events)["event"], "signed");
}
