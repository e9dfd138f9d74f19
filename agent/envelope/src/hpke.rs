//! HPKE base mode (RFC 9180) with DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305.
//!
//! Public: one message to a one-time key, for answers on their way from the person to the signer.
//! Inside the room: the key schedule and the two ends, for `p256tag` too. One message a context,
//! so the sequence number is always 0 and the base nonce is the nonce; the AAD is always empty.

use ring::{aead, agreement, rand::SystemRandom};
use zeroize::Zeroizing;

use crate::hash::{expand, mac};
use crate::key::POINT;
use crate::{Error, PublicKey, Secret};

/// DHKEM(P-256, HKDF-SHA256), RFC 9180, 7.1.
pub(crate) const KEM_SUITE: &[u8] = b"KEM\x00\x10";
/// Mode base, RFC 9180, 5.
const MODE_BASE: u8 = 0;

/// The AEAD of a suite; KEM and KDF are fixed.
#[derive(Clone, Copy)]
pub(crate) struct Suite {
    /// `"HPKE" ‖ kem ‖ kdf ‖ aead`, RFC 9180, 5.1.
    id: &'static [u8],
    algorithm: &'static aead::Algorithm,
}

/// HKDF-SHA256 and ChaCha20-Poly1305, RFC 9180, 7.2 and 7.3.
pub(crate) const CHACHA: Suite =
    Suite { id: b"HPKE\x00\x10\x00\x01\x00\x03", algorithm: &aead::CHACHA20_POLY1305 };

/// Key and nonce of one message.
struct Schedule {
    key: Secret,
    nonce: [u8; aead::NONCE_LEN],
}

/// LabeledExtract, RFC 9180, 4.
pub(crate) fn extract(suite: &[u8], salt: &[u8], label: &str, ikm: &[u8]) -> Secret {
    mac(salt, &[b"HPKE-v1", suite, label.as_bytes(), ikm])
}

/// LabeledExpand, RFC 9180, 4.
pub(crate) fn expand_labelled(suite: &[u8], prk: &[u8], label: &str, info: &[&[u8]], length: u8) -> Secret {
    let size = u16::from(length).to_be_bytes();
    let mut parts: Vec<&[u8]> = vec![&size, b"HPKE-v1", suite, label.as_bytes()];
    parts.extend_from_slice(info);
    expand(prk, &parts, usize::from(length))
}

/// ExtractAndExpand, RFC 9180, 4.1: the shared secret of the KEM.
fn shared_secret(dh: &[u8], enc: &[u8; POINT], receiver: &[u8; POINT]) -> Secret {
    let prk = extract(KEM_SUITE, b"", "eae_prk", dh);
    expand_labelled(KEM_SUITE, &prk, "shared_secret", &[enc, receiver], 32)
}

/// KeySchedule in mode base, RFC 9180, 5.1.
fn schedule(suite: Suite, shared: &[u8], info: &[u8]) -> Schedule {
    let psk_id_hash = extract(suite.id, b"", "psk_id_hash", b"");
    let info_hash = extract(suite.id, b"", "info_hash", info);
    let context: [&[u8]; 3] = [&[MODE_BASE], &psk_id_hash, &info_hash];
    let secret = extract(suite.id, shared, "secret", b"");
    // every key of RFC 9180, 7.3 has 16 or 32 bytes
    let length = if suite.algorithm.key_len() == 16 { 16 } else { 32 };
    let key = expand_labelled(suite.id, &secret, "key", &context, length);
    let base = expand_labelled(suite.id, &secret, "base_nonce", &context, 12);
    let mut nonce = [0; aead::NONCE_LEN];
    nonce.copy_from_slice(&base);
    Schedule { key, nonce }
}

/// The AEAD key and nonce of a message, from the ECDH result.
fn derive(suite: Suite, dh: &[u8], enc: &[u8; POINT], receiver: &[u8; POINT], info: &[u8]) -> Schedule {
    schedule(suite, &shared_secret(dh, enc, receiver), info)
}

fn aead_key(suite: Suite, key: &[u8]) -> Result<aead::LessSafeKey, Error> {
    // the length is the algorithm's own, so this does not fail
    Ok(aead::LessSafeKey::new(aead::UnboundKey::new(suite.algorithm, key).map_err(|_| Error::Damaged)?))
}

