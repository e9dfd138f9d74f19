//! Which device a virtual card plays: firmware, features and their limits, as data.

mod fido;

use std::time::Duration;

pub use fido::{Fido, Uv};

/// Algorithm of the management key, with its PIV number (SP 800-78-4, table 6-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MgmtAlgorithm {
    /// Three-key 3DES, the factory's choice before firmware 5.7.
    Tdes = 0x03,
    /// AES-128.
    Aes128 = 0x08,
    /// AES-192, the factory's choice from firmware 5.7 on.
    Aes192 = 0x0a,
    /// AES-256.
    Aes256 = 0x0c,
}

/// What the OATH applet is capable of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oath {
    /// There is no such applet.
    Absent,
    /// It answers four bytes, also where the whole code was asked for.
    Truncating,
    /// It refuses to be asked for more than four bytes, with this status word.
    Refusing(u16),
    /// It answers what it is asked for.
    Full,
}

/// One kind of device. Start from a preset and change what the test needs.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Firmware, as GET VERSION tells it.
    pub firmware: (u8, u8, u8),
    /// Serial number.
    pub serial: u32,
    /// Has the PIV applet.
    pub piv: bool,
    /// Knows GET METADATA.
    pub metadata: bool,
    /// Knows ATTEST, and holds an attestation key.
    pub attestation: bool,
    /// Has the management applet.
    pub management: bool,
    /// Takes any object number; otherwise only NIST's own (5FC1xx and the discovery object) and 5FFFxx.
    pub any_object: bool,
    /// The factory's management key has this algorithm.
    pub mgmt_algorithm: MgmtAlgorithm,
    /// Retired slots there are, counted from 82.
    pub retired_slots: u8,
    /// How long a touch is waited for.
    pub touch_timeout: Duration,
    /// The status word when none comes, from PIV; OATH says 6982 on every device.
    pub touch_refusal: u16,
    /// The OATH applet.
    pub oath: Oath,
    /// How many credentials it holds.
    pub oath_credentials: usize,
    /// Whether PUT replaces a credential of the same name; otherwise it is refused with 6985.
    pub oath_overwrites: bool,
    /// The FIDO applet, if there is one.
    pub fido: Option<Fido>,
    /// Whether what an applet says to SELECT is only announced, by 61xx, and given to GET RESPONSE, whatever
    /// the applet's own way to go on is: a dispatcher before the applets does that.
    pub announces_select: bool,
    /// Whether SET CODE sets the code that it takes; otherwise it says 9000 and does nothing.
    pub oath_sets_code: bool,
}

impl Profile {
    /// A YubiKey 5 with firmware 5.7.1: AES-192 management key, key move and deletion.
    #[must_use]
    pub fn v5_7_1() -> Self {
        Self {
            firmware: (5, 7, 1),
            serial: 19_088_743,
            piv: true,
            metadata: true,
            attestation: true,
            management: true,
            any_object: true,
            mgmt_algorithm: MgmtAlgorithm::Aes192,
            retired_slots: 20,
            touch_timeout: Duration::from_secs(15),
            touch_refusal: 0x6982,
            oath: Oath::Full,
            oath_credentials: 64,
            oath_overwrites: true,
            fido: Some(Fido::v2_1()),
            announces_select: false,
            oath_sets_code: true,
        }
    }

    /// A YubiKey 5 with firmware 5.8.0, the first that has FIDO over CCID as it comes; the others here have it
    /// as if they lay on an NFC reader.
    #[must_use]
    pub fn v5_8_0() -> Self {
        Self { firmware: (5, 8, 0), serial: 33_554_580, ..Self::v5_7_1() }
    }

    /// A YubiKey 5 with firmware 5.4.3: 3DES management key, AES possible; CTAP 2.0 with both protocols.
    #[must_use]
    pub fn v5_4_3() -> Self {
        Self {
            firmware: (5, 4, 3),
            serial: 15_120_543,
            mgmt_algorithm: MgmtAlgorithm::Tdes,
            oath_credentials: 32,
            fido: Some(Fido::v2_0().protocols(&[2, 1])),
            ..Self::v5_7_1()
        }
    }

