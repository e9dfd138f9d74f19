//! `signet verify`: each token of a key proves that it still does its part, one use per token. Nothing
//! is signed, and no code is asked for.

use super::Done;
use super::show::find;
use super::token::{self, called};
use crate::args::VerifyKey;
use crate::context::Context;
use crate::output;
use serde::Serialize;
use signet_protocol::api::{KeyInfo, TokenInfo, UseAct};
use signet_protocol::{Code, Refusal, VERSION};

/// `verify` as JSON.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    key: &'a str,
    tokens: &'a [Verified],
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Refusal>,
}

/// What became of one token.
#[derive(Debug, Serialize)]
struct Verified {
    serial: String,
    label: String,
    verified: bool,
    error: Option<Refusal>,
}

/// Does the command.
pub(crate) fn run(cx: &Context, args: &VerifyKey) -> Done {
    let key = find(cx, &args.name)?;
    let enrolled = token::known(cx)?;
    let serials = meant(&key, &enrolled, args.token.as_deref())?;
    let mut told = Vec::new();
    for (at, serial) in serials.iter().enumerate() {
        let name = called(serial, &enrolled);
        output::talk(&format!("token {} of {}: {name}", at + 1, serials.len()));
        let error = match cx.use_key(&key.name, UseAct::Verify { token: serial.clone() }, None) {
            Ok(_) => None,
            Err(refusal) if concerns_all(refusal.code) => return Err(refusal),
            Err(refusal) => Some(refusal),
        };
        let label = enrolled.iter().find(|it| it.serial == *serial).map(|it| it.label.clone());
        told.push(Verified {
            serial: serial.clone(),
            label: label.unwrap_or_default(),
            verified: error.is_none(),
            error,
        });
    }
    tell(cx, &key.name, &told)
}

/// The tokens to be asked: the one that is named, else all that are not lost.
fn meant(key: &KeyInfo, enrolled: &[TokenInfo], named: Option<&str>) -> Result<Vec<String>, Refusal> {
    let lost = |serial: &str| enrolled.iter().any(|it| it.serial == serial && it.lost.is_some());
    let serials = match named {
        None => key.tokens.clone(),
        Some(named) if key.tokens.iter().any(|serial| serial == named) => vec![named.to_owned()],
        Some(named) => {
            return Err(Refusal::new(
                Code::BadRequest,
                format!("token {named} does not open {}", key.name),
                format!("signet show {}", key.name),
            ));
        }
    };
    let (gone, there): (Vec<String>, Vec<String>) = serials.into_iter().partition(|serial| lost(serial));
    for serial in &gone {
        output::talk(&format!("{} was lost, and is not asked", called(serial, enrolled)));
    }
    match gone.first() {
        Some(serial) if there.is_empty() => Err(Refusal::new(
            Code::Denied,
            format!("no token is left to verify {} with", key.name),
            format!("signet token lost {serial}"),
        )),
        Some(_) | None => Ok(there),
    }
}

/// Whether a refusal would be the same for every token, or was the person's own word.
fn concerns_all(code: Code) -> bool {
    matches!(code, Code::Interrupted | Code::NoPrompt | Code::NoAgent | Code::NoReader | Code::Denied)
}

fn tell(cx: &Context, name: &str, tokens: &[Verified]) -> Done {
    let failed: Vec<&Verified> = tokens.iter().filter(|it| !it.verified).collect();
    let error = failed.first().map(|first| {
        let what = format!("{} of {} tokens did not prove that they hold {name}", failed.len(), tokens.len());
        Refusal::new(Code::FailedCheck, what, format!("signet verify {name} --token {}", first.serial))
    });
    let row = |it: &Verified| {
        let result = match &it.error {
            None => "verified".to_owned(),
            Some(error) => format!("failed: {error}"),
        };
        let hint = it.error.as_ref().and_then(|error| error.hint.clone());
        vec![it.serial.clone(), it.label.clone(), result, hint.unwrap_or_else(|| "-".to_owned())]
    };
    let rows: Vec<Vec<String>> = tokens.iter().map(row).collect();
    let document = Document { version: VERSION, key: name, tokens, error };
    output::table(cx.format(), &document, &["token", "label", "result", "hint"], &rows)?;
    Ok(output::verdict(cx.format(), document.error.as_ref()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::custody::tests::key;
    use super::*;

    fn enrolled(serial: &str, lost: bool) -> TokenInfo {
        TokenInfo {
            serial: serial.into(),
            kind: "yubikey-piv".into(),
            label: String::new(),
            slot: Some("95".into()),
            spki_sha256: None,
            firmware: None,
            attested: None,
            present: None,
            lost: lost.then(|| "2026-11-22T17:03:41Z".into()),
            policies: None,
            seen: None,
            recipient: None,
        }
    }

    #[test]
    fn a_lost_token_is_not_asked_and_one_of_another_key_is_refused() {
        let tokens = [enrolled("42", true), enrolled("43", false), enrolled("44", false)];
        assert_eq!(meant(&key(&[]), &tokens, None).unwrap(), ["43"]);
        let refused = meant(&key(&[]), &tokens, Some("42")).unwrap_err();
        assert_eq!((refused.code, refused.hint.as_deref()), (Code::Denied, Some("signet token lost 42")));
        assert_eq!(meant(&key(&[]), &tokens, Some("44")).unwrap_err().code, Code::BadRequest);
        assert_eq!(meant(&key(&[]), &tokens[1..], Some("43")).unwrap(), ["43"]);
    }
}
