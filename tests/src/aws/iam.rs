//! IAM: access keys and policies of users.

use super::account::{AccessKey, Account, Caller, Mfa, Principal};
use super::operation::Operation;
use super::refusal::{Refusal, xml_text};
use time::format_description::well_known::Rfc3339;

pub(super) fn answer(
    account: &mut Account,
    caller: &Caller,
    operation: &Operation,
) -> Result<String, Refusal> {
    if caller.session == Some(Mfa::No) {
        let text = "The security token included in the request is invalid";
        return Err(Refusal::new(403, "InvalidClientTokenId", text));
    }
    let own = match &caller.principal {
        Principal::Root => None,
        Principal::User(name) => Some(name.as_str()),
        Principal::Role(..) | Principal::AssumedRoot(..) => {
            return Err(Refusal::denied(&format!("not authorized to perform: iam:{}", operation.name)));
        }
    };
    // Without UserName it is the caller's own.
    let user = operation.parameter("UserName").or(own);
    let shown = xml_text(user.unwrap_or_default());
    let owner = account.owner(user)?;
    match operation.name.as_str() {
        "CreateAccessKey" => {
            if owner.keys.len() >= 2 {
                return Err(Refusal::new(
                    409,
                    "LimitExceeded",
                    "Cannot exceed quota for AccessKeysPerUser: 2",
                ));
            }
            let (key, secret) = AccessKey::fresh()?;
            let text = describe(&key, &shown)?;
            owner.keys.push(key);
            Ok(format!("<AccessKey>{text}<SecretAccessKey>{secret}</SecretAccessKey></AccessKey>"))
        }
        "ListAccessKeys" => {
            let members: Result<String, Refusal> = owner
                .keys
                .iter()
                .map(|key| Ok(format!("<member>{}</member>", describe(key, &shown)?)))
                .collect();
            Ok(format!(
                "<UserName>{shown}</UserName><AccessKeyMetadata>{}</AccessKeyMetadata><IsTruncated>false</IsTruncated>",
                members?
            ))
        }
        "UpdateAccessKey" => {
            let active = match operation.required("Status")? {
                "Active" => true,
                "Inactive" => false,
                _ => return Err(Refusal::invalid("Status is Active or Inactive")),
            };
            let id = operation.required("AccessKeyId")?;
            let key = owner.keys.iter_mut().find(|key| key.id == id).ok_or_else(|| no_key(id))?;
            key.active = active;
            Ok(String::new())
        }
        "DeleteAccessKey" => {
            let id = operation.required("AccessKeyId")?;
            let at = owner.keys.iter().position(|key| key.id == id).ok_or_else(|| no_key(id))?;
            owner.keys.remove(at);
            Ok(String::new())
        }
        "PutUserPolicy" => {
            operation.required("UserName")?;
            let (name, document) = (operation.required("PolicyName")?, operation.required("PolicyDocument")?);
            if !is_policy(document) {
                return Err(Refusal::new(400, "MalformedPolicyDocument", "Syntax errors in policy."));
            }
            owner.inline.insert(name.to_owned(), document.to_owned());
            Ok(String::new())
        }
        "AttachUserPolicy" => {
            operation.required("UserName")?;
            let arn = operation.required("PolicyArn")?;
            if !arn.starts_with("arn:aws:iam::") {
                return Err(Refusal::new(400, "InvalidInput", &format!("ARN {arn} is not valid.")));
            }
            owner.attached.push(arn.to_owned());
            Ok(String::new())
        }
        other => Err(Refusal::new(400, "InvalidAction", &format!("Could not find operation {other}"))),
    }
}

fn describe(key: &AccessKey, user: &str) -> Result<String, Refusal> {
    let status = if key.active { "Active" } else { "Inactive" };
    let created = key.created.replace_nanosecond(0).ok().and_then(|time| time.format(&Rfc3339).ok());
    let created = created.ok_or_else(|| Refusal::new(500, "ServiceFailure", "the date is no date"))?;
    Ok(format!(
        "<UserName>{user}</UserName><AccessKeyId>{}</AccessKeyId><Status>{status}</Status>\
         <CreateDate>{created}</CreateDate>",
        key.id
    ))
}

fn no_key(id: &str) -> Refusal {
    Refusal::new(404, "NoSuchEntity", &format!("The Access Key with id {id} cannot be found."))
}

/// As far as it matters here: a JSON object with statements.
pub(super) fn is_policy(text: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(text).is_ok_and(|value| value.get("Statement").is_some())
}

/// Whether a policy shuts out everybody but root.
pub(super) fn denies_all(policy: &str) -> bool {
    let Ok(policy) = serde_json::from_str::<serde_json::Value>(policy) else { return false };
    let statements = policy.get("Statement").and_then(|value| value.as_array()).cloned().unwrap_or_default();
    statements.iter().any(|one| {
        let is =
            |member: &str, wanted: &str| one.get(member).and_then(|value| value.as_str()) == Some(wanted);
        is("Effect", "Deny") && is("Principal", "*")
    })
}
