//! `signet add`: seals an access key to the enrolled tokens, and proves that it can be used.
//!
//! Promises: the secret stands in memory that is wiped, never in a `String`, and is gone before the
//! agent is spoken to; the agent gets the sealed record and nothing else. What this program cannot
//! promise: `ring` keeps copies of its own until the process ends, which it does with the command.

mod account;
mod csv;
mod facts;
mod seal;
mod source;

use super::factor::{Made, make, new_seed, typed_seed};
use super::show::{checked, find};
use super::token::{fingerprint, named};
use super::{Done, embed, identity};
use crate::args::{Add, CustodyArg, Format, KindArg, TotpSource};
use crate::clean;
use crate::context::Context;
use crate::output;
use crate::prompt::Question;
use crate::totp::Seed;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use facts::Facts;
use serde::Serialize;
use signet_protocol::api::{KeyInfo, UseAct};
use signet_protocol::{Code, PromptKind, Refusal, VERSION};
use source::Source;
use std::process::ExitCode;
use time::OffsetDateTime;

/// How often a code that does not match is asked for again.
const ROUNDS: usize = 3;

/// Does the command.
pub(crate) fn run(cx: &Context, args: &Add) -> Done {
    let name = checked(&args.name)?;
    if args.kind == KindArg::Root && args.totp.is_none() && !args.fido2 && !args.no_factor {
        return Err(Refusal::new(
            Code::Usage,
            "a root key without a second factor is added only on purpose: --totp, --fido2 or --no-factor",
            format!("signet add {name} --kind root --totp new"),
        ));
    }
    let facts = Facts::gather(cx, name, args)?;
    let source = Source::of(args);
    // before there is a secret here: an authenticator is waited for
    let approver = args.fido2.then(|| make(cx, name, &[])).transpose()?;
    let record = sealed(cx, args, &facts, &source, approver)?;
    cx.use_key(name, UseAct::Add { record: STANDARD.encode(record) }, None)?;
    output::talk(&format!("{name} is sealed, and was opened once to prove it"));
    if args.no_verify {
        output::talk("aws was not asked whose key it is");
    } else {
        identity::prove(cx, &find(cx, name)?)?;
    }
    match args.custody {
        CustodyArg::Sealed => {}
        CustodyArg::InToken => {
            if args.totp.is_some() && !args.no_verify {
                output::talk("a one-time code counts once: give the next one");
            }
            into_tokens(cx, name)?;
        }
    }
    remove_source(cx, args, &source)?;
    tell(cx, &find(cx, name)?)?;
    Ok(ExitCode::SUCCESS)
}

/// Moves the key on into the tokens it was sealed to. Where that fails, it stands sealed.
fn into_tokens(cx: &Context, name: &str) -> Result<(), Refusal> {
    embed::write(cx, name, &[], true).map_err(|refusal| {
        if let Some(hint) = &refusal.hint {
            output::talk(&format!("hint: {hint}"));
        }
        Refusal {
            message: format!("{name} stands sealed, and is not in the token yet: {}", refusal.message),
            hint: Some(format!("signet embed {name}")),
            ..refusal
        }
    })?;
    embed::written(&find(cx, name)?);
    Ok(())
}

/// Reads the key, shows to whom it goes, and seals it. The secret lives in here.
fn sealed(
    cx: &Context,
    args: &Add,
    facts: &Facts,
    source: &Source,
    approver: Option<Made>,
) -> Result<Vec<u8>, Refusal> {
    let key = source.read(cx)?;
    let account = account::settle(&key.id, args.account.as_deref())?;
    let seed = match args.totp {
        None => None,
        Some(TotpSource::New) => Some(new_seed(&args.name, args.qr.as_deref())?),
        Some(TotpSource::Ask) => Some(typed_seed(cx, &args.name, args.qr.as_deref())?),
    };
    if let Some(seed) = &seed {
        confirm_code(cx, seed, &args.name)?;
    }
    consent(cx, args, facts, &key.id, account.as_deref())?;
    seal::record(facts, &key, account, seed.as_ref(), approver.map(|made| made.credential))
}

/// One code shows that the person holds the seed.
fn confirm_code(cx: &Context, seed: &Seed, name: &str) -> Result<(), Refusal> {
    let mut text = format!("one-time code for {name}, to confirm the seed");
    for _ in 0..ROUNDS {
        let code = cx.ask(PromptKind::Totp, &text)?;
        let now = u64::try_from(OffsetDateTime::now_utc().unix_timestamp()).unwrap_or_default();
        if seed.matches(&code, now) {
            return Ok(());
        }
        text = format!("that code does not match; one-time code for {name}");
    }
    Err(Refusal::new(Code::FactorFailed, "no code matched the seed: nothing was added", "timedatectl status"))
}

/// Shows what is about to be sealed, and to whom.
fn consent(
    cx: &Context,
    args: &Add,
    facts: &Facts,
    access_key_id: &str,
    account: Option<&str>,
) -> Result<(), Refusal> {
    let account = account.unwrap_or("not known yet");
    let mut lines = vec![format!("add {}: {access_key_id}, account {account}, sealed to", args.name)];
    for (token, key) in &facts.tokens {
        lines.push(format!("  {}, public key sha256 {}", named(token), fingerprint(key)));
    }
    if facts.tokens.len() == 1 {
        lines.push(
            "  one token only: when it is lost or breaks, this copy of the key is lost with it".to_owned(),
        );
    }
    let lines: Vec<String> = lines.iter().map(|line| clean::line(line)).collect();
    let about = lines.join("\n");
    cx.prompts().show(&about);
    let question = Question::new(PromptKind::Confirm, "seal it to these tokens?").about(&about);
    cx.block_on(cx.prompts().ask(&question)).map(drop)
}

/// Once the key is proved, its plain copy is in the way.
fn remove_source(cx: &Context, args: &Add, source: &Source) -> Result<(), Refusal> {
    let Some(place) = source.plain_text() else { return Ok(()) };
    output::talk(&format!("this key has lain in plain text in {place}: rotate it"));
    let wanted = args.delete_source
        || (cx.prompts().available() && agreed(cx.confirm(&format!("remove it from {place}?")))?);
    if wanted {
        source.remove()?;
        output::talk(&format!(
            "removed it from {place}; what was written to a disk may still be found there"
        ));
    }
    Ok(())
}

/// A no is an answer here, not an end.
fn agreed(answer: Result<(), Refusal>) -> Result<bool, Refusal> {
    match answer {
        Ok(()) => Ok(true),
        Err(refusal) if refusal.code == Code::Interrupted => Ok(false),
        Err(refusal) => Err(refusal),
    }
}

fn tell(cx: &Context, key: &KeyInfo) -> Result<(), Refusal> {
    #[derive(Serialize)]
    struct Document<'a> {
        version: u32,
        key: &'a KeyInfo,
    }
    match cx.format() {
        Format::Json => output::json(&Document { version: VERSION, key }),
        Format::Text | Format::Csv => output::line(&format!("added {}", key.name)),
    }
}
