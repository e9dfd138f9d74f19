//! The conversation between a child and the person, while a use lasts.
//!
//! Promises: what the child says goes to the caller, what the caller answers goes to the child, in
//! turn; a code is counted, on disk, before it is handed on; the course ends when the caller goes
//! away, the agent stops or the time is over. Must not know: what the child's outcome means.

#![forbid(unsafe_code)]

use super::house::House;
use super::keep::Keep;
use super::open::Asking;
use crate::consent::{Breach, Consent};
use crate::queue::{Claim, Place};
use crate::signer::{Broken, Child, Program};
use serde::Serialize;
use signet_protocol::api::{Answer, UseEvent};
use signet_protocol::child::{ChildAnswer, Event, Outcome, TokenName, WaitingFor};
use signet_protocol::{Code, PromptKind, Refusal};
use std::time::Duration;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep_until, timeout_at};

/// A card that is busy for less than this is not worth a word.
const HUSH: Duration = Duration::from_millis(300);

/// How long a card can stay busy with the touch wait of a signer that was killed, in seconds
/// (YubiKey: about 15).
const CARD_SECONDS: u32 = 15;

/// The child is told to end itself this long before it is killed, so that it can still say why.
const GRACE: Duration = Duration::from_millis(500);

/// How a course ended without an outcome.
pub(super) enum Cut {
    /// It was refused, or broke off; the caller is told.
    Refused(Refusal),
    /// The caller went away: nobody is there to be told.
    Gone,
}

impl From<Refusal> for Cut {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Cut {
    /// What the audit entry says, and the caller if he is there.
    pub(super) fn refusal(self) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal,
            Self::Gone => Refusal::bare(Code::Interrupted, "the caller went away"),
        }
    }
}

/// The caller's end of a use, and how long it lasts.
pub(super) struct Line<'a> {
    pub(super) house: &'a House,
    pub(super) tell: &'a Sender<UseEvent>,
    pub(super) until: Instant,
    /// Whether the caller can ask the person.
    pub(super) may_ask: bool,
}

