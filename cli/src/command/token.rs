//! `signet token …`: the tokens that open records.

use super::{Done, done, lost};
use crate::args::{Format, TokenCommand};
use crate::context::Context;
use crate::output;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde::de::IgnoredAny;
use signet_envelope::{PublicKey, hex, sha256};
use signet_protocol::api::{TokenInfo, Tokens};
use signet_protocol::child::{EnrolAct, Managed, Seen, Token, TokenName};
use signet_protocol::record::Recipient;
use signet_protocol::{Code, Refusal, VERSION};
use std::process::ExitCode;

/// Does the command.
pub(crate) fn run(cx: &Context, command: &TokenCommand) -> Done {
    match command {
        TokenCommand::List => list(cx)?,
        TokenCommand::Info(args) => info(cx, &args.serial)?,
        TokenCommand::Enrol(args) => {
            let label = args.label.clone().unwrap_or_default();
            let act = EnrolAct::Enrol {
                kind: args.kind.clone(),
                serial: args.serial.clone(),
                slot: args.slot.clone(),
                label,
            };
            enrol(cx, act)?;
        }
        TokenCommand::Remove(args) => {
            let serial = checked(&args.serial)?;
            let _: IgnoredAny = cx.delete(&format!("/v1/tokens/{serial}"))?;
            done(cx, &format!("removed token {serial}; what it could open before, it still can"))?;
        }
        TokenCommand::Pin(args) => {
            cx.manage(EnrolAct::Pin { serial: checked(&args.serial)?.to_owned() })?;
            done(cx, &format!("changed the pin of token {}", args.serial))?;
        }
        TokenCommand::Unblock(args) => {
            cx.manage(EnrolAct::Unblock { serial: checked(&args.serial)?.to_owned() })?;
            done(cx, &format!("set a new pin on token {}", args.serial))?;
        }
        TokenCommand::Lost(args) => return lost::run(cx, &args.serial),
    }
    Ok(ExitCode::SUCCESS)
}

/// The tokens that the vault knows, and those that are there.
pub(super) fn known(cx: &Context) -> Result<Vec<TokenInfo>, Refusal> {
    Ok(cx.get::<Tokens>("/v1/tokens")?.tokens)
}

/// Makes a key on a token, and tells what was made.
pub(super) fn enrol(cx: &Context, act: EnrolAct) -> Result<Token, Refusal> {
    #[derive(Serialize)]
    struct Document<'a> {
        version: u32,
        token: &'a Token,
        spki_sha256: String,
        warnings: &'a [String],
    }
    let (token, warnings) = match cx.manage(act)? {
        Some(Managed::Enrolled { token, warnings }) => (token, warnings),
        Some(Managed::Seen { .. } | Managed::Credential { .. } | Managed::Done) | None => {
            return Err(another());
        }
    };
    let spki_sha256 = fingerprint(&public_key(&token.recipient)?);
    for warning in &warnings {
        output::talk(&format!("warning: {warning}"));
    }
    let Recipient { kind, serial, slot, label, .. } = &token.recipient;
    let called = if label.is_empty() { String::new() } else { format!(", called {label}") };
    let text = format!("enrolled {kind} token {serial}{}{called}", place(slot));
    match cx.format() {
        Format::Json => {
            output::json(&Document { version: VERSION, token: &token, spki_sha256, warnings: &warnings })?;
        }
        Format::Text | Format::Csv => {
            output::line(&text)?;
            output::line(&format!("public key: sha256 {spki_sha256}"))?;
        }
    }
    Ok(token)
}

/// ` in slot 95`, or nothing where a kind has no slots.
fn place(slot: &str) -> String {
    slot_for_people(slot).map_or_else(String::new, |slot| format!(" in slot {slot}"))
}

/// A slot as people know it: two digits. The id of a credential, which stands in its place, tells them nothing.
pub(super) fn slot_for_people(slot: &str) -> Option<&str> {
    Some(slot).filter(|slot| slot.len() == 2)
}

/// What a person is told of an enrolled token.
pub(super) fn named(token: &Recipient) -> String {
    title(&TokenName { serial: token.serial.clone(), label: token.label.clone() })
}

/// Label and serial.
pub(super) fn title(TokenName { serial, label }: &TokenName) -> String {
    if label.is_empty() { format!("token {serial}") } else { format!("{label} ({serial})") }
}

/// The same of a serial, as far as the vault knows it.
pub(super) fn called(serial: &str, known: &[TokenInfo]) -> String {
    let label = known.iter().find(|token| token.serial == serial).map(|token| token.label.clone());
    title(&TokenName { serial: serial.to_owned(), label: label.unwrap_or_default() })
}

/// `a, b and c`.
pub(super) fn joined(names: &[String], last: &str) -> String {
    match names {
        [] => "no token".to_owned(),
        [one] => one.clone(),
        [rest @ .., end] => format!("{} {last} {end}", rest.join(", ")),
    }
}

