//! What must be known before a key is read: the vault, the tokens, the policy. Refuses early, so that
//! nobody types a secret for nothing.

use crate::args::{Add, KindArg, PartitionArg};
use crate::command::list::known;
use crate::command::policy::read_parts;
use crate::command::token::{self, public_key};
use crate::context::Context;
use signet_envelope::PublicKey;
use signet_protocol::api::Status;
use signet_protocol::record::{KeyKind, Partition, Recipient};
use signet_protocol::rule::Part;
use signet_protocol::{Code, Refusal};

/// Everything of a record but the key itself.
pub(super) struct Facts {
    pub(super) name: String,
    pub(super) vault_id: String,
    pub(super) kind: KeyKind,
    pub(super) partition: Partition,
    pub(super) policy: Vec<Part>,
    pub(super) tokens: Vec<(Recipient, PublicKey)>,
}

impl Facts {
    /// Asks the agent for what only it knows.
    pub(super) fn gather(cx: &Context, name: &str, args: &Add) -> Result<Self, Refusal> {
        let keys = known(cx)?;
        let refused = keys.refused.iter().map(|key| &key.name);
        if keys.keys.iter().map(|key| &key.name).chain(refused).any(|taken| taken == name) {
            return Err(Refusal::new(
                Code::BadRequest,
                format!("there is a key named {name} already"),
                format!("signet show {name}"),
            ));
        }
        let kind = match args.kind {
            KindArg::Root => KeyKind::Root,
            KindArg::IamUser => KeyKind::IamUser,
        };
        let parts = if args.policy.is_empty() { usual(kind) } else { args.policy.clone() };
        Ok(Self {
            name: name.to_owned(),
            vault_id: cx.get::<Status>("/v1/status")?.vault_id,
            kind,
            partition: match args.partition {
                PartitionArg::Aws => Partition::Aws,
                PartitionArg::AwsUsGov => Partition::AwsUsGov,
            },
            policy: read_parts(cx, &parts)?,
            tokens: tokens(cx, &args.token)?,
        })
    }
}

/// The presets that a key gets where none is named.
fn usual(kind: KeyKind) -> Vec<String> {
    let names: &[&str] = match kind {
        KeyKind::Root => &["root-only-tasks"],
        KeyKind::IamUser => &["assume-root", "session"],
    };
    names.iter().map(|&name| name.to_owned()).collect()
}

/// The tokens that are meant: the named ones, else all that are enrolled and not lost.
fn tokens(cx: &Context, serials: &[String]) -> Result<Vec<(Recipient, PublicKey)>, Refusal> {
    let (lost, good): (Vec<_>, Vec<_>) =
        token::known(cx)?.into_iter().partition(|token| token.lost.is_some());
    let enrolled: Vec<Recipient> = good.into_iter().filter_map(|token| token.recipient).collect();
    for serial in serials {
        if lost.iter().any(|token| token.serial == *serial) {
            return Err(Refusal::new(
                Code::Denied,
                format!("token {serial} was lost: nothing is sealed to it any more"),
                "signet token list",
            ));
        }
        if !enrolled.iter().any(|token| token.serial == *serial) {
            return Err(Refusal::new(
                Code::BadRequest,
                format!("token {serial} is not enrolled"),
                format!("signet token enrol --serial {serial}"),
            ));
        }
    }
    let meant = enrolled.into_iter().filter(|token| serials.is_empty() || serials.contains(&token.serial));
    let tokens: Vec<_> =
        meant.map(|token| public_key(&token).map(|key| (token, key))).collect::<Result<_, _>>()?;
    if tokens.is_empty() {
        return Err(Refusal::new(Code::BadRequest, "no token is enrolled yet", "signet init"));
    }
    Ok(tokens)
}
