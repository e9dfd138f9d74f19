//! A proof, and the credential that it is checked by, as a log or a record holds them.

#![no_main]

use signet_protocol::approval::Proof;
use signet_protocol::record::Credential;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok((credential, proof, last)) = serde_json::from_slice::<(Credential, Proof, Option<u32>)>(data) else {
        return;
    };
    let _ = signet_fido::assertion::check_credential(&credential);
    let order = proof.order.clone();
    let _ = signet_fido::proof::check(&credential, &proof, &order, last);
});
