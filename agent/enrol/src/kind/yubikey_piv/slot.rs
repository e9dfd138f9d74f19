//! Slots: which one is empty, the key made in it, and what the card says of that key afterwards.
//!
//! Promises: a slot that may hold a key is never written to. A slot is used when GET METADATA tells
//! of a key, when its certificate object is there, or, without metadata, when the card attests it.
//! Without metadata a key that was imported and has no certificate cannot be seen: [`Slot::is_sure`]
//! says so, and the person is asked.

use super::attestation::{self, Attested};
use super::card::{Card, refusal};
use signet_protocol::{Code, Refusal};
use yubikey::piv::{self, AlgorithmId, Origin, SlotAlgorithmId, SlotId, SlotMetadata};
use yubikey::{Error, ObjectId, PinPolicy, TouchPolicy};

/// Retired slots, in the order in which they are used (SP 800-73-4, part 1, table 4b).
const RETIRED: std::ops::RangeInclusive<u8> = 0x82..=0x95;
/// Key management: used only when it is named.
const KEY_MANAGEMENT: u8 = 0x9d;

/// A slot that can hold a key of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot(u8);

/// A key that was made in a slot.
pub(super) struct Made {
    /// The slot.
    pub(super) slot: Slot,
    /// The public key, an uncompressed point.
    pub(super) point: signet_envelope::PublicKey,
}

/// What is known of a key that was just made.
pub(super) struct Known {
    /// `metadata`, `attestation` or `asked`.
    pub(super) policies: &'static str,
    /// Whether a chain to the maker's root proves that it was made on the token.
    pub(super) attested: bool,
    /// What the person should know.
    pub(super) warnings: Vec<String>,
}

impl Slot {
    /// A slot by its hex name.
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let number = u8::from_str_radix(text, 16).ok().filter(|_| text.len() == 2);
        match number {
            Some(number) if RETIRED.contains(&number) || number == KEY_MANAGEMENT => Ok(Self(number)),
            Some(_) | None => Err(Refusal::new(
                Code::BadRequest,
                format!("slot {text} cannot be used: 82 to 95, or 9d"),
                "signet token enrol --slot 95",
            )),
        }
    }

    /// The slots to try: the named one, or the retired ones downwards.
    pub(super) fn candidates(named: Option<&str>) -> Result<Vec<Self>, Refusal> {
        named.map_or_else(|| Ok(RETIRED.rev().map(Self).collect()), |text| Ok(vec![Self::parse(text)?]))
    }

    /// The slots that `info` tells of.
    pub(super) fn every() -> impl Iterator<Item = Self> {
        RETIRED.rev().chain([KEY_MANAGEMENT]).map(Self)
    }

    /// Hex name, as in records and on the command line.
    pub(super) fn name(self) -> String {
        format!("{:02x}", self.0)
    }

    /// The crate's name of the slot.
    pub(super) fn id(self) -> Result<SlotId, Refusal> {
        SlotId::try_from(self.0).map_err(|error| refusal(error, "naming a slot"))
    }

    /// Certificate object of the slot (SP 800-73-4, part 1, table 3).
    fn certificate(self) -> ObjectId {
        match self.0.checked_sub(*RETIRED.start()) {
            Some(offset) if RETIRED.contains(&self.0) => 0x005f_c10d_u32.saturating_add(u32::from(offset)),
            Some(_) | None => 0x005f_c10b,
        }
    }

    /// Whether nothing is seen in the slot.
    pub(super) fn is_empty(self, card: &mut Card) -> Result<bool, Refusal> {
        let slot = self.id()?;
        match piv::metadata(&mut card.key, slot) {
            // no such key (6A88), no such slot, or no such command
            Err(Error::NotFound | Error::GenericError) => {}
            Err(Error::NotSupported) => match piv::attest(&mut card.key, slot) {
                Ok(_) => return Ok(false),
                Err(error @ Error::PcscError { .. }) => return Err(refusal(error, "looking at a slot")),
                Err(_) => {}
            },
            Err(error @ Error::PcscError { .. }) => return Err(refusal(error, "looking at a slot")),
            // a key, or an answer that was not understood: not empty as far as we know
            Ok(_) | Err(_) => return Ok(false),
        }
        Ok(card.object(self.certificate())?.is_none())
    }

    /// Whether the card's word that a slot is empty covers imported keys.
    pub(super) fn is_sure(card: &mut Card) -> Result<bool, Refusal> {
        let pin = SlotId::Management(piv::ManagementSlotId::Pin);
        Ok(card.metadata(pin)?.is_some())
    }
}

