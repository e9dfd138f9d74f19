//! What a card needs of its daemon: where to plug in, and how to see that it is plugged in.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::log::Log;
use super::{PATIENCE, Pcscd, wire};

/// One reader of a daemon.
#[derive(Debug, Clone)]
pub(crate) struct Hand {
    socket: PathBuf,
    name: String,
    port: u16,
    index: u8,
    slots: Arc<[AtomicBool]>,
    log: Arc<Log>,
}

impl Hand {
    pub(super) fn of(pcscd: &Pcscd, index: u8) -> Self {
        let pair = pcscd.pairs.get(usize::from(index / 2)).expect("this pcscd has such a reader");
        Self {
            socket: pcscd.socket(),
            name: pcscd.reader(index),
            port: pair.port + u16::from(index % 2),
            index,
            slots: Arc::clone(&pcscd.slots),
            log: Arc::clone(&pcscd.log),
        }
    }

    /// Where the card connects to.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The reader's number.
    pub(crate) fn index(&self) -> u8 {
        self.index
    }

    /// Gives the reader back for another card.
    pub(crate) fn give_back(&self) {
        if let Some(slot) = self.slots.get(usize::from(self.index)) {
            slot.store(false, Ordering::SeqCst);
        }
    }

    /// Takes the same reader again.
    pub(crate) fn take_again(&self) {
        let slot = self.slots.get(usize::from(self.index)).expect("a hand has a reader");
        assert!(!slot.swap(true, Ordering::SeqCst), "another card is in this reader");
    }

    /// Waits until the daemon shows the reader as occupied (or empty).
    pub(crate) fn wait_for(&self, present: bool) {
        let mut stream = wire::connect(&self.socket).expect("pcscd accepts a client");
        let seen = wire::wait_until(&mut stream, Instant::now() + PATIENCE, |states| {
            // A failed reset makes a card look absent before the daemon has noticed that it is gone; and
            // one that comes back before that is never powered up. The count of changes tells: it is odd
            // while a card is in.
            states.iter().any(|state| {
                state.name == self.name && state.present == present && (state.changes % 2 == 1) == present
            })
        });
        if let Err(error) = seen {
            let wanted = if present { "occupied" } else { "empty" };
            panic!(
                "reader {} did not become {wanted}: {error}; pcscd said:\n{}",
                self.index,
                self.log.text()
            );
        }
    }
}
