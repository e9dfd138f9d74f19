//! Several tokens for one key, from outside: added, dropped, verified, lost; and records that come back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod harness;

use harness::{Agent, SERIAL, after, base64, identity, played, prompt, sealed};
use serde_json::{Value, json};

const OTHER: &str = "soft-00000002";

fn outcome(result: &str, serial: &str, more: &[(&str, Value)]) -> Value {
    let mut outcome = json!({"event":"outcome","result":result,"token":played(serial),"code":"unchecked"});
    for (name, value) in more {
        outcome[*name] = value.clone();
    }
    outcome
}

/// A signer that asks for the passphrase of `serial` and reseals so.
fn reseals(agent: &Agent, serial: &str, meta: &Value) {
    let record = json!(base64(&sealed(meta)));
    let lines =
        [prompt(1, "passphrase", serial), json!("?"), outcome("resealed", serial, &[("record", record)])];
    agent.signer_says(&lines);
}

fn opens(agent: &Agent, serial: &str) {
    agent.signer_says(&[prompt(1, "passphrase", serial), json!("?"), outcome("opened", serial, &[])]);
}

fn code(answer: &Value) -> &str {
    answer["error"]["code"].as_str().unwrap_or("none")
}

fn reseal(add: &[&str], drop: &[&str]) -> Value {
    json!({"reseal":{"add":add,"drop":drop}})
}

/// A key that two tokens open.
fn with_two() -> Agent {
    let agent = Agent::start().with_key("root");
    let (_, another) = agent.enrol_another(OTHER);
    let mut next = agent.next("root");
    next["recipients"].as_array_mut().unwrap().push(another);
    reseals(&agent, SERIAL, &next);
    assert_eq!(agent.use_it("root", &reseal(&[OTHER], &[]))["event"], "done");
    agent
}

fn restart(mut agent: Agent) -> Agent {
    assert_eq!(agent.stop(), 0);
    agent.again()
}

#[test]
fn a_token_is_added_and_another_dropped_which_marks_the_key() {
    let agent = with_two();
    let order = &agent.heard()[0];
    assert_eq!(order["tokens"], json!([SERIAL]), "the one that is added cannot open yet");
    let key = agent.key("root");
    assert_eq!(
        (&key["tokens"], &key["epoch"], &key["rotate"]),
        (&json!([SERIAL, OTHER]), &json!(2), &json!(null))
    );
    assert_eq!(agent.last_line("outcome")["action"], "signet:Reseal");

    let mut next = agent.next("root");
    next["recipients"].as_array_mut().unwrap().remove(0);
    reseals(&agent, OTHER, &next);
    assert_eq!(agent.use_it("root", &reseal(&[], &[SERIAL]))["event"], "done");
    assert_eq!(agent.heard()[0]["tokens"], json!([OTHER]), "the dropped one is not asked for");
    let key = agent.key("root");
    assert_eq!((&key["tokens"], &key["epoch"]), (&json!([OTHER]), &json!(3)));
    assert!(key["rotate"].as_str().unwrap().contains(&format!("token {SERIAL} was dropped")));

    assert_eq!(agent.call("POST", "/v1/keys/root/rotated", None).0, 200);
    let line = agent.last_line("admin");
    assert_eq!((&line["action"], &line["result"]), (&json!("signet:Rotated"), &json!("done")));
    let agent = restart(agent);
    assert_eq!(agent.key("root")["rotate"], json!(null));
    assert_eq!(agent.call("POST", "/v1/keys/nobody/rotated", None).0, 400);
}

#[test]
fn tokens_that_cannot_be_added_or_dropped_are_refused_before_anybody_is_asked() {
    let agent = with_two();
    agent.signer_is("dies");
    for (add, drop) in [
        (&[][..], &[][..]),
        (&["soft-ffffffff"], &[]),
        (&[OTHER], &[]),
        (&[], &["soft-ffffffff"]),
        (&[], &[SERIAL, OTHER]),
        (&[], &[OTHER, OTHER]),
        (&[OTHER], &[OTHER]),
    ] {
        let answer = agent.use_it("root", &reseal(add, drop));
        assert_eq!(code(&answer), "bad_request", "{add:?} {drop:?}: {answer}");
        assert!(answer["error"]["hint"].as_str().unwrap().starts_with("signet "), "{answer}");
    }
    assert_eq!(agent.key("root")["epoch"], 2);
}

