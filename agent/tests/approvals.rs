//! What the agent makes of an approval that a signer tells: the person's own is taken and kept, and every other
//! ends the use with nothing released, however wrong the signer that let it through.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod harness;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use harness::{Agent, SERIAL, identity, played, prompt, touch, use_of};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use signet_fido::assertion::Assertion;
use signet_fido::order::client_data_hash;
use signet_fido::proof;
use std::fs::OpenOptions;
use std::io::Write as _;

const NONCE: [u8; 32] = [7; 32];
const FACTOR: &str = "fido2-1";

/// An authenticator of a few lines, and an agent whose key `root` it approves.
struct Desk {
    agent: Agent,
    key: EcdsaKeyPair,
}

/// One assertion, as a test wants it.
#[derive(Clone)]
struct Wish {
    relying_party: &'static str,
    flags: u8,
    counter: u32,
    /// What is signed in the place of the order.
    order: Option<fn(&str) -> String>,
    /// What is changed in the proof afterwards.
    edit: fn(&mut Value),
}

fn good(counter: u32) -> Wish {
    Wish { relying_party: "signet", flags: 5, counter, order: None, edit: |_| {} }
}

impl Desk {
    fn new() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random).unwrap();
        let factor = json!({"id":FACTOR,"kind":"fido2","label":"office","created":"2026-11-22T17:00:00Z",
            "credential":{"id":STANDARD.encode([9; 64]),"algorithm":"es256",
                "public_key":STANDARD.encode(key.public_key()),"aaguid":"0".repeat(32),
                "transports":["usb"],"user_verification":true,"counter":4}});
        let agent = Agent::start().with_record("root", |meta| meta["factors"] = json!([factor]));
        Self { agent, key }
    }

    /// What was written down of the use that is under way, as it is to be approved.
    fn order(&self) -> String {
        let intent = self.agent.last_line("intent");
        let day: String = intent["time"].as_str().unwrap().chars().take(10).filter(|c| *c != '-').collect();
        let text = |name: &str| intent[name].to_string();
        format!(
            "{{\"version\":1,\"key\":{},\"access_key_id\":{},\"action\":{},\
             \"scope\":\"{day}/us-east-1/sts/aws4_request\",\"request_sha256\":{},\"reason\":{},\"time\":{},\
             \"seq\":{}}}",
            text("key"),
            text("access_key_id"),
            text("action"),
            text("request_sha256"),
            text("reason"),
            text("time"),
            text("seq")
        )
    }

    fn proof(&self, wish: &Wish) -> Value {
        let order = self.order();
        let signed = wish.order.map_or_else(|| order.clone(), |other| other(&order));
        let hash = digest(&SHA256, wish.relying_party.as_bytes());
        let data = [hash.as_ref(), &[wish.flags], &wish.counter.to_be_bytes()].concat();
        let message = [&data[..], &client_data_hash(&NONCE, &signed)].concat();
        let signature = self.key.sign(&SystemRandom::new(), &message).unwrap();
        let assertion =
            Assertion { credential: &[9; 64], authenticator_data: &data, signature: signature.as_ref() };
        let mut proof = serde_json::to_value(proof::of(FACTOR, assertion, &NONCE, signed)).unwrap();
        (wish.edit)(&mut proof);
        proof
    }

    /// One use, with the approvals that a signer tells in it; its last event.
    fn use_it(&self, approvals: &[Wish]) -> Value {
        self.agent.signer_says(&[prompt(1, "passphrase", SERIAL), json!("?")]);
        let mut events = self.agent.stream("/v1/uses", &use_of("root", &identity()));
        let accepted = events.next().unwrap();
        assert_eq!(accepted["obligations"], json!(["pin", "confirm", "fido2"]));
        assert_eq!(events.next().unwrap()["event"], "prompt");
        let mut lines = vec![touch(1, 1, FACTOR)];
        for wish in approvals {
            let mut approved = self.proof(wish);
            approved["event"] = json!("approved");
            lines.push(approved);
        }
        lines.push(json!({"event":"outcome","result":"signed","authorization":"AWS4-HMAC-SHA256 played",
            "token":played(SERIAL),"code":"unchecked"}));
        // The signer reads on where it has stopped.
        let mut script =
            OpenOptions::new().append(true).open(self.agent.folder().join("bin/script")).unwrap();
        for line in lines {
            writeln!(script, "{line}").unwrap();
        }
        assert_eq!(self.agent.answer(accepted["id"].as_str().unwrap(), &json!(1)).0, 200);
        loop {
            let event = events.next().expect("the use ends");
            if ["signed", "refused"].contains(&event["event"].as_str().unwrap()) {
                return event;
            }
        }
    }

    #[track_caller]
    fn refuses(&self, case: &str, approvals: &[Wish]) {
        let last = self.use_it(approvals);
        assert_eq!(last["event"], "refused", "{case}: {last}");
        assert_eq!(last["error"]["code"], "internal", "{case}: {last}");
        let outcome = self.agent.last_line("outcome");
        assert_eq!((&outcome["result"], &outcome["factors"]), (&json!("refused"), &Value::Null), "{case}");
    }
}

