//! A new generation of a record: the same secret under new metadata.
//!
//! Promises: the new metadata is the old one, one epoch on, changed in exactly what the person asked
//! for and nothing else. An agent cannot widen a policy, drop a factor, or add a token that the
//! request does not name. It is believed which public key a named token has: only the vault knows.

use crate::access_code::Codes;
use crate::factor::seed;
use crate::job::{disagree, has_totp, public_key};
use crate::payload::{Payload, to_bytes};
use signet_envelope::{PublicKey, Record, hex, seal};
use signet_protocol::api::UseAct;
use signet_protocol::child::Seed;
use signet_protocol::record::{self, Custody, Factor, FactorKind, Metadata};
use signet_protocol::refusal::{Code, Refusal};

/// A checked order for a new generation.
pub struct Reseal {
    metadata: Metadata,
    /// The exact bytes to seal.
    text: String,
    /// Serials of the tokens that go.
    dropped: Vec<String>,
    /// What becomes of the seed.
    pub seed: Seed,
}

impl Reseal {
    /// Checks the metadata of the generation that is to follow `old`.
    ///
    /// # Errors
    /// `internal` where it is not what the request asks for, `bad_request` where that cannot be.
    pub fn read(
        old: &Metadata,
        record: &Record,
        metadata: &str,
        seed: Seed,
        asked: &UseAct,
    ) -> Result<Self, Refusal> {
        let (new, mut expected) = next(old, record, metadata)?;
        if seed != expect(&mut expected, &new, asked)? || new != expected {
            return Err(disagree("what the new record is to say"));
        }
        let dropped = dropped(old, &new);
        Ok(Self { metadata: new, text: metadata.to_owned(), dropped, seed })
    }

    /// Seals the new generation; `fresh` is the new seed where one was asked for. An access code of a
    /// token that was dropped is left out.
    ///
    /// # Errors
    /// `internal`.
    pub fn seal(&self, payload: &Payload, fresh: Option<&seed::Text>) -> Result<Vec<u8>, Refusal> {
        let old = payload.read()?;
        let totp_seed = match self.seed {
            Seed::Keep => old.totp_seed,
            Seed::Drop => None,
            Seed::Ask => fresh.map(seed::Text::as_str),
        };
        let codes = Codes::of(&old.access_codes);
        let access_codes = codes.of_those(|serial| !self.dropped.iter().any(|gone| gone == serial));
        seal_as(&self.metadata, &self.text, &record::Payload { secret: old.secret, totp_seed, access_codes })
    }
}

/// The new metadata as the agent wrote it, and the old one, moved on by one generation.
pub(crate) fn next(old: &Metadata, record: &Record, metadata: &str) -> Result<(Metadata, Metadata), Refusal> {
    let new: Metadata = serde_json::from_str(metadata).map_err(|_| disagree("how metadata is written"))?;
    let mut expected = old.clone();
    expected.epoch = old.epoch.saturating_add(1);
    expected.previous = Some(hex(&record.header_sha256()));
    if old.account.is_none() {
        // Pinned since by the first GetCallerIdentity.
        expected.account.clone_from(&new.account);
    }
    Ok((new, expected))
}

/// Seals a payload to the recipients of `metadata`, whose exact bytes are `text`.
pub(crate) fn seal_as(
    metadata: &Metadata,
    text: &str,
    payload: &record::Payload<'_>,
) -> Result<Vec<u8>, Refusal> {
    let recipients: Vec<PublicKey> = metadata.recipients.iter().map(public_key).collect::<Result<_, _>>()?;
    seal(text.as_bytes(), &recipients, &to_bytes(payload)?)
        .map_err(|error| Refusal::bare(Code::Internal, format!("the new record was not sealed: {error}")))
}

/// The tokens of `old` that are none of `new`'s: their access codes go with them. Any other code stays,
/// also one of a token that was about to be added: its applet may have it already.
pub(crate) fn dropped(old: &Metadata, new: &Metadata) -> Vec<String> {
    let serials = old.recipients.iter().map(|to| &to.serial);
    serials.filter(|serial| !is_recipient(new, serial)).cloned().collect()
}

