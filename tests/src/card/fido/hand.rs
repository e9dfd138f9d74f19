//! What the test's hand reads and changes inside the FIDO applet, past PIN and touch.

use ring::hmac;

use super::credential::{Algorithm, Credential};
use super::lie::Lie;
use crate::card::Card;
use crate::card::profile::Uv;

/// A credential as the one who made it knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its name.
    pub id: Vec<u8>,
    /// What its key signs with.
    pub algorithm: Algorithm,
    /// The uncompressed P-256 point, or the 32 bytes of the EdDSA key.
    pub public_key: Vec<u8>,
}

impl Card {
    /// Sets the FIDO PIN by hand and fills its tries; `None` takes it away.
    pub fn set_fido_pin(&self, pin: Option<&str>) {
        self.device().fido.pin.set_by_hand(pin);
    }

    /// Whether this is the FIDO PIN now; costs no try.
    #[must_use]
    pub fn is_fido_pin(&self, pin: &str) -> bool {
        self.device().fido.pin.is(pin)
    }

    /// Whether there is a FIDO PIN.
    #[must_use]
    pub fn has_fido_pin(&self) -> bool {
        self.device().fido.pin.is_set()
    }

    /// Tries left for the FIDO PIN.
    #[must_use]
    pub fn fido_tries(&self) -> u8 {
        self.device().fido.pin.left()
    }

    /// So many tries are left for the FIDO PIN.
    pub fn set_fido_tries(&self, tries: u8) {
        self.device().fido.pin.set_left(tries);
    }

    /// How many wrong FIDO PINs came since a right one or the last time without power; three are too many.
    #[must_use]
    pub fn fido_misses(&self) -> u8 {
        self.device().fido.pin.misses()
    }

    /// The secrets that card and host have shared since this was last called, by what they are: the result of
    /// each key agreement (`what was agreed on`), `the key of proofs` and `the key of the cipher` made of it, and
    /// each pinUvAuthToken (`the token`).
    #[must_use]
    pub fn fido_secrets(&self) -> Vec<(&'static str, Vec<u8>)> {
        std::mem::take(&mut self.device().fido.secrets)
    }

    /// Whether a pinUvAuthToken with which something can be done has been left behind in the card.
    #[must_use]
    pub fn has_fido_token(&self) -> bool {
        self.device().fido.has_token()
    }

    /// From now on another finger.
    pub fn set_uv(&self, uv: Uv) {
        if let Some(fido) = &mut self.device().profile.fido {
            fido.uv = uv;
        }
    }

    /// Makes a credential by hand; it knows hmac-secret if the device does.
    #[must_use]
    pub fn make_fido_credential(&self, rp_id: &str, algorithm: Algorithm) -> Made {
        let mut device = self.device();
        let hmac_secret = device.profile.fido.is_some_and(|fido| fido.hmac_secret);
        let made = Credential::make(rp_id, algorithm, hmac_secret);
        let (id, public_key) = (made.id.clone(), made.public_key());
        device.fido.credentials.push(made);
        Made { id, algorithm, public_key }
    }

    /// What a credential answers to a salt (CTAP 2.1, section 12.5) for a verified user; `None` where it does
    /// not know hmac-secret.
    #[must_use]
    pub fn fido_answer(&self, id: &[u8], salt: &[u8; 32]) -> Option<[u8; 32]> {
        let device = self.device();
        let credential = device.fido.credentials.iter().find(|credential| credential.id == id)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &credential.secrets.as_ref()?.with_uv);
        hmac::sign(&key, salt).as_ref().try_into().ok()
    }

    /// The names of the credentials, in the order in which they were made.
    #[must_use]
    pub fn fido_credentials(&self) -> Vec<Vec<u8>> {
        self.device().fido.credentials.iter().map(|credential| credential.id.clone()).collect()
    }

    /// Deletes a credential by hand, and says whether it was there.
    pub fn delete_fido_credential(&self, id: &[u8]) -> bool {
        let credentials = &mut self.device().fido.credentials;
        let before = credentials.len();
        credentials.retain(|credential| credential.id != id);
        credentials.len() < before
    }

    /// The counter that the last signature said.
    #[must_use]
    pub fn fido_counter(&self) -> u32 {
        self.device().fido.counter
    }

    /// The next signature says one more than this.
    pub fn set_fido_counter(&self, counter: u32) {
        self.device().fido.counter = counter;
    }

    /// How many assertions with a touch were made.
    #[must_use]
    pub fn fido_assertions(&self) -> usize {
        self.device().fido.assertions
    }

    /// How many assertions without a touch were made: questions whether a credential is there.
    #[must_use]
    pub fn fido_probes(&self) -> usize {
        self.device().fido.probes
    }

    /// The card tells a lie at the next occasion.
    pub fn fido_next(&self, lie: Lie) {
        self.device().fido.lies.tell(lie);
    }

    /// How many lies have not been told yet.
    #[must_use]
    pub fn lies_left(&self) -> usize {
        self.device().fido.lies.left()
    }
}
