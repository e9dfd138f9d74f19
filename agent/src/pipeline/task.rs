//! What a caller asks for, understood: the key, the action by its name, what the signer is to do and
//! what becomes of its result.
//!
//! Promises: the action comes from what is signed, never from what the caller says; everything that
//! can be refused without a token is refused here. Must not know: policy's answer, the token.

#![forbid(unsafe_code)]

use super::canonical::canonical;
use super::generation;
use super::house::House;
use crate::policy::Means;
use crate::vault::StoredRecord;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signet_protocol::api::{UseAct, UseRequest};
use signet_protocol::child::{Act, Seed, Sibling, TotpGate};
use signet_protocol::record::{Custody, Factor, FactorKind, Metadata, is_key_name};
use signet_protocol::{Code, Refusal};
use signet_sigv4::Prepared;
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// Longest reason, in characters.
const REASON_LENGTH: usize = 256;

/// One act on one key.
pub(super) struct Task {
    /// The record to open: the key's, or the one to be taken in.
    pub(super) record: StoredRecord,
    /// `sts:GetCallerIdentity`, `signet:Add`.
    pub(super) action: String,
    /// What is done and with what result.
    pub(super) work: Work,
}

/// What is to be done with a key.
pub(super) enum Work {
    /// Sign this, and let the signature out.
    Sign {
        /// What is signed.
        prepared: Box<Prepared>,
        /// Where it goes, as the caller wrote it.
        url: String,
    },
    /// Take it into the vault.
    Add,
    /// Put the next generation, with this metadata, in its place.
    Change {
        /// The new metadata.
        next: Box<Metadata>,
        /// What becomes of the seed.
        seed: Seed,
        /// Tokens that it is not sealed to any more.
        dropped: Vec<String>,
    },
    /// Write it into tokens, and put the generation without it in its place.
    Embed(Box<Embed>),
    /// Have one token prove that it still does what it should.
    Verify {
        /// Serial.
        token: String,
    },
    /// Take it into the vault with this metadata.
    Restore {
        /// The new metadata.
        next: Box<Metadata>,
    },
    /// Take the key out of the vault.
    Remove,
}

/// Writing a key into tokens.
pub(super) struct Embed {
    /// The new metadata without the new holders.
    pub(super) next: Metadata,
    /// Serials of the tokens to write.
    pub(super) tokens: Vec<String>,
    /// Whether their applets shall ask for an access code.
    pub(super) access_code: bool,
    /// Other records that know the access code of one of them.
    pub(super) siblings: Vec<Sibling>,
}

/// Reads a request strictly.
pub(super) fn read(body: &[u8]) -> Result<UseRequest, Refusal> {
    let request: UseRequest = super::strict(body)?;
    super::versioned(request.version)?;
    if !is_key_name(&request.key) {
        return Err(Refusal::new(Code::BadRequest, "that is no name of a key", "signet list"));
    }
    reason(request.reason.as_deref())?;
    Ok(request)
}

/// A reason is the caller's claim, shown to a person: short, and nothing but visible characters.
pub(super) fn reason(reason: Option<&str>) -> Result<(), Refusal> {
    let fit = |text: &str| text.chars().count() <= REASON_LENGTH && !text.chars().any(char::is_control);
    if reason.is_none_or(fit) {
        return Ok(());
    }
    Err(Refusal::bare(Code::BadRequest, "the reason is longer than 256 characters, or not plain text"))
}

/// Understands a request.
pub(super) fn understand(house: &House, request: &UseRequest, now: OffsetDateTime) -> Result<Task, Refusal> {
    let vault = house.vault.borrow();
    let known = || Ok::<_, Refusal>(vault.record(&request.key)?);
    match &request.act {
        UseAct::Sign(sign) => {
            let record = known()?;
            let prepared = canonical(sign, record.meta.partition, &house.config.aws.extra_hosts, now)?;
            let action = prepared.action().to_owned();
            let work = Work::Sign { prepared: Box::new(prepared), url: sign.url.clone() };
            Ok(Task { record, action, work })
        }
        UseAct::Add { record } => {
            let record = vault.check_new(&request.key, &decoded(record)?)?;
            Ok(Task { record, action: "signet:Add".to_owned(), work: Work::Add })
        }
        UseAct::SetPolicy { policy } => generation::set_policy(known()?, policy),
        UseAct::AddTotp { label } => generation::add_totp(known()?, label, now),
        UseAct::AddFido2 { label, credential } => generation::add_fido2(known()?, label, credential, now),
        UseAct::RemoveFactor { id } => generation::remove_factor(known()?, id),
        UseAct::Embed { tokens, access_code } => generation::embed(&vault, known()?, tokens, *access_code),
        UseAct::Reseal { add, drop } => generation::reseal(&vault, known()?, add, drop),
        UseAct::Restore { record } => generation::restore(&vault, &request.key, decoded(record)?),
        UseAct::Verify { token } => {
            let record = known()?;
            generation::opens(&record.meta, token)?;
            vault.check_not_lost(token)?;
            let work = Work::Verify { token: token.clone() };
            Ok(Task { record, action: "signet:Verify".to_owned(), work })
        }
        UseAct::Remove {} => {
            Ok(Task { record: known()?, action: "signet:Remove".to_owned(), work: Work::Remove })
        }
    }
}

fn decoded(record: &str) -> Result<Vec<u8>, Refusal> {
    STANDARD.decode(record).map_err(|_| Refusal::bare(Code::BadRequest, "the record is not base64"))
}

