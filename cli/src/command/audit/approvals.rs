//! The approvals in a log, checked offline: each proof against the credential that was enrolled for its key
//! at that moment, against the intent that stands in the log, and against the counters before it. Pure.

mod order;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use order::{differing, subject};
use serde::{Deserialize, Serialize};
use signet_envelope::{hex, sha256};
use signet_protocol::approval::Proof;
use signet_protocol::audit::{Entry, Facts, Link, Phase};
use signet_protocol::record::{Credential, Factor, FactorKind};
use std::collections::BTreeMap;

/// User verified, in the flags behind the 32 bytes of the relying party (WebAuthn level 2, 6.1).
const VERIFIED: (usize, u8) = (32, 0x04);

/// The head of a table of [`Approved::cells`].
pub(super) const COLUMNS: [&str; 7] =
    ["seq", "time", "key", "action", "approved by", "credential", "request sha256"];

/// One use that was approved.
#[derive(Debug, Serialize)]
pub(super) struct Approved {
    /// Number of the outcome, which holds the proof.
    pub(super) seq: u64,
    /// Number of the intent, which the proof names.
    pub(super) intent: u64,
    /// When the intent was written.
    pub(super) time: String,
    pub(super) key: String,
    pub(super) factor: String,
    pub(super) label: String,
    /// Id: base64.
    pub(super) credential: String,
    pub(super) aaguid: String,
    /// Whether the authenticator says that it verified the person.
    pub(super) verified: bool,
    pub(super) action: String,
    pub(super) request_sha256: String,
    pub(super) reason: Option<String>,
    /// What became of it: an approval alone signs nothing.
    pub(super) result: String,
    #[serde(skip)]
    pub(super) evidence: Evidence,
}

/// What shows it to others.
#[derive(Debug)]
pub(super) struct Evidence {
    /// Id of the use.
    pub(super) id: String,
    pub(super) proof: Proof,
    pub(super) credential: Credential,
    /// Where intent, outcome and the entry that last set the key's factors stand among the lines.
    pub(super) intent: usize,
    pub(super) outcome: usize,
    pub(super) enrolment: usize,
}

impl Approved {
    /// For people.
    pub(super) fn cells(&self) -> Vec<String> {
        let who = if self.label.is_empty() { String::new() } else { format!(" ({})", self.label) };
        let text = [&self.time, &self.key, &self.action].map(String::clone);
        let rest = [format!("{}{who}", self.factor), short(&self.credential), self.request_sha256.clone()];
        [self.seq.to_string()].into_iter().chain(text).chain(rest).collect()
    }
}

/// A credential, told from others.
fn short(credential: &str) -> String {
    let id = STANDARD.decode(credential).unwrap_or_default();
    format!("fido-{}", hex(&sha256(&id)).chars().take(8).collect::<String>())
}

/// What is wrong with an entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    /// Line of the log, from 1.
    pub(super) line: u64,
    pub(super) seq: Option<u64>,
    /// Id of the use, where it can be told.
    pub(super) id: String,
    pub(super) kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It may hold an approval, and cannot be read.
    Unreadable,
    /// An approval was due, and there is none.
    Missing,
    /// There is one, and it does not hold: why.
    Unproved(String),
}

impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let entry = self.seq.map_or_else(|| "the entry".to_owned(), |seq| format!("entry {seq}"));
        match &self.kind {
            Kind::Unreadable => write!(f, "{entry} has another form: whether it was approved cannot be told"),
            Kind::Missing => write!(f, "{entry} was done without the approval that the key asks for"),
            Kind::Unproved(why) => write!(f, "{entry} was not approved as it says: {why}"),
        }
    }
}

/// What the check of a log has found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) approved: Vec<Approved>,
    pub(super) flaws: Vec<Flaw>,
}

/// Checks every approval, in the order of the entries' numbers.
pub(super) fn check(lines: &[Vec<u8>]) -> Found {
    #[derive(Deserialize)]
    struct Numbered {
        seq: u64,
    }
    let number = |line: &Vec<u8>| serde_json::from_slice::<Numbered>(line).ok().map(|it| it.seq);
    // what has no number is no entry: the chain has said so
    let mut order: Vec<(u64, usize)> =
        lines.iter().enumerate().filter_map(|(at, line)| Some((number(line)?, at))).collect();
    order.sort_by_key(|(seq, _)| *seq);
    // a line that stands twice is one entry, and the chain has said that too
    order.dedup_by(|(seq, at), (before, first)| seq == before && lines.get(*at) == lines.get(*first));
    let mut walk = Walk::default();
    for (seq, at) in order {
        let Some(line) = lines.get(at) else { continue };
        match serde_json::from_slice::<Entry>(line) {
            Ok(entry) => walk.see(at, entry),
            // one that was changed has been named by the chain
            Err(_) if is_intact(line) => walk.flaw(at, Some(seq), String::new(), Kind::Unreadable),
            Err(_) => {}
        }
    }
    walk.found
}

/// Whether a line is the one that was hashed.
pub(super) fn is_intact(line: &[u8]) -> bool {
    Link::read(line, |bytes| hex(&sha256(bytes))).is_some_and(|link| link.intact)
}

/// What is known so far.
#[derive(Default)]
struct Walk {
    /// By use: intents without an outcome.
    intents: BTreeMap<String, (usize, Entry)>,
    /// By key: its FIDO2 factors, and the line that set them.
    enrolled: BTreeMap<String, (usize, Vec<Factor>)>,
    /// By credential: its last counter.
    counters: BTreeMap<String, u32>,
    found: Found,
}

