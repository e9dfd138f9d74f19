//! Arguments of `audit` and `completion`.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

// `signet audit`.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  signet audit verify")]
pub(crate) enum AuditCommand {
    /// Print the log, one entry a line
    Log(Log),
    /// Print the head of the chain, to be kept elsewhere
    #[command(after_help = "Example:\n  signet audit head >> /mnt/usb/signet-heads")]
    Head {
        /// Read this copy of the log, without an agent [default: the agent's log]
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Check the chain, and every approval by a FIDO2 authenticator
    Verify(Verify),
    /// Print what shows to others that a use was approved: a document a line, checked by verify-proof
    Prove(Prove),
}

// `signet audit log`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  signet audit log --since 2026-11-01T00:00:00Z --key prod-root")]
pub(crate) struct Log {
    /// From this time on: RFC 3339 UTC, or a date [default: the first entry]
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Before this time: RFC 3339 UTC, or a date [default: the last entry]
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Entries of this key [default: all]
    #[arg(long, value_name = "NAME")]
    pub(crate) key: Option<String>,
    /// Entries of this token [default: all]
    #[arg(long, value_name = "SERIAL")]
    pub(crate) token: Option<String>,
    /// Read this copy of the log, without an agent [default: the agent's log]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

// `signet audit verify`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  signet audit verify --dir /mnt/backup/audit --head 42:9f86d081…")]
pub(crate) struct Verify {
    /// A head kept elsewhere that must be part of the chain [default: none]
    #[arg(long, value_name = "SEQ:HASH")]
    pub(crate) head: Option<String>,
    /// List the uses that were approved, each with its authenticator and the hash of its request
    #[arg(long)]
    pub(crate) approvals: bool,
    /// Read this copy of the log, without an agent [default: the agent's log]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

// `signet audit prove`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  signet audit prove 5f0c9a7be1d24c3f8a6b0d9e7c51f243 > use.json")]
pub(crate) struct Prove {
    /// Id of the use, as it stands in the log
    #[arg(required = true)]
    pub(crate) id: Vec<String>,
    /// Read this copy of the log, without an agent [default: the agent's log]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

// `signet completion`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  signet completion bash > /etc/bash_completion.d/signet")]
pub(crate) struct Completion {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// Shells with completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// Bash
    Bash,
    /// Zsh
    Zsh,
    /// Fish
    Fish,
}
