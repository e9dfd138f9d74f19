//! What is owed for a permit, and what a token can give.

use super::Means;
use signet_protocol::kinds::{self, Guarantees};
use signet_protocol::record::{FactorKind, Metadata, Recipient};

/// What must happen before a permit may be spent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Obligations {
    /// A human touch, enforced by the token's hardware.
    pub touch_in_hardware: bool,
    /// How many of them the token takes: a key inside one takes a second where its record is opened first.
    pub touches: u32,
    /// A PIN or passphrase.
    pub pin: bool,
    /// A token whose key cannot be read out.
    pub non_exportable: bool,
    /// Second factors to check.
    pub factors: Vec<FactorKind>,
}

/// What is owed and a kind of token does not guarantee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap(pub &'static str);

impl std::fmt::Display for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the token does not guarantee {}", self.0)
    }
}

impl Obligations {
    /// What every use of a key owes: touch in hardware, PIN, a key that cannot be read out.
    ///
    /// Naming a kind without one of them in `agent.toml` is the person's word: it is not owed for
    /// keys all of whose tokens are of such kinds. So is writing a key into tokens without an access
    /// code, by PIN and touch: where no holder asks for a code and no factor is checked, no PIN is
    /// owed for what the holder does alone.
    pub(super) fn floor(meta: &Metadata, means: Means, configured: &[String]) -> Self {
        let touches = means.touches(meta);
        match means {
            Means::Opens => {
                let waived = |guarantee| waived(&meta.recipients, configured, guarantee);
                Self {
                    touch_in_hardware: !waived(|guarantees| guarantees.touch),
                    touches,
                    pin: true,
                    non_exportable: !waived(|guarantees| guarantees.non_exportable),
                    factors: Vec::new(),
                }
            }
            Means::Holds => Self {
                touch_in_hardware: true,
                touches,
                pin: touches > 1,
                non_exportable: true,
                factors: Vec::new(),
            },
        }
    }

    /// The first thing owed that `guarantees` lack.
    #[must_use]
    pub fn gap(&self, guarantees: Guarantees) -> Option<Gap> {
        let owed = [
            (self.touch_in_hardware, guarantees.touch, "a touch"),
            (self.pin, guarantees.pin, "a PIN"),
            (self.non_exportable, guarantees.non_exportable, "that its key cannot be read out"),
        ];
        owed.iter().find(|(owed, given, _)| *owed && !given).map(|(_, _, what)| Gap(what))
    }

    /// What will be asked of the person: `pin`, `touch` (or `confirm`), `totp`, `fido2`.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if self.pin {
            words.push("pin");
        }
        match (self.touch_in_hardware, self.pin) {
            (true, _) => words.push("touch"),
            // A token without a touch asks for the return key in its stead.
            (false, true) => words.push("confirm"),
            (false, false) => {}
        }
        words.extend(self.factors.iter().map(|factor| factor.name()));
        words.into_iter().map(str::to_owned).collect()
    }
}

