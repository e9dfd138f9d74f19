//! `signet`: the command line. It talks to the person and to AWS, and asks the agent for everything
//! that needs a key; it holds no key itself, except one that is being added, until it is sealed.

mod args;
mod clean;
mod client;
mod command;
mod context;
mod conversation;
mod courier;
mod duration;
mod harden;
mod ini;
mod message;
mod output;
mod prompt;
mod session;
mod totp;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let before = harden::apply();
    let cli = match args::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return command::usage::answer(&error),
    };
    let format = cli.global.format.unwrap_or_default();
    let style = command::failure_style(&cli.command);
    let cx = context::Context::new(cli.global, before);
    match command::run(&cx, cli.command) {
        Ok(code) => code,
        Err(refusal) => {
            output::failure(&refusal, format, style);
            ExitCode::from(refusal.code.exit())
        }
    }
}
