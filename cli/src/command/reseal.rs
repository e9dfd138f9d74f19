//! `signet reseal`: other tokens for a key, or its mark taken away. A change of tokens is a use.

use super::show::{checked, find};
use super::token::joined;
use super::{Done, custody, done};
use crate::args::Reseal;
use crate::context::Context;
use crate::output;
use serde::de::IgnoredAny;
use signet_protocol::api::UseAct;
use signet_protocol::record::Custody;
use signet_protocol::{Code, Refusal};
use std::process::ExitCode;

/// Does the command.
pub(crate) fn run(cx: &Context, args: &Reseal) -> Done {
    let name = checked(&args.name)?;
    if args.change.rotated {
        rotated(cx, name)?;
    } else {
        change(cx, name, &args.change.add, &args.change.drop)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// On the person's word: the agent cannot see what was done at AWS.
fn rotated(cx: &Context, name: &str) -> Result<(), Refusal> {
    let was = find(cx, name)?.rotate;
    let _: IgnoredAny = cx.post_bare(&format!("/v1/keys/{name}/rotated"))?;
    let what = match was {
        Some(why) => format!("{name} counts as rotated; it was marked: {why}"),
        None => format!("{name} was not marked to be rotated"),
    };
    done(cx, &what)
}

fn change(cx: &Context, name: &str, add: &[String], drop: &[String]) -> Result<(), Refusal> {
    let mut key = find(cx, name)?;
    if let Some(serial) = drop.iter().find(|serial| !key.tokens.contains(serial)) {
        return Err(Refusal::new(
            Code::BadRequest,
            format!("token {serial} does not open {name}"),
            format!("signet show {name}"),
        ));
    }
    if key.custody == Custody::InToken && !add.is_empty() {
        output::talk(&format!(
            "no record holds {name}: its secret access key will be asked for, and compared before it is written"
        ));
    }
    let act = UseAct::Reseal { add: add.to_vec(), drop: drop.to_vec() };
    cx.use_key(name, act, None)?;
    let mut gone = std::mem::replace(&mut key, find(cx, name)?).holders;
    gone.retain(|holder| drop.contains(&holder.serial));
    custody::tell(cx, &key)?;
    custody::tell_left_behind(cx, name, &gone)?;
    if !add.is_empty() {
        output::talk(&format!("{} opens it too: prove it", joined(add, "and")));
        output::talk(&format!("hint: signet verify {name}"));
    }
    if let Some(why) = key.rotate.filter(|_| !drop.is_empty()) {
        output::talk(&format!("rotate {name} at aws: {why}"));
        output::talk(&format!("when that is done: signet reseal {name} --rotated"));
    }
    Ok(())
}
