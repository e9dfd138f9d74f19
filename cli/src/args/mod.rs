//! The command line: every command and flag of the contract, and nothing else.
//!
//! Promises: names, flags and aliases are exact, and each command's help ends with one worked
//! example. Must not know what a command does: `command` takes these structures as they are.

mod aws;
mod custody;
mod key;
mod log;
mod token;

pub(crate) use aws::{Configure, CredentialProcess, Exec, Forget, Request, SessionArgs, Sign};
pub(crate) use custody::{Drill, Embed, Reseal, Restore, VerifyKey};
pub(crate) use key::{
    Add, CustodyArg, FactorCommand, FactorKindCommand, KindArg, PartitionArg, PolicyCommand, Remove, Show,
    TotpSource,
};
pub(crate) use log::{AuditCommand, Completion, Log, Prove, Shell, Verify};
pub(crate) use token::{Init, TokenCommand};

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// AWS root and break-glass keys, sealed to a hardware token
#[derive(Debug, Parser)]
#[command(name = "signet", version, about, long_about = None, disable_help_subcommand = true)]
#[command(
    after_help = "Example:\n  signet init && signet add prod-root --kind root --csv rootkey.csv --totp new"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// Socket of the agent [default: SIGNET_SOCK, the system's, then the personal one]
    #[arg(long, global = true, value_name = "PATH", display_order = 900)]
    pub(crate) socket: Option<PathBuf>,
    /// How results and failures are written [default: text]
    #[arg(short = 'o', long, global = true, value_enum, display_order = 901)]
    pub(crate) format: Option<Format>,
    /// Ask nothing: refuse where a question would have to be asked
    #[arg(long, global = true, display_order = 902)]
    pub(crate) no_prompt: bool,
}

/// How results are written on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people; may change
    #[default]
    Text,
    /// For programs; versioned
    Json,
    /// Tables for spreadsheets
    Csv,
}

/// The commands.
#[derive(Debug, Subcommand)]
// The flags of a command are made only when it is the one: most of what a short command costs.
#[command(defer = true)]
pub(crate) enum Command {
    /// Enrol the first token
    Init(Init),
    /// Manage tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Seal an access key to the enrolled tokens
    Add(Add),
    /// List the keys
    #[command(visible_alias = "ls", after_help = "Example:\n  signet list -o json")]
    List,
    /// Show everything that is known of a key without opening it
    Show(Show),
    /// Remove a key from the vault
    #[command(visible_alias = "rm")]
    Remove(Remove),
    /// Move a sealed key into its tokens, so that it is in no record any more
    Embed(Embed),
    /// Let other tokens open a key, or say that it was rotated
    Reseal(Reseal),
    /// Prove that each token of a key still does its part
    Verify(VerifyKey),
    /// Take a record without its state, such as a backup, into the vault
    Restore(Restore),
    /// Rehearse a use of a key, part by part
    Drill(Drill),
    /// Manage second factors
    #[command(subcommand)]
    Factor(FactorCommand),
    /// Look at and set the policy of keys
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Sign an HTTP/1.1 message from standard input
    Sign(Sign),
    /// Sign a request and send it to AWS
    Request(Request),
    /// Print session credentials as an AWS credential process does
    CredentialProcess(CredentialProcess),
    /// Write a profile for the AWS tools
    Configure(Configure),
    /// Run a command with session credentials in its environment
    Exec(Exec),
    /// Drop kept session credentials
    Forget(Forget),
    /// Read and check the audit log
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Show the agent, its files and its hardening
    #[command(after_help = "Example:\n  signet status -o json")]
    Status,
    /// Look for what is wrong or dangerous here
    #[command(after_help = "Example:\n  signet doctor")]
    Doctor,
    /// Print a completion script
    Completion(Completion),
}
