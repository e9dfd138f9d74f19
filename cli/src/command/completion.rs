//! `signet completion`: a script for the shell, made from the command line itself.

use super::Done;
use crate::args::{Cli, Completion, Shell};
use crate::output;
use clap::CommandFactory;
use clap_complete::shells;
use std::process::ExitCode;

/// Does the command.
pub(crate) fn run(args: &Completion) -> Done {
    let shell = match args.shell {
        Shell::Bash => shells::Shell::Bash,
        Shell::Zsh => shells::Shell::Zsh,
        Shell::Fish => shells::Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "signet", &mut script);
    output::bytes_out(&script)?;
    Ok(ExitCode::SUCCESS)
}
