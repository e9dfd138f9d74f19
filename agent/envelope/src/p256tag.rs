//! The `p256tag` stanza (C2SP `age`, tagged recipients): the file key, sealed by HPKE to one token.

use crate::hash::{mac, sha256};
use crate::header::{Stanza, from_base64, to_base64};
use crate::hpke::{self, CHACHA};
use crate::key::{POINT, check_point};
use crate::payload::{FILE_KEY, FileKey};
use crate::{Error, PublicKey};

/// The stanza's type.
pub(crate) const NAME: &str = "p256tag";

/// HPKE `info`, and salt of the tag.
const INFO: &[u8] = b"age-encryption.org/p256tag";
/// A tag has four bytes, and so has the digest of the recipient in it.
const TAG: usize = 4;
/// The file key and the AEAD's tag: a fixed size leaves a partitioning oracle nothing to vary.
const BODY: usize = FILE_KEY + 16;

/// Tells without a key whether a stanza is meant for a recipient; two may share a tag by chance.
fn tag(enc: &[u8; POINT], recipient: &PublicKey) -> [u8; TAG] {
    let [a, b, c, d, ..] = sha256(&recipient.compressed());
    let long = mac(INFO, &[enc, &[a, b, c, d]]);
    let mut out = [0; TAG];
    for (to, from) in out.iter_mut().zip(long.iter()) {
        *to = *from;
    }
    out
}

fn exactly<const N: usize>(bytes: &[u8], rule: &'static str) -> Result<[u8; N], Error> {
    bytes.try_into().map_err(|_| Error::Malformed(rule))
}

/// A parsed stanza.
#[derive(Debug, Clone)]
pub(crate) struct Wrapped {
    tag: [u8; TAG],
    enc: [u8; POINT],
    body: [u8; BODY],
}

impl Wrapped {
    /// Reads a stanza of this type, and checks that its point is on the curve.
    pub(crate) fn read(stanza: &Stanza) -> Result<Self, Error> {
        let [tag, enc] = stanza.args.as_slice() else {
            return Err(Error::Malformed("a p256tag stanza has two arguments"));
        };
        let tag = exactly(&from_base64(tag.as_bytes())?, "a tag has four bytes")?;
        let enc = exactly(&from_base64(enc.as_bytes())?, "an encapsulated key has 65 bytes")?;
        let body = exactly(&stanza.body, "the body of a p256tag stanza has 32 bytes")?;
        check_point(&enc)?;
        Ok(Self { tag, enc, body })
    }

    /// Seals the file key to a recipient.
    pub(crate) fn make(recipient: &PublicKey, file_key: &FileKey) -> Result<Self, Error> {
        let (_, wrapped) =
            hpke::encapsulate(recipient, |dh, enc| Self::make_with(recipient, file_key, enc, dh))?;
        Ok(wrapped)
    }

    /// The same, with the encapsulated key and the ECDH result given.
    pub(crate) fn make_with(
        recipient: &PublicKey,
        file_key: &FileKey,
        enc: &[u8; POINT],
        dh: &[u8],
    ) -> Result<Self, Error> {
        let sealed = hpke::seal_with(CHACHA, dh, enc, recipient.as_bytes(), INFO, file_key.bytes())?;
        let body = sealed.as_slice().try_into().map_err(|_| Error::TooLarge)?;
        Ok(Self { tag: tag(enc, recipient), enc: *enc, body })
    }

    /// The stanza to write.
    pub(crate) fn stanza(&self) -> Stanza {
        let args = vec![to_base64(&self.tag), to_base64(&self.enc)];
        Stanza { name: NAME.to_owned(), args, body: self.body.to_vec() }
    }

    /// The point the token is to multiply.
    pub(crate) const fn enc(&self) -> &[u8; POINT] {
        &self.enc
    }

    /// Whether the tag says that it is for `recipient`.
    pub(crate) fn is_for(&self, recipient: &PublicKey) -> bool {
        self.tag == tag(&self.enc, recipient)
    }

    /// Opens it with the token's ECDH result; `None` where it is not for this key.
    pub(crate) fn open(&self, recipient: &PublicKey, dh: &[u8; 32]) -> Option<FileKey> {
        let opened = hpke::open_with(CHACHA, dh, &self.enc, recipient.as_bytes(), INFO, &self.body).ok()?;
        FileKey::read(opened)
    }
}
