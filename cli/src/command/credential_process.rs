//! `signet credential-process`: the document that the AWS tools read, alone on standard output.
//!
//! `Expiration` always stands in it: without one the SDKs would keep the credentials for ever.

use super::Done;
use crate::args::CredentialProcess;
use crate::context::Context;
use crate::{output, session};
use serde::Serialize;
use signet_protocol::{Code, Refusal};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::timeout;

/// The document ("Sourcing credentials with an external process", AWS CLI user guide).
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document<'a> {
    version: u32,
    access_key_id: &'a str,
    secret_access_key: &'a str,
    session_token: &'a str,
    expiration: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
}

/// Does the command.
pub(crate) fn run(cx: &Context, args: &CredentialProcess) -> Done {
    let limit = Duration::from_secs(args.timeout.0.into());
    let session = cx.block_on(async {
        timeout(limit, session::get(cx, &args.name, &args.session)).await.unwrap_or_else(|_| {
            Err(Refusal::new(
                Code::Timeout,
                format!("nobody answered within {} s", args.timeout.0),
                format!("signet exec {} -- true", args.name),
            ))
        })
    })?;
    let credentials = &session.credentials;
    output::json(&Document {
        version: 1,
        access_key_id: &credentials.access_key_id,
        secret_access_key: &credentials.secret_access_key,
        session_token: &credentials.session_token,
        expiration: &credentials.expiration,
        account_id: credentials.account_id.as_deref(),
    })?;
    Ok(ExitCode::SUCCESS)
}
