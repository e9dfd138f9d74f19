//! Attestation: the card's own certificate for a key that was made on it (Yubico's PIV attestation).
//!
//! Promises: [`Attested::Signed`] only for a certificate over exactly this key, signed by the card's
//! attestation key in slot F9; `by_yubico` only when that one's certificate was issued by Yubico. Anything else is said in words and never refused: a token without
//! attestation works. What the names and dates of the certificates say is not looked at: an
//! attestation has no revocation, and its time is the factory's.

use super::card::{Card, refusal};
use super::slot::Made;
use super::x509::Certificate;
use super::{roots, tlv};
use signet_protocol::Refusal;
use yubikey::{Error, ObjectId};

/// Certificate object of slot F9.
const DEVICE: ObjectId = 0x005f_ff01;
/// Yubico's extension 1.3.6.1.4.1.41482.3.8: PIN policy, touch policy.
const POLICIES: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0xc4, 0x0a, 0x03, 0x08];
/// Yubico's extension 1.3.6.1.4.1.41482.3.7: serial, an INTEGER.
const SERIAL: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0xc4, 0x0a, 0x03, 0x07];

/// What the card's attestation is worth.
pub(super) enum Attested {
    /// The card signed for this key.
    Signed {
        /// PIN policy and touch policy, where it tells.
        policies: Option<[u8; 2]>,
        /// Whether Yubico issued the card's attestation certificate.
        by_yubico: bool,
    },
    /// It did not, or not for this key; why.
    Not(&'static str),
}

/// Asks the card to attest a key, and checks what it says.
pub(super) fn read(card: &mut Card, made: &Made) -> Result<Attested, Refusal> {
    let attestation = match yubikey::piv::attest(&mut card.key, made.slot.id()?) {
        Ok(attestation) => attestation,
        Err(error @ Error::PcscError { .. }) => return Err(refusal(error, "asking for an attestation")),
        Err(_) => return Ok(Attested::Not("the token does not attest keys")),
    };
    let device = card.object(DEVICE)?;
    let device = device.as_ref().and_then(|object| tlv::find(object, 0x70));
    let Some(device) = device else { return Ok(Attested::Not("its attestation certificate is missing")) };
    Ok(judge(&attestation, device, made.point.as_bytes(), &card.name.serial))
}

/// Whether the card has a certificate for its attestation key.
pub(super) fn is_there(card: &mut Card) -> Result<bool, Refusal> {
    Ok(card.object(DEVICE)?.is_some())
}

fn judge(attestation: &[u8], device: &[u8], point: &[u8; 65], serial: &str) -> Attested {
    let (Some(leaf), Some(device)) = (Certificate::parse(attestation), Certificate::parse(device)) else {
        return Attested::Not("its certificates were not understood");
    };
    if leaf.public_key() != Some(point.as_slice()) {
        return Attested::Not("it attests another key");
    }
    if !leaf.is_signed_by(&device) {
        return Attested::Not("its signature is wrong");
    }
    let told = leaf.extension(SERIAL).and_then(|value| tlv::only(value, 0x02)).map(decimal);
    if told.is_some_and(|told| told.as_deref() != Some(serial)) {
        return Attested::Not("it names another serial");
    }
    let policies = leaf.extension(POLICIES).and_then(policies);
    Attested::Signed { policies, by_yubico: roots::issued(&device) }
}

/// Two bytes; newer firmware may wrap them in an OCTET STRING of their own.
fn policies(value: &[u8]) -> Option<[u8; 2]> {
    value.try_into().ok().or_else(|| tlv::only(value, 0x04)?.try_into().ok())
}

/// An INTEGER of at most four bytes, in decimal.
fn decimal(integer: &[u8]) -> Option<String> {
    let significant = integer.iter().skip_while(|byte| **byte == 0);
    let mut number: u32 = 0;
    for byte in significant {
        number = number.checked_mul(256)?.checked_add(u32::from(*byte))?;
    }
    Some(number.to_string())
}

#[cfg(test)]
mod tests {
    use super::{decimal, policies};

    #[test]
    fn policies_bare_and_wrapped() {
        assert_eq!(policies(&[3, 2]), Some([3, 2]));
        assert_eq!(policies(&[4, 2, 3, 2]), Some([3, 2]));
        for bad in [&[][..], &[3], &[3, 2, 1], &[4, 3, 3, 2, 1], &[4, 2, 3]] {
            assert_eq!(policies(bad), None);
        }
    }

    #[test]
    fn serials_in_decimal() {
        assert_eq!(decimal(&[0, 0xc7, 0x90, 0xfe]).as_deref(), Some("13078782"));
        assert_eq!(decimal(&[]).as_deref(), Some("0"));
        assert_eq!(decimal(&[1, 0, 0, 0, 0]), None);
    }
}
