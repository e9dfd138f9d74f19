//! Answers of a token that lies, told by the test: what a client must not believe.
//!
//! Lies wait in the order in which they were told; each strikes at the first answer that it fits.

use std::fmt;

/// A change of something finished.
type Change<T> = Box<dyn FnOnce(&mut T) + Send>;

/// One lie.
pub enum Lie {
    /// About the next assertion with a touch, before its key signs: the signature fits what is told.
    Signed(Change<Assertion>),
    /// About the next assertion with a touch, after its key has signed the truth.
    Told(Change<Assertion>),
    /// About the next answer to a command, as bytes: the status, then the CBOR.
    Answer(u8, Change<Vec<u8>>),
}

/// A finished assertion, and what it was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// The credential that is told.
    pub credential_id: Vec<u8>,
    /// The credential whose key signs; nobody is told.
    pub signer: Vec<u8>,
    /// Authenticator data (WebAuthn, section 6.1): hash of the relying party's id, flags, counter, and what
    /// the extensions answer.
    pub authenticator_data: Vec<u8>,
    /// What is signed behind it; nobody is told.
    pub client_data_hash: Vec<u8>,
    /// The signature; empty before the key has signed.
    pub signature: Vec<u8>,
}

/// Where the flags stand.
const FLAGS: usize = 32;
/// Where the counter stands.
const COUNTER: std::ops::Range<usize> = 33..37;

impl Lie {
    /// A [`Lie::Signed`].
    pub fn signed(change: impl FnOnce(&mut Assertion) + Send + 'static) -> Self {
        Self::Signed(Box::new(change))
    }

    /// A [`Lie::Told`].
    pub fn told(change: impl FnOnce(&mut Assertion) + Send + 'static) -> Self {
        Self::Told(Box::new(change))
    }

    /// A [`Lie::Answer`].
    pub fn answer(command: u8, change: impl FnOnce(&mut Vec<u8>) + Send + 'static) -> Self {
        Self::Answer(command, Box::new(change))
    }

    /// A [`Lie::Answer`] that has nothing to do with the true one.
    #[must_use]
    pub fn instead(command: u8, answer: &[u8]) -> Self {
        let answer = answer.to_vec();
        Self::answer(command, |truth| *truth = answer)
    }
}

impl fmt::Debug for Lie {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signed(_) => out.write_str("Signed"),
            Self::Told(_) => out.write_str("Told"),
            Self::Answer(command, _) => write!(out, "Answer({command:02x})"),
        }
    }
}

/// Nothing of this is there when a lie has cut the authenticator data short; then zero is what stands there.
impl Assertion {
    /// Whose it says it is.
    pub fn set_rp_id(&mut self, rp_id: &str) {
        let hash = super::sha256(rp_id.as_bytes());
        if let Some(there) = self.authenticator_data.first_chunk_mut() {
            *there = hash;
        }
    }

    /// The flags.
    #[must_use]
    pub fn flags(&self) -> u8 {
        self.authenticator_data.get(FLAGS).copied().unwrap_or(0)
    }

    /// Other flags.
    pub fn set_flags(&mut self, flags: u8) {
        if let Some(there) = self.authenticator_data.get_mut(FLAGS) {
            *there = flags;
        }
    }

    /// The counter.
    #[must_use]
    pub fn counter(&self) -> u32 {
        let bytes = self.authenticator_data.get(COUNTER).and_then(<[u8]>::first_chunk);
        bytes.map_or(0, |bytes| u32::from_be_bytes(*bytes))
    }

    /// Another counter.
    pub fn set_counter(&mut self, counter: u32) {
        if let Some(there) = self.authenticator_data.get_mut(COUNTER).and_then(<[u8]>::first_chunk_mut) {
            *there = counter.to_be_bytes();
        }
    }
}

/// The lies that have not struck yet.
#[derive(Debug, Default)]
pub(super) struct Lies(Vec<Lie>);

impl Lies {
    pub(super) fn tell(&mut self, lie: Lie) {
        self.0.push(lie);
    }

    pub(super) fn left(&self) -> usize {
        self.0.len()
    }

    /// Before the key signs.
    pub(super) fn before(&mut self, assertion: &mut Assertion) {
        if let Some(Lie::Signed(change)) = self.take(|lie| matches!(lie, Lie::Signed(_))) {
            change(assertion);
        }
    }

    /// After the key has signed.
    pub(super) fn after(&mut self, assertion: &mut Assertion) {
        if let Some(Lie::Told(change)) = self.take(|lie| matches!(lie, Lie::Told(_))) {
            change(assertion);
        }
    }

    /// The answer to a command.
    pub(super) fn answer(&mut self, command: u8, bytes: &mut Vec<u8>) {
        let fits = |lie: &Lie| matches!(lie, Lie::Answer(wanted, _) if *wanted == command);
        if let Some(Lie::Answer(_, change)) = self.take(fits) {
            change(bytes);
        }
    }

    fn take(&mut self, fits: impl Fn(&Lie) -> bool) -> Option<Lie> {
        let at = self.0.iter().position(fits)?;
        Some(self.0.remove(at))
    }
}
