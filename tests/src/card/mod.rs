//! A virtual YubiKey in a reader of a private `pcscd`, moved by the test's hand.
//!
//! Promises: PIV with Yubico's extensions, OATH, FIDO and the management applet, close enough that unmodified
//! `yubico-piv-tool`, `ykman`, `python-fido2` and the `yubikey` crate work with it; PIN, tries, policies, touch and
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
mod fido;
mod fido_hid;
mod log;
mod management;
mod oath;
mod piv;
mod profile;
mod script;
mod serve;
mod state;
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
pub use fido::{Algorithm, Assertion, Lie, Made};
pub use fido_hid::{HidKey, Packet};
pub use log::{Applet, Event, Events, Exchange};
pub use piv::{PinPolicy, TouchPolicy, attestation_root};
pub use profile::{Fido, MgmtAlgorithm, Oath, Profile, Uv};
pub use script::Script;
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

    /// How many faults have not struck yet.
    #[must_use]
    pub fn faults_left(&self) -> usize {
        self.shared.faults.left()
    }

    /// Carries out a script: arms its faults, from the next APDU on, and sets what else it says.
    pub fn play(&self, script: &Script) {
        for line in script.0.iter().cloned() {
            match line {
                script::Line::Fault(at, fault) => self.fault(at, fault),
                script::Line::Touch(habit) => self.touch(habit),
                script::Line::Serial(serial) => self.set_serial(serial),
            }
        }
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