#[test]
fn a_signer_that_reseals_to_others_than_it_was_told_changes_nothing() {
    let agent = with_two();
    let before = agent.key("root");
    let good = agent.next("root");
    let spoilt: [fn(&mut Value); 4] = [
        |_| {},
        |meta| drop(meta["recipients"].as_array_mut().unwrap().remove(1)),
        |meta| meta["policy"] = json!(["session"]),
        |meta| meta["epoch"] = json!(9),
    ];
    for (number, spoil) in spoilt.into_iter().enumerate() {
        let mut meta = good.clone();
        spoil(&mut meta);
        reseals(&agent, OTHER, &meta);
        assert_eq!(agent.use_it("root", &reseal(&[], &[SERIAL]))["event"], "refused", "{number}");
        assert_eq!(agent.key("root"), before, "{number}");
    }
}

#[test]
fn a_token_is_verified_without_a_code_and_the_day_is_kept() {
    let totp = json!([{"id":"totp-1","kind":"totp","label":"","created":"2026-11-22T17:00:00Z"}]);
    let agent = Agent::start().with_record("root", |meta| meta["factors"] = totp);
    opens(&agent, SERIAL);
    assert_eq!(agent.use_it("root", &json!({"verify":{"token":SERIAL}}))["event"], "done");
    let order = &agent.heard()[0];
    assert_eq!((&order["act"], &order["tokens"]), (&json!({"act":"verify"}), &json!([SERIAL])));
    let line = agent.last_line("outcome");
    assert_eq!(
        (&line["action"], &line["result"], &line["token"]),
        (&json!("signet:Verify"), &json!("done"), &json!(SERIAL))
    );
    let key = agent.key("root");
    assert!(key["verified"][SERIAL].is_string(), "{key}");
    assert_eq!(key["last_used"], json!(null), "a proof is no use of the key");
    assert_eq!(code(&agent.use_it("root", &json!({"verify":{"token":OTHER}}))), "bad_request");
    // Another token than the one that was to prove something proves nothing.
    opens(&agent, OTHER);
    assert_eq!(code(&agent.use_it("root", &json!({"verify":{"token":SERIAL}}))), "internal");
}

#[test]
fn a_lost_token_is_refused_everywhere_and_the_loss_can_be_told_again() {
    let agent = with_two();
    let path = format!("/v1/tokens/{OTHER}/lost");
    assert_eq!(agent.call("POST", "/v1/tokens/soft-ffffffff/lost", None).0, 400, "nobody knows it");
    let (status, lost) = agent.call("POST", &path, None);
    assert_eq!((status, &lost["serial"], &lost["refused"]), (200, &json!(OTHER), &json!([])));
    assert_eq!(lost["keys"][0]["key"]["name"], "root");
    assert!(lost["keys"][0]["key"]["rotate"].as_str().unwrap().contains(&format!("token {OTHER} was lost")));
    assert_eq!(lost["keys"][0]["others"], json!([{"serial":SERIAL,"label":"played"}]));
    let line = agent.last_line("admin");
    assert_eq!(
        (&line["action"], &line["token"], &line["result"]),
        (&json!("signet:LoseToken"), &json!(OTHER), &json!("done"))
    );

    let agent = restart(agent);
    let (_, tokens) = agent.call("GET", "/v1/tokens", None);
    let seen: Vec<bool> =
        tokens["tokens"].as_array().unwrap().iter().map(|token| token["lost"].is_string()).collect();
    assert_eq!(seen, [false, true]);
    // Not offered, not accepted, not added, not verified, not enrolled.
    agent.signer_says(&[
        prompt(1, "passphrase", SERIAL),
        json!("?"),
        outcome("signed", OTHER, &[("authorization", json!("AWS4-HMAC-SHA256 played"))]),
    ]);
    assert_eq!(code(&agent.use_it("root", &identity())), "internal", "a token that was not offered");
    assert_eq!(agent.heard()[0]["tokens"], json!([SERIAL]));
    assert_eq!(code(&agent.use_it("root", &json!({"verify":{"token":OTHER}}))), "denied");
    let agent = agent.with_known_token("second", |_| {});
    assert_eq!(code(&agent.use_it("second", &reseal(&[OTHER], &[]))), "denied");
    let (status, refused) = agent.enrol_another(OTHER);
    assert!(status >= 400 && code(&refused) == "denied", "{refused}");

    assert_eq!(agent.call("POST", "/v1/keys/root/rotated", None).0, 200);
    let (status, again) = agent.call("POST", &path, None);
    assert_eq!((status, &again["keys"][0]["key"]["rotate"]), (200, &json!(null)), "it was rotated");
    assert_eq!(again["keys"].as_array().unwrap().len(), 1, "it does not open the second key");
    // With the last one lost too nothing is left to use the key with.
    let (_, lost) = agent.call("POST", &format!("/v1/tokens/{SERIAL}/lost"), None);
    assert_eq!(lost["keys"][0]["others"], json!([]));
    let answer = agent.use_it("root", &identity());
    assert_eq!(code(&answer), "denied");
    assert!(answer["error"]["message"].as_str().unwrap().contains("was lost on"), "{answer}");
}

