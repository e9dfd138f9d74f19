//! A sealed record: written, read, opened with what the token computed.
//!
//! Stricter than age: the metadata stanza comes first and once, every other stanza is a `p256tag`.
//! A stanza of another type would be a reader whom the metadata does not name, so it is refused.

use std::ops::Deref;

use crate::header::{self, Header, MAX_RECIPIENTS, MAX_RECORD, Stanza};
use crate::key::POINT;
use crate::p256tag::{self, Wrapped};
use crate::payload::{FileKey, NONCE, random};
use crate::{Error, PublicKey, Secret, sha256};

/// The metadata stanza's type.
const META: &str = "signet/meta/v1";
/// The AEAD's tag, which every payload ends with.
const AEAD_TAG: usize = 16;

/// Seals `payload` to the recipients, with `meta` in the clear beside it; a new file key each time.
///
/// # Errors
/// [`Error::NoRecipient`], [`Error::TooLarge`], [`Error::Random`].
pub fn seal(meta: &[u8], recipients: &[PublicKey], payload: &[u8]) -> Result<Vec<u8>, Error> {
    if recipients.is_empty() {
        return Err(Error::NoRecipient);
    }
    if recipients.len() > MAX_RECIPIENTS {
        return Err(Error::TooLarge);
    }
    let file_key = FileKey::random()?;
    let wrapped: Vec<Wrapped> =
        recipients.iter().map(|to| Wrapped::make(to, &file_key)).collect::<Result<_, _>>()?;
    let mut stanzas = vec![meta_stanza(meta)];
    stanzas.extend(wrapped.iter().map(Wrapped::stanza));
    let mut nonce = [0; NONCE];
    random(&mut nonce)?;
    assemble(&file_key, &nonce, &stanzas, payload)
}

fn meta_stanza(meta: &[u8]) -> Stanza {
    Stanza { name: META.to_owned(), args: Vec::new(), body: meta.to_vec() }
}

/// The file, from everything that is chosen for it.
fn assemble(
    file_key: &FileKey,
    nonce: &[u8; NONCE],
    stanzas: &[Stanza],
    payload: &[u8],
) -> Result<Vec<u8>, Error> {
    let covered = header::covered(stanzas);
    let mac = file_key.header_mac(&covered);
    let mut file = header::finish(covered, &mac);
    file.extend_from_slice(nonce);
    file.extend(file_key.seal(nonce, payload)?);
    if file.len() > MAX_RECORD { Err(Error::TooLarge) } else { Ok(file) }
}

/// A record that obeys the grammar. Nothing in it is authenticated until [`Record::open`].
pub struct Record {
    covered: Vec<u8>,
    mac: [u8; 32],
    header_sha256: [u8; 32],
    meta: Vec<u8>,
    wrapped: Vec<Wrapped>,
    nonce: [u8; NONCE],
    sealed: Vec<u8>,
}

impl Record {
    /// Reads a record: caps, grammar, and every point on the curve.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::TooLarge`], [`Error::PublicKey`] for a point off the curve,
    /// [`Error::Random`].
    pub fn parse(file: &[u8]) -> Result<Self, Error> {
        let header = header::read(file)?;
        let Header { stanzas, covered, mac, length } = header;
        let parts = file.split_at_checked(length).zip(file.get(..covered));
        let ((header, payload), covered) = parts.ok_or(Error::Malformed("the header has no end"))?;
        let (nonce, sealed) =
            payload.split_first_chunk::<NONCE>().ok_or(Error::Malformed("the payload has no nonce"))?;
        if sealed.len() < AEAD_TAG {
            return Err(Error::Malformed("the payload has no end"));
        }
        let mut stanzas = stanzas.into_iter();
        let meta = stanzas
            .next()
            .filter(|first| first.name == META && first.args.is_empty())
            .ok_or(Error::Malformed("the first stanza is not the metadata"))?
            .body;
        let wrapped: Vec<Wrapped> = stanzas.map(|stanza| wrapped(&stanza)).collect::<Result<_, _>>()?;
        if wrapped.is_empty() {
            return Err(Error::NoRecipient);
        }
        Ok(Self {
            covered: covered.to_vec(),
            mac,
            header_sha256: sha256(header),
            meta,
            wrapped,
            nonce: *nonce,
            sealed: sealed.to_vec(),
        })
    }

    /// The exact bytes of the metadata stanza. Not authenticated: trust them after
    /// [`Record::open`], or when [`Record::header_sha256`] is the pinned one.
    #[must_use]
    pub fn meta(&self) -> &[u8] {
        &self.meta
    }

    /// SHA-256 of the header, from its first byte to the LF after its MAC: what the vault pins.
    #[must_use]
    pub const fn header_sha256(&self) -> [u8; 32] {
        self.header_sha256
    }

    /// How many recipients the record has.
    #[must_use]
    pub fn recipients(&self) -> usize {
        self.wrapped.len()
    }

    /// The points that `recipient`'s token may be asked to multiply, on the curve each. A tag has
    /// four bytes, so more than one is possible, though not by chance: try each until one opens.
    pub fn encs_for<'a>(&'a self, recipient: &'a PublicKey) -> impl Iterator<Item = [u8; POINT]> + 'a {
        self.wrapped.iter().filter(|stanza| stanza.is_for(recipient)).map(|stanza| *stanza.enc())
    }

    /// The first of [`Record::encs_for`]; `None` when the record is not sealed to `recipient`.
    #[must_use]
    pub fn enc_for(&self, recipient: &PublicKey) -> Option<[u8; POINT]> {
        self.encs_for(recipient).next()
    }

    /// Opens the record with `dh`, the x-coordinate of `enc` times the recipient's private key.
    ///
    /// The header's MAC is checked before the payload is decrypted, so on success the metadata is
    /// authentic too.
    ///
    /// # Errors
    /// [`Error::NotMine`]: no stanza with this `enc` opens, try the next. [`Error::Damaged`]: one
    /// did, but the header or the payload was changed.
    pub fn open(&self, recipient: &PublicKey, enc: &[u8; POINT], dh: &[u8; 32]) -> Result<Opened, Error> {
        let file_key = self
            .wrapped
            .iter()
            .filter(|stanza| stanza.enc() == enc && stanza.is_for(recipient))
            .find_map(|stanza| stanza.open(recipient, dh))
            .ok_or(Error::NotMine)?;
        file_key.check_header(&self.covered, &self.mac)?;
        file_key.open(&self.nonce, &self.sealed).map(Opened)
    }
}

fn wrapped(stanza: &Stanza) -> Result<Wrapped, Error> {
    match stanza.name.as_str() {
        p256tag::NAME => Wrapped::read(stanza),
        META => Err(Error::Malformed("there is more than one metadata stanza")),
        _ => Err(Error::Malformed("a stanza is of an unknown type")),
    }
}

/// The payload of an opened record, in memory that is wiped on drop.
pub struct Opened(Secret);

impl Deref for Opened {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod interop;
#[cfg(test)]
mod tests;
