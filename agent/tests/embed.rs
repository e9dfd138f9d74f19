//! A key that goes into tokens, from outside: what is stored on the way, what is taken at the end, and what
//! a use of it then owes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod harness;

use harness::{Agent, SERIAL, after, base64, identity, played, prompt, sealed, touch};
use serde_json::{Value, json};

const OTHER: &str = "soft-00000002";

fn embed(tokens: &[&str], access_code: bool) -> Value {
    json!({"embed":{"tokens":tokens,"access_code":access_code}})
}

fn holder(serial: &str, access_code: bool) -> Value {
    json!({"kind":"yubikey-oath","serial":serial,"device":"0123456789abcdef","credential":"signet-root",
        "access_code":access_code,"check":"ab".repeat(32)})
}

fn in_token(mut meta: Value, holders: &[Value]) -> Value {
    meta["custody"] = json!("in-token");
    meta["holders"] = json!(holders);
    meta
}

fn store(record: &[u8]) -> Value {
    json!({"event":"store","record":base64(record),"token":played(SERIAL),"code":"unchecked"})
}

fn resealed(record: &[u8]) -> Value {
    json!({"event":"outcome","result":"resealed","record":base64(record),"token":played(SERIAL),"code":"unchecked"})
}

fn signed(serial: &str) -> Value {
    json!({"event":"outcome","result":"signed","authorization":"AWS4-HMAC-SHA256 played",
        "token":played(serial),"code":"unchecked"})
}

fn code(answer: &Value) -> &str {
    answer["error"]["code"].as_str().unwrap_or("none")
}

/// A key that is in the played token, behind an access code or not.
fn embedded(access_code: bool) -> Agent {
    let agent = Agent::start().with_key("root");
    let last = sealed(&in_token(agent.next("root"), &[holder(SERIAL, access_code)]));
    agent.signer_says(&[prompt(1, "passphrase", SERIAL), json!("?"), touch(1, 1, SERIAL), resealed(&last)]);
    assert_eq!(agent.use_it("root", &embed(&[], access_code))["event"], "done");
    agent
}

#[test]
fn an_access_code_is_stored_before_the_signer_goes_on_and_the_last_generation_holds_the_key_no_more() {
    let agent = Agent::start().with_key("root");
    let between = sealed(&agent.next("root"));
    let last = sealed(&in_token(after(&between), &[holder(SERIAL, true)]));
    agent.signer_says(&[
        prompt(1, "passphrase", SERIAL),
        json!("?"),
        touch(1, 2, SERIAL),
        json!({"event":"touched"}),
        store(&between),
        json!("?"),
        touch(2, 2, SERIAL),
        json!({"event":"touched"}),
        resealed(&last),
    ]);
    assert_eq!(agent.use_it("root", &embed(&[], true))["event"], "done");
    let heard = agent.heard();
    let act = &heard[0]["act"];
    assert_eq!(
        (&act["act"], &act["tokens"], &act["access_code"]),
        (&json!("embed"), &json!([SERIAL]), &json!(true))
    );
    assert_eq!(heard[2], json!({"stored":2}));
    let key = agent.key("root");
    assert_eq!((&key["custody"], &key["epoch"], &key["touches"]), (&json!("in-token"), &json!(3), &json!(2)));
    assert_eq!(key["holders"], json!([holder(SERIAL, true)]));
    let line = agent.last_line("outcome");
    assert_eq!((&line["action"], &line["result"]), (&json!("signet:Embed"), &json!("done")));
}

#[test]
fn a_use_that_dies_after_it_has_stored_a_generation_leaves_that_one_in_force() {
    let agent = Agent::start().with_key("root");
    let between = sealed(&agent.next("root"));
    agent.signer_says(&[prompt(1, "passphrase", SERIAL), json!("?"), store(&between), json!("?")]);
    assert_eq!(code(&agent.use_it("root", &embed(&[], true))), "internal", "the signer ended");
    let key = agent.key("root");
    assert_eq!((&key["custody"], &key["epoch"]), (&json!("sealed"), &json!(2)));
    let mut agent = agent;
    assert_eq!(agent.stop(), 0);
    let agent = agent.again();
    agent.signer_is("signs");
    assert_eq!(agent.use_it("root", &identity())["event"], "signed");
    // And embed again finishes it.
    let last = sealed(&in_token(agent.next("root"), &[holder(SERIAL, true)]));
    agent.signer_says(&[prompt(1, "passphrase", SERIAL), json!("?"), resealed(&last)]);
    assert_eq!(agent.use_it("root", &embed(&[], true))["event"], "done");
    assert_eq!(agent.key("root")["epoch"], 3);
}

