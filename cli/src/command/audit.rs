//! `signet audit …`: reads the log from the agent or from a copy, and checks its chain here, so that
//! a lying agent cannot vouch for its own log.

mod chain;
mod read;
mod select;

use super::Done;
use crate::args::{AuditCommand, Format, Log, Verify};
use crate::context::Context;
use crate::output::{self, FailureStyle};
use chain::{Chain, Fault, Pin};
use serde::Serialize;
use signet_protocol::api::Head;
use signet_protocol::audit::GENESIS;
use signet_protocol::{Code, Refusal, VERSION};
use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;

/// Does the command.
pub(crate) fn run(cx: &Context, command: &AuditCommand) -> Done {
    match command {
        AuditCommand::Log(args) => log(cx, args),
        AuditCommand::Head { dir } => head(cx, dir.as_deref()),
        AuditCommand::Verify(args) => verify(cx, args),
    }
}

/// The stored bytes for programs; a table where a person looks at it.
fn log(cx: &Context, args: &Log) -> Done {
    let select = select::Select::new(args)?;
    let stored = match cx.format() {
        Format::Json => true,
        Format::Csv => false,
        Format::Text => !io::stdout().is_terminal(),
    };
    let mut rows = Vec::new();
    read::lines(cx, args.dir.as_deref(), |_, line| {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let Some(row) = select.row(line) else { return Ok(()) };
        if stored {
            return output::bytes_out(&[line, b"\n"].concat());
        }
        rows.push(row);
        Ok(())
    })?;
    if !stored {
        output::table(cx.format(), &(), &select::COLUMNS, &rows)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn head(cx: &Context, dir: Option<&Path>) -> Done {
    let head = match dir {
        None => cx.get("/v1/audit/head")?,
        Some(_) => {
            let chain = read_chain(cx, dir)?;
            let (seq, hash) = chain.head().unwrap_or((0, GENESIS.to_owned()));
            Head { version: VERSION, seq, hash }
        }
    };
    match cx.format() {
        Format::Json => output::json(&head)?,
        Format::Text | Format::Csv => output::line(&format!("{}:{}", head.seq, head.hash))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn read_chain(cx: &Context, dir: Option<&Path>) -> Result<Chain, Refusal> {
    let mut chain = Chain::default();
    read::lines(cx, dir, |place, line| {
        chain.add(place, line);
        Ok(())
    })?;
    Ok(chain)
}

/// `audit verify` as JSON.
#[derive(Serialize)]
struct Verified {
    version: u32,
    entries: usize,
    head: Option<Head>,
    /// Whether a head kept elsewhere was compared: without one a cut tail cannot be seen.
    anchored: bool,
    faults: Vec<Fault>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Refusal>,
}

fn verify(cx: &Context, args: &Verify) -> Done {
    let pin = args.head.as_deref().map(str::parse::<Pin>).transpose();
    let pin = pin.map_err(|why| Refusal::new(Code::Usage, why, "signet audit head"))?;
    let chain = read_chain(cx, args.dir.as_deref())?;
    let faults = chain.faults(pin.as_ref());
    let head = chain.head().map(|(seq, hash)| Head { version: VERSION, seq, hash });
    let error = (!faults.is_empty()).then(|| {
        let count = faults.len();
        let plural = if count == 1 { "" } else { "s" };
        Refusal::new(
            Code::FailedCheck,
            format!("the audit log has {count} fault{plural}"),
            "signet audit log -o json",
        )
    });
    let code = error.as_ref().map_or(ExitCode::SUCCESS, |refusal| ExitCode::from(refusal.code.exit()));
    let document =
        Verified { version: VERSION, entries: chain.len(), head, anchored: pin.is_some(), faults, error };
    match cx.format() {
        Format::Json => output::json(&document)?,
        Format::Csv => {
            let row = |fault: &Fault| vec![fault.place.clone(), fault.what.clone()];
            let rows: Vec<Vec<String>> = document.faults.iter().map(row).collect();
            output::table(Format::Csv, &document, &["place", "fault"], &rows)?;
        }
        Format::Text => tell(&document)?,
    }
    Ok(code)
}

fn tell(document: &Verified) -> Result<(), Refusal> {
    for fault in &document.faults {
        output::line(&format!("{}: {}", fault.place, fault.what))?;
    }
    if let Some(refusal) = &document.error {
        output::failure(refusal, Format::Text, FailureStyle::Ordinary);
        return Ok(());
    }
    match &document.head {
        Some(head) => {
            output::line(&format!(
                "{} entries, the chain is whole up to {}:{}",
                document.entries, head.seq, head.hash
            ))?;
        }
        None => output::line("the log is empty")?,
    }
    if !document.anchored {
        output::talk("a tail that was cut off is seen only against a head kept elsewhere");
        output::talk("hint: signet audit verify --head SEQ:HASH");
    }
    Ok(())
}
