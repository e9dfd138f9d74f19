//! The one path of a use, from the order to the outcome, on one page.
//!
//! Check the order; find a token, and an authenticator that approves where one is due, without side effects,
//! and glance at the tokens that are to be written; ask for everything; then, with all answers in hand, have
//! the order approved; let the token open the record where that is needed; check the code; let the token
//! answer; do the work. Guard clauses only: whatever goes wrong ends the use with a refusal, and nothing is
//! signed.

use crate::answers::{Answers, seconds};
use crate::conversation::Conversation;
use crate::embed;
use crate::factor::fido2::Approver;
use crate::job::{Job, Work, check_date, disagree};
use crate::payload::Payload;
use crate::token::{self, Candidate, Computed};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret as _;
use signet_envelope::{hex, sha256};
use signet_protocol::child::{CodeFate, Order, Outcome, TokenName};
use signet_protocol::record::{CHECK_CHALLENGE, Custody};
use signet_protocol::refusal::{Code, Refusal};
use signet_sigv4::{DateKey, Prepared, authorization, challenge};
use std::time::Instant;

/// What is told of a use however it ends.
struct Account {
    token: Option<TokenName>,
    code: CodeFate,
}

/// Runs one use.
#[must_use]
pub fn run(order: &Order, deadline: Instant, talk: &mut Conversation) -> Outcome {
    let mut account = Account { token: None, code: CodeFate::Unchecked };
    match course(order, deadline, talk, &mut account) {
        Ok(outcome) => outcome,
        Err(refusal) => Outcome::Refused { refusal, token: account.token, code: account.code },
    }
}

fn course(
    order: &Order,
    deadline: Instant,
    talk: &mut Conversation,
    account: &mut Account,
) -> Result<Outcome, Refusal> {
    let job = Job::read(order, now())?;
    let mut candidates = candidates(&job, order)?;
    let patience = order.wait_for_token.then_some(deadline);
    let (found, asks) = token::find(&mut candidates, patience, talk)?;
    let token = found.name.clone();
    account.token = Some(token.clone());

    let locked = match &job.work {
        Work::Embed(embed) => embed::glance(embed, talk)?,
        Work::Sign(_) | Work::Open | Work::Verify | Work::Reseal(_) => Vec::new(),
    };
    let approver = Approver::find(&job, patience, talk)?;
    let answers = Answers::ask(&job, (&asks, &token), approver.as_ref(), talk)?;
    talk.expect_touches(found.token.touches() + job.further_touches() + u32::from(approver.is_some()));
    if let Some(approver) = &approver {
        approver.approve(order.approval.as_ref(), answers.approver.as_ref(), talk)?;
    }
    let payload = match &answers.secret {
        Some(secret) => Some(found.open(&job, secret, talk)?),
        None => None,
    };
    answers.check_code(&job, payload.as_ref(), &mut account.code)?;

    match &job.work {
        Work::Sign(prepared) => {
            let authorization = sign(&job, prepared, found, payload.as_ref(), talk)?;
            Ok(Outcome::Signed { authorization, token, code: account.code })
        }
        Work::Open => Ok(Outcome::Opened { token, code: account.code }),
        Work::Verify => {
            verify(&job, found, payload.as_ref(), talk)?;
            Ok(Outcome::Opened { token, code: account.code })
        }
        Work::Reseal(reseal) => {
            let file = reseal.seal(&opened(payload)?, answers.seed.as_ref())?;
            Ok(Outcome::Resealed { record: STANDARD.encode(file), token, code: account.code })
        }
        Work::Embed(embed) => {
            let hand = embed::Hand { order, patience, opener: &token, code: account.code, locked: &locked };
            let file = embed::run(&job, embed, &opened(payload)?, &answers, &hand, talk)?;
            Ok(Outcome::Resealed { record: STANDARD.encode(file), token, code: account.code })
        }
    }
}

/// The tokens that would do for the work.
fn candidates(job: &Job, order: &Order) -> Result<Vec<Candidate>, Refusal> {
    let metadata = &job.metadata;
    match (&job.work, metadata.custody) {
        (Work::Sign(_), Custody::InToken) => token::holders(metadata, order),
        // A token that opens the record but does not hold the key is verified by that.
        (Work::Verify, Custody::InToken) if order.tokens.iter().any(|serial| job.is_holder(serial)) => {
            token::holders(metadata, order)
        }
        (Work::Sign(_) | Work::Verify, _)
        | (Work::Open | Work::Reseal(_) | Work::Embed(_), Custody::Sealed | Custody::InToken) => {
            token::openers(metadata, order)
        }
    }
}

/// Derive, sign, wipe.
fn sign(
    job: &Job,
    prepared: &Prepared,
    found: &mut Candidate,
    payload: Option<&Payload>,
    talk: &Conversation,
) -> Result<String, Refusal> {
    check_date(prepared, now())?;
    let fault = |error: signet_sigv4::Error| Refusal::bare(Code::Internal, error.to_string());
    let date = challenge(prepared.amz_date()).map_err(fault)?;
    let answer = found.compute(&date, payload, talk)?;
    // The touch may have taken its time.
    check_date(prepared, now())?;
    let date_key = DateKey::answered(answer.expose_secret(), prepared.amz_date()).map_err(fault)?;
    let signature = date_key.sign(prepared).map_err(fault)?;
    Ok(authorization(&job.metadata.access_key_id, prepared, &signature))
}

/// A holder is verified by what it computes; every other token has just been, by opening.
fn verify(
    job: &Job,
    found: &mut Candidate,
    payload: Option<&Payload>,
    talk: &Conversation,
) -> Result<(), Refusal> {
    let Some(holder) = job.metadata.holders.iter().find(|holder| holder.serial == found.name.serial) else {
        return Ok(());
    };
    let answer = found.compute(CHECK_CHALLENGE, payload, talk)?;
    if hex(&sha256(answer.expose_secret())) == holder.check {
        return Ok(());
    }
    let message = format!("token {} does not compute what this key computes", holder.serial);
    Err(Refusal::new(Code::FailedCheck, message, token::repair(&job.metadata, holder)))
}

impl Candidate {
    fn open(&mut self, job: &Job, secret: &[u8], talk: &Conversation) -> Result<Payload, Refusal> {
        self.token.open(&job.record, secret, talk).map_err(|error| error.into_refusal(&self.name))
    }

    fn compute(
        &mut self,
        challenge: &token::Challenge,
        payload: Option<&Payload>,
        talk: &Conversation,
    ) -> Result<Computed, Refusal> {
        self.token.compute(challenge, payload, talk).map_err(|error| error.into_refusal(&self.name))
    }
}

fn opened(payload: Option<Payload>) -> Result<Payload, Refusal> {
    payload.ok_or_else(|| disagree("whether the record is opened"))
}

fn now() -> i64 {
    i64::try_from(seconds()).unwrap_or(0)
}
