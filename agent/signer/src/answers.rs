//! Everything that is asked of the person before a token is used, and the check of the code.
//!
//! Promises: one place asks for PIN or passphrase, and never spends the last try unasked. What was
//! typed is kept in memory that is wiped, and no longer than the use.

use crate::conversation::{Conversation, Question, Typed};
use crate::factor::fido2::Approver;
use crate::factor::{seed, totp};
use crate::job::{Job, disagree, has_totp};
use crate::payload::Payload;
use crate::token::Asks;
use signet_protocol::PromptKind;
use signet_protocol::child::{CodeFate, TokenName};
use signet_protocol::refusal::{Code, Refusal};
use std::time::{SystemTime, UNIX_EPOCH};

/// A right code that is refused comes from a wrong clock.
const CHECK_CLOCK: &str = "timedatectl";
/// A code lives for so long.
const WAIT: &str = "sleep 30";

/// The answers of one use.
pub struct Answers {
    /// PIN or passphrase, where the token wants one.
    pub secret: Option<Typed>,
    /// PIN of the authenticator that approves, where it wants one.
    pub approver: Option<Typed>,
    /// A new seed, where one was wanted.
    pub seed: Option<seed::Text>,
    /// The key's secret, where it was wanted.
    pub key: Option<Typed>,
    /// A code, and when it was given.
    code: Option<(Typed, u64)>,
    /// The step of the code that confirmed the new seed.
    confirmed: Option<u64>,
}

impl Answers {
    /// Asks for what the token, the approver and the job want, in this order: PIN, code, PIN of the
    /// authenticator, new seed, key, consent.
    ///
    /// # Errors
    /// `interrupted` when the person cancels; `factor_failed` where a new seed was not confirmed.
    pub fn ask(
        job: &Job,
        (asks, token): (&Asks, &TokenName),
        approver: Option<&Approver<'_>>,
        talk: &mut Conversation,
    ) -> Result<Self, Refusal> {
        let pin = secret(asks, token, talk)?;
        let mut answers =
            Self { secret: pin, approver: None, seed: None, key: None, code: None, confirmed: None };
        if job.totp.is_some() {
            let code = talk.ask(question(PromptKind::Totp, None))?;
            answers.code = Some((code, seconds()));
        }
        if let Some(approver) = approver {
            answers.approver = secret(&approver.asks, approver.name(), talk)?;
        }
        if job.wants_seed() {
            let seed = seed::typed(&talk.ask(question(PromptKind::TotpSeed, None))?)?;
            let text = "a code of the new factor, to confirm it".to_owned();
            let code = talk.ask(question(PromptKind::Totp, Some(text)))?;
            answers.confirmed = match code_of(seed.as_str(), &code, seconds(), None) {
                totp::Code::Good(step) => Some(step),
                totp::Code::Used | totp::Code::Wrong => {
                    let message = "the code does not belong to the new seed";
                    return Err(Refusal::new(Code::FactorFailed, message, CHECK_CLOCK));
                }
            };
            answers.seed = Some(seed);
        }
        if job.wants_key() {
            let text = format!("secret access key of {}, once more", job.metadata.access_key_id);
            answers.key = Some(talk.ask(question(PromptKind::Secret, Some(text)))?);
        }
        consent(asks, token, talk)?;
        Ok(answers)
    }

    /// Checks the code, where one was asked for, against the seed that was opened; `fate` is what
    /// became of it. A record that was not opened has no seed.
    ///
    /// # Errors
    /// `factor_failed`; `internal` where record and metadata do not agree.
    pub fn check_code(
        &self,
        job: &Job,
        payload: Option<&Payload>,
        fate: &mut CodeFate,
    ) -> Result<(), Refusal> {
        let seed = match payload {
            Some(payload) => payload.read()?.totp_seed,
            None => None,
        };
        if seed.is_some() != has_totp(&job.metadata) {
            return Err(disagree("whether the key has a code factor"));
        }
        let code = match (self.confirmed, job.totp, &self.code, seed) {
            (Some(step), ..) => totp::Code::Good(step),
            (None, Some(gate), Some((code, given)), Some(seed)) => {
                code_of(seed, code, *given, gate.last_step)
            }
            // Nothing was asked for: the act is not gated.
            (None, ..) => return Ok(()),
        };
        *fate = CodeFate::Refused;
        match code {
            totp::Code::Good(step) => {
                *fate = CodeFate::Accepted(step);
                Ok(())
            }
            totp::Code::Used => {
                let message = "that code was used before: wait for the next one (up to 30 s)";
                Err(Refusal::new(Code::FactorFailed, message, WAIT))
            }
            totp::Code::Wrong => Err(Refusal::new(Code::FactorFailed, "the code is wrong", CHECK_CLOCK)),
        }
    }
}

/// Asks for a token's PIN or passphrase, if it wants one.
///
/// # Errors
/// `interrupted` when the person cancels, or keeps the last try.
pub fn secret(asks: &Asks, token: &TokenName, talk: &mut Conversation) -> Result<Option<Typed>, Refusal> {
    let Some(kind) = asks.secret else { return Ok(None) };
    if asks.tries_left == Some(1) {
        let text = format!("one try is left before token {} locks: use it", token.serial);
        let question = Question { tries_left: Some(1), ..about(PromptKind::Confirm, Some(text), token) };
        if !talk.ask(question)?.is_yes() {
            return Err(Refusal::bare(Code::Interrupted, "the last try was not used").tries(1));
        }
    }
    Ok(Some(talk.ask(Question { tries_left: asks.tries_left, ..about(kind, None, token) })?))
}

/// Asks the question that stands for a token's touch, if it has one.
///
/// # Errors
/// `not_touched` for a no.
pub fn consent(asks: &Asks, token: &TokenName, talk: &mut Conversation) -> Result<(), Refusal> {
    let Some(text) = asks.consent else { return Ok(()) };
    if talk.ask(about(PromptKind::Confirm, Some(text.to_owned()), token))?.is_yes() {
        Ok(())
    } else {
        Err(Refusal::bare(Code::NotTouched, "the use was not confirmed"))
    }
}

/// A question about a token.
#[must_use]
pub fn about(kind: PromptKind, text: Option<String>, token: &TokenName) -> Question {
    Question { token: Some(token.clone()), ..question(kind, text) }
}

fn code_of(seed: &str, code: &Typed, now: u64, last: Option<u64>) -> totp::Code {
    seed::decode(seed).map_or(totp::Code::Wrong, |seed| totp::check(&seed, code, now, last))
}

const fn question(kind: PromptKind, text: Option<String>) -> Question {
    Question { kind, text, tries_left: None, token: None }
}

/// Seconds since 1970; a clock before that is no clock, and every date is then refused.
pub(crate) fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
