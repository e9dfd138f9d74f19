//! `signet add` from the file to the sealed record: what reaches the agent, what the person is shown,
//! and everything that stops it before anything is sealed.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod desk;
mod stub;

use desk::{Vault, key};
use serde_json::{Value, json};
use std::process::{Command, Output};
use std::sync::Arc;
use stub::{StubAgent, StubAws, response, with_stdin};

const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SEED: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const YES: &str = r#"printf '%s\n' "$SIGNET_PROMPT: $1" >> "$DIR/asked"; [ "$SIGNET_PROMPT" = confirm ]"#;

struct Desk {
    vault: Arc<Vault>,
    agent: StubAgent,
}

impl Desk {
    fn new() -> Self {
        let vault = Vault::new(vec![], true);
        let agent = vault.agent();
        std::fs::write(
            agent.dir.path().join("key.csv"),
            format!("Access key ID,Secret access key\r\n{ID},{SECRET}\r\n"),
        )
        .unwrap();
        Self { vault, agent }
    }

    fn csv(&self) -> String {
        self.agent.dir.path().join("key.csv").display().to_string()
    }

    fn command(&self, args: &[&str], askpass: &str) -> Command {
        let mut command = self.agent.signet(args);
        command.env("SIGNET_ASKPASS", self.agent.askpass(askpass));
        command
    }

    /// `add prod --csv key.csv` and more.
    fn add(&self, more: &[&str], askpass: &str) -> Output {
        let csv = self.csv();
        let args = [&["add", "prod", "--csv", csv.as_str()], more].concat();
        self.command(&args, askpass).output().unwrap()
    }

    fn uses(&self) -> usize {
        self.agent.requests().iter().filter(|(line, _)| line == "post /v1/uses").count()
    }

    fn added(&self) -> (Value, Value) {
        self.vault.added.lock().unwrap().clone().unwrap()
    }
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn identity(arn: &'static str) -> StubAws {
    let body = format!(
        "<R><GetCallerIdentityResult><Arn>{arn}</Arn><Account>123456789012</Account></GetCallerIdentityResult></R>"
    );
    StubAws::new(move |_| response("200 OK", "", &body))
}

#[test]
fn a_root_key_without_a_factor_is_refused_before_the_agent_is_asked() {
    let desk = Desk::new();
    let output = desk.add(&["--kind", "root"], YES);
    assert_eq!(output.status.code(), Some(2));
    assert!(error(&output).contains("signet: hint: signet add prod --kind root --totp new"));
    assert_eq!(desk.agent.requests(), vec![]);
}

#[test]
fn nothing_is_sealed_without_a_yes() {
    for (more, askpass, code) in [(&["--no-prompt"][..], YES, 77), (&[], "exit 1", 130)] {
        let desk = Desk::new();
        let output = desk.add(&[&["--kind", "iam-user"], more].concat(), askpass);
        assert_eq!(output.status.code(), Some(code), "{}", error(&output));
        assert_eq!(desk.uses(), 0);
        assert!(std::path::Path::new(&desk.csv()).exists());
    }
}

#[test]
fn what_is_no_key_is_refused() {
    for text in
        ["", "Access key ID,Secret access key\n", "AWSAccessKeyId=ASIAIOSFODNN7EXAMPLE\nAWSSecretKey=abc\n"]
    {
        let desk = Desk::new();
        std::fs::write(desk.csv(), text).unwrap();
        let output = desk.add(&["--kind", "iam-user"], YES);
        assert_eq!(output.status.code(), Some(77), "{text}");
        assert!(!error(&output).contains("abc"));
        assert_eq!(desk.uses(), 0);
    }
}

#[test]
fn a_token_that_is_not_enrolled_and_a_name_that_is_taken_are_refused() {
    let desk = Desk::new();
    let output = desk.add(&["--kind", "iam-user", "--token", "43"], YES);
    assert_eq!((output.status.code(), desk.uses()), (Some(77), 0));
    desk.vault.keys.lock().unwrap().push(key("prod", "root", &Value::Null));
    let output = desk.add(&["--kind", "iam-user"], YES);
    assert_eq!((output.status.code(), desk.uses()), (Some(77), 0));
    assert!(error(&output).contains("signet: hint: signet show prod"));
}

#[test]
fn an_account_that_the_id_contradicts_is_refused() {
    let desk = Desk::new();
    std::fs::write(desk.csv(), format!("AWSAccessKeyId=AKIAQNZGKIQY56JQ7WML\nAWSSecretKey={SECRET}\n"))
        .unwrap();
    let output = desk.add(&["--kind", "iam-user", "--account", "123456789012"], YES);
    assert_eq!((output.status.code(), desk.uses()), (Some(77), 0));
    assert!(error(&output).contains("029608264753"));
}

#[test]
fn a_wrong_code_for_the_seed_adds_nothing() {
    let desk = Desk::new();
    let askpass = format!(
        r#"printf '%s\n' "$SIGNET_PROMPT" >> "$DIR/asked"
case $SIGNET_PROMPT in totp-seed) echo {SEED};; totp) echo 12345;; esac"#
    );
    let output = desk.add(&["--kind", "root", "--totp", "ask"], &askpass);
    assert_eq!(output.status.code(), Some(77), "{}", error(&output));
    assert_eq!(desk.agent.read("asked"), "totp-seed\ntotp\ntotp\ntotp\n");
    assert_eq!(desk.uses(), 0);
}

