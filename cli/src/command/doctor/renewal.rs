//! The command that puts a new access key in the place of an old one, and the one that only deletes.
//!
//! AWS makes the new key (in the console; it is asked for here at the prompt), the old one is deleted
//! by the new one where Signet may sign that, and then leaves the vault.

use crate::command::custody::same_factors;
use signet_protocol::api::KeyInfo;
use signet_protocol::record::{Custody, KeyKind, Partition};
use signet_protocol::rule::Part;

/// What a renewal depends on.
pub(super) struct Renewal<'a> {
    /// The key to be replaced.
    pub(super) key: &'a KeyInfo,
    /// How many tokens still open it.
    pub(super) usable: usize,
    /// Every key: names that are taken.
    pub(super) keys: &'a [KeyInfo],
    /// The endpoint that the environment names for IAM.
    pub(super) iam: Option<&'a str>,
}

/// Adds a new key, deletes the old one at AWS where it may, and takes it out of the vault.
pub(super) fn command(renewal: &Renewal<'_>) -> String {
    let key = renewal.key;
    let new = name(renewal);
    let mut words = vec![format!("signet add {new} --kind")];
    match key.kind {
        KeyKind::Root => words.push(format!("root {}", same_factors(key))),
        KeyKind::IamUser => words.push("iam-user".to_owned()),
    }
    match key.partition {
        Partition::Aws => {}
        Partition::AwsUsGov => words.push("--partition aws-us-gov".to_owned()),
    }
    match key.custody {
        Custody::Sealed => {}
        Custody::InToken => words.push("--custody in-token".to_owned()),
    }
    let preset = |part: &Part| match part {
        Part::Preset(name) => Some(format!("--policy {name}")),
        Part::Rules(_) => None,
    };
    // rules of a file cannot be typed again: the defaults of the kind stand in for them
    if let Some(presets) = key.policy_parts.iter().map(preset).collect::<Option<Vec<_>>>() {
        words.extend(presets);
    }
    let mut steps = vec![words.join(" ")];
    if key.kind == KeyKind::Root {
        steps.push(deletion(&new, renewal));
    }
    steps.push(removal(renewal));
    steps.join(" && ")
}

/// Deletes the key at AWS with its own signature, and takes it out of the vault.
pub(super) fn end(renewal: &Renewal<'_>) -> String {
    if renewal.usable == 0 {
        return removal(renewal);
    }
    format!("{} && {}", deletion(&renewal.key.name, renewal), removal(renewal))
}

/// The request by which `signer` deletes the old key (IAM API, DeleteAccessKey).
fn deletion(signer: &str, renewal: &Renewal<'_>) -> String {
    let key = renewal.key;
    let (host, region) = match key.partition {
        Partition::Aws => ("https://iam.amazonaws.com/", "us-east-1"),
        Partition::AwsUsGov => ("https://iam.us-gov.amazonaws.com/", "us-gov-west-1"),
    };
    let to = match renewal.iam {
        Some(url) => {
            let url = super::machine::word(&format!("{}/", url.trim_end_matches('/')));
            format!("{url} --service iam --region {region}")
        }
        None => host.to_owned(),
    };
    let id = &key.access_key_id;
    format!("signet request {signer} {to} -d 'Action=DeleteAccessKey&Version=2010-05-08&AccessKeyId={id}'")
}

fn removal(renewal: &Renewal<'_>) -> String {
    let lost = if renewal.usable == 0 { " --lost" } else { "" };
    format!("signet remove {}{lost} --yes", renewal.key.name)
}

/// The name with the first number that is free.
fn name(renewal: &Renewal<'_>) -> String {
    // a name has at most 64 characters, all of them ASCII
    let stem: String = renewal.key.name.chars().take(60).collect();
    let taken = |name: &String| renewal.keys.iter().any(|key| key.name == *name);
    let mut names = (2..1000).map(|number| format!("{stem}-{number}"));
    names.find(|name| !taken(name)).unwrap_or(stem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::doctor::facts::key;

    #[test]
    fn a_root_key_is_replaced_deleted_and_removed() {
        let mut old = key("prod", &["42"]);
        old.kind = KeyKind::Root;
        old.policy_parts = vec![Part::Preset("root-only-tasks".into())];
        let keys = [old.clone(), key("prod-2", &["42"])];
        let renewal = Renewal { key: &old, usable: 1, keys: &keys, iam: None };
        assert_eq!(
            command(&renewal),
            "signet add prod-3 --kind root --totp new --policy root-only-tasks && \
             signet request prod-3 https://iam.amazonaws.com/ -d \
             'Action=DeleteAccessKey&Version=2010-05-08&AccessKeyId=AKIAIOSFODNN7EXAMPLE' && \
             signet remove prod --yes"
        );
    }

    #[test]
    fn a_user_key_is_deleted_by_an_administrator() {
        let old = key("prod", &["42"]);
        let renewal = Renewal { key: &old, usable: 0, keys: &[], iam: None };
        assert_eq!(command(&renewal), "signet add prod-2 --kind iam-user && signet remove prod --lost --yes");
    }

    #[test]
    fn govcloud_and_a_named_endpoint_have_their_own_hosts() {
        let mut old = key("gov", &["42"]);
        (old.kind, old.partition) = (KeyKind::Root, Partition::AwsUsGov);
        let at = |iam| end(&Renewal { key: &old, usable: 1, keys: &[], iam });
        assert!(at(None).starts_with("signet request gov https://iam.us-gov.amazonaws.com/ -d"));
        let local = at(Some("http://127.0.0.1:4566"));
        assert!(local.starts_with(
            "signet request gov http://127.0.0.1:4566/ --service iam --region us-gov-west-1 -d"
        ));
    }

    #[test]
    fn a_long_name_stays_one() {
        let old = key(&"a".repeat(64), &["42"]);
        let name = name(&Renewal { key: &old, usable: 1, keys: &[], iam: None });
        assert!(signet_protocol::record::is_key_name(&name), "{name}");
    }
}
