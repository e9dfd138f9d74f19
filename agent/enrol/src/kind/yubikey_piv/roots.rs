//! The certificates under which Yubico issues the attestation certificates of YubiKeys' PIV.
//!
//! `yubico.pem` holds them as Yubico publishes them (developers.yubico.com/PKI), each behind its
//! SHA-256 fingerprint: the root of firmware before 5.7.4, which signs cards directly; and since then
//! Attestation Root 1, its intermediates A and B, and the two that sign cards. A test follows each of
//! them up to one of the two roots, so at run time being signed by any of them is enough. A card of an
//! issuer that Yubico added later is not proven, which costs a warning and nothing else.

use super::x509::Certificate;
use base64::{Engine, engine::general_purpose::STANDARD};

/// The certificates, PEM.
const YUBICO: &str = include_str!("yubico.pem");

/// Whether a card's attestation certificate was issued by Yubico.
pub(super) fn issued(device: &Certificate<'_>) -> bool {
    certificates(YUBICO)
        .any(|der| Certificate::parse(&der).is_some_and(|issuer| device.is_signed_by(&issuer)))
}

/// The certificates of a PEM text (RFC 7468), DER.
fn certificates(pem: &str) -> impl Iterator<Item = Vec<u8>> {
    pem.split("-----BEGIN CERTIFICATE-----").skip(1).filter_map(|text| {
        let (body, _) = text.split_once("-----END CERTIFICATE-----")?;
        STANDARD.decode(body.split_whitespace().collect::<String>()).ok()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{YUBICO, certificates};
    use crate::kind::yubikey_piv::x509::Certificate;

    /// Fingerprints of Yubico's two roots, as published.
    const ROOTS: [&str; 2] = [
        "63ece914e54dd87915f34033c85af4c0696ba1512f8add66ced738331207b546",
        "62760c6a6ef91679f454c8902b80fd009825b3f25da90f1fbace2ec6586cd5a8",
    ];

    #[test]
    fn every_certificate_has_its_fingerprint_and_leads_to_a_root() {
        let all: Vec<Vec<u8>> = certificates(YUBICO).collect();
        let told: Vec<&str> = YUBICO.lines().filter_map(|line| line.strip_prefix("sha-256 ")).collect();
        let seen: Vec<String> =
            all.iter().map(|der| signet_envelope::hex(&signet_envelope::sha256(der))).collect();
        assert_eq!(seen, told);
        assert_eq!(seen.len(), 6);

        let leads_to_root = |start: usize| {
            let mut at = start;
            for _ in 0..4 {
                if ROOTS.contains(&seen.get(at).unwrap().as_str()) {
                    return true;
                }
                let der = all.get(at).unwrap();
                let issuer = all.iter().enumerate().find(|(index, issuer)| {
                    *index != at
                        && Certificate::parse(der).unwrap().is_signed_by(&Certificate::parse(issuer).unwrap())
                });
                let Some((index, _)) = issuer else { return false };
                at = index;
            }
            false
        };
        assert!((0..all.len()).all(leads_to_root));
    }
}
