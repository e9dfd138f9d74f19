//! The way in for fuzz targets (`tests/fuzz`): a device all of whose answers are the fuzzer's. Built by no
//! other build.

use crate::port::{After, Asks, Port};
use crate::{Algorithm, AssertRequest, Device, Fault, Go, MakeRequest, Patience, Permission};
use std::time::{Duration, Instant};

/// Answers one after the other, each behind its length in two bytes.
struct Replay(Vec<u8>);

impl Port for Replay {
    fn exchange(&mut self, _: &[u8], _: Asks, _: &mut Patience<'_>) -> Result<Vec<u8>, Fault> {
        let (length, rest) = self.0.split_first_chunk::<2>().ok_or(Fault::Removed)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let answer = rest.get(..length).ok_or(Fault::Removed)?.to_vec();
        self.0.drain(..length + 2);
        Ok(answer)
    }

    fn end(&mut self, _: After) {}
}

/// Everything that can be asked of a device: one thing a run, by the last byte.
pub fn device(mut answers: Vec<u8>) {
    let Some(which) = answers.pop() else { return };
    let mut tell = |_| Go::On;
    let mut patience = Patience::until(Instant::now() + Duration::from_secs(9), &mut tell);
    let Ok(mut key) = Device::start("key".to_owned(), Box::new(Replay(answers)), &mut patience) else {
        return;
    };
    let ids = [vec![7; 16], vec![8; 16]];
    let request = AssertRequest {
        rp: "signet",
        client_data_hash: &[1; 32],
        ids: &ids,
        up: true,
        hmac_secret: Some(&[2; 32]),
    };
    // Whatever comes of it is good: only a panic, or no end, is not.
    match which % 6 {
        0 => drop(key.holds("signet", &ids, &mut patience)),
        1 => drop(key.pin_retries(&mut patience)),
        2 => drop(key.get_assertion(&request, None, &mut patience)),
        3 => drop(key.uv_token(Permission::GetAssertion, "signet", &mut patience)),
        4 => {
            let token = key.pin_token(b"1234", Permission::GetAssertion, "signet", &mut patience);
            drop(key.get_assertion(&request, token.as_ref().ok(), &mut patience));
        }
        _ => {
            let request = MakeRequest {
                rp: "signet",
                user_id: b"u",
                user_name: "u",
                client_data_hash: &[1; 32],
                algorithms: &[Algorithm::Es256, Algorithm::EdDsa],
                exclude: &[],
                hmac_secret: true,
            };
            drop(key.make_credential(&request, None, &mut patience));
        }
    }
}
