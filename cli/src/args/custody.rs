//! Arguments of the commands about where a key is kept, and whether it still works there: `embed`,
//! `reseal`, `verify`, `restore`, `drill`.

use clap::Args;
use std::path::PathBuf;

// `signet embed`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  signet embed prod-root --token 12345678")]
pub(crate) struct Embed {
    /// Name of the key
    pub(crate) name: String,
    /// Serial of a token to write it into; may be repeated [default: all tokens of the key]
    #[arg(long, value_name = "SERIAL")]
    pub(crate) token: Vec<String>,
    /// The token asks for an access code, which is sealed in the record: a PIN and two touches a use; the default
    #[arg(long, conflicts_with = "no_access_code")]
    pub(crate) access_code: bool,
    /// It asks for none: one touch a use, for whoever holds the token [default: it asks for one]
    #[arg(long)]
    pub(crate) no_access_code: bool,
}

// `signet reseal`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  signet reseal prod-root --add 87654321")]
pub(crate) struct Reseal {
    /// Name of the key
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) change: Change,
}

// What `signet reseal` is to change: exactly one of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Change {
    /// Serial of an enrolled token that shall open the key too; may be repeated
    #[arg(long, value_name = "SERIAL")]
    pub(crate) add: Vec<String>,
    /// Serial of a token that shall open it no more; may be repeated
    #[arg(long, value_name = "SERIAL")]
    pub(crate) drop: Vec<String>,
    /// The key was rotated or switched off at AWS: take its mark away
    #[arg(long)]
    pub(crate) rotated: bool,
}

// `signet verify`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  signet verify prod-root --token 12345678")]
pub(crate) struct VerifyKey {
    /// Name of the key
    pub(crate) name: String,
    /// Serial of the one token to verify [default: all tokens of the key, one after the other]
    #[arg(long, value_name = "SERIAL")]
    pub(crate) token: Option<String>,
}

// `signet restore`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  signet restore /media/backup/keys/prod-root.age")]
pub(crate) struct Restore {
    /// Record to take into the vault: a copy of a NAME.age
    pub(crate) file: PathBuf,
}

// `signet drill`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  signet drill prod-root")]
pub(crate) struct Drill {
    /// Name of the key
    pub(crate) name: String,
}
