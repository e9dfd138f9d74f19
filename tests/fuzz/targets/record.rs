//! A sealed record, as it lies on disk.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(record) = signet_envelope::Record::parse(data) {
        let _ = (record.meta().len(), record.recipients(), record.header_sha256());
    }
});
