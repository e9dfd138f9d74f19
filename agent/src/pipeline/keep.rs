//! What is put on disk while a child still runs: a code's attempt before the code is handed on, the counter
//! of an approval before the token is asked, and a generation that must be durable before the child goes on.

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
use signet_protocol::approval::Proof;
use signet_protocol::child::{ChildKept, ChildStored, CodeFate};
use signet_protocol::{Code, Refusal};

/// What a conversation may put on disk.
pub(super) trait Keep {
    /// Counts a code.
    ///
    /// # Errors
    /// Then the code is not handed on.
    fn count(&mut self) -> Result<(), Refusal>;

    /// Checks an approval once more, against the record and the order as they are known here, and stores
    /// its counter.
    ///
    /// # Errors
    /// Then the child is ended.
    fn approve(&mut self, proof: Proof) -> Result<ChildKept, Refusal>;

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
    /// The approval, and its counter.
    pub(super) approved: Option<(Proof, u32)>,
}

/// For a use of a key.
pub(super) struct OfUse<'a> {
    pub(super) house: &'a House,
    pub(super) task: &'a Task,
    /// The exact text that is to be approved, where the key has factors that do.
    pub(super) order: Option<&'a str>,
    pub(super) kept: &'a mut Kept,
}

impl Keep for OfUse<'_> {
    fn count(&mut self) -> Result<(), Refusal> {
        let mut vault = self.house.vault.borrow_mut();
        let counter = vault.counter(&self.task.record);
        self.kept.counted = Some(vault.attempt(&counter, clock::now())?);
        Ok(())
    }

    fn approve(&mut self, proof: Proof) -> Result<ChildKept, Refusal> {
        let unfit = || breached(Breach("an approval that does not hold"));
        let record = &self.task.record;
        let factor = record.meta.factors.iter().find(|factor| factor.id == proof.factor);
        let credential = factor.and_then(|factor| factor.credential.as_ref()).ok_or_else(unfit)?;
        let mut vault = self.house.vault.borrow_mut();
        let last = vault.approvals(&record.meta.name).get(&credential.id).copied();
        let counter = signet_fido::proof::check(credential, &proof, self.order.ok_or_else(unfit)?, last)
            .map_err(|_fault| unfit())?;
        if self.task.is_of_a_key() {
            vault.approved(&record.meta.name, &credential.id, counter)?;
        }
        self.kept.approved = Some((proof, counter));
        Ok(ChildKept { kept: counter })
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

    fn approve(&mut self, _proof: Proof) -> Result<ChildKept, Refusal> {
        Err(breached(Breach("an approval without a key")))
    }

    fn store(&mut self, _record: &str, _code: CodeFate) -> Result<ChildStored, Refusal> {
        Err(breached(Breach("a generation that was not ordered")))
    }
}
