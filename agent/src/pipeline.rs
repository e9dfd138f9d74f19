//! The one path of a use, from the socket to the signed request.
//!
//! Promises: one direction, one page. Nothing is asked of a token before an intent is durable in the
//! audit log; nothing is let out before the code's step, the change and the outcome are. Every way
//! out kills the child and writes the outcome. Codes for callers are mapped here and nowhere else.
//! Must not know: HTTP, kinds of token, what an answer says.
//!
//! [`begin`] is the part that can still be answered with a plain refusal; `Use::run` the part that
//! streams.

#![forbid(unsafe_code)]

pub mod admin;
mod canonical;
mod conversation;
mod generation;
pub mod house;
mod keep;
pub mod manage;
mod open;
pub mod sessions;
mod spend;
mod task;
pub mod terms;
pub mod tokens;

use crate::audit::Draft;
use crate::clock;
use crate::consent::Consent;
use crate::peer::Peer;
use crate::policy::Decision;
use crate::queue::{Claim, Place};
use crate::signer::{Child, Program};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use conversation::{Cut, Line};
use house::{House, ended, entry};
use keep::{Kept, OfUse};
use open::Asking;
use serde::de::DeserializeOwned;
use signet_protocol::api::{Accepted, UseEvent, UseRequest};
use signet_protocol::approval::Approval;
use signet_protocol::audit::Phase;
use signet_protocol::child::{ApprovalGate, Order, Outcome, TotpGate};
use signet_protocol::record::FactorKind;
use signet_protocol::{Code, Refusal, VERSION};
use spend::spend;
use std::rc::Rc;
pub use task::approving;
use task::{Task, understand};
use terms::{decided, describe, offered, shown, to_approve};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::Instant;

/// FIDO2 authenticators have no names that tell them apart: one use at a time asks any of them.
const APPROVERS: &str = "fido2";

/// Events that a caller may leave unread before he counts as gone.
const UNREAD: usize = 64;

/// A use that policy permits and the log knows.
struct Use {
    request: UseRequest,
    body: String,
    task: Task,
    consent: Consent,
    entry: Draft,
    accepted: Accepted,
    /// What is to be approved, and its exact text, where the key has factors that approve.
    approval: Option<(Approval, String)>,
    /// Serials of the tokens that may be asked: those that would do, and those that are written.
    tokens: Vec<String>,
    uid: u32,
    until: Instant,
}

/// What a use holds while it lasts: all of it is given back on every way out.
#[derive(Default)]
struct Held {
    place: Option<Place>,
    child: Option<Child>,
    kept: Kept,
}

/// Begins a use: everything that can be refused before a token is asked.
///
/// # Errors
/// A refusal; its outcome is in the audit log.
pub fn begin(house: &Rc<House>, peer: &Peer, body: &[u8]) -> Result<Receiver<UseEvent>, Refusal> {
    let id = house.new_id()?;
    let mut draft = entry(Phase::Intent, &id, clock::now(), peer.who());
    let begun = task::read(body).and_then(|request| {
        let lease = request.lease.clone();
        permitted(house, peer, body, request, &mut draft)
            .inspect_err(|refusal| sessions::refused(house, peer.uid(), lease.as_deref(), refusal))
    });
    match begun {
        Ok(this) => {
            let (tell, events) = channel(UNREAD);
            let house = Rc::clone(house);
            tokio::task::spawn_local(async move { this.run(&house, tell).await });
            Ok(events)
        }
        Err(refusal) => {
            house.note_after(ended(draft, Phase::Outcome, &Err(refusal.clone())));
            Err(refusal)
        }
    }
}

/// Understood, permitted, possible, and durably intended; or refused.
fn permitted(
    house: &House,
    peer: &Peer,
    body: &[u8],
    request: UseRequest,
    draft: &mut Draft,
) -> Result<Use, Refusal> {
    draft.facts.key = Some(request.key.clone());
    draft.facts.reason.clone_from(&request.reason);
    let body = String::from_utf8(body.to_vec())
        .map_err(|_| Refusal::bare(Code::BadRequest, "the message is not UTF-8"))?;
    let task = understand(house, &request, draft.time)?;
    describe(house, &task, body.as_bytes(), draft);
    sessions::fits_lease(house, peer.uid(), &request, &task.action)?;
    let permit = match decided(house, peer, &task) {
        Decision::Permit(permit) => permit,
        Decision::Denied(denial) => {
            draft.facts.rule = Some(denial.rule);
            return Err(denial.refusal);
        }
    };
    let offered = offered(house, &task, &permit)?;
    let serves = |serial: &String| offered.iter().any(|token| token.serial == *serial);
    let written = task.written().iter().filter(|serial| !serves(serial)).cloned();
    let tokens: Vec<String> = offered.iter().map(|token| token.serial.clone()).chain(written).collect();
    let mut consent = Consent::begin(permit, tokens.clone());
    if !task.checks_factors() {
        consent = consent.without_factors();
    }
    let approves = consent.is_due(FactorKind::Fido2);
    if approves {
        consent = consent.with_approvers(task.approvers());
    }
    if task.asks_for_the_secret() {
        consent = consent.with_secret();
    }
    if consent.is_due(FactorKind::Totp) {
        let vault = house.vault.borrow();
        vault.check_unlocked(&vault.counter(&task.record), draft.time)?;
    }
    let seq = house.note(draft.clone())?;
    Ok(Use {
        accepted: shown(house, peer, draft, &consent, &task, offered),
        approval: if approves { Some(to_approve(&task, draft, seq)?) } else { None },
        tokens,
        consent,
        until: Instant::now() + house.config.limits.use_time,
        entry: draft.clone(),
        uid: peer.uid(),
        request,
        body,
        task,
    })
}

