//! Keys and their tokens: moved into them, opened by others, proved, lost, restored, rehearsed. What each
//! command asks of the agent, what it says, and how it ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod desk;
mod stub;

use desk::{Vault, key};
use serde_json::{Value, json};
use std::process::Output;
use std::sync::{Arc, Mutex};
use stub::{StubAgent, StubAws, Use, response};

const MARK: &str = "2026-11-22 token 42 was lost: copies of the record can still be opened with it";
const LOST: &str = "2026-11-22T17:03:41Z";

/// An agent with one key, `prod`, and tokens 42 (safe) and 43 (spare); `used` plays each use.
struct Stub {
    key: Arc<Mutex<Value>>,
    agent: StubAgent,
}

impl Stub {
    fn new(key: Value, lost: &'static [&str], used: impl Fn(&mut Use) + Send + Sync + 'static) -> Self {
        let key = Arc::new(Mutex::new(key));
        let shared = Arc::clone(&key);
        let agent = StubAgent::new(move |session| {
            let key = shared.lock().unwrap().clone();
            match session.line.clone().as_str() {
                "get /v1/keys" => session.say(&json!({"version": 1, "keys": [key], "refused": []})),
                "get /v1/tokens" => {
                    let tokens = [token("42", "safe", lost), token("43", "spare", lost)];
                    session.say(&json!({"version": 1, "tokens": tokens}));
                }
                "post /v1/tokens/42/lost" => {
                    let others = json!([{"serial": "43", "label": "spare"}]);
                    session.say(&json!({"version": 1, "serial": "42",
                        "keys": [{"key": key, "others": others}], "refused": []}));
                }
                "post /v1/keys/prod/rotated" => {
                    shared.lock().unwrap()["rotate"] = Value::Null;
                    session.say(&json!({"version": 1}));
                }
                "post /v1/uses" => {
                    session.accept();
                    used(session);
                }
                line if line.starts_with("post /v1/keys/") || line.starts_with("delete ") => {
                    session.say(&json!({"version": 1}));
                }
                other => panic!("{other}"),
            }
        });
        Self { key, agent }
    }

    fn run(&self, args: &[&str]) -> Output {
        let askpass = self.agent.askpass(
            r#"printf '%s\n' "$SIGNET_PROMPT: $1" >> "$DIR/asked"
case $SIGNET_PROMPT in secret) echo wJalr;; touch) exec sleep 600;; *) echo 123456;; esac"#,
        );
        self.agent.signet(args).env("SIGNET_ASKPASS", askpass).output().unwrap()
    }

    /// The acts that were asked for, in order.
    fn acts(&self) -> Vec<Value> {
        let requests = self.agent.requests().into_iter();
        requests.filter(|(line, _)| line == "post /v1/uses").map(|(_, body)| body["act"].clone()).collect()
    }

    fn posted(&self, path: &str) -> Vec<Value> {
        let line = format!("post {path}");
        self.agent.requests().into_iter().filter(|(it, _)| *it == line).map(|(_, body)| body).collect()
    }
}

fn token(serial: &str, label: &str, lost: &[&str]) -> Value {
    let mut token = json!({"serial": serial, "kind": "yubikey-piv", "label": label, "slot": "95",
        "spki_sha256": "00", "firmware": "5.7.1", "attested": true, "present": false, "policies": "metadata"});
    if lost.contains(&serial) {
        token["lost"] = LOST.into();
    }
    token
}

/// `prod`, sealed to both tokens.
fn sealed() -> Value {
    let mut key = key("prod", "root", &json!("123456789012"));
    key["tokens"] = json!(["42", "43"]);
    key["factors"] = json!([]);
    key["factor_details"] = json!([]);
    key["touches"] = 1.into();
    key
}

/// `prod`, held by the applet of token 42.
fn embedded(access_code: bool) -> Value {
    let mut key = sealed();
    key["custody"] = "in-token".into();
    key["touches"] = if access_code { 2.into() } else { 1.into() };
    key["holders"] = json!([{"kind": "yubikey-oath", "serial": "42", "device": "0011223344556677",
        "credential": "signet-prod", "access_code": access_code, "check": "00".repeat(32)}]);
    key
}

