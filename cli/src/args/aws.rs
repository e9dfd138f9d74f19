//! Arguments of the commands that speak to AWS or serve its tools.

use crate::duration::Seconds;
use clap::Args;
use std::ffi::OsString;

// `signet sign`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  signet sign prod-root --service sts --region us-east-1 < request.http")]
pub(crate) struct Sign {
    /// Name of the key
    pub(crate) name: String,
    /// Service of the credential scope
    #[arg(long)]
    pub(crate) service: String,
    /// Region of the credential scope
    #[arg(long)]
    pub(crate) region: String,
    /// Why; shown at the prompt as your claim and kept in the audit log [default: none]
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

// `signet request`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  signet request prod-root 'https://sts.us-east-1.amazonaws.com/' -d 'Action=GetCallerIdentity&Version=2011-06-15'"
)]
pub(crate) struct Request {
    /// Name of the key
    pub(crate) name: String,
    /// Where to send it
    pub(crate) url: String,
    /// Method [default: GET, or POST with -d]
    #[arg(short = 'X', long = "request", value_name = "METHOD")]
    pub(crate) method: Option<String>,
    /// Header; may be repeated [default: none]
    #[arg(short = 'H', long = "header", value_name = "'k: v'")]
    pub(crate) header: Vec<String>,
    /// Body, or @FILE (@- for standard input); several are joined with & [default: no body]
    #[arg(short = 'd', long = "data", value_name = "DATA|@FILE")]
    pub(crate) data: Vec<String>,
    /// Service of the credential scope [default: inferred from the host]
    #[arg(long)]
    pub(crate) service: Option<String>,
    /// Region of the credential scope [default: inferred from the host]
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// AWS MFA device; its code is asked for and sent with the request [default: none]
    #[arg(long, value_name = "ARN")]
    pub(crate) mfa_serial: Option<String>,
    /// Why; shown at the prompt as your claim and kept in the audit log [default: none]
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

// What session credentials are asked for. No doc comment: it would head the help of the commands that
// take these flags.
#[derive(Debug, Args)]
pub(crate) struct SessionArgs {
    /// How long they shall last; a root key gets one hour at most
    #[arg(long, default_value = "1h")]
    pub(crate) duration: Seconds,
    /// Region of the STS endpoint [default: AWS_REGION, AWS_DEFAULT_REGION, else that of the key's partition]
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// AWS MFA device; its code is asked for [default: none]
    #[arg(long, value_name = "ARN")]
    pub(crate) mfa_serial: Option<String>,
    /// Why; shown at the prompt as your claim and kept in the audit log [default: none]
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

// `signet credential-process`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  signet credential-process prod-root --duration 1h")]
pub(crate) struct CredentialProcess {
    /// Name of the key
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) session: SessionArgs,
    /// How long to wait for the person before giving up
    #[arg(long, default_value = "55s")]
    pub(crate) timeout: Seconds,
}

// `signet configure`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  signet configure root --key prod-root --region us-east-1")]
pub(crate) struct Configure {
    /// Profile to write
    pub(crate) profile: String,
    /// Name of the key [default: the name of the profile]
    #[arg(long, value_name = "NAME")]
    pub(crate) key: Option<String>,
    /// Region to write into the profile [default: none; the tools choose]
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// How long the session credentials shall last
    #[arg(long, default_value = "1h")]
    pub(crate) duration: Seconds,
    /// Comment out what would win over it
    #[arg(long, conflicts_with = "remove")]
    pub(crate) replace: bool,
    /// Take our lines out of the profile
    #[arg(long)]
    pub(crate) remove: bool,
}

// `signet exec`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  signet exec prod-root -- aws s3api get-bucket-policy --bucket locked")]
pub(crate) struct Exec {
    /// Name of the key
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) session: SessionArgs,
    /// The command and its arguments [default: $SHELL]
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

// `signet forget`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  signet forget prod-root")]
pub(crate) struct Forget {
    /// Name of the key [default: all]
    pub(crate) name: Option<String>,
}
