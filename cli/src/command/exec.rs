//! `signet exec`: a command with session credentials in its environment, in place of this process, so
//! that its exit code, its terminal and its signals are its own.

use super::Done;
use crate::args::Exec;
use crate::context::Context;
use crate::output;
use crate::session::{self, Session};
use std::env;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// Exit codes of a shell for a command that could not be run, and for one that was not found (POSIX,
/// Shell Command Language, 2.8.2).
const NOT_RUNNABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// Where the AWS tools would find other credentials, or another profile to take them from.
const OTHERS: [&str; 14] = [
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SECURITY_TOKEN",
    "AWS_ACCOUNT_ID",
    "AWS_CREDENTIAL_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];

/// How the names of bearer tokens begin, one for each service; they win over access keys there.
const BEARER: &[u8] = b"AWS_BEARER_TOKEN_";

/// Does the command.
pub(crate) fn run(cx: &Context, args: Exec) -> Done {
    let session = cx.block_on(session::get(cx, &args.name, &args.session))?;
    let mut words = args.command.into_iter();
    let program = words.next().unwrap_or_else(shell);
    let mut command = Command::new(&program);
    command.args(words);
    equip(&mut command, &args.name, &session);
    cx.before().restore();
    let error = command.exec();
    output::talk(&format!("error: {}: {error}", program.display()));
    let code = if error.kind() == ErrorKind::NotFound { NOT_FOUND } else { NOT_RUNNABLE };
    Ok(ExitCode::from(code))
}

fn shell() -> OsString {
    env::var_os("SHELL").filter(|shell| !shell.is_empty()).unwrap_or_else(|| "/bin/sh".into())
}

/// Puts these credentials in the environment, and every other way to find some out of it.
fn equip(command: &mut Command, key: &str, session: &Session) {
    for name in OTHERS {
        command.env_remove(name);
    }
    for (name, _) in env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(BEARER)) {
        command.env_remove(name);
    }
    let credentials = &session.credentials;
    command
        .env("AWS_ACCESS_KEY_ID", &credentials.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key)
        .env("AWS_SESSION_TOKEN", &credentials.session_token)
        .env("AWS_CREDENTIAL_EXPIRATION", &credentials.expiration)
        .env("AWS_REGION", &session.region)
        // botocore reads this one and not the other
        .env("AWS_DEFAULT_REGION", &session.region)
        .env("SIGNET_KEY", key);
}