#[test]
fn what_is_stored_on_the_way_differs_in_nothing_and_only_after_the_questions() {
    let agent = Agent::start().with_key("root");
    let next = agent.next("root");
    let spoilt: [fn(&mut Value); 4] = [
        |meta| meta["policy"] = json!(["session"]),
        |meta| meta["epoch"] = json!(3),
        |meta| meta["previous"] = json!("0".repeat(64)),
        |meta| *meta = in_token(meta.clone(), &[holder(SERIAL, true)]),
    ];
    let asked = [prompt(1, "passphrase", SERIAL), json!("?")];
    for (number, spoil) in spoilt.into_iter().enumerate() {
        let mut meta = next.clone();
        spoil(&mut meta);
        agent.signer_says(&[&asked[..], &[store(&sealed(&meta)), json!("?")]].concat());
        assert_eq!(agent.use_it("root", &embed(&[], true))["event"], "refused", "{number}");
        assert_eq!(agent.heard().len(), 2, "{number}: it was not told that it is stored");
        assert_eq!(agent.children(), [""; 0], "{number}");
    }
    let good = sealed(&next);
    agent.signer_says(&[store(&good), json!("?")]);
    assert_eq!(code(&agent.use_it("root", &embed(&[], true))), "internal", "before the passphrase");
    agent.signer_says(&[&asked[..], &[store(&good), json!("?")]].concat());
    assert_eq!(code(&agent.use_it("root", &identity())), "internal", "a signature stores nothing");
    assert_eq!(agent.key("root")["epoch"], 1);
}

#[test]
fn a_code_is_settled_before_a_generation_is_stored() {
    let totp = json!([{"id":"totp-1","kind":"totp","label":"","created":"2026-11-22T17:00:00Z"}]);
    let agent = Agent::start().with_record("root", |meta| meta["factors"] = totp);
    let between = sealed(&agent.next("root"));
    let with_code = |fate: Value| {
        let mut store = store(&between);
        store["code"] = fate;
        let asked = [prompt(1, "passphrase", SERIAL), json!("?"), prompt(2, "totp", SERIAL), json!("?")];
        [&asked[..], &[store, json!("?")]].concat()
    };
    agent.signer_says(&with_code(json!("unchecked")));
    assert_eq!(code(&agent.use_it("root", &embed(&[], true))), "internal");
    assert_eq!(agent.key("root")["epoch"], 1, "the code was not checked");
    agent.signer_says(&with_code(json!({"accepted":58000000})));
    assert_eq!(code(&agent.use_it("root", &embed(&[], true))), "internal", "it ended");
    assert_eq!(agent.key("root")["epoch"], 2);
    // The step is spent, though the use was not.
    agent.signer_is("accepts");
    assert_eq!(code(&agent.use_it("root", &identity())), "factor_failed");
}

#[test]
fn a_last_generation_that_was_not_ordered_is_not_taken() {
    let agent = Agent::start().with_key("root");
    let next = agent.next("root");
    let with = |holders: &[Value]| in_token(next.clone(), holders);
    let spoilt = |name: &str, value: Value| {
        let mut one = holder(SERIAL, true);
        one[name] = value;
        with(&[one])
    };
    let cases = [
        next.clone(),
        with(&[]),
        with(&[holder(OTHER, true)]),
        with(&[holder(SERIAL, true), holder(OTHER, true)]),
        spoilt("kind", json!("software")),
        spoilt("device", json!("0123")),
        spoilt("check", json!("AB".repeat(32))),
        spoilt("credential", json!("")),
        {
            let mut meta = with(&[holder(SERIAL, true)]);
            meta["policy"] = json!(["session"]);
            meta
        },
        {
            let mut meta = with(&[holder(SERIAL, true)]);
            meta["epoch"] = json!(3);
            meta
        },
    ];
    for (number, meta) in cases.iter().enumerate() {
        agent.signer_says(&[prompt(1, "passphrase", SERIAL), json!("?"), resealed(&sealed(meta))]);
        assert_eq!(agent.use_it("root", &embed(&[], true))["event"], "refused", "{number}");
        assert_eq!(agent.key("root")["custody"], "sealed", "{number}");
    }
}

#[test]
fn a_key_behind_an_access_code_owes_the_pin_and_two_touches() {
    let agent = embedded(true);
    let asked = [prompt(1, "passphrase", SERIAL), json!("?")];
    let both = [touch(1, 2, SERIAL), touch(2, 2, SERIAL)];
    let cases: [(&[Value], &[Value], &str); 4] = [
        (&asked, &both, "signed"),
        (&asked, &both[..1], "refused"),
        (&asked, &[], "refused"),
        (&[], &both, "refused"),
    ];
    for (questions, touches, expected) in cases {
        agent.signer_says(&[questions, touches, &[signed(SERIAL)]].concat());
        assert_eq!(agent.use_it("root", &identity())["event"], expected, "{questions:?} {touches:?}");
    }
}

