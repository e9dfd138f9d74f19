//! An order, checked before anybody is asked anything.
//!
//! Promises: pure but for the record's points, which the envelope checks; the time comes in as an
//! argument. A [`Job`] exists only for a record whose header is the pinned one, whose metadata is
//! about the key of the order, and for the act that the request names. Whatever the agent computed
//! and this room can compute too is compared.

use crate::embed::Embed;
use crate::reseal::Reseal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signet_envelope::{Error, PublicKey, Record, hex, sha256};
use signet_protocol::api::{SignRequest, UseAct, UseRequest};
use signet_protocol::approval::Approval;
use signet_protocol::child::{Act, Order, Seed, TotpGate};
use signet_protocol::record::{Custody, FactorKind, Metadata, Recipient, is_key_name};
use signet_protocol::refusal::{Code, Refusal};
use signet_protocol::{DATE_WINDOW_SECONDS, VERSION};
use signet_sigv4::{Prepared, Request, date};

/// How old, in seconds, `x-amz-date` may have become while the person was asked; AWS takes 300.
const USE_SECONDS: i64 = 120;

/// What is to be done, and with what.
pub struct Job {
    /// The record.
    pub record: Record,
    /// What it says of its key: authentic as far as the pin is, until the record is opened.
    pub metadata: Metadata,
    /// The gate of the TOTP factor, where a code is asked for.
    pub totp: Option<TotpGate>,
    /// The exact text that is to be approved, where the key has factors that approve.
    pub approval: Option<String>,
    /// The work itself.
    pub work: Work,
}

/// The work of a [`Job`].
pub enum Work {
    /// Sign this.
    Sign(Box<Prepared>),
    /// Open the record and look.
    Open,
    /// Prove that the token opens the record, or computes what it should.
    Verify,
    /// Seal a new generation.
    Reseal(Box<Reseal>),
    /// Write the key into tokens, and seal a new generation.
    Embed(Box<Embed>),
}

impl Job {
    /// Checks an order at the time `now`, in seconds since 1970.
    ///
    /// # Errors
    /// `rollback` for a record that is not the pinned one or not whole, `bad_request` for a request
    /// that cannot be signed, `internal` where agent and signer do not agree.
    pub fn read(order: &Order, now: i64) -> Result<Self, Refusal> {
        if order.version != VERSION {
            return Err(disagree("the version of the order"));
        }
        let (file, record) = read_record(&order.record, &order.header_sha256, &order.key)?;
        let metadata = read_metadata(record.meta(), &order.key)?;
        if record.recipients() != metadata.recipients.len() {
            return Err(changed(&order.key, "it is sealed to others than it says"));
        }
        let request: UseRequest =
            serde_json::from_str(&order.request).map_err(|_| disagree("how a request is written"))?;
        if request.key != order.key {
            return Err(disagree("which key is meant"));
        }
        if let UseAct::Add { record } | UseAct::Restore { record } = &request.act
            && STANDARD.decode(record).ok().as_ref() != Some(&file)
        {
            return Err(disagree("which record is meant"));
        }
        let (work, totp) = match &order.act {
            Act::Sign { amz_date, canonical_sha256, totp } => {
                let prepared = prepare(&request.act, amz_date, now)?;
                if prepared.canonical_sha256_hex() != *canonical_sha256 {
                    return Err(disagree("the canonical request"));
                }
                require_gate(&metadata, *totp)?;
                (Work::Sign(Box::new(prepared)), *totp)
            }
            Act::Open { totp } => {
                if !matches!(request.act, UseAct::Add { .. } | UseAct::Remove {}) {
                    return Err(disagree("what is to be done"));
                }
                if totp.is_some() {
                    require_gate(&metadata, *totp)?;
                }
                (Work::Open, *totp)
            }
            Act::Verify {} => {
                let is_named = matches!(&request.act, UseAct::Verify { token } if order.tokens == [&**token]);
                if !is_named {
                    return Err(disagree("which token is to be verified"));
                }
                (Work::Verify, None)
            }
            Act::Embed { totp, .. } => {
                require_gate(&metadata, *totp)?;
                (Work::Embed(Box::new(Embed::read(&metadata, &record, order, &request.act)?)), *totp)
            }
            Act::Reseal { metadata: new, seed, totp } => {
                require_gate(&metadata, *totp)?;
                let reseal = Reseal::read(&metadata, &record, new, *seed, &request.act)?;
                (Work::Reseal(Box::new(reseal)), *totp)
            }
        };
        let approval = approval(&metadata, order, &request, &work)?;
        Ok(Self { record, metadata, totp, approval, work })
    }