/// The first empty one of `candidates`.
pub(super) fn first_empty(card: &mut Card, candidates: &[Slot]) -> Result<Slot, Refusal> {
    for slot in candidates {
        if slot.is_empty(card)? {
            return Ok(*slot);
        }
    }
    Err(used(card, candidates))
}

/// Makes a key in the first empty one of `candidates` that the card offers, the management key
/// being authenticated. PIN and touch at each use, both.
pub(super) fn generate(card: &mut Card, candidates: &[Slot]) -> Result<Made, Refusal> {
    let mut offered = true;
    for slot in candidates {
        if !slot.is_empty(card)? {
            continue;
        }
        let (pin, touch) = (PinPolicy::Always, TouchPolicy::Always);
        match piv::generate(&mut card.key, slot.id()?, AlgorithmId::EccP256, pin, touch) {
            Ok(key) => {
                let point = signet_envelope::PublicKey::from_bytes(key.subject_public_key.raw_bytes());
                let point = point.map_err(|_| {
                    Refusal::bare(Code::Unsupported, "the token made a key that is not a point on P-256")
                })?;
                return Ok(Made { slot: *slot, point });
            }
            // cards with fewer slots say 6A80, 6A86, 6A88 or 6B00: the next one down
            Err(Error::AlgorithmError | Error::GenericError | Error::KeyError) => offered = false,
            Err(Error::AuthenticationError) => {
                let message = "another program came between: the token asked for its management key again";
                return Err(Refusal::new(Code::Busy, message, "signet token enrol"));
            }
            Err(error) => return Err(refusal(error, "making a key")),
        }
    }
    if offered {
        return Err(used(card, candidates));
    }
    let message =
        format!("token {} makes no P-256 key that asks for PIN and touch at each use", card.name.serial);
    Err(Refusal::bare(Code::Unsupported, message))
}

/// Reads back what the card keeps of the key: policies from metadata, else from attestation, else
/// what was asked for.
///
/// # Errors
/// `unsupported` when the card says that the key is not what was asked for, or says what cannot be
/// understood.
pub(super) fn read_back(card: &mut Card, made: &Made) -> Result<Known, Refusal> {
    let mut known = Known { policies: "asked", attested: false, warnings: Vec::new() };
    if let Some(metadata) = card.told_of_key(made.slot.id()?)?
        && let Some(policy) = metadata.policy
    {
        let public = metadata.public.as_ref().map(|key| key.subject_public_key.raw_bytes());
        let same = public.is_none_or(|public| public == made.point.as_bytes());
        let as_asked = policy == (PinPolicy::Always, TouchPolicy::Always);
        if !same || !as_asked || metadata.origin == Some(Origin::Imported) {
            return Err(not_as_asked(made));
        }
        known.policies = "metadata";
    }
    match attestation::read(card, made)? {
        Attested::Signed { policies, by_yubico } => {
            // PIN always and touch always, as the policies' bytes have it
            if policies.is_some_and(|policies| policies != [3, 2]) {
                return Err(not_as_asked(made));
            }
            if known.policies == "asked" && policies.is_some() {
                known.policies = "attestation";
            }
            known.attested = by_yubico;
            if !by_yubico {
                let why = "its attestation certificate is not one that Yubico is known to have issued";
                known.warnings.push(unproven(why));
            }
        }
        Attested::Not(why) => {
            known.warnings.push(format!("that the key was made on the token is not proven: {why}"))
        }
    }
    if known.policies == "asked" {
        known.warnings.push(
            "the token does not tell its policies: PIN and touch at each use were asked for, not seen"
                .to_owned(),
        );
    }
    Ok(known)
}

