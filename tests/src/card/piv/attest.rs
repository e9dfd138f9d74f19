//! Yubico's ATTEST: a certificate, made by a key of the factory, that a slot's key was generated in the
//! device, and under which policies. The factory is ours: one root for all virtual cards, and one
//! issuer below it. Layout of the extensions as in Yubico's PIV attestation documentation.

use std::sync::LazyLock;

use p256::SecretKey;
use ring::digest;

use super::authenticate::sign;
use super::keys::{self, Origin};
use super::{Command, Piv, Reply, sw};
use crate::card::der;
use crate::card::profile::Profile;

/// Yubico's arc for PIV attestation, 1.3.6.1.4.1.41482.3.
const ARC: [u64; 8] = [1, 3, 6, 1, 4, 1, 41482, 3];
const FIRMWARE: u64 = 3;
const SERIAL: u64 = 7;
const POLICIES: u64 = 8;
const FORM_FACTOR: u64 = 9;

const ROOT_NAME: &str = "Signet Test PIV Root CA";
const ISSUER_NAME: &str = "Signet Test PIV Attestation";

/// The factory: root and issuer, the same for all cards of a process.
static FACTORY: LazyLock<Factory> = LazyLock::new(Factory::build);

struct Factory {
    issuer: SecretKey,
    root_certificate: Vec<u8>,
    issuer_certificate: Vec<u8>,
}

/// The certificate (DER) of the root to which all virtual cards chain.
#[must_use]
pub fn root() -> Vec<u8> {
    FACTORY.root_certificate.clone()
}

pub(super) fn issuer_certificate() -> Vec<u8> {
    FACTORY.issuer_certificate.clone()
}

/// The public point of the attestation key.
pub(super) fn issuer_point() -> [u8; 65] {
    keys::point(&FACTORY.issuer)
}

impl Factory {
    fn build() -> Self {
        let (root, issuer) = (keys::fresh(), keys::fresh());
        let ca = |serial, subject, key: &SecretKey| {
            certificate(&Certificate {
                serial: &[serial],
                issuer: ROOT_NAME,
                subject,
                point: &keys::point(key),
                // Basic constraints, critical: a CA (RFC 5280, section 4.2.1.9).
                extensions: &[der::sequence(&[
                    der::oid(&[2, 5, 29, 19]),
                    der::TRUE.to_vec(),
                    der::octets(&der::sequence(&[der::TRUE.to_vec()])),
                ])],
                signer: &root,
            })
        };
        let root_certificate = ca(1, ROOT_NAME, &root);
        let issuer_certificate = ca(2, ISSUER_NAME, &issuer);
        Self { issuer, root_certificate, issuer_certificate }
    }
}

impl Piv {
    pub(super) fn attest(&self, profile: &Profile, command: &Command) -> Reply {
        let slot = command.p1;
        let Some(key) = self.keys.get(&slot) else { return sw::NO_REFERENCE.into() };
        if key.origin != Origin::Generated {
            return sw::WRONG_DATA.into();
        }
        let extension = |last: u64, value: &[u8]| {
            let oid: Vec<u64> = ARC.into_iter().chain([last]).collect();
            der::sequence(&[der::oid(&oid), der::octets(value)])
        };
        let point = key.point();
        // A number of its own for each certificate: the beginning of the key's digest.
        let digest = digest::digest(&digest::SHA256, &point);
        Reply::ok(certificate(&Certificate {
            serial: digest.as_ref().get(..8).unwrap_or_default(),
            issuer: ISSUER_NAME,
            subject: &format!("YubiKey PIV Attestation {slot:02x}"),
            point: &point,
            extensions: &[
                extension(FIRMWARE, &profile.version()),
                extension(SERIAL, &der::unsigned(&profile.serial.to_be_bytes())),
                extension(POLICIES, &[key.pin as u8, key.touch as u8]),
                extension(FORM_FACTOR, &[1]),
            ],
            signer: &FACTORY.issuer,
        }))
    }
}

struct Certificate<'a> {
    serial: &'a [u8],
    issuer: &'a str,
    subject: &'a str,
    point: &'a [u8; 65],
    extensions: &'a [Vec<u8>],
    signer: &'a SecretKey,
}

/// An X.509 v3 certificate with P-256 and SHA-256 (RFC 5280, section 4.1; RFC 5758, section 3.2).
fn certificate(what: &Certificate<'_>) -> Vec<u8> {
    let algorithm = der::sequence(&[der::oid(&[1, 2, 840, 10045, 4, 3, 2])]);
    let name = |text: &str| {
        let common_name = der::sequence(&[der::oid(&[2, 5, 4, 3]), der::utf8(text)]);
        der::sequence(&[der::set(&[common_name])])
    };
    let key_algorithm =
        der::sequence(&[der::oid(&[1, 2, 840, 10045, 2, 1]), der::oid(&[1, 2, 840, 10045, 3, 1, 7])]);
    let body = der::sequence(&[
        der::explicit(0, &der::unsigned(&[2])),
        der::unsigned(what.serial),
        algorithm.clone(),
        name(what.issuer),
        der::sequence(&[der::utc_time("160314000000Z"), der::utc_time("491231235959Z")]),
        name(what.subject),
        der::sequence(&[key_algorithm, der::bits(what.point)]),
        der::explicit(3, &der::sequence(what.extensions)),
    ]);
    let digest = digest::digest(&digest::SHA256, &body);
    let signature = sign(what.signer, digest.as_ref()).unwrap_or_default();
    der::sequence(&[body, algorithm, der::bits(&signature)])
}