/// The code of this moment, computed apart from the program (RFC 6238).
fn code() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    // SEED is base32 of the RFC's own key
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"12345678901234567890");
    let tag = ring::hmac::sign(&key, &(now / 30).to_be_bytes());
    let at = usize::from(tag.as_ref()[19] & 15);
    let number = u32::from_be_bytes(tag.as_ref()[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

#[test]
fn a_seed_that_was_confirmed_is_sealed_with_the_key() {
    let desk = Desk::new();
    let askpass = format!(
        "case $SIGNET_PROMPT in totp-seed) echo 'otpauth://totp/x?secret={SEED}';; totp) echo {};; esac",
        code()
    );
    let output = desk.add(&["--kind", "root", "--totp", "ask", "--no-verify"], &askpass);
    assert!(output.status.success(), "{}", error(&output));
    let (meta, payload) = desk.added();
    assert_eq!(payload, json!({"secret": SECRET, "totp_seed": SEED}));
    assert_eq!((&meta["factors"][0]["id"], &meta["factors"][0]["kind"]), (&json!("totp-1"), &json!("totp")));
    assert_eq!(meta["policy"], json!(["root-only-tasks"]));
    assert!(!format!("{:?}", desk.agent.requests()).contains(SEED));
}

#[test]
fn the_record_holds_what_it_should_and_the_agent_sees_no_secret() {
    let desk = Desk::new();
    let output = desk.add(&["--kind", "iam-user", "--no-verify", "-o", "json"], YES);
    assert!(output.status.success(), "{}", error(&output));
    let (mut meta, payload) = desk.added();
    assert_eq!(payload, json!({"secret": SECRET, "totp_seed": null}));
    let created = meta["created"].take();
    assert!(created.as_str().is_some_and(|it| it.len() == 20 && it.ends_with('Z')));
    assert_eq!(
        meta,
        json!({"version": 1, "vault_id": "0123456789abcdef0123456789abcdef", "name": "prod", "epoch": 1,
            "created": null, "kind": "iam-user", "account": null, "partition": "aws", "access_key_id": ID,
            "custody": "sealed", "policy": ["assume-root", "session"], "factors": [],
            "recipients": [desk.vault.recipient()], "previous": null})
    );
    let everything = format!("{:?}", desk.agent.requests());
    assert!(!everything.contains(SECRET) && !error(&output).contains(SECRET));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["version"], &told["key"]["name"]), (&json!(1), &json!("prod")));
}

#[test]
fn the_person_sees_to_whom_it_goes_and_clears_the_source_after() {
    let desk = Desk::new();
    let output = desk.add(&["--kind", "root", "--no-factor", "--no-verify"], YES);
    assert!(output.status.success(), "{}", error(&output));
    let asked = desk.agent.read("asked");
    assert!(asked.contains("safe (42)") && asked.contains(&desk.vault.fingerprint()), "{asked}");
    assert!(asked.contains("one token only"), "{asked}");
    assert!(error(&output).contains("this key has lain in plain text"));
    assert!(!std::path::Path::new(&desk.csv()).exists());
}