#[test]
fn a_lost_token_that_was_dropped_is_told_of_until_the_key_is_rotated() {
    let agent = with_two();
    let path = format!("/v1/tokens/{OTHER}/lost");
    assert_eq!(agent.call("POST", &path, None).0, 200);
    let mut next = agent.next("root");
    next["recipients"].as_array_mut().unwrap().remove(1);
    reseals(&agent, SERIAL, &next);
    assert_eq!(agent.use_it("root", &reseal(&[], &[OTHER]))["event"], "done");
    let (_, lost) = agent.call("POST", &path, None);
    assert_eq!(lost["keys"][0]["key"]["name"], "root", "old copies of the record open with it: {lost}");
    assert_eq!(agent.call("POST", "/v1/keys/root/rotated", None).0, 200);
    let (_, lost) = agent.call("POST", &path, None);
    assert_eq!(lost["keys"], json!([]));
}

#[test]
fn a_token_that_is_lost_while_it_is_asked_releases_nothing() {
    let agent = with_two();
    agent.signer_is("signs");
    let mut events = agent.stream("/v1/uses", &harness::use_of("root", &identity()));
    let id = events.until("accepted")["id"].clone();
    let number = events.until("prompt")["number"].clone();
    assert_eq!(agent.call("POST", &format!("/v1/tokens/{SERIAL}/lost"), None).0, 200);
    agent.answer(id.as_str().unwrap(), &number);
    assert_eq!(code(&events.last()), "denied");
    let line = agent.last_line("outcome");
    assert_eq!((&line["result"], &line["code"]), (&json!("refused"), &json!("denied")));
}

#[test]
fn a_rehearsal_is_kept_where_the_account_is_the_one_that_is_known() {
    let agent = Agent::start().with_key("root");
    let drilled = |account: &str| {
        agent.call("POST", "/v1/keys/root/drilled", Some(&json!({"version":1,"account":account})))
    };
    assert_eq!(drilled("12").0, 400);
    assert_eq!(code(&drilled("210987654321").1), "bad_request");
    assert_eq!(agent.key("root")["drilled"], json!(null));
    assert_eq!(drilled("123456789012").0, 200);
    assert!(agent.key("root")["drilled"].is_string());
    let line = agent.last_line("admin");
    assert_eq!((&line["action"], &line["account"]), (&json!("signet:Drilled"), &json!("123456789012")));
}