#[test]
fn an_approval_is_kept_with_what_it_approves_and_by_whom() {
    let desk = Desk::new();
    let added = desk.agent.audit().into_iter().rfind(|line| line["action"] == "signet:Add").unwrap();
    assert_eq!(added["enrolled"][0]["id"], FACTOR);
    assert_eq!(desk.use_it(&[good(5)])["event"], "signed");
    let outcome = desk.agent.last_line("outcome");
    assert_eq!(outcome["factors"], json!(["fido2"]));
    let order: Value = serde_json::from_str(outcome["proof"]["order"].as_str().unwrap()).unwrap();
    assert_eq!(order["seq"], json!(outcome["seq"].as_u64().unwrap() - 1));
    assert_eq!(order["request_sha256"], outcome["request_sha256"]);
    assert_eq!(outcome["proof"]["factor"], FACTOR);
    // The same authenticator goes on; its counter is remembered by the next agent too.
    assert_eq!(desk.use_it(&[good(6)])["event"], "signed");
    desk.refuses("the counter of before", &[good(6)]);
    let Desk { mut agent, key } = desk;
    agent.stop();
    let desk = Desk { agent: agent.again(), key };
    desk.refuses("the counter of the agent before", &[good(6)]);
    assert_eq!(desk.use_it(&[good(7)])["event"], "signed");
}

#[test]
fn whatever_a_signer_lets_through_is_found_out() {
    let desk = Desk::new();
    let wish = |edit: fn(&mut Value)| Wish { edit, ..good(9) };
    let order = |order: fn(&str) -> String| Wish { order: Some(order), ..good(9) };
    let cases: Vec<(&str, Vec<Wish>)> = vec![
        ("no approval", vec![]),
        ("two approvals", vec![good(5), good(6)]),
        ("another relying party", vec![Wish { relying_party: "signet.example", ..good(9) }]),
        ("nobody was there", vec![Wish { flags: 4, ..good(9) }]),
        ("nobody was verified", vec![Wish { flags: 1, ..good(9) }]),
        ("extensions", vec![Wish { flags: 0x85, ..good(9) }]),
        ("the enrolled counter", vec![good(4)]),
        ("no counter", vec![good(0)]),
        ("another key's name", vec![order(|text| text.replace("\"root\"", "\"other\""))]),
        (
            "another access key",
            vec![order(|text| text.replace("AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLF"))],
        ),
        ("another action", vec![order(|text| text.replace("GetCallerIdentity", "AssumeRoot"))]),
        ("another region", vec![order(|text| text.replace("us-east-1", "eu-west-1"))]),
        (
            "another request",
            vec![order(|text| text.replacen("request_sha256\":\"", "request_sha256\":\"0", 1))],
        ),
        ("another reason", vec![order(|text| text.replace("\"reason\":null", "\"reason\":\"none\""))]),
        ("another time", vec![order(|text| text.replace("\"time\":\"2", "\"time\":\"1"))]),
        ("another place in the log", vec![order(|text| text.replace("\"seq\":", "\"seq\":1"))]),
        ("another version", vec![order(|text| text.replace("\"version\":1", "\"version\":2"))]),
        ("one member more", vec![order(|text| text.replace("\"seq\"", "\"more\":1,\"seq\""))]),
        ("white space", vec![order(|text| text.replace(",\"seq\"", ", \"seq\""))]),
        (
            "the order put back",
            vec![wish(|proof| {
                proof["order"] = json!(proof["order"].as_str().unwrap().replace("root", "rooz"))
            })],
        ),
        ("another nonce", vec![wish(|proof| proof["nonce"] = json!(STANDARD.encode([8; 32])))]),
        ("a short nonce", vec![wish(|proof| proof["nonce"] = json!(STANDARD.encode([7; 16])))]),
        ("another credential", vec![wish(|proof| proof["credential"] = json!(STANDARD.encode([8; 64])))]),
        ("another factor", vec![wish(|proof| proof["factor"] = json!("fido2-2"))]),
        ("no signature", vec![wish(|proof| proof["signature"] = json!(""))]),
        ("a signature of nothing", vec![wish(|proof| proof["signature"] = json!("MAYCAQECAQE="))]),
        ("no authenticator data", vec![wish(|proof| proof["authenticator_data"] = json!(""))]),
        (
            "data that was not signed",
            vec![wish(|proof| proof["authenticator_data"] = json!(STANDARD.encode([0; 37])))],
        ),
        ("no base64", vec![wish(|proof| proof["signature"] = json!("!"))]),
        ("a member that is none", vec![wish(|proof| proof["more"] = json!(1))]),
    ];
    assert_eq!(cases.len(), 30);
    for (case, approvals) in &cases {
        desk.refuses(case, approvals);
    }
    assert_eq!(desk.use_it(&[good(9)])["event"], "signed", "nothing of all that was taken");
}

#[test]
fn a_credential_is_asked_for_in_the_name_of_a_key_and_past_at_most_its_factors() {
    let agent = Agent::start();
    agent.enrol();
    agent.child_says("signet-enrol", &[json!({"event":"outcome","result":"managed","managed":"done"})]);
    let asked = |key: &str, excluded: usize| {
        let act = json!({"act":"credential","key":key,"exclude":vec!["b2xk"; excluded]});
        agent.stream("/v1/tokens", &json!({"version":1,"act":act,"may_ask":true}))
    };
    for (key, excluded, said) in [
        ("../prod", 0, "that is no name of a key"),
        ("prod", 9, "a key has at most 8 factors: no more can be excluded"),
    ] {
        let refused = asked(key, excluded);
        assert_eq!((refused.status, &refused.failure.unwrap()["error"]["message"]), (400, &json!(said)));
        let line = agent.last_line("admin");
        assert_eq!((&line["code"], &line["key"]), (&json!("bad_request"), &json!(key)));
    }
    assert_eq!(asked("prod", 8).last()["event"], "done");
}
