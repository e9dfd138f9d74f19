//! GENERAL AUTHENTICATE with a key slot (SP 800-73-4 part 2, section 3.2.4): signature and key
//! agreement, under the slot's policies.

use std::time::{Duration, Instant};

use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature, SigningKey};
use p256::{PublicKey, SecretKey, ecdh};

use super::keys::{P256, PinPolicy, TouchPolicy};
use super::{Command, Piv, Reply, Step, sw, tlv};
use crate::card::der;

/// How long a touch counts under the policy "cached".
const CACHED: Duration = Duration::from_secs(15);

/// A use of a private key that waits for its touch.
pub(in crate::card) struct Pending {
    slot: u8,
    task: Task,
}

enum Task {
    /// The digest to sign.
    Sign(Vec<u8>),
    /// The other side's point.
    Agree(PublicKey),
}

impl Piv {
    pub(super) fn use_key(&mut self, command: &Command, now: Instant) -> Step {
        let slot = command.p2;
        let Some(key) = self.keys.get(&slot) else { return sw::NO_REFERENCE.into() };
        if command.p1 != P256 {
            return sw::WRONG_DATA.into();
        }
        let Some(task) = task(&command.data) else { return sw::WRONG_DATA.into() };
        let allowed = match key.pin {
            PinPolicy::Never => true,
            PinPolicy::Once => self.session.pin,
            PinPolicy::Always => self.session.fresh_pin,
        };
        // One private-key operation uses up a fresh PIN, whether its touch comes or not.
        self.session.fresh_pin = false;
        if !allowed {
            return sw::SECURITY.into();
        }
        let must_touch = match key.touch {
            TouchPolicy::Never => false,
            TouchPolicy::Always => true,
            TouchPolicy::Cached => {
                self.session.touched.is_none_or(|last| now.saturating_duration_since(last) >= CACHED)
            }
        };
        let pending = Pending { slot, task };
        if must_touch { Step::Touch(pending) } else { self.carry_out(&pending).into() }
    }

    /// Goes on after the touch.
    pub(in crate::card) fn touched(&mut self, pending: Pending, now: Instant) -> Reply {
        self.session.touched = Some(now);
        self.carry_out(&pending)
    }

    fn carry_out(&self, pending: &Pending) -> Reply {
        let Some(key) = self.keys.get(&pending.slot) else { return sw::NO_REFERENCE.into() };
        let answer = match &pending.task {
            Task::Sign(digest) => match sign(&key.secret, digest) {
                Some(signature) => signature,
                None => return sw::WRONG_DATA.into(),
            },
            Task::Agree(theirs) => {
                let shared = ecdh::diffie_hellman(key.secret.to_nonzero_scalar(), theirs.as_affine());
                shared.raw_secret_bytes().to_vec()
            }
        };
        Reply::ok(tlv::write(0x7c, &tlv::write(0x82, &answer)))
    }
}

/// Reads the dynamic authentication template: what shall be done.
fn task(data: &[u8]) -> Option<Task> {
    let outer = tlv::parse(data)?;
    let inner = tlv::parse(tlv::find(&outer, 0x7c)?)?;
    match (tlv::find(&inner, 0x81), tlv::find(&inner, 0x85)) {
        (Some(digest), None) if digest.len() <= 32 => Some(Task::Sign(digest.to_vec())),
        (None, Some(point @ [0x04, ..])) => PublicKey::from_sec1_bytes(point).ok().map(Task::Agree),
        (_, _) => None,
    }
}

/// An ECDSA signature of a digest as DER.
pub(in crate::card) fn sign(secret: &SecretKey, digest: &[u8]) -> Option<Vec<u8>> {
    let mut padded = vec![0; 32_usize.checked_sub(digest.len())?];
    padded.extend_from_slice(digest);
    let signature: Signature = SigningKey::from(secret).sign_prehash(&padded).ok()?;
    let bytes = signature.to_bytes();
    let (r, s) = bytes.split_at_checked(32)?;
    Some(der::sequence(&[der::unsigned(r), der::unsigned(s)]))
}