/// Seals with an ECDH result at hand.
pub(crate) fn seal_with(
    suite: Suite,
    dh: &[u8],
    enc: &[u8; POINT],
    receiver: &[u8; POINT],
    info: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, Error> {
    let derived = derive(suite, dh, enc, receiver, info);
    // room for the tag from the start: growing would leave a copy of the plaintext behind
    let mut buffer = Vec::with_capacity(plaintext.len().saturating_add(aead::MAX_TAG_LEN));
    buffer.extend_from_slice(plaintext);
    aead_key(suite, &derived.key)?
        .seal_in_place_append_tag(
            aead::Nonce::assume_unique_for_key(derived.nonce),
            aead::Aad::empty(),
            &mut buffer,
        )
        .map_err(|_| Error::TooLarge)?;
    Ok(buffer)
}

/// Opens with an ECDH result at hand.
pub(crate) fn open_with(
    suite: Suite,
    dh: &[u8],
    enc: &[u8; POINT],
    receiver: &[u8; POINT],
    info: &[u8],
    ciphertext: &[u8],
) -> Result<Secret, Error> {
    let derived = derive(suite, dh, enc, receiver, info);
    let mut buffer = Zeroizing::new(ciphertext.to_vec());
    let length = aead_key(suite, &derived.key)?
        .open_in_place(aead::Nonce::assume_unique_for_key(derived.nonce), aead::Aad::empty(), &mut buffer)
        .map_err(|_| Error::Damaged)?
        .len();
    buffer.truncate(length);
    Ok(buffer)
}

/// The sender's end with an ephemeral key of its own: gives `enc`, and what `act` makes of the
/// ECDH result.
pub(crate) fn encapsulate<T>(
    receiver: &PublicKey,
    act: impl FnOnce(&[u8], &[u8; POINT]) -> Result<T, Error>,
) -> Result<([u8; POINT], T), Error> {
    let key = OneTimeKey::new()?;
    let enc = key.public();
    let made = key.agree(receiver.as_bytes(), |dh| act(dh, &enc))?;
    Ok((enc, made))
}

/// Seals one message to a one-time key: `enc` (65 bytes) ‖ ciphertext.
///
/// # Errors
/// [`Error::PublicKey`] if `public` is not on the curve; [`Error::Random`].
pub fn seal(public: &[u8; POINT], info: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, Error> {
    let receiver = PublicKey::from_bytes(public)?;
    let (enc, sealed) =
        encapsulate(&receiver, |dh, enc| seal_with(CHACHA, dh, enc, public, info, plaintext))?;
    Ok([&enc[..], &sealed].concat())
}

/// A key pair for one message. The private half never leaves `ring`, and is spent by opening.
pub struct OneTimeKey {
    private: agreement::EphemeralPrivateKey,
    public: [u8; POINT],
}

impl OneTimeKey {
    /// Makes a key pair.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn new() -> Result<Self, Error> {
        let random = SystemRandom::new();
        let private = agreement::EphemeralPrivateKey::generate(&agreement::ECDH_P256, &random)
            .map_err(|_| Error::Random)?;
        let computed = private.compute_public_key().map_err(|_| Error::Random)?;
        let public = computed.as_ref().try_into().map_err(|_| Error::Random)?;
        Ok(Self { private, public })
    }

    /// The public half, an uncompressed point.
    #[must_use]
    pub const fn public(&self) -> [u8; POINT] {
        self.public
    }

    /// Opens what [`seal`] made for this key and this `info`.
    ///
    /// # Errors
    /// [`Error::Damaged`] unless it is exactly that.
    pub fn open(self, info: &[u8], sealed: &[u8]) -> Result<Secret, Error> {
        let (enc, ciphertext) = sealed.split_first_chunk::<POINT>().ok_or(Error::Damaged)?;
        let public = self.public;
        self.agree(enc, |dh| open_with(CHACHA, dh, enc, &public, info, ciphertext))
            .map_err(|_| Error::Damaged)
    }

    /// One ECDH; `ring` refuses a peer that is not on the curve.
    fn agree<T>(self, peer: &[u8; POINT], act: impl FnOnce(&[u8]) -> Result<T, Error>) -> Result<T, Error> {
        let peer = agreement::UnparsedPublicKey::new(&agreement::ECDH_P256, peer);
        agreement::agree_ephemeral(self.private, &peer, act).map_err(|_| Error::PublicKey)?
    }
}

#[cfg(test)]
mod tests;