/// A line of `info` for a slot; none when it is empty.
pub(super) fn describe(card: &mut Card, slot: Slot) -> Result<Option<String>, Refusal> {
    if let Some(metadata) = card.metadata(slot.id()?)? {
        return Ok(Some(line(&metadata)));
    }
    Ok(if slot.is_empty(card)? { None } else { Some("used".to_owned()) })
}

fn line(metadata: &SlotMetadata) -> String {
    let algorithm = match metadata.algorithm {
        SlotAlgorithmId::Asymmetric(AlgorithmId::EccP256) => "P-256",
        SlotAlgorithmId::Asymmetric(AlgorithmId::EccP384) => "P-384",
        SlotAlgorithmId::Asymmetric(AlgorithmId::Ed25519) => "Ed25519",
        SlotAlgorithmId::Asymmetric(AlgorithmId::X25519) => "X25519",
        SlotAlgorithmId::Asymmetric(
            AlgorithmId::Rsa1024 | AlgorithmId::Rsa2048 | AlgorithmId::Rsa3072 | AlgorithmId::Rsa4096,
        ) => "RSA",
        SlotAlgorithmId::PinPuk | SlotAlgorithmId::Management(_) => "unknown",
    };
    let origin = match metadata.origin {
        Some(Origin::Generated) => "made on the token",
        Some(Origin::Imported) => "imported",
        None => "origin unknown",
    };
    let Some((pin, touch)) = metadata.policy else { return format!("{algorithm}, {origin}") };
    let pin = match pin {
        PinPolicy::Default => "default",
        PinPolicy::Never => "never",
        PinPolicy::Once => "once",
        PinPolicy::Always => "always",
    };
    let touch = match touch {
        TouchPolicy::Default => "default",
        TouchPolicy::Never => "never",
        TouchPolicy::Always => "always",
        TouchPolicy::Cached => "cached",
    };
    format!("{algorithm}, {origin}, PIN {pin}, touch {touch}")
}

fn used(card: &Card, candidates: &[Slot]) -> Refusal {
    let serial = &card.name.serial;
    let hint = format!("signet token info {serial}");
    match candidates {
        [one] => {
            let message = format!("slot {} of token {serial} is used, and is not overwritten", one.name());
            Refusal::new(Code::BadRequest, message, hint)
        }
        _several => {
            Refusal::new(Code::Unsupported, format!("every retired slot of token {serial} is used"), hint)
        }
    }
}

fn unproven(why: &str) -> String {
    format!("that the key was made on the token is not proven: {why}")
}

fn not_as_asked(made: &Made) -> Refusal {
    let message = format!(
        "the key that the token made in slot {} is not one that asks for PIN and touch at each use",
        made.slot.name()
    );
    Refusal::bare(Code::Unsupported, message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Slot;

    #[test]
    fn slots_are_tried_from_95_down_to_82_and_9d_only_by_name() {
        let names: Vec<String> = Slot::candidates(None).unwrap().into_iter().map(Slot::name).collect();
        assert_eq!(
            (names.len(), names.first().unwrap().as_str(), names.last().unwrap().as_str()),
            (20, "95", "82")
        );
        assert_eq!(
            Slot::candidates(Some("9d")).unwrap().into_iter().map(Slot::name).collect::<Vec<_>>(),
            ["9d"]
        );
    }

    #[test]
    fn other_slots_are_refused() {
        for bad in ["", "9a", "9c", "9e", "f9", "81", "96", "082", "0x82", "+2", "é"] {
            assert!(Slot::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn certificate_objects() {
        for (slot, object) in [("82", 0x005f_c10d), ("95", 0x005f_c120), ("9d", 0x005f_c10b)] {
            assert_eq!(Slot::parse(slot).unwrap().certificate(), object);
        }
    }
}
