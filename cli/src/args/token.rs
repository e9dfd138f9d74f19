//! Arguments of `init` and `token`.

use clap::{Args, Subcommand};

// `signet init`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  signet init --kind yubikey-piv")]
pub(crate) struct Init {
    /// Kind of token [default: the first kind that the agent's configuration names]
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// Serial of the token [default: asked for, if several are there]
    #[arg(long, value_name = "SERIAL")]
    pub(crate) serial: Option<String>,
    /// Take the only token there is without asking
    #[arg(long)]
    pub(crate) yes: bool,
}

// `signet token`.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  signet token list")]
pub(crate) enum TokenCommand {
    /// List the enrolled tokens and those that are there
    #[command(visible_alias = "ls", after_help = "Example:\n  signet token list -o json")]
    List,
    /// Show everything that a token tells without a PIN
    #[command(after_help = "Example:\n  signet token info 12345678")]
    Info(Serial),
    /// Make a key on a token and take it into the vault
    #[command(visible_alias = "enroll")]
    Enrol(Enrol),
    /// Take a token out of the vault; refused while a record names it
    #[command(visible_alias = "rm", after_help = "Example:\n  signet token remove 12345678")]
    Remove(Serial),
    /// Change the PIN
    #[command(after_help = "Example:\n  signet token pin 12345678")]
    Pin(Serial),
    /// Set a new PIN with the PUK
    #[command(after_help = "Example:\n  signet token unblock 12345678")]
    Unblock(Serial),
    /// Refuse a lost token from now on, and say what to do about its keys
    #[command(after_help = "Example:\n  signet token lost 12345678")]
    Lost(Serial),
}

// One token.
#[derive(Debug, Args)]
pub(crate) struct Serial {
    /// Serial of the token
    pub(crate) serial: String,
}

// `signet token enrol`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  signet token enrol --kind yubikey-piv --label 'safe, left drawer'")]
pub(crate) struct Enrol {
    /// Kind of token: yubikey-piv, fido2 or software [default: the first kind that the agent's configuration names]
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// Serial of the token [default: the only one there is]
    #[arg(long, value_name = "SERIAL")]
    pub(crate) serial: Option<String>,
    /// PIV slot, 95 down to 82, or 9d [default: the first empty retired slot, 95 downwards]
    #[arg(long, value_name = "SLOT")]
    pub(crate) slot: Option<String>,
    /// What you call the token [default: no label]
    #[arg(long, value_name = "TEXT")]
    pub(crate) label: Option<String>,
}
