//! Kind `fido2`: a P-256 key that is made anew, at each use, of what a FIDO2 authenticator computes with a
//! credential (CTAP 2.1, 12.5, hmac-secret), for its PIN and a touch.
//!
//! Promises: the authenticator is known by its credential before the PIN goes to it; the key it gives is the
//! enrolled one, or nothing is done with it; the key stands in this process for one agreement.
//!
//! Not promised what PIV does: here the key itself comes out of the hardware for some milliseconds at each use,
//! and who reads it then opens every record that was ever sealed to it.

use super::envelope::Unwrap;
use super::{Asks, Computed, Error, ecdh, name_of};
use crate::authenticator::{self, PACE, Signing, Verified, Wanted};
use crate::conversation::Conversation;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use ring::rand::{SecureRandom as _, SystemRandom};
use secrecy::{ExposeSecret as _, SecretBox};
use signet_envelope::PublicKey;
use signet_protocol::approval::SEALING_SALT;
use signet_protocol::record::Recipient;
use signet_protocol::refusal::{Code, Refusal};
use std::time::Duration;

/// A recipient's authenticator, there or not.
pub(super) struct Fido2 {
    wanted: Wanted,
    public_key: PublicKey,
}

impl Fido2 {
    /// The authenticator of a recipient. One whose credential cannot be read is never there.
    pub(super) fn new(recipient: &Recipient, public_key: PublicKey) -> Self {
        let id = STANDARD.decode(&recipient.slot).unwrap_or_default();
        Self { wanted: Wanted { name: name_of(recipient), id, verified: Verified::ByPin }, public_key }
    }

    /// The private key, if it is the enrolled one.
    fn key(&self, output: &SecretBox<[u8; 32]>) -> Result<p256::SecretKey, Refusal> {
        let serial = &self.wanted.name.serial;
        let other = || {
            let message = format!("authenticator {serial} gives another key than the enrolled one");
            Refusal::new(Code::Unsupported, message, "signet token list")
        };
        let scalar = signet_envelope::private_key(output.expose_secret()).map_err(|_| other())?;
        let key = p256::SecretKey::from_slice(&scalar).map_err(|_| other())?;
        let is_ours = key.public_key().to_sec1_point(false).as_bytes() == self.public_key.as_bytes();
        if is_ours { Ok(key) } else { Err(other()) }
    }
}

impl Unwrap for Fido2 {
    fn look(&mut self, talk: &Conversation) -> Result<Asks, Error> {
        let (_, asks) = authenticator::look(std::slice::from_ref(&self.wanted), talk)?;
        Ok(asks)
    }

    fn wait(&mut self, limit: Duration) -> Result<(), Error> {
        std::thread::sleep(limit.min(PACE));
        Ok(())
    }

    fn agree(&mut self, point: &[u8; 65], secret: &[u8], talk: &Conversation) -> Result<Computed, Error> {
        // What is signed is of no use to anybody: only the answer to the salt is.
        let mut nothing = [0; 32];
        SystemRandom::new()
            .fill(&mut nothing)
            .map_err(|_| Refusal::bare(Code::Internal, "the system gave no random bytes"))?;
        let signing = Signing { client_data_hash: &nothing, salt: Some(SEALING_SALT), pin: Some(secret) };
        let signed = authenticator::sign(&self.wanted, &signing, talk)?;
        let output = signed.hmac_secret.ok_or_else(|| {
            let message = format!("authenticator {} does not answer hmac-secret", self.wanted.name.serial);
            Refusal::new(Code::Unsupported, message, "signet token list")
        })?;
        Ok(ecdh::agree(&self.key(&output)?, point)?)
    }

    fn touches(&self) -> u32 {
        1
    }
}
