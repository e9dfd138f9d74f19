//! One use at a time per token; the others stand in a short line and see their place.
//!
//! Promises: uses that may need the same token run one after the other, in the order in which they
//! came; a place is given up by dropping it, on every way out. Must not know: what a use does.
//!
//! A use names every token that would do (the signer takes the first that is there), so two uses
//! meet when they share one.

use std::cell::RefCell;
use std::rc::Rc;
use tokio::sync::Notify;

/// Longest line for one token, the use at its head included.
const LONGEST: usize = 16;

/// The tokens a use may need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Any of these serials.
    Tokens(Vec<String>),
    /// Whichever is there: a token that is not enrolled yet has no name to wait for.
    Any,
}

impl Claim {
    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::Tokens(ours), Self::Tokens(theirs)) => ours.iter().any(|serial| theirs.contains(serial)),
        }
    }
}

#[derive(Debug)]
struct Standing {
    number: u64,
    claim: Claim,
}

#[derive(Debug, Default)]
struct Line {
    next: u64,
    standing: Vec<Standing>,
}

/// The line of every token.
#[derive(Debug, Default)]
pub struct Queue {
    line: Rc<RefCell<Line>>,
    moved: Rc<Notify>,
}

/// The line is full.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl Queue {
    /// Stands at the end of the line of every token in `claim`.
    ///
    /// # Errors
    /// [`Full`] when too many stand there already.
    pub fn stand(&self, claim: Claim) -> Result<Place, Full> {
        let mut line = self.line.borrow_mut();
        if line.standing.iter().filter(|other| other.claim.meets(&claim)).count() >= LONGEST {
            return Err(Full);
        }
        let number = line.next;
        line.next += 1;
        line.standing.push(Standing { number, claim });
        Ok(Place { number, line: Rc::clone(&self.line), moved: Rc::clone(&self.moved) })
    }
}

/// A place in the line; dropping it lets the next one go.
#[derive(Debug)]
pub struct Place {
    number: u64,
    line: Rc<RefCell<Line>>,
    moved: Rc<Notify>,
}

impl Place {
    /// How many stand before this one: 0 means that the token is ours.
    #[must_use]
    pub fn before(&self) -> u32 {
        let line = self.line.borrow();
        let Some(own) = line.standing.iter().find(|standing| standing.number == self.number) else {
            return 0;
        };
        let earlier = line.standing.iter().filter(|other| other.number < self.number);
        u32::try_from(earlier.filter(|other| other.claim.meets(&own.claim)).count()).unwrap_or(u32::MAX)
    }

    /// Waits until the place is no longer `place`, and tells the new one.
    pub async fn moved_from(&self, place: u32) -> u32 {
        loop {
            // Registered before looking, so that no move is missed between the look and the wait.
            let moved = self.moved.notified();
            match self.before() {
                now if now != place => return now,
                _same => moved.await,
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.line.borrow_mut().standing.retain(|standing| standing.number != self.number);
        self.moved.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(serials: &[&str]) -> Claim {
        Claim::Tokens(serials.iter().map(|serial| (*serial).to_owned()).collect())
    }

    #[test]
    fn uses_of_one_token_stand_in_order_and_others_do_not_wait() {
        let queue = Queue::default();
        let first = queue.stand(of(&["1", "2"])).unwrap();
        let second = queue.stand(of(&["2"])).unwrap();
        let other = queue.stand(of(&["3"])).unwrap();
        let third = queue.stand(of(&["2", "3"])).unwrap();
        assert_eq!([first.before(), second.before(), other.before(), third.before()], [0, 1, 0, 3]);
        drop(second);
        assert_eq!(third.before(), 2);
        drop((first, other));
        assert_eq!(third.before(), 0);
    }

    #[test]
    fn an_act_on_an_unnamed_token_waits_for_everybody() {
        let queue = Queue::default();
        let use_of_one = queue.stand(of(&["1"])).unwrap();
        let enrol = queue.stand(Claim::Any).unwrap();
        assert_eq!(queue.stand(of(&["9"])).unwrap().before(), 1);
        assert_eq!(enrol.before(), 1);
        drop(use_of_one);
        assert_eq!(enrol.before(), 0);
    }

    #[test]
    fn the_line_is_short() {
        let queue = Queue::default();
        let places: Vec<Place> = (0..LONGEST).map(|_| queue.stand(of(&["1"])).unwrap()).collect();
        assert_eq!(queue.stand(of(&["1"])).unwrap_err(), Full);
        assert!(queue.stand(of(&["2"])).is_ok(), "another token's line is its own");
        drop(places);
        assert!(queue.stand(of(&["1"])).is_ok());
    }

    #[tokio::test]
    async fn a_waiter_is_told_when_it_moves() {
        let queue = Queue::default();
        let first = queue.stand(of(&["1"])).unwrap();
        let second = queue.stand(of(&["1"])).unwrap();
        let waiting = second.moved_from(1);
        tokio::pin!(waiting);
        assert!(futures_pending(waiting.as_mut()).await, "nothing moved yet");
        drop(first);
        assert_eq!(waiting.await, 0);
    }

    async fn futures_pending<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
        std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_pending())).await
    }
}
