//! `signet audit prove`: the evidence that a use was approved, for somebody who has neither this log nor Signet.
//! `packaging/verify-proof` checks it.

use super::approvals::{self, Evidence, Found};
use super::lines;
use crate::args::Prove;
use crate::command::Done;
use crate::context::Context;
use crate::output;
use serde::{Deserialize, Serialize};
use signet_protocol::approval::Proof;
use signet_protocol::record::Credential;
use signet_protocol::{Code, Refusal, VERSION};
use std::process::ExitCode;

/// The evidence. Its one line of JSON, and each line of the log in it, is given byte for byte.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    proof: &'a Proof,
    /// As it was enrolled.
    credential: &'a Credential,
    /// Line of the entry that says what was to be done.
    intent: &'a str,
    /// Line of the entry that holds the proof.
    outcome: &'a str,
    /// Line of the entry that last set the key's factors.
    enrolment: &'a str,
}

/// Does the command.
pub(super) fn run(cx: &Context, args: &Prove) -> Done {
    let (lines, _) = lines(cx, args.dir.as_deref())?;
    let found = approvals::check(&lines);
    let documents: Vec<Document<'_>> =
        args.id.iter().map(|id| document(&lines, evidence(&lines, &found, id)?)).collect::<Result<_, _>>()?;
    for document in documents {
        output::json(&document)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn evidence<'a>(lines: &[Vec<u8>], found: &'a Found, id: &str) -> Result<&'a Evidence, Refusal> {
    #[derive(Deserialize)]
    struct Named {
        id: String,
    }
    if let Some(flaw) = found.flaws.iter().find(|flaw| flaw.id == id) {
        return Err(Refusal::new(Code::FailedCheck, flaw.to_string(), "signet audit verify"));
    }
    let mut approved = found.approved.iter().map(|approved| &approved.evidence);
    approved.find(|evidence| evidence.id == id).ok_or_else(|| {
        let is_its = |line: &Vec<u8>| serde_json::from_slice::<Named>(line).is_ok_and(|it| it.id == id);
        if lines.iter().any(is_its) {
            let message = "the log has no approval of that use by a fido2 authenticator";
            Refusal::new(Code::BadRequest, message, "signet audit verify --approvals")
        } else {
            Refusal::new(Code::BadRequest, "the log has no use of that id", "signet audit log -o json")
        }
    })
}

fn document<'a>(lines: &'a [Vec<u8>], evidence: &'a Evidence) -> Result<Document<'a>, Refusal> {
    let line = |at: usize| {
        let line = lines.get(at).filter(|line| approvals::is_intact(line));
        line.and_then(|line| std::str::from_utf8(line).ok()).ok_or_else(|| {
            let message = "an entry that the proof needs was changed";
            Refusal::new(Code::FailedCheck, message, "signet audit verify")
        })
    };
    Ok(Document {
        version: VERSION,
        proof: &evidence.proof,
        credential: &evidence.credential,
        intent: line(evidence.intent)?,
        outcome: line(evidence.outcome)?,
        enrolment: line(evidence.enrolment)?,
    })
}
