//! `signet embed`: moves a sealed key into its tokens. The signer reads it once and writes it there;
//! it never comes to this program.

use super::Done;
use super::custody;
use super::show::find;
use super::token::joined;
use crate::args::Embed;
use crate::context::Context;
use crate::output;
use signet_protocol::Refusal;
use signet_protocol::api::{KeyInfo, UseAct};
use signet_protocol::record::FactorKind;
use std::process::ExitCode;

/// Does the command.
pub(crate) fn run(cx: &Context, args: &Embed) -> Done {
    let key = find(cx, &args.name)?;
    let tokens = if args.token.is_empty() { &key.tokens } else { &args.token };
    output::talk(&format!(
        "moving {} into {}: no record will hold it any more, and with the last of its tokens it is lost",
        key.name,
        joined(tokens, "and")
    ));
    write(cx, &key.name, &args.token, args.access_code || !args.no_access_code)?;
    let key = find(cx, &key.name)?;
    written(&key);
    custody::tell(cx, &key)?;
    Ok(ExitCode::SUCCESS)
}

/// One use, which writes the tokens named, or all of the key's.
pub(super) fn write(cx: &Context, name: &str, tokens: &[String], access_code: bool) -> Result<(), Refusal> {
    cx.use_key(name, UseAct::Embed { tokens: tokens.to_vec(), access_code }, None).map(drop)
}

/// What the person should know once it is done.
pub(super) fn written(key: &KeyInfo) {
    if custody::asks_no_pin(key) {
        let past = if custody::has(key, FactorKind::Fido2) { ", past signet and its approvals" } else { "" };
        output::talk(&format!(
            "it asks for no pin: whoever holds the token can use the key by touching it{past}"
        ));
    }
    output::talk("older copies of the record still hold the key: delete those that are kept elsewhere");
    output::talk(&format!("hint: signet verify {}", key.name));
}
