//! What a use needs of its token, and what each token of a key then guarantees.

use signet_protocol::kinds::{self, Guarantees};
use signet_protocol::record::{Custody, FactorKind, Holder, Metadata, Recipient};

/// What a use needs of its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// That it opens the record.
    Opens,
    /// That it computes with the key it holds. The record is opened first where the holder's access
    /// code or the seed of the key's factor is in it.
    Holds,
}

impl Means {
    /// What one token of a key guarantees; `None` where it cannot serve so, or its kind is unknown.
    #[must_use]
    pub fn guaranteed_by(self, token: &Recipient, meta: &Metadata) -> Option<Guarantees> {
        let opens = || kinds::find(&token.kind).map(|kind| kind.guarantees);
        match self {
            Self::Opens => opens(),
            Self::Holds => {
                let holder = meta.holders.iter().find(|holder| holder.serial == token.serial)?;
                let holds = kinds::find_holder(&holder.kind)?.guarantees;
                let pin = holds.pin || (opens_first(holder, meta) && opens()?.pin);
                Some(Guarantees { pin, ..holds })
            }
        }
    }

    /// How many touches of its token a use takes at most.
    #[must_use]
    pub fn touches(self, meta: &Metadata) -> u32 {
        match self {
            Self::Opens => 1,
            Self::Holds if meta.holders.iter().any(|holder| opens_first(holder, meta)) => 2,
            Self::Holds => 1,
        }
    }
}

/// How many touches a signature with a key takes: those of its token, and one where it is approved first.
#[must_use]
pub fn signing_touches(meta: &Metadata) -> u32 {
    let of_the_token = match meta.custody {
        Custody::Sealed => Means::Opens.touches(meta),
        Custody::InToken => Means::Holds.touches(meta),
    };
    of_the_token + u32::from(meta.has(FactorKind::Fido2))
}

/// Whether the record is opened before a holder is asked.
#[must_use]
pub fn opens_first(holder: &Holder, meta: &Metadata) -> bool {
    holder.access_code || meta.has(FactorKind::Totp)
}
