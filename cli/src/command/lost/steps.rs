//! What to do about one key whose token was lost, in the order in which to do it. Pure.
//!
//! Facts it rests on: an access key of the root user is changed only by credentials of the root user,
//! and without a user name (IAM API reference, `UpdateAccessKey`). Session credentials made without MFA
//! may not call IAM (STS API reference, `GetSessionToken`): so the key signs the request itself, and
//! `signet exec` is no help here. The root user of a GovCloud account has no console sign-in.

use crate::courier::sts::form_encoded;
use signet_protocol::api::KeyInfo;
use signet_protocol::child::TokenName;
use signet_protocol::record::{KeyKind, Partition};

use super::super::custody::same_factors;
use super::super::token::{joined, title};
use serde::Serialize;

/// One step: what it is for, and what to type or which page to open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Step {
    pub(super) what: String,
    pub(super) command: Option<String>,
    pub(super) page: Option<String>,
}

impl Step {
    fn typed(what: impl Into<String>, command: impl Into<String>) -> Self {
        Self { what: what.into(), command: Some(command.into()), page: None }
    }

    fn opened(what: impl Into<String>, page: &str) -> Self {
        Self { what: what.into(), command: None, page: Some(page.to_owned()) }
    }
}

/// How bad it is: what stands between the key and whoever finds the token.
pub(super) fn danger(key: &KeyInfo, serial: &str) -> &'static str {
    match key.holders.iter().find(|holder| holder.serial == serial) {
        Some(holder) if !holder.access_code => {
            "whoever finds the token can sign with this key by touching it: be quick"
        }
        Some(_) | None => "whoever finds the token needs its pin, and a copy of the record",
    }
}

/// The steps; none once the key was marked rotated.
pub(super) fn steps(key: &KeyInfo, others: &[TokenName], serial: &str) -> Vec<Step> {
    if key.rotate.is_none() {
        return Vec::new();
    }
    let place = Place::of(key.partition);
    let mut steps = match (key.kind, others.is_empty()) {
        (KeyKind::Root, false) => by_itself(key, others, &place),
        (KeyKind::Root, true) => by_console(key, &place),
        (KeyKind::IamUser, _) => by_administrator(key, others, &place),
    };
    let name = &key.name;
    if others.is_empty() {
        steps.push(Step::typed("say that it is done", format!("signet reseal {name} --rotated")));
        steps.push(Step::typed(
            "take it out of the vault: nothing opens it any more",
            format!("signet remove {name} --lost"),
        ));
    } else {
        let drop = format!("signet reseal {name} --drop {serial}");
        steps.push(Step::typed("shut the lost token out of the record", drop));
        steps.push(Step::typed("say that it is done", format!("signet reseal {name} --rotated")));
    }
    steps
}

/// Root's key with a token left: it makes its successor and switches itself off.
fn by_itself(key: &KeyInfo, others: &[TokenName], place: &Place) -> Vec<Step> {
    let tokens: Vec<String> = others.iter().map(title).collect();
    let (name, with) = (&key.name, joined(&tokens, "or"));
    let successor = format!("{}-new", name.chars().take(60).collect::<String>());
    let factor = same_factors(key);
    vec![
        Step::typed(
            format!("with {with}: make its successor while it still works (the answer shows the new secret)"),
            place.request(name, "Action=CreateAccessKey&Version=2010-05-08"),
        ),
        Step::typed(
            "seal the successor",
            format!("signet add {successor} --kind root{} {factor}", place.add),
        ),
        Step::typed(format!("with {with}: switch it off"), place.request(name, &inactive(key))),
        Step::typed(
            "or with other credentials of the root user, such as those of aws login",
            off(key, place),
        ),
    ]
}

/// Root's key with no token left: only the root user himself can switch it off.
fn by_console(key: &KeyInfo, place: &Place) -> Vec<Step> {
    let account = key.account.as_deref().unwrap_or("(not known)");
    let page = match key.partition {
        Partition::Aws => Step::opened(
            format!("sign in as the root user of account {account} and deactivate it under access keys"),
            place.root_page,
        ),
        Partition::AwsUsGov => Step::opened(
            format!(
                "govcloud has no console for its root user: ask aws support, from the standard account that belongs to {account}"
            ),
            place.root_page,
        ),
    };
    vec![
        page,
        Step::typed(
            "or with other credentials of the root user, such as those of aws login",
            off(key, place),
        ),
    ]
}

/// A user's key: an administrator of the account switches it off. The vault does not know the user's
/// name; AWS tells it.
fn by_administrator(key: &KeyInfo, others: &[TokenName], place: &Place) -> Vec<Step> {
    let account = key.account.as_deref().unwrap_or("(not known)");
    let id = form_encoded(&key.access_key_id);
    let user = format!(
        "aws iam get-access-key-last-used --access-key-id {id} --query UserName --output text{}",
        place.flag
    );
    let off = format!(
        "aws iam update-access-key --access-key-id {id} --status Inactive --user-name \"$({user})\"{}",
        place.flag
    );
    let mut steps = vec![Step::typed(
        format!("with credentials of an administrator of account {account}: switch it off"),
        off,
    )];
    if others.is_empty() {
        let what =
            format!("or in the console: look for {} among the users, and deactivate it", key.access_key_id);
        steps.push(Step::opened(what, place.users_page));
    } else {
        let tokens: Vec<String> = others.iter().map(title).collect();
        steps.push(Step::typed(
            format!(
                "or with {}, where its policy and its user's allow iam:UpdateAccessKey",
                joined(&tokens, "or")
            ),
            place.request(&key.name, &inactive(key)),
        ));
    }
    steps
}

