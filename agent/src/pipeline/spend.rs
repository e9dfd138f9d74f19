//! Spending a consent on an outcome: what the person agreed to and the token did is done, in the order
//! that loses nothing.
//!
//! Promises: the code's step is stored before anything else; a change is on disk before it is told;
//! an outcome that does not fit its act or its consent releases nothing. Must not know: who asked.

#![forbid(unsafe_code)]

use super::conversation::breached;
use super::house::House;
use super::task::{Task, Work};
use crate::audit::Draft;
use crate::clock;
use crate::consent::{Breach, Consent};
use crate::vault::Attempt;
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
    /// A change of the vault.
    Done,
}

impl Spent {
    /// The word in the audit entry.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Signed { .. } => "signed",
            Self::Done => "done",
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
            Self::Done => UseEvent::Done { managed: None },
        }
    }
}

/// Spends a consent on an outcome: what the person agreed to, and the token did, is done.
pub(super) fn spend(
    house: &House,
    key: &str,
    task: Task,
    consent: Consent,
    outcome: Outcome,
    counted: Option<Attempt>,
    draft: &mut Draft,
) -> Result<Spent, Refusal> {
    let (token, fate) = told(&outcome);
    draft.token = token.as_ref().map(|token| token.serial.clone());
    draft.token_label = token.as_ref().map(|token| token.label.clone());
    if let Some(attempt) = counted {
        house.vault.borrow_mut().settle(attempt, fate)?;
    }
    if let Outcome::Refused { refusal, .. } = outcome {
        return Err(refusal);
    }
    let Some(token) = token else { return Err(breached(Breach("an outcome of another program"))) };
    let given = consent.given(&token, fate).map_err(breached)?;
    draft.factors = Some(given.factors.iter().map(|kind| kind.name().to_owned()).collect());
    let mut vault = house.vault.borrow_mut();
    let spent = match (task.work, outcome) {
        (Work::Sign { prepared, url }, Outcome::Signed { authorization, .. }) => {
            vault.touch_used(key, clock::now())?;
            return Ok(Spent::Signed { prepared, url, authorization });
        }
        (Work::Add, Outcome::Opened { .. }) => {
            vault.commit_new(&task.record)?;
            Spent::Done
        }
        (Work::Change { next, .. }, Outcome::Resealed { record, .. }) => {
            let bytes =
                STANDARD.decode(record).map_err(|_| breached(Breach("a record that is not base64")))?;
            vault.commit_next(key, &task.record.header_sha256, &bytes, &next)?;
            Spent::Done
        }
        (Work::Remove, Outcome::Opened { .. }) => {
            vault.remove(key, clock::now())?;
            Spent::Done
        }
        (
            Work::Sign { .. } | Work::Add | Work::Change { .. } | Work::Remove,
            Outcome::Signed { .. }
            | Outcome::Opened { .. }
            | Outcome::Resealed { .. }
            | Outcome::Managed(_)
            | Outcome::Refused { .. },
        ) => return Err(breached(Breach("an outcome of another act"))),
    };
    // What was handed out under the old record must not outlive it.
    let _forgotten = house.sessions.forget(None, Some(key), clock::now());
    Ok(spent)
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
