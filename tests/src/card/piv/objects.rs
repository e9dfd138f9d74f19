//! Data objects: GET DATA and PUT DATA (SP 800-73-4 part 2, sections 3.1.2 and 3.3.1).

use super::{Command, Piv, Reply, attest, sw, tlv};
use crate::card::profile::Profile;

/// The discovery object (SP 800-73-4 part 1, section 3.3.2): the PIN is the application's own.
const DISCOVERY: [u8; 20] = [
    0x7e, 0x12, 0x4f, 0x0b, 0xa0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00, 0x5f, 0x2f,
    0x02, 0x40, 0x00,
];
/// Printed information, fingerprints, facial image, iris images: read only with a verified PIN (SP
/// 800-73-4 part 1, table 2). `ykman` keeps a protected management key in the first.
const BEHIND_PIN: [u32; 4] = [0x5f_c109, 0x5f_c103, 0x5f_c108, 0x5f_c121];
/// The certificate of the attestation key.
const ATTESTATION_CERTIFICATE: u32 = 0x5f_ff01;
/// The longest object, about what a YubiKey takes.
const LONGEST: usize = 3063;

impl Piv {
    pub(super) fn get_data(&self, profile: &Profile, command: &Command) -> Reply {
        if command.parameters() != 0x3fff {
            return sw::WRONG_P1P2.into();
        }
        let Some(id) = tlv::parse(&command.data).and_then(|parts| number(tlv::find(&parts, 0x5c)?)) else {
            return sw::WRONG_DATA.into();
        };
        if id == 0x7e {
            return Reply::ok(DISCOVERY.to_vec());
        }
        if !knows(profile, id) {
            return sw::NOT_FOUND.into();
        }
        if BEHIND_PIN.contains(&id) && !self.session.pin {
            return sw::SECURITY.into();
        }
        match self.objects.get(&id) {
            Some(bytes) => Reply::ok(tlv::write(0x53, bytes)),
            None if id == ATTESTATION_CERTIFICATE && profile.attestation => {
                let certificate = attest::issuer_certificate();
                let fields = [tlv::write(0x70, &certificate), tlv::write(0x71, &[0]), tlv::write(0xfe, &[])];
                Reply::ok(tlv::write(0x53, &fields.concat()))
            }
            None => sw::NOT_FOUND.into(),
        }
    }

    pub(super) fn put_data(&mut self, profile: &Profile, command: &Command) -> Reply {
        if !self.session.mgmt {
            return sw::SECURITY.into();
        }
        if command.parameters() != 0x3fff {
            return sw::WRONG_P1P2.into();
        }
        let Some(parts) = tlv::parse(&command.data) else { return sw::WRONG_DATA.into() };
        let id = tlv::find(&parts, 0x5c).and_then(number);
        let (Some(id), Some(bytes)) = (id, tlv::find(&parts, 0x53)) else { return sw::WRONG_DATA.into() };
        if !knows(profile, id) {
            return sw::NOT_FOUND.into();
        }
        if bytes.len() > LONGEST {
            return sw::NO_SPACE.into();
        }
        // An empty object is one that is not there.
        if bytes.is_empty() {
            self.objects.remove(&id);
        } else {
            self.objects.insert(id, bytes.to_vec());
        }
        sw::OK.into()
    }
}

fn number(bytes: &[u8]) -> Option<u32> {
    (1..=3).contains(&bytes.len()).then(|| bytes.iter().fold(0, |id, byte| id << 8 | u32::from(*byte)))
}

fn knows(profile: &Profile, id: u32) -> bool {
    match id {
        0x5f_c101..=0x5f_c123 | 0x5f_ff00..=0x5f_ffff => true,
        0x5f_0000..=0x5f_ffff => profile.any_object,
        _ => false,
    }
}
