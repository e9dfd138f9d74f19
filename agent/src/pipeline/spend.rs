//! Spending a consent on an outcome: what the person agreed to and the token did is done, in the order
//! that loses nothing.
//!
//! Promises: the code's step is stored before anything else; a change is on disk before it is told;
//! an outcome that does not fit its act or its consent releases nothing. Must not know: who asked.

#![forbid(unsafe_code)]

use super::conversation::breached;
use super::generation::embedded;
use super::house::House;
use super::keep::Kept;
use super::task::{Task, Work};
use crate::audit::Draft;
use crate::clock;
use crate::consent::{Breach, Consent};
use crate::vault::StoredRecord;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signet_protocol::Refusal;
use signet_protocol::api::{Signed, UseEvent};
use signet_protocol::child::{CodeFate, Outcome, TokenName};
use signet_sigv4::Prepared;

/// What came of a use.
pub(super) enum Spent {
    /// A signature.
    Signed { prepared: Box<Prepared>, url: String, authorization: String },
    /// A change of the vault, or a proof.
    Done,
    /// A record that came back.
    Restored,
}

impl Spent {
    /// The word in the audit entry.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Signed { .. } => "signed",
            Self::Done => "done",
            Self::Restored => "restored",
        }
    }

    /// What the caller gets, once the outcome has its number in the log.
    pub(super) fn event(self, audit_seq: u64) -> UseEvent {
        match self {
            Self::Signed { prepared, url, authorization } => {
                let mut headers = prepared.headers().to_vec();
                headers.push(("authorization".to_owned(), authorization));
                UseEvent::Signed(Signed {
                    headers,
                    url,
                    action: prepared.action().to_owned(),
                    amz_date: prepared.amz_date().to_owned(),
                    audit_seq,
                })
            }
            Self::Done | Self::Restored => UseEvent::Done { managed: None },
        }
    }
}

/// Spends a consent on an outcome: what the person agreed to, and the token did, is done.
pub(super) fn spend(
    house: &House,
    task: Task,
    consent: Consent,
    outcome: Outcome,
    kept: Kept,
    draft: &mut Draft,
) -> Result<Spent, Refusal> {
    let Kept { counted, stored, approved } = kept;
    let (token, fate) = told(&outcome);
    draft.facts.token = token.as_ref().map(|token| token.serial.clone());
    draft.facts.token_label = token.as_ref().map(|token| token.label.clone());
    let mut vault = house.vault.borrow_mut();
    if let Some(attempt) = counted {
        vault.settle(attempt, fate)?;
    }
    if let Outcome::Refused { refusal, .. } = outcome {
        return Err(refusal);
    }
    let Some(token) = token else { return Err(breached(Breach("an outcome of another program"))) };
    let given = consent.given(&token, fate).map_err(breached)?;
    draft.facts.factors = Some(given.factors.iter().map(|kind| kind.name().to_owned()).collect());
    // It may have been reported lost while it was asked.
    vault.check_not_lost(&token.serial)?;
    let enrolled = task.enrols();
    let (key, now) = (task.record.meta.name.clone(), clock::now());
    let spent = match (task.work, outcome) {
        (Work::Sign { prepared, url }, Outcome::Signed { authorization, .. }) => {
            vault.touch_used(&key, now)?;
            return Ok(Spent::Signed { prepared, url, authorization });
        }
        (Work::Verify { .. }, Outcome::Opened { token, .. }) => {
            vault.verified(&key, &token.serial, now)?;
            return Ok(Spent::Done);
        }
        (Work::Add, Outcome::Opened { .. }) => {
            vault.commit_new(&task.record)?;
            Spent::Done
        }
        (Work::Change { next, .. }, Outcome::Resealed { record, .. }) => {
            vault.commit_next(&key, &task.record.header_sha256, &decoded(&record)?, &next, now)?;
            Spent::Done
        }
        (Work::Embed(embed), Outcome::Resealed { record, .. }) => {
            let before = stored.unwrap_or(task.record);
            let bytes = decoded(&record)?;
            let told = StoredRecord::read(bytes.clone())?.meta;
            let next = embedded(&embed, &before, &told)
                .ok_or_else(|| breached(Breach("a record that was not ordered")))?;
            vault.commit_next(&key, &before.header_sha256, &bytes, &next, now)?;
            Spent::Done
        }
        (Work::Restore { next }, Outcome::Resealed { record, .. }) => {
            vault.commit_restored(&task.record, &decoded(&record)?, &next, now)?;
            if let Some((proof, counter)) = &approved {
                vault.approved(&key, &proof.credential, *counter)?;
            }
            Spent::Restored
        }
        (Work::Remove, Outcome::Opened { .. }) => {
            vault.remove(&key, now)?;
            Spent::Done
        }
        (
            Work::Sign { .. }
            | Work::Add
            | Work::Change { .. }
            | Work::Embed(_)
            | Work::Verify { .. }
            | Work::Restore { .. }
            | Work::Remove,
            Outcome::Signed { .. }
            | Outcome::Opened { .. }
            | Outcome::Resealed { .. }
            | Outcome::Managed(_)
            | Outcome::Refused { .. },
        ) => return Err(breached(Breach("an outcome of another act"))),
    };
    draft.facts.enrolled = enrolled;
    // What was handed out under the old record must not outlive it.
    let _forgotten = house.sessions.forget(None, Some(&key), now);
    Ok(spent)
}

fn decoded(record: &str) -> Result<Vec<u8>, Refusal> {
    STANDARD.decode(record).map_err(|_| breached(Breach("a record that is not base64")))
}

/// The token an outcome names, and the fate of the code.
fn told(outcome: &Outcome) -> (Option<TokenName>, CodeFate) {
    match outcome {
        Outcome::Signed { token, code, .. }
        | Outcome::Opened { token, code }
        | Outcome::Resealed { token, code, .. } => (Some(token.clone()), *code),
        Outcome::Refused { token, code, .. } => (token.clone(), *code),
        Outcome::Managed(_) => (None, CodeFate::Unchecked),
    }
}
