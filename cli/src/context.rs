//! What every command gets: the global flags, the agent, and the person.
//!
//! Commands are ordinary functions that do one thing after another; the waiting for socket, prompt
//! and signal at the same time happens in here. For a command:
//!
//! - `cx.get::<Keys>("/v1/keys")?`, `cx.post::<_, NamedRules>(path, &body)?`, `cx.post_bare::<T>(path)?`,
//!   `cx.delete::<T>(path)?`: one question to the agent, with a typed reply.
//!   `cx.lines(path, |line| …)?`: one with many lines.
//! - `cx.use_key(key, act, reason)?`: one use of a key with its whole conversation; ends with
//!   [`Ended::Signed`] or [`Ended::Done`]. `cx.manage(act)?`: the same for an act of token management.
//! - `cx.ask(kind, text)?`, `cx.confirm(text)?`: a question of our own.
//! - `cx.block_on(future)?`: everything else that waits. A signal ends it with `interrupted`.

use crate::args::{Format, Global};
use crate::client::Client;
use crate::conversation::{self, Ended, Laps};
use crate::harden::Before;
use crate::prompt::{Answer, Prompts, Question};
use serde::Serialize;
use serde::de::DeserializeOwned;
use signet_protocol::api::{TokenRequest, UseAct, UseRequest};
use signet_protocol::child::{EnrolAct, Managed};
use signet_protocol::{Code, PromptKind, Refusal, VERSION};
use std::cell::OnceCell;
use std::future::Future;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

/// The global flags, and what is made from them when it is first needed.
pub(crate) struct Context {
    global: Global,
    before: Before,
    runtime: OnceCell<Runtime>,
    client: OnceCell<Client>,
    prompts: OnceCell<Prompts>,
}

impl Context {
    /// Nothing is opened or looked for yet.
    pub(crate) fn new(global: Global, before: Before) -> Self {
        Self { global, before, runtime: OnceCell::new(), client: OnceCell::new(), prompts: OnceCell::new() }
    }

    /// How results are written.
    pub(crate) fn format(&self) -> Format {
        self.global.format.unwrap_or_default()
    }

    /// The same, where it was said.
    pub(crate) fn format_asked(&self) -> Option<Format> {
        self.global.format
    }

    /// What a foreign program must get back before it takes our place.
    pub(crate) fn before(&self) -> &Before {
        &self.before
    }

    /// The agent; finds its socket, and does not connect yet.
    pub(crate) fn client(&self) -> &Client {
        self.client.get_or_init(|| Client::find(self.global.socket.as_deref()))
    }

    /// The person; finds out how to ask, and does not ask yet.
    pub(crate) fn prompts(&self) -> &Prompts {
        self.prompts.get_or_init(|| if self.global.no_prompt { Prompts::none() } else { Prompts::find() })
    }

    /// Waits for `future`; SIGINT, SIGTERM, SIGHUP and SIGQUIT end it, with everything that it holds dropped.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
        self.runtime()?.block_on(async {
            let signals = (
                signal(SignalKind::interrupt()),
                signal(SignalKind::terminate()),
                signal(SignalKind::hangup()),
                signal(SignalKind::quit()),
            );
            let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup), Ok(mut quit)) = signals else {
                return Err(Refusal::bare(Code::Internal, "signals cannot be caught"));
            };
            tokio::select! {
                done = future => done,
                _ = interrupt.recv() => Err(interrupted()),
                _ = terminate.recv() => Err(interrupted()),
                _ = hangup.recv() => Err(interrupted()),
                _ = quit.recv() => Err(interrupted()),
            }
        })
    }

    /// `GET` with a typed reply.
    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Refusal> {
        self.block_on(self.client().get(path))
    }

    /// `POST` of a JSON body with a typed reply.
    pub(crate) fn post<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, Refusal> {
        self.block_on(self.client().post(path, body))
    }

    /// `POST` of nothing, for what the path alone says.
    pub(crate) fn post_bare<T: DeserializeOwned>(&self, path: &str) -> Result<T, Refusal> {
        self.block_on(self.client().post_bare(path))
    }

    /// `DELETE` with a typed reply.
    pub(crate) fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, Refusal> {
        self.block_on(self.client().delete(path))
    }

    /// `GET` of a text of many lines (the audit log), each handed over as it comes, without its LF.
    pub(crate) fn lines(
        &self,
        path: &str,
        mut each: impl FnMut(&[u8]) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        self.block_on(async {
            let mut lines = self.client().open_get(path).await?;
            while let Some(line) = lines.next().await? {
                each(&line)?;
            }
            Ok(())
        })
    }

    /// One use of a key, with its conversation.
    pub(crate) fn use_key(&self, key: &str, act: UseAct, reason: Option<String>) -> Result<Ended, Refusal> {
        self.block_on(self.use_key_async(key, act, reason, None))
    }

    /// [`Context::use_key`] for what waits already; `lease` when it is made for a session.
    pub(crate) async fn use_key_async(
        &self,
        key: &str,
        act: UseAct,
        reason: Option<String>,
        lease: Option<String>,
    ) -> Result<Ended, Refusal> {
        self.use_key_timed(key, act, reason, lease).await.map(|(ended, _)| ended)
    }

    /// [`Context::use_key_async`], and how long each part of it took.
    pub(crate) async fn use_key_timed(
        &self,
        key: &str,
        act: UseAct,
        reason: Option<String>,
        lease: Option<String>,
    ) -> Result<(Ended, Laps), Refusal> {
        let request = UseRequest {
            version: VERSION,
            key: key.to_owned(),
            act,
            reason,
            may_ask: self.prompts().available(),
            lease,
        };
        let ending = conversation::run(
            self.client(),
            self.prompts(),
            conversation::Start { path: "/v1/uses", key, body: &request, reason: request.reason.as_deref() },
        );
        ending.await
    }

    /// One act of token management, with its conversation.
    pub(crate) fn manage(&self, act: EnrolAct) -> Result<Option<Managed>, Refusal> {
        let request = TokenRequest { version: VERSION, act, may_ask: self.prompts().available() };
        let start = conversation::Start { path: "/v1/tokens", key: "", body: &request, reason: None };
        match self.block_on(conversation::run(self.client(), self.prompts(), start))? {
            (Ended::Done(managed), _) => Ok(managed),
            (Ended::Signed(_), _) => {
                Err(Refusal::bare(Code::Internal, "the agent answered another question"))
            }
        }
    }

    /// A question of our own. Kinds named `new-…` are asked twice.
    pub(crate) fn ask(&self, kind: PromptKind, text: &str) -> Result<Answer, Refusal> {
        self.block_on(self.prompts().ask(&Question::new(kind, text)))
    }

    /// Yes or no; no is `interrupted`.
    pub(crate) fn confirm(&self, text: &str) -> Result<(), Refusal> {
        self.block_on(self.prompts().ask(&Question::new(PromptKind::Confirm, text))).map(drop)
    }

    fn runtime(&self) -> Result<&Runtime, Refusal> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
                Refusal::bare(Code::Internal, format!("the event loop does not start: {error}"))
            })?;
        Ok(self.runtime.get_or_init(|| runtime))
    }
}

/// The person, or a signal, ended it.
fn interrupted() -> Refusal {
    Refusal::bare(Code::Interrupted, "interrupted")
}
