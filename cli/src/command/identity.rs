//! Asks AWS whose key it is: the one proof that what was sealed is what it was taken for.

use crate::command::policy::explain;
use crate::context::Context;
use crate::courier::sts::{self, Identity};
use crate::courier::{Times, endpoint};
use crate::{output, session};
use serde::de::IgnoredAny;
use signet_protocol::api::{KeyInfo, PinAccount};
use signet_protocol::record::{KeyKind, Partition};
use signet_protocol::{Code, Refusal, VERSION};

/// One GetCallerIdentity with a key that was just added; its answer must fit.
pub(super) fn prove(cx: &Context, key: &KeyInfo) -> Result<(), Refusal> {
    let request = sts::identity_request(&region(key.partition));
    if !explain::ask(cx, &key.name, &request)?.allowed {
        output::talk("policy does not allow sts:GetCallerIdentity: aws was not asked whose key it is");
        return Ok(());
    }
    let (identity, _) = ask(cx, key, None)?;
    check(key, &identity).map_err(|why| {
        let what = format!("the key is in the vault, but {why}");
        Refusal::new(Code::FailedCheck, what, format!("signet remove {}", key.name))
    })?;
    pin(cx, key, &identity)?;
    output::talk(&format!("aws says it is {}", identity.arn));
    Ok(())
}

/// One GetCallerIdentity: whose key it is, and how long it took to learn that.
pub(super) fn ask(cx: &Context, key: &KeyInfo, reason: Option<String>) -> Result<(Identity, Times), Refusal> {
    cx.block_on(sts::caller_identity(cx, &key.name, &region(key.partition), reason))
}

/// Notes the account of a key whose record names none.
pub(super) fn pin(cx: &Context, key: &KeyInfo, identity: &Identity) -> Result<(), Refusal> {
    if key.account.is_none() {
        let pin = PinAccount { version: VERSION, account: identity.account.clone() };
        let _: IgnoredAny = cx.post(&format!("/v1/keys/{}/account", key.name), &pin)?;
    }
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

/// What is wrong with AWS's answer.
pub(super) fn check(key: &KeyInfo, identity: &Identity) -> Result<(), String> {
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