/// The point of a recipient.
pub(super) fn public_key(recipient: &Recipient) -> Result<PublicKey, Refusal> {
    let bytes = STANDARD.decode(&recipient.public_key).ok();
    bytes.and_then(|bytes| PublicKey::from_bytes(&bytes).ok()).ok_or_else(|| {
        Refusal::bare(Code::Internal, format!("the public key of token {} is not one", recipient.serial))
    })
}

/// How a public key is compared by people: hex SHA-256 of its SubjectPublicKeyInfo.
pub(super) fn fingerprint(key: &PublicKey) -> String {
    hex(&sha256(&key.spki_der()))
}

fn list(cx: &Context) -> Result<(), Refusal> {
    let listed = |token| TokenInfo { recipient: None, policies: None, seen: None, ..token };
    let tokens: Vec<TokenInfo> = known(cx)?.into_iter().map(listed).collect();
    let rows: Vec<Vec<String>> = tokens.iter().map(cells).collect();
    let document = Tokens { version: VERSION, tokens };
    let names = ["serial", "kind", "label", "slot", "firmware", "attested", "present", "lost", "spki sha256"];
    output::table(cx.format(), &document, &names, &rows)
}

fn cells(token: &TokenInfo) -> Vec<String> {
    let unknown = || "-".to_owned();
    let word = |answer: Option<bool>| match answer {
        Some(true) => "yes".to_owned(),
        Some(false) => "no".to_owned(),
        None => unknown(),
    };
    let text = |value: &Option<String>| value.clone().unwrap_or_else(unknown);
    let slot = token.slot.as_deref().and_then(slot_for_people).map(str::to_owned);
    let label = match (&token.slot, token.label.as_str()) {
        (None, _) => "(not enrolled)",
        (Some(_), "") => "-",
        (Some(_), label) => label,
    };
    vec![
        token.serial.clone(),
        token.kind.clone(),
        label.to_owned(),
        text(&slot),
        text(&token.firmware),
        word(token.attested),
        word(token.present),
        text(&token.lost),
        text(&token.spki_sha256),
    ]
}

fn info(cx: &Context, serial: &str) -> Result<(), Refusal> {
    #[derive(Serialize)]
    struct Document<'a> {
        version: u32,
        token: &'a Seen,
    }
    let seen = match cx.manage(EnrolAct::Info { serial: checked(serial)?.to_owned() })? {
        Some(Managed::Seen { tokens }) => tokens,
        Some(Managed::Enrolled { .. } | Managed::Credential { .. } | Managed::Done) | None => {
            return Err(another());
        }
    };
    let token = seen.into_iter().find(|token| token.serial == serial).ok_or_else(another)?;
    let number = |tries: Option<u8>| tries.map_or_else(|| "not told".to_owned(), |tries| tries.to_string());
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    let factory = if token.factory.is_empty() { "none".to_owned() } else { token.factory.join(" ") };
    let mut rows = vec![
        ("serial".to_owned(), token.serial.clone()),
        ("kind".to_owned(), token.kind.clone()),
        ("reader".to_owned(), text(&token.reader)),
        ("firmware".to_owned(), text(&token.firmware)),
        ("pin tries left".to_owned(), number(token.pin_tries)),
        ("puk tries left".to_owned(), number(token.puk_tries)),
        ("factory values".to_owned(), factory),
    ];
    rows.extend(token.details.iter().cloned());
    let rows: Vec<Vec<String>> = rows.into_iter().map(|(name, value)| vec![name, value]).collect();
    if cx.format() == Format::Text {
        return rows.iter().try_for_each(|row| output::line(&row.join(": ")));
    }
    output::table(cx.format(), &Document { version: VERSION, token: &token }, &["name", "value"], &rows)
}

/// A serial that may stand in a path.
pub(super) fn checked(serial: &str) -> Result<&str, Refusal> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if !serial.is_empty() && serial.len() <= 64 && serial.bytes().all(fits) {
        Ok(serial)
    } else {
        Err(Refusal::new(Code::Usage, "that is not the serial of a token", "signet token list"))
    }
}

/// The agent did another act than the one it was asked for.
pub(super) fn another() -> Refusal {
    Refusal::bare(Code::Internal, "the agent answered another question")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_joined_as_they_are_read() {
        let joined =
            |names: &[&str]| joined(&names.iter().map(|&it| it.to_owned()).collect::<Vec<_>>(), "or");
        assert_eq!(joined(&["a", "b", "c"]), "a, b or c");
        assert_eq!((joined(&["a"]), joined(&[])), ("a".to_owned(), "no token".to_owned()));
    }

    #[test]
    fn a_serial_cannot_leave_its_place_in_the_path() {
        for serial in ["", "../keys", "1/2", "1?x", "1 2", "1\n"] {
            assert!(checked(serial).is_err(), "{serial:?}");
        }
        assert!(checked("12345678").is_ok() && checked("soft-0a1b2c3d").is_ok());
    }
}