impl Walk {
    fn flaw(&mut self, at: usize, seq: Option<u64>, id: String, kind: Kind) {
        let line = u64::try_from(at).map_or(u64::MAX, |at| at.saturating_add(1));
        self.found.flaws.push(Flaw { line, seq, id, kind });
    }

    fn see(&mut self, at: usize, entry: Entry) {
        match entry.phase {
            Phase::Intent => {
                self.intents.insert(entry.id.clone(), (at, entry));
            }
            Phase::Recovered => {
                self.intents.remove(&entry.id);
                // whether it came to its end is not known, but what the key's factors were then is
                if let (Some(key), Some(factors)) = (entry.facts.key, entry.facts.enrolled) {
                    self.enrolled.insert(key, (at, factors));
                }
            }
            Phase::Outcome => self.outcome(at, &entry),
            Phase::Admin => self.enrol(at, &entry.facts),
            Phase::Vend => {}
        }
    }

    fn outcome(&mut self, at: usize, entry: &Entry) {
        let (facts, intent) = (&entry.facts, self.intents.remove(&entry.id));
        let restores = facts.action.as_deref() == Some("signet:Restore");
        // a record that is taken in is approved by its own factors, which it brings with it
        if restores {
            self.enrol(at, facts);
        }
        match &facts.proof {
            // nothing came of it, and the factors of that record are not in the log
            Some(_) if restores && !is_done(facts) => {}
            Some(proof) => match self.approved(at, entry, proof, intent) {
                Ok(approved) => self.found.approved.push(approved),
                Err(why) => self.flaw(at, Some(entry.seq), entry.id.clone(), Kind::Unproved(why)),
            },
            None if is_done(facts) && self.is_due(facts) => {
                self.flaw(at, Some(entry.seq), entry.id.clone(), Kind::Missing);
            }
            None => {}
        }
        if !restores {
            self.enrol(at, facts);
        }
    }

    /// What was done sets the factors of its key; what was refused sets nothing.
    fn enrol(&mut self, at: usize, facts: &Facts) {
        let Some(key) = facts.key.clone().filter(|_| is_done(facts)) else { return };
        match (&facts.enrolled, facts.action.as_deref()) {
            (Some(factors), _) => {
                self.enrolled.insert(key, (at, factors.clone()));
            }
            (None, Some("signet:Add" | "signet:Restore" | "signet:Remove" | "signet:Lose")) => {
                self.enrolled.remove(&key);
            }
            (None, _) => {}
        }
    }

    /// Whether an approval was due: an entry says so, or the key has factors. Nothing is let out by taking
    /// a key in, nor by verifying a token: there none is asked for.
    fn is_due(&self, facts: &Facts) -> bool {
        let says = facts.factors.iter().flatten().any(|kind| kind == FactorKind::Fido2.name());
        let asks = !matches!(facts.action.as_deref(), Some("signet:Add" | "signet:Verify"));
        let key = facts.key.as_ref().and_then(|key| self.enrolled.get(key));
        says || (asks && key.is_some_and(|(_, factors)| !factors.is_empty()))
    }

    fn approved(
        &mut self,
        at: usize,
        entry: &Entry,
        proof: &Proof,
        intent: Option<(usize, Entry)>,
    ) -> Result<Approved, String> {
        let (intent_at, intent) = intent.ok_or("the log has no intent of it")?;
        if subject(&intent.facts) != subject(&entry.facts) {
            return Err(format!("its intent, entry {}, is of another request", intent.seq));
        }
        let key = intent.facts.key.clone().unwrap_or_default();
        let known = self.enrolled.get(&key).and_then(|(enrolment, factors)| {
            let factor = factors.iter().find(|factor| factor.id == proof.factor)?;
            let credential = factor.credential.as_ref().filter(|it| it.id == proof.credential)?;
            Some((*enrolment, factor, credential))
        });
        let (enrolment, factor, credential) = known.ok_or_else(|| {
            format!("factor {} with that credential was not enrolled for {key} then", proof.factor)
        })?;
        let order = order::read(&proof.order).ok_or("its order has another form")?;
        if let Some(member) = differing(&order, &intent) {
            return Err(format!("its order names another {member} than its intent, entry {}", intent.seq));
        }
        let last = self.counters.get(&credential.id).copied();
        let counter = signet_fido::proof::check(credential, proof, &proof.order, last)
            .map_err(|fault| fault.to_string())?;
        self.counters.insert(credential.id.clone(), counter);
        let data = STANDARD.decode(&proof.authenticator_data).unwrap_or_default();
        let (flags, verified) = VERIFIED;
        Ok(Approved {
            seq: entry.seq,
            intent: intent.seq,
            time: order.time,
            key,
            factor: factor.id.clone(),
            label: factor.label.clone(),
            credential: credential.id.clone(),
            aaguid: credential.aaguid.clone(),
            verified: data.get(flags).is_some_and(|flags| flags & verified != 0),
            action: order.action,
            request_sha256: order.request_sha256,
            reason: order.reason,
            result: entry.facts.result.clone().unwrap_or_default(),
            evidence: Evidence {
                id: entry.id.clone(),
                proof: proof.clone(),
                credential: credential.clone(),
                intent: intent_at,
                outcome: at,
                enrolment,
            },
        })
    }
}

fn is_done(facts: &Facts) -> bool {
    matches!(facts.result.as_deref(), Some("signed" | "done" | "restored"))
}

#[cfg(test)]
mod tests;