    /// Whether a new seed is asked for.
    #[must_use]
    pub fn wants_seed(&self) -> bool {
        match &self.work {
            Work::Reseal(reseal) => matches!(reseal.seed, Seed::Ask),
            Work::Sign(_) | Work::Open | Work::Verify | Work::Embed(_) => false,
        }
    }

    /// Whether the secret is asked for: it is to be written, and is in no record.
    #[must_use]
    pub fn wants_key(&self) -> bool {
        match (&self.work, self.metadata.custody) {
            (Work::Embed(_), Custody::InToken) => true,
            (Work::Embed(_), Custody::Sealed) => false,
            (Work::Sign(_) | Work::Open | Work::Verify | Work::Reseal(_), _) => false,
        }
    }

    /// How many touches the work takes beside those of the token that is found first.
    #[must_use]
    pub fn further_touches(&self) -> u32 {
        match &self.work {
            Work::Embed(embed) => u32::try_from(embed.tokens.len()).unwrap_or(u32::MAX),
            Work::Sign(_) | Work::Open | Work::Verify | Work::Reseal(_) => 0,
        }
    }

    /// Whether the token holds the key.
    #[must_use]
    pub fn is_holder(&self, serial: &str) -> bool {
        self.metadata.holders.iter().any(|holder| holder.serial == serial)
    }
}

/// A record that was handed over, whose header is the pinned one, and its bytes.
pub(crate) fn read_record(
    record: &str,
    header_sha256: &str,
    key: &str,
) -> Result<(Vec<u8>, Record), Refusal> {
    let file = STANDARD.decode(record).map_err(|_| disagree("how a record is handed over"))?;
    let record = Record::parse(&file).map_err(|error| unreadable(key, error))?;
    if hex(&record.header_sha256()) != header_sha256 {
        return Err(changed(key, "its header is not the one that was last acknowledged"));
    }
    Ok((file, record))
}

/// The metadata of a record of the key with that name, strictly.
pub(crate) fn read_metadata(bytes: &[u8], key: &str) -> Result<Metadata, Refusal> {
    let metadata: Metadata = serde_json::from_slice(bytes)
        .map_err(|_| changed(key, "its metadata is not of a form this version knows"))?;
    if metadata.version != VERSION {
        return Err(changed(key, "it is of another version"));
    }
    if metadata.name != key || !is_key_name(&metadata.name) {
        return Err(changed(key, "it is the record of another key"));
    }
    let is_recipient = |serial: &str| metadata.recipients.iter().any(|to| to.serial == serial);
    let holds = match metadata.custody {
        Custody::Sealed => metadata.holders.is_empty(),
        Custody::InToken => {
            !metadata.holders.is_empty() && metadata.holders.iter().all(|holder| is_recipient(&holder.serial))
        }
    };
    if holds { Ok(metadata) } else { Err(changed(key, "who holds the key is not as its custody says")) }
}

/// A key with the factor is never used without its gate, and a gate is never without the factor.
fn require_gate(metadata: &Metadata, gate: Option<TotpGate>) -> Result<(), Refusal> {
    if has_totp(metadata) == gate.is_some() { Ok(()) } else { Err(disagree("whether a code is needed")) }
}

