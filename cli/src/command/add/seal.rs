//! The sealed record of a new key, made here with public keys alone.

use super::facts::Facts;
use super::source::AccessKey;
use crate::totp::Seed;
use signet_envelope::PublicKey;
use signet_protocol::record::{Credential, Custody, Factor, FactorKind, Metadata, Payload};
use signet_protocol::{Code, Refusal, VERSION};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

/// Room for the payload: two values of at most 128 characters, and their names.
const ROOM: usize = 512;

/// Seals the key, with the seed and the credential of its factors where it has them.
pub(super) fn record(
    facts: &Facts,
    key: &AccessKey,
    account: Option<String>,
    seed: Option<&Seed>,
    credential: Option<Credential>,
) -> Result<Vec<u8>, Refusal> {
    let now = now()?;
    let metadata = metadata(facts, key, account, factors(seed.is_some(), credential, &now), &now);
    let metadata = serde_json::to_vec(&metadata).map_err(|error| internal(&error))?;
    let recipients: Vec<PublicKey> = facts.tokens.iter().map(|(_, key)| *key).collect();
    let payload = payload(key, seed)?;
    signet_envelope::seal(&metadata, &recipients, &payload).map_err(|error| internal(&error))
}

/// The first factors of a key.
fn factors(totp: bool, credential: Option<Credential>, now: &str) -> Vec<Factor> {
    let first = |kind: FactorKind, credential| Factor {
        id: format!("{}-1", kind.name()),
        kind,
        label: String::new(),
        created: now.to_owned(),
        credential,
    };
    let code = totp.then(|| first(FactorKind::Totp, None));
    let approval = credential.map(|credential| first(FactorKind::Fido2, Some(credential)));
    code.into_iter().chain(approval).collect()
}

fn metadata(
    facts: &Facts,
    key: &AccessKey,
    account: Option<String>,
    factors: Vec<Factor>,
    now: &str,
) -> Metadata {
    Metadata {
        version: VERSION,
        vault_id: facts.vault_id.clone(),
        name: facts.name.clone(),
        epoch: 1,
        created: now.to_owned(),
        kind: facts.kind,
        account,
        partition: facts.partition,
        access_key_id: key.id.clone(),
        custody: Custody::Sealed,
        policy: facts.policy.clone(),
        factors,
        recipients: facts.tokens.iter().map(|(token, _)| token.clone()).collect(),
        holders: Vec::new(),
        previous: None,
    }
}

fn payload(key: &AccessKey, seed: Option<&Seed>) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let text = |bytes| std::str::from_utf8(bytes).map_err(|error| internal(&error));
    let seed = seed.map(Seed::base32);
    let seed = seed.as_ref().map(|seed| text(seed)).transpose()?;
    let payload = Payload { secret: Some(text(&key.secret)?), totp_seed: seed, access_codes: Vec::new() };
    // room for everything from the start: growing would leave a copy behind
    let mut bytes = Zeroizing::new(Vec::with_capacity(ROOM));
    serde_json::to_writer(&mut *bytes, &payload).map_err(|error| internal(&error))?;
    Ok(bytes)
}

/// This second, RFC 3339 UTC.
fn now() -> Result<String, Refusal> {
    let now = OffsetDateTime::now_utc().replace_nanosecond(0).map_err(|error| internal(&error))?;
    now.format(&Rfc3339).map_err(|error| internal(&error))
}

fn internal(error: &dyn std::fmt::Display) -> Refusal {
    Refusal::bare(Code::Internal, format!("the record cannot be made: {error}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key() -> AccessKey {
        AccessKey { id: "AKIAIOSFODNN7EXAMPLE".to_owned(), secret: Zeroizing::new(vec![b'/'; 128]) }
    }

    #[test]
    fn the_longest_payload_needs_no_second_room() {
        let seed = Seed::read(&[b'A'; 128]).unwrap();
        let bytes = payload(&key(), Some(&seed)).unwrap();
        assert_eq!(bytes.capacity(), ROOM);
        let read: Payload<'_> = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(read.secret.unwrap(), "/".repeat(128));
        assert_eq!(read.totp_seed.unwrap().len(), 128);
    }

    #[test]
    fn a_time_has_whole_seconds() {
        let now = now().unwrap();
        assert_eq!((now.len(), now.ends_with('Z')), (20, true), "{now}");
    }
}
