//! The pinUvAuthToken: what a PIN or a finger allows for a while (CTAP 2.1, section 6.5.2.1).

use std::time::{Duration, Instant};

use super::protocol::Protocol;
use super::random;
use super::status::{self, Status};

/// Permission to make credentials.
pub(super) const MAKE: u8 = 0x01;
/// Permission to get assertions.
pub(super) const ASSERT: u8 = 0x02;

/// It must be used for the first time within this …
const FIRST_USE: Duration = Duration::from_secs(30);
/// … and is worth nothing after this.
const LONGEST: Duration = Duration::from_mins(10);

#[derive(Debug)]
pub(super) struct Token {
    protocol: Protocol,
    bytes: Vec<u8>,
    permissions: u8,
    rp_id: Option<String>,
    /// CTAP 2.0 knows no end of a token but the loss of power.
    ends: bool,
    issued: Instant,
    used: bool,
    /// The finger that verified its user is evidence of his presence too, once.
    pub(super) present: bool,
}

impl Token {
    /// One that ends: CTAP 2.1.
    pub(super) fn new(protocol: Protocol, permissions: u8, rp_id: Option<String>, now: Instant) -> Self {
        Self {
            protocol,
            bytes: random::<32>().to_vec(),
            permissions,
            rp_id,
            ends: true,
            issued: now,
            used: false,
            present: false,
        }
    }

    /// One for everything that CTAP 2.0 has. Its protocol 1 allows one of half the length.
    pub(super) fn endless(protocol: Protocol, now: Instant) -> Self {
        let mut token = Self { ends: false, ..Self::new(protocol, MAKE | ASSERT, None, now) };
        if protocol == Protocol::One {
            token.bytes.truncate(16);
        }
        token
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether anything can be done with it.
    pub(super) fn is_worth_something(&self) -> bool {
        self.permissions != 0
    }

    /// Whether it allows this, and the proof is one by it. From then on it is for this relying party.
    pub(super) fn allow(&mut self, wish: &Wish<'_>, now: Instant) -> Result<(), Status> {
        let age = now.saturating_duration_since(self.issued);
        let over = self.ends && (age > LONGEST || (!self.used && age > FIRST_USE));
        let proved = self.protocol == wish.protocol
            && wish.protocol.verify(&self.bytes, wish.client_data_hash, wish.proof);
        let for_it = self.rp_id.as_deref().is_none_or(|rp_id| rp_id == wish.rp_id);
        if over || !proved || self.permissions & wish.permission == 0 || !for_it {
            return Err(status::PIN_AUTH_INVALID);
        }
        self.used = true;
        if self.ends {
            self.rp_id = Some(wish.rp_id.to_owned());
        }
        Ok(())
    }

    /// Something has been done with it that a touch confirmed.
    pub(super) fn use_up(&mut self) {
        if self.ends {
            self.permissions = 0;
            self.present = false;
        }
    }
}

/// What shall be allowed.
pub(super) struct Wish<'a> {
    pub(super) protocol: Protocol,
    pub(super) permission: u8,
    pub(super) rp_id: &'a str,
    pub(super) client_data_hash: &'a [u8],
    pub(super) proof: &'a [u8],
}
