//! Asks AWS whose key it is: the one proof that what was sealed is what it was taken for.

use crate::command::policy::explain;
use crate::context::Context;
use crate::courier::sts::{self, Identity};
use crate::courier::{Outgoing, endpoint};
use crate::{output, session};
use serde::de::IgnoredAny;
use signet_protocol::api::{KeyInfo, PinAccount};
use signet_protocol::record::{KeyKind, Partition};
use signet_protocol::{Code, Refusal, VERSION};

/// One GetCallerIdentity; its answer must fit the key, and pins the account where none is known.
pub(super) fn ask_aws(cx: &Context, key: &KeyInfo) -> Result<(), Refusal> {
    let region = region(key.partition);
    if !allowed(cx, key, &region)? {
        output::talk("policy does not allow sts:GetCallerIdentity: aws was not asked whose key it is");
        return Ok(());
    }
    let identity = cx.block_on(sts::caller_identity(cx, &key.name, &region))?;
    check(key, &identity).map_err(|why| {
        let what = format!("the key is in the vault, but {why}");
        Refusal::new(Code::FailedCheck, what, format!("signet remove {}", key.name))
    })?;
    if key.account.is_none() {
        let pin = PinAccount { version: VERSION, account: identity.account.clone() };
        let _: IgnoredAny = cx.post(&format!("/v1/keys/{}/account", key.name), &pin)?;
    }
    output::talk(&format!("aws says it is {}", identity.arn));
    Ok(())
}

/// The region of the environment if it is of the key's partition, else the partition's own.
fn region(partition: Partition) -> String {
    let gov = |region: &String| region.starts_with("us-gov-");
    let fits = |region: &String| match partition {
        Partition::Aws => !gov(region),
        Partition::AwsUsGov => gov(region),
    };
    endpoint::region_from_env().filter(fits).unwrap_or_else(|| session::home_region(partition).to_owned())
}

fn allowed(cx: &Context, key: &KeyInfo, region: &str) -> Result<bool, Refusal> {
    let form = "Action=GetCallerIdentity&Version=2011-06-15".to_owned();
    let url = endpoint::sts(region, endpoint::overridden("sts"));
    let explained = explain::ask(cx, &key.name, &Outgoing::form("sts", region, &url, form))?;
    Ok(explained.allowed)
}

/// What is wrong with AWS's answer.
fn check(key: &KeyInfo, identity: &Identity) -> Result<(), String> {
    if let Some(account) = key.account.as_ref().filter(|account| **account != identity.account) {
        return Err(format!("aws says it belongs to account {}, not {account}", identity.account));
    }
    let root = identity.arn.ends_with(":root");
    match key.kind {
        KeyKind::Root if !root => Err(format!("aws says it is {}, which is no root user", identity.arn)),
        KeyKind::IamUser if root => Err(format!("aws says it is {}: add it with --kind root", identity.arn)),
        KeyKind::Root | KeyKind::IamUser => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use signet_protocol::record::Custody;

    fn key(kind: KeyKind, account: Option<&str>) -> KeyInfo {
        KeyInfo {
            name: "prod".into(),
            kind,
            account: account.map(str::to_owned),
            partition: Partition::Aws,
            access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
            custody: Custody::Sealed,
            tokens: vec![],
            factors: vec![],
            policy: vec![],
            mfa_serial: None,
            created: String::new(),
            epoch: 1,
            last_used: None,
            rotate: None,
            factor_details: vec![],
            policy_parts: vec![],
            holders: vec![],
            touches: 1,
            verified: std::collections::BTreeMap::new(),
            drilled: None,
        }
    }

    fn identity(arn: &str) -> Identity {
        Identity { arn: arn.to_owned(), account: "123456789012".to_owned() }
    }

    #[test]
    fn an_answer_that_does_not_fit_is_named() {
        let root = identity("arn:aws:iam::123456789012:root");
        let user = identity("arn:aws:iam::123456789012:user/root");
        assert!(check(&key(KeyKind::Root, None), &user).is_err());
        assert!(check(&key(KeyKind::IamUser, None), &root).is_err());
        assert!(check(&key(KeyKind::Root, Some("210987654321")), &root).is_err());
        assert!(check(&key(KeyKind::Root, Some("123456789012")), &root).is_ok());
        assert!(check(&key(KeyKind::IamUser, None), &user).is_ok());
    }
}
