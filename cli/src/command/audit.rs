//! `signet audit …`: reads the log from the agent or from a copy, and checks its chain and its approvals
//! here, so that an agent need not be believed about its own log.

mod approvals;
mod prove;
mod read;
mod select;
mod verify;

use super::Done;
use crate::args::{AuditCommand, Format, Log};
use crate::context::Context;
use crate::output;
use signet_envelope::{hex, sha256};
use signet_protocol::api::Head;
use signet_protocol::audit::{self, GENESIS, Report};
use signet_protocol::{Refusal, VERSION};
use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;

/// Does the command.
pub(crate) fn run(cx: &Context, command: &AuditCommand) -> Done {
    match command {
        AuditCommand::Log(args) => log(cx, args),
        AuditCommand::Head { dir } => head(cx, dir.as_deref()),
        AuditCommand::Verify(args) => verify::run(cx, args),
        AuditCommand::Prove(args) => prove::run(cx, args),
    }
}

/// The stored bytes for programs; a table where a person looks at it, or asked for one.
fn log(cx: &Context, args: &Log) -> Done {
    let select = select::Select::new(args)?;
    let stored = match cx.format_asked() {
        Some(Format::Json) => true,
        Some(Format::Csv | Format::Text) => false,
        None => !io::stdout().is_terminal(),
    };
    let mut rows = Vec::new();
    let mut each = |line: &[u8]| {
        let Some(row) = select.row(line) else { return Ok(()) };
        if stored {
            return output::bytes_out(&[line, b"\n"].concat());
        }
        rows.push(row);
        Ok(())
    };
    match args.dir.as_deref() {
        None => cx.lines("/v1/audit", each)?,
        Some(dir) => {
            for line in read::Copy::open(dir)? {
                each(&line?)?;
            }
        }
    }
    if !stored {
        output::table(cx.format(), &(), &select::COLUMNS, &rows)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn head(cx: &Context, dir: Option<&Path>) -> Done {
    let head = match dir {
        None => cx.get("/v1/audit/head")?,
        Some(_) => {
            let report = chain(&lines(cx, dir)?.0);
            let (seq, hash) = report.head.unwrap_or((0, GENESIS.to_owned()));
            Head { version: VERSION, seq, hash }
        }
    };
    match cx.format() {
        Format::Json => output::json(&head)?,
        Format::Text | Format::Csv => output::line(&format!("{}:{}", head.seq, head.hash))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The lines of the whole log, and where they stand.
fn lines(cx: &Context, dir: Option<&Path>) -> Result<(Vec<Vec<u8>>, read::Places), Refusal> {
    let Some(dir) = dir else {
        let mut lines = Vec::new();
        cx.lines("/v1/audit", |line| {
            lines.push(line.to_vec());
            Ok(())
        })?;
        return Ok((lines, read::Places::default()));
    };
    let mut copy = read::Copy::open(dir)?;
    // a file that cannot be read ends it: what was read until then says nothing
    let lines = copy.by_ref().collect::<Result<_, _>>()?;
    Ok((lines, copy.into_places()))
}

/// Checks the chain.
fn chain(lines: &[Vec<u8>]) -> Report {
    audit::verify(lines, |bytes| hex(&sha256(bytes)))
}