impl Task {
    /// What is signed, where something is.
    pub(super) fn prepared(&self) -> Option<&Prepared> {
        match &self.work {
            Work::Sign { prepared, .. } => Some(prepared),
            Work::Add
            | Work::Change { .. }
            | Work::Embed(_)
            | Work::Verify { .. }
            | Work::Restore { .. }
            | Work::Remove => None,
        }
    }

    /// What it needs of the token.
    pub(super) fn means(&self) -> Means {
        let meta = &self.record.meta;
        let holds = match &self.work {
            Work::Sign { .. } => meta.custody == Custody::InToken,
            Work::Verify { token } => meta.holders.iter().any(|holder| holder.serial == *token),
            Work::Add | Work::Change { .. } | Work::Embed(_) | Work::Restore { .. } | Work::Remove => false,
        };
        if holds { Means::Holds } else { Means::Opens }
    }

    /// Whether a token of the key may serve.
    pub(super) fn may_serve(&self, serial: &str) -> bool {
        match &self.work {
            Work::Verify { token } => token == serial,
            Work::Change { dropped, .. } => !dropped.iter().any(|dropped| dropped == serial),
            Work::Sign { .. } | Work::Add | Work::Embed(_) | Work::Restore { .. } | Work::Remove => true,
        }
    }

    /// The tokens that are written, whether or not they may serve.
    pub(super) fn written(&self) -> &[String] {
        match &self.work {
            Work::Embed(embed) => &embed.tokens,
            Work::Sign { .. }
            | Work::Add
            | Work::Change { .. }
            | Work::Verify { .. }
            | Work::Restore { .. }
            | Work::Remove => &[],
        }
    }

    /// Whether the key's factors are checked. Not for a record that is only now taken in, whose seed
    /// the caller has just sealed and confirmed; nor for a proof, which lets nothing out.
    pub(super) fn checks_factors(&self) -> bool {
        match &self.work {
            Work::Add | Work::Verify { .. } => false,
            Work::Sign { .. }
            | Work::Change { .. }
            | Work::Embed(_)
            | Work::Restore { .. }
            | Work::Remove => true,
        }
    }

    /// Whether the person is asked for the key itself, because it is nowhere but in tokens.
    pub(super) fn asks_for_the_secret(&self) -> bool {
        !self.written().is_empty() && self.record.meta.custody == Custody::InToken
    }

    /// Whether the record is one that the vault holds.
    pub(super) fn is_of_a_key(&self) -> bool {
        match &self.work {
            Work::Add | Work::Restore { .. } => false,
            Work::Sign { .. } | Work::Change { .. } | Work::Embed(_) | Work::Verify { .. } | Work::Remove => {
                true
            }
        }
    }

    /// Its credential scope, where a request is signed.
    pub(super) fn scope(&self) -> Option<&str> {
        self.prepared().map(Prepared::scope)
    }

    /// Ids of the factors of which one approves.
    pub(super) fn approvers(&self) -> Vec<String> {
        approving(&self.record.meta).map(|factor| factor.id.clone()).collect()
    }

    /// Counters of credentials, by the factors that they belong to.
    pub(super) fn counted(&self, counters: &BTreeMap<String, u32>) -> BTreeMap<String, u32> {
        let of = |factor: &Factor| {
            let counter = counters.get(&factor.credential.as_ref()?.id)?;
            Some((factor.id.clone(), *counter))
        };
        approving(&self.record.meta).filter_map(of).collect()
    }

    /// The FIDO2 factors that the key has from here on, where this act sets them.
    pub(super) fn enrols(&self) -> Option<Vec<Factor>> {
        let of = |meta: &Metadata| approving(meta).cloned().collect::<Vec<Factor>>();
        let before = of(&self.record.meta);
        match &self.work {
            Work::Add | Work::Restore { .. } => Some(before).filter(|factors| !factors.is_empty()),
            Work::Change { next, .. } => Some(of(next)).filter(|factors| *factors != before),
            Work::Sign { .. } | Work::Embed(_) | Work::Verify { .. } | Work::Remove => None,
        }
    }

    /// The signer's part of it.
    pub(super) fn act(&self, totp: Option<TotpGate>) -> Result<Act, Refusal> {
        Ok(match &self.work {
            Work::Sign { prepared, .. } => Act::Sign {
                amz_date: prepared.amz_date().to_owned(),
                canonical_sha256: prepared.canonical_sha256_hex(),
                totp,
            },
            Work::Add | Work::Remove => Act::Open { totp },
            Work::Verify { .. } => Act::Verify {},
            Work::Change { next, seed, .. } => Act::Reseal { metadata: written(next)?, seed: *seed, totp },
            Work::Restore { next } => Act::Reseal { metadata: written(next)?, seed: Seed::Keep, totp },
            Work::Embed(embed) => Act::Embed {
                metadata: written(&embed.next)?,
                tokens: embed.tokens.clone(),
                access_code: embed.access_code,
                siblings: embed.siblings.clone(),
                totp,
            },
        })
    }
}

/// The factors of a key that approve.
pub fn approving(meta: &Metadata) -> impl Iterator<Item = &Factor> {
    meta.factors.iter().filter(|factor| factor.kind == FactorKind::Fido2)
}

fn written(metadata: &Metadata) -> Result<String, Refusal> {
    serde_json::to_string(metadata)
        .map_err(|_| Refusal::bare(Code::Internal, "the new metadata could not be written"))
}
