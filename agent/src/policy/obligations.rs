//! What is owed for a permit, and what a token can give.

use signet_protocol::kinds::{self, Guarantees};
use signet_protocol::record::{FactorKind, Recipient};

/// What must happen before a permit may be spent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Obligations {
    /// A human touch, enforced by the token's hardware.
    pub touch_in_hardware: bool,
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
    /// keys all of whose tokens are of such kinds.
    pub(super) fn floor(recipients: &[Recipient], configured: &[String]) -> Self {
        let waived = |guarantee: fn(&Guarantees) -> bool| {
            let lacks = |token: &Recipient| {
                configured.contains(&token.kind)
                    && kinds::find(&token.kind).is_some_and(|kind| !guarantee(&kind.guarantees))
            };
            !recipients.is_empty() && recipients.iter().all(lacks)
        };
        Self {
            touch_in_hardware: !waived(|guarantees| guarantees.touch),
            pin: true,
            non_exportable: !waived(|guarantees| guarantees.non_exportable),
            factors: Vec::new(),
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

    /// What will be asked of the person: `pin`, `touch` (or `confirm`), `totp`.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn token(kind: &str) -> Recipient {
        let text = String::new;
        Recipient { kind: kind.to_owned(), serial: text(), slot: text(), public_key: text(), label: text() }
    }

    fn floor(tokens: &[&str], configured: &[&str]) -> Obligations {
        let tokens: Vec<Recipient> = tokens.iter().map(|kind| token(kind)).collect();
        let configured: Vec<String> = configured.iter().map(|kind| (*kind).to_owned()).collect();
        Obligations::floor(&tokens, &configured)
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
