//! What the test's hand reads and changes inside a card, past all PINs and codes.

use std::time::Duration;

use super::device::Device;
use super::oath::Oath;
use super::{Card, MgmtAlgorithm, PinPolicy, TouchPolicy};

impl Card {
    /// The serial number.
    #[must_use]
    pub fn serial(&self) -> u32 {
        self.device().profile.serial
    }

    /// Another serial number from now on, as if the token had been swapped for one with equal keys.
    pub fn set_serial(&self, serial: u32) {
        self.device().profile.serial = serial;
    }

    /// How long the card waits for a touch from now on.
    pub fn set_touch_timeout(&self, timeout: Duration) {
        self.device().profile.touch_timeout = timeout;
    }

    /// Makes a P-256 key in a slot by hand, without the management key; gives its point (65 bytes).
    ///
    /// # Panics
    /// When the device has no such slot.
    #[must_use]
    pub fn generate(&self, slot: u8, pin: PinPolicy, touch: TouchPolicy) -> [u8; 65] {
        let mut device = self.device();
        let Device { profile, piv, .. } = &mut *device;
        piv.make_key(profile, slot, pin, touch).unwrap_or_else(|| panic!("this card has no slot {slot:02x}"))
    }

    /// The point of the key in a slot, if there is one.
    #[must_use]
    pub fn public_key(&self, slot: u8) -> Option<[u8; 65]> {
        self.device().piv.public_key(slot)
    }

    /// The policies of the key in a slot, if there is one.
    #[must_use]
    pub fn policies(&self, slot: u8) -> Option<(PinPolicy, TouchPolicy)> {
        self.device().piv.policies(slot)
    }

    /// Sets PIN and PUK by hand and fills their tries.
    pub fn set_pins(&self, pin: &str, puk: &str) {
        self.device().piv.set_pins(pin.as_bytes(), puk.as_bytes());
    }

    /// Whether this is the PIN now; costs no try.
    #[must_use]
    pub fn is_pin(&self, pin: &str) -> bool {
        self.device().piv.is_pin(pin.as_bytes())
    }

    /// Tries left for PIN and PUK.
    #[must_use]
    pub fn tries(&self) -> (u8, u8) {
        self.device().piv.tries()
    }

    /// Whether PIN, PUK and management key still have the factory's values.
    #[must_use]
    pub fn factory_values(&self) -> (bool, bool, bool) {
        self.device().piv.factory_values()
    }

    /// The algorithm and the bytes of the management key.
    #[must_use]
    pub fn management_key(&self) -> (MgmtAlgorithm, Vec<u8>) {
        self.device().piv.management_key()
    }

    /// A data object, if it is there.
    #[must_use]
    pub fn object(&self, id: u32) -> Option<Vec<u8>> {
        self.device().piv.object(id)
    }

    /// Whether a verified PIN has been left behind in the card.
    #[must_use]
    pub fn pin_is_verified(&self) -> bool {
        self.device().piv.pin_is_verified()
    }

    /// The name that the OATH applet gives itself: eight random bytes, others after each reset of it.
    #[must_use]
    pub fn oath_device(&self) -> [u8; 8] {
        self.device().oath.device()
    }

    /// The names of the OATH credentials.
    #[must_use]
    pub fn oath_names(&self) -> Vec<String> {
        self.device().oath.names()
    }

    /// The key of an OATH credential and whether it asks for a touch, if it is there.
    #[must_use]
    pub fn oath_key(&self, name: &str) -> Option<(Vec<u8>, bool)> {
        self.device().oath.key(name)
    }

    /// Puts an OATH credential (TOTP, SHA-256, six digits) by hand, in the place of one of the same name.
    pub fn put_oath(&self, name: &str, key: &[u8], touch: bool) {
        self.device().oath.put_by_hand(name, key, touch);
    }

    /// Deletes an OATH credential by hand, and says whether it was there.
    pub fn delete_oath(&self, name: &str) -> bool {
        self.device().oath.delete_by_hand(name)
    }

    /// Whether the OATH applet has an access code.
    #[must_use]
    pub fn has_oath_code(&self) -> bool {
        self.device().oath.has_code()
    }

    /// Whether this password, made a key as `ykman` does, is the access code now.
    #[must_use]
    pub fn is_oath_code(&self, password: &str) -> bool {
        self.device().oath.is_code(password)
    }

    /// Sets the access code by hand, or takes it away.
    pub fn set_oath_code(&self, password: Option<&str>) {
        self.device().oath.set_code_by_hand(password);
    }

    /// Resets the OATH applet by hand: it is empty, has no access code, and another name.
    pub fn reset_oath(&self) {
        self.device().oath = Oath::new();
    }

    /// Whether a proved access code has been left behind in the card.
    #[must_use]
    pub fn oath_is_unlocked(&self) -> bool {
        self.device().oath.is_unlocked()
    }
}
