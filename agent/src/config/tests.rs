//! `agent.toml`: what is refused, and where the error points.

#![allow(clippy::unwrap_used)]

use super::*;

fn wrong(text: &str) -> String {
    raw::read(text).unwrap_err().with_file(Path::new("agent.toml")).to_string()
}

#[test]
fn the_defaults_are_those_of_the_manual() {
    let manual = r#"
[limits]
message = "64KiB"
connections = 64
use = "120s"
[token]
pcsc_socket = ""
kinds = ["yubikey-piv"]
[aws]
extra_hosts = []
[policy]
file = "policy.toml"
[audit]
anchor = ""
[harden]
require = false
"#;
    let mut read = raw::read(manual).unwrap();
    assert!(read.policy.named);
    read.policy.named = false;
    assert_eq!(read, Config::default());
    assert_eq!(raw::read("").unwrap(), Config::default());
    assert_eq!(Config::load(None).unwrap(), Config::default());
}

#[test]
fn every_value_can_be_set() {
    let read = raw::read(
        "limits = { message = \"4KiB\", connections = 2, use = \"10s\" }\n\
         token = { pcsc_socket = \"/run/p\", kinds = [\"software\", \"yubikey-piv\"] }\n\
         aws = { extra_hosts = [\"127.0.0.1:4566\", \"[::1]:80\"] }\n\
         policy = { file = \"other.toml\" }\naudit = { anchor = \"/mnt/heads\" }\nharden = { require = true }\n",
    )
    .unwrap();
    assert_eq!(read.limits, Limits { message: 4096, connections: 2, use_time: Duration::from_secs(10) });
    assert_eq!(read.token.kinds, ["software", "yubikey-piv"]);
    assert_eq!(read.aws.extra_hosts, ["127.0.0.1:4566", "[::1]:80"]);
    assert_eq!(read.policy, Policy { file: "other.toml".into(), named: true });
    assert_eq!(read.audit.anchor, Anchor::File("/mnt/heads".into()));
    assert!(read.harden.require);
    assert_eq!(raw::read("audit.anchor = \"journald\"").unwrap().audit.anchor, Anchor::Journald);
}

#[test]
fn a_value_out_of_range_is_named_with_its_line_and_key() {
    let cases = [
        ("[limits]\nmessage = \"64\"", "agent.toml:2: limits.message: must be a size from 4KiB to 1MiB"),
        ("[limits]\nmessage = \"2MiB\"", "limits.message"),
        ("[limits]\nconnections = 0", "limits.connections"),
        ("[limits]\n\nuse = \"5m\"", "agent.toml:3: limits.use: must be a time from 1s to 120s"),
        ("token.pcsc_socket = \"run/pcscd\"", "token.pcsc_socket"),
        ("token.kinds = []", "token.kinds: must be one or more of yubikey-piv, fido2, software, each once"),
        ("token.kinds = [\"yubikey\"]", "token.kinds"),
        ("token.kinds = [\"software\", \"software\"]", "token.kinds"),
        ("[aws]\nextra_hosts = [\n\"127.0.0.1:1\",\n\"10.0.0.1:4566\"]", "agent.toml:4: aws.extra_hosts"),
        ("aws.extra_hosts = [\"localhost:4566\"]", "aws.extra_hosts"),
        ("aws.extra_hosts = [\"127.0.0.1\"]", "aws.extra_hosts"),
        ("aws.extra_hosts = [\"127.0.0.1:0\"]", "aws.extra_hosts"),
        ("aws.extra_hosts = [\"127.0.0.1:04566\"]", "aws.extra_hosts"),
        ("policy.file = \"\"", "policy.file"),
        ("audit.anchor = \"heads\"", "audit.anchor"),
    ];
    for (text, words) in cases {
        let message = wrong(text);
        assert!(message.contains(words), "{text}: {message}");
    }
}

#[test]
fn an_unknown_key_or_type_is_named_with_its_line() {
    for (text, words) in [
        ("[limits]\nmesage = \"64KiB\"", "agent.toml:2: unknown field `mesage`"),
        ("[audits]\nanchor = \"\"", "agent.toml:1: unknown field `audits`"),
        ("[harden]\nrequire = \"yes\"", "agent.toml:2: invalid type"),
        ("[limits]\nconnections = -1", "agent.toml:2: "),
        ("[limits]\nuse = \"1s\"\nuse = \"2s\"", "agent.toml:3: duplicate key"),
        ("[limits", "agent.toml:1: "),
    ] {
        let message = wrong(text);
        assert!(message.contains(words), "{text}: {message}");
        assert!(!message.ends_with('.') && !message.contains('\n'), "{message}");
    }
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent.toml");
    let refusal = Refusal::from(Config::load(Some(&path)).unwrap_err());
    assert_eq!(refusal.code, Code::Usage);
    assert!(refusal.message.ends_with("agent.toml: is not there"));
}
