//! `signet status`: the agent, its files, both versions, and what hardening is in force.

use super::Done;
use crate::args::Format;
use crate::context::Context;
use crate::output;
use serde::Serialize;
use signet_protocol::api::Status;
use std::process::ExitCode;

/// `status` as JSON: the agent's own document, and what only the command line knows.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    agent: &'a Status,
    cli_version: &'static str,
    prompt: String,
}

/// Does the command.
pub(crate) fn run(cx: &Context) -> Done {
    let agent: Status = cx.get("/v1/status")?;
    let prompt = cx.prompts().describe();
    let rows = rows(&agent, &prompt);
    let document = Document { agent: &agent, cli_version: env!("CARGO_PKG_VERSION"), prompt };
    match cx.format() {
        Format::Text => {
            for row in &rows {
                output::line(&row.join(": "))?;
            }
        }
        Format::Json | Format::Csv => output::table(cx.format(), &document, &["name", "value"], &rows)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn rows(agent: &Status, prompt: &str) -> Vec<Vec<String>> {
    let none = |text: &str| if text.is_empty() { "none".to_owned() } else { text.to_owned() };
    let file =
        |name: &Option<String>| name.clone().unwrap_or_else(|| "none, defaults are in force".to_owned());
    let pcsc = if agent.pcsc_socket.is_empty() { "the system's" } else { &agent.pcsc_socket };
    let counts = &agent.counts;
    let mut rows = vec![
        ("signet", env!("CARGO_PKG_VERSION").to_owned()),
        ("signet-agent", agent.agent_version.clone()),
        ("agent", format!("pid {}, uid {}, up for {} s", agent.pid, agent.uid, agent.uptime)),
        ("socket", agent.socket.clone()),
        ("state", agent.state_dir.clone()),
        ("config", file(&agent.config)),
        ("policy", file(&agent.policy)),
        ("vault", agent.vault_id.clone()),
        ("holds", format!("{} keys, {} tokens, {} sessions", counts.keys, counts.tokens, counts.sessions)),
        ("kinds of token", agent.kinds.join(" ")),
        ("pc/sc service", pcsc.to_owned()),
        ("extra hosts", none(&agent.extra_hosts.join(" "))),
        ("audit head", format!("{}:{}", agent.head.seq, agent.head.hash)),
        ("audit anchor", none(&agent.anchor)),
        ("questions go to", prompt.to_owned()),
    ];
    rows.extend(agent.hardening.iter().map(|layer| {
        let state = match (&layer.why, layer.on) {
            (_, true) => "on".to_owned(),
            (Some(why), false) => format!("off ({why})"),
            (None, false) => "off".to_owned(),
        };
        ("hardening", format!("{}: {state}", layer.name))
    }));
    rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect()
}
