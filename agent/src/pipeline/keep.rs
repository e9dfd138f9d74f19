//! What is put on disk while a child still runs: a code's attempt before the code is handed on, and a
//! generation that must be durable before the child goes on.

#![forbid(unsafe_code)]

use super::conversation::breached;
use super::generation::following;
use super::house::House;
use super::task::{Task, Work};
use crate::clock;
use crate::consent::Breach;
use crate::vault::{Attempt, StoredRecord};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signet_protocol::child::{ChildStored, CodeFate};
use signet_protocol::{Code, Refusal};

/// What a conversation may put on disk.
pub(super) trait Keep {
    /// Counts a code.
    ///
    /// # Errors
    /// Then the code is not handed on.
    fn count(&mut self) -> Result<(), Refusal>;

    /// Settles the code that was counted, and stores a generation.
    ///
    /// # Errors
    /// Then the child is ended; what was stored before holds.
    fn store(&mut self, record: &str, code: CodeFate) -> Result<ChildStored, Refusal>;
}

/// What one use has put on disk so far.
#[derive(Default)]
pub(super) struct Kept {
    /// A code that was counted and not settled.
    pub(super) counted: Option<Attempt>,
    /// The last generation that was stored on the way.
    pub(super) stored: Option<StoredRecord>,
}

/// For a use of a key.
pub(super) struct OfUse<'a> {
    pub(super) house: &'a House,
    pub(super) task: &'a Task,
    pub(super) kept: &'a mut Kept,
}

impl Keep for OfUse<'_> {
    fn count(&mut self) -> Result<(), Refusal> {
        let mut vault = self.house.vault.borrow_mut();
        let counter = vault.counter(&self.task.record);
        self.kept.counted = Some(vault.attempt(&counter, clock::now())?);
        Ok(())
    }

    fn store(&mut self, record: &str, code: CodeFate) -> Result<ChildStored, Refusal> {
        let Work::Embed(_) = &self.task.work else {
            return Err(breached(Breach("a generation that was not ordered")));
        };
        let mut vault = self.house.vault.borrow_mut();
        if let Some(attempt) = self.kept.counted.take() {
            vault.settle(attempt, code)?;
        }
        let bytes = STANDARD.decode(record).map_err(|_| breached(Breach("a record that is not base64")))?;
        let before = self.kept.stored.as_ref().unwrap_or(&self.task.record);
        let (name, header, next) = (&before.meta.name, &before.header_sha256, following(before)?);
        let stored = vault.commit_step(name, header, &bytes, &next, clock::now())?;
        let epoch = stored.meta.epoch;
        self.kept.stored = Some(stored);
        Ok(ChildStored { stored: epoch })
    }
}

/// For an act of token management: there is no key.
pub(super) struct OfNoKey;

impl Keep for OfNoKey {
    fn count(&mut self) -> Result<(), Refusal> {
        Err(Refusal::bare(Code::Internal, "a code was asked for without a key"))
    }

    fn store(&mut self, _record: &str, _code: CodeFate) -> Result<ChildStored, Refusal> {
        Err(breached(Breach("a generation that was not ordered")))
    }
}
