//! What an authenticator answers: CBOR, authenticator data, keys, statuses.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // A device owns its port, and so its answers; they are small and the run ends.
    signet_ctap::fuzzing::device(data.to_vec());
});
