//! What a caller asks for, understood: the key, the action by its name, what the signer is to do and
//! what becomes of its result.
//!
//! Promises: the action comes from what is signed, never from what the caller says; everything that
//! can be refused without a token is refused here. Must not know: policy's answer, the token.

#![forbid(unsafe_code)]

use super::house::House;
use crate::clock;
use crate::vault::StoredRecord;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signet_protocol::api::{SignRequest, UseAct, UseRequest};
use signet_protocol::child::{Act, Seed, TotpGate};
use signet_protocol::record::{Factor, FactorKind, Metadata, Partition, is_key_name};
use signet_protocol::{Code, DATE_WINDOW_SECONDS, Refusal};
use signet_sigv4::{Prepared, Request, date, endpoint, given_date, prepare};
use time::OffsetDateTime;

/// Longest reason, in characters.
const REASON_LENGTH: usize = 256;

/// One act on one key.
pub(super) struct Task {
    /// The record to open: the key's, or the one to be added.
    pub(super) record: StoredRecord,
    /// `sts:GetCallerIdentity`, `signet:Add`.
    pub(super) action: String,
    /// What is done and with what result.
    pub(super) work: Work,
}

/// What is to be done with an opened record.
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
    },
    /// Take the key out of the vault.
    Remove,
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
    let known = || Ok::<_, Refusal>(house.vault.borrow().record(&request.key)?);
    match &request.act {
        UseAct::Sign(sign) => {
            let record = known()?;
            let prepared = canonical(sign, record.meta.partition, &house.config.aws.extra_hosts, now)?;
            let action = prepared.action().to_owned();
            Ok(Task {
                record,
                action,
                work: Work::Sign { prepared: Box::new(prepared), url: sign.url.clone() },
            })
        }
        UseAct::Add { record } => {
            let bytes = STANDARD
                .decode(record)
                .map_err(|_| Refusal::bare(Code::BadRequest, "the record is not base64"))?;
            let record = house.vault.borrow().check_new(&request.key, &bytes)?;
            Ok(Task { record, action: "signet:Add".to_owned(), work: Work::Add })
        }
        UseAct::SetPolicy { policy } => {
            crate::policy::check_parts(policy).map_err(|error| unfit_policy(&error.message))?;
            let next = |meta: &mut Metadata| meta.policy.clone_from(policy);
            change(known()?, "signet:SetPolicy", Seed::Keep, next)
        }
        UseAct::AddTotp { label } => {
            let record = known()?;
            if record.meta.factors.iter().any(|factor| factor.kind == FactorKind::Totp) {
                let message = "the key has a totp factor already";
                return Err(Refusal::new(Code::Unsupported, message, "signet factor list"));
            }
            reason(Some(label))?;
            let factor = Factor {
                id: "totp-1".to_owned(),
                kind: FactorKind::Totp,
                label: label.clone(),
                created: clock::rfc3339(now),
            };
            change(record, "signet:AddFactor", Seed::Ask, |meta| meta.factors.push(factor))
        }
        UseAct::RemoveFactor { id } => {
            let record = known()?;
            if !record.meta.factors.iter().any(|factor| factor.id == *id) {
                let message = "the key has no such factor";
                return Err(Refusal::new(Code::BadRequest, message, "signet factor list"));
            }
            change(record, "signet:RemoveFactor", Seed::Drop, |meta| meta.factors.retain(|f| f.id != *id))
        }
        UseAct::Embed { .. } | UseAct::Reseal { .. } | UseAct::Verify { .. } | UseAct::Restore { .. } => {
            Err(Refusal::new(Code::Unsupported, "this act is not known here", "signet --version"))
        }
        UseAct::Remove {} => {
            Ok(Task { record: known()?, action: "signet:Remove".to_owned(), work: Work::Remove })
        }
    }
}

fn unfit_policy(why: &str) -> Refusal {
    Refusal::new(Code::BadRequest, format!("the policy is refused: {why}"), "signet policy presets")
}

/// The next generation of a record differs in one thing, and names the one before.
fn change(
    record: StoredRecord,
    action: &str,
    seed: Seed,
    edit: impl FnOnce(&mut Metadata),
) -> Result<Task, Refusal> {
    let mut next = record.meta.clone();
    edit(&mut next);
    next.epoch = next
        .epoch
        .checked_add(1)
        .ok_or_else(|| Refusal::bare(Code::Internal, "the record has no further generation"))?;
    next.previous = Some(record.header_sha256.clone());
    Ok(Task { record, action: action.to_owned(), work: Work::Change { next: Box::new(next), seed } })
}

/// The one canonical form of a request, for AWS's own host, dated now.
fn canonical(
    sign: &SignRequest,
    partition: Partition,
    extra_hosts: &[String],
    now: OffsetDateTime,
) -> Result<Prepared, Refusal> {
    let body = sign.body.as_deref().map(|body| STANDARD.decode(body)).transpose();
    let body = body.map_err(|_| Refusal::bare(Code::BadRequest, "the body is not base64"))?;
    let request = Request {
        service: &sign.service,
        region: &sign.region,
        method: &sign.method,
        url: &sign.url,
        headers: &sign.headers,
        body: body.as_deref(),
    };
    let given = given_date(&sign.headers).map_err(|error| unfit(&error))?;
    endpoint::check(&request, world(partition), extra_hosts).map_err(|error| unfit(&error))?;
    let now = now.unix_timestamp();
    let amz_date = match given {
        None => date::from_unix(now).map_err(|error| unfit(&error))?,
        Some(given) => {
            let seconds = date::to_unix(given).map_err(|error| unfit(&error))?;
            if seconds.abs_diff(now) > DATE_WINDOW_SECONDS.unsigned_abs() {
                let message = "x-amz-date is more than 60 seconds from now: leave it out, or check the clock";
                return Err(Refusal::new(Code::BadRequest, message, "timedatectl"));
            }
            given.to_owned()
        }
    };
    prepare(&request, &amz_date).map_err(|error| unfit(&error))
}

const fn world(partition: Partition) -> endpoint::Partition {
    match partition {
        Partition::Aws => endpoint::Partition::Aws,
        Partition::AwsUsGov => endpoint::Partition::AwsUsGov,
    }
}

fn unfit(error: &signet_sigv4::Error) -> Refusal {
    use signet_sigv4::Error;
    let hint = match error {
        Error::Host { .. } | Error::Url(_) | Error::Scope(_) => {
            "signet sign NAME --service SERVICE --region REGION"
        }
        Error::UnsignedPayload | Error::StreamingPayload | Error::PayloadHash | Error::BodyMissing => {
            "signet request NAME URL -d @FILE"
        }
        Error::Date | Error::DateMismatch => "timedatectl",
        Error::Method
        | Error::Header { .. }
        | Error::DuplicateHeader(_)
        | Error::ReservedHeader(_)
        | Error::PresignedQuery(_)
        | Error::Length
        | Error::Action(_) => "signet sign --help",
    };
    Refusal::new(Code::BadRequest, error.to_string(), hint)
}

impl Task {
    /// What is signed, where something is.
    pub(super) fn prepared(&self) -> Option<&Prepared> {
        match &self.work {
            Work::Sign { prepared, .. } => Some(prepared),
            Work::Add | Work::Change { .. } | Work::Remove => None,
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
            Work::Change { next, seed } => {
                let metadata = serde_json::to_string(next)
                    .map_err(|_| Refusal::bare(Code::Internal, "the new metadata could not be written"))?;
                Act::Reseal { metadata, seed: *seed, totp }
            }
        })
    }
}
