//! Open uses: where the answer to a question finds the use that asked it.
//!
//! Promises: an answer is taken from the uid that began the use, for the question that is open now,
//! once. Must not know: what was asked, what the answer says.

#![forbid(unsafe_code)]

use signet_protocol::api::Answer;
use signet_protocol::{Code, Refusal};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use tokio::sync::{Notify, mpsc};

#[derive(Debug)]
struct Open {
    uid: u32,
    asks: Cell<Option<u32>>,
    answers: mpsc::Sender<Answer>,
}

type Table = Rc<RefCell<HashMap<String, Rc<Open>>>>;

/// Every use that is open now.
#[derive(Debug, Default)]
pub struct OpenUses {
    table: Table,
    closed: Rc<Notify>,
}

/// The asking end of one use; dropping it closes the use for answers.
#[derive(Debug)]
pub struct Asking {
    id: String,
    table: Table,
    closed: Rc<Notify>,
    open: Rc<Open>,
    answers: mpsc::Receiver<Answer>,
}

impl OpenUses {
    /// Opens a use for answers from `uid`.
    #[must_use]
    pub fn open(&self, id: &str, uid: u32) -> Asking {
        // One question is open at a time, so one answer can be on its way.
        let (sender, answers) = mpsc::channel(1);
        let open = Rc::new(Open { uid, asks: Cell::new(None), answers: sender });
        self.table.borrow_mut().insert(id.to_owned(), Rc::clone(&open));
        let (table, closed) = (Rc::clone(&self.table), Rc::clone(&self.closed));
        Asking { id: id.to_owned(), table, closed, open, answers }
    }

    /// Resolves when no use is open.
    pub async fn none(&self) {
        loop {
            let closed = self.closed.notified();
            if self.table.borrow().is_empty() {
                return;
            }
            closed.await;
        }
    }

    /// Takes an answer from `uid`.
    ///
    /// # Errors
    /// When there is no such use of this uid, or that question is not open.
    pub fn answer(&self, id: &str, uid: u32, answer: Answer) -> Result<(), Refusal> {
        // The same words for another uid's use: ids are not to be probed.
        let closed = || Refusal::bare(Code::BadRequest, "no such use is open");
        let open = self.table.borrow().get(id).filter(|open| open.uid == uid).cloned().ok_or_else(closed)?;
        if open.asks.get() != Some(answer.number) {
            return Err(Refusal::bare(Code::BadRequest, "that question is not open"));
        }
        open.asks.set(None);
        open.answers.try_send(answer).map_err(|_| closed())
    }
}

impl Asking {
    /// Question `number` is open now.
    pub fn ask(&self, number: u32) {
        self.open.asks.set(Some(number));
    }

    /// The answer, when it comes.
    pub async fn answer(&mut self) -> Answer {
        match self.answers.recv().await {
            Some(answer) => answer,
            // The sending end lives in `self.open`: it cannot be gone.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.table.borrow_mut().remove(&self.id);
        self.closed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn answer(number: u32) -> Answer {
        Answer { number, sealed: Some("c2VhbGVk".into()) }
    }

    #[tokio::test]
    async fn an_answer_is_taken_once_from_the_right_uid_for_the_open_question() {
        let uses = OpenUses::default();
        let mut asking = uses.open("a", 1000);
        assert!(uses.answer("a", 1000, answer(1)).is_err(), "nothing was asked");
        asking.ask(1);
        assert!(uses.answer("a", 1001, answer(1)).is_err(), "another uid");
        assert!(uses.answer("b", 1000, answer(1)).is_err(), "another use");
        assert!(uses.answer("a", 1000, answer(2)).is_err(), "another question");
        uses.answer("a", 1000, answer(1)).unwrap();
        assert!(uses.answer("a", 1000, answer(1)).is_err(), "a second time");
        assert_eq!(asking.answer().await.number, 1);
        asking.ask(2);
        uses.answer("a", 1000, answer(2)).unwrap();
        drop(asking);
        assert!(uses.answer("a", 1000, answer(2)).is_err(), "the use is over");
    }
}