#[test]
fn a_key_without_one_owes_a_touch_and_says_so_at_each_use() {
    let agent = embedded(false);
    assert_eq!(agent.key("root")["touches"], 1);
    agent.signer_says(&[touch(1, 1, SERIAL), signed(SERIAL)]);
    let mut events = agent.stream("/v1/uses", &harness::use_of("root", &identity()));
    let accepted = events.next().unwrap();
    assert_eq!(accepted["obligations"], json!(["touch"]));
    let warnings = accepted["warnings"].to_string();
    assert!(
        warnings.contains(&format!("this key asks for no pin: whoever holds token {SERIAL}")),
        "{warnings}"
    );
    assert_eq!(events.last()["event"], "signed");
    let mut quiet = harness::use_of("root", &identity());
    quiet["may_ask"] = json!(false);
    assert_eq!(code(&agent.stream("/v1/uses", &quiet).last()), "no_prompt", "nobody would know of the touch");
    agent.signer_says(&[signed(SERIAL)]);
    assert_eq!(code(&agent.use_it("root", &identity())), "internal", "no touch");
    // What changes the record opens it: that owes the PIN all the same.
    agent.signer_says(&[
        json!({"event":"outcome","result":"opened","token":played(SERIAL),"code":"unchecked"}),
    ]);
    assert_eq!(code(&agent.use_it("root", &json!({"remove":{}}))), "internal", "no PIN");
    agent.signer_says(&[
        touch(1, 1, SERIAL),
        json!({"event":"outcome","result":"opened","token":played(SERIAL),"code":"unchecked"}),
    ]);
    assert_eq!(agent.use_it("root", &json!({"verify":{"token":SERIAL}}))["event"], "done");
}

#[test]
fn another_token_is_written_with_the_secret_that_the_person_types() {
    let agent = embedded(true);
    let (_, another) = agent.enrol_another(OTHER);
    let mut next = agent.next("root");
    next["recipients"].as_array_mut().unwrap().push(another);
    let last = sealed(&in_token(next, &[holder(SERIAL, true), holder(OTHER, true)]));
    agent.signer_says(&[
        prompt(1, "passphrase", SERIAL),
        json!("?"),
        prompt(2, "secret", SERIAL),
        json!("?"),
        touch(1, 2, SERIAL),
        touch(2, 2, OTHER),
        resealed(&last),
    ]);
    let add = json!({"reseal":{"add":[OTHER],"drop":[]}});
    assert_eq!(agent.use_it("root", &add)["event"], "done");
    let act = &agent.heard()[0]["act"];
    assert_eq!(
        (&act["act"], &act["tokens"], &act["access_code"]),
        (&json!("embed"), &json!([OTHER]), &json!(true))
    );
    assert_eq!(agent.heard()[0]["tokens"], json!([SERIAL, OTHER]));
    let key = agent.key("root");
    assert_eq!((&key["tokens"], key["holders"].as_array().unwrap().len()), (&json!([SERIAL, OTHER]), 2));

    // Nobody else asks for it.
    agent.signer_says(&[prompt(1, "secret", SERIAL), json!("?"), touch(1, 1, SERIAL), signed(SERIAL)]);
    assert_eq!(code(&agent.use_it("root", &identity())), "internal");
    // One after the other, alike, and one stays.
    agent.signer_is("dies");
    for act in [
        json!({"reseal":{"add":["soft-00000003"],"drop":[OTHER]}}),
        json!({"reseal":{"add":[],"drop":[SERIAL, OTHER]}}),
        embed(&[], true),
        embed(&[OTHER], false),
        embed(&["soft-00000003"], true),
    ] {
        assert_eq!(code(&agent.use_it("root", &act)), "bad_request", "{act}");
    }
    // A drop takes the holder with it.
    let mut next = agent.next("root");
    next["recipients"].as_array_mut().unwrap().remove(0);
    next["holders"].as_array_mut().unwrap().remove(0);
    let record = json!(base64(&sealed(&next)));
    agent.signer_says(&[
        prompt(1, "passphrase", OTHER),
        json!("?"),
        json!({"event":"outcome","result":"resealed","record":record,"token":played(OTHER),"code":"unchecked"}),
    ]);
    assert_eq!(agent.use_it("root", &json!({"reseal":{"add":[],"drop":[SERIAL]}}))["event"], "done");
    let key = agent.key("root");
    assert_eq!((&key["tokens"], &key["holders"]), (&json!([OTHER]), &json!([holder(OTHER, true)])));
    assert!(key["rotate"].as_str().unwrap().contains("was dropped"));
}

#[test]
fn the_record_of_another_key_in_the_same_token_is_at_hand_for_its_access_code() {
    let agent = embedded(true).with_known_token("second", |_| {});
    agent.signer_says(&[prompt(1, "passphrase", SERIAL), json!("?")]);
    let _ended = agent.use_it("second", &embed(&[], true));
    let siblings = agent.heard()[0]["act"]["siblings"].clone();
    assert_eq!((&siblings[0]["serial"], &siblings[0]["key"]), (&json!(SERIAL), &json!("root")));
    let file = std::fs::read(agent.folder().join("state/keys/root.age")).unwrap();
    assert_eq!(siblings[0]["record"], json!(base64(&file)));
    assert_eq!(siblings[0]["header_sha256"], after(&file)["previous"]);
}
