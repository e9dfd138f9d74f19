//! What a FIDO applet is capable of, as data.

use super::Profile;

/// The finger of a token that verifies its user by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uv {
    /// The token has no such sensor.
    Absent,
    /// Every touch is of the right finger.
    Matches,
    /// Every touch is of a wrong one.
    Never,
}

/// One kind of FIDO applet. Start from a preset and change what the test needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fido {
    /// The PIN/UV auth protocols, the preferred one first.
    pub protocols: &'static [u8],
    /// CTAP 2.1: tokens have permissions, and what a touch confirmed uses them up. Otherwise CTAP 2.0: no
    /// option `pinUvAuthToken`, no subcommand with permissions, no credential without the PIN.
    pub permissions: bool,
    /// Knows the extension hmac-secret.
    pub hmac_secret: bool,
    /// Makes EdDSA keys too.
    pub eddsa: bool,
    /// Counts signatures; otherwise the counter is zero for ever.
    pub counts: bool,
    /// Verification of the user by the token itself.
    pub uv: Uv,
}

impl Fido {
    /// CTAP 2.1 with everything.
    #[must_use]
    pub fn v2_1() -> Self {
        Self {
            protocols: &[2, 1],
            permissions: true,
            hmac_secret: true,
            eddsa: true,
            counts: true,
            uv: Uv::Absent,
        }
    }

    /// CTAP 2.0: protocol 1 only.
    #[must_use]
    pub fn v2_0() -> Self {
        Self { protocols: &[1], permissions: false, ..Self::v2_1() }
    }

    /// The same with other PIN/UV auth protocols.
    #[must_use]
    pub fn protocols(self, protocols: &'static [u8]) -> Self {
        Self { protocols, ..self }
    }

    /// The same without hmac-secret.
    #[must_use]
    pub fn without_hmac_secret(self) -> Self {
        Self { hmac_secret: false, ..self }
    }

    /// The same without EdDSA.
    #[must_use]
    pub fn without_eddsa(self) -> Self {
        Self { eddsa: false, ..self }
    }

    /// The same with a counter that stays zero.
    #[must_use]
    pub fn never_counting(self) -> Self {
        Self { counts: false, ..self }
    }

    /// The same with a sensor, or without one.
    #[must_use]
    pub fn uv(self, uv: Uv) -> Self {
        Self { uv, ..self }
    }
}

impl Profile {
    /// The same with this FIDO applet.
    #[must_use]
    pub fn fido(self, fido: Fido) -> Self {
        Self { fido: Some(fido), ..self }
    }

    /// The same without a FIDO applet.
    #[must_use]
    pub fn without_fido(self) -> Self {
        Self { fido: None, ..self }
    }
}
