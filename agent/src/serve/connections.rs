//! How many connections there are, of whom, and since when there is none.
//!
//! Promises: a place is given back by dropping it. Must not know: what a connection is for.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

#[derive(Debug)]
struct Shared {
    most: usize,
    of: RefCell<HashMap<u32, usize>>,
    stirred: Cell<Instant>,
    closed: Notify,
}

/// Every open connection.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    shared: Rc<Shared>,
}

/// One open connection.
#[derive(Debug)]
pub(super) struct Connection {
    uid: u32,
    shared: Rc<Shared>,
}

impl Connections {
    /// At most `most` of each uid.
    pub(super) fn new(most: usize) -> Self {
        let shared = Shared {
            most,
            of: RefCell::default(),
            stirred: Cell::new(Instant::now()),
            closed: Notify::new(),
        };
        Self { shared: Rc::new(shared) }
    }

    /// One more of this uid, if there is room.
    pub(super) fn open(&self, uid: u32) -> Option<Connection> {
        let mut of = self.shared.of.borrow_mut();
        let count = of.entry(uid).or_default();
        if *count >= self.shared.most {
            return None;
        }
        *count += 1;
        Some(Connection { uid, shared: Rc::clone(&self.shared) })
    }

    fn is_empty(&self) -> bool {
        self.shared.of.borrow().is_empty()
    }

    /// Something happened: the idle time begins anew.
    pub(super) fn stirred(&self) {
        self.shared.stirred.set(Instant::now());
    }

    /// Resolves when there is no connection.
    pub(super) async fn none(&self) {
        loop {
            let closed = self.shared.closed.notified();
            if self.is_empty() {
                return;
            }
            closed.await;
        }
    }

    /// Resolves when there has been no connection for `idle`; never, without an idle time.
    pub(super) async fn quiet_for(&self, idle: Option<Duration>) {
        let Some(idle) = idle else { return std::future::pending().await };
        loop {
            self.none().await;
            let quiet_at = self.shared.stirred.get() + idle;
            sleep_until(quiet_at).await;
            if self.is_empty() && self.shared.stirred.get() + idle <= Instant::now() {
                return;
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut of = self.shared.of.borrow_mut();
        if let Some(count) = of.get_mut(&self.uid) {
            *count -= 1;
            if *count == 0 {
                of.remove(&self.uid);
            }
        }
        drop(of);
        self.shared.stirred.set(Instant::now());
        self.shared.closed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn places_are_counted_by_uid_and_given_back() {
        let connections = Connections::new(2);
        let first = connections.open(1).unwrap();
        let _second = connections.open(1).unwrap();
        assert!(connections.open(1).is_none());
        assert!(connections.open(2).is_some(), "another uid has its own");
        drop(first);
        assert!(connections.open(1).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn quiet_is_counted_from_the_end_of_the_last_connection() {
        let connections = Connections::new(2);
        let open = connections.open(1).unwrap();
        let start = Instant::now();
        let idle = Some(Duration::from_secs(60));
        let ends = async {
            tokio::time::sleep(Duration::from_secs(100)).await;
            drop(open);
        };
        tokio::join!(connections.quiet_for(idle), ends);
        assert_eq!(start.elapsed().as_secs(), 160);
    }
}