#[test]
fn a_record_without_state_comes_back_once_and_the_log_says_so() {
    let elsewhere = Agent::start().with_key("root");
    let backup = std::fs::read(elsewhere.folder().join("state/keys/root.age")).unwrap();
    let restore = json!({"restore":{"record":base64(&backup)}});
    let agent = Agent::start();
    let (_, status) = agent.call("GET", "/v1/status", None);
    let mut meta = after(&backup);
    meta["vault_id"] = status["vault_id"].clone();

    // Not without the token, nor under another name, nor as something else.
    agent.signer_is("refuses");
    assert_eq!(code(&agent.use_it("root", &restore)), "pin_failed");
    assert_eq!(code(&agent.use_it("other", &restore)), "bad_request");
    reseals(&agent, SERIAL, &after(&backup));
    assert_eq!(agent.use_it("root", &restore)["event"], "refused", "of the other vault still");
    assert_eq!(agent.call("GET", "/v1/keys", None).1["keys"], json!([]));
    assert_eq!(agent.call("GET", "/v1/status", None).1["counts"]["tokens"], 0);

    reseals(&agent, SERIAL, &meta);
    assert_eq!(agent.use_it("root", &restore)["event"], "done");
    let order = &agent.heard()[0];
    assert_eq!((&order["record"], &order["act"]["act"]), (&json!(base64(&backup)), &json!("reseal")));
    let line = agent.last_line("outcome");
    assert_eq!((&line["action"], &line["result"]), (&json!("signet:Restore"), &json!("restored")));
    let agent = restart(agent);
    let (_, tokens) = agent.call("GET", "/v1/tokens", None);
    let token = &tokens["tokens"][0];
    assert_eq!(
        (&token["serial"], &token["policies"], &token["attested"]),
        (&json!(SERIAL), &json!("restored"), &json!(false))
    );
    agent.signer_is("signs");
    assert_eq!(agent.use_it("root", &identity())["event"], "signed");
    assert_eq!(code(&agent.use_it("root", &restore)), "bad_request", "the name is taken");
    assert_eq!(agent.call("DELETE", "/v1/keys/root?lost", None).0, 200);
    assert_eq!(code(&agent.use_it("root", &restore)), "rollback");
}

#[test]
fn a_code_for_a_record_that_comes_back_is_counted_too() {
    let totp = json!([{"id":"totp-1","kind":"totp","label":"","created":"2026-11-22T17:00:00Z"}]);
    let elsewhere = Agent::start().with_record("root", |meta| meta["factors"] = totp);
    let backup = std::fs::read(elsewhere.folder().join("state/keys/root.age")).unwrap();
    let agent = Agent::start();
    agent.signer_is("rejects");
    let act = json!({"restore":{"record":base64(&backup)}});
    let codes: Vec<String> = (0..4).map(|_| code(&agent.use_it("root", &act)).to_owned()).collect();
    assert_eq!(codes, ["factor_failed", "factor_failed", "factor_failed", "factor_locked"]);
    let agent = restart(agent);
    assert_eq!(code(&agent.use_it("root", &act)), "factor_locked");
}

#[test]
fn a_state_older_than_the_log_is_refused_with_every_record_and_the_log_still_tells() {
    let mut agent = with_two();
    agent.stop();
    let state = agent.folder().join("state/state.json");
    let record = agent.folder().join("state/keys/root.age");
    let (old_state, old_record) = (std::fs::read(&state).unwrap(), std::fs::read(&record).unwrap());
    let mut agent = agent.again();
    let mut next = agent.next("root");
    next["recipients"].as_array_mut().unwrap().remove(0);
    reseals(&agent, OTHER, &next);
    assert_eq!(agent.use_it("root", &reseal(&[], &[SERIAL]))["event"], "done");
    agent.stop();
    let (new_state, new_record) = (std::fs::read(&state).unwrap(), std::fs::read(&record).unwrap());
    for (put_back, of_all) in [(&old_record, true), (&new_record, true), (&old_record, false)] {
        std::fs::write(&state, if of_all { &old_state } else { &new_state }).unwrap();
        std::fs::write(&record, put_back).unwrap();
        agent = agent.again();
        agent.signer_is("signs");
        assert_eq!(code(&agent.use_it("root", &identity())), "rollback");
        let (_, keys) = agent.call("GET", "/v1/keys", None);
        assert_eq!((&keys["keys"], code(&keys["refused"][0])), (&json!([]), "rollback"));
        if of_all {
            let hint = keys["refused"][0]["error"]["hint"].as_str().unwrap();
            assert!(hint.contains("signet restore "), "{hint}");
            assert_eq!(code(&agent.call("POST", "/v1/keys/root/rotated", None).1), "rollback");
        }
        assert_eq!(agent.call("GET", "/v1/status", None).0, 200);
        assert!(agent.audit().iter().any(|line| line["action"] == "signet:Reseal"));
        agent.stop();
    }
    std::fs::write(&state, &new_state).unwrap();
    std::fs::write(&record, &new_record).unwrap();
    let agent = agent.again();
    opens(&agent, OTHER);
    assert_eq!(agent.use_it("root", &json!({"verify":{"token":OTHER}}))["event"], "done");
}