/// Whether a token opens the record.
fn is_recipient(metadata: &Metadata, serial: &str) -> bool {
    metadata.recipients.iter().any(|to| to.serial == serial)
}

/// Applies what was asked for to `expected`, and says what must become of the seed. What the agent
/// chooses itself (id and time of a new factor, id of the vault) is taken from `new`.
fn expect(expected: &mut Metadata, new: &Metadata, asked: &UseAct) -> Result<Seed, Refusal> {
    match asked {
        UseAct::SetPolicy { policy } => {
            expected.policy.clone_from(policy);
            Ok(Seed::Keep)
        }
        UseAct::AddTotp { label } => {
            if has_totp(expected) {
                let message = "this key already has a code factor: remove it first";
                return Err(Refusal::new(Code::Unsupported, message, "signet factor list"));
            }
            let added = new
                .factors
                .last()
                .filter(|factor| factor.label == *label && matches!(factor.kind, FactorKind::Totp));
            expected.factors.push(added.ok_or_else(|| disagree("which factor is added"))?.clone());
            Ok(Seed::Ask)
        }
        UseAct::AddFido2 { label, credential } => {
            let is_the_one = |factor: &&Factor| {
                factor.label == *label
                    && factor.kind == FactorKind::Fido2
                    && factor.credential.as_ref() == Some(credential)
            };
            let added = new.factors.last().filter(is_the_one);
            expected.factors.push(added.ok_or_else(|| disagree("which factor is added"))?.clone());
            Ok(Seed::Keep)
        }
        UseAct::RemoveFactor { id } => {
            expected.factors.retain(|factor| factor.id != *id);
            Ok(if has_totp(expected) { Seed::Keep } else { Seed::Drop })
        }
        UseAct::Reseal { add, drop } => {
            exchange(expected, new, add, drop)?;
            match expected.custody {
                Custody::Sealed => Ok(Seed::Keep),
                Custody::InToken if expected.holders.is_empty() => Err(none_left()),
                Custody::InToken if add.is_empty() => Ok(Seed::Keep),
                // It would open the record and hold nothing: that is work for embed.
                Custody::InToken => Err(disagree("what is to be done")),
            }
        }
        UseAct::Restore { .. } => {
            expected.vault_id.clone_from(&new.vault_id);
            Ok(Seed::Keep)
        }
        UseAct::Sign(_)
        | UseAct::Add { .. }
        | UseAct::Remove {}
        | UseAct::Embed { .. }
        | UseAct::Verify { .. } => Err(disagree("what is to be done")),
    }
}

/// Adds and drops tokens in `expected`. Their order, and the public keys of those that are added, are
/// taken from `new`.
pub(crate) fn exchange(
    expected: &mut Metadata,
    new: &Metadata,
    add: &[String],
    drop: &[String],
) -> Result<(), Refusal> {
    for serial in drop {
        if !is_recipient(expected, serial) {
            return Err(bad_request(format!("token {serial} is none of this key's")));
        }
        expected.recipients.retain(|to| to.serial != *serial);
        expected.holders.retain(|holder| holder.serial != *serial);
    }
    for serial in add {
        if is_recipient(expected, serial) {
            return Err(bad_request(format!("token {serial} is one of this key's already")));
        }
        let added = new.recipients.iter().find(|to| to.serial == *serial);
        expected.recipients.push(added.ok_or_else(|| disagree("which token is added"))?.clone());
    }
    if expected.recipients.is_empty() {
        return Err(none_left());
    }
    let is_same = new.recipients.len() == expected.recipients.len()
        && expected.recipients.iter().all(|to| new.recipients.contains(to));
    if is_same {
        expected.recipients.clone_from(&new.recipients);
    }
    Ok(())
}

fn none_left() -> Refusal {
    bad_request("a key needs at least one token: add another one first".to_owned())
}

fn bad_request(message: String) -> Refusal {
    Refusal::new(Code::BadRequest, message, "signet token list")
}
