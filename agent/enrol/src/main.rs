//! `signet-enrol`: one act of token management, ordered by `signet-agent` and done once.
//!
//! Promises: makes keys on tokens, changes their PINs and tells what they say of themselves; leaves
//! no factory PIN, PUK or management key behind; says one outcome and ends. Must not know: records,
//! secrets of AWS, the network. PINs, PUKs and management keys do pass through here, in memory that
//! ends with the process: the `yubikey` crate keeps the last PIN in a buffer that it never wipes,
//! and logs it at `trace`, so no logger is installed and the levels are compiled away.

mod authenticator;
mod conversation;
mod credential;
mod harden;
mod kind;

use conversation::{Conversation, Lines};
use signet_protocol::child::{CHILD_ARGUMENT, CodeFate, Event, Outcome};
use signet_protocol::{Code, Refusal};
use std::io::IsTerminal;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let ordered = arguments.next().is_some_and(|argument| argument == CHILD_ARGUMENT);
    if !ordered || arguments.next().is_some() || std::io::stdin().is_terminal() {
        eprintln!("signet-enrol: error: started by signet-agent, not by hand");
        eprintln!("signet-enrol: hint: signet token list");
        return ExitCode::from(Code::Usage.exit());
    }
    // says why on its own; what it could not do is the agent's to name in `status`
    harden::process();

    let outcome = match work() {
        Ok(managed) => Outcome::Managed(managed),
        Err(refusal) => Outcome::Refused { refusal, token: None, code: CodeFate::Unchecked },
    };
    match conversation::say(&Event::Outcome(outcome)) {
        Ok(()) => ExitCode::SUCCESS,
        // nobody listens any more, so there is nobody to tell
        Err(_) => ExitCode::FAILURE,
    }
}

/// One order in, one result out.
fn work() -> Result<signet_protocol::child::Managed, Refusal> {
    let mut lines = Lines::of_stdin()?;
    let order = lines.order()?;
    if !order.places.pcsc_socket.is_empty() {
        harden::use_pcsc_socket(&order.places.pcsc_socket)?;
    }
    let talk = Conversation::new(&order, lines);
    kind::perform(&order, talk)
}
