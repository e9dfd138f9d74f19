//! What can go wrong with a card, armed by the test for one APDU to come.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The card is pulled out before it answers.
    Remove,
    /// The command is not carried out; this status word is the answer.
    Status(u16),
    /// The command is carried out, but these bytes are the answer.
    Garbage(Vec<u8>),
    /// The command is carried out, but the last byte of the answer's data (if it has any) is another.
    Wrong,
    /// The card has lost everything volatile when the command comes, as after a moment without power that
    /// the reader did not see.
    Reset,
    /// The card never answers until it is pulled out.
    Mute,
    /// The answer comes this much later.
    Delay(Duration),
}

/// Which APDU a fault hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The n-th from now, the next one being 0.
    Nth(usize),
    /// The next one with this instruction.
    Ins(u8),
}

#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<Vec<(At, Fault)>>);

impl Faults {
    pub(super) fn arm(&self, at: At, fault: Fault) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((at, fault));
    }

    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(super) fn left(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Counts one APDU, and takes the fault that hits it.
    pub(super) fn take(&self, ins: Option<u8>) -> Option<Fault> {
        let mut armed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hit = armed.iter().position(|(at, _)| match at {
            At::Nth(left) => *left == 0,
            At::Ins(wanted) => Some(*wanted) == ins,
        });
        let fault = hit.map(|index| armed.remove(index).1);
        for (at, _) in armed.iter_mut() {
            if let At::Nth(left) = at {
                *left = left.saturating_sub(1);
            }
        }
        fault
    }
}
