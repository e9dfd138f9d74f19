//! The management key: proving it (SP 800-73-4 part 2, section 3.2.4 and appendix A.1, single and
//! mutual) and Yubico's SET MANAGEMENT KEY.

use aes::cipher::{Block, BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use des::TdesEde3;
use ring::rand::{SecureRandom, SystemRandom};

use super::{Command, Piv, Reply, sw, tlv};
use crate::card::profile::{MgmtAlgorithm, Profile};

/// The key's reference.
pub(super) const SLOT: u8 = 0x9b;
/// P2 of SET MANAGEMENT KEY: without and with touch.
const NO_TOUCH: u8 = 0xff;
const WITH_TOUCH: u8 = 0xfe;

/// The management key.
#[derive(Debug)]
pub(super) struct MgmtKey {
    pub(super) algorithm: MgmtAlgorithm,
    pub(super) bytes: Vec<u8>,
    touch: bool,
}

/// A half-way authentication.
#[derive(Debug)]
pub(super) enum Begun {
    /// Mutual: the witness the host must have decrypted.
    Witness(Vec<u8>),
    /// Single: the challenge the host must encrypt.
    Challenge(Vec<u8>),
}

impl MgmtKey {
    /// The factory's key: 01 to 08, three times (16 bytes of it for AES-128, 32 for AES-256).
    pub(super) fn factory(algorithm: MgmtAlgorithm) -> Self {
        let bytes = (1..=8).cycle().take(algorithm.key_length()).collect();
        Self { algorithm, bytes, touch: false }
    }

    pub(super) fn is_factory(&self) -> bool {
        self.bytes == Self::factory(self.algorithm).bytes
    }

    /// As GET METADATA tells it: algorithm, policies, whether it is the factory's.
    pub(super) fn metadata(&self) -> Vec<u8> {
        [
            tlv::write(0x01, &[self.algorithm.code()]),
            tlv::write(0x02, &[0, if self.touch { 2 } else { 1 }]),
            tlv::write(0x05, &[u8::from(self.is_factory())]),
        ]
        .concat()
    }

    fn encrypt(&self, block: &[u8]) -> Option<Vec<u8>> {
        let key = &self.bytes;
        match self.algorithm {
            MgmtAlgorithm::Tdes => encrypt::<TdesEde3>(key, block),
            MgmtAlgorithm::Aes128 => encrypt::<Aes128>(key, block),
            MgmtAlgorithm::Aes192 => encrypt::<Aes192>(key, block),
            MgmtAlgorithm::Aes256 => encrypt::<Aes256>(key, block),
        }
    }

    fn random(&self) -> Option<Vec<u8>> {
        let mut bytes = vec![0; self.algorithm.block()];
        SystemRandom::new().fill(&mut bytes).ok()?;
        Some(bytes)
    }
}

fn encrypt<C: KeyInit + BlockCipherEncrypt>(key: &[u8], block: &[u8]) -> Option<Vec<u8>> {
    let cipher = C::new_from_slice(key).ok()?;
    let mut block = Block::<C>::try_from(block).ok()?;
    cipher.encrypt_block(&mut block);
    Some(block.to_vec())
}

impl Piv {
    pub(super) fn authenticate_mgmt(&mut self, command: &Command) -> Reply {
        // A new attempt ends an old one, and what it had gained.
        let begun = self.session.begun.take();
        if MgmtAlgorithm::of(command.p1) != Some(self.mgmt.algorithm) {
            return sw::WRONG_P1P2.into();
        }
        let outer = tlv::parse(&command.data);
        let inner = outer.as_deref().and_then(|outer| tlv::find(outer, 0x7c)).and_then(tlv::parse);
        let Some(inner) = inner else { return sw::WRONG_DATA.into() };
        let part = |tag| tlv::find(&inner, tag);
        let answered = match (part(0x80), part(0x81), part(0x82), begun) {
            (Some([]), None, None, _) => self.give_witness(),
            (None, Some([]), None, _) => self.give_challenge(),
            (Some(witness), Some(challenge), _, Some(Begun::Witness(expected))) => {
                self.finish_mutual(witness == expected, challenge)
            }
            (None, None, Some(response), Some(Begun::Challenge(challenge))) => {
                let expected = self.mgmt.encrypt(&challenge);
                self.session.mgmt = expected.as_deref() == Some(response);
                return if self.session.mgmt { sw::OK.into() } else { sw::SECURITY.into() };
            }
            (_, _, _, _) => None,
        };
        answered.unwrap_or_else(|| sw::WRONG_DATA.into())
    }

    fn give_witness(&mut self) -> Option<Reply> {
        self.session.mgmt = false;
        let witness = self.mgmt.random()?;
        let encrypted = self.mgmt.encrypt(&witness)?;
        self.session.begun = Some(Begun::Witness(witness));
        Some(Reply::ok(tlv::write(0x7c, &tlv::write(0x80, &encrypted))))
    }

    fn give_challenge(&mut self) -> Option<Reply> {
        self.session.mgmt = false;
        let challenge = self.mgmt.random()?;
        self.session.begun = Some(Begun::Challenge(challenge.clone()));
        Some(Reply::ok(tlv::write(0x7c, &tlv::write(0x81, &challenge))))
    }

    fn finish_mutual(&mut self, proved: bool, challenge: &[u8]) -> Option<Reply> {
        if !proved {
            return Some(sw::SECURITY.into());
        }
        let answer = self.mgmt.encrypt(challenge)?;
        self.session.mgmt = true;
        Some(Reply::ok(tlv::write(0x7c, &tlv::write(0x82, &answer))))
    }

    /// Data: algorithm, 9B, length, key.
    pub(super) fn set_mgmt_key(&mut self, profile: &Profile, command: &Command) -> Reply {
        if !self.session.mgmt {
            return sw::SECURITY.into();
        }
        let touch = match (command.p1, command.p2) {
            (0xff, NO_TOUCH) => false,
            (0xff, WITH_TOUCH) => true,
            (_, _) => return sw::WRONG_P1P2.into(),
        };
        let [code, SLOT, length, key @ ..] = command.data.as_slice() else { return sw::WRONG_DATA.into() };
        let known = MgmtAlgorithm::of(*code).filter(|algorithm| {
            *algorithm == MgmtAlgorithm::Tdes || profile.since(5, 4) // AES came with firmware 5.4
        });
        let Some(algorithm) = known else { return sw::WRONG_DATA.into() };
        if key.len() != usize::from(*length) || key.len() != algorithm.key_length() {
            return sw::WRONG_DATA.into();
        }
        self.mgmt = MgmtKey { algorithm, bytes: key.to_vec(), touch };
        sw::OK.into()
    }
}
