//! One file a command (or group of commands), each with one function that does it.
//!
//! A command gets the [`Context`] and its own arguments, prints its result through `output`, and
//! answers with an exit code (zero but for `exec`) or with the refusal that `main` tells.

mod add;
mod audit;
mod completion;
mod configure;
mod credential_process;
mod custody;
mod doctor;
mod drill;
mod embed;
mod exec;
mod factor;
mod forget;
mod identity;
mod init;
mod list;
mod lost;
mod policy;
mod remove;
pub(crate) mod request;
mod reseal;
mod restore;
pub(crate) mod show;
mod sign;
mod status;
mod token;
pub(crate) mod usage;
mod verify;

use crate::args::{Command, Format};
use crate::context::Context;
use crate::output::{self, FailureStyle};
use signet_protocol::{Refusal, VERSION};
use std::process::ExitCode;

/// How a command ended.
pub(crate) type Done = Result<ExitCode, Refusal>;

/// Does the command.
pub(crate) fn run(cx: &Context, command: Command) -> Done {
    match command {
        Command::Init(args) => init::run(cx, &args),
        Command::Token(command) => token::run(cx, &command),
        Command::Add(args) => add::run(cx, &args),
        Command::List => list::run(cx),
        Command::Show(args) => show::run(cx, &args),
        Command::Remove(args) => remove::run(cx, &args),
        Command::Embed(args) => embed::run(cx, &args),
        Command::Reseal(args) => reseal::run(cx, &args),
        Command::Verify(args) => verify::run(cx, &args),
        Command::Restore(args) => restore::run(cx, &args),
        Command::Drill(args) => drill::run(cx, &args),
        Command::Factor(command) => factor::run(cx, &command),
        Command::Policy(command) => policy::run(cx, &command),
        Command::Sign(args) => sign::run(cx, &args),
        Command::Request(args) => request::run(cx, &args),
        Command::CredentialProcess(args) => credential_process::run(cx, &args),
        Command::Configure(args) => configure::run(cx, &args),
        Command::Exec(args) => exec::run(cx, args),
        Command::Forget(args) => forget::run(cx, &args),
        Command::Audit(command) => audit::run(cx, &command),
        Command::Status => status::run(cx),
        Command::Doctor => doctor::run(cx),
        Command::Completion(args) => completion::run(&args),
    }
}

/// Tells that a command without a result of its own is done: talk for people, `{"version":1}` for
/// programs.
fn done(cx: &Context, text: &str) -> Result<(), Refusal> {
    match cx.format() {
        Format::Json => output::json(&serde_json::json!({ "version": VERSION })),
        Format::Text | Format::Csv => {
            output::talk(text);
            Ok(())
        }
    }
}

/// Where the failures of a command are told.
pub(crate) fn failure_style(command: &Command) -> FailureStyle {
    if matches!(command, Command::CredentialProcess(_) | Command::Exec(_)) {
        FailureStyle::Quiet
    } else {
        FailureStyle::Ordinary
    }
}
