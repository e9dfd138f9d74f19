//! The text of `agent.toml`, and what its values may be.

use super::{Anchor, Audit, Aws, Config, ConfigError, Harden, Limits, Policy, Token, units};
use serde::Deserialize;
use signet_protocol::kinds;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Spanned;

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Raw {
    limits: RawLimits,
    token: RawToken,
    aws: RawAws,
    policy: RawPolicy,
    audit: RawAudit,
    harden: RawHarden,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct RawLimits {
    message: Option<Spanned<String>>,
    connections: Option<Spanned<usize>>,
    r#use: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct RawToken {
    pcsc_socket: Option<Spanned<String>>,
    kinds: Option<Spanned<Vec<String>>>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct RawAws {
    extra_hosts: Vec<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct RawPolicy {
    file: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct RawAudit {
    anchor: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct RawHarden {
    require: bool,
}

/// What is wrong, before the file's name is known.
#[derive(Debug)]
pub(super) struct Wrong {
    line: Option<usize>,
    key: Option<&'static str>,
    message: String,
}

impl Wrong {
    pub(super) fn with_file(self, path: &Path) -> ConfigError {
        let Self { line, key, message } = self;
        ConfigError { line, key: key.map(str::to_owned), ..ConfigError::about(path, message) }
    }
}

/// A key of the file whose values have a condition.
struct Key<'a> {
    name: &'static str,
    text: &'a str,
}

impl Key<'_> {
    /// The value's meaning, or the default where the key is not there.
    fn read<T, U>(
        &self,
        value: Option<Spanned<T>>,
        default: U,
        meaning: impl FnOnce(T) -> Option<U>,
        must: &str,
    ) -> Result<U, Wrong> {
        let Some(value) = value else { return Ok(default) };
        let line = line_of(self.text, value.span().start);
        meaning(value.into_inner()).ok_or_else(|| Wrong {
            line,
            key: Some(self.name),
            message: format!("must be {must}"),
        })
    }
}

fn line_of(text: &str, place: usize) -> Option<usize> {
    text.get(..place).map(|before| before.matches('\n').count() + 1)
}

pub(super) fn read(text: &str) -> Result<Config, Wrong> {
    let raw: Raw = toml::from_str(text).map_err(|error| Wrong {
        line: error.span().and_then(|span| line_of(text, span.start)),
        key: None,
        message: error.message().trim_end_matches('.').to_owned(),
    })?;
    let key = |name| Key { name, text };
    let (limits, token, policy) = (Limits::default(), Token::default(), Policy::default());
    let named = raw.policy.file.is_some();
    let host = |host| key("aws.extra_hosts").read(Some(host), String::new(), loopback, LOOPBACK);
    Ok(Config {
        limits: Limits {
            message: key("limits.message").read(raw.limits.message, limits.message, message, MESSAGE)?,
            connections: key("limits.connections").read(
                raw.limits.connections,
                limits.connections,
                |number| (1..=1024).contains(&number).then_some(number),
                "a number from 1 to 1024",
            )?,
            use_time: key("limits.use").read(raw.limits.r#use, limits.use_time, use_time, USE)?,
        },
        token: Token {
            pcsc_socket: key("token.pcsc_socket").read(
                raw.token.pcsc_socket,
                token.pcsc_socket,
                |path| (path.is_empty() || Path::new(&path).is_absolute()).then_some(path),
                "an absolute path, or empty for the system's",
            )?,
            kinds: key("token.kinds").read(raw.token.kinds, token.kinds, kinds_of_token, &known_kinds())?,
        },
        aws: Aws { extra_hosts: raw.aws.extra_hosts.into_iter().map(host).collect::<Result<_, _>>()? },
        policy: Policy {
            file: key("policy.file").read(raw.policy.file, policy.file, path, "the name of a file")?,
            named,
        },
        audit: Audit { anchor: key("audit.anchor").read(raw.audit.anchor, Anchor::None, anchor, ANCHOR)? },
        harden: Harden { require: raw.harden.require },
    })
}

const MESSAGE: &str = "a size from 4KiB to 1MiB";
fn message(text: String) -> Option<usize> {
    units::bytes(&text).filter(|bytes| (4 * 1024..=1024 * 1024).contains(bytes))
}

/// A request's date is chosen when the use begins, and the signer takes none that is older.
const USE: &str = "a time from 1s to 120s";
fn use_time(text: String) -> Option<Duration> {
    units::duration(&text).filter(|time| (1..=120).contains(&time.as_secs()))
}

fn kinds_of_token(names: Vec<String>) -> Option<Vec<String>> {
    let unique =
        names.iter().enumerate().all(|(at, name)| names.iter().position(|other| other == name) == Some(at));
    let known = names.iter().all(|name| kinds::find(name).is_some());
    (known && unique && !names.is_empty()).then_some(names)
}

fn known_kinds() -> String {
    let names: Vec<&str> = kinds::KINDS.iter().map(|kind| kind.name).collect();
    format!("one or more of {}, each once", names.join(", "))
}

const LOOPBACK: &str = "a loopback address and a port, as in 127.0.0.1:4566";
/// Written the one way that the `host` header has, so that two spellings cannot differ.
fn loopback(text: String) -> Option<String> {
    let address: SocketAddr = text.parse().ok()?;
    (address.ip().is_loopback() && address.port() != 0 && address.to_string() == text).then_some(text)
}

fn path(text: String) -> Option<PathBuf> {
    (!text.is_empty()).then(|| PathBuf::from(text))
}

const ANCHOR: &str = "journald, an absolute path, or empty";
fn anchor(text: String) -> Option<Anchor> {
    match text.as_str() {
        "" => Some(Anchor::None),
        "journald" => Some(Anchor::Journald),
        path => Path::new(path).is_absolute().then(|| Anchor::File(path.into())),
    }
}