/// The order that is to be approved, in words of its own but for the place in the log, which only the agent
/// knows. A key with the factor is never used without an approval; one that is only now taken in, or that
/// proves itself, is not used.
fn approval(
    metadata: &Metadata,
    order: &Order,
    request: &UseRequest,
    work: &Work,
) -> Result<Option<String>, Refusal> {
    let is_due = match work {
        Work::Sign(_) | Work::Reseal(_) | Work::Embed(_) => metadata.has(FactorKind::Fido2),
        Work::Open => metadata.has(FactorKind::Fido2) && matches!(request.act, UseAct::Remove {}),
        Work::Verify => false,
    };
    let Some(gate) = &order.approval else {
        return if is_due { Err(disagree("whether an approval is needed")) } else { Ok(None) };
    };
    let prepared = match work {
        Work::Sign(prepared) => Some(prepared),
        Work::Open | Work::Verify | Work::Reseal(_) | Work::Embed(_) => None,
    };
    if !is_due || prepared.is_some_and(|prepared| prepared.action() != gate.action) {
        return Err(disagree("what is to be approved"));
    }
    let message = || hex(&sha256(order.request.as_bytes()));
    let approval = Approval {
        version: VERSION,
        key: order.key.clone(),
        access_key_id: metadata.access_key_id.clone(),
        action: gate.action.clone(),
        scope: prepared.map(|prepared| prepared.scope().to_owned()),
        request_sha256: prepared.map_or_else(message, |prepared| prepared.canonical_sha256_hex()),
        reason: request.reason.clone(),
        time: gate.time.clone(),
        seq: gate.seq,
    };
    let text = signet_fido::order::text(&approval);
    Ok(Some(text.ok_or_else(|| disagree("how an approval is written"))?))
}

/// Whether the key has the TOTP factor.
#[must_use]
pub fn has_totp(metadata: &Metadata) -> bool {
    metadata.has(FactorKind::Totp)
}

/// The public key of a recipient.
///
/// # Errors
/// `rollback`: the agent let nothing else in.
pub fn public_key(recipient: &Recipient) -> Result<PublicKey, Refusal> {
    let bytes = STANDARD.decode(&recipient.public_key).unwrap_or_default();
    PublicKey::from_bytes(&bytes).map_err(|_| {
        let message = format!("the public key of token {} in the record is none", recipient.serial);
        Refusal::new(Code::Rollback, message, "signet doctor")
    })
}

fn prepare(act: &UseAct, amz_date: &str, now: i64) -> Result<Prepared, Refusal> {
    let UseAct::Sign(SignRequest { service, region, method, url, headers, body }) = act else {
        return Err(disagree("what is to be done"));
    };
    let body = match body {
        Some(text) => Some(STANDARD.decode(text).map_err(|_| bad_request("the body is not base64"))?),
        None => None,
    };
    let request = Request { service, region, method, url, headers, body: body.as_deref() };
    let prepared =
        signet_sigv4::prepare(&request, amz_date).map_err(|error| bad_request(&error.to_string()))?;
    check_date(&prepared, now)?;
    Ok(prepared)
}

/// The date of a request against this process's own clock: not from the future, and no older than a
/// use can take. Asked for again just before the signature.
///
/// # Errors
/// `bad_request`.
pub fn check_date(prepared: &Prepared, now: i64) -> Result<(), Refusal> {
    let date = date::to_unix(prepared.amz_date()).map_err(|error| bad_request(&error.to_string()))?;
    let age = now.saturating_sub(date);
    if (-DATE_WINDOW_SECONDS..=DATE_WINDOW_SECONDS + USE_SECONDS).contains(&age) {
        Ok(())
    } else {
        Err(bad_request("x-amz-date is not the time of this use"))
    }
}

fn bad_request(why: &str) -> Refusal {
    Refusal::bare(Code::BadRequest, why)
}

/// Agent and signer see different things: a fault of ours, or an agent that is not ours.
pub(crate) fn disagree(about: &str) -> Refusal {
    Refusal::new(Code::Internal, format!("agent and signer do not agree on {about}"), "signet status")
}

fn changed(key: &str, why: &str) -> Refusal {
    Refusal::new(Code::Rollback, format!("the record of {key} was changed: {why}"), "signet doctor")
}

fn unreadable(key: &str, error: Error) -> Refusal {
    match error {
        Error::Random => Refusal::bare(Code::Internal, error.to_string()),
        other => changed(key, &other.to_string()),
    }
}
