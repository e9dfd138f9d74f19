//! `signet-agent`: starts the agent, or says why not and leaves nothing behind.
//!
//! Promises: every check comes before the socket; a check that fails ends the start with its own
//! message and a status that is not 0. Only this file ends the process.

#![forbid(unsafe_code)]

use signet_agent::flags::{self, Command, HELP, Serve};
use signet_agent::start::{self, Failed};
use std::process::ExitCode;

fn main() -> ExitCode {
    let done = match flags::read(std::env::args_os().skip(1)) {
        Ok(Command::Help) => {
            print!("{HELP}");
            Ok(())
        }
        Ok(Command::Version) => {
            println!("signet-agent {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        Ok(Command::Check { config, policy }) => start::check(config.as_deref(), policy.as_deref()),
        Ok(Command::Serve(flags)) => serve(&flags),
        Err(message) => Err(Failed::usage(message)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("signet-agent: error: {}", failed.message);
            if let Some(hint) = failed.hint {
                eprintln!("signet-agent: hint: {hint}");
            }
            ExitCode::from(failed.exit)
        }
    }
}

/// One thread: nothing here waits for a processor, and nothing has to be locked.
fn serve(flags: &Serve) -> Result<(), Failed> {
    let ready = start::ready(flags)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, ready.run())
}
