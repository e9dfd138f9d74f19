//! The terms of a use: what policy says, which tokens may serve, and what the person is told first.
//!
//! Promises: what the permit obliges is compared with what each kind of token guarantees; a kind that
//! `agent.toml` does not name is not offered. Must not know: what a kind is, what is signed.

#![forbid(unsafe_code)]

use super::house::House;
use super::task::{Task, understand};
use super::{strict, versioned};
use crate::audit::Draft;
use crate::clock;
use crate::consent::Consent;
use crate::peer::Peer;
use crate::policy::{Decision, Means, Permit, Question, decide, opens_first};
use signet_envelope::{hex, sha256};
use signet_protocol::api::{Accepted, Explained, UseRequest};
use signet_protocol::approval::Approval;
use signet_protocol::child::TokenName;
use signet_protocol::record::FactorKind;
use signet_protocol::{Code, Refusal, VERSION, kinds};

/// What policy says of a task.
pub(super) fn decided(house: &House, peer: &Peer, task: &Task) -> Decision {
    let question = Question {
        meta: &task.record.meta,
        kinds: &house.config.token.kinds,
        means: task.means(),
        peer_uid: peer.uid(),
        action: &task.action,
        region: task.prepared().map(signet_sigv4::Prepared::region),
    };
    decide(&question, &task.record.meta.policy, house.narrowing())
}

/// The tokens of a key that may serve: of a kind in force, not lost, with every guarantee that is
/// asked for. One with a gap is passed over while another has none.
///
/// # Errors
/// When none is left: why.
pub(super) fn offered(house: &House, task: &Task, permit: &Permit) -> Result<Vec<TokenName>, Refusal> {
    let (in_force, vault) = (&house.config.token.kinds, house.vault.borrow());
    let (meta, means) = (&task.record.meta, task.means());
    let mut offered = Vec::new();
    let mut why = None;
    for token in meta.recipients.iter().filter(|token| task.may_serve(&token.serial)) {
        if let Err(lost) = vault.check_not_lost(&token.serial) {
            why.get_or_insert(Refusal::from(lost));
            continue;
        }
        if !in_force.contains(&token.kind) {
            let kind = &token.kind;
            let message = format!(
                "the key's tokens are of kind {kind}, which agent.toml does not name under [token] kinds"
            );
            why.get_or_insert(Refusal::new(Code::Unsupported, message, "signet status"));
            continue;
        }
        let Some(guarantees) = means.guaranteed_by(token, meta) else { continue };
        if let Some(gap) = permit.obligations().gap(guarantees) {
            let message = format!("token {} does not guarantee {}", token.serial, gap.0);
            why.get_or_insert(Refusal::new(Code::Unsupported, message, "signet token enrol"));
            continue;
        }
        offered.push(TokenName { serial: token.serial.clone(), label: token.label.clone() });
    }
    if offered.is_empty() {
        return Err(why.unwrap_or_else(|| {
            let message = format!("no token of {} can do this", meta.name);
            Refusal::new(Code::Unsupported, message, format!("signet show {}", meta.name))
        }));
    }
    Ok(offered)
}

/// Writes into the entry what is asked for.
pub(super) fn describe(house: &House, task: &Task, body: &[u8], draft: &mut Draft) {
    let meta = &task.record.meta;
    draft.facts.access_key_id = Some(meta.access_key_id.clone());
    draft.facts.account = meta.account.clone().or_else(|| house.vault.borrow().memory(&meta.name).account);
    draft.facts.action = Some(task.action.clone());
    if let Some(prepared) = task.prepared() {
        draft.facts.region = Some(prepared.region().to_owned());
        draft.facts.host = Some(prepared.host().to_owned());
    }
    let hash = task.prepared().map(signet_sigv4::Prepared::canonical_sha256_hex);
    draft.facts.request_sha256 = Some(hash.unwrap_or_else(|| hex(&sha256(body))));
}

/// What is to be approved, and the exact text of it: the entry that was written, at its place in the log.
///
/// # Errors
/// `internal`.
pub(super) fn to_approve(task: &Task, draft: &Draft, seq: u64) -> Result<(Approval, String), Refusal> {
    let approval = Approval {
        version: VERSION,
        key: task.record.meta.name.clone(),
        access_key_id: task.record.meta.access_key_id.clone(),
        action: task.action.clone(),
        scope: task.scope().map(str::to_owned),
        request_sha256: draft.facts.request_sha256.clone().unwrap_or_default(),
        reason: draft.facts.reason.clone(),
        time: clock::rfc3339(draft.time),
        seq,
    };
    let unwritten = || Refusal::bare(Code::Internal, "the order could not be written");
    let text = signet_fido::order::text(&approval).ok_or_else(unwritten)?;
    Ok((approval, text))
}

/// What the person is told before the first question.
pub(super) fn shown(
    house: &House,
    peer: &Peer,
    draft: &Draft,
    consent: &Consent,
    task: &Task,
    offered: Vec<TokenName>,
) -> Accepted {
    let mut obligations = consent.permit().obligations().clone();
    obligations.factors.retain(|factor| consent.is_due(*factor));
    Accepted {
        id: draft.id.clone(),
        key: task.record.meta.name.clone(),
        action: draft.facts.action.clone().unwrap_or_default(),
        account: draft.facts.account.clone(),
        region: draft.facts.region.clone(),
        host: draft.facts.host.clone(),
        peer: peer.who().to_string(),
        obligations: obligations.words(),
        warnings: warnings(task, &offered),
        tokens: offered,
        seconds: u32::try_from(house.config.limits.use_time.as_secs()).unwrap_or(u32::MAX),
    }
}

/// What the person should know of the tokens, each thing once.
fn warnings(task: &Task, offered: &[TokenName]) -> Vec<String> {
    let meta = &task.record.meta;
    let kinds = meta.recipients.iter().filter_map(|recipient| kinds::find(&recipient.kind));
    let mut warnings: Vec<String> = Vec::new();
    for warning in kinds.filter_map(|kind| kind.warning) {
        if !warnings.iter().any(|said| said == warning) {
            warnings.push(warning.to_owned());
        }
    }
    let alone = meta.holders.iter().filter(|holder| !opens_first(holder, meta));
    let offered = alone.filter(|holder| offered.iter().any(|token| token.serial == holder.serial));
    match task.means() {
        Means::Holds => warnings.extend(offered.map(|holder| {
            let serial = &holder.serial;
            if meta.has(FactorKind::Fido2) {
                let past = "past signet and its approvals";
                return format!(
                    "token {serial} asks for no pin: whoever holds it can sign by touching it, {past}"
                );
            }
            format!("this key asks for no pin: whoever holds token {serial} can sign by touching it")
        })),
        Means::Opens => {}
    }
    warnings
}

/// What policy would say of a request; nothing is used, nothing is logged.
///
/// # Errors
/// A request that could not be signed whatever policy says.
pub fn explain(house: &House, peer: &Peer, body: &[u8]) -> Result<Explained, Refusal> {
    let request: UseRequest = strict(body)?;
    versioned(request.version)?;
    let task = understand(house, &request, clock::now())?;
    let (allowed, rule, obligations) = match decided(house, peer, &task) {
        Decision::Permit(permit) => (true, permit.rule().to_owned(), permit.obligations().words()),
        Decision::Denied(denial) => (false, denial.rule, Vec::new()),
    };
    Ok(Explained { version: VERSION, action: task.action, allowed, rule, obligations })
}
