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
use crate::policy::{Decision, Permit, Question, decide};
use signet_protocol::api::{Accepted, Explained, UseRequest};
use signet_protocol::child::TokenName;
use signet_protocol::record::{Metadata, Recipient};
use signet_protocol::{Code, Refusal, VERSION, kinds};

/// What policy says of a task.
pub(super) fn decided(house: &House, peer: &Peer, task: &Task) -> Decision {
    let question = Question {
        meta: &task.record.meta,
        kinds: &house.config.token.kinds,
        peer_uid: peer.uid(),
        action: &task.action,
        region: task.prepared().map(signet_sigv4::Prepared::region),
    };
    decide(&question, &task.record.meta.policy, house.narrowing())
}

/// The tokens of a key that may serve: of a kind in force, with every guarantee that is asked for.
pub(super) fn offered(
    in_force: &[String],
    meta: &Metadata,
    permit: &Permit,
) -> Result<Vec<TokenName>, Refusal> {
    let of_kind = |recipient: &&Recipient| in_force.contains(&recipient.kind);
    let mut offered = Vec::new();
    for recipient in meta.recipients.iter().filter(of_kind) {
        let Some(kind) = kinds::find(&recipient.kind) else { continue };
        if let Some(gap) = permit.obligations().gap(kind.guarantees) {
            let message = format!("token {} does not guarantee {}", recipient.serial, gap.0);
            return Err(Refusal::new(Code::Unsupported, message, "signet token enrol"));
        }
        offered.push(TokenName { serial: recipient.serial.clone(), label: recipient.label.clone() });
    }
    if offered.is_empty() {
        let kind = meta.recipients.first().map_or("unknown", |recipient| recipient.kind.as_str());
        let message = format!(
            "the key's tokens are of kind {kind}, which agent.toml does not name under [token] kinds"
        );
        return Err(Refusal::new(Code::Unsupported, message, "signet status"));
    }
    Ok(offered)
}

/// Writes into the entry what is asked for.
pub(super) fn describe(house: &House, task: &Task, draft: &mut Draft) {
    let meta = &task.record.meta;
    draft.access_key_id = Some(meta.access_key_id.clone());
    draft.account = meta.account.clone().or_else(|| house.vault.borrow().memory(&meta.name).account);
    draft.action = Some(task.action.clone());
    if let Some(prepared) = task.prepared() {
        draft.region = Some(prepared.region().to_owned());
        draft.host = Some(prepared.host().to_owned());
        draft.request_sha256 = Some(prepared.canonical_sha256_hex());
    }
}

/// What the person is told before the first question.
pub(super) fn shown(
    house: &House,
    peer: &Peer,
    draft: &Draft,
    consent: &Consent,
    meta: &Metadata,
    offered: Vec<TokenName>,
) -> Accepted {
    let mut obligations = consent.permit().obligations().clone();
    obligations.factors.retain(|factor| consent.is_due(*factor));
    let mut warnings = Vec::new();
    for kind in meta.recipients.iter().filter_map(|recipient| kinds::find(&recipient.kind)) {
        if let Some(warning) = kind.warning.filter(|warning| !warnings.iter().any(|said| said == warning)) {
            warnings.push(warning.to_owned());
        }
    }
    Accepted {
        id: draft.id.clone(),
        key: meta.name.clone(),
        action: draft.action.clone().unwrap_or_default(),
        account: draft.account.clone(),
        region: draft.region.clone(),
        host: draft.host.clone(),
        peer: peer.who().to_string(),
        obligations: obligations.words(),
        tokens: offered,
        seconds: u32::try_from(house.config.limits.use_time.as_secs()).unwrap_or(u32::MAX),
        warnings,
    }
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
