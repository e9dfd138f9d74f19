//! `signet audit verify`: every line that was changed, removed, swapped or doubled, and every approval that
//! does not hold, by name.

use super::approvals::{self, Approved};
use super::{chain, lines};
use crate::args::{Format, Verify};
use crate::command::Done;
use crate::context::Context;
use crate::output::{self, FailureStyle};
use serde::Serialize;
use signet_protocol::api::Head;
use signet_protocol::audit::{GENESIS, HeadCheck, Report};
use signet_protocol::{Code, Refusal, VERSION};
use std::process::ExitCode;
use std::str::FromStr;

/// A head that was kept elsewhere: `SEQ:HASH`, as `audit head` prints it.
#[derive(Debug, PartialEq, Eq)]
struct Pin {
    seq: u64,
    hash: String,
}

impl FromStr for Pin {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let read = || {
            let (seq, hash) = text.trim().split_once(':')?;
            let digits = hash.len() == GENESIS.len() && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            let seq = seq.parse().ok()?;
            digits.then(|| Self { seq, hash: hash.to_ascii_lowercase() })
        };
        read().ok_or_else(|| {
            Refusal::new(Code::Usage, "a head is written SEQ:HASH, as it was printed", "signet audit head")
        })
    }
}

/// Something that is wrong with the log.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Fault {
    /// File and line, or line of the agent's answer.
    place: String,
    /// Sequence number of the entry, where it can be told.
    seq: Option<u64>,
    /// What, in words.
    what: String,
}

impl Fault {
    /// One line for people.
    fn sentence(&self) -> String {
        format!("{}: {}", self.place, self.what)
    }
}

/// The result as JSON.
#[derive(Serialize)]
struct Document {
    version: u32,
    entries: u64,
    head: Option<Head>,
    /// Whether a head kept elsewhere was compared: without one a cut tail cannot be seen.
    anchored: bool,
    /// Each checked against the credential that was enrolled then; those that do not hold are faults.
    approvals: Vec<Approved>,
    faults: Vec<Fault>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Refusal>,
}

/// Does the command.
pub(super) fn run(cx: &Context, args: &Verify) -> Done {
    let pin = args.head.as_deref().map(str::parse::<Pin>).transpose()?;
    let (lines, places) = lines(cx, args.dir.as_deref())?;
    let (report, found) = (chain(&lines), approvals::check(&lines));
    let named = report.findings.iter();
    let mut faults: Vec<Fault> =
        named.map(|it| Fault { place: places.name(it.line), seq: it.seq, what: it.to_string() }).collect();
    if places.torn {
        let what = "the last line has no end: it was torn".to_owned();
        faults.push(Fault { place: places.name(report.lines), seq: None, what });
    }
    faults.extend(pin.as_ref().and_then(|pin| against(&report, pin)));
    // of a line that was changed the chain has said so
    let flaws = found.flaws.iter().filter(|flaw| report.findings.iter().all(|it| it.line != flaw.line));
    faults.extend(flaws.map(|it| Fault { place: places.name(it.line), seq: it.seq, what: it.to_string() }));
    let error = (!faults.is_empty()).then(|| {
        let plural = if faults.len() == 1 { "" } else { "s" };
        let what = format!("the audit log has {} fault{plural}", faults.len());
        Refusal::new(Code::FailedCheck, what, "signet audit log -o json")
    });
    let code = error.as_ref().map_or(ExitCode::SUCCESS, |refusal| ExitCode::from(refusal.code.exit()));
    let head = report.head.map(|(seq, hash)| Head { version: VERSION, seq, hash });
    let (entries, anchored, approvals) = (report.lines, pin.is_some(), found.approved);
    let document = Document { version: VERSION, entries, head, anchored, approvals, faults, error };
    match cx.format() {
        Format::Json => output::json(&document)?,
        Format::Csv if args.approvals => {
            document.faults.iter().for_each(|fault| output::talk(&fault.sentence()));
            list(Format::Csv, &document)?;
        }
        Format::Csv => {
            let row = |fault: &Fault| vec![fault.place.clone(), fault.what.clone()];
            let rows: Vec<Vec<String>> = document.faults.iter().map(row).collect();
            output::table(Format::Csv, &document, &["place", "fault"], &rows)?;
        }
        Format::Text => {
            tell(&document)?;
            if args.approvals {
                list(Format::Text, &document)?;
            }
        }
    }
    Ok(code)
}

/// What the head kept elsewhere shows.
fn against(report: &Report, pin: &Pin) -> Option<Fault> {
    let what = match report.contains_head(pin.seq, &pin.hash) {
        HeadCheck::Holds => return None,
        HeadCheck::Differs => format!("entry {} has not the hash of the head kept elsewhere", pin.seq),
        HeadCheck::Missing => {
            format!("the head kept elsewhere is entry {}, which is not there: the tail was cut off", pin.seq)
        }
    };
    Some(Fault { place: "end of the log".to_owned(), seq: Some(pin.seq), what })
}

fn tell(document: &Document) -> Result<(), Refusal> {
    for fault in &document.faults {
        output::line(&fault.sentence())?;
    }
    if let Some(refusal) = &document.error {
        output::failure(refusal, Format::Text, FailureStyle::Ordinary);
        return Ok(());
    }
    match &document.head {
        Some(head) => {
            let whole = format!("the chain is whole up to {}:{}", head.seq, head.hash);
            output::line(&format!("{} entries, {whole}", document.entries))?;
        }
        None => output::line("the log is empty")?,
    }
    match document.approvals.len() {
        0 => {}
        1 => output::line("one use was approved by a fido2 authenticator: its proof holds")?,
        several => {
            output::line(&format!(
                "{several} uses were approved by fido2 authenticators: every proof holds"
            ))?;
        }
    }
    if !document.anchored {
        output::talk("a tail that was cut off is seen only against a head kept elsewhere");
        output::talk("hint: signet audit verify --head SEQ:HASH");
    }
    Ok(())
}

/// A line a use that was approved.
fn list(format: Format, document: &Document) -> Result<(), Refusal> {
    let rows: Vec<Vec<String>> = document.approvals.iter().map(Approved::cells).collect();
    output::table(format, document, &approvals::COLUMNS, &rows)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_head_is_read_strictly() {
        let hash = "aB".repeat(32);
        let pin: Pin = format!("7:{hash}\n").parse().unwrap();
        assert_eq!(pin, Pin { seq: 7, hash: hash.to_lowercase() });
        for text in ["", "7", "7:", ":", hash.as_str(), "7:abc", &format!("x:{hash}"), &format!("7:{hash}0")]
        {
            assert_eq!(text.parse::<Pin>().unwrap_err().code, Code::Usage, "{text}");
        }
    }
}
