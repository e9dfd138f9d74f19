//! A new generation of a record: the same secret under new metadata.
//!
//! Promises: the new metadata is the old one, one epoch on, changed in exactly what the person asked
//! for and nothing else. An agent cannot widen a policy, drop a factor or add a recipient that the
//! request does not name.

use crate::factor::seed;
use crate::job::{disagree, has_totp, public_key};
use crate::payload::{Payload, to_bytes};
use signet_envelope::{PublicKey, Record, hex, seal};
use signet_protocol::api::UseAct;
use signet_protocol::child::Seed;
use signet_protocol::record::{self, FactorKind, Metadata};
use signet_protocol::refusal::{Code, Refusal};

/// A checked order for a new generation.
pub struct Reseal {
    metadata: String,
    recipients: Vec<PublicKey>,
    /// What becomes of the seed.
    pub seed: Seed,
}

impl Reseal {
    /// Checks the metadata of the generation that is to follow `old`.
    ///
    /// # Errors
    /// `internal` where it is not what the request asks for.
    pub fn read(
        old: &Metadata,
        record: &Record,
        metadata: &str,
        seed: Seed,
        asked: &UseAct,
    ) -> Result<Self, Refusal> {
        let new: Metadata =
            serde_json::from_str(metadata).map_err(|_| disagree("how metadata is written"))?;
        let mut expected = old.clone();
        expected.epoch = old.epoch.saturating_add(1);
        expected.previous = Some(hex(&record.header_sha256()));
        if old.account.is_none() {
            // Pinned since by the first GetCallerIdentity.
            expected.account.clone_from(&new.account);
        }
        if seed != expect(&mut expected, &new, asked)? || new != expected {
            return Err(disagree("what the new record is to say"));
        }
        let recipients = new.recipients.iter().map(public_key).collect::<Result<_, _>>()?;
        Ok(Self { metadata: metadata.to_owned(), recipients, seed })
    }

    /// Seals the new generation; `fresh` is the new seed where one was asked for.
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
        let bytes = to_bytes(&record::Payload { totp_seed, ..old })?;
        seal(self.metadata.as_bytes(), &self.recipients, &bytes)
            .map_err(|error| Refusal::bare(Code::Internal, format!("the new record was not sealed: {error}")))
    }
}

/// Applies what was asked for to `expected`, and says what must become of the seed. What the agent
/// chooses itself (id and time of a new factor) is taken from `new`.
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
        UseAct::RemoveFactor { id } => {
            expected.factors.retain(|factor| factor.id != *id);
            Ok(if has_totp(expected) { Seed::Keep } else { Seed::Drop })
        }
        UseAct::Sign(_)
        | UseAct::Add { .. }
        | UseAct::Remove {}
        | UseAct::Embed { .. }
        | UseAct::Reseal { .. }
        | UseAct::Verify { .. }
        | UseAct::Restore { .. } => Err(disagree("what is to be done")),
    }
}
