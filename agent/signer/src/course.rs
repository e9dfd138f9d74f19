//! The one path of a use, from the order to the outcome, on one page.
//!
//! Check the order; find a token without side effects; ask for everything; then, with all answers in
//! hand, let the token open the record; check the code; do the work. Guard clauses only: whatever
//! goes wrong ends the use with a refusal, and nothing is signed.

use crate::conversation::{Conversation, Question, Typed};
use crate::factor::{seed, totp};
use crate::job::{Job, Work, check_date, disagree, has_totp};
use crate::token::{self, Asks, Opened, Task};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signet_protocol::PromptKind;
use signet_protocol::child::{CodeFate, Order, Outcome, Seed, TokenName};
use signet_protocol::refusal::{Code, Refusal};
use signet_sigv4::authorization;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A right code that is refused comes from a wrong clock.
const CHECK_CLOCK: &str = "timedatectl";
/// A code lives for so long.
const WAIT: &str = "sleep 30";

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
    let mut candidates = token::candidates(&job.metadata.recipients, order)?;
    let patience = order.wait_for_token.then_some(deadline);
    let (found, asks) = token::find(&mut candidates, patience, talk)?;
    account.token = Some(found.name.clone());

    let answers = Answers::ask(&job, &asks, &found.name, talk)?;
    let task = Task { record: &job.record, amz_date: job.amz_date() };
    let opened =
        found.token.open(&task, &answers.secret, talk).map_err(|error| error.into_refusal(&found.name))?;
    answers.check_code(&job, &opened, &mut account.code)?;

    let token = found.name.clone();
    match &job.work {
        Work::Sign(prepared) => {
            check_date(prepared, now())?;
            let date_key = opened.date_key.ok_or_else(|| disagree("what was asked of the token"))?;
            let signature =
                date_key.sign(prepared).map_err(|error| Refusal::bare(Code::Internal, error.to_string()))?;
            let authorization = authorization(&job.metadata.access_key_id, prepared, &signature);
            Ok(Outcome::Signed { authorization, token, code: account.code })
        }
        Work::Open => Ok(Outcome::Opened { token, code: account.code }),
        Work::Reseal(reseal) => {
            let file = reseal.seal(&opened.payload, answers.seed.as_ref())?;
            Ok(Outcome::Resealed { record: STANDARD.encode(file), token, code: account.code })
        }
    }
}

impl Job {
    fn amz_date(&self) -> Option<&str> {
        match &self.work {
            Work::Sign(prepared) => Some(prepared.amz_date()),
            Work::Open | Work::Reseal(_) => None,
        }
    }

    /// Whether a new seed is asked for.
    fn wants_seed(&self) -> bool {
        match &self.work {
            Work::Reseal(reseal) => match reseal.seed {
                Seed::Ask => true,
                Seed::Keep | Seed::Drop => false,
            },
            Work::Sign(_) | Work::Open => false,
        }
    }
}

/// Everything that had to be asked, before the token is used.
struct Answers {
    /// PIN or passphrase.
    secret: Typed,
    /// A code, and when it was given.
    code: Option<(Typed, u64)>,
    /// A new seed, and the step of the code that confirmed it.
    seed: Option<seed::Text>,
    confirmed: Option<u64>,
}

impl Answers {
    fn ask(job: &Job, asks: &Asks, token: &TokenName, talk: &mut Conversation) -> Result<Self, Refusal> {
        let about = |kind, text: Option<String>, tries_left| Question {
            kind,
            text,
            tries_left,
            token: Some(token.clone()),
        };
        if asks.tries_left == Some(1) {
            let text = format!("one try is left before token {} locks: use it", token.serial);
            if !talk.ask(about(PromptKind::Confirm, Some(text), Some(1)))?.is_yes() {
                return Err(Refusal::bare(Code::Interrupted, "the last try was not used").tries(1));
            }
        }
        let secret = talk.ask(about(asks.secret, None, asks.tries_left))?;
        let mut answers = Self { secret, code: None, seed: None, confirmed: None };
        if job.totp.is_some() {
            let code = talk.ask(question(PromptKind::Totp, None))?;
            answers.code = Some((code, seconds()));
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
        if let Some(text) = asks.consent
            && !talk.ask(about(PromptKind::Confirm, Some(text.to_owned()), None))?.is_yes()
        {
            return Err(Refusal::bare(Code::NotTouched, "the use was not confirmed"));
        }
        Ok(answers)
    }

    /// Checks the code, where one was asked for, against the seed that was opened; `fate` is what
    /// became of it.
    fn check_code(&self, job: &Job, opened: &Opened, fate: &mut CodeFate) -> Result<(), Refusal> {
        let seed = opened.payload.read()?.totp_seed;
        if seed.is_some() != has_totp(&job.metadata) {
            return Err(disagree("whether the key has a code factor"));
        }
        let code = match (self.confirmed, job.totp, &self.code, seed) {
            (Some(step), ..) => totp::Code::Good(step),
            (None, Some(gate), Some((code, given)), Some(seed)) => {
                code_of(seed, code, *given, gate.last_step)
            }
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

fn code_of(seed: &str, code: &Typed, now: u64, last: Option<u64>) -> totp::Code {
    seed::decode(seed).map_or(totp::Code::Wrong, |seed| totp::check(&seed, code, now, last))
}

const fn question(kind: PromptKind, text: Option<String>) -> Question {
    Question { kind, text, tries_left: None, token: None }
}

/// Seconds since 1970; a clock before that is no clock, and every date is then refused.
fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn now() -> i64 {
    i64::try_from(seconds()).unwrap_or(0)
}
