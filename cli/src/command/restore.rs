//! `signet restore`: takes a record without its state, such as a backup, into this vault. The record
//! says in the clear whose it is; whether that is true is known when a token has opened it.

use super::list::kind;
use super::show::find;
use super::token::named;
use super::{Done, custody};
use crate::args::Restore;
use crate::context::Context;
use crate::output;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use signet_envelope::Record;
use signet_protocol::api::UseAct;
use signet_protocol::record::{Metadata, is_key_name};
use signet_protocol::{Code, MESSAGE_LIMIT, Refusal};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

/// Does the command.
pub(crate) fn run(cx: &Context, args: &Restore) -> Done {
    let bytes = read(&args.file).map_err(|error| refused(&args.file, &error.to_string()))?;
    let metadata = metadata(&bytes).map_err(|why| refused(&args.file, &why))?;
    let account = metadata.account.as_deref().unwrap_or("not known");
    let tokens: Vec<String> = metadata.recipients.iter().map(named).collect();
    output::talk(&format!(
        "{} says that it is {}: {}, {} of account {account}, generation {}, opened by {}",
        args.file.display(),
        metadata.name,
        metadata.access_key_id,
        kind(metadata.kind),
        metadata.epoch,
        tokens.join(" or ")
    ));
    cx.use_key(&metadata.name, UseAct::Restore { record: STANDARD.encode(&bytes) }, None)?;
    let key = find(cx, &metadata.name)?;
    custody::tell(cx, &key)?;
    output::talk(&format!("restored {}; its tokens were taken on the record's word: verify them", key.name));
    output::talk(&format!("hint: signet verify {}", key.name));
    Ok(ExitCode::SUCCESS)
}

/// The file, up to the cap of a record.
fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(MESSAGE_LIMIT).unwrap_or(u64::MAX);
    File::open(file)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What the record says of itself.
fn metadata(bytes: &[u8]) -> Result<Metadata, String> {
    let record = Record::parse(bytes).map_err(|error| error.to_string())?;
    let metadata: Metadata = serde_json::from_slice(record.meta())
        .map_err(|error| format!("what it says of itself is not understood: {error}"))?;
    if is_key_name(&metadata.name) { Ok(metadata) } else { Err("it names no key".to_owned()) }
}

fn refused(file: &Path, why: &str) -> Refusal {
    Refusal::new(Code::BadRequest, format!("{}: {why}", file.display()), "signet restore --help")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_record_of_a_key_is_refused() {
        let key = |name: &str| format!(r#"{{"name":"{name}"}}"#);
        for bytes in [b"".as_slice(), b"age-encryption.org/v1\n", key("x").as_bytes()] {
            assert!(metadata(bytes).is_err());
        }
    }
}
