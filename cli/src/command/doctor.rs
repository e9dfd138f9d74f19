//! `signet doctor`: looks for what is wrong or dangerous here, and says what to type. Changes nothing
//! and asks nothing of a token.

mod agent;
mod aws;
mod places;
mod reader;

use super::Done;
use crate::args::Format;
use crate::context::Context;
use crate::output::{self, FailureStyle};
use serde::Serialize;
use signet_protocol::api::Status;
use signet_protocol::{Code, Refusal, VERSION};
use std::process::ExitCode;

/// How a finding is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Level {
    /// As it should be.
    Ok,
    /// Works, and is a risk.
    Warning,
    /// Does not work, or gives something away.
    Wrong,
}

impl Level {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Wrong => "wrong",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    level: Level,
    /// What was looked at, in a word: stable.
    check: &'static str,
    message: String,
    hint: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self { level: Level::Ok, check, message: message.into(), hint: None }
    }

    fn warning(check: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { level: Level::Warning, check, message: message.into(), hint: Some(hint.into()) }
    }

    fn wrong(check: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { level: Level::Wrong, check, message: message.into(), hint: Some(hint.into()) }
    }
}

/// `doctor` as JSON.
#[derive(Serialize)]
struct Document {
    version: u32,
    findings: Vec<Finding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Refusal>,
}

/// Does the command.
pub(crate) fn run(cx: &Context) -> Done {
    let findings = look(cx);
    let wrong = findings.iter().filter(|it| it.level == Level::Wrong).count();
    let error = (wrong > 0).then(|| {
        let plural = if wrong == 1 { "thing is" } else { "things are" };
        Refusal::bare(Code::FailedCheck, format!("{wrong} {plural} wrong here"))
    });
    let code = error.as_ref().map_or(ExitCode::SUCCESS, |refusal| ExitCode::from(refusal.code.exit()));
    let document = Document { version: VERSION, findings, error };
    match cx.format() {
        Format::Json => output::json(&document)?,
        Format::Csv => {
            let row = |it: &Finding| {
                let cells = [it.level.word(), it.check, &it.message, it.hint.as_deref().unwrap_or_default()];
                cells.map(str::to_owned).to_vec()
            };
            let rows: Vec<Vec<String>> = document.findings.iter().map(row).collect();
            output::table(Format::Csv, &document, &["level", "check", "message", "hint"], &rows)?;
        }
        Format::Text => {
            for it in &document.findings {
                output::line(&format!("{:<8} {}: {}", it.level.word(), it.check, it.message))?;
                if let Some(hint) = &it.hint {
                    output::line(&format!("         try: {hint}"))?;
                }
            }
            if let Some(refusal) = &document.error {
                output::failure(refusal, Format::Text, FailureStyle::Ordinary);
            }
        }
    }
    Ok(code)
}

/// Everything, from the hardware to the files of the AWS tools.
fn look(cx: &Context) -> Vec<Finding> {
    let mut findings = Vec::new();
    let status = match cx.get::<Status>("/v1/status") {
        Ok(status) => {
            findings.push(Finding::ok(
                "agent",
                format!("version {} answers at {}", status.agent_version, status.socket),
            ));
            Some(status)
        }
        Err(refusal) => {
            let hint = refusal.hint.clone().unwrap_or_else(|| "signet status".to_owned());
            findings.push(Finding::wrong("agent", refusal.message, hint));
            None
        }
    };
    findings.extend(reader::look(cx, status.as_ref()));
    findings.push(questions(cx));
    findings.extend(places::look(cx, status.as_ref()));
    if let Some(status) = &status {
        findings.extend(agent::look(cx, status));
    }
    findings.extend(aws::look());
    findings
}

/// Whether the person can be asked.
fn questions(cx: &Context) -> Finding {
    let way = cx.prompts().describe();
    if cx.prompts().available() {
        Finding::ok("prompt", format!("questions go to {way}"))
    } else {
        Finding::warning("prompt", format!("nobody can be asked: {way}"), "sudo apt install pinentry-curses")
    }
}
