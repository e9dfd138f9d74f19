//! Which authenticators are there.

use crate::port::{Port, card, hid};
use crate::{Device, Fault, Patience};
use std::time::Duration;

/// How long one device may take to say what it is.
const PROBE: Duration = Duration::from_secs(3);

/// What was found.
pub struct Found {
    /// Authenticators that answer: those on USB first.
    pub devices: Vec<Device>,
    /// What should be one but does not answer, by name; also the PC/SC service, as `pcscd`.
    pub failures: Vec<(String, Fault)>,
}

/// Looks for authenticators on USB and in the readers. One that fails hides no other.
pub fn devices(patience: &mut Patience<'_>) -> Found {
    let mut found = Found { devices: Vec::new(), failures: Vec::new() };
    for key in hid::keys() {
        let patience = &mut patience.at_most(PROBE);
        match key.open(patience) {
            Some(Ok(port)) => found.add(key.name, port, patience),
            Some(Err(fault)) => found.failures.push((key.name, fault)),
            None => {}
        }
    }
    let cards = card::cards().unwrap_or_else(|fault| {
        found.failures.push(("pcscd".into(), fault));
        Vec::new()
    });
    for mut card in cards {
        let patience = &mut patience.at_most(PROBE);
        match card.is_authenticator(patience) {
            Ok(true) => found.add(card.name(), Box::new(card), patience),
            Ok(false) => {}
            Err(fault) => found.failures.push((card.name(), fault)),
        }
    }
    found
}

impl Found {
    fn add(&mut self, name: String, port: Box<dyn Port>, patience: &mut Patience<'_>) {
        match Device::start(name.clone(), port, patience) {
            Ok(device) => self.devices.push(device),
            Err(fault) => self.failures.push((name, fault)),
        }
    }
}
