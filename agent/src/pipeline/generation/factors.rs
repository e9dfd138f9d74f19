//! Factors that come and go: a key has at most one that makes codes, and any number of those of which one
//! approves, up to a bound.

use super::change;
use crate::clock;
use crate::pipeline::task::{self, Task};
use crate::vault::StoredRecord;
use signet_protocol::child::Seed;
use signet_protocol::record::{Credential, Factor, FactorKind, MAX_FACTORS};
use signet_protocol::{Code, Refusal};
use time::OffsetDateTime;

pub(in crate::pipeline) fn add_totp(
    record: StoredRecord,
    label: &str,
    now: OffsetDateTime,
) -> Result<Task, Refusal> {
    if record.meta.factors.iter().any(|factor| factor.kind == FactorKind::Totp) {
        let message = "the key has a totp factor already";
        return Err(Refusal::new(Code::Unsupported, message, "signet factor list"));
    }
    task::reason(Some(label))?;
    let (id, label, created) = ("totp-1".to_owned(), label.to_owned(), clock::rfc3339(now));
    let factor = Factor { id, kind: FactorKind::Totp, label, created, credential: None };
    change(record, "signet:AddFactor", Seed::Ask, |meta| meta.factors.push(factor))
}

pub(in crate::pipeline) fn add_fido2(
    record: StoredRecord,
    label: &str,
    credential: &Credential,
    now: OffsetDateTime,
) -> Result<Task, Refusal> {
    task::reason(Some(label))?;
    let bad = |message: String| Refusal::new(Code::BadRequest, message, "signet factor list");
    let factors = &record.meta.factors;
    if factors.iter().any(|factor| factor.credential.as_ref().is_some_and(|known| known.id == credential.id))
    {
        return Err(bad("the key has that credential already".to_owned()));
    }
    if factors.len() >= MAX_FACTORS {
        return Err(bad(format!("a key has at most {MAX_FACTORS} factors")));
    }
    signet_fido::assertion::check_credential(credential)
        .map_err(|fault| bad(format!("the credential cannot be used: {fault}")))?;
    let is_free = |id: &String| !factors.iter().any(|factor| factor.id == *id);
    let id = (1..=MAX_FACTORS).map(|number| format!("fido2-{number}")).find(is_free);
    let factor = Factor {
        id: id.ok_or_else(|| bad("no name is left for the factor".to_owned()))?,
        kind: FactorKind::Fido2,
        label: label.to_owned(),
        created: clock::rfc3339(now),
        credential: Some(credential.clone()),
    };
    change(record, "signet:AddFactor", Seed::Keep, |meta| meta.factors.push(factor))
}

pub(in crate::pipeline) fn remove_factor(record: StoredRecord, id: &str) -> Result<Task, Refusal> {
    if !record.meta.factors.iter().any(|factor| factor.id == id) {
        return Err(Refusal::new(Code::BadRequest, "the key has no such factor", "signet factor list"));
    }
    let stays = record.meta.factors.iter().any(|factor| factor.kind == FactorKind::Totp && factor.id != id);
    let seed = if stays { Seed::Keep } else { Seed::Drop };
    change(record, "signet:RemoveFactor", seed, |meta| meta.factors.retain(|f| f.id != id))
}
