//! The command line of `signet-agent`, read strictly.
//!
//! Promises: an argument that is not known, stands twice or lacks its value is refused. Must not
//! know: whether the files it names exist.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// What `--help` prints.
pub const HELP: &str = "\
the Signet agent: decides who may use which key for what, and asks the person

usage: signet-agent [--config FILE] [--socket PATH] [--state-dir DIR] [--idle-timeout TIME]
       signet-agent check [--config FILE] [--policy FILE]

options:
  --config FILE        agent.toml (default: ~/.config/signet/agent.toml, or /etc/signet/agent.toml)
  --socket PATH        where to listen (default: the personal socket; a socket that the service
                       manager passes wins)
  --state-dir DIR      where the vault is (default: ~/.local/state/signet)
  --idle-timeout TIME  end after this long without a caller and without kept session credentials:
                       90s, 30m, 2h (default: never)
  --policy FILE        with check: this policy file instead of the one that agent.toml names
  --version            print the version
  --help               print this

example: signet-agent check --config ./agent.toml
";

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Serve.
    Serve(Serve),
    /// Read the files, say what is wrong with them, and end.
    Check {
        /// `--config`.
        config: Option<PathBuf>,
        /// `--policy`.
        policy: Option<PathBuf>,
    },
    /// `--version`.
    Version,
    /// `--help`.
    Help,
}

/// Flags of the daemon.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Serve {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--socket`.
    pub socket: Option<PathBuf>,
    /// `--state-dir`.
    pub state_dir: Option<PathBuf>,
    /// `--idle-timeout`.
    pub idle: Option<Duration>,
    /// Started by `signet` itself, not by a person: leave its session (setsid(2)). Not in the help.
    pub detached: bool,
}

/// Reads the arguments, without the program's name.
///
/// # Errors
/// A sentence that names the argument.
pub fn read(arguments: impl Iterator<Item = OsString>) -> Result<Command, String> {
    let mut arguments = arguments.peekable();
    let check = arguments.next_if(|first| first == "check").is_some();
    let mut serve = Serve::default();
    let mut policy = None;
    while let Some(argument) = arguments.next() {
        let name = argument.to_str().ok_or("an argument is not UTF-8")?;
        let mut path = |into: &mut Option<PathBuf>| {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            if into.replace(value.into()).is_some() {
                return Err(format!("{name} stands twice"));
            }
            Ok(())
        };
        match name {
            "--version" | "-V" => return Ok(Command::Version),
            "--help" | "-h" => return Ok(Command::Help),
            "--config" => path(&mut serve.config)?,
            "--policy" if check => path(&mut policy)?,
            "--socket" if !check => path(&mut serve.socket)?,
            "--state-dir" if !check => path(&mut serve.state_dir)?,
            "--idle-timeout" if !check => {
                let mut value = None;
                path(&mut value)?;
                let text = value.as_deref().and_then(std::path::Path::to_str).unwrap_or_default();
                let idle = duration(text).ok_or_else(|| format!("{text} is no time: 90s, 30m, 2h"))?;
                if serve.idle.replace(idle).is_some() {
                    return Err("--idle-timeout stands twice".to_owned());
                }
            }
            "--detached" if !check => serve.detached = true,
            unknown => return Err(format!("unknown argument {unknown}")),
        }
    }
    Ok(if check { Command::Check { config: serve.config, policy } } else { Command::Serve(serve) })
}

/// `90s`, `30m`, `2h`; never zero.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _unknown => return None,
    };
    let number: u64 = number.parse().ok().filter(|number| *number > 0)?;
    number.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(line: &str) -> Result<Command, String> {
        read(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for wrong in [
            "--sockets /x",
            "serve",
            "--socket",
            "--socket /x --socket /y",
            "--idle-timeout 30",
            "--idle-timeout 0m",
            "--idle-timeout 99999999999999999999h",
            "--idle-timeout ü",
            "--idle-timeout 1m --idle-timeout 1m",
            "--policy p.toml",
            "check --socket /x",
            "check --idle-timeout 1m",
            "--config a check",
        ] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_known_is_read() {
        let Command::Serve(serve) = of("--socket /s --config /c --state-dir /d --idle-timeout 30m").unwrap()
        else {
            unreachable!("no check was asked for")
        };
        assert_eq!(serve.socket.unwrap(), PathBuf::from("/s"));
        assert_eq!(serve.config.unwrap(), PathBuf::from("/c"));
        assert_eq!(serve.state_dir.unwrap(), PathBuf::from("/d"));
        assert_eq!(serve.idle.unwrap(), Duration::from_secs(1800));
        assert!(!serve.detached);
        assert_eq!(of("check --policy p"), Ok(Command::Check { config: None, policy: Some("p".into()) }));
        assert_eq!(of("--version"), Ok(Command::Version));
        assert_eq!(of("check --help"), Ok(Command::Help));
    }
}