#[test]
fn a_no_leaves_the_source() {
    let desk = Desk::new();
    let askpass = r#"case $1 in *"remove it"*) exit 1;; esac"#;
    let output = desk.add(&["--kind", "root", "--no-factor", "--no-verify"], askpass);
    assert!(output.status.success(), "{}", error(&output));
    assert!(std::path::Path::new(&desk.csv()).exists());
}

#[test]
fn a_new_seed_is_written_as_a_private_picture() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new();
    let picture = desk.agent.dir.path().join("seed.png").display().to_string();
    // the code is not known here: what is tested is what happens before it is asked for
    let output = desk.add(&["--kind", "root", "--totp", "new", "--qr", &picture], "echo 12345");
    assert_eq!(output.status.code(), Some(77));
    let mode = std::fs::metadata(&picture).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(desk.uses(), 0);
}

#[test]
fn a_new_seed_needs_a_place_to_be_shown() {
    let desk = Desk::new();
    let csv = desk.csv();
    let mut command = Command::new("setsid");
    let signet = desk.agent.signet(&[]);
    command.args([
        "--wait",
        env!("CARGO_BIN_EXE_signet"),
        "add",
        "prod",
        "--csv",
        &csv,
        "--kind",
        "root",
        "--totp",
        "new",
    ]);
    command.env_clear().envs(signet.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("SIGNET_ASKPASS", desk.agent.askpass("exit 0"));
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(77), "{}", error(&output));
    assert!(error(&output).contains("--qr FILE.png"));
}

#[test]
fn two_lines_on_standard_input_are_a_key() {
    let desk = Desk::new();
    let args = ["add", "prod", "--stdin", "--kind", "root", "--no-factor", "--no-verify"];
    let output = with_stdin(desk.command(&args, YES), &format!("{ID}\n{SECRET}\n"));
    assert!(output.status.success(), "{}", error(&output));
    assert_eq!(desk.added().1["secret"], SECRET);
    assert!(!error(&output).contains("plain text"));
}

#[test]
fn a_profile_is_read_and_cleared() {
    let desk = Desk::new();
    let dir = desk.agent.dir.path().join(".aws");
    std::fs::create_dir(&dir).unwrap();
    let file = dir.join("credentials");
    std::fs::write(
        &file,
        format!("[a]\nregion = x\n[b]\naws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\n# c\n"),
    )
    .unwrap();
    let args = [
        "add",
        "prod",
        "--aws-profile",
        "b",
        "--kind",
        "root",
        "--no-factor",
        "--no-verify",
        "--delete-source",
    ];
    let output = desk.command(&args, YES).output().unwrap();
    assert!(output.status.success(), "{}", error(&output));
    assert_eq!(desk.added().1["secret"], SECRET);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "[a]\nregion = x\n[b]\n# c\n");
}

#[test]
fn aws_is_asked_and_the_account_is_pinned() {
    let desk = Desk::new();
    let aws = identity("arn:aws:iam::123456789012:root");
    let csv = desk.csv();
    let args = ["add", "prod", "--csv", &csv, "--kind", "root", "--no-factor"];
    let output = desk.command(&args, YES).env("AWS_ENDPOINT_URL_STS", &aws.url).output().unwrap();
    assert!(output.status.success(), "{}", error(&output));
    assert_eq!(desk.uses(), 2);
    let pinned = desk.agent.requests().into_iter().find(|(line, _)| line == "post /v1/keys/prod/account");
    assert_eq!(pinned.unwrap().1, json!({"version": 1, "account": "123456789012"}));
}

#[test]
fn a_key_that_is_no_root_key_is_told_and_its_source_stays() {
    let desk = Desk::new();
    let aws = identity("arn:aws:iam::123456789012:user/root");
    let csv = desk.csv();
    let args = ["add", "prod", "--csv", &csv, "--kind", "root", "--no-factor", "--delete-source"];
    let output = desk.command(&args, YES).env("AWS_ENDPOINT_URL_STS", &aws.url).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", error(&output));
    assert!(error(&output).contains("signet: hint: signet remove prod"));
    assert!(std::path::Path::new(&csv).exists());
}
