//! `signet remove`: takes a key out of the vault. A use like any other, unless all tokens are lost.

use super::show::{checked, find};
use super::{Done, custody, done};
use crate::args::Remove;
use crate::context::Context;
use serde::de::IgnoredAny;
use signet_protocol::api::UseAct;
use signet_protocol::{Code, Refusal};
use std::process::ExitCode;

/// Does the command.
pub(crate) fn run(cx: &Context, args: &Remove) -> Done {
    let name = checked(&args.name)?;
    let key = find(cx, name);
    if !args.yes {
        let key = key.as_ref().map_err(Clone::clone)?;
        let account = key.account.as_deref().unwrap_or("not known");
        let question = format!("remove {name} ({}, account {account}) from the vault?", key.access_key_id);
        cx.confirm(&question).map_err(|refusal| hinted(refusal, args))?;
    }
    if args.lost {
        let _: IgnoredAny = cx.delete(&format!("/v1/keys/{name}?lost"))?;
    } else {
        cx.use_key(name, UseAct::Remove {}, None)?;
    }
    done(cx, &format!("removed {name}; at aws the key is still good until it is deleted there"))?;
    // a key whose record is refused is removed all the same, and then nothing is known of its holders
    if let Ok(key) = key {
        custody::tell_left_behind(cx, name, &key.holders)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Where nobody can be asked, the yes can be given on the command line.
fn hinted(mut refusal: Refusal, args: &Remove) -> Refusal {
    if refusal.code == Code::NoPrompt {
        let lost = if args.lost { " --lost" } else { "" };
        refusal.hint = Some(format!("signet remove {} --yes{lost}", args.name));
    }
    refusal
}