impl Line<'_> {
    /// Says something to the caller, who reads it at once or is gone.
    pub(super) fn say(&self, event: UseEvent) -> Result<(), Cut> {
        self.tell.try_send(event).map_err(|_| Cut::Gone)
    }

    /// Time left, in milliseconds, for a child that should end by itself.
    pub(super) fn deadline_ms(&self) -> u64 {
        let left = self.until.saturating_duration_since(Instant::now()).saturating_sub(GRACE);
        u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
    }

    /// Runs a course as long as there is a caller, an agent and time.
    pub(super) async fn while_it_lasts<T>(
        &self,
        course: impl Future<Output = Result<T, Cut>>,
    ) -> Result<T, Cut> {
        tokio::select! {
            biased;
            () = self.tell.closed() => Err(Cut::Gone),
            () = self.house.stopping() => {
                Err(Refusal::new(Code::Interrupted, "the agent is stopping", "signet status").into())
            }
            ended = timeout_at(self.until, course) => ended.unwrap_or_else(|_| {
                Err(Refusal::bare(Code::Timeout, "the time for this use is over: start it again").into())
            }),
        }
    }

    /// Waits for our turn at the tokens, and tells the place meanwhile.
    pub(super) async fn turn(&self, claim: Claim) -> Result<Place, Cut> {
        let place = self.house.queue.stand(claim).map_err(|_full| {
            Refusal::new(Code::Busy, "too many uses wait for this token", "signet status")
        })?;
        let mut before = place.before();
        while before > 0 {
            self.say(UseEvent::Queued { place: before })?;
            before = place.moved_from(before).await;
        }
        Ok(place)
    }

    /// Where nobody can be asked, a use ends at its first question or touch: until then it may still
    /// say something better, such as that the token is absent.
    fn can_ask(&self) -> Result<(), Refusal> {
        if self.may_ask {
            return Ok(());
        }
        Err(Refusal::bare(Code::NoPrompt, "the person has to be asked, and there is nowhere to ask"))
    }

    /// Starts a child with its order; whoever holds it ends it on every way out.
    pub(super) async fn start<'c, T: Serialize>(
        &self,
        program: Program,
        order: &T,
        held: &'c mut Option<Child>,
    ) -> Result<&'c mut Child, Refusal> {
        let child = Child::start(&self.house.programs, program).map_err(|broken| said(&broken))?;
        let child = held.insert(child);
        child.order(order).await.map_err(|broken| said(&broken))?;
        Ok(child)
    }

    /// Carries questions and answers until the child tells its outcome, and has `keep` put on disk
    /// what must be there before the child goes on.
    pub(super) async fn carry(
        &self,
        child: &mut Child,
        consent: &mut Consent,
        asking: &mut Asking,
        mut keep: impl Keep,
    ) -> Result<Outcome, Cut> {
        let mut hushed: Option<(Instant, Vec<TokenName>)> = None;
        loop {
            let hush_ends = hushed.as_ref().map_or(self.until, |(ends, _)| *ends);
            tokio::select! {
                biased;
                event = child.event() => {
                    hushed = None;
                    match event.map_err(|broken| said(&broken))? {
                        Event::Waiting { what: WaitingFor::Card, tokens } => {
                            hushed = Some((Instant::now() + HUSH, tokens));
                        }
                        Event::Waiting { what: WaitingFor::Token, tokens } => {
                            let seconds = self.seconds_left();
                            self.say(UseEvent::Waiting { what: WaitingFor::Token, tokens, seconds })?;
                        }
                        Event::Prompt(prompt) => {
                            self.can_ask()?;
                            consent.asked(&prompt).map_err(breached)?;
                            asking.ask(prompt.number);
                            self.say(UseEvent::Prompt(prompt))?;
                        }
                        Event::Touch { n, of, token, seconds } => {
                            // Who is not told what he touches for has not agreed to it.
                            self.can_ask()?;
                            consent.touch_shown(n, of, &token).map_err(breached)?;
                            self.say(UseEvent::Touch { n, of, token, seconds })?;
                        }
                        Event::Touched => self.say(UseEvent::Touched {})?,
                        Event::Approved(proof) => {
                            consent.approved(&proof.factor).map_err(breached)?;
                            let kept = keep.approve(proof)?;
                            let _ended = child.kept(&kept).await;
                        }
                        Event::Store { record, token, code } => {
                            consent.holds(&token, code).map_err(breached)?;
                            let stored = keep.store(&record, code)?;
                            // As with an answer: what it says next tells.
                            let _ended = child.stored(&stored).await;
                        }
                        Event::Outcome(outcome) => return Ok(outcome),
                    }
                }
                Answer { number, sealed } = asking.answer() => {
                    let kind = consent.answered(number, sealed.is_none()).map_err(breached)?;
                    if kind == PromptKind::Totp && sealed.is_some() {
                        keep.count()?;
                    }
                    // A child that takes no answer has ended: what it said last, or that it said
                    // nothing, is the next event.
                    let _ended = child.answer(&ChildAnswer { number, sealed }).await;
                }
                () = sleep_until(hush_ends), if hushed.is_some() => {
                    if let Some((_, tokens)) = hushed.take() {
                        self.say(UseEvent::Waiting { what: WaitingFor::Card, tokens, seconds: CARD_SECONDS })?;
                    }
                }
            }
        }
    }

    fn seconds_left(&self) -> u32 {
        let left = self.until.saturating_duration_since(Instant::now());
        u32::try_from(left.as_secs()).unwrap_or(u32::MAX)
    }
}

/// A child that fails is our fault, not the caller's; the details are for the log.
pub(super) fn said(broken: &Broken) -> Refusal {
    eprintln!("signet-agent: error: {broken}");
    Refusal::new(Code::Internal, broken.to_string(), "signet doctor")
}

/// A child that does what its use does not allow is not listened to any further.
pub(super) fn breached(breach: Breach) -> Refusal {
    eprintln!("signet-agent: error: a child broke its use: {}", breach.0);
    Refusal::new(Code::Internal, format!("the use was ended: {}", breach.0), "signet doctor")
}