impl Use {
    /// The part with a token in it: conversation, signer, and what comes of it.
    async fn run(mut self, house: &House, tell: Sender<UseEvent>) {
        let mut held = Held::default();
        let mut asking = house.uses.open(&self.entry.id, self.uid);
        let may_ask = self.request.may_ask;
        let line = Line { house, tell: &tell, until: self.until, may_ask };
        let outcome = line.while_it_lasts(self.converse(&line, &mut held, &mut asking)).await;
        if let Some(child) = held.child.take() {
            child.end().await;
        }
        drop((held.place.take(), asking));
        let last = self.finish(house, outcome, held.kept);
        // Nobody left to tell is no error: the outcome is in the log.
        let _gone = tell.try_send(last);
    }

    async fn converse(
        &mut self,
        line: &Line<'_>,
        held: &mut Held,
        asking: &mut Asking,
    ) -> Result<Outcome, Cut> {
        line.say(UseEvent::Accepted(self.accepted.clone()))?;
        let approvers = self.approval.is_some().then(|| APPROVERS.to_owned());
        let claim = self.tokens.iter().cloned().chain(approvers).collect();
        held.place = Some(line.turn(Claim::Tokens(claim)).await?);
        let order = self.order(line)?;
        let child = line.start(Program::Signer, &order, &mut held.child).await?;
        let order = self.approval.as_ref().map(|(_, text)| text.as_str());
        let keep = OfUse { house: line.house, task: &self.task, order, kept: &mut held.kept };
        line.carry(child, &mut self.consent, asking, keep).await
    }

    /// The signer's order, made when the token is ours: what was last accepted may have changed since.
    fn order(&self, line: &Line<'_>) -> Result<Order, Refusal> {
        let vault = line.house.vault.borrow();
        let key = &self.request.key;
        if self.task.is_of_a_key() {
            let now = vault.record(key)?;
            if now.header_sha256 != self.task.record.header_sha256 {
                let hint = format!("signet show {key}");
                return Err(Refusal::new(Code::Busy, "the key was changed meanwhile: start again", hint));
            }
        }
        let due = self.consent.is_due(FactorKind::Totp);
        let gate = due.then(|| TotpGate { last_step: vault.last_step(&vault.counter(&self.task.record)) });
        let counters = vault.approvals(key);
        let approval = self.approval.as_ref().map(|(approval, _)| ApprovalGate {
            action: approval.action.clone(),
            time: approval.time.clone(),
            seq: approval.seq,
            counters: self.task.counted(&counters),
        });
        // One of them may have been reported lost while this use stood in the line.
        self.tokens.iter().try_for_each(|serial| vault.check_not_lost(serial))?;
        Ok(Order {
            version: VERSION,
            use_id: self.entry.id.clone(),
            key: key.clone(),
            request: self.body.clone(),
            record: STANDARD.encode(&self.task.record.bytes),
            header_sha256: self.task.record.header_sha256.clone(),
            act: self.task.act(gate)?,
            approval,
            kinds: line.house.config.token.kinds.clone(),
            tokens: self.tokens.clone(),
            wait_for_token: self.request.may_ask,
            deadline_ms: line.deadline_ms(),
            places: line.house.child_places(),
        })
    }

    /// Settles what the signer told, in the order that loses nothing: the code's step, the change, the
    /// outcome; each durable before the next, and all before the reply.
    fn finish(self, house: &House, outcome: Result<Outcome, Cut>, kept: Kept) -> UseEvent {
        let Self { request, task, consent, entry: mut draft, uid, .. } = self;
        draft.facts.rule = Some(consent.permit().rule().to_owned());
        draft.facts.proof = kept.approved.as_ref().map(|(proof, _)| proof.clone());
        let gone = matches!(outcome, Err(Cut::Gone));
        let spent = outcome
            .map_err(Cut::refusal)
            .and_then(|outcome| spend(house, task, consent, outcome, kept, &mut draft));
        let word = spent.as_ref().map(|spent| spent.word()).map_err(Clone::clone);
        let noted = house.note(ended(draft, Phase::Outcome, &word));
        match spent.and_then(|spent| Ok((spent, noted?))) {
            Ok((spent, audit_seq)) => spent.event(audit_seq),
            Err(error) => {
                // A caller who went away is no refusal: the next waiter is asked.
                if !gone {
                    sessions::refused(house, uid, request.lease.as_deref(), &error);
                }
                UseEvent::Refused { error }
            }
        }
    }
}

/// Reads a message strictly: unknown fields are refused.
pub(crate) fn strict<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        // Category and place only: the message itself may hold what must not be repeated.
        let place = format!("line {}, column {}", error.line(), error.column());
        Refusal::new(
            Code::BadRequest,
            format!("the message is not understood at {place}"),
            "signet --version",
        )
    })
}

/// Refuses another version of the wire.
pub(crate) fn versioned(version: u32) -> Result<(), Refusal> {
    if version == VERSION {
        return Ok(());
    }
    let message = format!("version {version} is not spoken here: signet and signet-agent do not match");
    Err(Refusal::new(Code::BadRequest, message, "signet status"))
}
