//! As much of X.509 (RFC 5280) as a chain of attestation certificates needs: the key, the signature
//! and the extensions. Everything is borrowed from the bytes; nothing foreign can make it panic.

use super::tlv::{self, Tlv};
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};

/// OBJECT IDENTIFIERs with their tag and length.
const SHA256_RSA: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 0x0b];
const SHA384_RSA: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 0x0c];
const SHA512_RSA: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 0x0d];
const SHA256_ECDSA: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const SHA384_ECDSA: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];

/// AlgorithmIdentifiers of keys on the two curves, which decide how their signatures are checked.
const P256: &[u8] =
    &[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];

/// A certificate, taken apart.
pub(super) struct Certificate<'a> {
    /// TBSCertificate with its tag: what is signed.
    signed: &'a [u8],
    /// The signature's AlgorithmIdentifier, first member.
    algorithm: &'a [u8],
    signature: &'a [u8],
    /// The key's AlgorithmIdentifier, content.
    key_algorithm: &'a [u8],
    key: &'a [u8],
    /// Content of Extensions; empty where there are none.
    extensions: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Takes a certificate apart; none when it is not one.
    pub(super) fn parse(der: &'a [u8]) -> Option<Self> {
        let mut parts = Parts(tlv::only(der, 0x30)?);
        let body = parts.next(0x30)?;
        let algorithm = tlv::take(parts.next(0x30)?.value)?.0.whole;
        let signature = bits(parts.next(0x03)?)?;
        parts.end()?;

        // RFC 5280, 4.1: version, serial, signature, issuer, validity, subject, key, then optional ones
        let mut fields = Parts(body.value);
        fields.next(0xa0)?;
        fields.next(0x02)?;
        for _ in ["signature", "issuer", "validity", "subject"] {
            fields.next(0x30)?;
        }
        let mut key = Parts(fields.next(0x30)?.value);
        let key_algorithm = key.next(0x30)?.value;
        let key_bits = bits(key.next(0x03)?)?;
        let extensions =
            tlv::find(fields.0, 0xa3).and_then(|wrapped| tlv::only(wrapped, 0x30)).unwrap_or_default();
        Some(Self { signed: body.whole, algorithm, signature, key_algorithm, key: key_bits, extensions })
    }

    /// The key, where it is a point on P-256.
    pub(super) fn public_key(&self) -> Option<&'a [u8]> {
        (self.key_algorithm == P256).then_some(self.key)
    }

    /// Value of an extension, by the content of its OBJECT IDENTIFIER.
    pub(super) fn extension(&self, oid: &[u8]) -> Option<&'a [u8]> {
        tlv::each(self.extensions).find_map(|extension| {
            let found = tlv::first(extension.value, 0x06)? == oid;
            // the value is the last member; a flag may stand before it
            found.then(|| tlv::find(extension.value, 0x04))?
        })
    }

    /// Whether the key of `issuer` made this certificate's signature.
    pub(super) fn is_signed_by(&self, issuer: &Certificate<'_>) -> bool {
        let on_p256 = issuer.public_key().is_some();
        let algorithm: &dyn VerificationAlgorithm = match self.algorithm {
            SHA256_RSA => &signature::RSA_PKCS1_2048_8192_SHA256,
            SHA384_RSA => &signature::RSA_PKCS1_2048_8192_SHA384,
            SHA512_RSA => &signature::RSA_PKCS1_2048_8192_SHA512,
            SHA256_ECDSA if on_p256 => &signature::ECDSA_P256_SHA256_ASN1,
            SHA256_ECDSA => &signature::ECDSA_P384_SHA256_ASN1,
            SHA384_ECDSA if on_p256 => &signature::ECDSA_P256_SHA384_ASN1,
            SHA384_ECDSA => &signature::ECDSA_P384_SHA384_ASN1,
            _unknown => return false,
        };
        UnparsedPublicKey::new(algorithm, issuer.key).verify(self.signed, self.signature).is_ok()
    }
}

/// Members of a SEQUENCE, one after another.
struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    fn next(&mut self, tag: u8) -> Option<Tlv<'a>> {
        let (found, rest) = tlv::take(self.0)?;
        self.0 = rest;
        (found.tag == tag).then_some(found)
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// A BIT STRING of whole bytes.
fn bits(found: Tlv<'_>) -> Option<&[u8]> {
    match found.value.split_first()? {
        (0, bytes) => Some(bytes),
        _unused_bits => None,
    }
}
