//! How long each part of a use takes. Pure: moments come as arguments.

use signet_protocol::api::UseEvent;
use signet_protocol::child::WaitingFor;
use std::time::{Duration, Instant};

/// The parts of a use, in the order in which they first come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Reaching the agent, until it has decided.
    Agent,
    /// Other uses come first, or a token is to be plugged in.
    Waiting,
    /// The person reads and answers.
    Questions,
    /// The token, or the authenticator that approves, waits for a touch.
    Touch,
    /// The signer and the token at work.
    Signature,
}

impl Part {
    /// All of them.
    pub(crate) const ALL: [Self; 5] =
        [Self::Agent, Self::Waiting, Self::Questions, Self::Touch, Self::Signature];
}

/// The time of one use, every moment of it in exactly one part.
#[derive(Debug, Clone)]
pub(crate) struct Laps {
    part: Part,
    since: Instant,
    spent: Vec<(Part, Duration)>,
}

impl Laps {
    /// Begins with reaching the agent.
    pub(super) fn begin(now: Instant) -> Self {
        Self { part: Part::Agent, since: now, spent: Vec::new() }
    }

    /// From now on it is another part, or the same again.
    pub(super) fn enter(&mut self, part: Part, now: Instant) {
        self.spent.push((self.part, now.saturating_duration_since(self.since)));
        (self.part, self.since) = (part, now);
    }

    /// The use is over.
    pub(super) fn end(&mut self, now: Instant) {
        self.enter(self.part, now);
    }

    /// What a part took, all its times together.
    pub(crate) fn of(&self, part: Part) -> Duration {
        self.spent.iter().filter(|(which, _)| *which == part).map(|(_, time)| *time).sum()
    }
}

/// The part that an event begins; none where the use is over with it.
pub(super) fn after(event: &UseEvent) -> Option<Part> {
    match event {
        UseEvent::Queued { .. } | UseEvent::Waiting { what: WaitingFor::Token, .. } => Some(Part::Waiting),
        UseEvent::Prompt(_) => Some(Part::Questions),
        UseEvent::Touch { .. } => Some(Part::Touch),
        // the card is waited for before each talk with it, nearly always for no time at all
        UseEvent::Accepted(_) | UseEvent::Touched {} | UseEvent::Waiting { what: WaitingFor::Card, .. } => {
            Some(Part::Signature)
        }
        UseEvent::Signed(_) | UseEvent::Done { .. } | UseEvent::Refused { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_moment_is_in_exactly_one_part() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut laps = Laps::begin(start);
        for (part, ms) in [
            (Part::Signature, 5),
            (Part::Questions, 7),
            (Part::Signature, 1007),
            (Part::Touch, 1010),
            (Part::Signature, 1210),
            (Part::Touch, 1220),
            (Part::Signature, 1320),
        ] {
            laps.enter(part, at(ms));
        }
        laps.end(at(1322));
        let told = Part::ALL.map(|part| laps.of(part).as_millis());
        assert_eq!(told, [5, 0, 1000, 300, 17]);
        assert_eq!(told.iter().sum::<u128>(), 1322);
    }

    #[test]
    fn waiting_for_a_card_that_is_there_is_the_signers_time() {
        let waiting = |what| after(&UseEvent::Waiting { what, tokens: vec![], seconds: 1 });
        assert_eq!(waiting(WaitingFor::Card), Some(Part::Signature));
        assert_eq!(waiting(WaitingFor::Token), Some(Part::Waiting));
    }
}
