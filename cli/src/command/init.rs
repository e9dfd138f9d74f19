//! `signet init`: the first token of a vault.

use super::{Done, token};
use crate::args::{Format, Init};
use crate::context::Context;
use crate::output;
use signet_protocol::api::{Status, TokenInfo};
use signet_protocol::child::EnrolAct;
use signet_protocol::{Code, Refusal};
use std::process::ExitCode;

/// Does the command.
pub(crate) fn run(cx: &Context, args: &Init) -> Done {
    let tokens = token::known(cx)?;
    if let Some(first) = tokens.iter().find(|token| token.slot.is_some()) {
        return Err(Refusal::new(
            Code::Usage,
            format!("token {} is enrolled already: this vault is not new", first.serial),
            "signet token enrol",
        ));
    }
    let kind = match &args.kind {
        Some(kind) => kind.clone(),
        None => first_kind(cx)?,
    };
    let there: Vec<&TokenInfo> =
        tokens.iter().filter(|token| token.kind == kind && token.present == Some(true)).collect();
    let serial = match &args.serial {
        Some(serial) => Some(serial.clone()),
        None => choose(cx, &there, args.yes)?,
    };
    let act = EnrolAct::Enrol { kind: Some(kind), serial, slot: None, label: String::new() };
    token::enrol(cx, act)?;
    if cx.format() == Format::Text {
        output::talk("a key that is sealed to one token is lost with it: enrol a second one");
        output::talk("hint: signet token enrol");
        output::talk("hint: signet add prod-root --kind root --csv rootkey.csv --totp new");
    }
    Ok(ExitCode::SUCCESS)
}

/// The kind that is meant where none is named.
fn first_kind(cx: &Context) -> Result<String, Refusal> {
    let status: Status = cx.get("/v1/status")?;
    status
        .kinds
        .into_iter()
        .next()
        .ok_or_else(|| Refusal::bare(Code::Unsupported, "the agent's configuration names no kind of token"))
}

/// The serial of the token that is meant; none where there is none to choose from: enrol then makes
/// one, or says that it is absent.
fn choose(cx: &Context, there: &[&TokenInfo], yes: bool) -> Result<Option<String>, Refusal> {
    match there {
        [] => Ok(None),
        [only] if yes => Ok(Some(only.serial.clone())),
        [first, ..] if yes => Err(Refusal::new(
            Code::Usage,
            format!("{} tokens are there: name the one that is meant", there.len()),
            format!("signet init --serial {}", first.serial),
        )),
        several => {
            for token in several {
                match cx.confirm(&format!("enrol {} token {}?", token.kind, token.serial)) {
                    Ok(()) => return Ok(Some(token.serial.clone())),
                    // no to this one: ask about the next
                    Err(refusal) if refusal.code == Code::Interrupted => {}
                    Err(refusal) => return Err(refusal),
                }
            }
            Err(Refusal::new(Code::Interrupted, "no token was chosen", "signet token list"))
        }
    }
}