    /// A YubiKey 5 with firmware 5.2.7: no metadata, attestation only; CTAP 2.0 with protocol 1.
    #[must_use]
    pub fn v5_2_7() -> Self {
        Self {
            firmware: (5, 2, 7),
            serial: 12_520_027,
            metadata: false,
            fido: Some(Fido::v2_0()),
            ..Self::v5_4_3()
        }
    }

    /// Another maker's card: says 5.7, but has a 3DES management key, two retired slots, no
    /// attestation, NIST's objects only, no FIDO, waits 30 s for a touch before it answers 6600, and wants an
    /// OATH credential to be deleted before one of the same name is put.
    #[must_use]
    pub fn bare() -> Self {
        Self {
            firmware: (5, 7, 0),
            serial: 1_000_001,
            attestation: false,
            any_object: false,
            mgmt_algorithm: MgmtAlgorithm::Tdes,
            retired_slots: 2,
            touch_timeout: Duration::from_secs(30),
            touch_refusal: 0x6600,
            oath_overwrites: false,
            fido: None,
            ..Self::v5_7_1()
        }
    }

    /// The same with another serial number.
    #[must_use]
    pub fn serial(self, serial: u32) -> Self {
        Self { serial, ..self }
    }

    /// The same with another wait for the touch: tests of a missing touch need not wait 15 s.
    #[must_use]
    pub fn touch_timeout(self, touch_timeout: Duration) -> Self {
        Self { touch_timeout, ..self }
    }

    /// The same without a PIV applet.
    #[must_use]
    pub fn without_piv(self) -> Self {
        Self { piv: false, ..self }
    }

    /// The same without an OATH applet.
    #[must_use]
    pub fn without_oath(self) -> Self {
        Self { oath: Oath::Absent, ..self }
    }

    /// The same with an OATH applet that answers truncated codes only.
    #[must_use]
    pub fn truncating(self) -> Self {
        Self { oath: Oath::Truncating, ..self }
    }

    /// The same with an OATH applet that refuses to be asked for whole codes.
    #[must_use]
    pub fn refusing_whole_codes(self, status: u16) -> Self {
        Self { oath: Oath::Refusing(status), ..self }
    }

    /// The same with a dispatcher that announces what applets say to SELECT.
    #[must_use]
    pub fn announcing_select(self) -> Self {
        Self { announces_select: true, ..self }
    }

    /// The same with an OATH applet that takes an access code and sets none.
    #[must_use]
    pub fn deaf_to_codes(self) -> Self {
        Self { oath_sets_code: false, ..self }
    }

    /// The same with room for so many OATH credentials.
    #[must_use]
    pub fn oath_credentials(self, oath_credentials: usize) -> Self {
        Self { oath_credentials, ..self }
    }

    /// Whether the firmware is at least this one.
    pub(crate) fn since(&self, major: u8, minor: u8) -> bool {
        (self.firmware.0, self.firmware.1) >= (major, minor)
    }

    /// The firmware as three bytes.
    pub(crate) fn version(&self) -> [u8; 3] {
        [self.firmware.0, self.firmware.1, self.firmware.2]
    }
}

impl MgmtAlgorithm {
    /// The algorithm of a PIV number; 0 is 3DES by old custom (SP 800-73-4, part 2, table 14).
    pub(crate) fn of(code: u8) -> Option<Self> {
        match code {
            0x00 | 0x03 => Some(Self::Tdes),
            0x08 => Some(Self::Aes128),
            0x0a => Some(Self::Aes192),
            0x0c => Some(Self::Aes256),
            _ => None,
        }
    }

    /// The PIV number.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }

    /// Bytes of a key.
    pub(crate) fn key_length(self) -> usize {
        match self {
            Self::Tdes | Self::Aes192 => 24,
            Self::Aes128 => 16,
            Self::Aes256 => 32,
        }
    }

    /// Bytes of a block, which is also a challenge.
    pub(crate) fn block(self) -> usize {
        match self {
            Self::Tdes => 8,
            Self::Aes128 | Self::Aes192 | Self::Aes256 => 16,
        }
    }
}
