//! `signet status`: the agent, its files, both versions, and what hardening is in force.

use super::Done;
use crate::args::Format;
use crate::client::Origin;
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
    cli_socket: InForce,
    prompt: String,
}

/// The socket that this command line speaks to, and why it is that one.
#[derive(Serialize)]
struct InForce {
    path: String,
    origin: Origin,
}

/// Does the command.
pub(crate) fn run(cx: &Context) -> Done {
    let agent: Status = cx.get("/v1/status")?;
    let prompt = cx.prompts().describe();
    let socket = cx.client().socket();
    let cli_socket = InForce { path: socket.path().to_string_lossy().into_owned(), origin: socket.origin() };
    let rows = rows(&agent, &cli_socket, &prompt);
    let document = Document { agent: &agent, cli_version: env!("CARGO_PKG_VERSION"), cli_socket, prompt };
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

fn rows(agent: &Status, socket: &InForce, prompt: &str) -> Vec<Vec<String>> {
    let none = |text: &str| if text.is_empty() { "none".to_owned() } else { text.to_owned() };
    let config = agent.config.as_deref().unwrap_or("none, defaults are in force");
    let pcsc = if agent.pcsc_socket.is_empty() { "the system's" } else { &agent.pcsc_socket };
    let counts = &agent.counts;
    let mut rows = vec![
        ("signet", env!("CARGO_PKG_VERSION").to_owned()),
        ("signet-agent", agent.agent_version.clone()),
        ("agent", format!("pid {}, uid {}, up for {} s", agent.pid, agent.uid, agent.uptime)),
        ("socket in force", format!("{} ({})", socket.path, socket.origin.why())),
        ("agent's socket", agent.socket.clone()),
        ("state", agent.state_dir.clone()),
        ("config", config.to_owned()),
        ("policy", none(agent.policy.as_deref().unwrap_or_default())),
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