fn marked() -> Value {
    let mut key = sealed();
    key["rotate"] = MARK.into();
    key
}

fn done(session: &mut Use) {
    session.say(&json!({"event": "done", "managed": null}));
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn shown(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

#[test]
fn embed_names_the_tokens_and_whether_they_ask_for_a_code() {
    for (args, tokens, code) in [
        (&[][..], json!([]), true),
        (&["--access-code", "--token", "42"], json!(["42"]), true),
        (&["--no-access-code", "--token", "42", "--token", "43"], json!(["42", "43"]), false),
    ] {
        let stub = Stub::new(embedded(code), &[], done);
        let output = stub.run(&[&["embed", "prod"], args].concat());
        assert!(output.status.success(), "{output:?}");
        assert_eq!(stub.acts(), [json!({"embed": {"tokens": tokens, "access_code": code}})]);
        assert_eq!(told(&output).contains("it asks for no pin"), !code, "{output:?}");
        assert!(told(&output).contains("older copies of the record still hold the key"), "{output:?}");
    }
    let stub = Stub::new(embedded(true), &[], done);
    let text = shown(&stub.run(&["embed", "prod"]));
    let words = "prod: in the token, access code; held by 42; a use takes a pin, 2 touches; epoch 1\n";
    assert_eq!(text, words);
    assert_eq!(document(&stub.run(&["embed", "prod", "-o", "json"]))["key"]["custody"], "in-token");
}

#[test]
fn embed_hands_on_what_the_applet_refuses() {
    let stub = Stub::new(sealed(), &[], |session| {
        session.say(&json!({"event": "refused", "error": {"code": "unsupported",
            "message": "the applet holds a signet-prod already", "hint": "ykman oath accounts delete signet-prod"}}));
    });
    let output = stub.run(&["embed", "prod"]);
    assert_eq!((output.status.code(), shown(&output).as_str()), (Some(77), ""));
    assert!(told(&output).contains("signet: hint: ykman oath accounts delete signet-prod\n"), "{output:?}");
}

#[test]
fn every_touch_says_which_of_how_many_it_is_and_what_for() {
    let stub = Stub::new(embedded(true), &[], |session| {
        let place = session.dir.clone();
        for n in 1..=2 {
            session
                .say(&json!({"event": "touch", "n": n, "of": 2, "token": {"serial": "42", "label": "safe"},
                "seconds": 15}));
            let wanted = format!("touch {n} of 2 for sts:GetCallerIdentity");
            let asked = || std::fs::read_to_string(place.join("asked")).unwrap_or_default();
            stub::until("the notice stands", || asked().contains(&wanted));
            session.say(&json!({"event": "touched"}));
        }
        done(session);
    });
    let output = stub.run(&["verify", "prod", "--token", "42"]);
    assert!(output.status.success(), "{output:?}");
    assert!(stub.agent.read("asked").contains("touch safe (42) now: touch 2 of 2"), "{output:?}");
}

/// `add --custody in-token` over a vault that opens what is sealed; `refused` is what the embedding meets.
fn add_in_token(refused: Option<&'static str>) -> (Arc<Vault>, StubAgent, Output) {
    let vault = Vault::new(vec![], true);
    vault.refuse_embed(refused);
    let agent = vault.agent();
    let csv = agent.dir.path().join("key.csv");
    std::fs::write(&csv, "Access key ID,Secret access key\nAKIAIOSFODNN7EXAMPLE,wJalrXUtnFEMI\n").unwrap();
    let askpass = agent.askpass(r#"printf '%s\n' "$1" >> "$DIR/asked"; [ "$SIGNET_PROMPT" = confirm ]"#);
    let csv = csv.display().to_string();
    let args = ["add", "prod", "--csv", &csv, "--kind", "iam-user", "--custody", "in-token", "--no-verify"];
    let output = agent.signet(&args).env("SIGNET_ASKPASS", askpass).output().unwrap();
    (vault, agent, output)
}

#[test]
fn add_in_token_seals_and_then_embeds_before_the_source_goes() {
    let (vault, agent, output) = add_in_token(None);
    assert!(output.status.success(), "{output:?}");
    let (meta, _) = vault.added.lock().unwrap().clone().unwrap();
    assert_eq!(meta["custody"], "sealed", "what reaches the disk first is a sealed record");
    let uses: Vec<Value> =
        agent.requests().into_iter().filter(|(line, _)| line == "post /v1/uses").map(|(_, it)| it).collect();
    assert!(uses[0]["act"]["add"].is_object(), "{uses:?}");
    assert_eq!(uses[1]["act"], json!({"embed": {"tokens": [], "access_code": true}}));
    assert!(agent.read("asked").contains("remove it from"));
    assert!(!agent.dir.path().join("key.csv").exists());
}

#[test]
fn add_in_token_that_cannot_embed_leaves_a_sealed_key_and_its_source() {
    let (_, agent, output) = add_in_token(Some("the applet is full"));
    assert_eq!(output.status.code(), Some(77), "{output:?}");
    let told = told(&output);
    assert!(
        told.contains("error: prod stands sealed, and is not in the token yet: the applet is full"),
        "{told}"
    );
    assert!(told.contains("signet: hint: ykman oath accounts list\n"), "what repairs it is told too: {told}");
    assert!(told.ends_with("signet: hint: signet embed prod\n"), "{told}");
    assert!(agent.dir.path().join("key.csv").exists());
    assert!(!agent.read("asked").contains("remove it from"), "the source is not offered for deletion");
}

#[test]
fn reseal_asks_for_one_change_and_says_what_follows() {
    let stub = Stub::new(sealed(), &[], done);
    let output = stub.run(&["reseal", "prod", "--add", "44"]);
    assert!(output.status.success(), "{output:?}");
    assert!(told(&output).contains("signet: hint: signet verify prod\n"), "{output:?}");
    let stub = Stub::new(marked(), &[], done);
    let output = stub.run(&["reseal", "prod", "--drop", "42"]);
    assert_eq!(stub.acts(), [json!({"reseal": {"add": [], "drop": ["42"]}})]);
    assert!(told(&output).contains(&format!("rotate prod at aws: {MARK}")), "{output:?}");
    assert!(told(&output).contains("signet reseal prod --rotated"), "{output:?}");
}

#[test]
fn a_token_that_does_not_open_the_key_is_not_dropped() {
    let stub = Stub::new(sealed(), &[], done);
    let output = stub.run(&["reseal", "prod", "--drop", "99"]);
    assert_eq!((output.status.code(), stub.acts().len()), (Some(77), 0));
    assert!(told(&output).contains("signet: hint: signet show prod\n"), "{output:?}");
}

#[test]
fn the_mark_is_taken_away_without_a_token_and_nothing_is_sent_with_it() {
    let stub = Stub::new(marked(), &[], done);
    let output = stub.run(&["reseal", "prod", "--rotated"]);
    assert!(output.status.success() && told(&output).contains(MARK), "{output:?}");
    assert_eq!(stub.posted("/v1/keys/prod/rotated"), [Value::Null]);
    assert_eq!((stub.acts(), &stub.key.lock().unwrap()["rotate"]), (vec![], &Value::Null));
    let again = stub.run(&["reseal", "prod", "--rotated"]);
    assert!(again.status.success() && told(&again).contains("was not marked"), "{again:?}");
}

#[test]
fn the_secret_of_a_key_that_no_record_holds_is_asked_for_once_more() {
    let seen: Arc<Mutex<Vec<u8>>> = Arc::default();
    let kept = Arc::clone(&seen);
    let stub = Stub::new(embedded(true), &[], move |session| {
        *kept.lock().unwrap() = session.ask(signet_protocol::PromptKind::Secret, None, None).unwrap();
        done(session);
    });
    let output = stub.run(&["reseal", "prod", "--add", "43"]);
    assert!(output.status.success(), "{output:?}");
    assert!(told(&output).contains("its secret access key will be asked for"), "{output:?}");
    assert_eq!(*seen.lock().unwrap(), b"wJalr");
    assert!(stub.agent.read("asked").contains("secret: "), "the kind of the question is secret");
    assert!(!format!("{:?}", stub.agent.requests()).contains("wJalr"));
}

#[test]
fn verify_asks_every_token_and_fails_when_one_does() {
    let stub = Stub::new(sealed(), &[], |session| {
        if session.request()["act"]["verify"]["token"] == "42" {
            session.refuse("unsupported", "the key in slot 95 was replaced");
        } else {
            done(session);
        }
    });
    let output = stub.run(&["verify", "prod", "-o", "json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(stub.acts(), [json!({"verify": {"token": "42"}}), json!({"verify": {"token": "43"}})]);
    let document = document(&output);
    assert_eq!(document["error"]["code"], "failed_check");
    let tokens = &document["tokens"];
    assert_eq!((&tokens[0]["verified"], &tokens[0]["error"]["code"]), (&json!(false), &json!("unsupported")));
    assert_eq!(tokens[1], json!({"serial": "43", "label": "spare", "verified": true, "error": null}));
    let text = stub.run(&["verify", "prod"]);
    assert!(shown(&text).contains("42     safe   failed: the key in slot 95 was replaced"), "{text:?}");
    assert!(told(&text).contains("token 2 of 2: spare (43)"), "it says which is next: {text:?}");
    assert!(told(&text).ends_with("signet: hint: signet verify prod --token 42\n"), "{text:?}");
    let one = stub.run(&["verify", "prod", "--token", "43"]);
    assert!(one.status.success(), "{one:?}");
}

#[test]
fn verify_stops_where_the_person_does_and_passes_over_what_was_lost() {
    let stub =
        Stub::new(sealed(), &[], |session| session.refuse("interrupted", "the question was not answered"));
    let output = stub.run(&["verify", "prod"]);
    assert_eq!((output.status.code(), stub.acts().len()), (Some(130), 1));
    let stub = Stub::new(sealed(), &["42"], done);
    let output = stub.run(&["verify", "prod"]);
    assert!(output.status.success() && told(&output).contains("safe (42) was lost, and is not asked"));
    assert_eq!(stub.acts(), [json!({"verify": {"token": "43"}})]);
    for token in ["42", "99"] {
        assert_eq!(stub.run(&["verify", "prod", "--token", token]).status.code(), Some(77), "{token}");
    }
}

#[test]
fn a_lost_token_is_exit_1_until_every_key_was_rotated() {
    let stub = Stub::new(marked(), &["42"], done);
    let output = stub.run(&["token", "lost", "42"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = shown(&output);
    for line in [
        "prod: AKIAIOSFODNN7EXAMPLE, root of account 123456789012",
        "  still opened by: spare (43)",
        "       signet request prod 'https://iam.amazonaws.com/' -d 'Action=UpdateAccessKey&Version=2010-05-08&AccessKeyId=AKIAIOSFODNN7EXAMPLE&Status=Inactive'",
        "       aws iam update-access-key --access-key-id AKIAIOSFODNN7EXAMPLE --status Inactive",
        "       signet reseal prod --drop 42",
        "       signet reseal prod --rotated",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
    }
    assert!(
        told(&output).contains("error: 1 key is still to be rotated or switched off at aws"),
        "{output:?}"
    );
    let again = document(&stub.run(&["token", "lost", "42", "-o", "json"]));
    assert_eq!((&again["error"]["code"], &again["serial"]), (&json!("failed_check"), &json!("42")));
    assert_eq!(again["keys"][0]["key"]["rotate"], MARK);
    assert_eq!(again["keys"][0]["others"], json!([{"serial": "43", "label": "spare"}]));
    assert_eq!(again["keys"][0]["steps"][5]["command"], "signet reseal prod --rotated");
    assert_eq!(stub.acts(), Vec::<Value>::new(), "no token is needed");

    assert!(stub.run(&["reseal", "prod", "--rotated"]).status.success());
    let output = stub.run(&["token", "lost", "42", "-o", "json"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        (&document(&output)["error"], &document(&output)["keys"][0]["steps"]),
        (&Value::Null, &json!([]))
    );
    assert_eq!(stub.posted("/v1/tokens/42/lost"), [Value::Null, Value::Null, Value::Null]);
    assert_eq!(stub.run(&["token", "lost", "../keys"]).status.code(), Some(2));
}

#[test]
fn a_lost_token_is_listed_and_gets_no_new_key() {
    let stub = Stub::new(sealed(), &["42"], done);
    let list = document(&stub.run(&["token", "list", "-o", "json"]));
    assert_eq!((&list["tokens"][0]["lost"], &list["tokens"][1].get("lost")), (&json!(LOST), &None));
    assert!(list["tokens"][0].get("policies").is_none(), "{list}");
    assert!(shown(&stub.run(&["token", "list"])).contains(LOST));
    let vault = Vault::new(vec![], true);
    vault.lose_token();
    let agent = vault.agent();
    let add = ["add", "prod", "--kind", "iam-user", "--stdin", "--token", "42"];
    let output = stub::with_stdin(agent.signet(&add), "");
    assert_eq!(output.status.code(), Some(77));
    assert!(told(&output).contains("token 42 was lost"), "{output:?}");
    let output = stub::with_stdin(agent.signet(&add[..5]), "");
    assert!(told(&output).contains("signet: hint: signet init"), "no good token is left: {output:?}");
}

#[test]
fn restore_hands_over_the_record_under_the_name_in_it() {
    let stub = Stub::new(sealed(), &[], done);
    let vault = Vault::new(vec![], true);
    let sealed_as = |name: &str| {
        let meta = json!({"version": 1, "vault_id": "00".repeat(16), "name": name, "epoch": 3,
            "created": "2026-01-01T00:00:00Z", "kind": "root", "account": "123456789012", "partition": "aws",
            "access_key_id": "AKIAIOSFODNN7EXAMPLE", "custody": "sealed", "policy": [], "factors": [],
            "recipients": [vault.recipient()], "previous": null});
        signet_envelope::seal(&serde_json::to_vec(&meta).unwrap(), &[vault.public], b"{}").unwrap()
    };
    let file = stub.agent.dir.path().join("copy.age");
    let path = file.display().to_string();
    std::fs::write(&file, sealed_as("prod")).unwrap();
    let output = stub.run(&["restore", &path]);
    assert!(output.status.success(), "{output:?}");
    assert!(told(&output).contains("generation 3, opened by safe (42)"), "{output:?}");
    let asked = stub.posted("/v1/uses").remove(0);
    assert_eq!(asked["key"], "prod");
    assert!(asked["act"]["restore"]["record"].as_str().is_some_and(|it| it.len() > 100), "{asked}");

    let bad: [&[u8]; 4] = [b"", b"age-encryption.org/v1\n", &sealed_as("../x"), &[b'a'; 70_000]];
    for bytes in bad {
        std::fs::write(&file, bytes).unwrap();
        let output = stub.run(&["restore", &path]);
        assert_eq!((output.status.code(), stub.acts().len()), (Some(77), 1), "{output:?}");
        assert!(told(&output).contains("signet: hint: signet restore --help"), "{output:?}");
    }
    assert_eq!(stub.run(&["restore", "/nonexistent.age"]).status.code(), Some(77));
}

/// AWS says that the caller is root of this account.
fn aws(account: &str) -> StubAws {
    let body = format!("<R><Arn>arn:aws:iam::{account}:root</Arn><Account>{account}</Account></R>");
    StubAws::new(move |_| response("200 OK", "", &body))
}

fn drill(stub: &Stub, aws: &StubAws, more: &[&str]) -> Output {
    let askpass = stub.agent.askpass("echo 123456");
    let mut command = stub.agent.signet(&[&["drill", "prod"], more].concat());
    command.env("SIGNET_ASKPASS", askpass).env("AWS_ENDPOINT_URL_STS", &aws.url).output().unwrap()
}

#[test]
fn a_drill_is_measured_part_by_part_and_noted() {
    let stub = Stub::new(sealed(), &[], |session| {
        session.ask(signet_protocol::PromptKind::Pin, None, None).unwrap();
        session.touch();
        session.say(&json!({"event": "touched"}));
        session.sign();
    });
    let output = drill(&stub, &aws("123456789012"), &["-o", "json"]);
    assert!(output.status.success(), "{output:?}");
    let document = document(&output);
    let parts: Vec<&str> =
        document["parts"].as_array().unwrap().iter().map(|it| it["part"].as_str().unwrap()).collect();
    assert_eq!(parts, ["agent", "waiting", "questions", "touch", "signature", "aws"]);
    let ms = |it: &Value| it["ms"].as_u64().unwrap();
    let sum: u64 = document["parts"].as_array().unwrap().iter().map(ms).sum();
    assert_eq!(document["total_ms"], sum);
    assert_eq!((&document["account"], &document["key"]), (&json!("123456789012"), &json!("prod")));
    let noted = stub.posted("/v1/keys/prod/drilled");
    assert_eq!(noted, [json!({"version": 1, "account": "123456789012"})]);
    assert_eq!(stub.posted("/v1/uses")[0]["reason"], "signet drill");
    let text = drill(&stub, &aws("123456789012"), &[]);
    assert!(shown(&text).lines().count() == 8 && shown(&text).contains("total"), "{text:?}");
}

#[test]
fn a_drill_that_finds_another_account_is_no_drill() {
    let stub = Stub::new(sealed(), &[], Use::sign);
    let output = drill(&stub, &aws("210987654321"), &["-o", "json"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(document(&output)["error"]["code"], "failed_check");
    assert!(stub.posted("/v1/keys/prod/drilled").is_empty());
    let stub = Stub::new(sealed(), &[], |session| session.refuse("not_touched", "nobody touched the token"));
    let output = drill(&stub, &aws("123456789012"), &[]);
    assert_eq!((output.status.code(), stub.posted("/v1/keys/prod/drilled").len()), (Some(75), 0));
}

#[test]
fn list_and_show_say_where_a_key_is_and_what_it_takes() {
    let mut key = embedded(false);
    key["rotate"] = MARK.into();
    key["verified"] = json!({"42": LOST});
    key["drilled"] = LOST.into();
    let stub = Stub::new(key, &[], done);
    let list = shown(&stub.run(&["list"]));
    assert!(list.contains("  in the token, no access code  42 43   1        "), "{list}");
    assert!(list.trim_end().ends_with(MARK), "{list}");
    let show = shown(&stub.run(&["show", "prod"]));
    for line in [
        "custody: in the token, which computes with it; never on this machine",
        "a use takes: no pin, one touch",
        "held by: token 42, as signet-prod; asks for no access code",
        "verified: token 42 on 2026-11-22T17:03:41Z",
        "verified: token 43 never",
        "drilled: 2026-11-22T17:03:41Z",
    ] {
        assert!(show.lines().any(|it| it == line), "{line} is not in\n{show}");
    }
    let row = &document(&stub.run(&["list", "-o", "json"]))["keys"][0];
    assert_eq!((&row["rotate"], row.get("holders"), row.get("touches")), (&json!(MARK), None, None));
}

#[test]
fn removing_a_key_says_what_stays_in_the_token() {
    for (access_code, more) in [(true, &[][..]), (false, &["--lost"])] {
        let stub = Stub::new(embedded(access_code), &[], done);
        let output = stub.run(&[&["remove", "prod", "--yes"], more].concat());
        assert!(output.status.success(), "{output:?}");
        let told = told(&output);
        let clear = if access_code { "reset" } else { "accounts delete signet-prod" };
        assert!(told.ends_with(&format!("signet: hint: ykman --device 42 oath {clear}\n")), "{told}");
        assert!(told.contains("token 42 still holds it"), "{told}");
        assert_eq!(told.contains("an access code that was in the record"), access_code, "{told}");
    }
    let stub = Stub::new(sealed(), &[], done);
    assert!(!told(&stub.run(&["remove", "prod", "--yes"])).contains("ykman"));
}
