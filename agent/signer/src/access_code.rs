//! The access codes of applets that hold keys: made here, sealed in records, told to nobody.
//!
//! Promises: a code is text, so that other tools can be given it, and stands in memory that is wiped.

use ring::rand::{SecureRandom as _, SystemRandom};
use signet_protocol::record::AccessCode;
use signet_protocol::refusal::{Code, Refusal};
use zeroize::Zeroizing;

/// Characters of a code: 130 bits, so that the few rounds of PBKDF2 that applets want do not matter.
const LENGTH: usize = 26;
/// Base32 (RFC 4648, 6).
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The codes of several tokens. Not `Debug`, not `Clone`.
#[derive(Default)]
pub struct Codes(Vec<(String, Zeroizing<Vec<u8>>)>);

impl Codes {
    /// Those of a payload.
    #[must_use]
    pub fn of(codes: &[AccessCode<'_>]) -> Self {
        let mut all = Self::default();
        codes.iter().for_each(|code| all.keep(code.serial, code.code));
        all
    }

    /// The code of a token.
    #[must_use]
    pub fn get(&self, serial: &str) -> Option<&str> {
        let (_, code) = self.0.iter().find(|(of, _)| of == serial)?;
        // Always text: it came as such, or was made of the alphabet.
        std::str::from_utf8(code).ok()
    }

    /// Keeps the code of a token, in place of the one before.
    pub fn keep(&mut self, serial: &str, code: &str) {
        self.forget(serial);
        self.0.push((serial.to_owned(), Zeroizing::new(code.as_bytes().to_vec())));
    }

    /// Makes a new code for a token.
    ///
    /// # Errors
    /// `internal` when the system gives no random bytes.
    pub fn make(&mut self, serial: &str) -> Result<(), Refusal> {
        let mut code = Zeroizing::new(vec![0; LENGTH]);
        SystemRandom::new()
            .fill(&mut code)
            .map_err(|_| Refusal::bare(Code::Internal, "the system gave no random bytes"))?;
        for byte in code.iter_mut() {
            *byte = ALPHABET.get(usize::from(*byte & 31)).copied().unwrap_or_default();
        }
        self.forget(serial);
        self.0.push((serial.to_owned(), code));
        Ok(())
    }

    /// Drops the code of a token.
    pub fn forget(&mut self, serial: &str) {
        self.0.retain(|(of, _)| of != serial);
    }

    /// The codes of the tokens that `stays` names, to be sealed.
    #[must_use]
    pub fn of_those(&self, stays: impl Fn(&str) -> bool) -> Vec<AccessCode<'_>> {
        let serials = self.0.iter().map(|(serial, _)| serial.as_str()).filter(|serial| stays(serial));
        serials.filter_map(|serial| Some(AccessCode { serial, code: self.get(serial)? })).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_new_code_is_base32_and_unlike_the_one_before() {
        let mut codes = Codes::default();
        codes.make("7").unwrap();
        let first = codes.get("7").unwrap().to_owned();
        assert_eq!(first.len(), 26);
        assert!(first.bytes().all(|byte| ALPHABET.contains(&byte)), "{first}");
        codes.make("7").unwrap();
        assert_ne!(codes.get("7").unwrap(), first);
        assert_eq!(codes.of_those(|_| true).len(), 1, "it took its place");
    }

    #[test]
    fn each_token_has_its_own() {
        let mut codes =
            Codes::of(&[AccessCode { serial: "7", code: "A" }, AccessCode { serial: "8", code: "B" }]);
        codes.keep("7", "C");
        assert_eq!((codes.get("7"), codes.get("8"), codes.get("9")), (Some("C"), Some("B"), None));
        assert_eq!(codes.of_those(|serial| serial == "8").len(), 1);
        codes.forget("8");
        assert_eq!(codes.get("8"), None);
    }
}
