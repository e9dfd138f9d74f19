//! `signet drill`: a rehearsal. One real use, which asks AWS whose key it is, measured part by part; that
//! it was done is noted, for `doctor` to say when the next one is due.

use super::show::find;
use super::{Done, identity};
use crate::args::Drill;
use crate::context::Context;
use crate::conversation::Part;
use crate::courier::Times;
use crate::output;
use serde::Serialize;
use serde::de::IgnoredAny;
use signet_protocol::api::Drilled;
use signet_protocol::{Code, Refusal, VERSION};
use std::process::ExitCode;
use std::time::Duration;

/// Shown at the prompt and kept in the audit log.
const REASON: &str = "signet drill";

/// `drill` as JSON.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    key: &'a str,
    account: &'a str,
    arn: &'a str,
    parts: &'a [Measured],
    total_ms: u128,
}

/// How long one part took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Measured {
    part: &'static str,
    ms: u128,
    #[serde(skip)]
    what: &'static str,
}

/// Does the command.
pub(crate) fn run(cx: &Context, args: &Drill) -> Done {
    let key = find(cx, &args.name)?;
    let (identity, times) = identity::ask(cx, &key, Some(REASON.to_owned()))?;
    identity::check(&key, &identity).map_err(|why| {
        Refusal::new(
            Code::FailedCheck,
            format!("the drill failed: {why}"),
            format!("signet show {}", key.name),
        )
    })?;
    identity::pin(cx, &key, &identity)?;
    let note = Drilled { version: VERSION, account: identity.account.clone() };
    let _: IgnoredAny = cx.post(&format!("/v1/keys/{}/drilled", key.name), &note)?;
    let parts = measured(&times);
    let total_ms = parts.iter().map(|it| it.ms).sum();
    let document = Document {
        version: VERSION,
        key: &key.name,
        account: &identity.account,
        arn: &identity.arn,
        parts: &parts,
        total_ms,
    };
    let row = |part: &str, ms, what: &str| vec![part.to_owned(), seconds(ms), what.to_owned()];
    let mut rows: Vec<Vec<String>> = parts.iter().map(|it| row(it.part, it.ms, it.what)).collect();
    rows.push(row("total", total_ms, "from the command to the answer of aws"));
    output::table(cx.format(), &document, &["part", "seconds", "what"], &rows)?;
    output::talk(&format!("{} works: aws says it is {}", key.name, identity.arn));
    Ok(ExitCode::SUCCESS)
}

/// The parts in the order in which a use goes through them.
fn measured(times: &Times) -> Vec<Measured> {
    let part = |(part, what), took: Duration| Measured { part, what, ms: took.as_millis() };
    let mut parts: Vec<Measured> = Part::ALL.iter().map(|it| part(words(*it), times.laps.of(*it))).collect();
    parts.push(part(("aws", "sending the request and reading the answer"), times.aws));
    parts
}

/// A part, in a word that stays and in a sentence.
fn words(part: Part) -> (&'static str, &'static str) {
    match part {
        Part::Agent => ("agent", "reaching the agent, and its policy and log"),
        Part::Waiting => ("waiting", "for other uses, and for a token to be plugged in"),
        Part::Questions => ("questions", "the person reads and answers"),
        Part::Touch => ("touch", "token and authenticator wait to be touched"),
        Part::Signature => ("signature", "signer and token at work"),
    }
}

/// Milliseconds as seconds.
fn seconds(ms: u128) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_written_to_the_millisecond() {
        assert_eq!(
            (seconds(0), seconds(7), seconds(61_042)),
            ("0.000".into(), "0.007".into(), "61.042".into())
        );
    }
}
