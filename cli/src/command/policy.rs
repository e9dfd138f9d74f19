//! `signet policy …`: what a key may be used for. The agent decides and parses; here is only talk.

pub(super) mod explain;

use super::show::checked;
use super::{Done, done};
use crate::args::{Format, PolicyCommand};
use crate::context::Context;
use crate::output;
use serde::Serialize;
use signet_protocol::api::{PolicyText, Presets, UseAct};
use signet_protocol::rule::{NamedRules, Part, Rule};
use signet_protocol::{Code, MESSAGE_LIMIT, Refusal, VERSION};
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

/// Does the command.
pub(crate) fn run(cx: &Context, command: &PolicyCommand) -> Done {
    match command {
        PolicyCommand::Set { name, parts } => {
            let policy = read_parts(cx, parts)?;
            let names: Vec<&str> = policy.iter().map(Part::name).collect();
            let told = format!("{name} may now be used for: {}", names.join(", "));
            cx.use_key(checked(name)?, UseAct::SetPolicy { policy }, None)?;
            done(cx, &told)?;
        }
        PolicyCommand::Check { file } => check(cx, file)?,
        PolicyCommand::Presets => presets(cx)?,
        PolicyCommand::Explain { name, service, region } => {
            explain::run(cx, checked(name)?, service.as_deref(), region.as_deref())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Presets by name, everything else as a file that the agent checks.
pub(super) fn read_parts(cx: &Context, words: &[String]) -> Result<Vec<Part>, Refusal> {
    let presets: Presets = cx.get("/v1/policy/presets")?;
    words
        .iter()
        .map(|word| {
            if presets.presets.iter().any(|preset| preset.name == *word) {
                return Ok(Part::Preset(word.clone()));
            }
            if !Path::new(word).exists() {
                return Err(Refusal::new(
                    Code::BadRequest,
                    format!("{word} is neither a preset nor a file"),
                    "signet policy presets",
                ));
            }
            checked_file(cx, Path::new(word)).map(Part::Rules)
        })
        .collect()
}

/// The rules of a file, read by the agent's own parser.
fn checked_file(cx: &Context, file: &Path) -> Result<NamedRules, Refusal> {
    let refused = |why: String| Refusal::bare(Code::BadRequest, format!("{}: {why}", file.display()));
    let mut text = String::new();
    std::fs::File::open(file)
        .and_then(|open| open.take(MESSAGE_LIMIT as u64).read_to_string(&mut text))
        .map_err(|error| refused(error.to_string()))?;
    let name = file
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| refused("not a file name".to_owned()))?;
    cx.post("/v1/policy/check", &PolicyText { version: VERSION, name: name.to_owned(), text })
}

fn check(cx: &Context, file: &Path) -> Result<(), Refusal> {
    #[derive(Serialize)]
    struct Document<'a> {
        version: u32,
        #[serde(flatten)]
        rules: &'a NamedRules,
    }
    let rules = checked_file(cx, file)?;
    match cx.format() {
        Format::Json => output::json(&Document { version: VERSION, rules: &rules }),
        Format::Text | Format::Csv => {
            output::line(&format!("{}: {} rules, all understood", rules.name, rules.rule.len()))
        }
    }
}

fn presets(cx: &Context) -> Result<(), Refusal> {
    let presets: Presets = cx.get("/v1/policy/presets")?;
    let rows: Vec<Vec<String>> = presets
        .presets
        .iter()
        .flat_map(|preset| preset.rule.iter().flat_map(|rule| one_by_one(&preset.name, rule)))
        .collect();
    output::table(cx.format(), &presets, &["preset", "rule", "action"], &rows)
}

/// A row for each action of a rule: a preset has too many for one line.
fn one_by_one(preset: &str, rule: &Rule) -> Vec<Vec<String>> {
    let rows = |word: &str, actions: &[String]| -> Vec<Vec<String>> {
        actions.iter().map(|action| vec![preset.to_owned(), word.to_owned(), action.clone()]).collect()
    };
    [rows("deny", &rule.deny), rows("allow", &rule.allow)].concat()
}

/// A rule in one line.
pub(super) fn sentence(rule: &Rule) -> String {
    let mut parts = Vec::new();
    let mut say = |word: &str, items: &[String]| {
        if !items.is_empty() {
            parts.push(format!("{word} {}", items.join(", ")));
        }
    };
    say("allow", &rule.allow);
    say("deny", &rule.deny);
    say("for keys", &rule.keys);
    say("in", &rule.regions);
    say("to uids", &rule.uids.iter().map(u32::to_string).collect::<Vec<_>>());
    say("with", &rule.factors);
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_reads_as_a_sentence() {
        let rule = Rule {
            keys: vec!["prod".into()],
            deny: vec!["iam:*".into(), "sts:AssumeRoot".into()],
            uids: vec![0, 1000],
            ..Rule::default()
        };
        assert_eq!(sentence(&rule), "deny iam:*, sts:AssumeRoot; for keys prod; to uids 0, 1000");
    }
}