/// `UpdateAccessKey` of the key that signs it.
fn inactive(key: &KeyInfo) -> String {
    let id = form_encoded(&key.access_key_id);
    format!("Action=UpdateAccessKey&Version=2010-05-08&AccessKeyId={id}&Status=Inactive")
}

/// The same with the AWS command line and credentials from elsewhere.
fn off(key: &KeyInfo, place: &Place) -> String {
    let id = form_encoded(&key.access_key_id);
    format!("aws iam update-access-key --access-key-id {id} --status Inactive{}", place.flag)
}

/// Where IAM is in a partition.
struct Place {
    iam: &'static str,
    /// What the AWS command line needs to go there.
    flag: &'static str,
    /// What `signet add` needs.
    add: &'static str,
    root_page: &'static str,
    users_page: &'static str,
}

impl Place {
    const fn of(partition: Partition) -> Self {
        match partition {
            Partition::Aws => Self {
                iam: "https://iam.amazonaws.com/",
                flag: "",
                add: "",
                root_page: "https://console.aws.amazon.com/iam/home#/security_credentials",
                users_page: "https://console.aws.amazon.com/iam/home#/users",
            },
            Partition::AwsUsGov => Self {
                iam: "https://iam.us-gov.amazonaws.com/",
                flag: " --region us-gov-west-1",
                add: " --partition aws-us-gov",
                root_page: "https://console.aws.amazon.com/support/home",
                users_page: "https://console.amazonaws-us-gov.com/iam/home#/users",
            },
        }
    }

    /// A form of the query protocol, signed by a key of the vault.
    fn request(&self, name: &str, form: &str) -> String {
        format!("signet request {name} '{}' -d '{form}'", self.iam)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::custody::tests::key;
    use super::*;

    fn marked(kind: KeyKind, partition: Partition) -> KeyInfo {
        KeyInfo { kind, partition, rotate: Some("2026-11-22 token 42 was lost".into()), ..key(&[]) }
    }

    fn spare() -> Vec<TokenName> {
        vec![TokenName { serial: "43".into(), label: "spare".into() }]
    }

    fn commands(key: &KeyInfo, others: &[TokenName]) -> Vec<String> {
        steps(key, others, "42").into_iter().filter_map(|step| step.command).collect()
    }

    #[test]
    fn root_makes_its_successor_before_it_switches_itself_off() {
        let typed = commands(&marked(KeyKind::Root, Partition::Aws), &spare());
        assert_eq!(
            typed,
            [
                "signet request prod 'https://iam.amazonaws.com/' -d 'Action=CreateAccessKey&Version=2010-05-08'",
                "signet add prod-new --kind root --no-factor",
                "signet request prod 'https://iam.amazonaws.com/' -d 'Action=UpdateAccessKey&Version=2010-05-08&AccessKeyId=AKIAIOSFODNN7EXAMPLE&Status=Inactive'",
                "aws iam update-access-key --access-key-id AKIAIOSFODNN7EXAMPLE --status Inactive",
                "signet reseal prod --drop 42",
                "signet reseal prod --rotated",
            ]
        );
    }

    #[test]
    fn without_a_token_there_is_the_console_and_no_request_of_ours() {
        for (kind, partition, page) in [
            (KeyKind::Root, Partition::Aws, "https://console.aws.amazon.com/iam/home#/security_credentials"),
            (KeyKind::Root, Partition::AwsUsGov, "https://console.aws.amazon.com/support/home"),
            (KeyKind::IamUser, Partition::Aws, "https://console.aws.amazon.com/iam/home#/users"),
            (KeyKind::IamUser, Partition::AwsUsGov, "https://console.amazonaws-us-gov.com/iam/home#/users"),
        ] {
            let key = marked(kind, partition);
            let told = steps(&key, &[], "42");
            assert!(told.iter().any(|step| step.page.as_deref() == Some(page)), "{told:?}");
            let typed = commands(&key, &[]);
            assert!(!typed.iter().any(|it| it.contains("signet request")), "{typed:?}");
            assert!(typed.contains(&"signet remove prod --lost".to_owned()), "{typed:?}");
        }
    }

    #[test]
    fn a_user_is_switched_off_by_name_and_govcloud_has_its_own_place() {
        let typed = commands(&marked(KeyKind::IamUser, Partition::AwsUsGov), &spare());
        let user = "$(aws iam get-access-key-last-used --access-key-id AKIAIOSFODNN7EXAMPLE --query UserName --output text --region us-gov-west-1)";
        assert!(
            typed.iter().any(|it| it.contains(user) && it.ends_with("--region us-gov-west-1")),
            "{typed:?}"
        );
        assert!(typed.iter().any(|it| it.contains("'https://iam.us-gov.amazonaws.com/'")), "{typed:?}");
        assert!(
            !typed.iter().any(|it| it.contains("CreateAccessKey")),
            "root alone makes keys without a name"
        );
    }

    #[test]
    fn a_key_that_was_rotated_has_no_steps() {
        assert_eq!(steps(&key(&[]), &spare(), "42"), []);
    }

    #[test]
    fn an_id_from_a_strange_record_cannot_leave_its_word() {
        let strange =
            KeyInfo { access_key_id: "A'; rm -rf ~ #$(x)".into(), ..marked(KeyKind::Root, Partition::Aws) };
        for command in commands(&strange, &spare()).iter().chain(&commands(&strange, &[])) {
            assert!(!command.contains("rm -rf") && !command.contains("$("), "{command}");
        }
    }

    #[test]
    fn a_token_that_signs_by_touch_alone_is_the_worse_loss() {
        assert!(danger(&key(&[("42", false)]), "42").contains("be quick"));
        assert!(danger(&key(&[("42", true)]), "42").contains("needs its pin"));
        assert!(danger(&key(&[("43", false)]), "42").contains("needs its pin"));
        assert!(danger(&key(&[]), "42").contains("needs its pin"));
    }
}