/// Whether no token of a key has a guarantee, and the configuration names every one of them.
fn waived(recipients: &[Recipient], configured: &[String], guarantee: fn(&Guarantees) -> bool) -> bool {
    let lacks = |token: &Recipient| {
        configured.contains(&token.kind)
            && kinds::find(&token.kind).is_some_and(|kind| !guarantee(&kind.guarantees))
    };
    !recipients.is_empty() && recipients.iter().all(lacks)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use signet_protocol::record::{Custody, Factor, Holder, KeyKind, Partition};

    fn token(kind: &str) -> Recipient {
        let text = String::new;
        Recipient { kind: kind.to_owned(), serial: text(), slot: text(), public_key: text(), label: text() }
    }

    fn meta(recipients: Vec<Recipient>, holders: Vec<Holder>) -> Metadata {
        Metadata {
            version: 1,
            vault_id: String::new(),
            name: String::new(),
            epoch: 1,
            created: String::new(),
            kind: KeyKind::Root,
            account: None,
            partition: Partition::Aws,
            access_key_id: String::new(),
            custody: if holders.is_empty() { Custody::Sealed } else { Custody::InToken },
            policy: Vec::new(),
            factors: Vec::new(),
            recipients,
            holders,
            previous: None,
        }
    }

    fn floor(tokens: &[&str], configured: &[&str]) -> Obligations {
        let tokens: Vec<Recipient> = tokens.iter().map(|kind| token(kind)).collect();
        let configured: Vec<String> = configured.iter().map(|kind| (*kind).to_owned()).collect();
        Obligations::floor(&meta(tokens, Vec::new()), Means::Opens, &configured)
    }

    /// A key on one YubiKey that holds it itself.
    fn held(access_code: bool, factors: usize) -> Metadata {
        let text = String::new;
        let holder = Holder {
            kind: "yubikey-oath".to_owned(),
            serial: text(),
            device: text(),
            credential: text(),
            access_code,
            check: text(),
        };
        let mut meta = meta(vec![token("yubikey-piv")], vec![holder]);
        let factor =
            Factor { id: text(), kind: FactorKind::Totp, label: text(), created: text(), credential: None };
        meta.factors = vec![factor; factors];
        meta
    }

    #[test]
    fn what_a_holder_does_alone_owes_a_touch_and_with_a_code_or_a_factor_the_pin_and_another() {
        for (access_code, factors, pin) in [(false, 0, false), (true, 0, true), (false, 1, true)] {
            let meta = held(access_code, factors);
            let owed = Obligations::floor(&meta, Means::Holds, &["yubikey-piv".to_owned()]);
            assert_eq!((owed.pin, owed.touches, owed.touch_in_hardware), (pin, 1 + u32::from(pin), true));
            let token = meta.recipients.first().unwrap();
            assert_eq!(owed.gap(Means::Holds.guaranteed_by(token, &meta).unwrap()), None);
            let opens = Obligations::floor(&meta, Means::Opens, &["yubikey-piv".to_owned()]);
            assert_eq!((opens.pin, opens.touches), (true, 1), "its record is opened as any other");
        }
    }

    #[test]
    fn a_token_that_holds_nothing_or_asks_for_nothing_beside_one_that_does_cannot_serve() {
        let mut mixed = held(true, 0);
        let other = Recipient { serial: "2".to_owned(), ..token("yubikey-piv") };
        assert_eq!(Means::Holds.guaranteed_by(&other, &mixed), None);
        let bare = Holder { serial: "2".to_owned(), access_code: false, ..mixed.holders[0].clone() };
        mixed.holders.push(bare);
        let owed = Obligations::floor(&mixed, Means::Holds, &[]);
        assert_eq!(owed.gap(Means::Holds.guaranteed_by(&other, &mixed).unwrap()), Some(Gap("a PIN")));
        mixed.holders[1].kind = "unheard-of".to_owned();
        assert_eq!(Means::Holds.guaranteed_by(&other, &mixed), None);
    }

    #[test]
    fn a_software_token_opens_only_where_it_is_named_and_alone() {
        let software = kinds::find("software").unwrap().guarantees;
        let all = ["yubikey-piv", "software"];
        assert_eq!(floor(&["software"], &all).gap(software), None);
        for strict in [
            floor(&["software"], &["yubikey-piv"]),
            floor(&["software", "yubikey-piv"], &all),
            floor(&["software", "unheard-of"], &["software", "unheard-of"]),
            floor(&[], &all),
        ] {
            assert_eq!(strict.gap(software), Some(Gap("a touch")));
        }
    }

    #[test]
    fn hardware_gives_all_that_is_owed_and_the_pin_is_never_waived() {
        let piv = kinds::find("yubikey-piv").unwrap().guarantees;
        for owed in [floor(&["yubikey-piv"], &["yubikey-piv"]), floor(&["software"], &["software"])] {
            assert_eq!(owed.gap(piv), None);
            assert_eq!(owed.gap(Guarantees { pin: false, ..piv }), Some(Gap("a PIN")));
        }
        let strict = floor(&["yubikey-piv"], &["yubikey-piv"]);
        assert!(strict.gap(Guarantees { non_exportable: false, ..piv }).is_some());
    }

    #[test]
    fn the_person_is_told_what_will_be_asked() {
        let mut owed = floor(&["yubikey-piv"], &["yubikey-piv"]);
        owed.factors.push(FactorKind::Totp);
        assert_eq!(owed.words(), ["pin", "touch", "totp"]);
        assert_eq!(floor(&["software"], &["software"]).words(), ["pin", "confirm"]);
        assert_eq!(Obligations::default().words(), [""; 0]);
    }
}
