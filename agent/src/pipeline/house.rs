//! What every path through the agent needs, in one place, and how it is told to stop.
//!
//! Promises: one thread, no lock held over an await; who borrows a room gives it back before the
//! next await. Must not know: HTTP, what is asked.

#![forbid(unsafe_code)]

pub use super::open::OpenUses;
use crate::audit::{Draft, Log};
use crate::config::Config;
use crate::config::paths::Places;
use crate::peer::Who;
use crate::queue::Queue;
use crate::sessions::Sessions;
use crate::signer::Programs;
use crate::vault::Vault;
use ring::rand::{SecureRandom as _, SystemRandom};
use signet_protocol::api::Layer;
use signet_protocol::audit::{Entry, Phase};
use signet_protocol::rule::PolicyFile;
use signet_protocol::{Code, Refusal, child};
use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Instant;
use time::OffsetDateTime;
use tokio::sync::watch;

/// The rooms together.
pub struct House {
    /// Where everything lies.
    pub places: Places,
    /// The socket in force: the one of `places`, or the one that was passed.
    pub socket: PathBuf,
    /// `agent.toml`.
    pub config: Config,
    /// `policy.toml`, where there is one, and its path.
    pub narrowing: Option<(PathBuf, PolicyFile)>,
    /// Records, tokens, and what is remembered of them.
    pub vault: RefCell<Vault>,
    /// The audit log.
    pub log: RefCell<Log>,
    /// Kept session credentials.
    pub sessions: Sessions,
    /// The line for each token.
    pub queue: Queue,
    /// The children's programs.
    pub programs: Programs,
    /// Uses that wait for answers.
    pub uses: OpenUses,
    /// Hardening layers.
    pub layers: Vec<Layer>,
    /// When this agent started.
    pub started: Instant,
    /// Whether it is to stop.
    pub stop: watch::Sender<bool>,
}

impl House {
    /// Resolves when the agent is to stop.
    pub async fn stopping(&self) {
        // The sender is in `self`: the only end there is, is the value.
        let mut stop = self.stop.subscribe();
        let _ended = stop.wait_for(|stop| *stop).await;
    }

    /// The rules of `policy.toml`.
    #[must_use]
    pub fn narrowing(&self) -> Option<&PolicyFile> {
        self.narrowing.as_ref().map(|(_path, rules)| rules)
    }

    /// Where children find hardware and files.
    #[must_use]
    pub fn child_places(&self) -> child::Places {
        child::Places {
            pcsc_socket: self.config.token.pcsc_socket.clone(),
            token_dir: self.places.token_dir().to_string_lossy().into_owned(),
        }
    }

    /// An id that nobody can guess.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn new_id(&self) -> Result<String, Refusal> {
        let mut bytes = [0_u8; 16];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| Refusal::bare(Code::Internal, "the system gave no random bytes"))?;
        Ok(signet_envelope::hex(&bytes))
    }

    /// Writes an entry; durable when it returns.
    ///
    /// # Errors
    /// When it is not written: then nothing may be done.
    pub fn note(&self, draft: Draft) -> Result<u64, Refusal> {
        let noted = self.log.borrow_mut().append(draft);
        // Even where it failed: an entry whose head could not be copied stands in the log.
        self.vault.borrow_mut().noted(self.log.borrow().head().seq);
        Ok(noted?)
    }

    /// Writes an entry after the fact; where that fails there is only the log of the process to say so.
    pub fn note_after(&self, draft: Draft) {
        if let Err(refusal) = self.note(draft) {
            eprintln!("signet-agent: error: an audit entry was not written: {refusal}");
        }
    }
}

/// Acts without a token that change what the vault remembers.
const REMEMBERED: &[&str] =
    &["signet:Lose", "signet:LoseToken", "signet:PinAccount", "signet:Rotated", "signet:Drilled"];
/// Words of outcomes that do: every use that is not refused.
const SPENT: &[&str] = &["signed", "done", "restored"];

/// Whether an entry tells of something that the vault has then on disk.
///
/// Each of them is written right after the vault has concluded what it tells of, with nothing
/// between: that is how the vault knows the number of the entry beforehand.
#[must_use]
pub fn is_deed(entry: &Entry) -> bool {
    let is_one = |words: &[&str], word: &Option<String>| word.as_deref().is_some_and(|w| words.contains(&w));
    match entry.phase {
        Phase::Outcome => is_one(SPENT, &entry.facts.result),
        Phase::Admin => is_one(REMEMBERED, &entry.facts.action) && is_one(SPENT, &entry.facts.result),
        Phase::Intent | Phase::Vend | Phase::Recovered => false,
    }
}

/// An entry about something `who` asked for.
#[must_use]
pub fn entry(phase: Phase, id: &str, now: OffsetDateTime, who: &Who) -> Draft {
    let mut draft = Draft::new(phase, id, now);
    draft.facts.uid = Some(who.uid);
    draft.facts.user.clone_from(&who.user);
    draft.facts.pid = who.pid;
    draft.facts.exe.clone_from(&who.exe);
    draft.facts.machine = rustix::system::uname().nodename().to_str().ok().map(str::to_owned);
    draft
}

/// The same entry as the end of what was asked for.
#[must_use]
pub fn ended(mut draft: Draft, phase: Phase, result: &Result<&'static str, Refusal>) -> Draft {
    draft.phase = phase;
    draft.time = crate::clock::now();
    match result {
        Ok(word) => draft.facts.result = Some((*word).to_owned()),
        Err(refusal) => {
            draft.facts.result = Some("refused".to_owned());
            draft.facts.code = Some(refusal.code.name().to_owned());
        }
    }
    draft
}
