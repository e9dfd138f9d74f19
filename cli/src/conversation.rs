//! One use, as the person lives through it: what will be signed, the questions, the touch, the end.
//!
//! Promises: what the agent decoded is shown before anything is asked; each answer is sealed to the
//! key of its question, and bound to exactly the bytes that were sent; a question or notice goes when
//! the use goes. Must not know what the use is for.

mod laps;
mod shown;

pub(crate) use laps::{Laps, Part};

use crate::client::{Client, Lines, encode};
use crate::prompt::{Answer, Notice, NoticeKind, Prompts, Question};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde::de::IgnoredAny;
use signet_envelope::hpke;
use signet_protocol::api::{self, Signed, UseEvent};
use signet_protocol::child::{Managed, Prompt, WaitingFor};
use signet_protocol::{Code, PromptKind, Refusal, prompt};
use std::time::Instant;

/// How a use ended well.
#[derive(Debug)]
pub(crate) enum Ended {
    /// A request was signed.
    Signed(Signed),
    /// Another act was done.
    Done(Option<Managed>),
}

/// What a use begins with.
pub(crate) struct Start<'a, B> {
    /// `/v1/uses` or `/v1/tokens`.
    pub(crate) path: &'a str,
    /// Name of the key; empty for token management.
    pub(crate) key: &'a str,
    /// The body.
    pub(crate) body: &'a B,
    /// The caller's claim.
    pub(crate) reason: Option<&'a str>,
}

/// Runs one use to its end; tells how it ended, and how long each part of it took.
pub(crate) async fn run<B: Serialize>(
    client: &Client,
    prompts: &Prompts,
    start: Start<'_, B>,
) -> Result<(Ended, Laps), Refusal> {
    let laps = Laps::begin(Instant::now());
    let body = encode(start.body)?;
    // the child computes the same from its order: an answer opens only for what was sent here
    let subject = ring::digest::digest(&ring::digest::SHA256, &prompt::subject_input(start.key, &body));
    let subject = <[u8; 32]>::try_from(subject.as_ref())
        .map_err(|_| Refusal::bare(Code::Internal, "a hash of another length"))?;
    let lines = client.open_post(start.path, body).await.map_err(|refusal| hinted(refusal, start.key))?;
    let talk = Talk {
        client,
        prompts,
        lines,
        subject,
        reason: start.reason,
        use_id: String::new(),
        action: String::new(),
        about: String::new(),
        laps,
        last_try_confirmed: false,
    };
    talk.run().await.map_err(|refusal| hinted(refusal, start.key))
}

/// The conversation of one use.
struct Talk<'a> {
    client: &'a Client,
    prompts: &'a Prompts,
    lines: Lines,
    subject: [u8; 32],
    reason: Option<&'a str>,
    use_id: String,
    action: String,
    about: String,
    laps: Laps,
    last_try_confirmed: bool,
}

