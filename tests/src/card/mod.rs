//! A virtual YubiKey in a reader of a private `pcscd`, moved by the test's hand.
//!
//! Promises: PIV with Yubico's extensions, OATH and the management applet, close enough that unmodified
//! `yubico-piv-tool`, `ykman` and the `yubikey` crate work with it; PIN, tries, policies, touch and
//! removal behave like the device's. It follows NIST SP 800-73-4 part 2, Yubico's documentation of its
//! extensions, and what was seen of real programs; nothing here was compared with a device of steel,
//! and where a status word is a guess the code says so.
//!
//! It is a test's tool: keys lie in ordinary memory.
//!
//! ```no_run
//! use signet_tests::card::{Card, PinPolicy, Profile, Touch, TouchPolicy};
//! use signet_tests::pcsc::Pcscd;
//!
//! let pcscd = Pcscd::start();
//! let card = Card::insert(&pcscd, Profile::v5_7_1());
//! let point = card.generate(0x95, PinPolicy::Always, TouchPolicy::Always);
//! card.touch(Touch::Never); // the next use waits until `card.press()`, `card.remove()` or its end
//! ```

#![allow(clippy::expect_used, clippy::panic)] // a harness: what it cannot do fails the test, with a clear text

mod apdu;
mod der;
mod device;
#[cfg(test)]
mod device_tests;
mod fault;
mod log;
mod management;
mod oath;
mod piv;
mod profile;
mod serve;
mod tlv;
mod touch;
mod vpcd;

use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::pcsc::{Hand, Pcscd};
use device::Device;
pub use fault::{At, Fault};
pub use log::{Applet, Event, Events, Exchange};
pub use piv::{PinPolicy, TouchPolicy, attestation_root};
pub use profile::{MgmtAlgorithm, Oath, Profile};
use serve::Shared;
pub use touch::Touch;

/// How long the test's hand waits for something to happen before the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A virtual YubiKey. Dropping it pulls it out for good.
#[derive(Debug)]
pub struct Card {
    shared: Arc<Shared>,
    hand: Hand,
    plugged: Option<Plugged>,
}

#[derive(Debug)]
struct Plugged {
    stream: TcpStream,
    thread: JoinHandle<()>,
}

impl Card {
    /// Makes a card and puts it into the first free reader; returns when clients see it there.
    ///
    /// # Panics
    /// When both readers are taken, or the daemon does not notice the card.
    #[must_use]
    pub fn insert(pcscd: &Pcscd, profile: Profile) -> Self {
        let shared = Shared {
            device: Mutex::new(Device::new(profile)),
            finger: touch::Finger::default(),
            faults: fault::Faults::default(),
            log: log::Log::default(),
        };
        let mut card = Self { shared: Arc::new(shared), hand: pcscd.take_slot(), plugged: None };
        card.plug();
        card
    }

    /// Pulls the card out, also during a touch; returns when clients see that it is gone.
    ///
    /// # Panics
    /// When the daemon does not notice.
    pub fn remove(&mut self) {
        if self.unplug() {
            self.hand.wait_for(false);
            self.hand.give_back();
        }
    }

    /// Puts the card back into the reader it was in (after [`Card::remove`] or [`Fault::Remove`]);
    /// keys, objects and counters are as they were.
    ///
    /// # Panics
    /// When another card is there by now.
    pub fn reinsert(&mut self) {
        self.remove();
        self.hand.take_again();
        self.plug();
    }

    /// The number of the reader it is in (or was in).
    #[must_use]
    pub fn reader(&self) -> u8 {
        self.hand.index()
    }

    /// Sets what the finger does when the card asks for a touch.
    pub fn touch(&self, habit: Touch) {
        self.shared.finger.set(habit);
    }

    /// Touches the card if it waits for that now, and says whether it did.
    pub fn press(&self) -> bool {
        self.shared.finger.press()
    }

    /// Waits until the card blinks for a touch.
    ///
    /// # Panics
    /// When it does not in time.
    pub fn wait_until_asked(&self) {
        assert!(self.shared.finger.wait_until_asked(PATIENCE), "the card was never asked for a touch");
    }

    /// How many times a touch has been asked for.
    #[must_use]
    pub fn touches_asked(&self) -> usize {
        self.shared.finger.asked()
    }

    /// Arms a fault.
    pub fn fault(&self, at: At, fault: Fault) {
        self.shared.faults.arm(at, fault);
    }

    /// Takes back every fault that has not struck.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    /// Everything heard and said so far.
    #[must_use]
    pub fn events(&self) -> Events {
        self.shared.log.read()
    }

    /// Forgets what was heard and said.
    pub fn clear_events(&self) {
        self.shared.log.clear();
    }

    /// [`Events::transcript`] of everything so far.
    #[must_use]
    pub fn transcript(&self) -> String {
        self.events().transcript()
    }

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

    /// Whether a proved access code has been left behind in the card.
    #[must_use]
    pub fn oath_is_unlocked(&self) -> bool {
        self.device().oath.is_unlocked()
    }

    fn device(&self) -> MutexGuard<'_, Device> {
        self.shared.device()
    }

    fn plug(&mut self) {
        self.shared.finger.put_in();
        let stream = TcpStream::connect(self.hand.address()).expect("the vpcd reader accepts a card");
        vpcd::prepare(&stream).expect("a socket takes TCP_NODELAY");
        let mut ours = stream.try_clone().expect("a socket can be shared");
        let shared = Arc::clone(&self.shared);
        let thread = thread::spawn(move || {
            shared.serve(&mut ours);
            // Whatever ended the service, the reader shall see an empty slot; it may have gone itself.
            let _ = ours.shutdown(Shutdown::Both);
        });
        self.plugged = Some(Plugged { stream, thread });
        self.hand.wait_for(true);
    }

    /// Says whether it was plugged in.
    fn unplug(&mut self) -> bool {
        let Some(plugged) = self.plugged.take() else { return false };
        self.shared.finger.pull_out();
        // An error means that the connection has ended already.
        let _ = plugged.stream.shutdown(Shutdown::Both);
        assert!(plugged.thread.join().is_ok() || thread::panicking(), "the virtual card panicked");
        true
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        if self.unplug() {
            self.hand.give_back();
        }
    }
}
