//! Arguments of the commands that keep keys: `add`, `show`, `remove`, `factor`, `policy`.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

// `signet add`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  signet add prod-root --kind root --csv rootkey.csv --totp new")]
pub(crate) struct Add {
    /// Name for the key
    pub(crate) name: String,
    /// Whose access key it is
    #[arg(long, value_enum)]
    pub(crate) kind: KindArg,
    /// Read id and secret from a CSV file of the console [default: both are asked for]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["aws_profile", "stdin"])]
    pub(crate) csv: Option<PathBuf>,
    /// Read id and secret from a profile of the AWS tools
    #[arg(long, value_name = "PROFILE", conflicts_with = "stdin")]
    pub(crate) aws_profile: Option<String>,
    /// Read two lines from standard input: id, secret
    #[arg(long)]
    pub(crate) stdin: bool,
    /// Account, 12 digits [default: decoded from the access key id, where its form allows]
    #[arg(long, value_name = "ID")]
    pub(crate) account: Option<String>,
    /// Partition of the account
    #[arg(long, value_enum, default_value_t = PartitionArg::Aws)]
    pub(crate) partition: PartitionArg,
    /// Where the secret is when nobody uses it
    #[arg(long, value_enum, default_value_t = CustodyArg::Sealed)]
    pub(crate) custody: CustodyArg,
    /// Serial of a token to seal to; may be repeated [default: all enrolled tokens]
    #[arg(long, value_name = "SERIAL")]
    pub(crate) token: Vec<String>,
    /// Check a one-time code at each use: with a new seed, or with one that you type [default: no code]
    #[arg(long, value_enum)]
    pub(crate) totp: Option<TotpSource>,
    /// Write the QR code of a new seed to this PNG file [default: the screen]
    #[arg(long, value_name = "FILE.png", requires = "totp")]
    pub(crate) qr: Option<PathBuf>,
    /// Have each use approved by a FIDO2 authenticator, which is enrolled first
    #[arg(long)]
    pub(crate) fido2: bool,
    /// Keep a root key without a second factor
    #[arg(long, conflicts_with_all = ["totp", "fido2"])]
    pub(crate) no_factor: bool,
    /// Preset or policy file; may be repeated [default: root-only-tasks for root; assume-root and session for iam-user]
    #[arg(long, value_name = "PRESET|FILE")]
    pub(crate) policy: Vec<String>,
    /// Leave out the GetCallerIdentity at the end
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// Remove the file or profile that the key came from, once it is proved
    #[arg(long)]
    pub(crate) delete_source: bool,
}

/// Whose access key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KindArg {
    /// The account's root user
    Root,
    /// An IAM user kept for emergencies
    IamUser,
}

/// AWS partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PartitionArg {
    /// Commercial regions
    Aws,
    /// GovCloud
    AwsUsGov,
}

/// Where the secret is when nobody uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CustodyArg {
    /// In a record that a token opens
    Sealed,
    /// In the tokens themselves, which compute with it
    InToken,
}

/// Where the seed of a TOTP factor comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TotpSource {
    /// Made here and shown as a QR code
    New,
    /// Typed: an otpauth URI or base32
    Ask,
}

// `signet show`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  signet show prod-root")]
pub(crate) struct Show {
    /// Name of the key
    pub(crate) name: String,
}

// `signet remove`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  signet remove prod-root")]
pub(crate) struct Remove {
    /// Name of the key
    pub(crate) name: String,
    /// Do not ask whether it is meant
    #[arg(long)]
    pub(crate) yes: bool,
    /// All its tokens are lost: remove it without any
    #[arg(long)]
    pub(crate) lost: bool,
}

// `signet factor`.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  signet factor list")]
pub(crate) enum FactorCommand {
    /// Add a second factor to a key
    #[command(subcommand)]
    Add(FactorKindCommand),
    /// List the factors of the keys
    #[command(visible_alias = "ls", after_help = "Example:\n  signet factor list -o json")]
    List,
    /// Remove a factor from a key
    #[command(visible_alias = "rm", after_help = "Example:\n  signet factor remove totp-1 --key prod-root")]
    Remove {
        /// Id of the factor
        id: String,
        /// Name of the key
        #[arg(long, value_name = "NAME")]
        key: String,
    },
}

// `signet factor add`.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  signet factor add totp --key prod-root")]
pub(crate) enum FactorKindCommand {
    /// One-time codes (RFC 6238)
    #[command(after_help = "Example:\n  signet factor add totp --key prod-root --label 'phone in the safe'")]
    Totp {
        /// Name of the key
        #[arg(long, value_name = "NAME")]
        key: String,
        /// What you call it [default: no label]
        #[arg(long, value_name = "TEXT")]
        label: Option<String>,
        /// Make a new seed and write its QR code to this PNG file [default: the seed is asked for]
        #[arg(long, value_name = "FILE.png")]
        qr: Option<PathBuf>,
    },
    /// An authenticator that approves the request itself; any one of a key's will do
    #[command(after_help = "Example:\n  signet factor add fido2 --key prod-root --label 'office key'")]
    Fido2 {
        /// Name of the key
        #[arg(long, value_name = "NAME")]
        key: String,
        /// What you call it [default: no label]
        #[arg(long, value_name = "TEXT")]
        label: Option<String>,
    },
}

// `signet policy`.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  signet policy presets")]
pub(crate) enum PolicyCommand {
    /// Replace the policy of a key
    #[command(after_help = "Example:\n  signet policy set prod-root root-only-tasks session")]
    Set {
        /// Name of the key
        name: String,
        /// Presets or policy files
        #[arg(required = true, value_name = "PRESET|FILE")]
        parts: Vec<String>,
    },
    /// Check a policy file with the agent's own parser
    #[command(after_help = "Example:\n  signet policy check policy.toml")]
    Check {
        /// The file
        file: PathBuf,
    },
    /// Show the presets and their rules
    #[command(after_help = "Example:\n  signet policy presets")]
    Presets,
    /// Say what policy would do with a request on standard input
    #[command(
        after_help = "Example:\n  signet policy explain prod-root --service sts --region us-east-1 < request.http"
    )]
    Explain {
        /// Name of the key
        name: String,
        /// Service of the credential scope [default: inferred from the host]
        #[arg(long)]
        service: Option<String>,
        /// Region of the credential scope [default: inferred from the host]
        #[arg(long)]
        region: Option<String>,
    },
}