impl Talk<'_> {
    async fn run(mut self) -> Result<(Ended, Laps), Refusal> {
        let mut notice: Option<Notice> = None;
        let mut ahead: Option<UseEvent> = None;
        loop {
            let event = match (ahead.take(), &notice) {
                (Some(event), _) => event,
                (None, None) => self.lines.event().await?,
                (None, Some(notice)) => tokio::select! {
                    event = self.lines.event() => event?,
                    () = notice.count_down() => continue,
                },
            };
            if let Some(notice) = notice.take() {
                notice.take_away().await;
            }
            if let Some(part) = laps::after(&event) {
                self.laps.enter(part, Instant::now());
            }
            match event {
                UseEvent::Accepted(accepted) => {
                    self.about = shown::accepted(&accepted, self.reason);
                    self.use_id = accepted.id;
                    self.action = accepted.action;
                    self.prompts.show(&self.about);
                }
                UseEvent::Queued { place } => {
                    notice = Some(self.notice(NoticeKind::Waiting, &shown::queued(place), None));
                }
                UseEvent::Waiting { what, tokens, seconds } => {
                    notice =
                        Some(self.notice(NoticeKind::Waiting, &shown::waiting(what, &tokens), Some(seconds)));
                }
                UseEvent::Touch { n, of, token, seconds } => {
                    notice = Some(self.notice(
                        NoticeKind::Touch,
                        &shown::touch(n, of, &token, &self.action),
                        Some(seconds),
                    ));
                }
                UseEvent::Touched {} => {}
                UseEvent::Prompt(prompt) => {
                    ahead = self.answer(&prompt).await?;
                    self.laps.enter(Part::Signature, Instant::now());
                }
                UseEvent::Signed(signed) => return Ok(self.ended(Ended::Signed(signed))),
                UseEvent::Done { managed } => return Ok(self.ended(Ended::Done(managed))),
                UseEvent::Refused { error } => return Err(error),
            }
        }
    }

    fn ended(mut self, ended: Ended) -> (Ended, Laps) {
        self.laps.end(Instant::now());
        (ended, self.laps)
    }

    /// Asks, seals and sends; an event that comes while the question stands takes it away.
    async fn answer(&mut self, prompt: &Prompt) -> Result<Option<UseEvent>, Refusal> {
        let asked = tokio::select! {
            asked = ask(self.prompts, prompt, &self.about, &mut self.last_try_confirmed) => asked,
            event = self.lines.event() => return event.map(Some),
        };
        let sealed = match &asked {
            Ok(answer) => Some(self.seal(prompt, answer)?),
            Err(_) => None,
        };
        let path = format!("/v1/uses/{}/answers", self.use_id);
        let sent: Result<IgnoredAny, Refusal> =
            self.client.post(&path, &api::Answer { number: prompt.number, sealed }).await;
        if let Err(refusal) = asked {
            self.hear_out().await;
            // why there is no answer says more than what the agent makes of its absence
            return Err(refusal);
        }
        match sent {
            Ok(IgnoredAny) => Ok(None),
            // the use may have ended between question and answer: then its stream says how
            Err(refusal) => self.lines.event().await.map(Some).map_err(|_| refusal),
        }
    }

    /// Listens until the use is over: only then is its outcome in the log, and its token free.
    async fn hear_out(&mut self) {
        while let Ok(event) = self.lines.event().await {
            if matches!(event, UseEvent::Signed(_) | UseEvent::Done { .. } | UseEvent::Refused { .. }) {
                return;
            }
        }
    }

    fn seal(&self, prompt: &Prompt, answer: &Answer) -> Result<String, Refusal> {
        let wrong = || Refusal::bare(Code::Internal, "the signer's one-time key is not one");
        let public = STANDARD.decode(&prompt.public_key).map_err(|_| wrong())?;
        let public = <[u8; 65]>::try_from(public).map_err(|_| wrong())?;
        let info = prompt::answer_info(&self.use_id, prompt.number, prompt.kind, &self.subject);
        let sealed = hpke::seal(&public, &info, answer).map_err(|_| wrong())?;
        Ok(STANDARD.encode(sealed))
    }

    fn notice(&self, kind: NoticeKind, text: &str, seconds: Option<u32>) -> Notice {
        self.prompts.notice(kind, text, &self.about, seconds)
    }
}

/// Asks one question of a child. The last try of a token is spent only after a yes at a terminal; the
/// signer asks for that itself, and here is a second look.
async fn ask(
    prompts: &Prompts,
    prompt: &Prompt,
    about: &str,
    last_try_confirmed: &mut bool,
) -> Result<Answer, Refusal> {
    let question = Question::new(prompt.kind, &shown::question(prompt)).about(about);
    let last_try = prompt.tries_left == Some(1);
    if last_try && prompt.kind == PromptKind::Confirm {
        let answer = prompts.ask_at_terminal(&question).await?;
        *last_try_confirmed = true;
        return Ok(answer);
    }
    // one yes is for one try: the next last try may be another device's
    if last_try
        && matches!(prompt.kind, PromptKind::Pin | PromptKind::FidoPin | PromptKind::Puk)
        && !std::mem::take(last_try_confirmed)
    {
        let confirm = Question::new(PromptKind::Confirm, shown::LAST_TRY).about(about);
        prompts.ask_at_terminal(&confirm).await?;
    }
    prompts.ask(&question).await
}

/// `no_prompt` names the way to be asked in a terminal.
fn hinted(mut refusal: Refusal, key: &str) -> Refusal {
    if refusal.code == Code::NoPrompt && refusal.hint.is_none() && !key.is_empty() {
        refusal.hint = Some(format!("signet exec {key} -- true"));
    }
    refusal
}
