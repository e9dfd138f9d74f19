//! What the file key does (C2SP `age`, "Header MAC" and "Payload"): it authenticates the header,
//! and seals the payload. A record is smaller than age's chunk, so a payload is one chunk, the last.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, MAX_TAG_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::hash::{expand, mac, mac_is};
use crate::{Error, Secret};

/// Length of a file key.
pub(crate) const FILE_KEY: usize = 16;
/// Length of the nonce in front of the payload.
pub(crate) const NONCE: usize = 16;
/// Counter of the first chunk, eleven bytes, and 1 for the last chunk.
const ONLY_CHUNK: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// Fills `out` from the system.
pub(crate) fn random(out: &mut [u8]) -> Result<(), Error> {
    SystemRandom::new().fill(out).map_err(|_| Error::Random)
}

/// The key of one record: 16 random bytes, made for it and never used for another.
pub(crate) struct FileKey(Secret);

impl FileKey {
    /// A fresh one.
    pub(crate) fn random() -> Result<Self, Error> {
        let mut bytes = Zeroizing::new(vec![0; FILE_KEY]);
        random(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Takes what a stanza held, if it has the length of a file key.
    pub(crate) fn read(bytes: Secret) -> Option<Self> {
        (bytes.len() == FILE_KEY).then_some(Self(bytes))
    }

    /// The bytes, to be wrapped.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn header_key(&self) -> Secret {
        expand(&mac(b"", &[&self.0]), &[b"header"], 32)
    }

    /// MAC over the header up to and including `---`.
    pub(crate) fn header_mac(&self, covered: &[u8]) -> Secret {
        mac(&self.header_key(), &[covered])
    }

    /// Checks that MAC in constant time.
    pub(crate) fn check_header(&self, covered: &[u8], found: &[u8]) -> Result<(), Error> {
        mac_is(&self.header_key(), covered, found).then_some(()).ok_or(Error::Damaged)
    }

    fn payload_key(&self, nonce: &[u8; NONCE]) -> Result<LessSafeKey, Error> {
        let key = expand(&mac(nonce, &[&self.0]), &[b"payload"], 32);
        // 32 bytes are what the algorithm wants, so this does not fail
        Ok(LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &key).map_err(|_| Error::Damaged)?))
    }

    /// The sealed payload, without its nonce.
    pub(crate) fn seal(&self, nonce: &[u8; NONCE], payload: &[u8]) -> Result<Vec<u8>, Error> {
        // room for the tag from the start: growing would leave a copy of the plaintext behind
        let mut buffer = Vec::with_capacity(payload.len().saturating_add(MAX_TAG_LEN));
        buffer.extend_from_slice(payload);
        self.payload_key(nonce)?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(ONLY_CHUNK), Aad::empty(), &mut buffer)
            .map_err(|_| Error::TooLarge)?;
        Ok(buffer)
    }

    /// The payload. Only after [`Self::check_header`].
    pub(crate) fn open(&self, nonce: &[u8; NONCE], sealed: &[u8]) -> Result<Secret, Error> {
        let mut buffer = Zeroizing::new(sealed.to_vec());
        let length = self
            .payload_key(nonce)?
            .open_in_place(Nonce::assume_unique_for_key(ONLY_CHUNK), Aad::empty(), &mut buffer)
            .map_err(|_| Error::Damaged)?
            .len();
        buffer.truncate(length);
        Ok(buffer)
    }
}
